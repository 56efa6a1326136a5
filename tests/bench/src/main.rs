//! foster and its peers, side by side: all subjects in turn in one run, many rounds, and the same
//! smallest possible children under each of them.

mod bed;
mod chart;
mod measures;
mod procfs;
mod report;
mod stats;
mod subjects;
mod sys;
mod table;
mod targets;

use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use crate::{
    bed::{Bed, Effort},
    measures::Measure,
    report::Setting,
    subjects::{Role, Subject},
    table::{Side, Table, aligned},
    targets::TARGETS,
};

const USAGE: &str = "\
usage: foster-bench --foster PROGRAM [OPTION]...

  --foster PROGRAM   the static release build to measure
  --musl FOLDER      show tini and dumb-init from there too, which .ci/peers has built on musl
  --docs FOLDER      write BENCHMARKS.md and benchmarks.svg there (after a full run)
  --check            a short run that fails when a ratio is clearly lost
  --only MEASURE,... only size, memory, start, signal, reap, restart, stop, idle or growth
  --cpus LIST|all    run on these processors (default: the last one, for the driver and all
                     that it starts: on more, what is timed is how long a processor takes to wake)
  --seed NUMBER      another order of the subjects
";

struct Options {
    foster: PathBuf,
    musl: Option<PathBuf>,
    docs: Option<PathBuf>,
    effort: Effort,
    measures: Vec<&'static Measure>,
    processors: Vec<usize>,
    seed: u64,
}

fn main() -> ExitCode {
    let options = match parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprint!("bench: {error}\n{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    match prepared(&options) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn prepared(options: &Options) -> io::Result<ExitCode> {
    if !options.foster.is_file() {
        let path = options.foster.display();
        return Err(io::Error::other(format!("--foster: {path} is no file")));
    }
    if !options.processors.is_empty() {
        sys::pin(&options.processors)?;
    }
    let programs = programs()?;
    let _ours = sys::lock(&programs)?;
    let work = sys::temporary_folder()?;
    let limit = Duration::from_secs(60 * options.effort.pick(60, 10));
    let code = sys::enclose(&work, limit, || match run(options, &programs, &work) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    });
    // What was in it was on a file system of its own, which is gone.
    fs::remove_dir(&work)?;
    code
}

/// A folder in the cache, and so on a disk where that is.
fn programs() -> io::Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty());
    let cache = cache.map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cache")));
    let folder = cache.ok_or(io::Error::other("there is no HOME"))?.join("foster/bench");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn run(options: &Options, programs: &Path, work: &Path) -> io::Result<ExitCode> {
    let musl = options.musl.as_deref();
    let bed = Bed::new(options.effort, &options.foster, programs, musl, work, options.seed)?;
    let missing: Vec<&Subject> =
        bed.subjects.iter().filter(|subject| !subject.installed()).collect();
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|subject| subject.name).collect();
        println!("Not installed: {}\n", names.join(", "));
    }
    let needed = missing.iter().any(|subject| subject.role != Role::Rebuilt);
    if needed && (options.docs.is_some() || options.effort == Effort::Check) {
        return Err(io::Error::other("--docs and --check need all subjects"));
    }
    match options.effort {
        Effort::Full => measure(options, &bed),
        Effort::Check => check(options, &bed),
    }
}

fn measure(options: &Options, bed: &Bed) -> io::Result<ExitCode> {
    let mut tables = Vec::new();
    for measure in &options.measures {
        let started = Instant::now();
        for table in (measure.run)(bed)? {
            println!("{}", table.to_text());
            tables.push(table);
        }
        println!("({} took {:.0?})\n", measure.name, started.elapsed());
    }
    all_seen(options, &tables)?;
    print!("Targets\n{}", aligned(&report::targets(&tables), Side::Left));

    if let Some(docs) = &options.docs {
        let path = docs.join("BENCHMARKS.md");
        let before = fs::read_to_string(&path).unwrap_or_default();
        let setting = Setting::look(bed, &options.foster, &options.processors, options.seed);
        let document = report::document(&tables, &setting, &before);
        fs::write(&path, &document)?;
        fs::write(docs.join("benchmarks.svg"), chart::svg(&tables))?;
        let unexplained = report::unexplained(&tables, &document);
        if !unexplained.is_empty() {
            let (path, names) = (path.display(), unexplained.join("\n  "));
            println!("\nMissed, and the notes in {path} do not name it and say why:\n  {names}");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// After all measures each target has been about something: none is skipped for a misspelt name.
fn all_seen(options: &Options, tables: &[Table]) -> io::Result<()> {
    if options.measures.len() < measures::ALL.len() {
        return Ok(());
    }
    match TARGETS.iter().find_map(|target| target.lacks(tables)) {
        None => Ok(()),
        Some(what) => {
            Err(io::Error::other(format!("a target is about {what}, which there is not")))
        }
    }
}

/// Each measure gets a few tries: a disturbance passes, a real loss stays.
fn check(options: &Options, bed: &Bed) -> io::Result<ExitCode> {
    let mut lost = Vec::new();
    let mut all = Vec::new();
    for measure in &options.measures {
        lost.extend(lost_in_each_try(|| {
            let tables = (measure.run)(bed)?;
            for table in &tables {
                println!("{}", table.to_text());
            }
            let losses = losses(&tables);
            all.extend(tables);
            Ok(losses)
        })?);
    }
    all_seen(options, &all)?;
    if lost.is_empty() {
        println!("No ratio is clearly lost.");
        return Ok(ExitCode::SUCCESS);
    }
    println!("Lost in each of {TRIES} tries:\n  {}", said(&lost, "\n  "));
    Ok(ExitCode::FAILURE)
}

const TRIES: usize = 4;

/// Which of the TARGETS was lost, and how in words.
type Loss = (usize, String);

/// Tries until each target was reached once, and reports the last try of the others.
fn lost_in_each_try(mut once: impl FnMut() -> io::Result<Vec<Loss>>) -> io::Result<Vec<Loss>> {
    let mut lost: Option<Vec<Loss>> = None;
    for _ in 0..TRIES {
        let mut losses = once()?;
        if !losses.is_empty() {
            println!("Lost: {}\n", said(&losses, "; "));
        }
        if let Some(before) = &lost {
            losses.retain(|(target, _)| before.iter().any(|(lost, _)| lost == target));
        }
        if losses.is_empty() {
            return Ok(losses);
        }
        lost = Some(losses);
    }
    Ok(lost.unwrap_or_default())
}

fn said(losses: &[Loss], between: &str) -> String {
    losses.iter().map(|(_, words)| words.as_str()).collect::<Vec<_>>().join(between)
}

/// The bounds for CI that these tables break. Where anyone failed, no figure of that table is a
/// proof: the best peer may be missing from it.
fn losses(tables: &[Table]) -> Vec<Loss> {
    let lost = |target: &targets::Target| {
        let table = target.table(tables)?;
        let goal = target.check?;
        let came = match (table.failed(), target.outcome(goal, tables)) {
            (Some(subject), _) => format!("{subject} failed"),
            (None, Some(outcome)) if outcome.reached => return None,
            (None, Some(outcome)) => target.amount(outcome.value, goal.of, tables),
            (None, None) => "not measured".into(),
        };
        let bound = target.say(goal, tables);
        Some(format!(
            "{}, {} of {}: {came}, not {bound}",
            table.title,
            goal.column.unwrap_or(target.column),
            target.subject
        ))
    };
    let numbered = TARGETS.iter().enumerate();
    numbered.filter_map(|(number, target)| Some((number, lost(target)?))).collect()
}

fn parse(mut parser: lexopt::Parser) -> Result<Option<Options>, Box<dyn Error>> {
    use lexopt::prelude::*;

    let mut foster = None;
    let mut musl = None;
    let mut docs = None;
    let mut effort = Effort::Full;
    let mut measures: Vec<&'static Measure> = measures::ALL.iter().collect();
    let mut processors = vec![sys::last_processor()?];
    let mut seed = 1;
    while let Some(argument) = parser.next()? {
        match argument {
            Long("foster") => foster = Some(PathBuf::from(parser.value()?)),
            Long("musl") => musl = Some(PathBuf::from(parser.value()?)),
            Long("docs") => docs = Some(PathBuf::from(parser.value()?)),
            Long("check") => effort = Effort::Check,
            Long("only") => measures = named(&parser.value()?.string()?)?,
            Long("cpus") => processors = numbers(&parser.value()?.string()?)?,
            Long("seed") => seed = parser.value()?.parse()?,
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected().into()),
        }
    }
    if docs.is_some() && (effort == Effort::Check || measures.len() < measures::ALL.len()) {
        return Err("--docs needs a full run of all measures".into());
    }
    let foster = foster.ok_or("--foster is missing")?;
    Ok(Some(Options { foster, musl, docs, effort, measures, processors, seed }))
}

fn named(list: &str) -> Result<Vec<&'static Measure>, String> {
    let find = |name| {
        let measure = measures::ALL.iter().find(|measure| measure.name == name);
        measure.ok_or_else(|| format!("there is no measure {name:?}"))
    };
    list.split(',').map(find).collect()
}

/// "1", "0,2"; "all" is no number.
fn numbers(list: &str) -> Result<Vec<usize>, String> {
    if list == "all" {
        return Ok(Vec::new());
    }
    let number = |word: &str| word.parse().map_err(|_| format!("{word:?} is no processor"));
    list.split(',').map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bed::Gap, table::tests::table};

    fn options(words: &[&str]) -> Result<Option<Options>, Box<dyn Error>> {
        parse(lexopt::Parser::from_args(words))
    }

    #[test]
    fn a_full_run_of_everything_is_the_default() {
        let options = options(&["--foster", "/f"]).unwrap().unwrap();
        assert_eq!((options.effort, options.measures.len()), (Effort::Full, measures::ALL.len()));
        assert_eq!(options.processors.len(), 1);
    }

    #[test]
    fn some_measures_and_processors_can_be_chosen() {
        let options =
            options(&["--foster", "/f", "--check", "--only", "start,reap", "--cpus", "0,2"]);
        let options = options.unwrap().unwrap();
        let names: Vec<_> = options.measures.iter().map(|measure| measure.name).collect();
        assert_eq!((options.effort, names), (Effort::Check, vec!["start", "reap"]));
        assert_eq!(options.processors, [0, 2]);
    }

    #[test]
    fn bad_options_are_refused() {
        assert!(options(&[]).is_err());
        assert!(options(&["--foster", "/f", "--only", "nothing"]).is_err());
        assert!(options(&["--foster", "/f", "--cpus", "one"]).is_err());
        assert!(options(&["--foster", "/f", "--check", "--docs", "/d"]).is_err());
    }

    #[test]
    fn without_foster_there_is_nothing_to_measure() {
        let options = options(&["--foster", "--check"]).unwrap().unwrap();
        assert!(prepared(&options).unwrap_err().to_string().contains("--check is no file"));
    }

    #[test]
    fn a_ratio_that_is_clearly_lost_is_named() {
        let sample = |foster| {
            [table(&[
                ("foster", Role::Foster, foster),
                ("tini-static", Role::Peer, 0.8),
                ("floor", Role::Floor, 0.4),
            ])]
        };
        assert!(losses(&sample(0.5)).is_empty());
        let lost = losses(&sample(0.64));
        let words = "Start, p10 of foster: 0.80 × tini-static, not ≤ 0.75 × tini-static";
        assert_eq!(said(&lost, "; "), words);
    }

    #[test]
    fn lost_is_what_no_try_reached() {
        let outcome = |tries: [&[usize]; TRIES]| {
            let mut tries = tries.into_iter().enumerate();
            let lost = lost_in_each_try(|| {
                let (number, lost) = tries.next().unwrap();
                Ok(lost.iter().map(|target| (*target, format!("try {number}"))).collect())
            });
            (lost.unwrap(), tries.len())
        };
        assert_eq!(outcome([&[], &[1], &[1], &[1]]), (vec![], 3));
        // Each of these was lost, but none of them every time.
        assert_eq!(outcome([&[1], &[2], &[1, 2], &[3]]), (vec![], 2));
        let last = vec![(2, "try 3".to_string())];
        assert_eq!(outcome([&[1, 2], &[2, 3], &[2], &[2, 1]]), (last, 0));
    }

    #[test]
    fn where_a_peer_failed_nothing_is_won() {
        let mut tables = [table(&[
            ("foster", Role::Foster, 0.1),
            ("tini-static", Role::Peer, 0.8),
            ("dumb-init", Role::Peer, 0.7),
            ("floor", Role::Floor, 0.1),
        ])];
        assert!(losses(&tables).is_empty());
        tables[0].rows[2].figures = Err(Gap::Failed("it does not end".into()));
        let lost = losses(&tables);
        let words = "Start, p10 of foster: dumb-init failed, not ≤ 0.75 × tini-static";
        assert_eq!((lost.len(), lost[0].1.as_str()), (2, words));
        tables[0].rows[2].figures = Err(Gap::Absent("not in the short run"));
        assert!(losses(&tables).is_empty());
    }

    #[test]
    fn what_was_not_measured_is_lost() {
        let mut tables = [table(&[("foster", Role::Foster, 0.1)])];
        assert_eq!(losses(&tables).len(), 2);
        tables[0].rows.clear();
        assert_eq!(losses(&tables).len(), 2);
    }
}
