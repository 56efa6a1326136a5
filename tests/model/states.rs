//! The table of states, as the machine itself answers: docs/STATES.md is made from it, and this
//! test fails when the two differ. `UPDATE=1 cargo test --test model states` writes it anew.

use std::fmt::Write;

use foster::config::{Argv, Config, Program};
use foster::exit::ExitStatus;
use foster::process::{Comm, Mark, Pid, RunId, ServiceId, SpawnError, SpawnErrorKind, Target};
use foster::signal::Signal;
use foster::supervisor::{
    Action, Event, Facts, Leader, Next, Report, Rest, Signalled, State, Supervisor, Survivor,
};
use foster::time::Instant;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/STATES.md");

#[test]
fn the_documented_table_of_states_is_the_machines() {
    let table = table();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PATH, &table).expect("docs/STATES.md can be written");
    }
    let written = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(
        written == table,
        "docs/STATES.md is not what the machine does; UPDATE=1 writes it anew:\n{table}"
    );
}

/// Something that can be told to a machine.
#[derive(Clone, Copy)]
enum Told {
    Event(Event),
    /// The same signal twice.
    Twice(Signal),
    /// A survey that finds this.
    Survey(Option<Survivor>),
    /// Half of the time until then.
    Half,
    /// The deadline.
    Deadline,
}

fn table() -> String {
    let mut out = String::from(HEAD);
    for (mode, config) in [("Supervisor", supervisor()), ("Init", init())] {
        let _ = writeln!(out, "\n## {mode}\n");
        out.push_str(if config.services[0].policy.kept { SUPERVISOR } else { INIT });
        for (name, path) in states() {
            let Some(case) = led(&config, &path) else { continue };
            let _ =
                writeln!(out, "\n### {name}\n\n| event | next | actions |\n| --- | --- | --- |");
            for (name, told) in inputs() {
                if let Some((next, done)) = answer(case.clone(), told) {
                    let _ = writeln!(out, "| {name} | {next} | {done} |");
                }
            }
        }
    }
    out
}

/// How to come to each state.
fn states() -> Vec<(&'static str, Vec<Told>)> {
    let spawned = Told::Event(spawned());
    let stop = Told::Event(signal(Signal::TERM));
    let dead = Told::Event(exited(LEADER, ExitStatus::Signal(Signal::TERM)));
    let crash = Told::Event(exited(LEADER, ExitStatus::Code(1)));
    let member = Told::Survey(Some(member(true)));
    let escaped = Told::Survey(Some(escaped(Mark::Run(RUN))));
    vec![
        ("Starting", vec![]),
        ("Starting, a stop was requested", vec![stop]),
        ("Up", vec![spawned]),
        ("Stopping, the leader lives", vec![spawned, stop]),
        ("Stopping, half of the time has passed", vec![spawned, stop, Told::Half]),
        ("Stopping, the leader is dead", vec![spawned, stop, dead, member]),
        ("Killing, the leader lives", vec![spawned, stop, Told::Deadline]),
        ("Killing, the leader is dead", vec![spawned, stop, dead, member, Told::Deadline, member]),
        ("Stopping, the leader has just died of TERM without a request", vec![spawned, dead]),
        (
            "Killing, the leader died of TERM without a request",
            vec![spawned, dead, member, Told::Deadline, member],
        ),
        ("Cleaning, then Backoff", vec![spawned, crash, escaped]),
        ("Cleaning, then Down", vec![spawned, stop, dead, Told::Survey(None), escaped]),
        ("Backoff", vec![spawned, crash, Told::Survey(None)]),
    ]
}

fn inputs() -> Vec<(&'static str, Told)> {
    let no_program = SpawnError { kind: SpawnErrorKind::NotFound, os: 2, pid: None };
    let no_room = SpawnError { kind: SpawnErrorKind::Resources, os: 11, pid: None };
    let refused = Event::KillFailed { target: Target::Group(LEADER), signal: Signal::KILL, os: 1 };
    let denied = Survivor { in_reach: false, ..escaped(Mark::Run(RUN)) };
    vec![
        ("the start succeeds", Told::Event(spawned())),
        (
            "the start fails",
            Told::Event(Event::SpawnFailed { service: SERVICE, error: no_program }),
        ),
        (
            "the start fails because there are too many processes",
            Told::Event(Event::SpawnFailed { service: SERVICE, error: no_room }),
        ),
        ("TERM", Told::Event(signal(Signal::TERM))),
        ("INT twice", Told::Twice(Signal::INT)),
        ("USR1", Told::Event(signal(Signal::USR1))),
        ("the leader ends with 0", Told::Event(exited(LEADER, ExitStatus::Code(0)))),
        ("the leader ends with 1", Told::Event(exited(LEADER, ExitStatus::Code(1)))),
        ("the leader dies of TERM", Told::Event(exited(LEADER, ExitStatus::Signal(Signal::TERM)))),
        ("an orphan ends", Told::Event(exited(ORPHAN, ExitStatus::Code(0)))),
        ("the survey finds nothing", Told::Survey(None)),
        ("the survey finds an adopted member", Told::Survey(Some(member(true)))),
        ("the survey finds a member of another parent", Told::Survey(Some(member(false)))),
        ("the survey finds one that escaped", Told::Survey(Some(escaped(Mark::Run(RUN))))),
        ("the survey finds one without a mark", Told::Survey(Some(escaped(Mark::None)))),
        ("the survey finds one whose mark is gone", Told::Survey(Some(escaped(Mark::Lost)))),
        ("the survey finds one that foster may not kill", Told::Survey(Some(denied))),
        ("SIGKILL to the leader is refused", Told::Event(refused)),
        ("half of the time has passed", Told::Half),
        ("the deadline comes", Told::Deadline),
    ]
}

/// A machine, and the time that it is there.
#[derive(Clone)]
struct Case {
    machine: Supervisor,
    now: Instant,
}

/// A machine that was told all this; none where it cannot be.
fn led(config: &Config, path: &[Told]) -> Option<Case> {
    let machine = Supervisor::new(config.clone(), Facts::default());
    let mut case = Case { machine, now: Instant::ZERO };
    case.drain();
    for told in path {
        case.tell(*told)?;
    }
    Some(case)
}

/// What a machine does when it is told this; none where it cannot be told it.
fn answer(mut case: Case, told: Told) -> Option<(String, String)> {
    let before = case.state();
    if !can_be_told(before, told) {
        return None;
    }
    let done = case.tell(told)?;
    let mut done: Vec<String> = done.into_iter().filter_map(say_action).collect();
    if case.machine.wants_survey() {
        done.push("survey".into());
    }
    let after = case.state();
    let next = if after == before { "the same".into() } else { say_state(after, case.now) };
    Some((next, if done.is_empty() { "nothing".into() } else { done.join(", ") }))
}

impl Case {
    fn state(&self) -> State {
        self.machine.states().next().expect("it has a service")
    }

    /// Tells the machine something; gives what it did.
    fn tell(&mut self, told: Told) -> Option<Vec<Action>> {
        match told {
            Told::Event(event) => {
                let before = (!self.machine.needs_time(&event)).then(|| self.clone());
                self.machine.handle_event(event, self.now);
                if let Some(mut other) = before {
                    other.machine.handle_event(event, Instant::from_nanos(u64::MAX / 2));
                    assert_eq!(other.state(), self.state(), "{event:?}");
                    assert_eq!(other.machine.poll_timeout(), self.machine.poll_timeout());
                    let done = self.drain();
                    assert_eq!(other.drain(), done, "{event:?}");
                    return Some(done);
                }
            }
            Told::Twice(twice) => {
                self.machine.handle_event(signal(twice), self.now);
                self.machine.handle_event(signal(twice), self.now);
            }
            Told::Survey(found) => {
                // The end of an orphan makes the machine look again, if it waits for anything.
                self.machine.handle_event(exited(ORPHAN, ExitStatus::Code(0)), self.now);
                self.drain();
                self.machine.poll_survey()?;
                if let Some(survivor) = found {
                    self.machine.handle_event(Event::Survivor(survivor), self.now);
                }
                self.machine.handle_event(Event::Surveyed { whole: true, groups: true }, self.now);
            }
            Told::Half => {
                let State::Stopping { rest: Rest::Spared { until }, .. } = self.state() else {
                    return None;
                };
                self.now = until?;
                self.machine.handle_timeout(self.now);
            }
            Told::Deadline => {
                self.now = match self.state() {
                    // A look at who is left may come before.
                    State::Stopping { kill_at, .. } => kill_at?,
                    State::Killing { give_up_at, .. } => give_up_at,
                    State::Cleaning { give_up_at, .. } => give_up_at?,
                    // A stop that goes on is told of, and nothing else.
                    State::Starting => return None,
                    _ => self.machine.poll_timeout()?,
                };
                self.machine.handle_timeout(self.now);
            }
        }
        Some(self.drain())
    }

    fn drain(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.machine.poll_action()).collect()
    }
}

/// Whether this can happen in that state: the kernel tells only of what is there.
fn can_be_told(state: State, told: Told) -> bool {
    let alive = match state {
        State::Up { .. } => true,
        State::Stopping { leader, .. } | State::Killing { leader, .. } => leader == Leader::Alive,
        State::Down
        | State::Starting
        | State::Cleaning { .. }
        | State::Backoff { .. }
        | State::Failed => false,
    };
    match told {
        Told::Event(Event::Spawned { .. } | Event::SpawnFailed { .. }) => state == State::Starting,
        Told::Event(Event::Exited { pid: LEADER, .. }) => alive,
        Told::Event(Event::KillFailed { .. }) => matches!(state, State::Killing { .. }),
        // A service whose leader is reaped has no group.
        Told::Survey(Some(Survivor { group: LEADER, .. })) => {
            !matches!(state, State::Cleaning { .. })
        }
        Told::Event(_) | Told::Twice(_) | Told::Survey(_) | Told::Half | Told::Deadline => true,
    }
}

fn say_state(state: State, now: Instant) -> String {
    let after = |at: Instant| format!("{} s", at.since(now).as_secs_f32());
    let leader = |leader| match leader {
        Leader::Alive => "the leader lives",
        Leader::Dead(_) => "the leader is dead",
    };
    let behind = |text: &mut String, next| {
        let next = match next {
            Next::Retry { .. } => "; then Backoff",
            Next::Down => "",
            Next::Failed => "; then Failed",
        };
        text.push_str(next);
    };
    match state {
        State::Down => "Down".into(),
        State::Starting => "Starting".into(),
        State::Up { .. } => "Up".into(),
        State::Stopping { leader: who, rest, kill_at, look_at, next, .. } => {
            let mut text = format!("Stopping, {}", leader(who));
            if let Rest::Spared { until: Some(at) } = rest {
                let _ = write!(text, "; the rest of the group after {}", after(at));
            }
            if let Some(at) = kill_at {
                let _ = write!(text, "; SIGKILL after {}", after(at));
            }
            if let Some(at) = look_at {
                let _ = write!(text, "; look after {}", after(at));
            }
            behind(&mut text, next);
            text
        }
        State::Killing { leader: who, give_up_at, look_at, next, .. } => {
            let mut text = format!("Killing, {}; give up after {}", leader(who), after(give_up_at));
            if let Some(at) = look_at {
                let _ = write!(text, "; look after {}", after(at));
            }
            behind(&mut text, next);
            text
        }
        State::Cleaning { give_up_at, next } => {
            let next = match next {
                Next::Retry { .. } => "Backoff",
                Next::Down => "Down",
                Next::Failed => "Failed",
            };
            let mut text = format!("Cleaning, then {next}");
            if let Some(at) = give_up_at {
                let _ = write!(text, "; give up after {}", after(at));
            }
            text
        }
        State::Backoff { retry_at } => format!("Backoff for {}", after(retry_at)),
        State::Failed => "Failed".into(),
    }
}

/// What is done, but for what is only said.
fn say_action(action: Action) -> Option<String> {
    let name = |pid: Pid| match pid {
        LEADER => "the leader",
        MEMBER => "the member",
        ORPHAN => "the orphan",
        _ => "someone",
    };
    Some(match action {
        Action::Spawn { .. } => "start".into(),
        Action::Kill { target: Target::Group(_), signal, .. } => format!("{signal} to the group"),
        Action::Kill { target: Target::Rest(_), signal, .. } => {
            format!("{signal} to the rest of the group")
        }
        Action::Kill { target: Target::Process(pid) | Target::Marked(pid, _), signal, .. } => {
            format!("{signal} to {}", name(pid))
        }
        Action::Reap { pid } | Action::ReapOrphan { pid, .. } => format!("reap {}", name(pid)),
        Action::Hold { pid } => format!("hold {}", name(pid)),
        Action::Survey { .. } => "survey".into(),
        Action::Look { .. } => "ask whom it left".into(),
        Action::GiveTerminal { .. } => "give the terminal".into(),
        Action::TakeTerminal { .. } => "take the terminal back".into(),
        Action::Suspend { .. } | Action::SuspendAlone => "stop foster itself".into(),
        Action::DieOf { signal, .. } => format!("die of {signal}"),
        Action::Report(Report::Unkillable { .. }) => "report surviving processes".into(),
        Action::Report(_) => return None,
        Action::KillAll { signal } => format!("{signal} to all that runs"),
        Action::EndMachine { .. } => "end the machine".into(),
        Action::Exit { code } => format!("end with {code}"),
    })
}

fn supervisor() -> Config {
    Config::supervisor(vec![service()])
}

fn init() -> Config {
    Config::init(service())
}

fn service() -> Program {
    Program::new(Argv::new(["app"]))
}

fn spawned() -> Event {
    Event::Spawned { service: SERVICE, pid: LEADER, run: RUN }
}

fn exited(pid: Pid, status: ExitStatus) -> Event {
    Event::Exited { pid, status }
}

fn signal(signal: Signal) -> Event {
    Event::Signal(Signalled {
        signal,
        value: None,
        by_kernel: false,
        hung_up: false,
        passed: false,
    })
}

fn member(adopted: bool) -> Survivor {
    let name = Comm::default();
    Survivor { pid: MEMBER, name, group: LEADER, mark: Mark::None, adopted, in_reach: true }
}

fn escaped(mark: Mark) -> Survivor {
    let name = Comm::default();
    Survivor { pid: ORPHAN, name, group: ORPHAN, mark, adopted: true, in_reach: true }
}

const SERVICE: ServiceId = ServiceId(0);
const RUN: RunId = RunId { service: SERVICE, nonce: 1 };
const LEADER: Pid = Pid(10);
const MEMBER: Pid = Pid(11);
const ORPHAN: Pid = Pid(12);

const HEAD: &str = "\
# The states of a service

What a service does in each state, by event. The state machine (`src/supervisor/`) prints this file,
and a test compares it; `UPDATE=1 cargo test --test model states` rewrites it. Reports, and events that
cannot happen in a state, are left out. Actions are in order; a *survey* asks who lives, after everything
else has been handled.

*Down* and *Failed* are final: no event has an effect there. When every service is in one of them,
foster ends; if one is *Failed*, the others are stopped first.
";

const SUPERVISOR: &str = "\
One `--wrap`, with defaults. TERM, INT and QUIT ask for a stop.
";

const INIT: &str = "\
`foster COMMAND`, with defaults. TERM asks for a stop; INT and QUIT are forwarded like any other signal
until a stop is under way.
";
