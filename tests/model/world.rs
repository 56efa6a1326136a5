//! The world that the machine is run in: a kernel, a clock that moves when foster waits, and a
//! judge that sees everything. It implements the same `Backend` as Linux and Windows do, so the
//! real loop runs over it.

use std::collections::VecDeque;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use foster::config::{Config, JobControl, Session};
use foster::driver::{Backend, Driver};
use foster::exit::ExitStatus;
use foster::process::{Comm, Mark, Pid, RunId, ServiceId, SpawnError, SpawnErrorKind, Target};
use foster::signal::{Signal, SignalSet};
use foster::supervisor::{
    Action, Event, Facts, Foreground, Report, Signalled, Supervisor, Survivor, Way,
};
use foster::time::Instant;

use crate::digest::Digest;
use crate::judge::Judge;
use crate::kernel::{FOSTER, Kernel, Life, Manner, OUTSIDE, Offspring, Place, Process};
use crate::op::{Op, Step, When};

/// A machine in a world.
#[derive(Clone, Debug)]
pub struct Sim {
    pub machine: Supervisor,
    pub world: World,
    driver: Driver,
    /// The code that foster ended with.
    pub ended: Option<u32>,
}

/// All that is around a machine.
#[derive(Clone, Debug)]
pub struct World {
    pub kernel: Kernel,
    pub judge: Judge,
    config: Rc<Config>,
    now: Instant,
    /// How far the clock may move.
    until: Instant,
    /// Whether foster waits and nothing is to happen before `until`.
    idle: bool,
    /// Whether foster has stopped itself.
    suspended: bool,
    signals: VecDeque<Signalled>,
    amid: VecDeque<(u32, Op)>,
    /// Whether the death after the one that was just reaped is told at once.
    pub eager: bool,
    /// Whether a zombie that is held hides those behind it.
    pub hides: bool,
    /// Whether orphans are reaped in a row, where they may be.
    pub rows: bool,
    /// Whether a survey sees all in the groups of held leaders, come what may.
    pub scans: bool,
    /// Whether signals that come before all else may go their way before they are told.
    pub hands: bool,
    /// Whether they are then told only where that fails.
    pub untold: bool,
    /// Whether it was told that there are some, and no survey made since.
    hidden: bool,
    /// Whether what came of a start is told by the next wait, and not at once.
    pub slow: bool,
    /// What came of starts and is still to be told.
    starts: VecDeque<Event>,
    fail_starts: u32,
    /// What processes do, by service; the last one for all further runs.
    pub scripts: Vec<Vec<Script>>,
    terminal: Terminal,
    /// Whose the terminal is, and whether it is gone.
    foreground: Foreground,
    hung_up: bool,
    /// What foster did, where anyone wants to know.
    pub record: Option<Vec<(Instant, Action)>>,
    /// What stands for all that foster did and said, and when.
    pub digest: Digest,
    /// How much there was: events told, and actions done.
    pub events: u64,
    pub actions: u64,
    pub surveys: u64,
    /// Whether the last wait brought nothing.
    quiet: bool,
    /// Waits since anything happened or time moved.
    spins: u32,
    /// Whether foster was woken by its deadline and has done nothing yet.
    woken: bool,
    /// Whether all that it has done since was to tell that it waits.
    told_only: bool,
}

/// Where foster stands to the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// It has none.
    None,
    /// It leads the terminal's session: the kernel does not let it stop.
    Leader,
    /// It is a job of a shell's.
    Job,
    /// The same, with its output going to another of the job.
    Pipeline,
}

/// What a service's processes do in one run.
#[derive(Clone, Debug, Default)]
pub struct Script {
    pub manner: Manner,
    pub ends: Option<(Duration, ExitStatus)>,
    pub forks: Vec<(Offspring, Manner)>,
}

impl Sim {
    pub fn new(config: Config, terminal: Terminal) -> Sim {
        Sim::with_ignored(config, terminal, SignalSet::EMPTY)
    }

    /// A foster that finds these signals ignored.
    pub fn with_ignored(config: Config, terminal: Terminal, ignored: SignalSet) -> Sim {
        let leads = terminal == Terminal::Leader;
        let facts = Facts {
            terminal: terminal != Terminal::None,
            interactive: leads || terminal == Terminal::Job,
            leads,
            init: leads,
            ignored,
        };
        let machine = Supervisor::new(config.clone(), facts);
        let world = World::new(Rc::new(config), terminal);
        Sim { machine, world, driver: Driver::new(), ended: None }
    }

    pub fn now(&self) -> Instant {
        self.world.now
    }

    /// The first promise that was broken.
    pub fn fault(&self) -> Option<&str> {
        self.world.judge.fault.as_deref()
    }

    /// Lets one thing happen, and foster answer it.
    pub fn step(&mut self, step: Step) {
        if self.ended.is_some() || self.fault().is_some() {
            return;
        }
        match (step.when, step.op) {
            (When::Amid(count), op) => return self.world.amid.push_back((count, op)),
            (_, Op::Calm) => return self.world.amid.clear(),
            (_, Op::Pass(time)) => self.world.until = self.world.now + time,
            (_, Op::Due) => {
                // Past those by which it only tells that it waits.
                self.world.told_only = true;
                // In a stop without a deadline it may tell that for ever.
                for _ in 0..8 {
                    let told_only = std::mem::take(&mut self.world.told_only);
                    if !told_only || self.ended.is_some() || self.fault().is_some() {
                        break;
                    }
                    let due = self.machine.poll_timeout();
                    self.world.until = due.map_or(self.world.now, |at| at.max(self.world.now));
                    self.settle();
                }
            }
            (_, Op::End) => self.world.judge.fault = Some("foster does not end".into()),
            (_, op) => self.world.apply(op),
        }
        if step.when != When::Batch {
            self.settle();
        }
    }

    /// Lets foster run until it waits and all time that may pass has passed.
    pub fn settle(&mut self) {
        self.world.idle = false;
        while self.ended.is_none() && !self.world.idle && self.fault().is_none() {
            if self.world.suspended {
                self.world.sleep();
            } else {
                self.turn();
            }
        }
    }

    /// The same, and a panic of the machine is a broken promise like others.
    pub fn step_guarded(&mut self, step: Step) {
        let run = catch_unwind(AssertUnwindSafe(|| self.step(step)));
        if let Err(panic) = run {
            let text = panic.downcast_ref::<String>().map_or("it panicked", String::as_str);
            self.world.judge.fault.get_or_insert_with(|| format!("a panic: {text}"));
        }
    }

    fn turn(&mut self) {
        self.ended = self.driver.turn(&mut self.machine, &mut self.world);
        match self.ended {
            Some(code) => {
                let action = Action::Exit { code };
                self.world.take_down(action);
                self.world.judge.exits(code, &self.machine, &self.world.kernel);
            }
            None => self.world.judge.looks(&self.machine, self.world.quiet, self.world.now),
        }
    }

    /// Writes down all that the future depends on, times as seen from now: two worlds with the
    /// same words here have the same future.
    pub fn fingerprint(&self, healthy_after: Duration, out: &mut String) {
        let now = self.now();
        let start = out.len();
        let _ = write!(out, "{:?}{:?}", self.machine, self.driver);
        relate_times(out, start, now, healthy_after);
        self.world.kernel.fingerprint(now, out);
        self.world.judge.fingerprint(now, out);
        let world = &self.world;
        let _ = write!(
            out,
            "{}{:?}{}{}{:?}{:?}{}{:?}",
            world.suspended,
            world.foreground,
            world.hung_up,
            world.hidden,
            world.signals,
            world.amid,
            world.fail_starts,
            world.starts
        );
    }
}

impl World {
    fn new(config: Rc<Config>, terminal: Terminal) -> World {
        World {
            kernel: Kernel::new(),
            judge: Judge::new(Rc::clone(&config), terminal != Terminal::None),
            scripts: vec![Vec::new(); config.services.len()],
            config,
            terminal,
            foreground: Foreground::Fosters,
            hung_up: false,
            now: Instant::ZERO,
            until: Instant::ZERO,
            idle: false,
            suspended: false,
            signals: VecDeque::new(),
            amid: VecDeque::new(),
            eager: false,
            hides: false,
            rows: false,
            scans: false,
            hands: false,
            untold: false,
            hidden: false,
            slow: false,
            starts: VecDeque::new(),
            fail_starts: 0,
            record: None,
            digest: Digest::default(),
            events: 0,
            actions: 0,
            surveys: 0,
            quiet: false,
            spins: 0,
            woken: false,
            told_only: false,
        }
    }

    /// What each leader leads.
    fn session(&self) -> Session {
        self.config.services.first().map_or(Session::Group, |service| service.policy.session)
    }

    /// Lets something happen.
    pub fn apply(&mut self, op: Op) {
        let now = self.now;
        self.spins = 0;
        match op {
            Op::Pass(_) | Op::Due | Op::Calm | Op::End => {}
            Op::Stall(time) => {
                self.now = now + time;
                self.until = self.until.max(self.now);
                self.judge.lateness += time;
                while self.kernel.next_on_agenda().is_some_and(|at| at <= self.now) {
                    self.kernel.follow_agenda();
                }
            }
            Op::Signal(signal, value, by_kernel) => {
                let hung_up = self.hung_up && signal == Signal::HUP;
                self.signal(Signalled { signal, value, by_kernel, hung_up, passed: false });
            }
            Op::HangUp => {
                self.hung_up = self.terminal != Terminal::None;
                let hung_up = self.hung_up;
                let (signal, by_kernel) = (Signal::HUP, true);
                self.signal(Signalled { signal, value: None, by_kernel, hung_up, passed: false });
            }
            Op::Use(who) => {
                let foreground = self.foreground;
                if self.terminal == Terminal::None || self.session() != Session::Group {
                    return;
                }
                self.with(who, |kernel, pid| {
                    let group = kernel.get(pid).expect("it was just found").group;
                    let leads = kernel.get(group).is_some_and(|process| process.leader);
                    if leads && foreground != Foreground::Childs {
                        kernel.kill(Target::Group(group), Signal::TTIN, None, now);
                    }
                });
            }
            Op::Exit(who, code) => self.with(who, |k, pid| k.exit(pid, ExitStatus::Code(code))),
            Op::Die(who, signal) => self.with(who, |kernel, pid| {
                kernel.kill(Target::Process(pid), signal, None, now);
            }),
            Op::Fork(who, kind) => self.with(who, |kernel, pid| {
                kernel.fork(pid, kind);
            }),
            Op::Escape(who) => self.with(who, Kernel::escape),
            Op::Behave(who, manner) => self.with(who, |kernel, pid| {
                kernel.get_mut(pid).expect("it was just found").manner = manner;
            }),
            Op::Stick(who) => {
                self.judge.hung = true;
                self.with(who, |kernel, pid| kernel.stick(pid, true));
            }
            // The init of a machine may kill everything.
            Op::Deny(_) if self.config.setup.boot => {}
            Op::Deny(who) => {
                let mut denied = None;
                self.with(who, |kernel, pid| {
                    let process = kernel.get_mut(pid).expect("it was just found");
                    process.denied = true;
                    denied = Some(process.birth);
                });
                let births = self.judge.denied.into_iter().chain(denied);
                self.judge.denied = births.min();
            }
            Op::Unstick(who) => self.with(who, |kernel, pid| kernel.stick(pid, false)),
            Op::Linger(who) => {
                self.judge.hung = true;
                self.with(who, |kernel, pid| kernel.linger(pid, ExitStatus::Code(0)));
            }
            Op::Finish(who) => self.with(who, Kernel::finish),
            Op::Halt(who) => self.with(who, |kernel, pid| {
                kernel.kill(Target::Process(pid), Signal::STOP, None, now);
            }),
            Op::Resume(who) => self.with(who, |kernel, pid| {
                kernel.kill(Target::Process(pid), Signal::CONT, None, now);
            }),
            Op::Stranger => {
                self.kernel.create(OUTSIDE, Place::OwnSession, None);
            }
            Op::StrangerGoes => {
                let stranger = self.kernel.all().filter(|p| p.parent == OUTSIDE);
                if let Some(pid) = stranger.min_by_key(|p| p.birth).map(|p| p.pid) {
                    self.kernel.exit(pid, ExitStatus::Code(0));
                }
            }
            Op::Exec => {
                self.judge.visited = true;
                self.kernel.create(FOSTER, Place::OwnSession, None);
            }
            Op::FailStarts(count) => self.fail_starts = count,
            Op::Blind(blind) => self.judge.readable = !blind,
        }
    }

    /// The processes that an op can name: those that stem from a service, or from `docker exec`.
    pub fn insiders(&self) -> impl Iterator<Item = &Process> {
        self.kernel.all().filter(|p| !p.is_zombie() && p.parent != OUTSIDE)
    }

    /// How many processes an op can name.
    pub fn crowd(&self) -> usize {
        self.insiders().count()
    }

    /// Whether foster has a terminal.
    pub fn has_terminal(&self) -> bool {
        self.terminal != Terminal::None
    }

    /// How much is still to happen while foster is busy.
    pub fn still_to_come(&self) -> usize {
        self.amid.len()
    }

    /// Does something to a process that an op names.
    fn with(&mut self, who: usize, act: impl FnOnce(&mut Kernel, Pid)) {
        let count = self.crowd();
        if count > 0 {
            let process = self.insiders().nth(who % count);
            let pid = process.expect("there are that many").pid;
            act(&mut self.kernel, pid);
        }
    }

    fn signal(&mut self, signalled: Signalled) {
        if signalled.signal == Signal::CONT && std::mem::take(&mut self.suspended) {
            // As by fg.
            self.foreground = Foreground::Fosters;
        }
        let queued = |other: &Signalled| other.signal == signalled.signal;
        if !signalled.signal.is_real_time() && self.signals.iter().any(queued) {
            // One that is not real-time is a bit that is set or not.
            return;
        }
        // The kernel gives out the lowest number first.
        let place = self.signals.partition_point(|other| other.signal <= signalled.signal);
        self.signals.insert(place, signalled);
    }

    /// Lets time pass while foster itself is stopped.
    fn sleep(&mut self) {
        self.judge.lateness += self.until.since(self.now);
        while let Some(at) = self.kernel.next_on_agenda().filter(|at| *at <= self.until) {
            self.now = self.now.max(at);
            self.kernel.follow_agenda();
        }
        (self.now, self.idle) = (self.now.max(self.until), true);
    }

    /// Tells what there is to tell: signals, and the first death.
    fn tell(&mut self, way: Option<Way>, events: &mut Vec<Event>) {
        while events.len() < BATCH {
            let Some(mut signalled) = self.signals.pop_front() else { break };
            let Signalled { signal, value, .. } = signalled;
            let sent = value.is_none() && !signalled.by_kernel;
            let goes = self.hands && events.is_empty() && sent;
            let way = way.filter(|way| goes && way.signals.contains(signal));
            signalled.passed = way.is_some();
            self.say(Event::Signal(signalled), events);
            if let Some(way) = way {
                self.perform(Action::Kill { target: way.target, signal, value }, events);
                if self.untold && events.len() == 1 {
                    events.clear();
                }
            }
        }
        while let Some(event) = self.starts.pop_front() {
            self.say(event, events);
        }
        self.tell_death(events);
        if self.config.signals.job_control == JobControl::FollowChild
            && self.session() == Session::Group
            && let Some((pid, signal)) = self.kernel.take_stopped()
        {
            let foreground = self.foreground;
            self.say(Event::Stopped { pid, signal, foreground }, events);
        }
    }

    fn tell_death(&mut self, events: &mut Vec<Event>) {
        // One at a time: the next is seen when this one is reaped or held. None before its start.
        if !self.judge.told.is_empty() || !self.starts.is_empty() {
            return;
        }
        let Some(pid) = self.kernel.zombies().next() else { return };
        if self.hides_ends() {
            if !std::mem::replace(&mut self.hidden, true) {
                self.say(Event::Hidden, events);
            }
            return;
        }
        self.say_death(pid, events);
    }

    /// Reaps orphans in a row, up to the first that is none, without a word.
    fn reap_in_a_row(&mut self) {
        while !self.hides_ends() {
            let first = self.kernel.zombies().next();
            let is_orphan = |pid: &Pid| self.kernel.get(*pid).is_some_and(|p| !p.leader);
            let Some(pid) = first.filter(is_orphan) else { return };
            self.kernel.reap(pid);
        }
    }

    fn say_death(&mut self, pid: Pid, events: &mut Vec<Event>) {
        if let Some(Life::Zombie(status)) = self.kernel.get(pid).map(|process| process.life) {
            self.say(Event::Exited { pid, status }, events);
        }
    }

    fn hides_ends(&self) -> bool {
        self.hides && !self.kernel.held().is_empty()
    }

    fn say(&mut self, event: Event, events: &mut Vec<Event>) {
        self.events += 1;
        self.judge.told(&event, self.now);
        events.push(event);
    }

    fn spawn(&mut self, service: ServiceId, gives: bool, events: &mut Vec<Event>) {
        if self.fail_starts > 0 {
            self.fail_starts -= 1;
            let error = SpawnError { kind: SpawnErrorKind::Resources, os: 11, pid: None };
            return self.say_start(Event::SpawnFailed { service, error }, events);
        }
        let place = match self.session() {
            Session::Group => Place::OwnGroup { session: FOSTER },
            Session::Own | Session::OwnWithTerminal => Place::OwnSession,
            Session::Shared => Place::In { group: FOSTER, session: FOSTER },
        };
        // All runs of a service have one mark.
        let run = RunId { service, nonce: 1 };
        let pid = self.kernel.create(FOSTER, place, Some(run));
        let process = self.kernel.get_mut(pid).expect("it was just created");
        process.leader = true;
        let scripts = &mut self.scripts[service.index()];
        let script = match scripts.len() {
            0 => Script::default(),
            1 => scripts[0].clone(),
            _ => scripts.remove(0),
        };
        process.manner = script.manner;
        if let Some((after, status)) = script.ends {
            self.kernel.end_at(pid, self.now + after, status);
        }
        for (kind, manner) in script.forks {
            let Some(child) = self.kernel.fork(pid, kind) else { continue };
            self.kernel.get_mut(child).expect("it was just forked").manner = manner;
        }
        self.say_start(Event::Spawned { service, pid, run }, events);
        if gives {
            let given = self.give(pid);
            self.say_start(given, events);
        }
    }

    /// Gives the terminal to a group, if foster's own has it.
    fn give(&mut self, group: Pid) -> Event {
        if self.terminal == Terminal::None || self.foreground == Foreground::Others {
            return Event::TerminalKept { group };
        }
        self.foreground = Foreground::Childs;
        Event::TerminalGiven { group }
    }

    fn take_back(&mut self) {
        if self.foreground == Foreground::Childs {
            self.foreground = Foreground::Fosters;
        }
    }

    fn say_start(&mut self, event: Event, events: &mut Vec<Event>) {
        if self.slow {
            self.starts.push_back(event);
        } else {
            self.say(event, events);
        }
    }

    fn survey(&mut self, marks: bool, events: &mut Vec<Event>) {
        self.surveys += 1;
        self.hidden = false;
        // Who ended since the list was made has left others to foster that are not on it.
        let told = &self.judge.told;
        let ended = self.kernel.zombies().filter(|pid| !told.contains(pid));
        let ended = ended.filter_map(|pid| self.kernel.get(pid)).filter(|p| !p.leader);
        let oldest = ended.map(|p| p.birth).min();
        if self.hides_ends() && self.starts.is_empty() {
            let ended: Vec<Pid> = self.kernel.zombies().collect();
            for pid in ended {
                self.say_death(pid, events);
            }
        }
        let is_early = |p: &Process| oldest.is_none_or(|birth| p.birth < birth);
        let is_seen = |p: &Process| self.scans && self.kernel.held().contains(&p.group);
        let is_listed = |p: &Process| is_early(p) || is_seen(p);
        let lives = |p: &&Process| !p.is_zombie() && !p.leader && is_listed(p);
        let survivors: Vec<Survivor> = self
            .kernel
            .all()
            .filter(lives)
            .map(|p| Survivor {
                pid: p.pid,
                name: Comm::default(),
                group: p.group,
                // The environments of others' children are not read.
                mark: match (marks, p.parent == FOSTER || p.badge) {
                    (true, true) => self.judge.mark(p),
                    (true, false) => Mark::None,
                    (false, _) => Mark::Unreadable,
                },
                adopted: p.parent == FOSTER,
                in_reach: !p.denied,
            })
            .collect();
        for survivor in survivors {
            self.say(Event::Survivor(survivor), events);
        }
        let whole = oldest.is_none();
        self.say(Event::Surveyed { whole, groups: whole || self.scans }, events);
    }

    fn take_down(&mut self, action: Action) {
        self.actions += 1;
        let tells = matches!(
            action,
            Action::Report(Report::StillWaiting { .. } | Report::StillWaitingForMore { .. })
        );
        self.told_only = tells && (self.woken || self.told_only);
        self.woken = false;
        self.digest.take_in(self.now, &action);
        if let Some(record) = &mut self.record {
            record.push((self.now, action));
        }
    }
}

impl Backend for World {
    fn now(&mut self) -> Instant {
        self.now
    }

    fn wait(&mut self, deadline: Option<Instant>, way: Option<Way>, events: &mut Vec<Event>) {
        if self.suspended {
            return;
        }
        // A wait whose deadline has passed is a look and no rest.
        let rests = deadline.is_none_or(|at| at > self.now);
        if rests {
            self.judge.rests(self.now, &self.kernel);
            if self.woken {
                self.judge.fault.get_or_insert_with(|| "a wake-up without a reason".into());
            }
        }
        loop {
            self.tell(way, events);
            self.quiet = events.is_empty();
            if !self.quiet {
                self.spins = 0;
                return;
            }
            let agenda = self.kernel.next_on_agenda();
            let wake = deadline.unwrap_or(Instant::from_nanos(u64::MAX)).min(self.until);
            if let Some(at) = agenda.filter(|at| *at <= wake) {
                self.now = self.now.max(at);
                while self.kernel.next_on_agenda().is_some_and(|at| at <= self.now) {
                    self.kernel.follow_agenda();
                }
                continue;
            }
            if let Some(at) = deadline.filter(|at| *at <= self.until) {
                self.spins += 1;
                if at > self.now {
                    (self.now, self.spins, self.woken) = (at, 0, true);
                }
                if self.spins > SPINS {
                    self.judge.fault.get_or_insert_with(|| "foster spins".into());
                }
                return;
            }
            (self.now, self.idle) = (self.now.max(self.until), true);
            return;
        }
    }

    fn perform(&mut self, action: Action, events: &mut Vec<Event>) {
        if let Some((count, op)) = self.amid.front_mut() {
            match count.checked_sub(1) {
                Some(fewer) => *count = fewer,
                None => {
                    let op = *op;
                    self.amid.pop_front();
                    self.apply(op);
                }
            }
        }
        self.judge.asked(&action, self.now, &self.kernel);
        self.take_down(action);
        match action {
            Action::Spawn { service, terminal } => self.spawn(service, terminal, events),
            Action::Kill { target, signal, value } => {
                if let Err(os) = self.kernel.kill_by_foster(target, signal, value, self.now) {
                    self.say(Event::KillFailed { target, signal, os }, events);
                }
            }
            Action::Reap { pid } | Action::ReapOrphan { pid, .. } => {
                self.kernel.reap(pid);
                if self.rows && matches!(action, Action::ReapOrphan { freely: true, .. }) {
                    self.reap_in_a_row();
                }
                if self.eager && !self.suspended {
                    self.tell_death(events);
                }
            }
            Action::Hold { pid } => {
                self.kernel.hold(pid);
                if self.eager && !self.suspended {
                    self.tell_death(events);
                }
            }
            Action::Survey { marks } => self.survey(marks, events),
            Action::Look { service, group } => {
                if self.kernel.has_child(group) {
                    self.say(Event::LeftBehind { service }, events);
                }
            }
            Action::GiveTerminal { group } => {
                let given = self.give(group);
                self.say(given, events);
            }
            Action::TakeTerminal { .. } => self.take_back(),
            Action::Suspend { group: Some(group), .. } if self.terminal == Terminal::Leader => {
                self.take_back();
                events.push(Event::NotSuspended { group: Some(group) });
            }
            Action::SuspendAlone if self.terminal == Terminal::Leader => {
                events.push(Event::NotSuspended { group: None });
            }
            Action::Suspend { .. } | Action::SuspendAlone => {
                if self.terminal != Terminal::None {
                    self.foreground = Foreground::Others;
                }
                // A stop takes back a CONT that is under way.
                self.signals.retain(|other| other.signal != Signal::CONT);
                self.suspended = true;
            }
            Action::KillAll { signal } => self.kernel.kill_all(signal, self.now),
            Action::Report(_)
            | Action::DieOf { .. }
            | Action::Exit { .. }
            | Action::EndMachine { .. } => {}
        }
    }
}

/// Rewrites every `Instant(n)` behind `start` as seen from `now`. What lies further back than
/// `horizon` makes no difference any more.
fn relate_times(text: &mut String, start: usize, now: Instant, horizon: Duration) {
    const WORD: &str = "Instant(";
    let absolute = text.split_off(start);
    let mut rest = absolute.as_str();
    while let Some(place) = rest.find(WORD) {
        let (before, number) = rest.split_at(place + WORD.len());
        text.push_str(before);
        let end = number.find(')').expect("Debug closes what it opens");
        let at: u64 = number[..end].parse().expect("an instant is a number");
        let back = i128::from(now.as_nanos()) - i128::from(at);
        let _ = write!(text, "{}", -back.min(horizon.as_nanos() as i128));
        rest = &number[end..];
    }
    text.push_str(rest);
}

/// How many signals one read brings.
const BATCH: usize = 64;

/// How often foster may come back from a wait that brought nothing before it counts as busy.
const SPINS: u32 = 8;
