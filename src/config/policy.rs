//! How a service is kept: when it is started again, how it is stopped, whom a signal to it reaches,
//! and what becomes of the processes that outlive its first one.

use std::time::Duration;

use crate::exit::{ExitStatus, Success};
use crate::process::{Pid, Target};
use crate::signal::{Signal, SignalSet};

/// How one service is kept. Services that are alike share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether the service is kept up (`--wrap`, or a `--restart` other than `never`), rather than
    /// run once: its processes are marked, and its leftovers are cleaned up.
    pub kept: bool,
    /// When it is started again.
    pub restart: Restart,
    /// How long to wait before that, and how often to try.
    pub backoff: Backoff,
    /// The codes that count as success.
    pub success: Success,
    /// How it is stopped.
    pub stop: Stop,
    /// Who of it gets a signal that is forwarded.
    pub forward: ForwardTo,
    /// What becomes of the processes that outlive its first one.
    pub leftovers: Leftovers,
    /// What its first process leads: a group, a session, or nothing.
    pub session: Session,
}

/// What follows the end of a leader, a service's first process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing: the service is down, whoever is left of its group.
    Leave,
    /// The rest of its group gets this signal, and the service is down.
    Signal(Signal),
    /// The rest of its group has got the stop signal, or gets it now, and is waited for. Until then
    /// the leader stays a zombie, which keeps the group's id.
    Wait,
    /// The rest of its group gets SIGKILL, and then what escaped the group, where that is known.
    Clean,
}

impl Default for Policy {
    fn default() -> Self {
        Policy::once()
    }
}

impl Policy {
    /// The policy of a command that runs once.
    #[must_use]
    #[inline(never)]
    pub fn once() -> Policy {
        Policy {
            kept: false,
            restart: Restart::Never,
            backoff: Backoff::default(),
            success: Success::default(),
            stop: Stop { signal: None, timeout: Some(STOP_TIMEOUT), to: StopTo::LeaderFirst },
            forward: ForwardTo::Child,
            leftovers: Leftovers::Kill { orphans: true, asked: false },
            session: Session::Group,
        }
    }

    /// The policy of a service that is kept up.
    #[must_use]
    pub fn kept_up() -> Policy {
        let mut policy = Policy::once();
        policy.keep_up();
        policy
    }

    /// Makes it the policy of a service that is kept up; what else was set stays.
    pub fn keep_up(&mut self) {
        self.kept = true;
        self.restart = Restart::Always;
        self.stop.to = StopTo::Group;
        self.session = Session::Own;
    }

    /// Whom a signal to all of the service reaches: the group that its leader leads; the leader
    /// alone where its group is foster's own.
    #[must_use]
    pub fn reach(&self, leader: Pid) -> Target {
        if self.leads_group() { Target::Group(leader) } else { Target::Process(leader) }
    }

    /// Whether the leader has a group of its own.
    #[must_use]
    pub fn leads_group(&self) -> bool {
        match self.session {
            Session::Group | Session::Own | Session::OwnWithTerminal => true,
            Session::Shared => false,
        }
    }

    /// What follows the end of a leader that was asked to stop.
    #[must_use]
    pub fn after_leader_in_stop(&self) -> After {
        match self.leftovers {
            Leftovers::Leave => After::Leave,
            Leftovers::Signal(signal) => After::Signal(signal),
            Leftovers::Kill { .. } => After::Wait,
        }
    }

    /// What follows the end of a leader that nobody asked to stop. Its leftovers get the stop
    /// signal before SIGKILL if that is wanted, or if the leader died of a stop signal: whoever
    /// sends that to a whole cgroup, as systemd does, means a stop, and foster's own signal is
    /// still to come.
    #[must_use]
    pub fn after_leader(&self, status: ExitStatus) -> After {
        match self.leftovers {
            Leftovers::Leave => After::Leave,
            Leftovers::Signal(signal) => After::Signal(signal),
            Leftovers::Kill { asked, .. } => {
                let asks = asked || status.is_death_by(STOPPING);
                if asks && self.leads_group() { After::Wait } else { After::Clean }
            }
        }
    }

    /// Whether what escaped the group is killed once the group is gone. The leftovers of a kept
    /// service carry its mark. A command that runs once marks nothing: everything that foster has
    /// adopted counts as its own, and is killed only if the command had to be `killed` too.
    #[must_use]
    pub fn kills_orphans(&self, killed: bool) -> bool {
        let kills = matches!(self.leftovers, Leftovers::Kill { orphans: true, .. });
        kills && (self.kept || killed)
    }
}

/// When a service that ended is restarted. The words are systemd's and Docker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// Not at all.
    Never,
    /// When it failed.
    OnFailure,
    /// Always, until a stop is requested.
    Always,
}

/// The delay before a restart, and its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The delay before the first restart in a row, from the end of the run.
    pub first: Duration,
    /// The longest delay: it doubles up to here.
    pub max: Duration,
    /// A run at least this long resets the backoff and the count of restarts.
    pub healthy_after: Duration,
    /// The most restarts in a row; none for no limit.
    pub max_restarts: Option<u32>,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff {
            first: Duration::from_millis(500),
            max: Duration::from_secs(10),
            healthy_after: Duration::from_secs(10),
            max_restarts: None,
        }
    }
}

/// How a service is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// What it gets; none for the signal that asked for the stop, or TERM if none did.
    pub signal: Option<Signal>,
    /// From that to SIGKILL; none for never.
    pub timeout: Option<Duration>,
    /// Who gets the stop signal, and when.
    pub to: StopTo,
}

impl Stop {
    /// What a service gets if no signal asked for the stop.
    #[must_use]
    pub fn unasked(&self) -> Signal {
        self.signal.unwrap_or(Signal::TERM)
    }
}

/// Who gets the stop signal. At the deadline the whole group gets SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopTo {
    /// The service's first process; the rest of its group when that has ended, or after half of the
    /// time. So a server looks after its own workers, and a shell that ends at once does not cut
    /// off its app.
    LeaderFirst,
    /// The whole process group.
    Group,
    /// The first process alone: the rest is waited for.
    Leader,
}

/// Who gets a signal that is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardTo {
    /// The service's whole process group.
    Group,
    /// Its first process alone.
    Child,
}

/// What happens to the processes that a service's first one leaves in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftovers {
    /// Nothing: foster is done when the first process is (tini, catatonit).
    Leave,
    /// They get this signal, and foster is done (dumb-init).
    Signal(Signal),
    /// In a stop they have until the deadline. After an unexpected end they are killed at once, or
    /// when a restart is due; and if the service is kept up, so is what escaped the group, if
    /// `orphans` is set.
    Kill {
        /// Whether processes that escaped the group are killed too.
        orphans: bool,
        /// Whether they get the stop signal after an unexpected end, and some time. They do in any
        /// case if the leader died of a stop signal.
        asked: bool,
    },
}

/// What a service's first process leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// Its own process group in foster's session; the terminal's foreground group if foster's was.
    Group,
    /// Its own session, without a terminal.
    Own,
    /// Its own session, which takes foster's terminal (dumb-init).
    OwnWithTerminal,
    /// Nothing: it stays in foster's group (dumb-init -c), so it never gets a signal to a group,
    /// which would be foster's.
    Shared,
}

/// Signals that stop a program, and so may be part of a stop of everything.
pub(crate) const STOPPING: SignalSet =
    SignalSet::of(&[Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP]);

/// From the stop signal to SIGKILL, as Docker has it.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);
