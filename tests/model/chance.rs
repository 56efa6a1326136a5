//! Any world, and anything that can happen in it, by the roll of dice.

use std::collections::VecDeque;
use std::time::Duration;

use foster::config::{ForwardTo, Leftovers, Restart, Session, StopTo};
use foster::signal::Signal;

use crate::kernel::Manner;
use crate::op::{KINDS, Op, Step, When};
use crate::trace::Setup;
use crate::world::{Sim, Terminal};

/// `foster --wrap ... --wrap ...`, with so many services.
pub fn supervised(dice: &mut Dice, services: usize) -> Setup {
    let times = [0, 1, 10, 500, 3000, 10_000, 60_000].map(Duration::from_millis);
    let (one, other) = (*dice.pick(&times), *dice.pick(&times));
    let stop_to = [StopTo::Group, StopTo::LeaderFirst, StopTo::Leader];
    let (roll, last);
    Setup {
        services,
        supervised: true,
        restart: *dice.pick(&[
            Restart::Always,
            Restart::Always,
            Restart::OnFailure,
            Restart::Never,
        ]),
        backoff: one.min(other),
        backoff_max: one.max(other),
        healthy_after: *dice.pick(&times),
        max_restarts: dice.one_in(4).then(|| dice.between(0, 20)),
        stop_signal: dice.one_in(4).then_some(Signal::QUIT),
        stop_timeout: (!dice.one_in(6)).then(|| *dice.pick(&times)),
        forward_to: *dice.pick(&[ForwardTo::Group, ForwardTo::Group, ForwardTo::Child]),
        session: *dice.pick(&[Session::Own, Session::Own, Session::Group]),
        leftovers: match dice.between(1, 5) {
            1 => Leftovers::Kill { orphans: false, asked: false },
            2 => Leftovers::Kill { orphans: true, asked: true },
            _ => Leftovers::Kill { orphans: true, asked: false },
        },
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
        hides: dice.one_in(2),
        rows: dice.one_in(2),
        scans: dice.one_in(2),
        slow: {
            roll = dice.between(0, 23);
            last = roll % 8;
            last % 4 == 0
        },
        // One roll for all: an input of the fuzzer has so many bytes, and means what it meant.
        stop_to: stop_to[roll as usize / 8],
        hands: last < 4,
        untold: last < 2,
        badges: roll % 3 == 0,
    }
    .consistent()
}

/// `foster COMMAND`, or one of its kin.
pub fn init(dice: &mut Dice) -> Setup {
    let base = supervised(dice, 1);
    let leftovers = [
        Leftovers::Kill { orphans: true, asked: false },
        Leftovers::Kill { orphans: true, asked: true },
        Leftovers::Leave,
        Leftovers::Signal(Signal::TERM),
    ];
    let sessions =
        [Session::Group, Session::Group, Session::Own, Session::OwnWithTerminal, Session::Shared];
    Setup {
        supervised: false,
        restart: Restart::Never,
        max_restarts: None,
        leftovers: *dice.pick(&leftovers),
        session: *dice.pick(&sessions),
        terminal: *dice.pick(&[
            Terminal::None,
            Terminal::Job,
            Terminal::Leader,
            Terminal::Pipeline,
        ]),
        halts: dice.one_in(5),
        ..base
    }
    .consistent()
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

/// Anything that can happen.
pub fn step(dice: &mut Dice, sim: &Sim) -> Step {
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
        84..86 => Op::Unstick(who),
        86 => Op::Deny(who),
        87..89 => Op::Linger(who),
        89..92 => Op::Finish(who),
        92 => Op::Halt(who),
        93 => Op::Resume(who),
        94 if roomy => Op::Stranger,
        94..96 => Op::StrangerGoes,
        96 if roomy => Op::Exec,
        97 => Op::FailStarts(dice.between(0, 3)),
        98 => Op::Blind(dice.one_in(2)),
        99 if sim.world.has_terminal() => match dice.between(0, 19) {
            0 => Op::HangUp,
            _ => Op::Use(who),
        },
        _ => Op::Due,
    };
    let op = match op {
        // Init is done when its command is: a world that is to be long spares it.
        Op::Exit(who, _) | Op::Die(who, _) if is_command(sim, who) && !dice.one_in(20) => {
            Op::Behave(who, Manner::Ignore)
        }
        op => op,
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

/// What ends any world: nothing hangs any more, and whoever waits is impatient.
pub fn ending(sim: &Sim) -> Vec<Op> {
    let mut all = Vec::new();
    // From the last to the first, as whoever goes leaves the places before his as they are.
    let crowd = sim.world.kernel.all().count();
    all.extend((0..crowd).rev().flat_map(|who| [Op::Unstick(who), Op::Finish(who)]));
    all.extend([Op::Signal(Signal::QUIT, None, false), Op::Signal(Signal::TERM, None, false)]);
    // INT may be rewritten or dropped, and then only the patient get anywhere.
    let patient = sim.machine.config().services[0].policy.stop.timeout.is_none();
    let times = if patient { 2 } else { 0 };
    all.extend([Op::Signal(Signal::INT, None, false)].repeat(times));
    // More than once, as whoever comes meanwhile takes someone's place.
    let killed = |who| [Op::Unstick(who), Op::Finish(who), Op::Die(who, Signal::KILL)];
    let most = crowd + sim.world.still_to_come();
    let kill: Vec<Op> = (0..most).rev().flat_map(killed).collect();
    all.extend(kill.repeat(times));
    // A TSTP that was under way may have stopped foster once more; and somebody may come just when
    // it goes on.
    all.extend([Op::Signal(Signal::CONT, None, false); 5]);
    // The last one goes when nobody comes any more.
    all.extend([Op::Calm, Op::Signal(Signal::CONT, None, false)]);
    all.extend(kill.repeat(times));
    all.extend([Op::Pass(Duration::from_secs(200)), Op::End]);
    all
}

/// Whether this names the one command that foster runs.
fn is_command(sim: &Sim, who: usize) -> bool {
    let crowd = sim.world.crowd();
    !sim.machine.config().services[0].policy.kept
        && !sim.machine.is_stopping()
        && crowd > 0
        && sim.world.insiders().nth(who % crowd).is_some_and(|process| process.leader)
}

/// A source of numbers: random enough (splitmix64) and the same for each seed, or one after the
/// other from bytes, then nothing but zeros.
pub enum Dice {
    Seed(u64),
    Bytes(VecDeque<u8>),
}

impl Dice {
    /// A number below `count`.
    fn roll(&mut self, count: u32) -> u32 {
        match self {
            Dice::Seed(seed) => {
                *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mut word = *seed;
                word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                ((word ^ (word >> 31)) % u64::from(count)) as u32
            }
            Dice::Bytes(bytes) => {
                let mut next = || u32::from(bytes.pop_front().unwrap_or(0));
                let low = next();
                (if count > 256 { low | next() << 8 } else { low }) % count
            }
        }
    }

    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.roll(high - low + 1)
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
        let stops = [
            Signal::TERM,
            Signal::INT,
            Signal::INT,
            Signal::QUIT,
            Signal::PWR,
            Signal::INT,
            Signal::INT,
            Signal::TERM,
        ];
        let signal = match self.between(0, 19) {
            0 => *self.pick(&stops),
            1..5 => Signal::CONT,
            5..7 => Signal::TSTP,
            7..12 => *self.pick(&[Signal::HUP, Signal::USR1, Signal::USR2, Signal::WINCH]),
            12..15 => Signal::RTMIN,
            _ => {
                let any = self.between(1, 64) as i32;
                Signal::new(any).filter(|s| !UNSENT.contains(s)).unwrap_or(Signal::WINCH)
            }
        };
        let value = signal.is_real_time().then(|| u64::from(self.between(0, 9)));
        Op::Signal(signal, value, self.one_in(10))
    }
}

/// What foster cannot catch, what it is not told, and what stops it.
const UNSENT: [Signal; 7] = [
    Signal::KILL,
    Signal::STOP,
    Signal::CHLD,
    Signal::TERM,
    Signal::INT,
    Signal::QUIT,
    Signal::PWR,
];

/// The fuzz target depends on it.
#[test]
fn bytes_are_dice_too_until_they_are_used_up() {
    let mut dice = Dice::Bytes([7, 1, 2].into());
    let rolled = [dice.between(0, 9), dice.between(0, 299), dice.between(5, 9)];
    assert_eq!(rolled, [7, (1 + 2 * 256) % 300, 5]);
}
