//! The states of a service, and what they are made of.

use crate::exit::ExitStatus;
use crate::process::Pid;
use crate::time::Instant;

use super::super::report::KillCause;

/// The state of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is not wanted, and nothing of it runs.
    Down,
    /// It is being started.
    Starting,
    /// It runs.
    Up {
        /// Its leader.
        pid: Pid,
        /// When it was started.
        since: Instant,
    },
    /// It got the stop signal, in a stop or because its leader ended.
    Stopping {
        /// Its leader.
        pid: Pid,
        /// Whether that lives.
        leader: Leader,
        /// What the rest of its group got.
        rest: Rest,
        /// When it gets SIGKILL; none for never.
        kill_at: Option<Instant>,
        /// When to look again who is left of the group, if no event reports that.
        look_at: Option<Instant>,
        /// What follows when everything is gone.
        next: Next,
    },
    /// It got SIGKILL.
    Killing {
        /// Its leader.
        pid: Pid,
        /// Whether that lives.
        leader: Leader,
        /// Why.
        why: KillCause,
        /// When foster gives up.
        give_up_at: Instant,
        /// When to look again who is left of the group, if no event reports that.
        look_at: Option<Instant>,
        /// What follows when everything is gone.
        next: Next,
    },
    /// Its group is gone; what escaped the group is being killed.
    Cleaning {
        /// When foster gives up; none while nothing was found and killed.
        give_up_at: Option<Instant>,
        /// What follows then.
        next: Next,
    },
    /// It waits to be started again.
    Backoff {
        /// Until when.
        retry_at: Instant,
    },
    /// It was restarted as often as it may be.
    Failed,
}

/// Whether a service's first process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leader {
    /// It does.
    Alive,
    /// It ended, and is held as a zombie.
    Dead(ExitStatus),
}

/// The stop of a group, apart from its leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It is left to its leader. It gets the stop signal when the leader has ended, or at this
    /// time; only then, if there is none.
    Spared {
        /// When half of the time has passed.
        until: Option<Instant>,
    },
    /// It got the stop signal, or gets none, and is waited for.
    Waited,
    /// It got the stop signal because its leader ended unasked, and there was no stop since. It is
    /// waited for, and so is whatever escaped the group.
    Left {
        /// Whether what escaped got it too: everything that the first survey finds gets it.
        asked: bool,
    },
}

/// What follows the cleaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is restarted.
    Retry {
        /// When.
        at: Instant,
    },
    /// It stays down.
    Down,
    /// It stays down, because it was restarted as often as it may be.
    Failed,
}

/// What a survey found of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remains {
    /// Nothing.
    #[default]
    None,
    /// Processes that are not foster's children: their ends are not reported.
    Others,
    /// Processes that foster adopted: their ends are reported.
    Adopted,
}
