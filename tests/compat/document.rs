//! docs/COMPAT.md and these tests name each other; what it says of choices, it may name tests of
//! other folders for.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn document_and_tests_name_each_other() {
    let (written, tests) = (named_in_the_document(), all_tests());
    let unknown: Vec<&String> = written.difference(&tests).collect();
    let missing: Vec<&String> = tests.difference(&written).collect();
    assert!(unknown.is_empty(), "docs/COMPAT.md names tests that do not exist: {unknown:#?}");
    assert!(missing.is_empty(), "docs/COMPAT.md does not name these tests: {missing:#?}");
}

#[test]
fn each_choice_names_tests_that_there_are() {
    let text = document();
    let (_, choices) = text.split_once("### Choices\n").expect("there is such a part");
    let (choices, _) = choices.split_once("\n## ").expect("there is another part behind it");
    let tests: BTreeSet<String> =
        ["compat", "cli", "system", "boot"].into_iter().flat_map(written_in).collect();
    for choice in choices.split("\n- ").skip(1) {
        let (_, named) = choice.rsplit_once("(`").unwrap_or_else(|| panic!("no tests: {choice}"));
        let named = format!("`{named}");
        for name in named.split('`').skip(1).step_by(2) {
            assert!(
                tests.contains(name),
                "docs/COMPAT.md names a test that does not exist: {name}"
            );
        }
    }
}

/// The names of the tests in a folder of them, by its sources.
fn written_in(folder: &str) -> BTreeSet<String> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder)];
    let mut names = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("it can be listed") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(path).expect("sources can be read");
            let functions = text.split("#[test]").skip(1).filter_map(|rest| {
                rest.split_once("fn ")?.1.split_once('(').map(|(name, _)| name.to_owned())
            });
            names.extend(functions);
        }
    }
    names
}

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/COMPAT.md");
    fs::read_to_string(path).expect("docs/COMPAT.md can be read")
}

/// Every word between backticks in the last column of a table.
fn named_in_the_document() -> BTreeSet<String> {
    let text = document();
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
