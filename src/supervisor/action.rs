//! Everything that the machine asks of the world.

use crate::exit::MachineEnd;
use crate::process::{Pid, Target};
use crate::signal::Signal;

use super::{Report, ServiceId};

/// Something to do, now and in this order. Failures come back as events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Start a service; comes back as `Spawned` or `SpawnFailed`.
    Spawn {
        /// Which.
        service: ServiceId,
        /// Whether its group is to be the terminal's foreground group from its first instruction
        /// on, if foster's own is; comes back as `TerminalGiven` or `TerminalKept` too.
        terminal: bool,
    },
    /// Send a signal.
    Kill {
        /// To whom.
        target: Target,
        /// Which.
        signal: Signal,
        /// The value that goes with it, if the platform can send one.
        value: Option<u64>,
    },
    /// Send a signal to every process but foster: only for the init of a system.
    KillAll {
        /// Which.
        signal: Signal,
    },
    /// Reap a service's dead first process, which frees its id.
    Reap {
        /// Whose.
        pid: Pid,
    },
    /// The same for a dead child that foster adopted.
    ReapOrphan {
        /// Whose.
        pid: Pid,
        /// Whether the next death leads to a reap too, whosever it is. Then the platform may reap
        /// first and report afterwards, as long as no later signal to a service's group can reach
        /// another group that was given its id. It need not report other orphans that it reaps
        /// together with this one, if the log does not show them.
        freely: bool,
    },
    /// Keep a dead child as a zombie, so that the id of its group stays taken, until a `Reap`. For
    /// one that was reaped first (`ReapOrphan`) keep the way to its group.
    Hold {
        /// Whom.
        pid: Pid,
    },
    /// Report every process that lives and is not a service's first, as `Survivor`; ends that were
    /// `Hidden`, as `Exited`; then `Surveyed`.
    Survey {
        /// Whether to read the mark of each.
        marks: bool,
    },
    /// Report whether a service whose first process ended left other processes: `LeftBehind`, or
    /// nothing.
    Look {
        /// Which.
        service: ServiceId,
        /// Where to look: in this group, or among everything that foster has adopted.
        group: Option<Pid>,
    },
    /// Make the child's group the terminal's foreground group, if foster's own is; comes back as
    /// `TerminalGiven` or `TerminalKept`.
    GiveTerminal {
        /// The child's group.
        group: Pid,
    },
    /// Take the terminal back from the child's group, if that has it or is gone.
    TakeTerminal {
        /// Whether to resume the rest of foster's own group then (CONT), parts of which were
        /// stopped for using the terminal.
        resume: bool,
    },
    /// Stop foster itself as Ctrl-Z stops a program, until CONT; its services keep running.
    SuspendAlone,
    /// Take the terminal back from the child's group, then stop foster itself until CONT.
    Suspend {
        /// The child's group; none if the terminal does not concern foster.
        group: Option<Pid>,
        /// The signal that stops the rest of foster's own group too (a shell that runs a script, a
        /// pipeline), as the terminal would have done if the child were in it. None if the stop was
        /// for the child alone.
        job: Option<Signal>,
    },
    /// Tell the user.
    Report(Report),
    /// Unmount all file systems and power the system off. If foster may not, the `Exit` after this
    /// one is what is left to do.
    EndMachine {
        /// How.
        how: MachineEnd,
    },
    /// Everything is done: end foster by this signal, as its child ended. If that does not kill it,
    /// the `Exit` after this one is what is left to do.
    DieOf {
        /// Which.
        signal: Signal,
        /// Whether the rest of foster's own group gets it too (a shell that runs a script, make),
        /// as the terminal would have done if the child were in it.
        job: bool,
    },
    /// Everything is done: end foster with this code.
    Exit {
        /// The code.
        code: u32,
    },
}
