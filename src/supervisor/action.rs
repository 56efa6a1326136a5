//! All that the machine asks of the world.

use crate::exit::MachineEnd;
use crate::process::{Pid, Target};
use crate::signal::Signal;

use super::{Report, ServiceId};

/// Something to do, now and in this order. What fails comes back as an event.
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
        /// The value that goes with it, where the platform has a way for that.
        value: Option<u64>,
    },
    /// Send a signal to every process but foster: for the init of a machine alone.
    KillAll {
        /// Which.
        signal: Signal,
    },
    /// Take the status of a service's dead first process from the kernel, which gives its id
    /// free.
    Reap {
        /// Whose.
        pid: Pid,
    },
    /// The same for a dead child that was adopted.
    ReapOrphan {
        /// Whose.
        pid: Pid,
        /// Whether the next death is to be answered by a reap too, whosever it is: then the
        /// platform may reap first and tell afterwards, as long as no signal that is still to
        /// come for a service's group can reach another that was given its id. Of other orphans
        /// that it reaps in one go with this one it need not tell, where nobody reads of them.
        freely: bool,
    },
    /// Leave a dead child as the zombie that it is, so that the id of its group stays taken,
    /// until a `Reap`. Of one that was reaped first (`ReapOrphan`) keep the way to its group.
    Hold {
        /// Whom.
        pid: Pid,
    },
    /// Tell of every process that lives and is not a service's first: as `Survivor`s, with the
    /// ends that were `Hidden` as `Exited`, then `Surveyed`.
    Survey {
        /// Whether to read the mark of each.
        marks: bool,
    },
    /// Tell whether a service whose first process has ended left others that live: comes back as
    /// `LeftBehind`, or not at all.
    Look {
        /// Which.
        service: ServiceId,
        /// Among whom: the members of this group, or all that foster has adopted.
        group: Option<Pid>,
    },
    /// Let the child's group be the terminal's foreground group, if foster's own is; comes back as
    /// `TerminalGiven` or `TerminalKept`.
    GiveTerminal {
        /// The child's group.
        group: Pid,
    },
    /// Take the terminal back from the child's group, if that has it or is gone.
    TakeTerminal {
        /// Whether to let the rest of foster's own group go on then (CONT), of which some was
        /// stopped for using the terminal.
        resume: bool,
    },
    /// Stop foster itself as Ctrl-Z stops a program, until CONT; what it runs goes on.
    SuspendAlone,
    /// Take the terminal back from the child's group, then stop foster itself until CONT.
    Suspend {
        /// The child's group; none where the terminal is none of foster's business.
        group: Option<Pid>,
        /// What stops the rest of foster's own group with it (a shell that runs a script, a
        /// pipeline), as the terminal would have done had the child been in there; none where the
        /// stop was for the child alone.
        job: Option<Signal>,
    },
    /// Tell the user.
    Report(Report),
    /// Put away all file systems and end the machine; where foster turns out not to be allowed
    /// that, the `Exit` behind it is what is left to do.
    EndMachine {
        /// How.
        how: MachineEnd,
    },
    /// All is done: end foster by this signal, as its child ended. Where that does not kill, the
    /// `Exit` behind it is what is left to do.
    DieOf {
        /// Which.
        signal: Signal,
        /// Whether the rest of foster's own group gets it too (a shell that runs a script, make), as
        /// the terminal would have done had the child been in there.
        job: bool,
    },
    /// All is done: end foster with this code.
    Exit {
        /// The code.
        code: u32,
    },
}
