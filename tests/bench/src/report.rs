//! docs/BENCHMARKS.md: everything out of the run, but for the notes that people write.

use std::{fs, io, path::Path, process::Command};

use crate::{
    bed::Bed,
    subjects::Subject,
    table::{Side, Table, aligned, markdown},
    targets::{Goal, TARGETS, Target},
};

/// The machine and the programs that a run measured.
pub struct Setting {
    /// What and its description.
    pub machine: Vec<Vec<String>>,
    /// Subject, version and command line.
    pub subjects: Vec<Vec<String>>,
}

impl Setting {
    pub fn look(bed: &Bed, foster: &Path, processors: &[usize], seed: u64) -> Self {
        let line = |what: &str, value: String| vec![what.to_string(), value];
        let memory = first_field("/proc/meminfo", "MemTotal:")
            .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
            .map_or("unknown".into(), |kilobytes| format!("{} GiB", kilobytes.div_ceil(1 << 20)));
        let machine = vec![
            line("machine", String::new()),
            line("processor", first_field("/proc/cpuinfo", "model name").unwrap_or_default()),
            line("processors", used(processors)),
            line("memory", memory),
            line("kernel", output("uname", &["-srm"])),
            line("file systems", file_systems(bed)),
            line(
                "system",
                first_field("/etc/os-release", "PRETTY_NAME=").unwrap_or_default().replace('"', ""),
            ),
            line("date", output("date", &["-u", "+%F"])),
            line("seed", seed.to_string()),
            line("foster's commit", commit()),
            line("its compiler", compiler(&fs::read(foster).unwrap_or_default())),
            line("its flags", flags(foster)),
        ];
        let mut subjects = vec![["subject", "version", "command"].map(String::from).to_vec()];
        for subject in &bed.subjects {
            let version = subject.version();
            let command = if subject.installed() { command(bed, subject) } else { String::new() };
            subjects.push(vec![subject.name.into(), version, command]);
            if let Some((measure, command)) = other(bed, subject) {
                subjects.push(vec![String::new(), measure.into(), command]);
            }
        }
        Setting { machine, subjects }
    }
}

/// The target of each measure and what came of it, as cells.
pub fn targets(tables: &[Table]) -> Vec<Vec<String>> {
    let header = ["measure", "foster", "must reach", "", "aim", ""];
    let mut cells = vec![header.map(String::from).to_vec()];
    for target in &TARGETS {
        let Some(table) = target.table(tables) else {
            continue;
        };
        let figure = table.figure(target.subject, target.column);
        let aim = target.aim.map(|aim| goal(target, aim, tables)).unwrap_or_default();
        let [must, came] = goal(target, target.must, tables);
        let [aim, reached] = aim;
        cells.push(vec![
            name(target, table),
            figure.map_or("not measured".into(), |figure| {
                target.amount(figure, crate::targets::Of::Itself, tables)
            }),
            must,
            came,
            aim,
            reached,
        ]);
    }
    cells
}

fn name(target: &Target, table: &Table) -> String {
    let wrap = if target.subject == "foster" { "" } else { ", --wrap" };
    format!("{}, {}{wrap}", table.title, target.column)
}

/// The targets that must be reached, are not, and that the notes do not name.
pub fn unexplained(tables: &[Table], document: &str) -> Vec<String> {
    let notes = notes(document);
    let (mut missed, _) = missed(tables, |target| Some(target.must));
    missed.retain(|name| !notes.contains(name));
    missed.dedup();
    missed
}

/// The names of the measures that did not reach a goal, or were not measured; and how many there are
/// that have such a goal.
fn missed(tables: &[Table], goal: impl Fn(&Target) -> Option<Goal>) -> (Vec<String>, usize) {
    let goals = TARGETS.iter().filter_map(|target| {
        let (goal, table) = (goal(target)?, target.table(tables)?);
        let reached = target.outcome(goal, tables).is_some_and(|outcome| outcome.reached);
        Some((!reached).then(|| name(target, table)))
    });
    let goals: Vec<Option<String>> = goals.collect();
    let count = goals.len();
    (goals.into_iter().flatten().collect(), count)
}

/// The sum of the table of targets, so that nobody has to count.
fn verdict(tables: &[Table]) -> String {
    let (targets, targets_in_all) = missed(tables, |target| Some(target.must));
    let (aims, aims_in_all) = missed(tables, |target| target.aim);
    let mut text = format!(
        "{} of {targets_in_all} targets and {} of {aims_in_all} aims are reached.",
        targets_in_all - targets.len(),
        aims_in_all - aims.len(),
    );
    for (kind, missed) in [("targets", targets), ("aims", aims)] {
        if !missed.is_empty() {
            text += &format!("\n\nMissed {kind}: {}.", missed.join("; "));
        }
    }
    text
}

/// What a goal asks for, and whether it was reached or by how much it was not.
fn goal(target: &Target, goal: Goal, tables: &[Table]) -> [String; 2] {
    let came = match target.outcome(goal, tables) {
        None => "not measured".into(),
        Some(outcome) if outcome.reached => "reached".into(),
        Some(outcome) => format!("missed: {}", target.amount(outcome.value, goal.of, tables)),
    };
    [target.say(goal, tables), came]
}

/// The whole document. The notes of the one before it are kept.
pub fn document(tables: &[Table], setting: &Setting, before: &str) -> String {
    let mut text = format!(
        "# Benchmarks\n\n\
         <!-- `make bench` writes this file; only what stands between the two notes marks is \
         written by hand. -->\n\n\
         foster and its peers on one machine, in one run, taking turns in each round. Figures \
         depend on the machine: compare the ratios. Noise only adds time, so the 10th percentile \
         (p10) compares best. The floor is an init of a few dozen instructions that does nothing \
         but start, forward, reap and end: the physical limit.\n\n\
         ![foster and its peers side by side](benchmarks.svg)\n\n\
         ## Targets\n\n\
         A target must be reached; an aim is where foster wants to be.\n\n{}\n{}\n\n\
         {NOTES_BEGIN}{}{NOTES_END}\n\n\
         ## Figures\n",
        markdown(&targets(tables), Side::Left),
        verdict(tables),
        notes(before),
    );
    for table in tables {
        text += &format!(
            "\n### {}\n\n{}\n\n{}",
            table.title,
            table.how,
            markdown(&table.cells(), Side::Right)
        );
    }
    text += &format!(
        "\n## The run\n\n{}\n```text\n{}```\n\n\
         CHILD is a static program without a C library (tests/bench/child), DIR a folder with the \
         configuration that makes CHILD the only service, or both services. The line below each is \
         the command for reaping orphans, or for the growth with many services, here with two. The \
         musl builds are Debian's sources of tini and dumb-init, built by .ci/peers with zig cc; \
         targets only compare with what Debian itself installs. `make bench` repeats the run; \
         `make bench-check` makes a short one that fails when a ratio is clearly lost.\n",
        markdown(&setting.machine, Side::Left),
        aligned(&setting.subjects, Side::Left),
    );
    text
}

const NOTES_BEGIN: &str = "<!-- notes -->";
const NOTES_END: &str = "<!-- end of notes -->";

fn notes(before: &str) -> &str {
    let kept = before
        .split_once(NOTES_BEGIN)
        .and_then(|(_, rest)| rest.split_once(NOTES_END))
        .map(|(notes, _)| notes);
    kept.unwrap_or("\n## Where a target is missed, and why\n\n")
}

fn command(bed: &Bed, subject: &Subject) -> String {
    said(bed, |child, folder| subject.one(&[child], folder))
}

/// The command line of reap, or of growth with two services.
fn other(bed: &Bed, subject: &Subject) -> Option<(&'static str, String)> {
    if !subject.installed() {
        return None;
    }
    let (measure, other) = match subject.supervises {
        true => ("growth", said(bed, |child, folder| subject.many(child, 2, folder))),
        false => ("reap", said(bed, |child, _| Ok(subject.as_pid_1(&[child, "3000"])))),
    };
    Some((measure, other))
}

/// A command line with words for what differs from run to run.
fn said(bed: &Bed, argv: impl Fn(&str, &Path) -> io::Result<Vec<String>>) -> String {
    let child = bed.child("service");
    match bed.folder().and_then(|folder| Ok((argv(&child, &folder)?, folder))) {
        Ok((argv, folder)) => argv
            .join(" ")
            .replace(&child, "CHILD")
            .replace(&folder.display().to_string(), "DIR")
            .replace(&format!("{}/", bed.programs.display()), "")
            .replace(&format!("{}/", bed.programs.with_file_name("peers").display()), "musl/"),
        Err(error) => error.to_string(),
    }
}

/// The commit that is checked out, and whether anything was changed since.
fn commit() -> String {
    let here = env!("CARGO_MANIFEST_DIR");
    output("git", &["-C", here, "describe", "--always", "--dirty", "--abbrev=12"])
}

/// What the compiler left of itself in the program.
fn compiler(program: &[u8]) -> String {
    let mark = b"rustc version ";
    let Some(at) = program.windows(mark.len()).position(|bytes| bytes == mark) else {
        return "unknown".into();
    };
    let text = program[at..].split(|byte| !(b' '..=b'~').contains(byte)).next();
    String::from_utf8_lossy(text.unwrap_or_default()).replace("rustc version", "rustc")
}

/// What .ci/static leaves beside the program.
fn flags(foster: &Path) -> String {
    let text = fs::read_to_string(foster.with_extension("flags"));
    text.map_or("unknown".into(), |text| format!("`{}`", text.trim()))
}

/// How many processors there are, and which of them the run used.
fn used(processors: &[usize]) -> String {
    let count = fs::read_to_string("/proc/cpuinfo")
        .map_or(0, |text| text.lines().filter(|line| line.starts_with("processor")).count());
    match processors {
        [] => format!("{count}, all used"),
        some => {
            let list: Vec<String> = some.iter().map(usize::to_string).collect();
            format!("{count}; the driver and all subjects share number {}", list.join(", "))
        }
    }
}

/// What the programs lie on: those of the benchmark and foster, and the peers.
fn file_systems(bed: &Bed) -> String {
    let kind = |place: &str| output("stat", &["-f", "-c", "%T", place]);
    let ours = kind(&bed.programs.display().to_string());
    format!("{ours} for foster, floor and CHILD, {} for the peers", kind("/usr"))
}

fn first_field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start_matches([' ', '\t', ':']).into())
}

fn output(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().into(),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{subjects::Role, table::tests::table};

    fn setting() -> Setting {
        Setting { machine: vec![vec!["machine".into(), "x".into()]], subjects: Vec::new() }
    }

    fn sample(foster: f64) -> Vec<Table> {
        vec![table(&[
            ("foster", Role::Foster, foster),
            ("tini-static", Role::Peer, 0.8),
            ("floor", Role::Floor, 0.4),
        ])]
    }

    #[test]
    fn notes_survive_the_next_run() {
        let first = document(&sample(0.4), &setting(), "");
        assert!(first.contains("Where a target is missed"));
        let edited = first.replace("and why\n", "and why\n\nBy a whisker.\n");
        let second = document(&sample(0.3), &setting(), &edited);
        assert!(second.contains("By a whisker."));
        assert_eq!(document(&sample(0.3), &setting(), &second), second);
    }

    #[test]
    fn a_target_says_by_how_much_it_was_missed() {
        let cells = targets(&sample(0.6));
        assert_eq!(
            cells[1],
            ["Start, p10", "0.60 ms", "≤ 0.50 × tini-static", "missed: 0.75 × tini-static", "", ""]
        );
        assert_eq!(
            cells[2][3..],
            ["missed: 1.50 × floor", "≤ 1.15 × floor", "missed: 1.50 × floor"]
        );
        assert_eq!(targets(&sample(0.4))[1][3], "reached");
    }

    #[test]
    fn the_report_says_how_many_targets_and_aims_are_reached_and_names_the_missed_ones() {
        let text = |foster| document(&sample(foster), &setting(), "");
        assert!(text(0.4).contains("\n2 of 2 targets and 1 of 1 aims are reached.\n\n<!-- notes"));
        let aimed_too_high = text(0.5);
        assert!(aimed_too_high.contains("1 of 2 targets and 0 of 1 aims are reached."));
        assert!(text(0.6).contains(
            "0 of 2 targets and 0 of 1 aims are reached.\n\nMissed targets: Start, p10; Start, p10.\
             \n\nMissed aims: Start, p10.\n"
        ));
        let mut gap = sample(0.4);
        gap[0].rows[0].figures = Err(crate::bed::Gap::Absent("not installed"));
        assert!(document(&gap, &setting(), "").contains("0 of 2 targets and 0 of 1 aims"));
    }

    #[test]
    fn a_missed_target_asks_for_a_note_that_names_it() {
        let missed = sample(0.6);
        let text = document(&missed, &setting(), "");
        // The table above the notes names it too, but says nothing about it.
        assert!(text.contains("Start, p10"));
        assert_eq!(unexplained(&missed, &text), ["Start, p10"]);
        let noted = text.replace("and why\n", "and why\n\nStart, p10: by a whisker.\n");
        assert!(unexplained(&missed, &noted).is_empty());
        assert!(unexplained(&sample(0.4), &text).is_empty());
    }

    #[test]
    fn a_program_tells_its_compiler() {
        let program = b"\x7fELF..\0LLD 21\0rustc version 1.96.0 (ac68faa20)\0more";
        assert_eq!(compiler(program), "rustc 1.96.0 (ac68faa20)");
        assert_eq!(compiler(b""), "unknown");
    }

    #[test]
    fn what_was_not_measured_says_so() {
        let mut tables = sample(0.4);
        tables[0].rows[0].figures = Err(crate::bed::Gap::Absent("not installed"));
        assert_eq!(targets(&tables)[1][1], "not measured");
        assert_eq!(targets(&tables)[1][3], "not measured");
    }
}
