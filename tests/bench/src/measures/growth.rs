//! What each further service costs: memory, the work of a restart among many and of a stop, and the
//! time until all are back when all crash at once.

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
    /// In microseconds, for the restart of one service.
    one: f64,
    /// In microseconds per service; none where that cannot be measured.
    stop: Option<f64>,
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
    Ok(vec![memory, work(&all), one(&all), stop(&all), back(&all), back_by_default(bed, rounds)])
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
    let back = kill_all(&mut running)?;
    let work = settled_work(&processes)? - before;

    // After the crash, when whatever had to grow has grown.
    let private = |pid: &Pid| Ok(procfs::memory(*pid)?.private_dirty * 1024.0);
    let memory = processes.iter().map(private).sum::<io::Result<f64>>()?;

    running.wait_for_uptime(subject.min_uptime);
    let restarts = services.min(RESTARTS);
    let before = settled_work(&processes)?;
    for index in 0..restarts {
        // Each another one, spread over all of them.
        running.kill_one(index * services / restarts)?;
    }
    let one = settled_work(&processes)? - before;

    let stop = match subject.stops_services {
        true => Some(running.work_of_stop(libc::SIGTERM)? as f64 / MICROSECOND / services as f64),
        false => None,
    };
    Ok(Look {
        services,
        memory,
        work: work as f64 / MICROSECOND / services as f64,
        one: one as f64 / MICROSECOND / restarts as f64,
        stop,
        back: back as f64 / MILLISECOND,
    })
}

/// How many services are restarted one by one.
const RESTARTS: usize = 20;

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
    let mut table = Table::new("growth-work", "Growth: processor time when all restart", how);
    scale(&mut table, all, |look| look.work);
    table
}

fn one(all: &[Series<Look>]) -> Table {
    let how = format!(
        "The same for services that are killed one after the other, each once the one before is \
         back, {RESTARTS} of them where there are so many: what one restart costs while all others \
         just run. {VERBOSITY}"
    );
    let mut table = Table::new("growth-one", "Growth: processor time of one restart among", how);
    scale(&mut table, all, |look| look.one);
    table
}

fn stop(all: &[Series<Look>]) -> Table {
    let how = format!(
        "SIGTERM to the supervisor; each service ends within a second, at a moment of its own. \
         Processor time of the supervisor from there to its end, per service. s6 and runit are left \
         out: what each of their processes took nobody can read any more. {VERBOSITY}"
    );
    let mut table = Table::new("growth-stop", "Growth: processor time of a stop", how);
    scale(&mut table, all, |look| look.stop.unwrap_or(f64::NAN));
    let measured = all.iter().filter(|series| series.subject.stops_services);
    let measured: Vec<&str> = measured.map(|series| series.subject.name).collect();
    table.rows.retain(|row| measured.contains(&row.subject));
    table
}

/// A column for each of SIZES, the largest first, and one for what a service costs more among many.
fn scale(table: &mut Table, all: &[Series<Look>], value: fn(&Look) -> f64) {
    table.columns = NAMES.map(|name| Column { name, unit: "µs" }).to_vec();
    table.columns.reverse();
    table.columns.push(Column { name: "1,000 to 100", unit: "×" });
    fill(table, all, value, |[one, ten, hundred, thousand]| {
        vec![thousand, hundred, ten, one, ratio(thousand, hundred).unwrap_or(f64::NAN)]
    });
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

/// foster's own default, beside the floor, which has none.
fn back_by_default(bed: &Bed, rounds: usize) -> Table {
    let mut subjects = bed.supervisors();
    subjects.retain(|subject| subject.role != Role::Peer);
    let all = bed.rounds(&subjects, 0, rounds, |subject| {
        let started = match subject.role {
            Role::Foster => bed.start_with_backoff(subject, SIZES[3]),
            _ => bed.start_many(subject, SIZES[3]),
        };
        let taken = started.and_then(|mut running| {
            settled_work(&[running.pid])?;
            kill_all(&mut running)
        });
        bed.sweep()?;
        let backoff = if subject.role == Role::Foster { BACKOFF } else { Duration::ZERO };
        Ok(vec![(taken? as f64 - backoff.as_nanos() as f64) / MILLISECOND])
    });
    let how = format!(
        "The same crash of 1,000 services under foster's default backoff: the time beyond the {} ms \
         that it waits, median of {rounds} starts. The floor waits for nothing. {VERBOSITY}",
        BACKOFF.as_millis()
    );
    Table::new("growth-backoff", "Growth: 1,000 are back after the default backoff", how)
        .of_statistics("ms", &[Statistic::Median], all)
}

/// What foster waits by default before it starts a service again for the first time.
const BACKOFF: Duration = Duration::from_millis(500);

/// How long it takes in nanoseconds until all are back.
fn kill_all(running: &mut Running) -> io::Result<u64> {
    let crashed: Vec<Pid> = running.children.iter().map(|child| child.pid).collect();
    let moment = sys::now();
    for pid in &crashed {
        sys::kill(*pid, libc::SIGKILL)?;
    }
    let back = running.hear(crashed.len())?.iter().map(|child| child.at).max();
    Ok(back.unwrap_or(moment) - moment)
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
        let look = |services, memory| Look {
            services,
            memory,
            work: 0.0,
            one: 0.0,
            stop: None,
            back: 0.0,
        };
        let looks = [look(1, 5.0), look(10, 7.0), look(1, 3.0), look(1, 4.0)];
        let [one, ten, hundred, _] = medians(&looks, |look| look.memory);
        assert_eq!((one, ten), (4.0, 7.0));
        assert!(hundred.is_nan());
    }
}
