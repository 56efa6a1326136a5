//! From kill() on the init to the first instructions of its child's handler.

use std::io;

use super::MICROSECOND;
use crate::{
    bed::{Bed, Running},
    sys,
    table::{Statistic, Table},
};

pub fn run(bed: &Bed) -> io::Result<Vec<Table>> {
    let rounds = bed.effort.pick(200_000, 10_000);
    let subjects = bed.inits();
    // All of them run side by side, so that a disturbance meets one as well as another.
    let mut all_running: Vec<Option<Running>> = subjects.iter().map(|_| None).collect();
    let mut signals = vec![0; subjects.len()];
    let all = bed.rounds(&subjects, 20, rounds, |subject| {
        let index = subjects.iter().position(|one| one.name == subject.name).expect("it is ours");
        // A new process now and then, because a program's place in memory is random.
        signals[index] += 1;
        if signals[index] % PER_START == 1 {
            all_running[index] = None;
            let mut running = bed.start(subject)?;
            // The first few warm the caches.
            for _ in 0..5 {
                signal(&mut running)?;
            }
            all_running[index] = Some(running);
        }
        let running = all_running[index].as_mut().expect("the first signal started it");
        Ok(vec![signal(running)? as f64 / MICROSECOND])
    });
    drop(all_running);
    bed.sweep()?;

    let how = format!(
        "The driver reads the clock and calls kill(init, SIGUSR1); the child reads the same clock \
         as the first thing in its handler. {rounds} signals for each, in turn, with a new start \
         after every {PER_START}."
    );
    let table = Table::new("signal", "Signal, kill() to the child's handler", how);
    Ok(vec![table.of_statistics("µs", &[Statistic::P10, Statistic::Median, Statistic::P99], all)])
}

const PER_START: usize = 100;

/// Sends one signal, and says how long it took in nanoseconds.
fn signal(running: &mut Running) -> io::Result<u64> {
    sys::give_way();
    let before = sys::now();
    sys::kill(running.pid, libc::SIGUSR1)?;
    Ok(running.hear(1)?[0].at - before)
}
