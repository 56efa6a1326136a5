//! Stories, told by virtual clock: what the machine promises, one sentence each.

mod job_control;
mod leftovers;
mod restart;
mod scale;
mod signals;
mod status;
mod stop;

use std::time::Duration;

use foster::config::{Argv, Config, Program};
use foster::exit::ExitStatus;
use foster::process::{Pid, RunNumber, ServiceId, Target};
use foster::signal::Signal;
use foster::supervisor::{Action, Report};
use foster::time::Instant;

use crate::kernel::{Manner, Offspring, Process};
use crate::op::{Op, Step, When};
use crate::world::{Script, Sim, Terminal};

/// `foster COMMAND`.
fn init() -> Config {
    Config::init(service())
}

/// `foster --wrap ... --wrap ...`, with so many services.
fn supervisor(count: usize) -> Config {
    Config::supervisor(vec![service(); count])
}

fn service() -> Program {
    Program::new(Argv::new(["app"]))
}

/// A run that lasts.
fn runs() -> Script {
    Script::default()
}

/// A run that ends by itself.
fn ends(after: Duration, code: u32) -> Script {
    Script { ends: Some((after, ExitStatus::Code(code))), ..Script::default() }
}

/// A run that takes signals in this manner.
fn behaves(manner: Manner) -> Script {
    Script { manner, ..Script::default() }
}

impl Script {
    /// The same, with a child from the start.
    fn forks(mut self, kind: Offspring, manner: Manner) -> Script {
        self.forks.push((kind, manner));
        self
    }
}

/// A world whose services run the same script each time.
fn world<const N: usize>(config: Config, scripts: [Script; N]) -> Sim {
    world_on(Terminal::None, config, scripts)
}

fn world_on<const N: usize>(terminal: Terminal, config: Config, scripts: [Script; N]) -> Sim {
    let mut sim = Sim::new(config, terminal);
    for (service, script) in scripts.into_iter().enumerate() {
        sim.world.scripts[service] = vec![script];
    }
    sim.world.record = Some(Vec::new());
    sim
}

impl Sim {
    /// Lets something happen, and foster answer it.
    fn happens(&mut self, op: Op) {
        self.step(Step { when: When::Rest, op });
        assert_eq!(self.fault(), None, "a promise was broken");
    }

    /// Lets something happen, which foster is only told with what follows.
    fn together(&mut self, op: Op) {
        self.step(Step { when: When::Batch, op });
    }

    fn pass(&mut self, time: Duration) {
        self.happens(Op::Pass(time));
    }

    /// Lets foster get a signal.
    fn gets(&mut self, signal: Signal) {
        self.happens(Op::Signal(signal, None, false));
    }

    /// All that foster did, but for what it says.
    fn deeds(&self) -> Vec<Action> {
        let all = self.world.record.iter().flatten().map(|(_, action)| *action);
        all.filter(|action| !matches!(action, Action::Report(_))).collect()
    }

    /// All that foster did since this was last asked, but for what it says.
    fn new_deeds(&mut self) -> Vec<Action> {
        let deeds = self.deeds();
        self.world.record = Some(Vec::new());
        deeds
    }

    fn reports(&self) -> Vec<Report> {
        let reports = self.world.record.iter().flatten().map(|(_, action)| *action);
        reports.filter_map(|a| if let Action::Report(r) = a { Some(r) } else { None }).collect()
    }

    /// When a service was started, in milliseconds.
    fn starts(&self, service: u32) -> Vec<u64> {
        self.times(|action| {
            matches!(action, Action::Spawn { service: started, .. } if started.0 == service)
        })
    }

    /// When foster did such a thing, in milliseconds.
    fn times(&self, wanted: impl Fn(&Action) -> bool) -> Vec<u64> {
        let all = self.world.record.iter().flatten();
        all.filter(|(_, action)| wanted(action)).map(|(at, _)| at.as_nanos() / 1_000_000).collect()
    }

    /// The signals that a process got.
    fn got(&self, pid: Pid) -> Vec<Signal> {
        let process = self.world.kernel.get(pid).expect("it is there");
        process.got.iter().map(|(signal, _)| *signal).collect()
    }

    /// The leader of a service.
    fn leader(&self, service: u32) -> Pid {
        let is_leader = |p: &&Process| {
            p.leader && p.origin.is_some_and(|run| run.service == ServiceId(service))
        };
        self.world.kernel.all().find(is_leader).expect("it runs").pid
    }

    /// Those who live, by their ids.
    fn living(&self) -> Vec<u32> {
        self.world.kernel.all().filter(|p| p.is_alive()).map(|p| p.pid.0).collect()
    }

    fn at(&self) -> u64 {
        self.now().since(Instant::ZERO).as_millis() as u64
    }
}

fn kill(target: Target, signal: Signal) -> Action {
    Action::Kill { target, signal, value: None }
}

fn process(pid: u32) -> Target {
    Target::Process(Pid(pid))
}

fn group(pid: u32) -> Target {
    Target::Group(Pid(pid))
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
