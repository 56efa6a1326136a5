//! All that the machine has to tell a user. The words for it are `cli`'s.

use std::time::Duration;

use crate::config::Level;
use crate::exit::{ExitStatus, MachineEnd};
use crate::process::{Comm, Pid, RunNumber, SpawnError, Target};
use crate::signal::Signal;

use super::ServiceId;
use super::slow::{Wait, Who};

/// Something worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Report {
    /// A service runs.
    Started {
        /// Which.
        service: ServiceId,
        /// Which of its runs this is, counted from 1.
        run: RunNumber,
        /// As whom.
        pid: Pid,
    },
    /// A service could not be started.
    StartFailed {
        /// Which.
        service: ServiceId,
        /// Which of its runs this is, counted from 1.
        run: RunNumber,
        /// Why.
        error: SpawnError,
    },
    /// A service's first process ended.
    Ended {
        /// Which.
        service: ServiceId,
        /// Which of its runs this is, counted from 1.
        run: RunNumber,
        /// Who.
        pid: Pid,
        /// How.
        status: ExitStatus,
        /// Why.
        cause: EndCause,
    },
    /// A service's first process ended at once and with success and left others, as one does that
    /// goes to the background.
    InBackground {
        /// Which.
        service: ServiceId,
        /// In which of its runs.
        run: RunNumber,
    },
    /// A service will be started again.
    RestartDue {
        /// Which.
        service: ServiceId,
        /// How long after its end.
        delay: Duration,
        /// How many restarts in a row this one makes.
        restarts: u32,
    },
    /// A service was started again as often as it may be: foster stops.
    GaveUp {
        /// Which.
        service: ServiceId,
        /// How many restarts in a row there were.
        restarts: u32,
    },
    /// A stop was asked for.
    StopRequested {
        /// By what; none where a service gave up.
        signal: Option<Signal>,
    },
    /// A stop takes its time: this service is not down.
    StillWaiting {
        /// Which.
        service: ServiceId,
        /// Who of it.
        who: Who,
        /// For what, and how long.
        wait: Wait,
    },
    /// The same of more services than are told by their names.
    StillWaitingForMore {
        /// How many.
        count: u32,
    },
    /// A service did not end in time, or was not given any: it gets SIGKILL.
    Killing {
        /// Which.
        service: ServiceId,
        /// Which of its runs this is, counted from 1.
        run: RunNumber,
    },
    /// Some of a service outlived even SIGKILL for as long as foster waits.
    Unkillable {
        /// Which.
        service: ServiceId,
        /// Which of its runs this is, counted from 1.
        run: RunNumber,
    },
    /// A process that a service left behind is killed.
    KillingOrphan {
        /// Whose.
        service: ServiceId,
        /// Which of its runs this is, counted from 1.
        run: RunNumber,
        /// Whom.
        pid: Pid,
    },
    /// A process that foster adopted is no service's that it knows of, or none that it may kill, and
    /// is left alone.
    Spared {
        /// Whom.
        pid: Pid,
        /// What it is called.
        name: Comm,
        /// Whether foster could send it signals: else it may be a service's, and is left alone
        /// for that.
        in_reach: bool,
    },
    /// foster got a signal.
    Received {
        /// Which.
        signal: Signal,
    },
    /// A signal came of foster's giving up the terminal, and means nothing.
    Overlooked {
        /// Which.
        signal: Signal,
    },
    /// A signal goes on as another, or not at all.
    Rewritten {
        /// What came.
        from: Signal,
        /// What goes on.
        to: Option<Signal>,
    },
    /// A signal was passed on.
    Forwarded {
        /// Which.
        signal: Signal,
        /// To whom.
        target: Target,
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
    /// A process that was nobody's any more was reaped.
    Reaped {
        /// Who.
        pid: Pid,
        /// How it ended.
        status: ExitStatus,
    },
    /// The same for one that ended together with the last service, when all was done.
    ReapedAtEnd {
        /// Who.
        pid: Pid,
        /// How it ended.
        status: ExitStatus,
    },
    /// All that a machine still runs besides its services, which are down, gets a signal.
    KillingAll {
        /// Which.
        signal: Signal,
    },
    /// Nothing runs any more, and the machine ends.
    MachineEnds {
        /// How.
        how: MachineEnd,
    },
    /// foster stops itself with its child.
    Suspending,
    /// foster stops itself by Ctrl-Z, and what it runs goes on.
    SuspendingAlone,
    /// It did not stop, as nobody could have let it go on.
    NotSuspended,
    /// foster gave up the terminal whose session it led.
    TerminalDetached,
    /// foster is neither PID 1 nor subreaper, so that orphans do not come to it.
    NotReaper,
}

/// Why a service's first process ended, as far as foster knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndCause {
    /// Nobody asked it to, or it ended by something else than that.
    Unasked {
        /// Whether it ended without the success that would have been the end of it.
        crash: bool,
    },
    /// It was asked to stop.
    Asked,
    /// foster sent SIGKILL.
    Killed(KillCause),
}

/// Why foster sends SIGKILL to a service that it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KillCause {
    /// It has not stopped in time.
    Late,
    /// SIGINT came twice: it gets no time.
    Hurried,
}

impl Report {
    /// How grave it is.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Report::StartFailed { .. } | Report::GaveUp { .. } | Report::Unkillable { .. } => {
                Level::Error
            }
            Report::Ended { cause: EndCause::Unasked { crash: true }, .. }
            | Report::StillWaiting { .. }
            | Report::StillWaitingForMore { .. }
            | Report::InBackground { .. }
            | Report::Killing { .. }
            | Report::KillFailed { .. }
            | Report::Spared { in_reach: false, .. }
            | Report::NotReaper => Level::Warn,
            Report::Started { .. }
            | Report::Ended { .. }
            | Report::RestartDue { .. }
            | Report::StopRequested { .. }
            | Report::KillingOrphan { .. }
            | Report::Spared { in_reach: true, .. }
            | Report::KillingAll { .. }
            | Report::MachineEnds { .. }
            | Report::SuspendingAlone
            | Report::NotSuspended => Level::Info,
            Report::Overlooked { .. }
            | Report::Rewritten { .. }
            | Report::Forwarded { .. }
            | Report::Reaped { .. }
            | Report::ReapedAtEnd { .. }
            | Report::Suspending
            | Report::TerminalDetached => Level::Debug,
            Report::Received { .. } => Level::Trace,
        }
    }
}
