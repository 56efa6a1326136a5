//! The work of an init when thousands of orphans die at once.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::OwnedFd,
};

use super::MICROSECOND;
use crate::{
    bed::Bed,
    procfs,
    subjects::Subject,
    sys::{self, PATIENCE, Pid, Start},
    table::{Statistic, Table},
};

const ORPHANS: usize = 3_000;

pub fn run(bed: &Bed) -> io::Result<Vec<Table>> {
    let rounds = bed.effort.pick(40, 6);
    let all = bed.rounds(&bed.inits(), 1, rounds, |subject| Ok(vec![once(bed, subject)?]));
    bed.sweep()?;

    let how = format!(
        "The init is PID 1 of a namespace; its child leaves it {ORPHANS} orphans that wait on one \
         pipe, which the driver closes. Processor time of the init (/proc/PID/schedstat) from \
         there to the last one reaped, per orphan; {rounds} rounds. dumb-init runs with -c: otherwise \
         its orphans are in a session, and so in a scheduling group (autogroup), of their own, and \
         waking it for each single one costs it about five times as much."
    );
    let table = Table::new("reap", "Reaping 3,000 orphans that die at once", how);
    Ok(vec![table.of_statistics("µs", &[Statistic::P10, Statistic::Median], all)])
}

fn once(bed: &Bed, subject: &Subject) -> io::Result<f64> {
    let argv = subject.as_pid_1(&[&bed.child("orphans"), &ORPHANS.to_string()]);
    let (input, last_writer) = sys::pipe()?;
    let (mut said, output) = sys::pipe()?;
    let start = Start::new(&argv)?.input(input.into()).output(output).in_pid_namespace()?;
    let pid = start.start()?;
    // Our copies must go: the end of the pipe has to be last_writer's end.
    drop(start);
    let taken = watch(pid, &mut said, last_writer);
    // What PID 1 leaves is ended by the kernel.
    sys::kill(pid, libc::SIGKILL)?;
    sys::wait(pid)?;
    taken
}

fn watch(pid: Pid, said: &mut File, last_writer: OwnedFd) -> io::Result<f64> {
    hear(said)?;
    procfs::wait_until_idle(pid)?;
    let before = procfs::cpu_time(pid)?;
    drop(last_writer);
    hear(said)?;
    // Between two of its turns it may look idle with work left.
    let deadline = sys::after(PATIENCE);
    while procfs::children(pid)? > 1 {
        if sys::now() > deadline {
            return Err(io::Error::other("orphans are left unreaped"));
        }
        procfs::wait_until_idle(pid)?;
    }
    procfs::wait_until_idle(pid)?;
    Ok((procfs::cpu_time(pid)? - before) as f64 / MICROSECOND / ORPHANS as f64)
}

fn hear(said: &mut File) -> io::Result<()> {
    sys::readable(said, PATIENCE)?;
    said.read_exact(&mut [0])
}
