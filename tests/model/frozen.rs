//! What foster does in each scenario and in 3,000 random worlds, as numbers in the file beside this
//! one. A commit that is to change nothing leaves that file alone; one that changes behaviour on
//! purpose writes it anew, by `FOSTER_FREEZE=1 cargo test --test model`, and says why.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::{env, fs, thread};

use crate::chance::{Dice, init, step, supervised};
use crate::digest::Digest;
use crate::trace::Setup;
use crate::world::World;

/// The worlds of a scenario, one after the other in each test.
impl Drop for World {
    fn drop(&mut self) {
        let thread = thread::current();
        let name = thread.name().unwrap_or_default();
        if self.record.is_some() && name.starts_with("scenarios::") && !thread::panicking() {
            let count = WORLDS.with(|count| count.replace(count.get() + 1));
            assert_frozen(&format!("{name} {count}"), self.digest);
        }
    }
}

thread_local!(static WORLDS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) });

#[test]
fn random_worlds_go_as_they_went() {
    let small = |dice: &mut Dice| {
        let services = dice.between(1, 3) as usize;
        supervised(dice, services)
    };
    let large = |dice: &mut Dice| {
        let services = dice.between(4, 50) as usize;
        supervised(dice, services)
    };
    run_worlds("small", small);
    run_worlds("large", large);
    run_worlds("init", init);
}

/// A thousand of a kind, in ten parts, so that a difference is known to be common or rare.
fn run_worlds(kind: &str, setup: impl Fn(&mut Dice) -> Setup) {
    for hundred in 0..10 {
        let mut all = Digest::default();
        for seed in hundred * 100..(hundred + 1) * 100 {
            let mut dice = Dice::Seed(seed);
            let mut sim = setup(&mut dice).world();
            for _ in 0..STEPS {
                let step = step(&mut dice, &sim);
                sim.step_guarded(step);
                if sim.ended.is_some() {
                    break;
                }
            }
            assert_eq!(sim.fault(), None, "{kind}, seed {seed}: a promise was broken");
            all.add(sim.world.digest, sim.ended);
        }
        assert_frozen(&format!("random {kind} {hundred}00"), all);
    }
}

#[track_caller]
fn assert_frozen(name: &str, digest: Digest) {
    let known: BTreeMap<_, _> = FROZEN.lines().filter_map(|line| line.rsplit_once(' ')).collect();
    let now = digest.to_string();
    match env::var("FOSTER_FREEZE").as_deref() {
        Ok("1") => write_down(name, &now),
        // A deliberate bug is to be found by somebody who knows that it is one.
        Ok("0") => {}
        _ => {
            let before = known.get(name).copied().unwrap_or("not frozen");
            assert_eq!(now, before, "{name}: foster does something else than before (frozen.rs)");
        }
    }
}

fn write_down(name: &str, digest: &str) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model/frozen.txt");
    let text = fs::read_to_string(&path).expect("it is there");
    let mut lines: BTreeMap<_, _> = text.lines().filter_map(|line| line.rsplit_once(' ')).collect();
    lines.insert(name, digest);
    let text: String = lines.iter().map(|(name, digest)| format!("{name} {digest}\n")).collect();
    fs::write(&path, text).expect("it can be written");
}

const FROZEN: &str = include_str!("frozen.txt");

/// How long each world is.
const STEPS: u32 = 50;
