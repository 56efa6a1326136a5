//! The resident memory of an init that has nothing to do.

use std::io;

use super::VERBOSITY;
use crate::{
    bed::Bed,
    procfs,
    table::{Column, Statistic, Table},
};

pub fn run(bed: &Bed) -> io::Result<Vec<Table>> {
    let rounds = bed.effort.pick(9, 3);
    let subjects: Vec<_> = bed.subjects.iter().collect();
    let all = bed.rounds(&subjects, 1, rounds, |subject| {
        let running = bed.start(subject)?;
        Ok(vec![procfs::memory(running.pid)?])
    });
    bed.sweep()?;

    let how = format!(
        "One child that sleeps; Rss and Private_Dirty in /proc/PID/smaps_rollup once the init has \
         come to rest, in kB of 1,024 bytes, median of {rounds} starts. s6: s6-supervise alone; \
         runit: runsv alone. {VERBOSITY}"
    );
    let mut table = Table::new("memory", "Resident memory, idle", how);
    table.columns =
        vec![Column { name: "resident", unit: "kB" }, Column { name: "private dirty", unit: "kB" }];
    for series in all {
        let figures = series.samples.map(|samples| {
            let median = |part: fn(&procfs::Memory) -> f64| {
                Statistic::Median.of(&samples.iter().map(part).collect::<Vec<_>>())
            };
            vec![median(|memory| memory.resident), median(|memory| memory.private_dirty)]
        });
        table.push(series.subject, figures);
    }
    Ok(vec![table])
}
