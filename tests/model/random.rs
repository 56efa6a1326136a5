//! Long worlds in which anything happens, by seed: a million events in each test. A broken promise
//! is made short, printed, and saved as a trace.

use std::cell::Cell;
use std::fmt::Write;
use std::sync::Once;
use std::time::Duration;

use crate::world::Terminal;
use foster::config::{ForwardTo, Leftovers, Restart, Session};
use foster::signal::Signal;

use crate::kernel::Manner;
use crate::op::{KINDS, Op, Step, When};
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
    try_worlds("init", |dice| {
        let base = supervised(dice, 1);
        let leftovers = [
            Leftovers::Kill { orphans: true },
            Leftovers::Kill { orphans: true },
            Leftovers::Leave,
            Leftovers::Signal(Signal::TERM),
        ];
        let sessions = [
            Session::Group,
            Session::Group,
            Session::Own,
            Session::OwnWithTerminal,
            Session::Shared,
        ];
        Setup {
            supervised: false,
            restart: Restart::Never,
            max_restarts: None,
            leftovers: *dice.pick(&leftovers),
            session: *dice.pick(&sessions),
            terminal: *dice.pick(&[Terminal::None, Terminal::Job, Terminal::Leader]),
            halts: dice.one_in(5),
            ..base
        }
        .consistent()
    });
}

impl Setup {
    /// Without what the judge cannot follow, and nobody can ask for.
    fn consistent(mut self) -> Setup {
        // A service that gives up stops the others in the middle of a turn: a death that is told
        // in the same turn may be one or the other.
        self.eager &= self.max_restarts.is_none();
        // A child in foster's own group is waited for alone.
        if self.session == Session::Shared && matches!(self.leftovers, Leftovers::Kill { .. }) {
            self.leftovers = Leftovers::Signal(Signal::TERM);
        }
        self
    }
}

fn supervised(dice: &mut Dice, services: usize) -> Setup {
    let times = [0, 1, 10, 500, 3000, 10_000, 60_000].map(Duration::from_millis);
    let (one, other) = (*dice.pick(&times), *dice.pick(&times));
    Setup {
        services,
        supervised: true,
        restart: *dice.pick(&[
            Restart::Always,
            Restart::Always,
            Restart::OnFailure,
            Restart::Never,
        ]),
        // With no delay at all the start of what fails to start would never end.
        backoff: one.min(other).max(Duration::from_millis(1)),
        backoff_max: one.max(other).max(Duration::from_millis(1)),
        healthy_after: *dice.pick(&times),
        max_restarts: dice.one_in(4).then(|| dice.between(0, 20)),
        stop_signal: dice.one_in(4).then_some(Signal::QUIT),
        stop_timeout: (!dice.one_in(6)).then(|| *dice.pick(&times)),
        forward_to: *dice.pick(&[ForwardTo::Group, ForwardTo::Group, ForwardTo::Child]),
        session: *dice.pick(&[Session::Own, Session::Own, Session::Group]),
        leftovers: Leftovers::Kill { orphans: !dice.one_in(5) },
        terminal: if dice.one_in(5) { Terminal::Job } else { Terminal::None },
        success: dice.one_in(3).then_some(143),
        rewrite: dice.one_in(4).then(|| {
            *dice.pick(&[
                (Signal::HUP, Some(Signal::USR1)),
                (Signal::USR2, None),
                (Signal::TERM, Some(Signal::INT)),
                (Signal::INT, None),
                (Signal::HUP, Some(Signal::TERM)),
            ])
        }),
        halts: false,
        boot: dice.one_in(4),
        eager: dice.one_in(2),
        slow: dice.one_in(4),
    }
    .consistent()
}

/// Runs worlds, one seed after the other, until enough has happened.
fn try_worlds(name: &str, setup: impl Fn(&mut Dice) -> Setup) {
    let number = |name: &str, usual: u64| {
        std::env::var(name).map_or(usual, |text| text.parse().expect("it is a number"))
    };
    let (first, wanted) = (number("FOSTER_SEED", 1), number("FOSTER_EVENTS", EVENTS));
    let (mut events, mut seed) = (0, first);
    while events < wanted {
        let mut dice = Dice(seed);
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
        let step = chance(dice, &sim);
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

/// Ends a world: nothing hangs any more, and whoever waits is impatient.
fn wind_up(sim: &mut Sim, trace: &mut Trace) {
    let mut all = vec![Op::Signal(Signal::CONT, None, false)];
    // From the last to the first, as whoever goes leaves the places before his as they are.
    let crowd = sim.world.kernel.all().count();
    all.extend((0..crowd).rev().flat_map(|who| [Op::Unstick(who), Op::Finish(who)]));
    all.extend([Op::Signal(Signal::QUIT, None, false), Op::Signal(Signal::TERM, None, false)]);
    if sim.machine.config().stop.timeout.is_none() {
        // INT may be rewritten or dropped, and then only the patient get anywhere.
        for _ in 0..2 {
            all.push(Op::Signal(Signal::INT, None, false));
        }
        // More than once, as what is started meanwhile takes someone's place.
        let killed = |who| [Op::Unstick(who), Op::Finish(who), Op::Die(who, Signal::KILL)];
        all.extend((0..3).flat_map(|_| (0..crowd).rev()).flat_map(killed));
    }
    // A TSTP that was under way may have stopped foster once more.
    all.extend([Op::Signal(Signal::CONT, None, false); 5]);
    all.extend([Op::Pass(Duration::from_secs(200)), Op::End]);
    for op in all {
        if !happens(sim, trace, Step { when: When::Rest, op }) {
            break;
        }
    }
}

/// Anything that can happen.
fn chance(dice: &mut Dice, sim: &Sim) -> Step {
    let crowd = sim.world.kernel.all().count();
    let who = dice.between(0, 999) as usize;
    let roomy = crowd < 10 + 4 * sim.machine.config().services.len();
    let op = match dice.between(0, 99) {
        0..15 => Op::Pass(dice.time()),
        15..25 => Op::Due,
        25 => Op::Stall(dice.time()),
        26..38 => dice.signal(),
        38..50 => Op::Exit(who, *dice.pick(&[0, 1, 3, 143])),
        50..54 => Op::Die(who, *dice.pick(&[Signal::KILL, Signal::TERM, Signal::HUP])),
        54..74 if roomy => Op::Fork(who, *dice.pick(&KINDS)),
        54..74 => Op::Exit(who, 0),
        74..77 => Op::Escape(who),
        77..82 => Op::Behave(who, dice.manner()),
        82..84 => Op::Stick(who),
        84..87 => Op::Unstick(who),
        87..89 => Op::Linger(who),
        89..92 => Op::Finish(who),
        92 => Op::Halt(who),
        93 => Op::Resume(who),
        94 if roomy => Op::Stranger,
        94..96 => Op::StrangerGoes,
        96 if roomy => Op::Exec,
        97 => Op::FailStarts(dice.between(0, 3)),
        98 => Op::Blind(dice.one_in(2)),
        _ => Op::Due,
    };
    // Time passes while foster waits; what marks can be read does not change while it looks.
    let when = match op {
        Op::Pass(_) | Op::Due => When::Rest,
        Op::Stall(_) | Op::Blind(_) => *dice.pick(&[When::Rest, When::Batch]),
        _ => match dice.between(0, 9) {
            0..6 => When::Rest,
            6..9 => When::Batch,
            _ => When::Amid(dice.between(0, 4)),
        },
    };
    Step { when, op }
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

/// A source of numbers that are random enough (splitmix64) and the same for each seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    fn between(&mut self, low: u32, high: u32) -> u32 {
        low + (self.roll() % u64::from(high - low + 1)) as u32
    }

    fn one_in(&mut self, count: u32) -> bool {
        self.between(1, count) == 1
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.between(0, all.len() as u32 - 1) as usize]
    }

    fn time(&mut self) -> Duration {
        let unit = *self.pick(&[1, 1000, 100_000, 1_000_000]);
        Duration::from_micros(u64::from(self.between(0, 12)) * unit)
    }

    fn manner(&mut self) -> Manner {
        match self.between(0, 2) {
            0 => Manner::Default,
            1 => Manner::Ignore,
            _ => Manner::Tidy(self.time(), *self.pick(&[0, 3, 143])),
        }
    }

    fn signal(&mut self) -> Op {
        // Stops are rare, or every world would be short.
        let stops = [Signal::TERM, Signal::INT, Signal::INT, Signal::QUIT];
        let signal = match self.between(0, 19) {
            0 => *self.pick(&stops),
            1..5 => Signal::CONT,
            5..7 => Signal::TSTP,
            7..12 => *self.pick(&[Signal::HUP, Signal::USR1, Signal::USR2, Signal::WINCH]),
            12..15 => Signal::RTMIN,
            _ => {
                let any = self.between(1, 64) as i32;
                Signal::new(any).filter(|s| !UNSENT.contains(s)).unwrap_or(Signal::PWR)
            }
        };
        let value = signal.is_real_time().then(|| u64::from(self.between(0, 9)));
        Op::Signal(signal, value, self.one_in(10))
    }
}

/// What foster cannot catch, what it is not told, and what stops it.
const UNSENT: [Signal; 6] =
    [Signal::KILL, Signal::STOP, Signal::CHLD, Signal::TERM, Signal::INT, Signal::QUIT];

/// How many events foster is to be told in each test.
const EVENTS: u64 = 1_000_000;

/// How long a world may be.
const STEPS: u32 = 2_000;
