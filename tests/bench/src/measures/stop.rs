//! From SIGTERM to the end of the init, over a child that ends at once.

use std::io;

use super::{MILLISECOND, VERBOSITY};
use crate::{
    bed::{Bed, Series},
    subjects::Subject,
    table::{Statistic, Table},
};

pub fn run(bed: &Bed) -> io::Result<Vec<Table>> {
    let rounds = bed.effort.pick(300, 30);
    let how = format!(
        "kill(init, SIGTERM) to the end of waitpid. The child does nothing about SIGTERM, so it \
         dies at once; {rounds} rounds. {VERBOSITY}"
    );
    let inits = Table::new("stop", "Stop of an init", how).of_statistics(
        "ms",
        &[Statistic::P10, Statistic::Median],
        stops(bed, &bed.inits(), rounds),
    );

    let rounds = bed.effort.pick(10, 3);
    let how = format!(
        "The same for one supervised service, by the signal that ends the supervisor with it. \
         supervisord looks once a second; {rounds} rounds. {VERBOSITY}"
    );
    // The floor of a supervisor ends without its child.
    let mut supervisors = bed.supervisors();
    supervisors.retain(|subject| subject.role != crate::subjects::Role::Floor);
    let supervisors = Table::new("stop-service", "Stop of a supervisor", how).of_statistics(
        "ms",
        &[Statistic::P10, Statistic::Median],
        stops(bed, &supervisors, rounds),
    );
    bed.sweep()?;
    Ok(vec![inits, supervisors])
}

fn stops<'a>(bed: &Bed, subjects: &[&'a Subject], rounds: usize) -> Vec<Series<'a, f64>> {
    bed.rounds(subjects, 1, rounds, |subject| {
        let running = bed.start(subject)?;
        running.wait_for_uptime(subject.min_uptime);
        Ok(vec![running.stop(libc::SIGTERM)? as f64 / MILLISECOND])
    })
}
