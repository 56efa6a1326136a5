//! The man page and the README name the options that there are, and the man page's examples work.

use std::collections::BTreeSet;

use crate::page;
use crate::stage::Stage;

#[test]
fn every_option_of_the_help_is_in_the_man_page() {
    let manual = manual();
    let options = options(&help());
    assert!(options.len() > 20, "{options:?}");
    for option in options {
        assert!(manual.contains(&option), "docs/man/foster.1 lacks {option}");
    }
}

#[test]
fn the_readme_names_no_option_that_the_help_does_not_have() {
    let known = options(&help());
    let named = page::table("README.md", "## Two ways to run");
    for row in &named[1..] {
        for option in options(&row[0]) {
            assert!(known.contains(&option), "README.md names {option}");
        }
    }
}

#[test]
fn the_examples_of_the_man_page_are_taken_as_they_stand() {
    let manual = manual();
    let (_, examples) = manual.split_once(".SH EXAMPLES\n.nf\n").expect("there are some");
    let (examples, _) = examples.split_once(".fi\n").expect("they end");
    for line in examples.lines() {
        let line = match line.split_once(" # ").map_or(line, |(line, _)| line) {
            // The kernel hands on what stands behind two dashes.
            kernel if kernel.starts_with("linux ") => {
                let (_, rest) = kernel.split_once(" -- ").expect("a command line for foster");
                format!("foster {rest}")
            }
            line => line.to_owned(),
        };
        let line = line.trim_end().replace(" /app", " app");
        let outcome = Stage::new().rehearse(&line);
        outcome.is_a_success(&line);
        assert!(!outcome.started.is_empty(), "{line}: {outcome:?}");
    }
}

fn help() -> String {
    Stage::new().perform("foster -h").stdout
}

/// The source of the man page, with characters for escapes.
fn manual() -> String {
    page::read("docs/man/foster.1").replace("\\-", "-").replace("\\(aq", "'")
}

/// The long options in a text.
fn options(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
    let long = |word: &&str| word.strip_prefix("--").is_some_and(|rest| !rest.is_empty());
    words.filter(long).map(str::to_owned).collect()
}
