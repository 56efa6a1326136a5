//! One service: the state machine.
//!
//! ```text
//!            Spawned                Stop                  deadline
//! Starting ───────────► Up ────────────────► Stopping ───────────────► Killing
//!    ▲  │                │ Exited               │ group gone              │ group gone
//!    │  │ SpawnFailed    ▼                      ▼                         ▼
//!    │  │            Cleaning ◄─────────────────┴─────────────────────────┘
//!    │  │                │ nothing left
//!    │  └──────────┐     ├──────────────► Down, Failed
//!    │             ▼     ▼
//!    └────────────  Backoff
//! ```
//!
//! A service is *up* while its first process, the leader, lives. A stop is for the leader first: a
//! server looks after its own workers. The rest of its group gets the stop signal when the leader
//! has ended, or after half of the time. The service is *down* only when its whole group is gone: a
//! shell that dies of the stop signal at once must not cut off an app that is still writing its
//! data. Until then the dead leader is held as a zombie. That keeps its id, and so the group's,
//! from being given to a stranger, whom no signal can hit then. In *Cleaning*, whatever escaped the
//! group is killed, again and again, until nothing is left.
//!
//! If a leader ends unasked, the rest of its group is killed at once. If it is asked to stop first
//! (`Rest::Left`), that is *Stopping* too: `next` says what follows.
//!
//! A survey of all processes (`Action::Survey`) finds who is left of a group. One survey serves all
//! services that wait for one.

mod context;
mod rows;
mod state;
mod steps;

use std::fmt;
use std::rc::Rc;

use crate::config::Policy;
use crate::exit::ExitStatus;
use crate::process::{Comm, Pid, RunId, RunNumber, ServiceId, SpawnError};
use crate::signal::{Signal, SignalSet};
use crate::time::Instant;

use super::deadline::earlier;
use super::restart::Restarts;
use super::slow::{Awaited, Who};
use super::terminal::Tie;

pub(super) use context::{Context, KILL_PATIENCE};
pub use state::{Leader, Next, Remains, Rest, State};

/// Whether a service goes to the background, where foster cannot follow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Background {
    /// Its last run did not look like that.
    #[default]
    No,
    /// Its last run ended at once and with success. It went to the background if it left other
    /// processes.
    Suspected {
        /// Whether earlier runs did, and that was reported.
        told: bool,
    },
    /// It did, and that was reported.
    Told,
}

/// The inputs of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Stop, by this signal.
    Stop(Signal),
    /// Die at once.
    Kill,
    Spawned(Pid, RunId),
    SpawnFailed(SpawnError),
    Exited(ExitStatus),
    Surveyed(Remains),
    /// foster may not kill its leader.
    Refused,
    /// Its deadline has come.
    Timeout,
}

/// A service, and everything that is known about it.
#[derive(Clone, Debug)]
pub(super) struct Service {
    id: ServiceId,
    kept: Kept,
    state: State,
    run: RunId,
    /// Which run this is, or was.
    number: RunNumber,
    restarts: Restarts,
    /// The code of its last run, as foster would end with it.
    code: u32,
    /// What the current survey has found so far, if there is one.
    pub(super) survey: Option<Remains>,
    /// The first process that it, or the last one, found.
    pub(super) found: Option<(Pid, Comm)>,
    /// The signal that stopped it, unless that was Ctrl-Z, which foster undoes.
    pub(super) halted: Option<Signal>,
    /// Its group and the terminal.
    pub(super) tie: Tie,
    /// The key on the terminal that its last run died of unasked.
    pub(super) died_of: Option<Signal>,
    background: Background,
    /// The stop signals that it got.
    asked_by: SignalSet,
    /// Whether it was reported in this stop that a signal was refused.
    refused: bool,
    /// How many processes that escaped its group the current survey, or the last one, found.
    pub(super) crowd: u32,
    /// The number of surveys since they were many.
    round: u8,
}

/// How a service is kept. It does not change, and so is no part of the state that is shown.
#[derive(Clone)]
struct Kept(Rc<Policy>);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

impl Service {
    /// A service that is being started.
    pub(super) fn starting(id: ServiceId, policy: Rc<Policy>) -> Self {
        Service {
            id,
            kept: Kept(policy),
            state: State::Starting,
            run: RunId::default(),
            number: RunNumber(1),
            restarts: Restarts::default(),
            code: 0,
            survey: None,
            found: None,
            halted: None,
            tie: Tie::default(),
            died_of: None,
            background: Background::No,
            asked_by: SignalSet::EMPTY,
            refused: false,
            crowd: 0,
            round: 0,
        }
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.kept.0
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn code(&self) -> u32 {
        self.code
    }

    pub(super) fn run(&self) -> RunId {
        self.run
    }

    pub(super) fn run_number(&self) -> RunNumber {
        self.number
    }

    /// Whether it is down for good.
    pub(super) fn is_down(&self) -> bool {
        matches!(self.state, State::Down | State::Failed)
    }

    /// Whether what escaped its group is looked for.
    pub(super) fn is_cleaning(&self) -> bool {
        let left = matches!(self.state, State::Stopping { rest: Rest::Left { .. }, .. });
        left && self.policy().kills_orphans(false) || matches!(self.state, State::Cleaning { .. })
    }

    /// Whether an orphan of this group gets the stop signal now, rather than SIGKILL; none if it
    /// got that already.
    pub(super) fn asks_orphan(&self, group: Pid) -> Option<bool> {
        match self.state {
            State::Stopping { pid, rest: Rest::Left { asked }, .. } => {
                (!asked && pid != group).then_some(true)
            }
            State::Stopping { .. }
            | State::Killing { .. }
            | State::Cleaning { .. }
            | State::Down
            | State::Starting
            | State::Up { .. }
            | State::Backoff { .. }
            | State::Failed => Some(false),
        }
    }

    /// Whether it waits for a survey.
    pub(super) fn awaits_survey(&self) -> bool {
        match self.state {
            State::Stopping { leader, .. } | State::Killing { leader, .. } => {
                leader != Leader::Alive
            }
            State::Cleaning { .. } => true,
            State::Down
            | State::Starting
            | State::Up { .. }
            | State::Backoff { .. }
            | State::Failed => false,
        }
    }

    /// Its deadline.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Stopping { rest: Rest::Spared { until }, kill_at, look_at, .. } => {
                earlier(until, earlier(kill_at, look_at))
            }
            State::Stopping {
                rest: Rest::Waited | Rest::Left { .. }, kill_at, look_at, ..
            } => earlier(kill_at, look_at),
            State::Killing { give_up_at, look_at, .. } => earlier(Some(give_up_at), look_at),
            State::Cleaning { give_up_at, .. } => give_up_at,
            State::Backoff { retry_at } => Some(retry_at),
            State::Down | State::Starting | State::Up { .. } | State::Failed => None,
        }
    }

    /// Who is waited for in a stop.
    pub(super) fn awaited(&self) -> Option<Awaited> {
        let member = || self.found.map_or(Who::Unknown, |(pid, name)| Who::Member(pid, name));
        let who = |pid, leader| match leader {
            Leader::Alive => Who::Leader(pid),
            Leader::Dead(_) => member(),
        };
        match self.state {
            State::Stopping { pid, leader, kill_at, .. } => {
                Some(Awaited { who: who(pid, leader), until: kill_at, killed: false })
            }
            State::Killing { pid, leader, give_up_at, .. } => {
                Some(Awaited { who: who(pid, leader), until: Some(give_up_at), killed: true })
            }
            State::Cleaning { give_up_at, .. } => {
                Some(Awaited { who: member(), until: give_up_at, killed: true })
            }
            State::Down
            | State::Starting
            | State::Up { .. }
            | State::Backoff { .. }
            | State::Failed => None,
        }
    }

    /// The leader of its group, if the group may have members, and whether the leader lives.
    pub(super) fn group(&self) -> Option<(Pid, bool)> {
        match self.state {
            State::Up { pid, .. } => Some((pid, true)),
            State::Stopping { pid, leader, .. } | State::Killing { pid, leader, .. } => {
                Some((pid, leader == Leader::Alive))
            }
            State::Down
            | State::Starting
            | State::Cleaning { .. }
            | State::Backoff { .. }
            | State::Failed => None,
        }
    }

    /// Notes that its last run left other processes. Returns whether that is news to the user.
    pub(super) fn left_behind(&mut self) -> bool {
        match self.background {
            Background::Suspected { told } => {
                self.background = Background::Told;
                !told
            }
            Background::No | Background::Told => false,
        }
    }

    /// The signal for a process that escaped the group. If there are many, all are stopped first:
    /// at a limit of processes, each one that is killed makes room for one that was not found yet.
    pub(super) fn cleans_by(&mut self) -> Signal {
        self.crowd += 1;
        match self.round {
            0 if self.crowd <= MANY => Signal::KILL,
            0..LAST => Signal::STOP,
            _ => Signal::KILL,
        }
    }

    /// Notes that a signal to it was refused. Returns whether that is news to the user.
    pub(super) fn is_news(&mut self) -> bool {
        let stops = matches!(self.state, State::Stopping { .. } | State::Killing { .. });
        !(stops && std::mem::replace(&mut self.refused, true))
    }
}

/// How many escaped processes are killed without being stopped first.
const MANY: u32 = 16;

/// The round in which stopped processes are killed.
const LAST: u8 = 3;
