//! What each further service costs: memory, the work of a restart, and the time until all are
//! back when all crash at once.

use std::{io, time::Duration};

use super::{MICROSECOND, MILLISECOND, VERBOSITY};
use crate::{
    bed::{Bed, Effort, Gap, Running, Series},
    procfs,
    stats::ratio,
    subjects::{Role, Subject},
    sys::{self, PATIENCE, Pid},
    table::{Column, Statistic, Table},
};

/// One subject over one number of services.
struct Look {
    services: usize,
    /// In bytes, of all its processes.
    memory: f64,
    /// In microseconds per service.
    work: f64,
    /// In milliseconds, for all.
    back: f64,
}

pub fn run(bed: &Bed) -> io::Result<Vec<Table>> {
    let rounds = bed.effort.pick(3, 1);
    let mut subjects = bed.supervisors();
    if bed.effort == Effort::Check {
        // A thousand services of the peers take minutes, and no ratio to them is checked.
        subjects.retain(|subject| subject.role != Role::Peer);
    }
    let mut seen_slow = Vec::new();
    let all = bed.rounds(&subjects, 0, rounds, |subject| {
        // supervisord takes minutes to start a thousand services: once is enough.
        if subject.slow {
            if seen_slow.contains(&subject.name) {
                return Ok(Vec::new());
            }
            seen_slow.push(subject.name);
        }
        SIZES.iter().map(|&services| look(bed, subject, services)).collect()
    });
    let mut memory = memory(&all, rounds);
    // The floor keeps nothing about its services: no ratio to that makes sense.
    memory.rows.retain(|row| row.role != Role::Floor);
    Ok(vec![memory, work(&all), back(&all)])
}

const SIZES: [usize; 4] = [1, 10, 100, 1_000];
const NAMES: [&str; 4] = ["1 service", "10", "100", "1,000"];

fn look(bed: &Bed, subject: &Subject, services: usize) -> io::Result<Look> {
    let look = crash(bed.start_many(subject, services)?, subject, services);
    // What the subject leaves behind is not to disturb the next one.
    bed.sweep()?;
    look.map_err(|error| io::Error::other(format!("{services} services: {error}")))
}

fn crash(mut running: Running, subject: &Subject, services: usize) -> io::Result<Look> {
    running.wait_for_uptime(subject.min_uptime);
    let processes = running.processes()?;

    let before = settled_work(&processes)?;
    let crashed: Vec<Pid> = running.children.iter().map(|child| child.pid).collect();
    let moment = sys::now();
    for pid in crashed {
        sys::kill(pid, libc::SIGKILL)?;
    }
    let back = running.hear(services)?.iter().map(|child| child.at).max().unwrap_or(moment);
    let work = settled_work(&processes)? - before;

    // After the crash, when whatever had to grow has grown.
    let private = |pid: &Pid| Ok(procfs::memory(*pid)?.private_dirty * 1024.0);
    Ok(Look {
        services,
        memory: processes.iter().map(private).sum::<io::Result<f64>>()?,
        work: work as f64 / MICROSECOND / services as f64,
        back: (back - moment) as f64 / MILLISECOND,
    })
}

/// The processor time of all together once it no longer grows.
fn settled_work(processes: &[Pid]) -> io::Result<u64> {
    let sum = || processes.iter().map(|&pid| procfs::cpu_time(pid)).sum::<io::Result<u64>>();
    let deadline = sys::after(PATIENCE);
    let mut before = sum()?;
    loop {
        std::thread::sleep(Duration::from_millis(20));
        let after = sum()?;
        // What wakes up by the clock never settles; its own ticks are lost in the rest.
        if after - before < 100_000 {
            return Ok(after);
        }
        if sys::now() > deadline {
            return Err(io::Error::other("the supervisor does not come to rest"));
        }
        before = after;
    }
}

fn memory(all: &[Series<Look>], rounds: usize) -> Table {
    let how = format!(
        "So many services, all killed once. Private_Dirty of all processes of the supervisor, the \
         services themselves not counted, in kB of 1,024 bytes; the first column is what each \
         further service adds between 1 and 1,000. Median of {rounds} starts. s6: s6-svscan over \
         s6-supervise; runit: runsvdir over runsv."
    );
    let mut table = Table::new("growth", "Growth: memory of 1 to 1,000 services", how);
    table.columns = vec![Column { name: "per service", unit: "bytes" }];
    table.columns.extend(NAMES.map(|name| Column { name, unit: "kB" }));
    fill(
        &mut table,
        all,
        |look| look.memory,
        |of_sizes| {
            let each = (of_sizes[3] - of_sizes[0]) / (SIZES[3] - SIZES[0]) as f64;
            [vec![each], of_sizes.map(|bytes| bytes / 1024.0).to_vec()].concat()
        },
    );
    table
}

fn work(all: &[Series<Look>]) -> Table {
    let how = format!(
        "Every service killed at the same time, no backoff: processor time of the supervisor's \
         processes (/proc/PID/schedstat) until all are back, per service. The last column shows \
         whether a service costs more among many than among few. {VERBOSITY}"
    );
    let mut table = Table::new("growth-work", "Growth: processor time of a restart", how);
    table.columns = NAMES.map(|name| Column { name, unit: "µs" }).to_vec();
    table.columns.reverse();
    table.columns.push(Column { name: "1,000 to 100", unit: "×" });
    fill(
        &mut table,
        all,
        |look| look.work,
        |[one, ten, hundred, thousand]| {
            vec![thousand, hundred, ten, one, ratio(thousand, hundred).unwrap_or(f64::NAN)]
        },
    );
    table
}

fn back(all: &[Series<Look>]) -> Table {
    let how = "The same crash: from the first kill() to the start of the last new child.";
    let mut table = Table::new("growth-back", "Growth: all crash at once, all are back", how);
    table.columns = NAMES.map(|name| Column { name, unit: "ms" }).to_vec();
    table.columns.reverse();
    fill(
        &mut table,
        all,
        |look| look.back,
        |mut of_sizes| {
            of_sizes.reverse();
            of_sizes.to_vec()
        },
    );
    table
}

/// A row for each subject out of one value of its looks, the median for each of SIZES.
fn fill(
    table: &mut Table,
    all: &[Series<Look>],
    value: fn(&Look) -> f64,
    figures: fn([f64; 4]) -> Vec<f64>,
) {
    for series in all {
        let samples = series.samples.as_ref().map_err(Gap::clone);
        table.push(series.subject, samples.map(|looks| figures(medians(looks, value))));
    }
}

fn medians(looks: &[Look], value: fn(&Look) -> f64) -> [f64; 4] {
    SIZES.map(|services| {
        let of_size = looks.iter().filter(|look| look.services == services);
        Statistic::Median.of(&of_size.map(value).collect::<Vec<_>>())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_taken_for_each_number_of_services() {
        let look = |services, memory| Look { services, memory, work: 0.0, back: 0.0 };
        let looks = [look(1, 5.0), look(10, 7.0), look(1, 3.0), look(1, 4.0)];
        let [one, ten, hundred, _] = medians(&looks, |look| look.memory);
        assert_eq!((one, ten), (4.0, 7.0));
        assert!(hundred.is_nan());
    }
}
