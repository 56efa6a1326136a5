//! docs/MOVING.md: each line of its tables, both sides of it.

use std::collections::BTreeSet;

use crate::page;
use crate::stage::{Outcome, Stage};

const TABLES: [(&str, &str); 3] = [
    ("## From tini", "tini"),
    ("## From dumb-init", "dumb-init"),
    ("## From catatonit", "catatonit"),
];

#[test]
fn both_sides_of_each_line_are_taken() {
    for (heading, name) in TABLES {
        for row in rows(heading) {
            for (program, side) in [(name, &row[0]), ("foster", &row[1])] {
                for part in quoted(side) {
                    taken(program, &part);
                }
            }
        }
    }
}

#[test]
fn every_option_and_variable_of_the_others_is_there() {
    for (heading, name) in TABLES {
        let there: BTreeSet<String> = rows(heading).iter().flat_map(|row| words(&row[0])).collect();
        let help = Stage::new().perform(&format!("{name} -h"));
        let help = help.stdout + &help.stderr;
        let variables: BTreeSet<&str> = match name {
            "tini" => ["TINI_SUBREAPER", "TINI_KILL_PROCESS_GROUP", "TINI_VERBOSITY"].into(),
            "dumb-init" => ["DUMB_INIT_SETSID", "DUMB_INIT_DEBUG"].into(),
            _ => ["CATATONIT_DEBUG"].into(),
        };
        let options = help.lines().filter(|line| line.starts_with("  -"));
        // What it means stands behind two blanks.
        let options = options.filter_map(|line| line.trim_start().split("  ").next());
        let options: Vec<String> = options.flat_map(words).collect();
        assert!(options.len() >= 5, "{help}");
        for known in options.iter().map(String::as_str).chain(variables) {
            assert!(there.contains(known), "{heading} lacks {known}: {there:?}");
        }
    }
}

#[test]
fn fosters_side_for_supervisord_starts_services() {
    for row in rows("## From supervisord") {
        for part in quoted(&row[1]) {
            let wrap = if part.contains("--wrap") { "" } else { " --wrap app" };
            let line = format!("foster {part}{wrap}");
            // A test does not choose users, and their folders need not exist.
            let line = line.replace("cd /srv", "cd /");
            let line = line.replace("--restart always", "--restart always --max-restarts 0");
            let outcome = Stage::new().rehearse(&line);
            assert!(!outcome.started.is_empty(), "{line}: {outcome:?}");
            if !line.contains("--max-restarts 0") {
                outcome.is_a_success(&line);
            }
        }
    }
}

/// `-e 143` of a program, or `NAME=VALUE` for it.
fn taken(program: &str, part: &str) {
    let asks = ["-h", "--help", "-V", "--version", "-l", "-L"].contains(&part);
    // A pause has no end of its own.
    let pauses = part == "-P";
    let line = match part {
        "--" => format!("{program} -- app"),
        _ if asks => format!("{program} {part}"),
        _ if pauses => format!("timeout 1 {program} {part} || [ $? = 124 ]"),
        _ if part.starts_with('-') => format!("{program} {part} -- app"),
        _ => format!("{part} {program} -- app"),
    };
    let Outcome { code, started, stderr, .. } = Stage::new().rehearse(&line);
    assert_eq!(code, Some(0), "{line}: {stderr}");
    assert_eq!(started.len(), usize::from(!asks && !pauses), "{line}: {stderr}");
    let complaint = ["nvalid", "nrecognized", "unknown", "error"];
    assert!(!complaint.iter().any(|word| stderr.contains(word)), "{line}: {stderr}");
}

fn rows(heading: &str) -> Vec<Vec<String>> {
    let table = page::table("docs/MOVING.md", heading);
    let rows: Vec<Vec<String>> = table.into_iter().skip(1).collect();
    assert!(rows.len() >= 5, "{heading}");
    rows
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The options and variables in a text.
fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| " `,=[]".contains(c));
    let named = |word: &&str| word.starts_with('-') || word.contains('_');
    words.filter(named).map(str::to_owned).collect()
}
