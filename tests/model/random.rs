//! Long worlds in which anything happens, by seed: a million events in each test. A broken promise
//! is made short, printed, and saved as a trace.

use std::cell::Cell;
use std::fmt::Write;
use std::sync::Once;

use foster::signal::Signal;

use crate::chance::{Dice, ending, init, step, supervised};
use crate::op::{Op, Step, When};
use crate::tell;
use crate::trace::{Outcome, Setup, Trace, outcome};
use crate::world::Sim;

#[test]
fn small_supervised_worlds_keep_all_promises() {
    try_worlds("small", |dice| {
        let services = dice.between(1, 3) as usize;
        supervised(dice, services)
    });
}

#[test]
fn supervised_worlds_of_up_to_fifty_services_keep_all_promises() {
    try_worlds("large", |dice| {
        let services = dice.between(4, 50) as usize;
        supervised(dice, services)
    });
}

#[test]
fn init_worlds_keep_all_promises() {
    try_worlds("init", init);
}

/// Runs worlds, one seed after the other, until enough has happened.
fn try_worlds(name: &str, setup: impl Fn(&mut Dice) -> Setup) {
    let number = |name: &str, usual: u64| {
        std::env::var(name).map_or(usual, |text| text.parse().expect("it is a number"))
    };
    let (first, wanted) = (number("FOSTER_SEED", 1), number("FOSTER_EVENTS", EVENTS));
    let (mut events, mut seed) = (0, first);
    while events < wanted {
        let mut dice = Dice::Seed(seed);
        let trace = Trace { setup: setup(&mut dice), steps: Vec::new() };
        events += try_world(name, seed, trace, &mut dice);
        seed += 1;
    }
    tell(format_args!("{name}: {events} events in {} worlds from seed {first}", seed - first));
}

/// Runs one world, then runs its trace again; gives how much happened in it.
fn try_world(name: &str, seed: u64, mut trace: Trace, dice: &mut Dice) -> u64 {
    let mut sim = trace.setup.world();
    for _ in 0..dice.between(10, STEPS) {
        let step = step(dice, &sim);
        if !happens(&mut sim, &mut trace, step) {
            break;
        }
    }
    let length = trace.steps.len();
    wind_up(&mut sim, &mut trace);
    let outcome = outcome(&sim);
    if outcome.fault.is_some() {
        let tail = trace.steps.len() - length;
        fail(name, seed, trace, tail);
    }
    assert_replays(&trace, &outcome);
    sim.world.events
}

/// Each trace does the same when it runs again.
fn assert_replays(trace: &Trace, outcome: &Outcome) {
    assert_eq!(trace.run(), *outcome, "this does not replay:\n{trace}");
}

/// Lets something happen; says whether the world goes on.
fn happens(sim: &mut Sim, trace: &mut Trace, step: Step) -> bool {
    trace.steps.push(step);
    sim.step_guarded(step);
    sim.ended.is_none() && sim.fault().is_none()
}

/// Ends a world, however it stands.
fn wind_up(sim: &mut Sim, trace: &mut Trace) {
    // What happened last may still be untold, and the first start not made.
    let go_on = Op::Signal(Signal::CONT, None, false);
    let mut lives = happens(sim, trace, Step { when: When::Rest, op: go_on });
    for op in ending(sim) {
        lives = lives && happens(sim, trace, Step { when: When::Rest, op });
    }
}

/// Makes a broken promise short, saves it, and fails.
fn fail(name: &str, seed: u64, trace: Trace, tail: usize) -> ! {
    let trace = quietly(|| trace.shrunk(tail));
    let fault = trace.run().fault.unwrap_or_default();
    let mut text = String::new();
    let _ = write!(text, "# {name}, seed {seed}: {fault}\n{trace}");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/model/traces");
    let path = format!("{folder}/{name}-{seed}.trace");
    let saved = std::fs::write(&path, &text);
    panic!("{path} ({saved:?}):\n{text}");
}

/// Does something without a word of the panics in it: what panics does so again and again while it
/// is being made short. Other tests run beside this one, and theirs are told as ever.
fn quietly<T>(act: impl FnOnce() -> T) -> T {
    thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                usual(panic);
            }
        }));
    });
    QUIET.set(true);
    let done = act();
    QUIET.set(false);
    done
}

/// How many events foster is to be told in each test.
const EVENTS: u64 = 1_000_000;

/// How long a world may be.
const STEPS: u32 = 2_000;
