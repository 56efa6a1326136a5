//! "A file imports from its own level and those below" (docs/ARCHITECTURE.md): who may name whom in the
//! library, by the paths that stand in the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules that are only words, of level 0.
const WORDS: [&str; 5] = ["exit", "process", "quote", "signal", "time"];

/// Whom each module above them may name besides the words.
const ARROWS: [(&str, &[&str]); 4] = [
    ("config", &[]),
    ("supervisor", &["config"]),
    ("driver", &["supervisor"]),
    ("cli", &["config", "supervisor"]),
];

/// What of the state machine is for `cli` to put into words.
const REPORTS: [&str; 7] =
    ["EndCause", "Hurry", "KillCause", "Report", "Wait", "Who", "supervisor"];

/// The state machine's surface, and the parts of it that are still methods of all of it.
const METHODS: [&str; 3] = ["mod.rs", "forward.rs", "terminal.rs"];

#[test]
fn the_librarys_modules_name_only_those_below_them() {
    let mut seen = BTreeSet::new();
    for (path, module) in library() {
        let below = ARROWS.iter().find(|(name, _)| *name == module).map(|(_, below)| *below);
        for named in named_after("crate::", &code(&path)) {
            let is_word = WORDS.contains(&&*named);
            let allowed = named == module || is_word || below.unwrap_or(&[]).contains(&&*named);
            assert!(allowed, "{path:?} names {named}");
            seen.insert((module.clone(), named));
        }
    }
    // What is drawn is there.
    for (module, below) in ARROWS {
        for named in below {
            assert!(seen.contains(&(module.into(), (*named).into())), "{module} names no {named}");
        }
    }
}

#[test]
fn cli_knows_the_reports_of_the_machine_and_not_the_machine() {
    for (path, _) in library().into_iter().filter(|(_, module)| module == "cli") {
        for line in code(&path).lines().filter(|line| line.contains("crate::supervisor::")) {
            let (_, names) = line.split_once("crate::").expect("it has it");
            let names = names.split(|char: char| !char.is_alphanumeric());
            for name in names.filter(|name| !name.is_empty()) {
                assert!(REPORTS.contains(&name), "{path:?} names {name}");
            }
        }
    }
}

#[test]
fn the_parts_of_the_machine_do_not_know_it() {
    for (path, _) in library().into_iter().filter(|(_, module)| module == "supervisor") {
        let knows = code(&path).contains("impl Supervisor {");
        let may = METHODS.iter().any(|name| path.ends_with(Path::new("supervisor").join(name)));
        assert_eq!(knows, may, "{path:?}");
    }
}

/// The sources of the library, each with the module that it belongs to.
fn library() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for module in WORDS.iter().copied().chain(ARROWS.map(|(name, _)| name)) {
        let (file, folder) = (root.join(module).with_extension("rs"), root.join(module));
        files.extend(Some(file).filter(|file| file.exists()).map(|file| (file, module.to_owned())));
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") {
                    files.push((path, module.to_owned()));
                }
            }
        }
    }
    assert!(files.len() > 40, "{files:?}");
    files
}

/// A file without its comments and its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("it can be read");
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The words that follow this one.
fn named_after(before: &str, text: &str) -> Vec<String> {
    let word = |rest: &str| -> String {
        rest.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect()
    };
    text.match_indices(before).map(|(at, _)| word(&text[at + before.len()..])).collect()
}
