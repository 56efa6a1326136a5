//! What each command line of these tests comes to, in the file beside this one: the settings that
//! differ from those of `foster COMMAND`. A commit that is to change nothing leaves that file alone;
//! one that adds cases or changes a setting on purpose writes it anew, by
//! `FOSTER_FREEZE=1 cargo test --test cli`, and says why.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::rc::Rc;
use std::sync::Mutex;
use std::{env, fs};

use foster::cli::Platform;
use foster::config::{Argv, Config, JobControl, Program, ServiceConfig};
use foster::signal::{Signal, SignalSet};

use crate::world::World;

/// Checks that a command line gives the same settings as before.
#[track_caller]
pub fn assert_frozen(args: &[OsString], world: &World, config: &Config) {
    let (case, now) = (case(args, world), differences(config));
    if env::var("FOSTER_FREEZE").is_ok_and(|text| text == "1") {
        return write_down(&case, &now);
    }
    let mut known = FROZEN.lines().filter_map(|line| line.split_once(ARROW));
    let before = known.find(|(known, _)| *known == case).map(|(_, settings)| settings);
    assert_eq!(Some(&*now), before, "{case} (frozen.rs)");
}

/// The command line, and everything unusual around it.
fn case(args: &[OsString], world: &World) -> String {
    let usual = World::new();
    let mut case: Vec<String> = args.iter().map(|word| format!("{word:?}")).collect();
    case.extend(
        world.variables.iter().map(|(name, value)| format!("{}={value:?}", name.escape_debug())),
    );
    if world.programs != usual.programs {
        case.push(format!("programs {:?}", world.programs));
    }
    if world.platform == Platform::Windows {
        case.push("on Windows".into());
    }
    if world.machine {
        case.push("on a machine".into());
    }
    case.join(" ")
}

/// The settings that differ from those of a plain command.
fn differences(config: &Config) -> String {
    let usual = settings(&Config::init(Program::new(Argv::default())));
    let differ = settings(config).into_iter().filter(|setting| !usual.contains(setting));
    let differ = differ.map(|(name, value)| format!("{name} {value}"));
    differ.collect::<Vec<_>>().join("; ")
}

/// Each setting by its name, those of services in their order.
fn settings(config: &Config) -> Vec<(String, String)> {
    let policy = config.services.first().map(|service| Rc::clone(&service.policy));
    let policy = policy.unwrap_or_default();
    let alike = |other: &ServiceConfig| {
        other.policy == policy && other.policy.stop.timeout == config.stop_timeout
    };
    assert!(config.services.iter().all(alike), "{config:?}");
    let mut all = Vec::new();
    let mut add = |name: &str, value: &dyn std::fmt::Debug| {
        all.push((name.to_owned(), format!("{value:?}")));
    };
    for service in &config.services {
        let words: Vec<_> = service.program.argv.words().map(String::from_utf8_lossy).collect();
        add("run", &(&service.name, words, service.program.port, service.program.in_shell));
    }
    add("app host", &config.app_host);
    add("supervised", &policy.kept);
    add("restart", &policy.restart);
    add("backoff", &policy.backoff.first);
    add("backoff max", &policy.backoff.max);
    add("healthy after", &policy.backoff.healthy_after);
    add("max restarts", &policy.backoff.max_restarts);
    add("stop requests", &signals(config.signals.requests));
    add("stop signal", &policy.stop.signal);
    add("stop timeout", &config.stop_timeout);
    add("stop to", &policy.stop.to);
    add("forward to", &policy.forward);
    add("rewrites", &config.signals.rewrites);
    add("success", &policy.success);
    add("start failure", &config.start_failure);
    add("leftovers", &policy.leftovers);
    add("session", &policy.session);
    match config.signals.job_control {
        JobControl::FollowChild => add("job control", &"follows child"),
        JobControl::OnSignals(set) => add("job control", &signals(set)),
    }
    add("dies with child", &config.signals.dies_with_child);
    let setup = &config.setup;
    add("subreaper", &(setup.subreaper, setup.needs_subreaper));
    add("parent death signal", &setup.parent_death_signal);
    add("parent is thread", &setup.parent_is_thread);
    add("detach terminal", &setup.detach_terminal);
    add("close descriptors", &setup.close_descriptors);
    add("leave directory", &setup.leave_directory);
    add("listen pid", &setup.listen_pid);
    add("unblock signals", &setup.unblock_signals);
    add("warn unless reaper", &setup.warn_unless_reaper);
    add("boot", &setup.boot);
    add("script fallback", &setup.script_fallback);
    add("voice", &config.log.voice);
    add("level", &config.log.level);
    add("format", &config.log.format);
    add("log time", &config.log.time);
    add("verbose", &config.log.verbose);
    add("opening lines", &config.log.opening.len());
    add("warn of orphans", &config.log.warn_of_orphans);
    add("warnings", &config.log.warnings.len());
    all
}

fn signals(set: SignalSet) -> Vec<Signal> {
    (1..=64).filter_map(Signal::new).filter(|signal| set.contains(*signal)).collect()
}

fn write_down(case: &str, settings: &str) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/frozen.txt");
    let text = fs::read_to_string(&path).expect("it is there");
    let mut lines: BTreeMap<_, _> =
        text.lines().filter_map(|line| line.split_once(ARROW)).collect();
    lines.insert(case, settings);
    let text: String = lines.iter().map(|(a, b)| format!("{a}{ARROW}{b}\n")).collect();
    fs::write(&path, text).expect("it can be written");
}

const FROZEN: &str = include_str!("frozen.txt");

/// Between a command line and its settings.
const ARROW: &str = " -> ";
