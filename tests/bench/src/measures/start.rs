//! From the start of the init to its end, over a child that ends at once.

use std::io;

use super::{MILLISECOND, VERBOSITY};
use crate::{
    bed::Bed,
    sys::{self, Limit, Start},
    table::{Statistic, Table},
};

pub fn run(bed: &Bed) -> io::Result<Vec<Table>> {
    let rounds = bed.effort.pick(2_000, 100);
    let child = bed.child("true");
    let folder = bed.folder()?;
    let all = bed.rounds(&bed.inits(), 20, rounds, |subject| {
        let start = Start::new(&subject.one(&[&child], &folder)?)?;
        let limit = Limit::set();
        let before = sys::now();
        let pid = start.start()?;
        let status = limit.wait(pid)?;
        let taken = sys::now() - before;
        match status {
            0 => Ok(vec![taken as f64 / MILLISECOND]),
            status => Err(io::Error::other(format!("wait status {status}"))),
        }
    });
    bed.sweep()?;

    let how = format!(
        "posix_spawn of the init to the end of waitpid, over a child of two system calls' worth \
         of instructions; {rounds} rounds. {VERBOSITY}"
    );
    let table = Table::new("start", "Start to exit of a trivial child", how);
    Ok(vec![table.of_statistics("ms", &[Statistic::P10, Statistic::Median, Statistic::P99], all)])
}
