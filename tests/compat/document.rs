//! docs/COMPAT.md and these tests name each other.

use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn document_and_tests_name_each_other() {
    let (written, tests) = (named_in_the_document(), all_tests());
    let unknown: Vec<&String> = written.difference(&tests).collect();
    let missing: Vec<&String> = tests.difference(&written).collect();
    assert!(unknown.is_empty(), "docs/COMPAT.md names tests that do not exist: {unknown:#?}");
    assert!(missing.is_empty(), "docs/COMPAT.md does not name these tests: {missing:#?}");
}

/// Every word between backticks in the last column of a table.
fn named_in_the_document() -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/COMPAT.md");
    let text = std::fs::read_to_string(path).expect("docs/COMPAT.md can be read");
    let rows = text.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    rows.filter_map(|row| row.rsplit_once('|'))
        .flat_map(|(_, column)| column.split('`').skip(1).step_by(2))
        .map(str::to_string)
        .collect()
}

/// The names of the tests in this program, without their modules.
fn all_tests() -> BTreeSet<String> {
    let program = std::env::current_exe().expect("a test knows its own path");
    let output = Command::new(program).args(["--list", "--format", "terse"]).output();
    let list = String::from_utf8(output.expect("the tests can be listed").stdout).expect("UTF-8");
    let tests = list.lines().filter_map(|line| line.strip_suffix(": test"));
    let names: Vec<&str> =
        tests.map(|test| test.rsplit_once("::").map_or(test, |(_, name)| name)).collect();
    let unique: BTreeSet<String> = names.iter().map(|name| name.to_string()).collect();
    assert_eq!(unique.len(), names.len(), "each name is used once");
    unique
}
