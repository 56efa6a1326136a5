//! What must hold whatever happens, checked on everything that the machine is told and asks for.
//!
//! The judge knows the truth (who stems from whom, who is dead) and keeps an account of its own,
//! written from the promises and not from the machine: when each service is due, what foster has
//! to end with, who is to get which signal. It shares no code with the machine but the words.

use std::collections::VecDeque;
use std::fmt::Write;
use std::rc::Rc;
use std::time::Duration;

use foster::config::{Config, ForwardTo, JobControl, Leftovers, Policy, Restart, Session, StopTo};
use foster::exit::{ExitStatus, MachineEnd};
use foster::process::{Mark, Pid, RunId, ServiceId, Target};
use foster::signal::{Signal, SignalSet};
use foster::supervisor::{
    Action, Event, Foreground, Report, Signalled, State, Supervisor, Survivor, Wait, Who,
};
use foster::time::Instant;

use crate::kernel::{FOSTER, Kernel, Life, NOT_PERMITTED, OUTSIDE, Process};

/// The account of one world.
#[derive(Clone, Debug)]
pub struct Judge {
    config: Rc<Config>,
    /// How all services are kept: by one policy, in these worlds.
    policy: Rc<Policy>,
    pub services: Vec<Account>,
    /// Since when foster is to come down.
    pub stop: Option<StopOrder>,
    /// Since when what services left is waited for, without a stop.
    waits: Option<Instant>,
    /// Whether that was told.
    stop_told: bool,
    /// When it is to be told at the latest that services are waited for.
    tell_by: Option<Instant>,
    /// How many were named in this moment.
    named: (Instant, u32),
    /// Whether that began before this turn.
    seen: bool,
    /// The codes of those that were the first to give up; more than one where they did at once.
    gave_up: Vec<u32>,
    interrupts: u32,
    overlook: SignalSet,
    /// The signals that were sent to stop services.
    sent: SignalSet,
    /// Signals that are to go out before foster may rest.
    owed: Vec<(Target, Signal, Option<u64>)>,
    /// Whose deaths were told and not yet answered.
    pub told: Vec<Pid>,
    /// Whether foster has a terminal. Job control makes up its own mind, and may send beyond what is
    /// owed.
    on_terminal: bool,
    /// Whether the child was given it, and not asked to give it back since.
    given: bool,
    /// Whether foster was told to stop the child, and not to let it go on since.
    halted: bool,
    /// The child that was stopped for using a terminal that is foster's to give.
    asks: Option<Pid>,
    /// Signals of the terminal that may go on, or else have foster take the terminal back.
    may_go_on: Vec<Signal>,
    /// The key that foster is to stop for by itself.
    suspends: bool,
    /// What the child died of by itself.
    died_of: Option<Signal>,
    /// The codes that foster may end with, once one service is down with one.
    codes: Vec<u32>,
    settled: Vec<bool>,
    /// By how much foster's own lateness puts off everything.
    pub lateness: Duration,
    /// Whether any process ever hung in the kernel.
    pub hung: bool,
    /// The birth of the first process that foster may not kill.
    pub denied: Option<u64>,
    /// Whether anyone ever came to foster who stems from no service.
    pub visited: bool,
    /// The end of the machine, where foster is its init.
    pub machine: Machine,
    /// When it was told last of one that is left alone.
    told_of: Option<Instant>,
    /// And of whom, by birth, the last one first.
    told_of_whom: VecDeque<u64>,
    /// Whether environments can be read.
    pub readable: bool,
    /// The first promise that was broken.
    pub fault: Option<String>,
}

/// What is known of a service.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Its run, until the leader is reaped.
    run: Option<Run>,
    /// The group and the mark of its last run.
    last: Option<RunId>,
    pub restarts: u32,
    /// How often it was to be started.
    starts: u32,
    /// Not started before this.
    due: Option<Instant>,
    /// Not started ever again.
    over: bool,
    /// foster has waited long enough for what cannot be killed.
    pub unkillable: bool,
    /// Its last run got the TERM that asks it to stop.
    asked: bool,
    /// And HUP behind it, for the terminal that it had.
    got_hup: bool,
    /// foster has looked for what is left of it, and could not tell whose it was.
    unseen: bool,
    /// What the orphans of the last run, by their births, got before they are to be killed.
    asked_orphans: Vec<(u64, Signal)>,
    code: u32,
    /// Whether it was told in this stop that a signal to it was refused.
    refused: bool,
    /// Whether its last run ended by itself, at once and with success.
    hasty: bool,
    /// Whether foster has looked whom that left, may have seen somebody, and knows of somebody.
    looked: bool,
    seen: bool,
    left: bool,
    /// Whether the run before was one of those, and left somebody.
    row: bool,
    /// Whether it was said in this row of them that the service goes to the background.
    told: bool,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    pid: Pid,
    since: Instant,
    ended: Option<ExitStatus>,
    /// When its group is to get SIGKILL, where it was asked to come down.
    kill_at: Option<Option<Instant>>,
    killed: bool,
    /// Since when the rest of its group is left to the leader, in a stop that is for that first.
    spared: Option<Instant>,
    /// Whether it ended unasked and what it left was asked to end, and no stop came since.
    left: bool,
}

/// The stop of foster.
#[derive(Clone, Copy, Debug)]
pub struct StopOrder {
    pub at: Instant,
    pub signal: Signal,
    pub at_once: bool,
}

/// How far the end of a whole machine has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine {
    /// How it is to end, as was asked last.
    how: Option<MachineEnd>,
    /// When all who still lived were asked to end, and whether they got CONT behind that.
    pub asked: Option<(Instant, bool)>,
    /// When they got SIGKILL.
    pub killed: Option<Instant>,
    /// Whether there was a survey in this turn, and one who lived then and could be seen.
    looked: bool,
    seen: Option<Pid>,
    over: bool,
}

impl Judge {
    pub fn new(config: Rc<Config>, on_terminal: bool) -> Judge {
        let count = config.services.len();
        let policy = config.services.first().map(|service| Rc::clone(&service.policy));
        Judge {
            config,
            policy: policy.unwrap_or_default(),
            services: vec![Account::default(); count],
            stop: None,
            waits: None,
            stop_told: false,
            tell_by: None,
            named: (Instant::ZERO, 0),
            seen: false,
            gave_up: Vec::new(),
            interrupts: 0,
            overlook: SignalSet::EMPTY,
            sent: SignalSet::EMPTY,
            owed: Vec::new(),
            told: Vec::new(),
            on_terminal,
            given: false,
            halted: false,
            asks: None,
            may_go_on: Vec::new(),
            suspends: false,
            died_of: None,
            codes: Vec::new(),
            settled: vec![false; count],
            lateness: Duration::ZERO,
            hung: false,
            denied: None,
            visited: false,
            machine: Machine::default(),
            told_of: None,
            told_of_whom: VecDeque::new(),
            readable: true,
            fault: None,
        }
    }

    fn check(&mut self, holds: bool, promise: impl FnOnce() -> String) {
        if !holds && self.fault.is_none() {
            self.fault = Some(promise());
        }
    }

    /// Takes down what the machine is told.
    pub fn told(&mut self, event: &Event, now: Instant) {
        match *event {
            Event::Signal(signalled) => self.signalled(signalled, now),
            Event::Spawned { service, pid, run } => self.spawned(service, pid, run, now),
            Event::SpawnFailed { service, error } => {
                let code = self.config.start_failure.code(error);
                self.ended(service, code, now, now);
            }
            Event::Exited { pid, status } => {
                self.told.push(pid);
                self.asks = self.asks.filter(|asks| *asks != pid);
                if let Some(service) = self.leads(pid) {
                    self.leader_ended(service, status, now);
                }
            }
            Event::TerminalDetached => {
                self.overlook = SignalSet::of(&[Signal::HUP, Signal::CONT]);
            }
            Event::Survivor(Survivor { mark, adopted, in_reach, .. }) => {
                let only = self.services.len() == 1;
                let clears = self.clears();
                for account in &mut self.services {
                    let is_its = match mark {
                        Mark::Run(run) => account.last == Some(run),
                        Mark::Unreadable => only && adopted,
                        Mark::None | Mark::Lost => false,
                    };
                    account.seen |= is_its;
                    // Others' children are not asked, and who is out of reach is left alone.
                    let is_asked = is_its && adopted && in_reach;
                    account.left |= is_asked && clears && account.run.is_some_and(|run| run.left);
                }
            }
            Event::LeftBehind { service } => self.services[service.index()].left = true,
            Event::Stopped { pid, signal, foreground } => {
                let uses = [Signal::TTIN, Signal::TTOU].contains(&signal) && !self.halted;
                if uses && foreground == Foreground::Fosters && self.leads(pid).is_some() {
                    self.asks = Some(pid).filter(|_| self.follows_child());
                }
            }
            Event::TerminalGiven { .. } => self.given = true,
            Event::KillFailed { target, signal: Signal::KILL, os: NOT_PERMITTED } => {
                // There is nothing that foster could wait for.
                if let Some(service) = self.leads(target.pid()) {
                    let account = &mut self.services[service.index()];
                    if account.run.is_some_and(|run| run.killed && run.ended.is_none()) {
                        account.unkillable = true;
                        self.owed.retain(|(owed, ..)| owed.pid() != target.pid());
                    }
                }
            }
            Event::KillFailed { .. } => {}
            Event::NotSuspended { .. }
            | Event::TerminalKept { .. }
            | Event::Hidden
            | Event::Surveyed { .. } => {}
        }
    }

    /// Judges what the machine asks for, before it is done.
    pub fn asked(&mut self, action: &Action, now: Instant, kernel: &Kernel) {
        let over = self.machine.over;
        self.check(!over, || format!("{action:?} behind the end of the machine"));
        match *action {
            Action::Spawn { service, .. } => self.may_start(service, now, kernel),
            Action::Kill { target, signal, value } => {
                self.may_kill(target, signal, value, now, kernel);
            }
            Action::Reap { pid } | Action::ReapOrphan { pid, .. } => self.may_reap(pid, kernel),
            Action::Hold { pid } => {
                self.answers(pid);
                self.check(self.leads(pid).is_some(), || {
                    format!("{pid} is held and leads nothing")
                });
            }
            Action::Report(Report::Spared { pid, in_reach, .. }) => {
                self.may_spare(pid, in_reach, now, kernel);
            }
            Action::Report(report) => self.reported(report, now),
            Action::GiveTerminal { group } => self.lives(group, kernel),
            Action::Suspend { group, .. } => {
                (self.given, self.asks) = (false, None);
                if let Some(group) = group {
                    self.lives(group, kernel);
                }
            }
            Action::Look { service, group } => {
                let account = &mut self.services[service.index()];
                account.looked = true;
                let hasty = account.hasty;
                let own = account.last.is_some()
                    && account.run.is_some_and(|run| match group {
                        Some(group) => group == run.pid,
                        None => !self.policy.kept,
                    });
                self.check(hasty && own, || format!("foster looks whom {service:?} left"));
            }
            Action::Survey { .. } => {
                (self.machine.looked, self.machine.seen) = (true, self.citizen(kernel));
                if !self.readable && self.services.len() > 1 {
                    self.services.iter_mut().for_each(|account| account.unseen = true);
                }
            }
            Action::KillAll { signal } => self.may_kill_all(signal, now),
            Action::EndMachine { how } => self.may_end_machine(how, now),
            Action::TakeTerminal { resume } => {
                self.given = false;
                let told = self.may_go_on.pop().is_some();
                self.check(told || !resume, || "the terminal is taken back unasked".into());
            }
            Action::SuspendAlone => {
                let asked = std::mem::take(&mut self.suspends);
                self.check(asked, || "foster stops, and nobody pressed Ctrl-Z".into());
            }
            Action::DieOf { signal, .. } => {
                let died = self.died_of == Some(signal) && self.services.len() == 1;
                self.check(died && self.on_terminal && self.stop.is_none(), || {
                    format!("foster dies of {signal}, and its child did not")
                });
            }
            Action::Exit { .. } => {}
        }
    }

    /// Judges what foster rests on: all that it knew of is dealt with.
    pub fn rests(&mut self, now: Instant, kernel: &Kernel) {
        let told = self.told.first().copied();
        self.check(told.is_none(), || format!("the death of {told:?} was not answered"));
        let asks = self.asks;
        self.check(asks.is_none(), || format!("{asks:?} waits for a terminal that is there"));
        self.suspends = false;
        self.may_go_on.clear();
        let owed = self.owed.first().copied();
        self.check(owed.is_none(), || format!("a signal was not passed on: {owed:?}"));
        for index in 0..self.services.len() {
            let Some(run) = self.services[index].run else { continue };
            let due = run.kill_at.flatten().is_some_and(|at| at <= now);
            let spared = (due || self.stop.is_some_and(|stop| stop.at_once)) && !run.killed;
            let left = self.free_member(run.pid, kernel);
            self.check(!spared || left.is_none(), || {
                format!("service {index}: {left:?} lives on after the deadline")
            });
            let unasked = run.spared.is_some() && !run.killed && self.is_half_over(run, now);
            self.check(!unasked, || {
                format!(
                    "service {index}: the rest of its group is not asked after half of the time"
                )
            });
        }
        // Where everything dies of SIGKILL, or may not be killed, no restart is held up.
        let overdue = |account: &Account| {
            let due = account.due.filter(|_| self.stop.is_none() && !self.hung && !self.visited);
            due.is_some_and(|due| due + MOMENTS + self.lateness <= now)
        };
        let overdue = self.services.iter().position(overdue);
        self.check(overdue.is_none(), || format!("service {overdue:?} is still not started"));
        let late = self.tell_by.is_some_and(|at| at <= now) && self.waits_until(now).is_some();
        self.check(!late, || format!("at {now} nobody was told who is waited for"));
        let Machine { asked, killed, over, .. } = self.machine;
        self.check(!over, || "foster waits behind the end of the machine".into());
        let answered = asked.is_none_or(|(_, answered)| answered);
        self.check(answered, || "no CONT went behind the TERM to all".into());
        if asked.is_some() && killed.is_none() && self.may_hurry_all(now) {
            let left = self.citizen(kernel);
            self.check(left.is_none(), || format!("{left:?} outlives the machine's deadline"));
        }
        self.check_bound(now, kernel);
    }

    /// With mortal children a stop ends in time, and so does what follows it on a machine.
    fn check_bound(&mut self, now: Instant, kernel: &Kernel) {
        let Some(timeout) = self.policy.stop.timeout else { return };
        let Machine { asked, killed, .. } = self.machine;
        // Whoever comes to a machine behind the last SIGKILL is waited for and not killed.
        let last = if self.hung || self.visited { KILL_PATIENCE } else { MOMENTS };
        let (at, time) = match (killed, asked, self.stop) {
            (Some(at), ..) => (at, last),
            (None, Some((at, _)), _) => (at, timeout + last),
            (None, None, Some(stop)) if self.hung => (stop.at, timeout + 2 * KILL_PATIENCE),
            (None, None, Some(stop)) => (stop.at, timeout + MOMENTS),
            (None, None, None) => return,
        };
        let bound = at + time + self.lateness;
        let lingers = kernel.all().any(|p| matches!(p.life, Life::Ending(_)));
        self.check(now <= bound || lingers, || format!("the stop of {at} is not over at {now}"));
    }

    /// Judges how the machine stands after a turn.
    pub fn looks(&mut self, machine: &Supervisor, quiet: bool, now: Instant) {
        // What has happened comes before what is due. And a stop that gives no time at all may
        // begin, by a start that fails or the end of a leader, after the deadlines were dealt with.
        let begun = self.stop.is_some() && !std::mem::replace(&mut self.seen, self.stop.is_some());
        let runs = || self.services.iter().filter_map(|account| account.run);
        let begun = begun || runs().any(|run| run.left && run.kill_at == Some(Some(now)));
        let hasty = begun && self.policy.stop.timeout == Some(Duration::ZERO);
        if let Some(at) = machine.poll_timeout().filter(|_| quiet && !hasty) {
            self.check(at > now, || format!("at {now} the next deadline is {at}"));
        }
        self.machine.looked = false;
        let waits = |state| match state {
            State::Stopping { .. } | State::Killing { .. } | State::Cleaning { .. } => true,
            State::Down | State::Starting | State::Up { .. } | State::Backoff { .. } => false,
            State::Failed => false,
        };
        if self.stop.is_none() && !machine.states().any(waits) {
            (self.waits, self.tell_by) = (None, None);
        }
        self.settle(machine);
        for (index, state) in machine.states().enumerate() {
            let account = &self.services[index];
            let run = account.run;
            let agrees = match state {
                State::Up { pid, since } => {
                    run.is_some_and(|run| run.pid == pid && run.since == since)
                        && self.stop.is_none()
                }
                State::Stopping { pid, kill_at, .. } => {
                    run.is_some_and(|run| run.pid == pid && run.kill_at == Some(kill_at))
                }
                State::Killing { pid, .. } => run.is_some_and(|run| {
                    // A leader that is dead and leads nothing cannot be killed.
                    let nobody = run.ended.is_some() && self.policy.session == Session::Shared;
                    run.pid == pid && (run.killed || nobody)
                }),
                State::Backoff { retry_at } => {
                    run.is_none() && account.due == Some(retry_at) && self.stop.is_none()
                }
                State::Failed => account.over && self.stop.is_some(),
                State::Cleaning { .. } | State::Down => run.is_none() || account.unkillable,
                State::Starting => run.is_none(),
            };
            let account = account.clone();
            self.check(agrees, || {
                format!("service {index} is {state:?}, and not as in {account:?}")
            });
        }
        let stopping = (machine.is_stopping(), self.stop.is_some());
        self.check(stopping.0 == stopping.1, || format!("is_stopping is {}", stopping.0));
    }

    /// Judges the end.
    pub fn exits(&mut self, code: u32, machine: &Supervisor, kernel: &Kernel) {
        self.settle(machine);
        for (index, settled) in self.settled.clone().into_iter().enumerate() {
            self.check(settled, || format!("foster ends while service {index} is not down"));
        }
        let right = match (&self.gave_up[..], &self.codes[..]) {
            ([], []) => code == 0,
            ([], codes) | (codes, _) => codes.contains(&code),
        };
        let account = format!(
            "foster ends with {code}; {:?}, {:?}, {:?}",
            self.gave_up, self.codes, self.services
        );
        self.check(right, || account);
        let over = self.machine.over == self.config.setup.boot;
        self.check(over, || "foster ends, and the machine does not".into());
        let held = kernel.held().first();
        self.check(held.is_none(), || format!("foster leaves the zombie {held:?}"));
        for index in 0..self.services.len() {
            self.check_leftovers(ServiceId(index as u32), kernel, "at the end");
        }
    }

    /// Takes down which services have come to their end.
    fn settle(&mut self, machine: &Supervisor) {
        let (mut codes, mut failed) = (Vec::new(), Vec::new());
        for (index, state) in machine.states().enumerate() {
            let code = self.services[index].code;
            let settled = matches!(state, State::Down | State::Failed);
            if !settled || std::mem::replace(&mut self.settled[index], true) {
                continue;
            }
            if state == State::Failed {
                failed.push(code);
            }
            if code != 0 {
                codes.push(code);
            }
        }
        if self.codes.is_empty() {
            self.codes = codes;
        }
        if self.gave_up.is_empty() {
            self.gave_up = failed;
        }
    }

    fn spawned(&mut self, service: ServiceId, pid: Pid, run: RunId, now: Instant) {
        let timeout = self.policy.stop.timeout;
        let stop = self.stop;
        let account = &mut self.services[service.index()];
        account.last = Some(run);
        account.due = None;
        // One that is stopped before it is told of its terminal gets no more than others.
        (account.asked, account.got_hup) = (stop.is_some(), false);
        (self.given, self.halted, self.died_of) = (false, false, None);
        account.row = std::mem::take(&mut account.hasty) && account.left;
        (account.unkillable, account.unseen, account.refused) = (false, false, false);
        let kill_at = stop.map(|_| timeout.map(|timeout| now + timeout));
        let run =
            Run { pid, since: now, ended: None, kill_at, killed: false, spared: None, left: false };
        account.run = Some(run);
        match stop {
            Some(stop) if !stop.at_once => self.owe_stop(service, now),
            _ => {}
        }
    }

    /// A service is to get the stop signal, and CONT behind it.
    fn owe_stop(&mut self, service: ServiceId, now: Instant) {
        let Some(stop) = self.stop else { return };
        let first = self.policy.stop.to == StopTo::LeaderFirst;
        let leads = self.policy.session != Session::Shared;
        if let Some(run) = &mut self.services[service.index()].run {
            run.spared = (first && leads).then_some(now);
        }
        self.owe_request(service, stop.signal);
        self.owe_request(service, Signal::CONT);
    }

    /// A service is to get a request to stop, if there is anyone to get it.
    fn owe_request(&mut self, service: ServiceId, signal: Signal) {
        let Some(run) = self.services[service.index()].run else { return };
        let group = match self.policy.stop.to {
            StopTo::Group => true,
            StopTo::LeaderFirst => run.ended.is_some(),
            StopTo::Leader => false,
        };
        self.owe(service, group, signal, None);
    }

    /// Whether half of the time of a stop is gone.
    fn is_half_over(&self, run: Run, now: Instant) -> bool {
        let half = self.policy.stop.timeout.map(|timeout| timeout / 2);
        half.zip(run.spared).is_some_and(|(half, since)| since + half <= now)
    }

    fn leader_ended(&mut self, service: ServiceId, status: ExitStatus, now: Instant) {
        let stop_signal = self.stop.map(|stop| stop.signal);
        let at_once = self.stop.is_some_and(|stop| stop.at_once);
        let policy = Rc::clone(&self.policy);
        let account = &mut self.services[service.index()];
        let Some(run) = &mut account.run else { return };
        run.ended = Some(status);
        if run.kill_at.is_none() {
            let since = run.since;
            let follows = matches!(policy.leftovers, Leftovers::Kill { .. });
            let success = policy.success.contains(status.code());
            let hasty = follows && success && now.since(since) < Duration::from_secs(3);
            let hasty = hasty && !status.is_death_by(SignalSet::of(&STOPS));
            account.told &= hasty && account.row;
            account.hasty = hasty;
            (account.looked, account.seen, account.left) = (false, false, false);
            self.died_of = match status {
                ExitStatus::Signal(signal) => Some(signal),
                ExitStatus::Code(_) => None,
            };
            self.ended(service, status.code(), since, now);
            return self.leaves(service, status, now);
        }
        let by_hup = account.got_hup && status.is_death_by(SignalSet::of(&[Signal::HUP]));
        let by_request = status.is_death_by(self.sent) || by_hup;
        account.code = match policy.kept {
            true if run.killed => 128 + 9,
            // It could not be killed, and was given up: it ends like any orphan.
            false if run.killed && account.unkillable => 128 + 9,
            true if by_request => 0,
            true | false => policy.success.fold(status.code()),
        };
        // Now the rest of its group is on its own, where it is waited for.
        let waited = matches!(policy.leftovers, Leftovers::Kill { .. });
        if run.spared.take().is_some() && waited && !run.killed && !at_once {
            let signal = stop_signal.expect("it is asked to come down");
            self.owe(service, true, signal, None);
            self.owe(service, true, Signal::CONT, None);
        }
    }

    /// What a run left that ended unasked is asked to end first where that is wanted, or where the
    /// leader died of what stops programs; until the restart, or for as long as a stop takes.
    fn leaves(&mut self, service: ServiceId, status: ExitStatus, now: Instant) {
        let policy = Rc::clone(&self.policy);
        let Leftovers::Kill { asked, .. } = policy.leftovers else { return };
        let stopped = status.is_death_by(SignalSet::of(&STOPS));
        if policy.session == Session::Shared || !(asked || stopped) {
            return;
        }
        let account = &mut self.services[service.index()];
        let until = match account.due {
            Some(due) => Some(due.max(now + Duration::from_millis(100))),
            None => policy.stop.timeout.map(|timeout| now + timeout),
        };
        account.asked_orphans.clear();
        // No HUP goes behind that.
        account.asked = true;
        if let Some(run) = &mut account.run {
            (run.kill_at, run.left) = (Some(until), true);
        }
        self.owe(service, true, self.left_signal(), None);
        self.owe(service, true, Signal::CONT, None);
        if self.waits.is_none() {
            self.waits = Some(now);
            self.tell_from(now);
        }
    }

    /// What is left of a run gets this.
    fn left_signal(&self) -> Signal {
        self.policy.stop.signal.unwrap_or(Signal::TERM)
    }

    /// Who is waited for from now on is told of after a second.
    fn tell_from(&mut self, now: Instant) {
        // Whoever is killed by then is not told of before.
        let second = Duration::from_secs(1);
        let killed = self.policy.stop.timeout.filter(|timeout| *timeout <= second);
        self.tell_by = Some(now + killed.unwrap_or_default() + second);
    }

    /// A run ended that was not asked to, or a start failed.
    fn ended(&mut self, service: ServiceId, code: u32, since: Instant, now: Instant) {
        let policy = Rc::clone(&self.policy);
        let stopping = self.stop.is_some();
        let account = &mut self.services[service.index()];
        account.code = policy.success.fold(code);
        account.over = stopping
            || match policy.restart {
                Restart::Never => true,
                Restart::OnFailure => policy.success.contains(code),
                Restart::Always => false,
            };
        if account.over {
            return;
        }
        let failed_start = account.run.is_none();
        if !failed_start && now.since(since) >= policy.backoff.healthy_after
            || failed_start && policy.backoff.healthy_after.is_zero()
        {
            account.restarts = 0;
        }
        if policy.backoff.max_restarts == Some(account.restarts) {
            account.over = true;
            // One that gives up stops the others, once nothing of it is left: where there was
            // nothing, at once.
            if failed_start {
                self.begin_stop(policy.stop.signal.unwrap_or(Signal::TERM), now);
            }
            return;
        }
        let mut delay = policy.backoff.first;
        for _ in 0..account.restarts {
            delay = delay.saturating_mul(2).min(policy.backoff.max);
        }
        delay = delay.min(policy.backoff.max);
        if failed_start || now.since(since) < Duration::from_millis(100) {
            delay = delay.max(Duration::from_millis(10));
        }
        account.due = Some(now + delay);
        account.restarts += 1;
    }

    fn signalled(&mut self, signalled: Signalled, now: Instant) {
        let signal = signalled.signal;
        if self.overlook.remove(signal) {
            return;
        }
        let follows = self.follows_child();
        let sent = match self.config.signals.rewrites.get(signal) {
            Some(sent) => sent,
            // Ctrl-Z stops the child, whatever becomes of a TSTP.
            None if signal == Signal::TSTP && signalled.by_kernel && follows => signal,
            None => return,
        };
        if signalled.hung_up && self.policy.kept {
            return self.begin_stop(self.policy.stop.signal.unwrap_or(Signal::TERM), now);
        }
        let uses = [Signal::TTIN, Signal::TTOU].contains(&signal);
        if signalled.by_kernel && follows && uses {
            // It depends on who has the terminal by the time that foster sees to it.
            return self.may_go_on.push(signal);
        }
        if signalled.by_kernel && signal == Signal::TSTP && self.runs_apart() {
            self.suspends = self.stop.is_none();
            return;
        }
        match sent {
            Signal::TSTP if signalled.by_kernel => {}
            Signal::STOP | Signal::TSTP | Signal::TTIN | Signal::TTOU => self.halted = true,
            Signal::CONT => self.halted = false,
            _ => {}
        }
        let requests = self.config.signals.requests;
        let again = (self.stop.is_some() || self.waits.is_some()) && signal == Signal::INT;
        // A window that changes its size asks nobody to stop.
        let resize = signal == Signal::WINCH && signalled.by_kernel;
        if resize || !(requests.contains(signal) || requests.contains(sent) || again) {
            let keys = [Signal::INT, Signal::QUIT, Signal::WINCH];
            let by_key = signalled.by_kernel && keys.contains(&signal);
            let to_all = [Signal::INT, Signal::QUIT, Signal::WINCH, Signal::TSTP, Signal::HUP];
            let for_all = signalled.hung_up || signalled.by_kernel && to_all.contains(&signal);
            return self.owe_all(sent, signalled.value, by_key, for_all && follows);
        }
        self.interrupts += u32::from(signal == Signal::INT);
        let sent = match end_asked_by(signal).filter(|_| self.config.setup.boot) {
            Some(how) => {
                self.machine.how = Some(how);
                Signal::TERM
            }
            // It is meant for foster, and says nothing to a service.
            None if sent == Signal::PWR => Signal::TERM,
            None => sent,
        };
        match &mut self.stop {
            None => self.begin_stop(self.policy.stop.signal.unwrap_or(sent), now),
            Some(stop) if signal == Signal::INT && self.interrupts >= 2 => stop.at_once = true,
            // There is nothing harder than SIGKILL.
            Some(stop) if stop.at_once => {}
            Some(_) => {
                self.sent.insert(sent);
                for index in 0..self.services.len() {
                    if self.services[index].run.is_some_and(|run| !run.killed) {
                        self.owe_request(ServiceId(index as u32), sent);
                    }
                }
            }
        }
    }

    /// Takes back the ends that one survey told together with that of a service that gave up: the
    /// stop that this begins comes before them.
    fn take_back_ends(&mut self) -> Vec<(ServiceId, ExitStatus)> {
        let mut late = Vec::new();
        for (index, account) in self.services.iter_mut().enumerate() {
            let run = account.run.as_mut().filter(|run| self.told.contains(&run.pid));
            if let Some((run, status)) = run.and_then(|run| run.ended.take().map(|it| (run, it))) {
                (run.kill_at, run.left) = (None, false);
                self.owed.retain(|(target, ..)| target.pid() != run.pid);
                late.push((ServiceId(index as u32), status));
            }
        }
        late
    }

    fn begin_stop(&mut self, signal: Signal, now: Instant) {
        if self.stop.is_some() {
            return;
        }
        self.stop = Some(StopOrder { at: now, signal, at_once: false });
        self.tell_from(now);
        self.sent.insert(signal);
        let timeout = self.policy.stop.timeout;
        for index in 0..self.services.len() {
            let service = ServiceId(index as u32);
            let account = &mut self.services[index];
            // What it died of may have been for all of foster's cgroup, and so may this.
            let by_request = ExitStatus::Code(account.code).is_death_by(self.sent);
            if account.due.take().is_some() && self.policy.kept && by_request {
                account.code = 0;
            }
            let Some(run) = account.run.as_mut().filter(|run| !run.killed) else { continue };
            run.kill_at = Some(timeout.map(|timeout| now + timeout));
            if !std::mem::take(&mut run.left) {
                self.owe_stop(service, now);
            } else if signal != self.left_signal() {
                self.owe_request(service, signal);
            }
        }
    }

    /// Whether the only child is in foster's session, where the terminal may stop it.
    fn follows_child(&self) -> bool {
        let leads = self.policy.session == Session::Group && self.services.len() == 1;
        self.on_terminal && leads && self.config.signals.job_control == JobControl::FollowChild
    }

    /// Whether no key reaches what foster runs.
    fn runs_apart(&self) -> bool {
        let follows = self.config.signals.job_control == JobControl::FollowChild;
        self.on_terminal && follows && self.policy.session == Session::Own
    }

    fn owe_all(&mut self, signal: Signal, value: Option<u64>, by_key: bool, for_all: bool) {
        if self.policy.session == Session::Shared && by_key {
            return;
        }
        // On a terminal, which stops all of a group, all of it is to go on.
        let follows = self.follows_child();
        let group = self.policy.forward == ForwardTo::Group || follows && signal == Signal::CONT;
        for index in 0..self.services.len() {
            let service = ServiceId(index as u32);
            let account = &self.services[index];
            // The terminal would have sent it to the whole group.
            match account.run {
                Some(run) if for_all && !account.unkillable => {
                    self.owed.push((Target::Group(run.pid), signal, value));
                }
                _ => self.owe(service, group, signal, value),
            }
        }
    }

    /// A service, the whole group or the leader alone, is to get a signal, if there is anyone to
    /// get it.
    fn owe(&mut self, service: ServiceId, group: bool, signal: Signal, value: Option<u64>) {
        let Some(run) = self.services[service.index()].run else { return };
        let group = group && self.policy.session != Session::Shared;
        let target = if group { Target::Group(run.pid) } else { Target::Process(run.pid) };
        if (group || run.ended.is_none()) && !self.services[service.index()].unkillable {
            self.owed.push((target, signal, value));
        }
    }

    fn may_start(&mut self, service: ServiceId, now: Instant, kernel: &Kernel) {
        self.services[service.index()].starts += 1;
        let account = self.services[service.index()].clone();
        let stopping = self.stop.is_some();
        self.check(!stopping, || format!("{service:?} is started after a stop was asked for"));
        self.check(account.run.is_none(), || format!("{service:?} is started twice"));
        self.check(!account.over, || format!("{service:?} is started though it is done"));
        let due = account.due.is_some_and(|due| due <= now) || account.last.is_none();
        self.check(due || stopping, || {
            format!("{service:?} is started at {now}, not at {:?}", account.due)
        });
        self.check_leftovers(service, kernel, "at a start");
    }

    /// Nothing of a service's last run is left that foster was to clear away.
    fn check_leftovers(&mut self, service: ServiceId, kernel: &Kernel, when: &str) {
        let account = &self.services[service.index()];
        let Some(run) = account.last.filter(|_| self.clears() && !account.unkillable) else {
            return;
        };
        let is_known = |p: &Process| p.is_known(!account.unseen);
        let left = kernel.all().find(|p| {
            let is_left = p.origin == Some(run) && is_known(p) && p.is_spared();
            // Who may not be killed goes on to leave others behind.
            let late = self.denied.is_some_and(|denied| denied < p.birth);
            is_left && !late && !self.is_shielded(p, kernel, is_known)
        });
        let left = left.map(|p| p.pid);
        self.check(left.is_none(), || format!("{service:?} has left {left:?} {when}"));
    }

    /// Whether what escaped a group is killed too, where it is known, and whether it is.
    fn kills_orphans(&self) -> bool {
        matches!(self.policy.leftovers, Leftovers::Kill { orphans: true, .. })
    }

    fn clears(&self) -> bool {
        self.policy.kept && self.kills_orphans()
    }

    /// Whether a process has an ancestor that foster must leave alone, so that it never became
    /// foster's child.
    fn is_shielded(
        &self,
        process: &Process,
        kernel: &Kernel,
        is_known: impl Fn(&Process) -> bool,
    ) -> bool {
        let mut parent = process.parent;
        while parent != FOSTER {
            let Some(ancestor) = kernel.get(parent) else { return true };
            if !is_known(ancestor) || ancestor.doom.is_some() || ancestor.denied {
                return true;
            }
            parent = ancestor.parent;
        }
        false
    }

    /// Whether a process has a leader that cannot be killed above it, of which no survey tells.
    fn is_hidden(&self, process: &Process, kernel: &Kernel) -> bool {
        let mut process = process;
        while process.parent != FOSTER {
            let Some(parent) = kernel.get(process.parent) else { return true };
            process = parent;
        }
        process.leader
    }

    fn may_kill(
        &mut self,
        target: Target,
        signal: Signal,
        value: Option<u64>,
        now: Instant,
        kernel: &Kernel,
    ) {
        let pid = target.pid();
        let marked = matches!(target, Target::Marked(..));
        let ours = kernel.get(pid).is_some_and(|process| process.parent == FOSTER);
        self.check(ours || marked, || {
            format!("{signal} goes to {target:?}, which is not foster's child")
        });
        if signal == Signal::CONT {
            self.asks = self.asks.filter(|asks| target != Target::Group(*asks));
        }
        match self.leads(pid) {
            Some(service) if signal == Signal::KILL => self.may_kill_run(service, target, now),
            Some(service) => {
                self.may_ask_rest(service, target, signal, now);
                self.pay(service, target, signal, value);
            }
            None => self.may_kill_orphan(target, signal, kernel),
        }
    }

    /// SIGKILL never comes before the deadline, unless the leader ended by itself.
    fn may_kill_run(&mut self, service: ServiceId, target: Target, now: Instant) {
        let at_once = self.stop.is_some_and(|stop| stop.at_once);
        let stopped = self.policy.kept && self.stop.is_some();
        let account = &mut self.services[service.index()];
        let Some(run) = &mut account.run else { return };
        let allowed = match run.kill_at {
            None => run.ended.is_some() && matches!(target, Target::Group(_)),
            Some(kill_at) => at_once || kill_at.is_some_and(|at| at <= now),
        };
        if run.kill_at.is_some() {
            (run.killed, run.left) = (true, false);
            if stopped || run.ended.is_none() {
                account.code = 128 + 9;
            }
        }
        self.check(allowed, || format!("{service:?} gets SIGKILL at {now}, too early"));
        self.check_background(service);
    }

    /// What went to the background is told of before anybody of it is killed.
    fn check_background(&mut self, service: ServiceId) {
        let account = &self.services[service.index()];
        let untold = account.hasty && (account.left && !account.told || !account.looked);
        self.check(!untold, || format!("nobody is told that {service:?} is in the background"));
    }

    fn may_kill_orphan(&mut self, target: Target, signal: Signal, kernel: &Kernel) {
        let pid = target.pid();
        let single = match target {
            Target::Process(_) => true,
            Target::Marked(_, service) => {
                let owner = kernel.get(pid).and_then(|process| self.owner(process));
                owner == Some(service)
            }
            Target::Group(_) | Target::Rest(_) => false,
        };
        self.check(single, || format!("{signal} goes to {target:?}, which leads nothing"));
        let Some(process) = kernel.get(pid) else { return };
        let only = self.services.len() == 1;
        let unknown = !process.badge && (process.hidden || !self.readable);
        let service = match self.owner(process) {
            _ if !self.policy.kept => Some(ServiceId(0)),
            _ if unknown => only.then_some(ServiceId(0)),
            owner => owner,
        };
        let (wanted, clears) = (self.kills_orphans(), self.clears());
        let allowed = service.filter(|_| wanted).is_some_and(|service| {
            let asks = [self.left_signal(), Signal::CONT].contains(&signal);
            let account = &mut self.services[service.index()];
            match account.run.filter(|_| !account.unkillable) {
                // Where they are many, they are stopped first.
                None => [Signal::KILL, Signal::STOP].contains(&signal),
                // Once each, and not with its group.
                Some(run) => {
                    let news = !account.asked_orphans.contains(&(process.birth, signal));
                    account.asked_orphans.push((process.birth, signal));
                    run.left && asks && news && process.group != run.pid && clears
                }
            }
        });
        self.check(allowed, || format!("{process:?} gets {signal}, which is not foster's to do"));
        if let Some(service) = service {
            self.check_background(service);
        }
    }

    /// The service whose last run a process carries the mark of.
    fn owner(&self, process: &Process) -> Option<ServiceId> {
        let run = process.origin.filter(|_| process.is_known(true))?;
        (self.services[run.service.index()].last == Some(run)).then_some(run.service)
    }

    /// Who is left alone is told of, one in a second; it is none that is known to be a service's.
    fn may_spare(&mut self, pid: Pid, in_reach: bool, now: Instant, kernel: &Kernel) {
        let early = self.told_of.is_some_and(|at| now.since(at) < Duration::from_secs(1));
        self.check(!early, || format!("{pid} is told of at {now}, too early"));
        self.told_of = Some(now);
        let Some(process) = kernel.get(pid) else { return };
        // Of more than that, some are told of again.
        let news = !self.told_of_whom.contains(&process.birth);
        self.told_of_whom.truncate(15);
        self.told_of_whom.push_front(process.birth);
        self.check(news, || format!("{pid} is told of once more"));
        if !in_reach {
            let denied = process.denied;
            return self.check(denied, || format!("{pid} is said to be out of reach"));
        }
        // What its environment says may have been unreadable a moment ago.
        let known = process.badge || self.services.len() == 1;
        let owner = self.owner(process).filter(|_| known);
        self.check(owner.is_none(), || format!("{process:?} is left alone, and is {owner:?}'s"));
    }

    /// In a stop that is for the leader first, the rest of its group gets the stop signal and CONT
    /// after half of the time, once.
    fn may_ask_rest(&mut self, service: ServiceId, target: Target, signal: Signal, now: Instant) {
        let (Target::Rest(_), Some(stop)) = (target, self.stop) else { return };
        let Some(run) = self.services[service.index()].run else { return };
        if signal == stop.signal && self.is_half_over(run, now) && run.ended.is_none() {
            if let Some(run) = &mut self.services[service.index()].run {
                run.spared = None;
            }
            self.owed.extend([(target, signal, None), (target, Signal::CONT, None)]);
        }
    }

    /// Crosses out a signal that was owed.
    fn pay(&mut self, service: ServiceId, target: Target, signal: Signal, value: Option<u64>) {
        let owed = self.owed.iter().position(|owed| *owed == (target, signal, value));
        match owed {
            Some(place) => {
                self.owed.remove(place);
                let stops = signal == Signal::TERM
                    && self.stop.is_some_and(|stop| stop.signal == Signal::TERM);
                let asked = &mut self.services[service.index()].asked;
                // Who has the terminal now, and not when the stop was asked for.
                if stops && !std::mem::replace(asked, true) && self.given {
                    self.services[service.index()].got_hup = true;
                    self.owed.push((Target::Process(target.pid()), Signal::HUP, None));
                }
            }
            None => {
                let ended = self.services[service.index()].run.is_some_and(|r| r.ended.is_some());
                let parting = matches!(self.policy.leftovers, Leftovers::Signal(s) if s == signal);
                let place = self.may_go_on.iter().position(|may| *may == signal);
                if let Some(place) = place {
                    self.may_go_on.remove(place);
                    // As any other that stops the child.
                    self.halted = true;
                    return;
                }
                // A Ctrl-Z that went down in a CONT is sent again.
                let again = signal == Signal::TSTP && self.given;
                let allowed =
                    self.on_terminal && (signal == Signal::CONT || again) || parting && ended;
                self.check(allowed, || {
                    format!("{target:?} of {service:?} gets {signal}, which nobody sent")
                });
            }
        }
    }

    fn may_reap(&mut self, pid: Pid, kernel: &Kernel) {
        let zombie = kernel.get(pid).is_some_and(|p| p.is_zombie() && p.parent == FOSTER);
        self.check(zombie, || format!("{pid} is reaped and is no zombie of foster's"));
        if !kernel.held().contains(&pid) {
            self.answers(pid);
        }
        let Some(service) = self.leads(pid) else { return };
        let account = &mut self.services[service.index()];
        let stopped = account.run.take().is_some_and(|run| run.kill_at.is_some());
        let waits = matches!(self.policy.leftovers, Leftovers::Kill { .. })
            && self.policy.session != Session::Shared
            && !self.services[service.index()].unkillable;
        let member = self.free_member(pid, kernel);
        self.check(!waits || member.is_none(), || {
            let when = if stopped { "stopped" } else { "ended" };
            format!("{service:?} {when}: its leader is reaped while {member:?} lives")
        });
    }

    /// All get a signal only where foster is a machine's init and no service is up: TERM and CONT
    /// once, SIGKILL at the deadline.
    fn may_kill_all(&mut self, signal: Signal, now: Instant) {
        self.check_machine(|| format!("all get {signal}"));
        let machine = self.machine;
        let at_once = self.stop.is_some_and(|stop| stop.at_once);
        let allowed = match signal {
            Signal::TERM => machine.asked.is_none() && machine.killed.is_none() && !at_once,
            Signal::CONT => machine.asked == Some((now, false)),
            Signal::KILL => machine.killed.is_none() && self.may_hurry_all(now),
            _ => false,
        };
        self.check(allowed, || format!("all get {signal} at {now}: {machine:?}"));
        match signal {
            Signal::TERM => self.machine.asked = Some((now, false)),
            Signal::CONT => self.machine.asked = Some((now, true)),
            _ => self.machine.killed = Some(now),
        }
    }

    /// Whether all who live on a machine have had their time.
    fn may_hurry_all(&self, now: Instant) -> bool {
        let timeout = self.policy.stop.timeout;
        let due = |(at, _)| timeout.is_some_and(|timeout| at + timeout <= now);
        self.machine.asked.is_some_and(due) || self.stop.is_some_and(|stop| stop.at_once)
    }

    /// A machine ends as was asked last, once nobody lives whom foster could have seen.
    fn may_end_machine(&mut self, how: MachineEnd, now: Instant) {
        self.check_machine(|| "the machine ends".into());
        let wanted = self.machine.how.unwrap_or(MachineEnd::PowerOff);
        self.check(how == wanted, || format!("the machine is {how}, and not {wanted}"));
        let waited = self.machine.killed.is_some_and(|at| at + KILL_PATIENCE <= now);
        // Who came since was not seen, nor who only lost a leader that cannot be killed since.
        let Machine { looked, seen, .. } = self.machine;
        self.check(waited || looked, || "the machine ends unseen".into());
        self.check(waited || seen.is_none(), || format!("the machine ends, and {seen:?} lives"));
        self.machine.over = true;
    }

    /// What concerns a whole machine is for its init, once no service is up.
    fn check_machine(&mut self, what: impl Fn() -> String) {
        let boot = self.config.setup.boot;
        self.check(boot, || format!("{}, and foster is no machine's init", what()));
        let down = |account: &Account| account.run.is_none() || account.unkillable;
        let up = self.services.iter().position(|account| !down(account));
        self.check(up.is_none(), || format!("{} while service {up:?} is up", what()));
        let due = self.services.iter().position(|account| account.due.is_some());
        self.check(due.is_none(), || format!("{} while service {due:?} is due", what()));
    }

    /// One that nothing has killed yet, and of which, or of an ancestor of which, a survey tells.
    fn citizen(&self, kernel: &Kernel) -> Option<Pid> {
        let citizen =
            |p: &&Process| p.is_spared() && p.parent != OUTSIDE && !self.is_hidden(p, kernel);
        kernel.all().find(citizen).map(|p| p.pid)
    }

    /// Each death that is told is answered, once.
    fn answers(&mut self, pid: Pid) {
        match self.told.iter().position(|told| *told == pid) {
            Some(place) => drop(self.told.remove(place)),
            None => self.check(false, || format!("{pid} is answered for without a death")),
        }
    }

    fn reported(&mut self, report: Report, now: Instant) {
        if let Report::Started { service, run, .. }
        | Report::StartFailed { service, run, .. }
        | Report::Ended { service, run, .. }
        | Report::Killing { service, run }
        | Report::Unkillable { service, run }
        | Report::KillingOrphan { service, run, .. } = report
        {
            let starts = self.services[service.index()].starts;
            self.check(run.0 == starts, || {
                format!("{report:?} of run {} instead of {starts}", run.0)
            });
        }
        match report {
            Report::RestartDue { service, delay, restarts } => {
                let account = self.services[service.index()].clone();
                let agrees = account.due == Some(now + delay) && account.restarts == restarts;
                // A stop may have come since this was decided, and not yet said.
                self.check(agrees || self.stop.is_some(), || {
                    format!("{report:?} instead of {account:?}")
                });
            }
            Report::StillWaiting { service, who, wait } => {
                if self.named.0 != now {
                    self.named = (now, 0);
                }
                self.named.1 += 1;
                let named = self.named.1;
                self.check(named <= 5, || format!("{named} are named at {now}"));
                self.told_to_wait(service, who, wait, now);
            }
            Report::StillWaitingForMore { .. } => {
                let named = self.named;
                self.check(named == (now, 5), || format!("more than {named:?} are waited for"));
            }
            Report::InBackground { service, .. } => {
                let account = &mut self.services[service.index()];
                let news = account.hasty && (account.left || account.seen) && !account.told;
                account.told = true;
                self.check(news, || format!("{service:?} is told to be in the background"));
            }
            Report::KillingOrphan { service, .. } => {
                self.services[service.index()].left = true;
                self.check_background(service);
            }
            Report::Unkillable { service, .. } => {
                self.services[service.index()].unkillable = true;
                let hung = self.hung;
                self.check(hung, || format!("{service:?} is given up though it is mortal"));
            }
            Report::KillFailed { target, os: NOT_PERMITTED, .. } => {
                let Some(service) = self.leads(target.pid()) else { return };
                // Others may have gone on just before the stop, and were told of.
                let stops = self.stop_told;
                let account = &mut self.services[service.index()];
                let again = stops && std::mem::replace(&mut account.refused, true);
                self.check(!again, || format!("{report:?} is told once more"));
            }
            Report::StopRequested { signal: Some(_) } => self.stop_told = true,
            Report::StopRequested { signal: None } => {
                self.stop_told = true;
                let max = self.policy.backoff.max_restarts;
                let failed = self.services.iter().any(|account| {
                    account.over && account.run.is_none() && Some(account.restarts) == max
                });
                self.check(failed, || "a stop that nobody asked for".into());
                let late = self.take_back_ends();
                self.begin_stop(self.policy.stop.signal.unwrap_or(Signal::TERM), now);
                for (service, status) in late {
                    self.leader_ended(service, status, now);
                }
            }
            _ => {}
        }
    }

    /// Until when services that were asked to stop are waited for, where any are; none for ever.
    fn waits_until(&self, now: Instant) -> Option<Option<Instant>> {
        let runs = self.services.iter().filter_map(|account| account.run);
        let ends = runs.filter(|run| !run.killed).filter_map(|run| run.kill_at);
        let ends = ends.filter(|at| at.is_none_or(|at| at > now));
        ends.reduce(|one, other| one.zip(other).map(|(one, other)| one.max(other)))
    }

    /// Who is waited for in a stop is told after a second, and each time half of what was left is
    /// gone, as long as that is a second.
    fn told_to_wait(&mut self, service: ServiceId, who: Who, wait: Wait, now: Instant) {
        let began = self.stop.map(|stop| stop.at).or(self.waits);
        let early = began.is_none_or(|at| now < at + Duration::from_secs(1));
        self.check(!early, || format!("{service:?} is waited for too early, at {now}"));
        let account = &self.services[service.index()];
        if let Some(run) = account.run.filter(|_| !account.unkillable) {
            let leader = match who {
                Who::Leader(pid) => pid == run.pid && run.ended.is_none(),
                Who::Member(pid, _) => pid != run.pid && run.ended.is_some(),
                Who::Unknown => run.ended.is_some(),
            };
            self.check(leader, || format!("{who:?} is not who is waited for of {run:?}"));
            let right = match wait {
                Wait::Stop { left, hurry } => {
                    let dropped = self.config.signals.rewrites.get(Signal::INT).is_none();
                    let more = if self.interrupts == 0 { 2 } else { 1 };
                    let wanted = (!dropped).then_some(more);
                    !run.killed
                        && run.kill_at == Some(left.map(|left| now + left))
                        && hurry.map(|hurry| hurry.interrupts) == wanted
                }
                Wait::Death { .. } => run.killed || self.stop.is_some_and(|stop| stop.at_once),
            };
            self.check(right, || format!("{wait:?} is not what {run:?} is waited for"));
        }
        let elapsed = began.map_or(Duration::ZERO, |at| now.since(at));
        self.tell_by = match self.waits_until(now) {
            Some(None) => Some(now + (elapsed + Duration::from_secs(1)).min(DAY)),
            Some(Some(until)) if until.since(now) >= Duration::from_secs(2) => {
                Some(now + until.since(now) / 2)
            }
            Some(Some(_)) | None => None,
        };
    }

    fn lives(&mut self, group: Pid, kernel: &Kernel) {
        let lives = self.leads(group).is_some() && kernel.get(group).is_some();
        self.check(lives, || format!("the terminal is for {group}, which leads nothing"));
    }

    /// The service whose run has this leader.
    pub fn leads(&self, pid: Pid) -> Option<ServiceId> {
        let leads = |account: &Account| account.run.is_some_and(|run| run.pid == pid);
        self.services.iter().position(leads).map(|index| ServiceId(index as u32))
    }

    /// A member of a group that nothing has killed yet.
    fn free_member(&self, group: Pid, kernel: &Kernel) -> Option<Pid> {
        kernel.all().find(|p| p.group == group && p.is_spared()).map(|p| p.pid)
    }

    /// What foster can see of a process's mark.
    pub fn mark(&self, process: &Process) -> Mark {
        match process.origin {
            Some(run) if process.badge => Mark::Run(run),
            _ if process.hidden || !self.readable => Mark::Unreadable,
            _ if matches!(process.life, Life::Ending(_)) => Mark::Lost,
            Some(run) if process.marked => Mark::Run(run),
            Some(_) | None => Mark::None,
        }
    }

    /// Writes down all that the future depends on.
    pub fn fingerprint(&self, now: Instant, out: &mut String) {
        let _ = write!(
            out,
            "{:?}{:?}{:?}{:?}{:?}{}{:?}{:?}{}{}",
            self.denied,
            self.sent,
            self.stop.map(|stop| (now.since(stop.at), stop.signal, stop.at_once)),
            self.gave_up,
            self.owed,
            self.interrupts,
            self.codes,
            self.settled,
            self.hung,
            self.readable,
        );
        let _ = write!(
            out,
            "{:?}{}{}{:?}{:?}{}{:?}",
            self.waits.map(|at| now.since(at)),
            self.given,
            self.halted,
            self.asks,
            self.may_go_on,
            self.suspends,
            self.died_of
        );
        let Machine { how, asked, killed, over, .. } = self.machine;
        let asked = asked.map(|(at, _)| now.since(at));
        let killed = killed.map(|at| now.since(at));
        let _ = write!(out, "{}{how:?}{asked:?}{killed:?}{over}", self.visited);
        for account in &self.services {
            let _ = write!(
                out,
                "{:?}{}{}{}{}{}{}{}",
                account.last,
                account.asked,
                account.restarts,
                account.over,
                account.unkillable,
                account.unseen,
                account.refused,
                account.code
            );
            let _ = write!(
                out,
                "{}{}{}{}{}{}",
                account.hasty,
                account.looked,
                account.seen,
                account.left,
                account.row,
                account.told
            );
            if let Some(run) = account.run {
                let _ = write!(out, "{:?}{}{}", run.ended, run.killed, run.spared.is_some());
                let _ = write!(out, "{}{:?}", run.left, account.asked_orphans);
            }
        }
    }
}

/// How a machine is to end when its init gets this.
fn end_asked_by(signal: Signal) -> Option<MachineEnd> {
    match signal {
        Signal::INT | Signal::TERM => Some(MachineEnd::Reboot),
        Signal::USR2 | Signal::PWR => Some(MachineEnd::PowerOff),
        Signal::USR1 => Some(MachineEnd::Halt),
        _ => None,
    }
}

/// How long foster waits for what got SIGKILL, twice where there are also orphans.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// However long a stop takes, it is told of once a day.
const DAY: Duration = Duration::from_secs(86_400);

/// What a stop may take beyond its deadline where every process dies of SIGKILL: foster looks
/// every 100 ms for those that it is not told of.
const MOMENTS: Duration = Duration::from_millis(500);

/// What stops programs, and so is no going to the background.
const STOPS: [Signal; 4] = [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP];
