//! Linux: one mio loop over a signalfd, a timerfd and other sources, without threads; where there
//! are only signals to wait for, rt_sigtimedwait(2).

mod aside;
mod boot;
mod bounded;
mod budget;
mod child;
mod entry;
mod environ;
mod file;
mod guard;
#[cfg_attr(not(own_heap), allow(dead_code, reason = "the sanitizer has a heap of its own"))]
mod heap;
mod kill;
mod log;
#[cfg_attr(not(all(own_heap, target_env = "musl")), allow(dead_code, reason = "C has its own"))]
mod malloc;
mod mark;
mod parent;
mod queue;
mod reap;
mod setup;
mod signals;
mod source;
mod spawn;
mod start;
mod stat;
mod survey;
mod terminal;
mod timer;
mod wait;
mod world;

use std::iter;
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;

use nix::libc;

use foster::cli::{Notice, Say};
use foster::config::Config;
use foster::driver::Backend;
use foster::exit::MachineEnd;
use foster::process::{OsError, Pid, ServiceId, Target};
use foster::signal::Signal;
use foster::supervisor::{Action, Event, Report, Way};
use foster::time::Instant;

pub use log::LogWriter;
pub use world::World;

use crate::log::Log;
use mark::Marks;
use parent::Parent;
use queue::Queue;
use reap::{Fate, Reaper};
use signals::Signals;
use spawn::Spawner;
use survey::{Children, Look};
use terminal::Terminal;

/// The Linux backend of the loop.
pub struct Sys {
    config: Rc<Config>,
    log: Log,
    queue: Queue,
    /// The watch over its own parent.
    parent: Option<Parent>,
    signals: Signals,
    spawner: Spawner,
    terminal: Terminal,
    children: Children,
    reaper: Reaper,
    /// Whether foster adopts orphans: it is PID 1 or a subreaper.
    adopts: bool,
    /// Whether it is PID 1 of a whole system.
    is_machine: bool,
    /// Services' first processes that are not reaped, in order of pid.
    leaders: Vec<Pid>,
    /// The marks of its runs.
    marks: Marks,
    /// Whether the kernel may have more ends or stops of children to report.
    fates_pending: bool,
    /// Whether it may have more signals to read.
    signals_pending: bool,
    /// Whether the log shows orphans; unknown before the first storm.
    tells_of_orphans: Option<bool>,
    /// Whether it shows forwarded signals; unknown before the first signal.
    tells_of_signals: Option<bool>,
    /// Room for lists of children.
    list: Vec<Pid>,
    /// Messages from the start.
    first: Option<Event>,
}

impl Sys {
    /// Undoes what the start changed, at the end of foster. The kernel frees memory and
    /// descriptors.
    pub fn finish(&mut self) {
        // Processes that ended together with the last leader would be left to a parent that may not
        // reap.
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
        let parent = self.parent.as_ref().map_or(-1, |parent| parent.descriptor.as_raw_fd());
        let mut settle = |[go, report]: [RawFd; 2]| {
            setup::settle_in(setup, &[signals, queue, timer, parent, kept, go, report]);
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
                    // The child had given it to a group that is now gone.
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
                let shown = self.children.has_proc;
                let is_meant =
                    || self.marks.by_limit(pid, shown).is_some_and(|run| run.service == service);
                guard::signal_checked(pid, number, is_meant)
            }
            Target::Rest(leader) => self.children.signal_rest(leader, number, &mut self.list),
        };
        sent.err().map(|error| Event::KillFailed { target, signal, os: error as i32 })
    }

    fn forget_leader(&mut self, pid: Pid) {
        if let Ok(place) = self.leaders.binary_search(&pid) {
            self.leaders.remove(place);
        }
    }

    fn survey(&mut self, marks: bool, events: &mut Vec<Event>) {
        let held = self.reaper.held();
        // Most often only leaders live. Ends hidden behind the held zombies are reported when those
        // are reaped, unless they are leaders', which may be held next.
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
}

impl Backend for Sys {
    fn now(&mut self) -> Instant {
        timer::now()
    }

    fn wait(&mut self, deadline: Option<Instant>, way: Option<Way>, events: &mut Vec<Event>) {
        self.turn(deadline, way, events);
    }

    fn perform(&mut self, action: Action, events: &mut Vec<Event>) {
        match action {
            Action::Spawn { service, terminal } => self.spawn(service, terminal, events),
            Action::Kill { target, signal, value } => {
                events.extend(self.kill(target, signal, value));
            }
            // Only PID 1 may do this: any other process would hit strangers.
            Action::KillAll { signal } if std::process::id() == 1 => {
                // SAFETY: a signal to all processes but PID 1 itself (kill(2), NOTES).
                unsafe { libc::kill(-1, i32::from(signal.number())) };
            }
            Action::KillAll { .. } => {}
            Action::Reap { pid } => {
                self.reaper.reap(pid);
                // It may have hidden other zombies.
                self.fates_pending = true;
                // foster itself may end with this one: other ends are reported later.
                self.forget_leader(pid);
            }
            Action::ReapOrphan { pid, freely } => {
                self.reaper.reap(pid);
                // It may have been one that foster gave up on.
                self.forget_leader(pid);
                if freely {
                    self.reaper.reap_first(&self.leaders);
                }
                self.next_fate(events);
            }
            Action::Hold { pid } => self.reaper.hold(pid),
            Action::Survey { marks } => self.survey(marks, events),
            Action::Look { service, group } => {
                // If a leader was reaped first, its group may be gone, and its id a stranger's; but
                // not a child's, because foster has started nobody since.
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

/// Writes a whole text, where foster runs nothing; returns the exit code. A system is powered off,
/// because it has nothing to run, and an init that exits would be a kernel panic.
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

/// The most zombies to reap at the end: as many as a container can have, with a limit in case new
/// ones keep coming.
const REAPED_AT_END: usize = 1 << 16;
