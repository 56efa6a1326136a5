//! Small worlds, in which everything that can happen does, in every order.
//!
//! A search by breadth: from each state of machine and world together, each thing that can happen
//! is tried, once where foster is told at once, once together with what comes next, and, for what
//! races with foster's own doings, in the midst of these. States that have the same future are
//! seen as one: times count as seen from now, ids are given out again at once. Some searches also
//! begin from states that lie deeper than they go, and each has to come to the situations that it
//! is there for.
//!
//! The short search is part of every test run; `FOSTER_DEEPER=n` goes so much deeper, each step
//! of which takes ten times as long.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::rc::Rc;
use std::time::{Duration, Instant};

use foster::config::{ForwardTo, Leftovers, Restart, Session, StopTo};
use foster::exit::MachineEnd;
use foster::process::ServiceId;
use foster::signal::Signal;
use foster::supervisor::{Action, Leader, Report, State};

use crate::judge::Judge;
use crate::kernel::{Manner, Offspring};
use crate::op::{Op, Step, When};
use crate::tell;
use crate::trace::{Setup, Trace, outcome};
use crate::world::Sim;

#[test]
fn one_supervised_service_keeps_all_promises() {
    search(&Search {
        name: "one service",
        setup: base(1),
        depth: 4,
        starts: &[
            "fork 0 member; ignore 0; ignore 1; signal 2; exit 0 0",
            "fork 0 member; stick 1; signal 2; due",
        ],
        wanted: &[
            &COMMON,
            &SUPERVISED,
            &[
                "a second INT: killing with a dead leader",
                "a second INT: cleaning",
                "what cannot be killed is given up",
            ],
        ],
    });
}

#[test]
fn two_supervised_services_keep_all_promises() {
    search(&Search {
        name: "two services",
        setup: base(2),
        depth: 4,
        starts: &[
            "ignore 1; exit 0 3; due; exit 0 3",
            "ignore 1; exit 0 3; due; fork 0 escapee; stick 2; exit 0 3",
            "fork 0 member; ignore 0; ignore 2; signal 2; exit 0 0",
            "fork 0 member; stick 2; signal 2; due",
            "fork 1 escapee; stick 0; stick 1; stick 2; signal 15; pass 5s; unstick 1; pass 8s",
        ],
        wanted: &[
            &COMMON,
            &SUPERVISED,
            &[
                "a stop again: down",
                "a stop again: failed",
                "a second INT: cleaning",
                "something happens after one gave up",
                "what cannot be killed is given up",
                "what was given up dies after all",
            ],
        ],
    });
}

#[test]
fn a_service_that_is_slow_to_start_and_has_no_limit_of_restarts_keeps_all_promises() {
    let restart = Restart::OnFailure;
    search(&Search {
        name: "slow",
        setup: Setup {
            max_restarts: None,
            restart,
            slow: true,
            hides: false,
            rows: false,
            scans: false,
            hands: false,
            ..base(1)
        },
        depth: 3,
        starts: &["exit 0 3", "exit 0 3; due", "stick 0; signal 2; due"],
        wanted: &[
            &COMMON,
            &[
                "backoff",
                "cleaning",
                "a start fails",
                "a stop is asked for while a start is under way",
                "a healthy run begins a row anew",
                "a stop: backoff",
            ],
        ],
    });
}

#[test]
fn a_service_that_alone_gets_signals_and_keeps_its_orphans_keeps_all_promises() {
    let leftovers = Leftovers::Kill { orphans: false, asked: false };
    search(&Search {
        name: "child alone",
        setup: Setup { forward_to: ForwardTo::Child, leftovers, ..base(1) },
        depth: 3,
        starts: &["exit 0 3; due", "fork 0 member; stick 1; signal 2", "stick 0; signal 2; due"],
        wanted: &[
            &COMMON,
            &[
                "backoff",
                "failed",
                "a start fails",
                "a healthy run begins a row anew",
                "a service gives up",
                "stopping with a dead leader",
                "killing with a dead leader",
                "an orphan is reaped",
            ],
        ],
    });
}

#[test]
fn a_command_run_as_init_keeps_all_promises() {
    search(&Search {
        name: "init",
        setup: Setup { untold: true, ..init() },
        depth: 3,
        starts: &[
            "fork 0 member; stick 1; signal 15",
            "ignore 0; signal 15; signal 2",
            "stick 0; signal 15; signal 2; due",
        ],
        wanted: &[
            &COMMON,
            &[
                "a start fails",
                "stopping with a dead leader",
                "killing with a dead leader",
                "an orphan is reaped",
            ],
        ],
    });
}

#[test]
fn the_command_of_a_whole_machine_keeps_all_promises() {
    search(&Search {
        name: "machine",
        setup: Setup { boot: true, ..init() },
        depth: 3,
        starts: &[
            "fork 0 escapee; ignore 1; exit 0 3",
            "fork 0 escapee; stick 1; signal 2",
            "fork 0 escapee; stick 1; ignore 0; signal 2; signal 2",
            "fork 0 escapee; stick 1; signal 30; due",
            "stick 0; signal 2; due",
        ],
        wanted: &[&COMMON, &MACHINE],
    });
}

#[test]
fn a_service_of_a_whole_machine_keeps_all_promises() {
    search(&Search {
        name: "machine with a service",
        setup: Setup { boot: true, ..base(1) },
        depth: 3,
        starts: &[
            "fork 0 unmarked; ignore 1; exit 0 3; due; exit 0 3",
            "fork 0 unmarked; stick 1; signal 2",
            "fork 0 unmarked; ignore 0; signal 2",
            "fork 0 unmarked; stick 1; signal 30; due",
            "stick 0; signal 2; due",
        ],
        wanted: &[&COMMON, &MACHINE, &["backoff", "failed", "cleaning", "a service gives up"]],
    });
}

/// What every search has to come to: one that does not proves nothing about it.
const COMMON: [&str; 10] = [
    "down",
    "up",
    "stopping",
    "killing",
    "a stop: up",
    "a stop again: stopping",
    "a stop again: killing",
    "a second INT: stopping",
    "a second INT: killing",
    "a death comes late",
];

/// What a search of supervised services has to come to as well.
const SUPERVISED: [&str; 14] = [
    "stopping with a dead leader",
    "killing with a dead leader",
    "cleaning",
    "backoff",
    "failed",
    "a start fails",
    "a healthy run begins a row anew",
    "a service gives up",
    "a stop: cleaning",
    "a stop: backoff",
    "a stop again: stopping with a dead leader",
    "a stop again: cleaning",
    "a second INT: stopping with a dead leader",
    "an orphan is killed",
];

/// What a search of whole machines has to come to as well.
const MACHINE: [&str; 8] = [
    "all are asked to end",
    "all are killed at the deadline",
    "all are killed by a second INT",
    "all are killed without having been asked",
    "what outlives SIGKILL does not hold up the machine",
    "the machine is switched off",
    "the machine starts anew",
    "the machine is halted",
];

/// A world with short times, all different.
fn base(services: usize) -> Setup {
    Setup {
        services,
        backoff: Duration::from_millis(500),
        backoff_max: Duration::from_millis(1500),
        healthy_after: Duration::from_secs(3),
        max_restarts: Some(1),
        stop_timeout: Some(Duration::from_secs(2)),
        hides: true,
        rows: true,
        scans: true,
        hands: true,
        ..Setup::default()
    }
}

fn init() -> Setup {
    let (restart, session) = (Restart::Never, Session::Group);
    let (forward_to, stop_to) = (ForwardTo::Child, StopTo::LeaderFirst);
    let base = base(1);
    Setup { supervised: false, max_restarts: None, restart, session, forward_to, stop_to, ..base }
}

/// A search, how deep it goes, and what it has to come to.
struct Search {
    name: &'static str,
    setup: Setup,
    depth: u32,
    /// Where it also begins, two steps from its end: what lies too deep for the search itself.
    starts: &'static [&'static str],
    wanted: &'static [&'static [&'static str]],
}

/// What a search is made of.
#[derive(Clone)]
struct Node {
    sim: Sim,
    path: Option<Rc<Link>>,
    /// Whether the last thing that happened is still to be told.
    batched: bool,
}

/// How a state was reached.
struct Link {
    step: Step,
    before: Option<Rc<Link>>,
}

impl Search {
    /// Where it begins, and at which depth.
    fn roots(&self, depth: u32) -> Vec<(u32, Node)> {
        // The first step is foster's, but for what can come before it.
        let first = Node { sim: self.setup.world(), path: None, batched: false };
        let started = self.led(&first, "pass 0us");
        let near = depth.saturating_sub(1).max(1);
        let starts = self.starts.iter().map(|steps| (near, self.led(&started, steps)));
        starts.chain([(1, first), (1, started.clone())]).collect()
    }

    /// The node that some steps lead to.
    fn led(&self, from: &Node, steps: &str) -> Node {
        let mut node = from.clone();
        for step in steps.split("; ") {
            let step: Step = step.parse().expect("it is a step");
            node.sim.step_guarded(step);
            node.path = Some(Rc::new(Link { step, before: node.path }));
            if let Some(fault) = node.sim.fault() {
                fail(self.name, fault, &self.setup, node.path);
            }
        }
        assert_eq!(node.sim.ended, None, "{steps} is the end");
        node
    }
}

fn search(search: &Search) {
    let Search { name, setup, depth, .. } = search;
    let deeper = std::env::var("FOSTER_DEEPER").map(|text| text.parse().expect("it is a number"));
    let depth: u32 = depth + deeper.unwrap_or(0);
    let start = Instant::now();
    let mut seen = Seen::default();
    let mut reached = Reached::default();
    let (mut layer, mut roots) = (Vec::new(), search.roots(depth));
    let (mut steps, mut ends, mut replays) = (0_u64, 0_u64, 0_u64);
    for level in 1..=depth {
        let mut next = Vec::new();
        layer.extend(roots.extract_if(.., |(at, _)| *at == level).map(|(_, node)| node));
        for node in &layer {
            for step in choices(node) {
                let mut sim = node.sim.clone();
                sim.world.record = Some(Vec::new());
                sim.step_guarded(step);
                steps += 1;
                let path = Some(Rc::new(Link { step, before: node.path.clone() }));
                if let Some(fault) = sim.fault() {
                    fail(name, fault, setup, path);
                }
                let done = sim.world.record.take().unwrap_or_default();
                reached.note(&node.sim, step, &sim, &done);
                let batched = step.when != When::Rest;
                if sim.ended.is_none() && !seen.is_new(&sim, setup, batched) {
                    continue;
                }
                let node = Node { sim, path, batched };
                if (seen.states.len() as u64 + ends).is_multiple_of(REPLAYED) {
                    check_replay(search, &node);
                    replays += 1;
                }
                if node.sim.ended.is_some() {
                    ends += 1;
                } else if level < depth {
                    next.push(node);
                } else {
                    check_end(name, setup, node);
                }
            }
        }
        layer = next;
    }
    let (states, time) = (seen.states.len(), start.elapsed().as_secs_f32());
    let size = format!("{states} states, {steps} steps, {ends} ends, {replays} replays");
    tell(format_args!("{name}: {size}, depth {depth}, {time:.1} s"));
    let all: Vec<String> = reached.situations.iter().map(|(a, b)| format!("{a}{b}")).collect();
    let missed = |wanted: &&&str| !all.iter().any(|reached| reached == **wanted);
    let missed: Vec<_> = search.wanted.iter().copied().flatten().filter(missed).collect();
    assert!(missed.is_empty(), "{name} has not come to {missed:#?}, but to {all:#?}");
}

/// All that led here does the same once more.
fn check_replay(search: &Search, node: &Node) {
    let trace = Trace { setup: search.setup.clone(), steps: steps_of(node.path.clone()) };
    assert_eq!(trace.run(), outcome(&node.sim), "this does not replay:\n{trace}");
}

/// However it stands, it can be stopped in time.
fn check_end(name: &str, setup: &Setup, node: Node) {
    let mut sim = node.sim;
    for op in [STOP, Op::Pass(Duration::from_secs(60)), Op::End] {
        sim.step_guarded(Step { when: When::Rest, op });
    }
    if let Some(fault) = sim.fault() {
        fail(name, fault, setup, node.path);
    }
}

/// Everything that can happen next.
fn choices(node: &Node) -> Vec<Step> {
    let sim = &node.sim;
    let mut all = Vec::new();
    let rest = |op| Step { when: When::Rest, op };
    let crowd = sim.world.crowd();
    // What foster is told of: at once, or with what happens next.
    let mut told = vec![STOP, Op::Signal(Signal::INT, None, false)];
    told.push(Op::Signal(Signal::USR1, None, false));
    if sim.machine.config().setup.boot {
        told.push(Op::Signal(Signal::PWR, None, false));
    }
    // What foster is not told of.
    let mut untold = vec![Op::FailStarts(1), Op::Stranger];
    for (who, process) in sim.world.insiders().enumerate() {
        told.push(Op::Exit(who, 0));
        if process.leader {
            told.push(Op::Exit(who, 3));
        }
        if crowd < 2 + sim.machine.config().services.len() {
            let kinds = [Offspring::Member, Offspring::Escapee, Offspring::Daemon];
            untold.extend(kinds.map(|kind| Op::Fork(who, kind)));
            if sim.machine.config().setup.boot {
                untold.push(Op::Fork(who, Offspring::Unmarked));
            }
        }
        if process.is_ending() {
            told.push(Op::Finish(who));
        } else if process.stuck {
            told.push(Op::Unstick(who));
        } else {
            untold.extend([Op::Linger(who), Op::Stick(who), Op::Deny(who)]);
        }
        if process.manner != Manner::Ignore {
            untold.push(Op::Behave(who, Manner::Ignore));
        }
    }
    all.extend(told.iter().copied().map(rest));
    all.extend(untold.into_iter().map(rest));
    if !node.batched {
        all.extend(told.into_iter().map(|op| Step { when: When::Batch, op }));
        // What races with foster: it happens between two things that foster does.
        for when in (0..3).map(When::Amid) {
            for who in 0..crowd {
                all.push(Step { when, op: Op::Exit(who, 0) });
                all.push(Step { when, op: Op::Fork(who, Offspring::Daemon) });
            }
            all.push(Step { when, op: Op::Stranger });
        }
    }
    // Time passes to the next deadline, a little, or long enough for a run to be healthy.
    all.extend([Op::Due, Op::Pass(LITTLE), Op::Pass(LONG)].map(rest));
    all
}

/// The states that were seen, by 64 bits of their fingerprints: among a million states, one is
/// taken for another in one search of 30 million.
#[derive(Default)]
struct Seen {
    states: HashSet<u64>,
    text: String,
}

impl Seen {
    fn is_new(&mut self, sim: &Sim, setup: &Setup, batched: bool) -> bool {
        self.text.clear();
        sim.fingerprint(setup.healthy_after, &mut self.text);
        self.text.push(if batched { 'b' } else { 'r' });
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        self.states.insert(hasher.hash_one(&self.text))
    }
}

/// Which states and which situations a search has come to.
#[derive(Default)]
struct Reached {
    situations: BTreeSet<(&'static str, &'static str)>,
}

impl Reached {
    /// Takes down what a step led to, and what foster did about it.
    fn note(
        &mut self,
        before: &Sim,
        step: Step,
        after: &Sim,
        done: &[(foster::time::Instant, Action)],
    ) {
        let judges = (&before.world.judge, &after.world.judge);
        let at_once = |judge: &Judge| judge.stop.is_some_and(|stop| stop.at_once);
        let hurries = !at_once(judges.0) && at_once(judges.1);
        for (was, is) in before.machine.states().zip(after.machine.states()) {
            self.add("", name_of(is));
            if step.when == When::Rest && !before.machine.is_stopping() && step.op == STOP {
                self.add("a stop: ", name_of(was));
            }
            if step.when == When::Rest && before.machine.is_stopping() && step.op == STOP {
                self.add("a stop again: ", name_of(was));
            }
            if hurries && before.machine.is_stopping() {
                self.add("a second INT: ", name_of(was));
            }
            if was == State::Failed && after.ended.is_none() {
                self.add("", "something happens after one gave up");
            }
        }
        let all: Vec<Action> = done.iter().map(|(_, action)| *action).collect();
        let place = |wanted: fn(&Action) -> bool| all.iter().position(wanted);
        let spawn = place(|action| matches!(action, Action::Spawn { .. }));
        let stop = place(|a| matches!(a, Action::Report(Report::StopRequested { .. })));
        let start = place(|a| {
            matches!(a, Action::Report(Report::Started { .. } | Report::StartFailed { .. }))
        });
        if spawn.is_some() && spawn < stop && stop < start {
            self.add("", "a stop is asked for while a start is under way");
        }
        for action in all {
            if let Some(situation) = situation(action, before, hurries) {
                self.add("", situation);
            }
        }
    }

    fn add(&mut self, what: &'static str, name: &'static str) {
        self.situations.insert((what, name));
    }
}

/// What foster's doing something shows about where it is.
fn situation(action: Action, before: &Sim, hurries: bool) -> Option<&'static str> {
    let judge = &before.world.judge;
    let state = |id: ServiceId| before.machine.states().nth(id.index());
    Some(match action {
        Action::Report(Report::StartFailed { .. }) => "a start fails",
        Action::Report(Report::GaveUp { .. }) => "a service gives up",
        Action::Report(Report::Unkillable { .. }) => "what cannot be killed is given up",
        Action::Report(Report::KillingOrphan { .. }) => "an orphan is killed",
        Action::Report(Report::RestartDue { service, restarts: 1, .. })
            if judge.services[service.index()].restarts > 0 =>
        {
            "a healthy run begins a row anew"
        }
        Action::Report(Report::Ended { service, .. })
            if matches!(state(service), Some(State::Killing { leader: Leader::Alive, .. })) =>
        {
            "a death comes late"
        }
        Action::ReapOrphan { pid, .. } => match judge.leads(pid) {
            Some(service) if judge.services[service.index()].unkillable => {
                "what was given up dies after all"
            }
            Some(_) | None => "an orphan is reaped",
        },
        Action::KillAll { signal: Signal::TERM } => "all are asked to end",
        Action::KillAll { signal: Signal::KILL } => match judge.machine.asked {
            None => "all are killed without having been asked",
            Some(_) if hurries => "all are killed by a second INT",
            Some(_) => "all are killed at the deadline",
        },
        Action::EndMachine { .. } if judge.machine.killed.is_some() => {
            "what outlives SIGKILL does not hold up the machine"
        }
        Action::EndMachine { how: MachineEnd::PowerOff } => "the machine is switched off",
        Action::EndMachine { how: MachineEnd::Reboot } => "the machine starts anew",
        Action::EndMachine { how: MachineEnd::Halt } => "the machine is halted",
        _ => return None,
    })
}

fn name_of(state: State) -> &'static str {
    match state {
        State::Down => "down",
        State::Starting => "starting",
        State::Up { .. } => "up",
        State::Stopping { leader: Leader::Alive, .. } => "stopping",
        State::Stopping { leader: Leader::Dead(_), .. } => "stopping with a dead leader",
        State::Killing { leader: Leader::Alive, .. } => "killing",
        State::Killing { leader: Leader::Dead(_), .. } => "killing with a dead leader",
        State::Cleaning { .. } => "cleaning",
        State::Backoff { .. } => "backoff",
        State::Failed => "failed",
    }
}

fn fail(name: &str, fault: &str, setup: &Setup, path: Option<Rc<Link>>) -> ! {
    let trace = Trace { setup: setup.clone(), steps: steps_of(path) };
    panic!("{name}: {fault}\n{trace}");
}

fn steps_of(mut path: Option<Rc<Link>>) -> Vec<Step> {
    let mut steps = Vec::new();
    while let Some(link) = path {
        steps.push(link.step);
        path = link.before.clone();
    }
    steps.reverse();
    steps
}

/// One in so many states is reached a second time, by the same steps.
const REPLAYED: u64 = 500;

const STOP: Op = Op::Signal(Signal::TERM, None, false);

const LITTLE: Duration = Duration::from_millis(70);

const LONG: Duration = Duration::from_secs(4);
