//! Small worlds, in which everything that can happen does, in every order.
//!
//! A search by breadth: from each state of machine and world together, each thing that can happen
//! is tried, once where foster is told at once, once together with what comes next, and, for what
//! races with foster's own doings, in the midst of these. States that have the same future are
//! seen as one: times count as seen from now, ids are given out again at once.
//!
//! The short search is part of every test run; `FOSTER_DEEPER=n` goes so much deeper, each step
//! of which takes ten times as long.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::rc::Rc;
use std::time::{Duration, Instant};

use foster::config::{ForwardTo, Leftovers, Restart, Session};
use foster::signal::Signal;
use foster::supervisor::State;

use crate::kernel::{Manner, Offspring};
use crate::op::{Op, Step, When};
use crate::tell;
use crate::trace::{Setup, Trace};
use crate::world::Sim;

#[test]
fn one_supervised_service_keeps_all_promises() {
    search("one service", base(1), 4);
}

#[test]
fn two_supervised_services_keep_all_promises() {
    search("two services", base(2), 3);
}

#[test]
fn a_service_that_is_slow_to_start_and_has_no_limit_of_restarts_keeps_all_promises() {
    let restart = Restart::OnFailure;
    search("slow", Setup { max_restarts: None, restart, slow: true, ..base(1) }, 3);
}

#[test]
fn a_service_that_alone_gets_signals_and_keeps_its_orphans_keeps_all_promises() {
    let leftovers = Leftovers::Kill { orphans: false };
    search("child alone", Setup { forward_to: ForwardTo::Child, leftovers, ..base(1) }, 3);
}

#[test]
fn a_command_run_as_init_keeps_all_promises() {
    let restart = Restart::Never;
    let session = Session::Group;
    search("init", Setup { supervised: false, max_restarts: None, restart, session, ..base(1) }, 3);
}

/// A world with short times, all different.
fn base(services: usize) -> Setup {
    Setup {
        services,
        backoff: Duration::from_millis(500),
        backoff_max: Duration::from_millis(1500),
        healthy_after: Duration::from_secs(3),
        max_restarts: Some(1),
        stop_timeout: Some(Duration::from_secs(2)),
        ..Setup::default()
    }
}

/// What a search is made of.
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

fn search(name: &str, setup: Setup, depth: u32) {
    let deeper = std::env::var("FOSTER_DEEPER").map(|text| text.parse().expect("it is a number"));
    let depth: u32 = depth + deeper.unwrap_or(0);
    let start = Instant::now();
    let mut seen = Seen::default();
    let mut reached = Reached::default();
    // The first step is foster's, but for what can come before it.
    let mut started = setup.world();
    started.settle();
    let roots = [setup.world(), started];
    let mut layer: Vec<Node> =
        roots.into_iter().map(|sim| Node { sim, path: None, batched: false }).collect();
    let (mut steps, mut ends) = (0_u64, 0_u64);
    for level in 1..=depth {
        let mut next = Vec::new();
        for node in &layer {
            for step in choices(node) {
                let mut sim = node.sim.clone();
                sim.step_guarded(step);
                steps += 1;
                let path = Some(Rc::new(Link { step, before: node.path.clone() }));
                if let Some(fault) = sim.fault() {
                    fail(name, fault, &setup, path);
                }
                reached.note(&sim);
                if sim.ended.is_some() {
                    ends += 1;
                    continue;
                }
                let batched = step.when != When::Rest;
                if !seen.is_new(&sim, &setup, batched) {
                    continue;
                }
                let node = Node { sim, path, batched };
                if level < depth {
                    next.push(node);
                } else {
                    check_end(name, &setup, node);
                }
            }
        }
        layer = next;
    }
    let (states, time) = (seen.states.len(), start.elapsed().as_secs_f32());
    let size = format!("{states} states, {steps} steps, {ends} ends");
    tell(format_args!("{name}: {size}, depth {depth}, {time:.1} s"));
    reached.check(&setup);
}

/// However it stands, it can be stopped in time.
fn check_end(name: &str, setup: &Setup, node: Node) {
    let mut sim = node.sim;
    for op in [STOP, Op::Pass(Duration::from_secs(30)), Op::End] {
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
        }
        if process.is_ending() {
            told.push(Op::Finish(who));
        } else if process.stuck {
            told.push(Op::Unstick(who));
        } else {
            untold.extend([Op::Linger(who), Op::Stick(who)]);
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

/// Which states of a service were reached: a search that misses one proves nothing about it.
#[derive(Default)]
struct Reached {
    names: HashSet<&'static str>,
}

impl Reached {
    fn note(&mut self, sim: &Sim) {
        self.names.extend(sim.machine.states().map(|state| match state {
            State::Down => "down",
            State::Starting => "starting",
            State::Up { .. } => "up",
            State::Stopping { .. } => "stopping",
            State::Killing { .. } => "killing",
            State::Cleaning { .. } => "cleaning",
            State::Backoff { .. } => "backoff",
            State::Failed => "failed",
        }));
    }

    fn check(&self, setup: &Setup) {
        let mut wanted = vec!["down", "up", "stopping", "killing"];
        if setup.supervised {
            wanted.push("backoff");
        }
        if setup.supervised && setup.leftovers == (Leftovers::Kill { orphans: true }) {
            wanted.push("cleaning");
        }
        if setup.max_restarts.is_some() && setup.services == 1 {
            wanted.push("failed");
        }
        for name in wanted {
            assert!(self.names.contains(name), "the search has not reached {name}");
        }
    }
}

fn fail(name: &str, fault: &str, setup: &Setup, mut path: Option<Rc<Link>>) -> ! {
    let mut steps = Vec::new();
    while let Some(link) = path {
        steps.push(link.step);
        path = link.before.clone();
    }
    steps.reverse();
    let trace = Trace { setup: setup.clone(), steps };
    panic!("{name}: {fault}\n{trace}");
}

const STOP: Op = Op::Signal(Signal::TERM, None, false);

const LITTLE: Duration = Duration::from_millis(70);

const LONG: Duration = Duration::from_secs(4);
