//! Do the tests notice a mistake? Each of these is made on purpose in a copy of the sources, and
//! must be found by the scenarios, by the exhaustive search or by the random worlds.
//!
//! `cargo test --test model -- --ignored mutants --nocapture` takes some minutes; `FOSTER_ALL=1`
//! tells of each mistake all who find it, instead of the first, and takes longer.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// What is wrong, where, what stands there, and what is put in its place.
type Mutant = (&'static str, &'static str, &'static str, &'static str);

const MUTANTS: [Mutant; 18] = [
    (
        "a run just as long as healthy is not healthy",
        "restart.rs",
        "if ran >= config.backoff.healthy_after",
        "if ran > config.backoff.healthy_after",
    ),
    (
        "one restart more than allowed",
        "restart.rs",
        "is_some_and(|max| self.0 >= max)",
        "is_some_and(|max| self.0 > max)",
    ),
    (
        "the delay is not doubled after the first restart",
        "restart.rs",
        "checked_shl(earlier)",
        "checked_shl(earlier.saturating_sub(1))",
    ),
    (
        "the leader is reaped before its group is killed",
        "service.rs",
        "self.end_group(pid, cx);\n                cx.reap(pid);\n                let next",
        "cx.reap(pid);\n                self.end_group(pid, cx);\n                let next",
    ),
    (
        "a service is down when its leader is",
        "service.rs",
        "Leftovers::Kill { .. } => true,",
        "Leftovers::Kill { .. } => false,",
    ),
    (
        "no CONT goes behind the stop signal",
        "service.rs",
        "        cx.signal(pid, Leader::Alive, Signal::CONT);\n",
        "",
    ),
    (
        "SIGKILL comes a moment too late",
        "service.rs",
        "timeout.map(|timeout| cx.now + timeout)",
        "timeout.map(|timeout| cx.now + timeout + Duration::from_nanos(1))",
    ),
    (
        "a pending backoff outlives a stop",
        "service.rs",
        "Input::Stop(_) | Input::Kill => State::Down,",
        "Input::Stop(_) | Input::Kill => State::Backoff { retry_at },",
    ),
    (
        "a stop while a service starts is forgotten",
        "service.rs",
        "} else if cx.shutdown.is_requested() {",
        "} else if cx.shutdown.is_requested() && pid.0 == 0 {",
    ),
    (
        "a leader that was given up is still waited for",
        "service.rs",
        "Leader::Alive => cx.outbox.forget_leader(pid),",
        "Leader::Alive => {}",
    ),
    (
        "a restart that was not yet made is made after a stop",
        "service.rs",
        "match cx.outbox.recall(self.id) {",
        "match cx.outbox.recall(ServiceId(u32::MAX)) {",
    ),
    (
        "what escaped is looked for once and not again",
        "mod.rs",
        "self.outbox.survey_due |= self.awaits_survey();",
        "",
    ),
    (
        "where marks cannot be read the first service owns all",
        "mod.rs",
        "Mark::Unreadable => only(),",
        "Mark::Unreadable => Some(ServiceId(0)),",
    ),
    (
        "what has no mark is killed too",
        "mod.rs",
        "Mark::None | Mark::Lost => None,",
        "Mark::None | Mark::Lost => only(),",
    ),
    (
        "one Ctrl-C after another stop request kills",
        "shutdown.rs",
        "self.interrupts >= 2",
        "self.interrupts >= 1",
    ),
    (
        "init ends with 0 when it was stopped",
        "shutdown.rs",
        "if config.supervised && status.is_death_by",
        "if status.is_death_by",
    ),
    (
        "the last bad status counts and not the first",
        "shutdown.rs",
        "self.code.get_or_insert(code);",
        "self.code = Some(code);",
    ),
    (
        "the value of a real-time signal is lost",
        "forward.rs",
        "signal: sent, value: signalled.value }",
        "signal: sent, value: None }",
    ),
];

#[test]
#[ignore = "builds the tests once for each mistake"]
fn mutants_are_all_found() {
    let copy = std::env::temp_dir().join(format!("foster-mutants-{}", std::process::id()));
    prepare(&copy);
    assert_eq!(found_by(&copy), [""; 0], "the copy itself fails");
    let mut missed = Vec::new();
    for (mistake, file, right, wrong) in MUTANTS {
        let path = copy.join("src/supervisor").join(file);
        let source = fs::read_to_string(&path).expect("the source can be read");
        assert_eq!(source.matches(right).count(), 1, "{file} has to have this once: {right}");
        fs::write(&path, source.replace(right, wrong)).expect("the copy can be written");
        assert!(run(&copy, &["--no-run"]), "this does not even compile: {mistake}");
        let found = found_by(&copy);
        println!("{mistake}: found by {}", found.join(", "));
        if found.is_empty() {
            missed.push(mistake);
        }
        fs::write(&path, source).expect("the copy can be written");
    }
    fs::remove_dir_all(&copy).expect("the copy can be removed");
    assert!(missed.is_empty(), "nobody noticed: {missed:?}");
}

/// Which tests fail: the first that does, or with `FOSTER_ALL` all that do.
fn found_by(copy: &Path) -> Vec<&'static str> {
    let families = ["scenarios", "random", "exhaustive"].into_iter();
    let failing = families.filter(|family| !run(copy, &["--", family, "--skip", "mutants"]));
    let wanted = if std::env::var_os("FOSTER_ALL").is_some() { usize::MAX } else { 1 };
    failing.take(wanted).collect()
}

/// Copies what the tests of the machine need, and nothing that takes time to build.
fn prepare(copy: &Path) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["Cargo.lock", "src", "tests/model", "docs/STATES.md"] {
        copy_all(&here.join(name), &copy.join(name));
    }
    let manifest = fs::read_to_string(here.join("Cargo.toml")).expect("the manifest can be read");
    let section = manifest.split("\n[").find_map(|part| part.strip_prefix("dependencies]"));
    let dependencies = section.expect("the library has dependencies");
    fs::write(copy.join("Cargo.toml"), format!("{MANIFEST}\n[dependencies]{dependencies}"))
        .expect("the copy can be written");
}

fn run(copy: &Path, arguments: &[&str]) -> bool {
    // Some mistakes make an endless loop.
    Command::new("timeout")
        .args([LIMIT, env!("CARGO"), "test", "--quiet", "--offline", "--test", "model"])
        .args(arguments)
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", copy.join("target"))
        .env("FOSTER_EVENTS", "300000")
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("timeout and cargo can be started")
        .success()
}

fn copy_all(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().expect("it is in a folder")).expect("it can be made");
        fs::copy(from, to).expect("it can be copied");
        return;
    }
    fs::create_dir_all(to).expect("the folder can be made");
    for entry in fs::read_dir(from).expect("the folder can be read") {
        let entry = entry.expect("the folder can be read");
        copy_all(&entry.path(), &to.join(entry.file_name()));
    }
}

/// For how many seconds the tests may run or be built; they take some.
const LIMIT: &str = "600";

const MANIFEST: &str = "\
[package]
name = \"foster\"
version = \"0.0.0\"
edition = \"2024\"
build = false
autobins = false
autotests = false
autoexamples = false

[lib]
path = \"src/lib.rs\"

[[test]]
name = \"model\"
path = \"tests/model/main.rs\"

[profile.test]
opt-level = 0
debug = false
";
