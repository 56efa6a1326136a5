//! Sessions and command lines.

use crate::page::{self, Block};
use crate::stage::{Outcome, Stage};

#[test]
fn each_block_is_of_a_kind_that_is_run() {
    const KINDS: [(&str, &str); 7] = [
        ("console", ""),
        ("sh", ""),
        ("dockerfile", ""),
        ("yaml", "compose"),
        ("yaml", "kubernetes"),
        ("json", "docker"),
        ("ini", "supervisord"),
    ];
    for Block { place, language, kind, .. } in page::blocks() {
        let known = KINDS.contains(&(language.as_str(), kind.as_str()));
        assert!(known, "{place}: no test runs a block of the kind `{language} {kind}`");
    }
}

#[test]
fn command_lines_are_taken_as_they_stand() {
    for block in page::of("sh", "") {
        let outcome = Stage::new().rehearse(&block.text);
        outcome.is_a_success(&block.place);
    }
}

#[test]
fn sessions_print_what_they_show() {
    // They wait for deadlines, each for its own.
    std::thread::scope(|scope| {
        for block in page::of("console", "") {
            scope.spawn(move || perform(&block));
        }
    });
}

/// Runs the commands of a session in one shell, one after the other.
fn perform(block: &Block) {
    let mut steps: Vec<(String, Vec<&str>)> = Vec::new();
    for line in block.text.lines() {
        match (line.strip_prefix("$ "), line.strip_prefix("> "), steps.last_mut()) {
            (Some(command), _, _) => steps.push((command.into(), Vec::new())),
            (None, Some(more), Some((command, _))) => *command += &format!("\n{more}"),
            (None, _, Some((_, shown))) => shown.push(line),
            (None, _, None) => panic!("{}: a session begins with $", block.place),
        }
    }
    // Behind each command a mark, and the command's status again.
    let script: String = steps.iter().map(|(command, _)| format!("{command}\n{MARK}\n")).collect();
    let stage = Stage::new();
    let Outcome { stdout, stderr, .. } =
        stage.perform(&format!("exec 2>&1\n{again}\n{script}", again = AGAIN));
    assert_eq!(stderr, "", "{}", block.place);
    let printed: Vec<&str> = stdout.split("\u{1}\n").collect();
    assert_eq!(printed.len(), steps.len() + 1, "{}: {stdout}", block.place);
    for ((command, shown), printed) in steps.iter().zip(printed) {
        let lines: Vec<&str> = printed.lines().collect();
        assert!(
            matches(shown, &lines),
            "{}: {command}\nshown: {shown:#?}\nprinted: {lines:#?}",
            block.place
        );
    }
}

const AGAIN: &str = "again() { return \"$1\"; }";
const MARK: &str = "{ s=$?; printf '\\001\\n'; again $s; }";

/// Whether lines are those that a document shows, in which `…` stands for anything.
fn matches(shown: &[&str], printed: &[&str]) -> bool {
    match (shown, printed) {
        ([], []) => true,
        (["…", rest @ ..], _) => (0..=printed.len()).any(|skip| matches(rest, &printed[skip..])),
        ([first, rest @ ..], [line, more @ ..]) => line_matches(first, line) && matches(rest, more),
        ([_, ..], []) | ([], [_, ..]) => false,
    }
}

fn line_matches(shown: &str, line: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[test]
fn three_dots_stand_for_anything() {
    assert!(line_matches("a … c", "a b c"));
    assert!(line_matches("pid …)", "pid 17)"));
    assert!(!line_matches("a … c", "a b d"));
    assert!(!line_matches("a", "ab"));
    assert!(matches(&["…", "b"], &["a", "a", "b"]));
    assert!(!matches(&["a"], &["a", "b"]));
}
