//! Whether an init with nothing to do does nothing.

use std::{io, time::Duration};

use crate::{
    bed::{Bed, Gap},
    procfs,
    table::{Column, Table},
};

pub fn run(bed: &Bed) -> io::Result<Vec<Table>> {
    let seconds = bed.effort.pick(10, 3);
    let mut alive = Vec::new();
    let mut how = format!("Context switches of the init in {seconds} s over a child that sleeps.");
    if seconds != 10 {
        how += " Given for 10 s.";
    }
    let mut table = Table::new("idle", "Idle, context switches", how);
    table.columns = vec![Column { name: "in 10 s", unit: "" }];

    // All of them at once: who is idle does not disturb the others.
    for subject in &bed.subjects {
        if let Some(gap) = bed.absence(subject) {
            alive.push((subject, Err(gap)));
            continue;
        }
        let started = bed.start(subject).and_then(|running| {
            let before = procfs::context_switches(running.pid)?;
            Ok((running, before))
        });
        alive.push((subject, started.map_err(Gap::from)));
    }
    std::thread::sleep(Duration::from_secs(seconds));
    for (subject, started) in alive {
        let figures = started.and_then(|(running, before)| {
            let after = procfs::context_switches(running.pid)?;
            Ok(vec![(after - before) as f64 * 10.0 / seconds as f64])
        });
        table.push(subject, figures);
    }
    bed.sweep()?;
    Ok(vec![table])
}
