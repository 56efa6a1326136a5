//! Operations on the machine in its simulated world (tests/model), judged as ever: each input is
//! a setup and a list of things that happen, three bytes each.
#![no_main]
#![allow(dead_code)]

#[path = "../../model/judge.rs"]
mod judge;
#[path = "../../model/kernel.rs"]
mod kernel;
#[path = "../../model/op.rs"]
mod op;
#[path = "../../model/trace.rs"]
mod trace;
#[path = "../../model/world.rs"]
mod world;

use std::time::Duration;

use foster::config::{ForwardTo, Leftovers, Restart, Session};
use foster::signal::Signal;
use libfuzzer_sys::fuzz_target;

use kernel::Manner;
use op::{KINDS, Op, Step, When};
use trace::{Setup, Trace};

fuzz_target!(|input: &[u8]| {
    let Some((head, rest)) = input.split_at_checked(4) else { return };
    let setup = setup([head[0], head[1], head[2], head[3]]);
    let steps = rest.chunks_exact(3).take(400).map(|b| step([b[0], b[1], b[2]])).collect();
    let trace = Trace { setup, steps };
    let outcome = trace.run();
    assert_eq!(outcome.fault, None, "\n{trace}");
});

fn setup(bytes: [u8; 4]) -> Setup {
    let [a, b, c, d] = bytes;
    let supervised = a % 4 != 0;
    let max_restarts = (b % 4 == 0).then_some(u32::from(b >> 4));
    let orphans = b & 2 == 0;
    Setup {
        services: if supervised { 1 + usize::from(a >> 5) } else { 1 },
        supervised,
        restart: match (supervised, a / 4 % 4) {
            (false, _) | (true, 0) => Restart::Never,
            (true, 1) => Restart::OnFailure,
            (true, _) => Restart::Always,
        },
        max_restarts: max_restarts.filter(|_| supervised),
        backoff: Duration::from_millis(1 + u64::from(c >> 4) * 100),
        backoff_max: Duration::from_millis(1600 + u64::from(c & 15) * 1000),
        healthy_after: Duration::from_millis(u64::from(d >> 4) * 500),
        stop_timeout: (d % 16 != 0).then(|| Duration::from_millis(u64::from(d % 16) * 700)),
        forward_to: if a & 16 == 0 { ForwardTo::Group } else { ForwardTo::Child },
        session: if supervised { Session::Own } else { Session::Group },
        leftovers: Leftovers::Kill { orphans },
        eager: max_restarts.is_none() && b & 1 == 1,
        slow: a & 8 != 0,
        ..Setup::default()
    }
}

fn step(bytes: [u8; 3]) -> Step {
    let [kind, who, more] = bytes;
    let (who, number) = (usize::from(who), u64::from(more));
    let time = Duration::from_millis(number * number);
    let op = match kind % 24 {
        0..4 => Op::Due,
        4..6 => Op::Pass(time),
        6 => Op::Stall(time),
        7 => {
            // SIGKILL, SIGSTOP and SIGCHLD are never told; a stop of foster itself is no topic.
            let signal = Signal::new(i32::from(more % 64) + 1).unwrap_or(Signal::HUP);
            let told = ![Signal::KILL, Signal::STOP, Signal::CHLD].contains(&signal);
            Op::Signal(if told { signal } else { Signal::TERM }, None, false)
        }
        8..11 => Op::Exit(who, u32::from(more % 4)),
        11 => Op::Die(who, if more % 2 == 0 { Signal::KILL } else { Signal::HUP }),
        12..15 => Op::Fork(who, KINDS[usize::from(more) % KINDS.len()]),
        15 => Op::Escape(who),
        16 => Op::Behave(
            who,
            match more % 3 {
                0 => Manner::Default,
                1 => Manner::Ignore,
                _ => Manner::Tidy(time, 0),
            },
        ),
        17 if more % 2 == 0 => Op::Stick(who),
        17 => Op::Unstick(who),
        18 if more % 2 == 0 => Op::Linger(who),
        18 => Op::Finish(who),
        19 => Op::Resume(who),
        20 => Op::Stranger,
        21 => Op::StrangerGoes,
        22 => Op::Exec,
        _ => Op::FailStarts(u32::from(more % 4)),
    };
    let when = match op {
        Op::Pass(_) | Op::Due => When::Rest,
        Op::Stall(_) => if kind & 128 == 0 { When::Rest } else { When::Batch },
        _ => match kind >> 6 {
            0 | 1 => When::Rest,
            2 => When::Batch,
            _ => When::Amid(u32::from(more >> 6)),
        },
    };
    Step { when, op }
}
