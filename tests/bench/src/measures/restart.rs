//! From the death of a supervised child to the first instructions of its successor.

use std::io;

use super::{MILLISECOND, VERBOSITY};
use crate::{
    bed::{Bed, Running},
    sys,
    table::{Statistic, Table},
};

pub fn run(bed: &Bed) -> io::Result<Vec<Table>> {
    let rounds = bed.effort.pick(40, 8);
    let subjects = bed.supervisors();
    // All of them run side by side, so that a round waits only once for those who hold back.
    let mut running: Vec<Option<Running>> = subjects.iter().map(|_| None).collect();
    let all = bed.rounds(&subjects, 1, rounds, |subject| {
        let index = subjects.iter().position(|one| one.name == subject.name).expect("it is ours");
        let running = match &mut running[index] {
            Some(running) => running,
            empty => empty.insert(bed.start(subject)?),
        };
        running.wait_for_uptime(subject.min_uptime);
        let child = running.children[0].pid;
        let before = sys::now();
        sys::kill(child, libc::SIGKILL)?;
        let back = running.hear(1)?[0];
        Ok(vec![(back.at - before) as f64 / MILLISECOND])
    });
    drop(running);
    bed.sweep()?;

    let how = format!(
        "The driver reads the clock and sends the child SIGKILL; the new child reads the same \
         clock first of all. No backoff; foster holds back a child that ended within \
         100 ms, s6 and runit one that ended within a second, so their children have run for \
         longer, and that of s6 has said that it is ready. \
         The floor is a loop of wait, vfork and exec; {rounds} rounds. {VERBOSITY}"
    );
    let table = Table::new("restart", "Restart of a killed child", how);
    Ok(vec![table.of_statistics("ms", &[Statistic::Median, Statistic::P10], all)])
}
