//! Linux: one mio loop over a signalfd and a timerfd, without threads; and as long as there is no
//! deadline, signals from the kernel's hand.

mod aside;
mod boot;
mod bounded;
mod entry;
mod file;
mod guard;
#[cfg_attr(not(own_heap), allow(dead_code, reason = "the sanitizer has a heap of its own"))]
mod heap;
mod kill;
mod log;
#[cfg_attr(not(all(own_heap, target_env = "musl")), allow(dead_code, reason = "C has its own"))]
mod malloc;
mod mark;
mod queue;
mod reap;
mod setup;
mod signals;
mod spawn;
mod survey;
mod terminal;
mod timer;
mod world;

use std::iter;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use foster::cli::{self, Need, Notice, Say};
use foster::config::{Config, Session};
use foster::driver::Backend;
use foster::exit::MachineEnd;
use foster::process::{OsError, Pid, ServiceId, Target};
use foster::signal::Signal;
use foster::supervisor::{Action, Event, Facts, Report, Way};
use foster::time::Instant;

pub use log::LogWriter;
pub use world::World;

use crate::log::Log;
use mark::Marks;
use queue::Queue;
use reap::{Fate, Reaper};
use signals::Signals;
use spawn::Spawner;
use survey::{Children, Look};
use terminal::Terminal;

/// Linux, as the loop sees it.
pub struct Sys {
    config: Rc<Config>,
    log: Log,
    queue: Queue,
    signals: Signals,
    spawner: Spawner,
    terminal: Terminal,
    children: Children,
    reaper: Reaper,
    /// Whether orphans come to foster: it is PID 1 or a subreaper.
    adopts: bool,
    /// Whether it is PID 1 of a machine.
    is_machine: bool,
    /// Services' first processes that are not reaped, in order of pid.
    leaders: Vec<Pid>,
    /// The marks of its runs.
    marks: Marks,
    /// Whether the kernel may have more to tell of children.
    fates_pending: bool,
    /// Whether it may have more signals to read.
    signals_pending: bool,
    /// Whether the log says anything of an orphan that was reaped; not known before a storm.
    tells_of_orphans: Option<bool>,
    /// Whether it says anything of a signal that goes on; not known before the first signal.
    tells_of_signals: Option<bool>,
    /// Room for lists of children.
    list: Vec<Pid>,
    /// What start-up has to tell.
    first: Option<Event>,
}

/// Something that foster cannot run without could not be had.
pub struct StartError {
    need: Need,
    why: String,
}

impl StartError {
    /// What there is to say, and the code to end with.
    pub fn say(&self, config: &Config, world: &World) -> Say {
        cli::cannot_have(config, self.need, &self.why, world)
    }
}

impl Sys {
    /// Sets up all that is needed before the first start.
    // Its room on the stack is for its own time only.
    #[inline(never)]
    pub fn new(config: Rc<Config>, world: World) -> Result<Sys, StartError> {
        let lacking =
            |need| move |error: Errno| StartError { need, why: OsError(error as i32).to_string() };
        let own_pid = Pid(std::process::id());
        let log = Log::new(Rc::clone(&config), world);
        if config.setup.boot {
            if own_pid != Pid(1) {
                return Err(StartError { need: Need::Machine, why: "only PID 1 can".into() });
            }
            boot::set_up(&log);
        }
        setup::die_with_parent(&config.setup).map_err(lacking(Need::ParentDeathSignal))?;
        let adopts = match setup::become_reaper(&config.setup, own_pid) {
            Ok(adopts) => adopts,
            Err(error) if config.setup.needs_subreaper => {
                return Err(lacking(Need::Subreaper)(error));
            }
            Err(error) => {
                let why = OsError(error as i32);
                let what = "cannot become the subreaper of what its child starts (prctl)";
                let what = format_args!("{what}: {why}; orphans go elsewhere");
                log.say(Notice::NotSubreaper, what);
                false
            }
        };
        let first = setup::detach_terminal(&config.setup);
        if config.setup.warn_unless_reaper && !adopts {
            log.report(&Report::NotReaper);
        }
        if !world.blocks_signals {
            return Err(StartError { need: Need::Mask, why: "the system refuses it".into() });
        }
        let signals = Signals::new(own_pid.0).map_err(lacking(Need::Signals))?;
        // The machine's console was there earlier.
        if !config.setup.boot {
            log.begin();
        }
        let gives = config.session == Session::Group && config.services.len() == 1;
        let terminal = Terminal::new(gives, config.supervised);
        if config.services.is_empty() {
            setup::settle_in(&config.setup, &[signals.descriptor()]);
        }
        // What ended before foster was there to be told is a zombie by now.
        let fates_pending = reap::has_fates().map_err(lacking(Need::Children))?;
        let spawner = Spawner::new(&config, world, signals.dispositions);
        malloc::prepare();
        heap::wait_for_memory();
        Ok(Sys {
            queue: Queue::new(),
            spawner,
            reaper: Reaper::new(terminal.exists()),
            terminal,
            children: Children::new(own_pid),
            adopts,
            leaders: Vec::with_capacity(config.services.len()),
            is_machine: world.is_machine,
            marks: Marks::new(&config),
            fates_pending,
            signals_pending: false,
            tells_of_orphans: None,
            tells_of_signals: None,
            list: Vec::new(),
            first,
            signals,
            log,
            config,
        })
    }

    /// What the machine is to know from the start.
    pub fn facts(&self) -> Facts {
        if !self.terminal.exists() {
            return Facts::default();
        }
        let init = std::process::id() == 1;
        Facts {
            terminal: true,
            interactive: self.terminal.is_interactive(),
            leads: init || terminal::leads_session(),
            init,
            ignored: self.signals.ignored(&[Signal::HUP, Signal::INT, Signal::QUIT, Signal::TSTP]),
        }
    }

    /// Gives back what a start took, at the end of foster. Memory and descriptors are the
    /// kernel's to free.
    pub fn finish(&mut self) {
        // What ended together with the last leader would be left to a parent that may not reap.
        for fate in iter::from_fn(reap::reap_any).take(REAPED_AT_END) {
            if let Fate::Exited(pid, status) = fate {
                self.log.report(&Report::ReapedAtEnd { pid, status });
            }
        }
        self.terminal.take_back();
    }

    fn spawn(&mut self, id: ServiceId, gives: bool, events: &mut Vec<Event>) {
        let Some(service) = self.config.services.get(id.index()) else { return };
        let mark = self.marks.issued(id);
        let terminal = if gives { self.terminal.to_give() } else { None };
        let setup = &self.config.setup;
        let ([queue, timer], signals) = (self.queue.descriptors(), self.signals.descriptor());
        let kept = self.terminal.descriptor().unwrap_or(-1);
        let mut settle = |[go, report]: [RawFd; 2]| {
            setup::settle_in(setup, &[signals, queue, timer, kept, go, report]);
        };
        let settles = setup.leave_directory || setup.close_descriptors;
        let settle: Option<&mut dyn FnMut([RawFd; 2])> =
            if settles { Some(&mut settle) } else { None };
        let spawned = self.spawner.spawn(service, mark, terminal, settle);
        if let Some(error) = self.spawner.was_refused() {
            let error = OsError(error as i32);
            let what = "cannot start a command in foster's own memory (clone with CLONE_VM and \
                        CLONE_VFORK)";
            self.log
                .say(Notice::NotShared, format_args!("{what}: {error}; forking for each start"));
        }
        match spawned {
            Ok(pid) => {
                if terminal.is_some() {
                    self.terminal.was_given(pid);
                }
                self.children.made(pid);
                if let Err(place) = self.leaders.binary_search(&pid) {
                    self.leaders.insert(place, pid);
                }
                events.push(Event::Spawned { service: id, pid, run: mark.run });
                let group = pid;
                match terminal {
                    Some(_) => events.push(Event::TerminalGiven { group }),
                    None if gives => events.push(Event::TerminalKept { group }),
                    None => {}
                }
            }
            Err(error) => {
                if terminal.is_some() {
                    // The child had given it to a group that is gone with it.
                    self.terminal.was_given(Pid(0));
                    self.terminal.take_back();
                }
                events.push(Event::SpawnFailed { service: id, error });
            }
        }
    }

    fn kill(&mut self, target: Target, signal: Signal, value: Option<u64>) -> Option<Event> {
        let number = i32::from(signal.number());
        let sent = match target {
            Target::Process(pid) | Target::Group(pid) => {
                kill::send(target, number, value, self.reaper.guard_of(pid))
            }
            Target::Marked(pid, service) => {
                let is_meant =
                    || self.marks.by_limit(pid, true).is_some_and(|run| run.service == service);
                guard::signal_checked(pid, number, is_meant)
            }
            Target::Rest(leader) => self.children.signal_rest(leader, number, &mut self.list),
        };
        sent.err().map(|error| Event::KillFailed { target, signal, os: error as i32 })
    }

    /// Tells what became of the next child, if signals are not overdue for being read.
    fn next_fate(&mut self, events: &mut Vec<Event>) {
        while self.fates_pending && self.reaper.may_go_on() {
            if !self.reaper.held().is_empty() {
                self.fates_pending = false;
                events.push(Event::Hidden);
                return;
            }
            // Those of whom somebody reads are told; and the first one, by which that is found out.
            let overlooks = self.tells_of_orphans == Some(false);
            match self.reaper.next(&self.leaders, overlooks) {
                None => self.fates_pending = false,
                Some(Fate::Exited(pid, status)) => {
                    if self.tells_of_orphans.is_none() && self.reaper.has_reaped(pid) {
                        let reads = self.log.says(&Report::Reaped { pid, status });
                        self.tells_of_orphans = Some(reads);
                    }
                    events.push(Event::Exited { pid, status });
                    return;
                }
                Some(Fate::Stopped(pid, signal)) => {
                    let foreground = self.terminal.held_by(pid);
                    events.push(Event::Stopped { pid, signal, foreground });
                }
                Some(Fate::Traced(_)) => {}
            }
        }
    }

    /// Puts off the reaping of orphans for a while: most often more of them are about to end. Reads
    /// what signals came meanwhile.
    #[inline(never)]
    fn let_others_end(&mut self, deadline: Option<Instant>, events: &mut Vec<Event>) {
        let now = timer::now();
        // Where no service lives, the end of orphans may be what is waited for.
        if self.leaders.is_empty() || deadline.is_some_and(|it| it <= now) {
            return;
        }
        let rested_at = self.reaper.rested_at();
        let rest = deadline.map_or(rested_at, |it| it.min(rested_at)).since(now);
        if rest.is_zero() || !self.signals.wait_for_others(rest, events) {
            std::thread::yield_now();
        }
        self.signals_pending = self.signals.read(events).more;
        self.reaper.begin_row();
    }

    /// Whether the log says anything of a signal that comes and goes on, to whomever.
    fn tells_of(&self, signal: Signal) -> bool {
        let target = Target::Process(Pid(1));
        self.log.says(&Report::Received { signal })
            || self.log.says(&Report::Forwarded { signal, target })
    }

    /// Says with each HUP whether the terminal is gone.
    #[inline(never)]
    fn tell_of_hang_up(&self, events: &mut [Event]) {
        let is_gone = self.terminal.exists() && self.terminal.is_gone();
        for event in events {
            if let Event::Signal(signalled) = event {
                signalled.hung_up = is_gone && signalled.signal == Signal::HUP;
            }
        }
    }

    /// Whether the only service's first process is still in foster's group, where it was started.
    fn child_is_in_own_group(&self) -> bool {
        // SAFETY: getpgid(2) takes any number; a leader is not reaped yet.
        self.leaders
            .first()
            .is_none_or(|leader| unsafe { libc::getpgid(leader.0 as i32) == libc::getpgrp() })
    }

    fn forget_leader(&mut self, pid: Pid) {
        if let Ok(place) = self.leaders.binary_search(&pid) {
            self.leaders.remove(place);
        }
    }

    fn survey(&mut self, marks: bool, events: &mut Vec<Event>) {
        let held = self.reaper.held();
        // Most often nobody lives but leaders. What ended behind the held is told when these are
        // reaped, unless it is a leader, which may be held next.
        let may_find =
            !self.adopts || held.len() < self.leaders.len() || self.children.any_alive(None);
        if may_find {
            let (leaders, adopts) = (&self.leaders, self.adopts);
            let marks = marks.then_some(&self.marks);
            let look = Look { leaders, held, marks, adopts, reaped: self.reaper.reaped_so_far() };
            self.children.survey(&look, &mut self.list, events);
        } else {
            events.push(Event::Surveyed { whole: true, groups: true });
        }
    }

    /// Waits for a signal or the deadline, and says whether there may be signals to read.
    fn poll(&mut self, deadline: Option<Instant>) -> bool {
        self.queue.wait(deadline, &self.signals).unwrap_or_else(|error| {
            if error == Errno::EINTR {
                return self.signals.come_untold();
            }
            let error = OsError(error as i32);
            let what = format_args!("cannot wait for events ({error}); trying again");
            self.log.say(Notice::NotWaited, what);
            std::thread::sleep(Duration::from_millis(100));
            true
        })
    }
}

impl Backend for Sys {
    fn now(&mut self) -> Instant {
        timer::now()
    }

    fn wait(&mut self, deadline: Option<Instant>, way: Option<Way>, events: &mut Vec<Event>) {
        // A request to stop may come before whatever ended: from then on there is use for zombies.
        self.reaper.look_first();
        events.extend(self.first.take());
        if self.reaper.may_go_on() {
            self.next_fate(events);
            if !events.is_empty() {
                return;
            }
        }
        let overdue = self.fates_pending || self.signals_pending;
        let handed = match deadline {
            None if !overdue => {
                // What is reached by its guard takes the longer way.
                let way = way.filter(|_| !self.reaper.has_guard());
                let tells = self.tells_of_signals.unwrap_or(true);
                self.signals.wait_for_one(way, tells, events)
            }
            _ => None,
        };
        let batch = match handed {
            None if overdue || self.poll(deadline) => Some(self.signals.read(events)),
            handed => handed,
        };
        if let Some(batch) = batch {
            self.signals_pending = batch.more;
            if batch.child {
                self.fates_pending = true;
            }
            if self.reaper.takes_pause() && events.is_empty() {
                self.let_others_end(deadline, events);
            }
            if self.config.session == Session::Shared && !self.child_is_in_own_group() {
                events.iter_mut().for_each(|event| {
                    if let Event::Signal(signalled) = event {
                        signalled.by_kernel = false;
                    }
                });
            }
            if batch.hang_up {
                self.tell_of_hang_up(events);
            }
            if let (None, Some(Event::Signal(it))) = (self.tells_of_signals, events.first()) {
                self.tells_of_signals = Some(self.tells_of(it.signal));
            }
        }
        self.reaper.signals_were_read();
        // A signal that goes on comes by here, and needs not enter it.
        if self.fates_pending {
            self.next_fate(events);
        }
    }

    fn perform(&mut self, action: Action, events: &mut Vec<Event>) {
        match action {
            Action::Spawn { service, terminal } => self.spawn(service, terminal, events),
            Action::Kill { target, signal, value } => {
                events.extend(self.kill(target, signal, value));
            }
            // Anyone but PID 1 would hit what is none of foster's.
            Action::KillAll { signal } if std::process::id() == 1 => {
                // SAFETY: a signal to all, but to PID 1 itself (kill(2), NOTES).
                unsafe { libc::kill(-1, i32::from(signal.number())) };
            }
            Action::KillAll { .. } => {}
            Action::Reap { pid } => {
                self.reaper.reap(pid);
                // It may have hidden others.
                self.fates_pending = true;
                // With this one foster itself may be done: what else ended is told later.
                self.forget_leader(pid);
            }
            Action::ReapOrphan { pid, freely } => {
                self.reaper.reap(pid);
                // It may have been one that was given up.
                self.forget_leader(pid);
                if freely {
                    self.reaper.reap_first(&self.leaders);
                }
                self.next_fate(events);
            }
            Action::Hold { pid } => self.reaper.hold(pid),
            Action::Survey { marks } => self.survey(marks, events),
            Action::Look { service, group } => {
                // Of a leader that was reaped first the group may be gone, and its id a stranger's: but
                // not a child's, as foster has started nobody since.
                if self.children.any_alive(group) {
                    events.push(Event::LeftBehind { service });
                }
            }
            Action::GiveTerminal { group } => events.push(match self.terminal.give(group) {
                true => Event::TerminalGiven { group },
                false => Event::TerminalKept { group },
            }),
            Action::TakeTerminal { resume } => {
                if self.terminal.take_back() && resume {
                    self.signals.resumes_own_group = true;
                    terminal::resume_own_group();
                }
            }
            Action::SuspendAlone => {
                if !terminal::suspend_like_a_job(None) {
                    events.push(Event::NotSuspended { group: None });
                }
            }
            Action::Suspend { group: None, .. } => terminal::suspend_at_all_costs(),
            Action::Suspend { group: Some(group), job } => {
                self.terminal.take_back();
                if !terminal::suspend_like_a_job(job) {
                    events.push(Event::NotSuspended { group: Some(group) });
                }
            }
            Action::Report(report) => self.log.report(&report),
            Action::EndMachine { how } => boot::end(how, self.is_machine, Some(&self.log)),
            Action::DieOf { signal, job } => {
                self.finish();
                terminal::die_of(signal, job);
            }
            Action::Exit { .. } => {}
        }
    }
}

/// Says a text, whole, where nothing is run; gives the code to end with. A machine is switched
/// off: without anything to run it has no use, and an init that exits would be a kernel panic.
pub fn say_last(world: World, last: &Say) -> u32 {
    if world.is_machine {
        boot::take_console();
    }
    log::say(last.stream, &last.text);
    if world.is_machine {
        boot::end(MachineEnd::PowerOff, true, None);
    }
    last.code
}

/// A number that nobody can guess (getrandom(2)); where the kernel has none yet, one that is at
/// least not the same twice.
fn random() -> u64 {
    let mut number = 0_u64;
    // SAFETY: the buffer takes the eight bytes that are asked for.
    let got =
        unsafe { libc::getrandom((&raw mut number).cast(), size_of::<u64>(), libc::GRND_NONBLOCK) };
    if got == 8 { number } else { timer::now().as_nanos() ^ (&raw const number as u64) }
}

/// How many are reaped at the end: as many as there can be in a container, and an end to it where
/// new ones come all the time.
const REAPED_AT_END: usize = 1 << 16;
