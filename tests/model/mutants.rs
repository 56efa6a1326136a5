//! Do the tests notice a mistake? Each of these is made on purpose in a copy of the sources, and
//! must be found by the scenarios, by the exhaustive search or by the random worlds.
//!
//! `cargo test --test model -- --ignored mutants --nocapture` takes ten minutes;
//! `FOSTER_ALL=1` tells of each mistake all who find it, instead of the first, and takes longer.
//! `FOSTER_MUTANT=word` tries those alone that have it in their names.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// What is wrong, where, what stands there, and what is put in its place.
type Mutant = (&'static str, &'static str, &'static str, &'static str);

const MUTANTS: [Mutant; 82] = [
    (
        "many that escaped are killed without having been stopped",
        "service/mod.rs",
        "            0 if self.crowd <= MANY => Signal::KILL,",
        "            0 => Signal::KILL,",
    ),
    (
        "one of a group that may not be killed is waited for",
        "survey.rs",
        "            if !in_reach {\n                // It got",
        "            if false {\n                // It got",
    ),
    (
        "an orphan that may not be killed is waited for",
        "survey.rs",
        "        if !in_reach {\n            return self.spare(pid, name, in_reach, cx);\n        }\n        // Nobody",
        "        // Nobody",
    ),
    (
        "a leader that may not be killed is waited for",
        "service/rows.rs",
        "Input::Refused if leader == Leader::Alive => {",
        "Input::Refused if false => {",
    ),
    (
        "a leader that may not be killed is told of with each signal",
        "service/mod.rs",
        "std::mem::replace(&mut self.refused, true)",
        "self.refused",
    ),
    (
        "a group that may not be killed is told of though its leader has ended",
        "mod.rs",
        "None if refused && signal == Signal::KILL => {",
        "None if false => {",
    ),
    (
        "what is no child of foster's is left for later",
        "survey.rs",
        "if !adopted && !matches!(mark, Mark::Run(_)) {",
        "if !adopted {",
    ),
    (
        "nobody looks for leftovers when a start has failed",
        "service/rows.rs",
        "if let Next::Retry { .. } = next {",
        "if false {",
    ),
    (
        "that a service goes to the background is told each time",
        "service/mod.rs",
        "                !told\n",
        "                true\n",
    ),
    (
        "nobody looks whom a run left behind",
        "service/steps.rs",
        "if group.is_some() || !cx.policy.kept {",
        "if false {",
    ),
    (
        "that a service goes to the background is told after the kill",
        "outbox.rs",
        "self.actions.insert(self.given, Action::Report(report));",
        "self.report(report);",
    ),
    (
        "a run just as long as healthy is not healthy",
        "restart.rs",
        "if ran >= policy.backoff.healthy_after",
        "if ran > policy.backoff.healthy_after",
    ),
    ("what fails at once is started again at once", "restart.rs", "delay = delay.max(BREATH);", ""),
    ("a run of a moment counts as none", "restart.rs", "if ran < HASTY {", "if ran <= HASTY {"),
    (
        "a request to stop is taken for a signal that only goes on",
        "mod.rs",
        "self.is_request(signalled.signal)",
        "false",
    ),
    (
        "a signal that has gone on goes on once more",
        "forward.rs",
        "if !signalled.passed {",
        "if true {",
    ),
    (
        "a request to stop may go on before it is told",
        "forward.rs",
        "passing.without(config.signals.requests)",
        "passing",
    ),
    (
        "a signal that stops a child or lets it go on may go on before it is told",
        "forward.rs",
        ".without(suspending).without(SPECIAL)",
        ".without(suspending)",
    ),
    (
        "what goes on as another signal may go on before it is told",
        "forward.rs",
        "config.signals.rewrites.get(*signal) == Some(*signal)",
        "config.signals.rewrites.get(*signal).is_some()",
    ),
    (
        "what is to be overlooked may go on before it is told",
        "forward.rs",
        "self.passing.without(self.overlook)",
        "self.passing",
    ),
    (
        "the end of a service is taken for that of an orphan",
        "mod.rs",
        "self.children.service_of(*pid).is_some()",
        "false",
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
        "service/steps.rs",
        "            cx.send(target, signal);\n        }\n        cx.reap(pid);\n",
        "            let _ = cx.reap(pid);\n            cx.send(target, signal);\n        } else {\n            cx.reap(pid);\n        }\n",
    ),
    (
        "a service is down when its leader is",
        "../config/policy.rs",
        "Leftovers::Kill { .. } => After::Wait,",
        "Leftovers::Kill { .. } => After::Clean,",
    ),
    (
        "what is left is killed though the leader died of a stop",
        "../config/policy.rs",
        "asked || status.is_death_by(STOPPING)",
        "asked",
    ),
    (
        "what escaped is asked with each survey",
        "service/rows.rs",
        "Rest::Left { .. } => Rest::Left { asked: true },",
        "Rest::Left { .. } => Rest::Left { asked: false },",
    ),
    (
        "what is left of the group is asked once more with what escaped",
        "service/mod.rs",
        "(!asked && pid != group).then_some(true)",
        "(!asked).then_some(true)",
    ),
    (
        "what escaped is killed when the group is gone, before its time is up",
        "service/mod.rs",
        "left && self.policy().kills_orphans(false)",
        "left && !self.policy().kept",
    ),
    (
        "what is left gets the stop signal once more in the stop",
        "service/rows.rs",
        "is_left && signal == cx.policy.stop.unasked()",
        "is_left && signal == Signal::KILL",
    ),
    (
        "what is left has no more time in a stop than before the restart",
        "service/rows.rs",
        "                let kill_at = cx.stop_deadline();\n                State",
        "                State",
    ),
    (
        "what died of the signal of a stop before that has crashed",
        "service/steps.rs",
        "        self.code = self.code_after_stop(status, cx.policy);\n        State::Down",
        "        let _ = (cx, status);\n        State::Down",
    ),
    (
        "without a backoff what is left has no time",
        "service/rows.rs",
        "Some(at.max(cx.now + LEAST_TIME))",
        "Some(at)",
    ),
    (
        "what is left takes its leader's code with it",
        "service/steps.rs",
        "!cx.policy.kept || !cx.shutdown.is_requested()",
        "!cx.policy.kept",
    ),
    (
        "nothing follows where what is left had to be killed",
        "service/rows.rs",
        "self.kill(pid, leader, KillCause::Late, next, cx)",
        "self.kill(pid, leader, KillCause::Late, Next::Down, cx)",
    ),
    (
        "no CONT goes behind the stop signal",
        "outbox.rs",
        "        self.push(Action::Kill { target, signal: Signal::CONT, value: None });\n",
        "",
    ),
    (
        "a stop that is for the leader first is for its whole group",
        "service/context.rs",
        "(StopTo::LeaderFirst | StopTo::Leader, Leader::Alive) => Target::Process(pid)",
        "(StopTo::LeaderFirst | StopTo::Leader, Leader::Alive) => self.group_of(pid)",
    ),
    (
        "a repeated request still goes to a leader that has ended",
        "service/context.rs",
        "(StopTo::LeaderFirst, Leader::Dead(_)) | (StopTo::Group, _) => self.policy.reach(pid)",
        "(StopTo::LeaderFirst, Leader::Dead(_)) | (StopTo::Group, _) => Target::Process(pid)",
    ),
    (
        "the rest of a group is not asked when its leader has ended",
        "service/rows.rs",
        "                    cx.ask(cx.policy.reach(pid));\n",
        "",
    ),
    (
        "the rest of a group is asked too early",
        "service/steps.rs",
        "cx.now + timeout / 2",
        "cx.now + timeout / 3",
    ),
    (
        "the rest of a group is not asked after half of the time",
        "service/rows.rs",
        "                    cx.ask(Target::Rest(pid));\n",
        "",
    ),
    (
        "the leader gets the stop signal once more with the rest of its group",
        "service/rows.rs",
        "cx.ask(Target::Rest(pid))",
        "cx.ask(Target::Group(pid))",
    ),
    (
        "what the terminal stopped does not go on as a group",
        "forward.rs",
        "ForwardTo::Child => follows && sent == Signal::CONT,",
        "ForwardTo::Child => false,",
    ),
    (
        "a signal for the leader alone goes to its group",
        "forward.rs",
        "ForwardTo::Child => follows && sent == Signal::CONT,",
        "ForwardTo::Child => !shared,",
    ),
    (
        "only the first stop signal counts as one",
        "service/rows.rs",
        "            self.asked_by.insert(signal);\n",
        "            if self.asked_by == SignalSet::EMPTY {\n                self.asked_by.insert(signal);\n            }\n",
    ),
    (
        "a service gets the PWR that is meant for its init",
        "forward.rs",
        "None if FOR_FOSTER.contains(sent) => Signal::TERM,",
        "None if false => Signal::TERM,",
    ),
    (
        "a window that changes its size stops services",
        "forward.rs",
        "self.asks_to_stop(signal, sent) && !is_resize(signalled)",
        "self.asks_to_stop(signal, sent)",
    ),
    (
        "a slow stop is told once and not again",
        "slow.rs",
        "half if half >= LEAST => now + half,",
        "half if half >= LEAST => until,",
    ),
    (
        "one Ctrl-C too many is asked for",
        "shutdown.rs",
        "2_u32.saturating_sub(self.interrupts).max(1)",
        "2",
    ),
    (
        "SIGKILL comes a moment too late",
        "service/context.rs",
        "timeout.map(|timeout| self.now + timeout)",
        "timeout.map(|timeout| self.now + timeout + Duration::from_nanos(1))",
    ),
    (
        "a pending backoff outlives a stop",
        "service/rows.rs",
        "Input::Stop(_) | Input::Kill => self.stopped_waiting(cx),",
        "Input::Stop(_) | Input::Kill => State::Backoff { retry_at },",
    ),
    (
        "a stop while a service starts is forgotten",
        "service/rows.rs",
        "} else if cx.shutdown.is_requested() {",
        "} else if cx.shutdown.is_requested() && pid.0 == 0 {",
    ),
    (
        "a leader that was given up is still waited for",
        "service/rows.rs",
        "Leader::Alive => cx.children.forget(pid),",
        "Leader::Alive => {}",
    ),
    (
        "a restart that was not yet made is made after a stop",
        "service/rows.rs",
        "match cx.outbox.recall(self.id) {",
        "match cx.outbox.recall(ServiceId(u32::MAX)) {",
    ),
    (
        "what escaped is looked for once and not again",
        "mod.rs",
        "freely });\n                    self.outbox.survey_due |= self.awaits_survey();",
        "freely });",
    ),
    (
        "a survey that missed somebody counts as one that found nobody",
        "mod.rs",
        "let remains = if all { found } else { found.max(Remains::Others) };",
        "let remains = if all { found } else { found };",
    ),
    (
        "a survey that saw the groups counts as whole",
        "mod.rs",
        "let all = if service.is_cleaning() { whole } else { groups };",
        "let all = groups;",
    ),
    (
        "a survey that missed somebody ends the machine",
        "mod.rs",
        "if whole || self.poweroff.has_found() {",
        "if whole || true {",
    ),
    (
        "ends that a held zombie hides are not looked for",
        "mod.rs",
        "Event::Hidden => self.outbox.survey_due |= self.awaits_survey(),",
        "Event::Hidden => {}",
    ),
    (
        "where marks cannot be read the first service owns all",
        "survey.rs",
        "Mark::Unreadable => only(),",
        "Mark::Unreadable => Some(ServiceId(0)),",
    ),
    (
        "what has no mark is killed too",
        "survey.rs",
        "Mark::None | Mark::Lost => None,",
        "Mark::None | Mark::Lost => only(),",
    ),
    (
        "those that are left alone are told of as often as they are seen",
        "spared.rs",
        "self.told.contains(&Some(pid))",
        "false",
    ),
    (
        "those that are left alone are told of all at once",
        "spared.rs",
        "now < self.quiet_until",
        "false",
    ),
    (
        "one that is another service's is told of as left alone",
        "survey.rs",
        "(service.run() == run).then_some(run.service)",
        "(service.run() == run && service.is_cleaning()).then_some(run.service)",
    ),
    (
        "one Ctrl-C after another stop request kills",
        "shutdown.rs",
        "self.interrupts >= 2",
        "self.interrupts >= 1",
    ),
    (
        "init ends with 0 when it was stopped",
        "service/steps.rs",
        "if policy.kept && self.ended_as_asked(status)",
        "if self.ended_as_asked(status)",
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
    (
        "SIGKILL comes when foster looks who is left",
        "service/rows.rs",
        "Input::Timeout if kill_at.is_some_and(|at| at <= cx.now)",
        "Input::Timeout if kill_at.is_some()",
    ),
    (
        "a service is started at once and once more when it is due",
        "service/steps.rs",
        "cx.report(Report::RestartDue { service: self.id, delay, restarts });",
        "cx.outbox.push(Action::Spawn { service: self.id, terminal: false });
        cx.report(Report::RestartDue { service: self.id, delay, restarts });",
    ),
    (
        "each run is told as the first one",
        "service/rows.rs",
        "self.number.0 = self.number.0.saturating_add(1);",
        "",
    ),
    (
        "foster looks who is left and does not move on the time of that",
        "service/rows.rs",
        "look_at: look_at.filter(|_| !look),",
        "look_at,",
    ),
    (
        "foster wakes a moment before there is anything to do",
        "mod.rs",
        "earlier(self.deadlines.earliest(), self.poweroff.deadline())",
        "earlier(self.deadlines.earliest(), self.poweroff.deadline())
            .map(|at| Instant::from_nanos(at.as_nanos() - 1))",
    ),
    (
        "the death of an orphan is not answered",
        "mod.rs",
        "self.outbox.push(Action::ReapOrphan { pid, freely });",
        "let _ = freely;",
    ),
    (
        "a second Ctrl-C kills nobody",
        "shutdown.rs",
        "self.phase = Phase::Killing(sent);
                Request::Kill",
        "self.phase = Phase::Killing(sent);
                Request::Repeat",
    ),
    (
        "a deadline that moves keeps its place",
        "deadline.rs",
        "self.entries[id.index()] = Some((at, place));
                self.settle(place);
            }
            (None",
        "self.entries[id.index()] = Some((at, place));
            }
            (None",
    ),
    (
        "what takes the place of a deadline that is gone does not move up",
        "deadline.rs",
        "self.put(place, moved);
                    self.settle(place);",
        "self.put(place, moved);",
    ),
    (
        "a machine ends as was asked first",
        "poweroff.rs",
        "self.how = Some(how);",
        "self.how.get_or_insert(how);",
    ),
    (
        "a machine ends without a look at who lives",
        "poweroff.rs",
        "cx.outbox.survey_due = true;
                Phase::Looking",
        "self.end(cx)",
    ),
    (
        "a second Ctrl-Alt-Del leaves all the time that they had",
        "poweroff.rs",
        "(Phase::Asked { .. }, Input::Hurry | Input::Timeout) => cx.kill_all(),",
        "(Phase::Asked { .. }, Input::Timeout) => cx.kill_all(),
            (phase @ Phase::Asked { .. }, Input::Hurry) => phase,",
    ),
    (
        "all get SIGKILL when half their time is up",
        "poweroff.rs",
        "kill_at: self.timeout.map(|timeout| self.now + timeout)",
        "kill_at: self.timeout.map(|timeout| self.now + timeout / 2)",
    ),
    (
        "no CONT goes to all behind the TERM",
        "poweroff.rs",
        "        self.outbox.push(Action::KillAll { signal: Signal::CONT });
",
        "",
    ),
];

/// The mistakes that are endless loops: a test that does not end has found one of these, and no
/// other.
const ENDLESS: [&str; 1] = ["foster looks who is left and does not move on the time of that"];

/// What is to be mistaken moves with the sources.
#[test]
fn each_mutant_finds_its_place_in_the_sources() {
    for (mistake, file, right, wrong) in MUTANTS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/supervisor").join(file);
        let source = fs::read_to_string(&path).expect("the source can be read");
        assert_eq!(source.matches(right).count(), 1, "{mistake}: {file} has to have this once");
        assert_ne!(right, wrong, "{mistake}");
    }
}

#[test]
#[ignore = "builds the tests once for each mistake"]
fn mutants_are_all_found() {
    let copy = std::env::temp_dir().join(format!("foster-mutants-{}", std::process::id()));
    prepare(&copy);
    let mut missed = Vec::new();
    let sound = found_by(&copy, false);
    assert!(sound.failing.is_empty() && sound.endless.is_empty(), "the copy itself: {sound:?}");
    let word = std::env::var("FOSTER_MUTANT").unwrap_or_default();
    for (mistake, file, right, wrong) in MUTANTS {
        if !mistake.contains(&word) {
            continue;
        }
        let path = copy.join("src/supervisor").join(file);
        let source = fs::read_to_string(&path).expect("the source can be read");
        assert_eq!(source.matches(right).count(), 1, "{file} has to have this once: {right}");
        fs::write(&path, source.replace(right, wrong)).expect("the copy can be written");
        let built = run(&copy, BUILD_LIMIT, &["--no-run"]);
        assert_eq!(built, Run::Passes, "this does not even compile: {mistake}");
        let may_loop = ENDLESS.contains(&mistake);
        let found = found_by(&copy, may_loop);
        let (failing, endless) = (found.failing.join(", "), found.endless.join(", "));
        println!("{mistake}: found by {failing:?}, without an end in {endless:?}");
        if found.failing.is_empty() && (found.endless.is_empty() || !may_loop) {
            missed.push(mistake);
        }
        fs::write(&path, source).expect("the copy can be written");
    }
    fs::remove_dir_all(&copy).expect("the copy can be removed");
    assert!(missed.is_empty(), "nobody noticed: {missed:?}");
}

/// Which tests notice a mistake, as families.
#[derive(Debug, Default)]
struct Found {
    failing: Vec<&'static str>,
    /// Those that did not end, which proves something only of an endless loop.
    endless: Vec<&'static str>,
}

/// Who notices: the first family that does, or with `FOSTER_ALL` all that do.
fn found_by(copy: &Path, may_loop: bool) -> Found {
    let mut found = Found::default();
    let all = std::env::var_os("FOSTER_ALL").is_some();
    for family in ["scenarios", "random", "exhaustive"] {
        let limit = if may_loop { SHORT_LIMIT } else { LIMIT };
        match run(copy, limit, &["--", family, "--skip", "mutants"]) {
            Run::Passes => continue,
            Run::Fails => found.failing.push(family),
            Run::DoesNotEnd => found.endless.push(family),
        }
        if !all && (may_loop || !found.failing.is_empty()) {
            break;
        }
    }
    found
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

/// What came of a run of cargo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Passes,
    Fails,
    DoesNotEnd,
}

fn run(copy: &Path, limit: &str, arguments: &[&str]) -> Run {
    let status = Command::new("timeout")
        .args([limit, env!("CARGO"), "test", "--quiet", "--offline", "--test", "model"])
        .args(arguments)
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", copy.join("target"))
        .env("FOSTER_EVENTS", "300000")
        .env("FOSTER_FREEZE", "0")
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("timeout and cargo can be started");
    match status.code() {
        Some(0) => Run::Passes,
        Some(TIMED_OUT) => Run::DoesNotEnd,
        Some(_) | None => Run::Fails,
    }
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

/// For how many seconds a family of tests may run; the longest takes half a minute on two cores.
const LIMIT: &str = "240";

/// The same where it may not end: the scenarios, which are the first, take a few seconds.
const SHORT_LIMIT: &str = "60";

/// For how many seconds the tests may be built.
const BUILD_LIMIT: &str = "600";

/// What timeout(1) ends with where it had to end the command.
const TIMED_OUT: i32 = 124;

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
opt-level = 1
debug = false
";
