//! All that the world tells the machine.

use crate::exit::ExitStatus;
use crate::process::{Comm, Mark, Pid, RunId, SpawnError, Target};
use crate::signal::Signal;

use super::ServiceId;

/// Something that happened. Past participles: nothing in here asks for anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// foster got a signal. SIGCHLD is not told: the deaths behind it are; nor need one be that went
    /// its way.
    Signal(Signalled),
    /// A start succeeded.
    Spawned {
        /// Whose.
        service: ServiceId,
        /// The new process, which leads what `Session` said.
        pid: Pid,
        /// The mark that its environment carries.
        run: RunId,
    },
    /// A start failed; there is no process.
    SpawnFailed {
        /// Whose.
        service: ServiceId,
        /// Why.
        error: SpawnError,
    },
    /// A child ended. It is a zombie, and its id is taken, until it is reaped: answer each of
    /// these with one `Reap` or one `Hold`.
    Exited {
        /// Who: a service's first process, or any that foster adopted.
        pid: Pid,
        /// How.
        status: ExitStatus,
    },
    /// A child was stopped by a signal. Told only where there is job control.
    Stopped {
        /// Who.
        pid: Pid,
        /// By what.
        signal: Signal,
        /// Who has the terminal: a key stops the foreground group, and reading and writing a group
        /// of the background.
        foreground: Foreground,
    },
    /// Answer to `Suspend` and `SuspendAlone`: the kernel did not let foster stop, because nobody
    /// could have let it go on (an orphaned process group, PID 1).
    NotSuspended {
        /// The child that was stopped; none where foster was to stop alone.
        group: Option<Pid>,
    },
    /// Answer to `GiveTerminal`, and to a `Spawn` that was to give it: this group has the terminal.
    TerminalGiven {
        /// Which.
        group: Pid,
    },
    /// The other answer: this group does not, as foster's own had it not to give.
    TerminalKept {
        /// Which.
        group: Pid,
    },
    /// A signal could not be delivered.
    KillFailed {
        /// Whom it was for.
        target: Target,
        /// Which.
        signal: Signal,
        /// The system's error number.
        os: i32,
    },
    /// Children may have ended behind one that is held, where the system shows only the first
    /// zombie. The next survey tells of them by `Exited`, before it is complete.
    Hidden,
    /// Answer to `Survey`: this process lives, and is not the first process of a service.
    Survivor(Survivor),
    /// Answer to `Survey`: that was all.
    Surveyed {
        /// Whether that was really all. One that ends while the survey is made may leave others
        /// that are adopted behind its back; its own end is told, then or later.
        whole: bool,
        /// Whether at least those in the groups of held leaders were all.
        groups: bool,
    },
    /// Answer to `Look`: there is somebody.
    LeftBehind {
        /// Whom the service left.
        service: ServiceId,
    },
    /// At start-up foster gave up a terminal whose session it led: the kernel sends it a HUP and
    /// a CONT for that, which nobody meant (tty_ioctl(4), TIOCNOTTY).
    TerminalDetached,
}

/// A signal that foster got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signalled {
    /// Which.
    pub signal: Signal,
    /// The value that came with it, by sigqueue(3).
    pub value: Option<u64>,
    /// Whether the kernel sent it (a key on the terminal, a hang-up) rather than a process, and so
    /// to the whole foreground group. Where a child shares foster's group (`Session::Shared`), only
    /// as long as it does: one that has left it has got nothing.
    pub by_kernel: bool,
    /// Whether foster's terminal is gone: its window was closed, or its line was cut. Told with a
    /// HUP alone, whoever sent it: the kernel, or a shell that it ended.
    pub hung_up: bool,
    /// Whether it has gone on already, the way that [`Supervisor::way`](super::Supervisor::way)
    /// tells.
    pub passed: bool,
}

/// Whose group is the foreground group of foster's terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreground {
    /// foster's own, which may give it away.
    Fosters,
    /// That of the child that this is about.
    Childs,
    /// Another: a shell's, or a job's of it.
    Others,
}

/// A process that outlived the one that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// Who.
    pub pid: Pid,
    /// What it is called, where that is known and somebody may want to know.
    pub name: Comm,
    /// The process group that it is in.
    pub group: Pid,
    /// Whose it is; `Unreadable` where marks were not asked for.
    pub mark: Mark,
    /// Whether it is foster's child now, so that its end will be told. One that is not has a
    /// parent of its own that lives, or was adopted by another.
    pub adopted: bool,
    /// Whether foster may send it signals: it may not where another user runs it, and foster has
    /// no power over that one.
    pub in_reach: bool,
}
