//! Operations on the machine in its simulated world (tests/model), judged as ever, until it has
//! to end: all that a random world may be, and all that may happen in one, by the bytes of the
//! input instead of by dice. The first bytes make the world, and each following piece makes one
//! thing happen, so that a change in one leaves the others as they are.
#![no_main]
#![allow(dead_code)]

#[path = "../../model/chance.rs"]
mod chance;
#[path = "../../model/judge.rs"]
mod judge;
#[path = "../../model/digest.rs"]
mod digest;
#[path = "../../model/kernel.rs"]
mod kernel;
#[path = "../../model/op.rs"]
mod op;
#[path = "../../model/trace.rs"]
mod trace;
#[path = "../../model/world.rs"]
mod world;

use libfuzzer_sys::fuzz_target;

use chance::Dice;
use op::{Op, Step, When};
use trace::{Setup, Trace};

fuzz_target!(|input: &[u8]| {
    let Some((head, rest)) = input.split_at_checked(SETUP) else { return };
    let setup = setup(&mut dice(head));
    let mut sim = setup.world();
    let mut trace = Trace { setup, steps: Vec::new() };
    let mut happens = |sim: &mut world::Sim, step: Step| {
        trace.steps.push(step);
        sim.step(step);
        assert_eq!(sim.fault(), None, "\n{trace}");
        sim.ended.is_none()
    };
    for bytes in rest.chunks(STEP).take(STEPS) {
        let step = chance::step(&mut dice(bytes), &sim);
        if !happens(&mut sim, step) {
            return;
        }
    }
    happens(&mut sim, Step { when: When::Rest, op: Op::Due });
    for op in chance::ending(&sim) {
        if !happens(&mut sim, Step { when: When::Rest, op }) {
            return;
        }
    }
});

fn dice(bytes: &[u8]) -> Dice {
    Dice::Bytes(bytes.iter().copied().collect())
}

/// Any world; large ones are slow, and rare.
fn setup(dice: &mut Dice) -> Setup {
    match dice.between(0, 31) {
        0..10 => chance::init(dice),
        10..31 => {
            let services = dice.between(1, 4) as usize;
            chance::supervised(dice, services)
        }
        _ => {
            let services = dice.between(5, 50) as usize;
            chance::supervised(dice, services)
        }
    }
}

/// How many bytes make a world, and how many make one thing happen: as many as are ever read.
const SETUP: usize = 36;
const STEP: usize = 9;

/// How much happens at the most.
const STEPS: usize = 300;
