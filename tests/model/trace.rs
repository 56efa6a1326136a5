//! A world and all that happens in it, as text: what a failure is saved as, and replayed from.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::world::Terminal;
use foster::config::{
    Argv, Config, ForwardTo, JobControl, Leftovers, MACHINE_STOP_REQUESTS, Policy, Program,
    Restart, Session, StopTo,
};
use foster::signal::{Signal, SignalSet};

use crate::digest::Digest;
use crate::op::{Step, duration};
use crate::world::Sim;

/// What a world is made from, as far as worlds differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    pub services: usize,
    pub supervised: bool,
    pub restart: Restart,
    pub backoff: Duration,
    pub backoff_max: Duration,
    pub healthy_after: Duration,
    pub max_restarts: Option<u32>,
    pub stop_signal: Option<Signal>,
    pub stop_timeout: Option<Duration>,
    pub stop_to: StopTo,
    pub forward_to: ForwardTo,
    pub session: Session,
    pub leftovers: Leftovers,
    pub terminal: Terminal,
    pub success: Option<u32>,
    pub rewrite: Option<(Signal, Option<Signal>)>,
    /// Whether foster stops itself on TSTP, as dumb-init does.
    pub halts: bool,
    /// Whether foster is the init of a whole machine.
    pub boot: bool,
    /// Whether deaths are told as soon as the one before is dealt with.
    pub eager: bool,
    pub hides: bool,
    pub rows: bool,
    pub scans: bool,
    pub hands: bool,
    pub untold: bool,
    /// Whether runs can be marked by limits.
    pub badges: bool,
    /// Whether what came of a start is told by the next wait, and not at once.
    pub slow: bool,
}

/// A world and what happens in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    pub setup: Setup,
    pub steps: Vec<Step>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub fault: Option<String>,
    pub ended: Option<u32>,
    pub digest: Digest,
    pub actions: u64,
}

impl Trace {
    /// Lets it all happen.
    pub fn run(&self) -> Outcome {
        let mut sim = self.setup.world();
        for step in &self.steps {
            sim.step_guarded(*step);
        }
        outcome(&sim)
    }

    /// A shorter trace that breaks the same promise: parts are left out, ever smaller ones, but
    /// for so many steps at the end.
    pub fn shrunk(mut self, tail: usize) -> Trace {
        let wanted = self.run().kind();
        let mut size = self.steps.len().div_ceil(2);
        while size > 0 {
            let mut start = 0;
            while start + tail < self.steps.len() {
                let mut fewer = self.clone();
                fewer.steps.drain(start..(start + size).min(self.steps.len() - tail));
                if fewer.run().kind() == wanted {
                    self = fewer;
                } else {
                    start += size;
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
        self
    }
}

impl Outcome {
    /// Which promise was broken, whoever it was broken to.
    fn kind(&self) -> Option<String> {
        self.fault.as_ref().map(|fault| fault.chars().filter(|c| !c.is_ascii_digit()).collect())
    }
}

pub fn outcome(sim: &Sim) -> Outcome {
    Outcome {
        fault: sim.fault().map(str::to_owned),
        ended: sim.ended,
        digest: sim.world.digest,
        actions: sim.world.actions,
    }
}

impl Default for Setup {
    fn default() -> Setup {
        let policy = Policy::kept_up();
        Setup {
            services: 1,
            supervised: true,
            restart: policy.restart,
            backoff: policy.backoff.first,
            backoff_max: policy.backoff.max,
            healthy_after: policy.backoff.healthy_after,
            max_restarts: None,
            stop_signal: None,
            stop_timeout: policy.stop.timeout,
            stop_to: policy.stop.to,
            forward_to: policy.forward,
            session: policy.session,
            leftovers: policy.leftovers,
            terminal: Terminal::None,
            success: None,
            rewrite: None,
            halts: false,
            boot: false,
            eager: false,
            hides: false,
            rows: false,
            scans: false,
            hands: false,
            untold: false,
            badges: false,
            slow: false,
        }
    }
}

impl Setup {
    /// The world as it begins.
    pub fn world(&self) -> Sim {
        let mut sim = Sim::new(self.config(), self.terminal);
        (sim.world.eager, sim.world.slow) = (self.eager, self.slow);
        (sim.world.hides, sim.world.rows) = (self.hides, self.rows);
        sim.world.scans = self.scans;
        sim.world.kernel.badges = self.badges;
        (sim.world.hands, sim.world.untold) = (self.hands, self.untold);
        sim
    }

    fn config(&self) -> Config {
        let app = Program::new(Argv::new(["app"]));
        let mut config = if self.supervised {
            Config::supervisor(vec![app; self.services])
        } else {
            Config::init(app)
        };
        config.adjust(|policy| {
            policy.restart = self.restart;
            policy.backoff.first = self.backoff;
            policy.backoff.max = self.backoff_max;
            policy.backoff.healthy_after = self.healthy_after;
            policy.backoff.max_restarts = self.max_restarts;
            policy.stop.signal = self.stop_signal;
            policy.stop.timeout = self.stop_timeout;
            policy.stop.to = self.stop_to;
            policy.forward = self.forward_to;
            policy.session = self.session;
            policy.leftovers = self.leftovers;
            if let Some(code) = self.success {
                policy.success.insert(code);
            }
        });
        config.stop_timeout = self.stop_timeout;
        if let Some(signal) = self.stop_signal {
            config.signals.requests.insert(signal);
        }
        if let Some((from, to)) = self.rewrite {
            config.signals.rewrites.set(from, to);
        }
        config.signals.dies_with_child = true;
        if self.halts {
            config.signals.job_control = JobControl::OnSignals(SignalSet::of(&[Signal::TSTP]));
        }
        if self.boot {
            config.setup.boot = true;
            config.signals.requests = config.signals.requests.union(MACHINE_STOP_REQUESTS);
        }
        config
    }

    /// Takes in a line of a trace; says whether it was one about the setup.
    fn read(&mut self, key: &str, value: &str) -> Option<()> {
        let signal = |text: &str| text.parse::<i32>().ok().and_then(Signal::new);
        match key {
            "services" => self.services = value.parse().ok()?,
            "supervised" => self.supervised = value.parse().ok()?,
            "restart" => self.restart = find(&RESTARTS, value)?,
            "backoff" => self.backoff = duration(value)?,
            "backoff-max" => self.backoff_max = duration(value)?,
            "healthy-after" => self.healthy_after = duration(value)?,
            "max-restarts" => self.max_restarts = Some(value.parse().ok()?),
            "stop-signal" => self.stop_signal = Some(signal(value)?),
            "stop-timeout" if value == "infinity" => self.stop_timeout = None,
            "stop-timeout" => self.stop_timeout = Some(duration(value)?),
            "stop-to" => self.stop_to = find(&STOP_TO, value)?,
            "forward-to" => self.forward_to = find(&FORWARD_TO, value)?,
            "session" => self.session = find(&SESSIONS, value)?,
            "leftovers" => self.leftovers = find(&LEFTOVERS, value)?,
            "terminal" => self.terminal = find(&TERMINALS, value)?,
            "success" => self.success = Some(value.parse().ok()?),
            "rewrite" => {
                let (from, to) = value.split_once(':')?;
                self.rewrite = Some((signal(from)?, signal(to)));
            }
            "halts" => self.halts = value.parse().ok()?,
            "boot" => self.boot = value.parse().ok()?,
            "eager" => self.eager = value.parse().ok()?,
            "hides" => self.hides = value.parse().ok()?,
            "rows" => self.rows = value.parse().ok()?,
            "scans" => self.scans = value.parse().ok()?,
            "hands" => self.hands = value.parse().ok()?,
            "untold" => self.untold = value.parse().ok()?,
            "badges" => self.badges = value.parse().ok()?,
            "slow" => self.slow = value.parse().ok()?,
            _ => return None,
        }
        Some(())
    }

    /// The setup as lines, without what is as usual.
    fn lines(&self) -> Vec<String> {
        let usual = Setup::default();
        let micros = |time: Duration| format!("{}us", time.as_micros());
        let mut lines = Vec::new();
        let mut line = |differs: bool, key: &str, value: String| {
            if differs {
                lines.push(format!("{key} {value}"));
            }
        };
        line(true, "services", self.services.to_string());
        line(!self.supervised, "supervised", self.supervised.to_string());
        line(self.restart != usual.restart, "restart", name(&RESTARTS, self.restart));
        line(self.backoff != usual.backoff, "backoff", micros(self.backoff));
        line(self.backoff_max != usual.backoff_max, "backoff-max", micros(self.backoff_max));
        let differs = self.healthy_after != usual.healthy_after;
        line(differs, "healthy-after", micros(self.healthy_after));
        if let Some(max) = self.max_restarts {
            line(true, "max-restarts", max.to_string());
        }
        if let Some(signal) = self.stop_signal {
            line(true, "stop-signal", signal.number().to_string());
        }
        let timeout = self.stop_timeout.map_or_else(|| "infinity".to_owned(), micros);
        line(self.stop_timeout != usual.stop_timeout, "stop-timeout", timeout);
        line(self.stop_to != usual.stop_to, "stop-to", name(&STOP_TO, self.stop_to));
        let differs = self.forward_to != usual.forward_to;
        line(differs, "forward-to", name(&FORWARD_TO, self.forward_to));
        line(self.session != usual.session, "session", name(&SESSIONS, self.session));
        line(self.leftovers != usual.leftovers, "leftovers", name(&LEFTOVERS, self.leftovers));
        line(self.terminal != usual.terminal, "terminal", name(&TERMINALS, self.terminal));
        if let Some(code) = self.success {
            line(true, "success", code.to_string());
        }
        if let Some((from, to)) = self.rewrite {
            let to = to.map_or(0, Signal::number);
            line(true, "rewrite", format!("{}:{to}", from.number()));
        }
        line(self.halts, "halts", self.halts.to_string());
        line(self.boot, "boot", self.boot.to_string());
        line(self.eager, "eager", self.eager.to_string());
        line(self.hides, "hides", self.hides.to_string());
        line(self.rows, "rows", self.rows.to_string());
        line(self.scans, "scans", self.scans.to_string());
        line(self.hands, "hands", self.hands.to_string());
        line(self.untold, "untold", self.untold.to_string());
        line(self.badges, "badges", self.badges.to_string());
        line(self.slow, "slow", self.slow.to_string());
        lines
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.setup.lines() {
            writeln!(f, "{line}")?;
        }
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        Ok(())
    }
}

impl FromStr for Trace {
    type Err = String;

    fn from_str(text: &str) -> Result<Trace, String> {
        let mut trace = Trace { setup: Setup::default(), steps: Vec::new() };
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            if trace.setup.read(key, value).is_none() {
                trace.steps.push(line.parse()?);
            }
        }
        Ok(trace)
    }
}

fn find<T: Copy>(names: &[(&str, T)], wanted: &str) -> Option<T> {
    names.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value)
}

fn name<T: Copy + PartialEq>(names: &[(&str, T)], wanted: T) -> String {
    let found = names.iter().find(|(_, value)| *value == wanted);
    found.map_or_else(|| panic!("a value without a name"), |(name, _)| (*name).to_owned())
}

const RESTARTS: [(&str, Restart); 3] =
    [("never", Restart::Never), ("on-failure", Restart::OnFailure), ("always", Restart::Always)];

const FORWARD_TO: [(&str, ForwardTo); 2] =
    [("group", ForwardTo::Group), ("child", ForwardTo::Child)];

const STOP_TO: [(&str, StopTo); 3] =
    [("leader-first", StopTo::LeaderFirst), ("group", StopTo::Group), ("leader", StopTo::Leader)];

const SESSIONS: [(&str, Session); 4] = [
    ("group", Session::Group),
    ("own", Session::Own),
    ("own-with-terminal", Session::OwnWithTerminal),
    ("shared", Session::Shared),
];

const LEFTOVERS: [(&str, Leftovers); 6] = [
    ("leave", Leftovers::Leave),
    ("term", Leftovers::Signal(Signal::TERM)),
    ("kill", Leftovers::Kill { orphans: true, asked: false }),
    ("keep-orphans", Leftovers::Kill { orphans: false, asked: false }),
    ("ask", Leftovers::Kill { orphans: true, asked: true }),
    ("ask-group", Leftovers::Kill { orphans: false, asked: true }),
];

const TERMINALS: [(&str, Terminal); 4] = [
    ("none", Terminal::None),
    ("leader", Terminal::Leader),
    ("job", Terminal::Job),
    ("pipeline", Terminal::Pipeline),
];

/// Replays every trace that is kept: each broke a promise once, or shows one well.
#[test]
fn every_trace_that_is_kept_keeps_all_promises_and_does_the_same_twice() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/model/traces");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the folder can be read").path();
        if path.extension().is_none_or(|extension| extension != "trace") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("the trace can be read");
        let trace: Trace = text.parse().unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let (first, second) = (trace.run(), trace.run());
        assert_eq!(first.fault, None, "{path:?}");
        assert_eq!(first, second, "{path:?} does not replay");
        count += 1;
    }
    assert!(count > 0, "no traces in {folder}");
}

#[test]
fn a_trace_is_read_back_as_it_was_written() {
    use crate::op::{Op, When};

    let setup = Setup {
        services: 3,
        restart: Restart::OnFailure,
        max_restarts: Some(2),
        stop_timeout: None,
        leftovers: Leftovers::Kill { orphans: false, asked: false },
        rewrite: Some((Signal::TERM, None)),
        boot: true,
        ..Setup::default()
    };
    let steps = vec![
        Step { when: When::Rest, op: Op::Pass(Duration::from_millis(20)) },
        Step { when: When::Amid(3), op: Op::Exit(1, 2) },
        Step { when: When::Batch, op: Op::Signal(Signal::RTMIN, Some(7), false) },
        Step { when: When::Batch, op: Op::Signal(Signal::INT, None, true) },
    ];
    let trace = Trace { setup, steps };
    assert_eq!(format!("# a comment\n\n{trace}").parse(), Ok(trace));
}

/// `FOSTER_TRACE=file cargo test --test model -- --ignored show --nocapture` tells a trace as it
/// happens.
#[test]
#[ignore = "a tool, not a test"]
fn show() {
    let Ok(path) = std::env::var("FOSTER_TRACE") else {
        println!("nothing to show: FOSTER_TRACE names no trace");
        return;
    };
    let text = std::fs::read_to_string(&path).expect("the trace can be read");
    let trace: Trace = text.parse().expect("the trace can be parsed");
    let mut sim = trace.setup.world();
    for step in &trace.steps {
        println!("{} -- {step}", sim.now());
        sim.world.record = Some(Vec::new());
        sim.step_guarded(*step);
        for (at, action) in sim.world.record.iter().flatten() {
            println!("{at}        {action:?}");
        }
        println!("          {:?}", sim.machine.states().collect::<Vec<_>>());
    }
    println!("{:?}", outcome(&sim));
}
