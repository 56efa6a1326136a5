//! Everything that the machine learns of the world.

use crate::exit::ExitStatus;
use crate::process::{Comm, Mark, Pid, RunId, SpawnError, Target};
use crate::signal::Signal;

use super::ServiceId;

/// Something that happened. The names are past participles: an event asks for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// foster got a signal. SIGCHLD is not reported, but the deaths behind it are; a signal that
    /// was forwarded already need not be reported.
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
    /// A child ended. It is a zombie, and its id is taken, until it is reaped: answer each of these
    /// with one `Reap` or one `Hold`.
    Exited {
        /// Who: a service's first process, or one that foster adopted.
        pid: Pid,
        /// How.
        status: ExitStatus,
    },
    /// A child was stopped by a signal. Reported only with job control.
    Stopped {
        /// Who.
        pid: Pid,
        /// By what.
        signal: Signal,
        /// Who has the terminal: a key stops the foreground group; reading and writing stop a group
        /// in the background.
        foreground: Foreground,
    },
    /// Answer to `Suspend` and `SuspendAlone`: the kernel did not let foster stop, because nobody
    /// could resume it (an orphaned process group, PID 1).
    NotSuspended {
        /// The child that was stopped; none if foster was to stop alone.
        group: Option<Pid>,
    },
    /// Answer to `GiveTerminal`, and to a `Spawn` that was to give it: this group has the terminal.
    TerminalGiven {
        /// Which.
        group: Pid,
    },
    /// The other answer: this group does not have it, because foster's own did not.
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
    /// Children may have ended behind one that is held, because the system shows only the first
    /// zombie. The next survey reports them as `Exited`, before it is complete.
    Hidden,
    /// Answer to `Survey`: this process lives, and is not the first process of a service.
    Survivor(Survivor),
    /// Answer to `Survey`: it is complete.
    Surveyed {
        /// Whether it missed nobody. A process that ends during a survey may leave others, which
        /// are adopted unnoticed; its own end is reported, then or later.
        whole: bool,
        /// Whether it missed at least nobody in the groups of held leaders.
        groups: bool,
    },
    /// Answer to `Look`: there are other processes.
    LeftBehind {
        /// Which service left them.
        service: ServiceId,
    },
    /// At its start foster gave up a terminal whose session it led: for that the kernel sends it a
    /// HUP and a CONT, which nobody meant (tty_ioctl(4), TIOCNOTTY).
    TerminalDetached,
}

/// A signal that foster got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signalled {
    /// Which.
    pub signal: Signal,
    /// The value that came with it (sigqueue(3)).
    pub value: Option<u64>,
    /// Whether the kernel sent it (a key on the terminal, a hang-up), and so to the whole
    /// foreground group, rather than a process. If a child shares foster's group
    /// (`Session::Shared`), this is set only while it does: a child that left the group got
    /// nothing.
    pub by_kernel: bool,
    /// Whether foster's terminal is gone: its window was closed, or its line was cut. Set only with
    /// a HUP, whoever sent it: the kernel, or a shell that it ended.
    pub hung_up: bool,
    /// Whether it was forwarded already, by [`Supervisor::way`](super::Supervisor::way).
    pub passed: bool,
}

/// Whose group is the foreground group of foster's terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreground {
    /// foster's own, which may give it away.
    Fosters,
    /// That of the child that this is about.
    Childs,
    /// Another: a shell's, or that of one of its jobs.
    Others,
}

/// A process that outlived the one that started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survivor {
    /// Who.
    pub pid: Pid,
    /// Its name, if that is known and somebody may want it.
    pub name: Comm,
    /// The process group that it is in.
    pub group: Pid,
    /// Whose it is; `Unreadable` if marks were not asked for.
    pub mark: Mark,
    /// Whether it is foster's child now, so that its end will be reported. Otherwise its parent
    /// lives, or another process adopted it.
    pub adopted: bool,
    /// Whether foster may send it signals. It may not if another user runs it and foster has no
    /// power over that user.
    pub in_reach: bool,
}
