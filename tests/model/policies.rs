//! Services that are kept in different ways, side by side: each goes by its own policy.

use std::rc::Rc;
use std::time::Duration;

use foster::config::{
    Argv, Config, ForwardTo, Leftovers, Policy, Program, Restart, Session, StopTo,
};
use foster::exit::ExitStatus;
use foster::process::{Pid, RunId, ServiceId, Target};
use foster::signal::Signal;
use foster::supervisor::{Action, Event, Facts, Signalled, State, Supervisor};
use foster::time::Instant;

/// A machine whose services are up, the first one as process 10, and so on.
struct Mixed {
    machine: Supervisor,
    now: Instant,
}

impl Mixed {
    fn new(policies: impl IntoIterator<Item = Policy>) -> Mixed {
        let policies: Vec<_> = policies.into_iter().collect();
        let app = || Program::new(Argv::new(["app"]));
        let mut config = Config::supervisor(policies.iter().map(|_| app()));
        for (service, policy) in config.services.iter_mut().zip(policies) {
            service.policy = Rc::new(policy);
        }
        let count = config.services.len() as u32;
        let machine = Supervisor::new(config, Facts::default());
        let mut mixed = Mixed { machine, now: Instant::ZERO };
        mixed.deeds();
        for id in 0..count {
            let run = RunId { service: ServiceId(id), nonce: u128::from(id) + 1 };
            mixed.told(Event::Spawned { service: ServiceId(id), pid: Pid(10 + id), run });
        }
        mixed
    }

    /// Tells the machine something; gives what it does about it.
    fn told(&mut self, event: Event) -> Vec<Action> {
        self.machine.handle_event(event, self.now);
        self.deeds()
    }

    fn gets(&mut self, signal: Signal) -> Vec<Action> {
        let (value, by_kernel, hung_up, passed) = (None, false, false, false);
        self.told(Event::Signal(Signalled { signal, value, by_kernel, hung_up, passed }))
    }

    fn ends(&mut self, pid: u32, status: ExitStatus) -> Vec<Action> {
        self.told(Event::Exited { pid: Pid(pid), status })
    }

    /// Lets time pass up to the next deadline; gives what is done then, and when.
    fn due(&mut self) -> (Duration, Vec<Action>) {
        let from = Instant::ZERO;
        self.now = self.machine.poll_timeout().expect("there is a deadline");
        self.machine.handle_timeout(self.now);
        (self.now.since(from), self.deeds())
    }

    fn deeds(&mut self) -> Vec<Action> {
        let all = std::iter::from_fn(|| self.machine.poll_action());
        all.filter(|action| !matches!(action, Action::Report(_))).collect()
    }

    /// Surveys, and finds nobody.
    fn finds_nobody(&mut self) -> Vec<Action> {
        let mut deeds = Vec::new();
        while self.machine.poll_survey().is_some() {
            deeds.extend(self.told(Event::Surveyed { whole: true, groups: true }));
        }
        deeds
    }

    fn state(&self, service: usize) -> State {
        self.machine.states().nth(service).expect("there is such a service")
    }
}

fn kill(target: Target, signal: Signal) -> Action {
    Action::Kill { target, signal, value: None }
}

#[test]
fn each_is_started_again_by_its_own_rules() {
    let mut once = Policy::kept_up();
    once.restart = Restart::Never;
    let mut slow = Policy::kept_up();
    (slow.restart, slow.backoff.first) = (Restart::OnFailure, Duration::from_secs(3));
    slow.success.insert(7);
    let mut mixed = Mixed::new([Policy::kept_up(), once, slow]);
    for pid in 10..13 {
        mixed.ends(pid, ExitStatus::Code(5));
    }
    mixed.finds_nobody();
    assert_eq!(mixed.state(1), State::Down);
    let (first, deeds) = mixed.due();
    assert_eq!(first, Duration::from_millis(500));
    assert_eq!(deeds, [Action::Spawn { service: ServiceId(0), terminal: false }]);
    let (second, deeds) = mixed.due();
    assert_eq!(second, Duration::from_secs(3));
    assert_eq!(deeds, [Action::Spawn { service: ServiceId(2), terminal: false }]);
    let run = RunId { service: ServiceId(2), nonce: 3 };
    mixed.told(Event::Spawned { service: ServiceId(2), pid: Pid(20), run });
    mixed.ends(20, ExitStatus::Code(7));
    mixed.finds_nobody();
    assert_eq!(mixed.state(2), State::Down);
}

#[test]
fn each_gets_its_own_stop_signal_and_its_own_time() {
    let mut quits = Policy::kept_up();
    quits.stop.signal = Some(Signal::QUIT);
    quits.stop.timeout = Some(Duration::from_secs(3));
    let mut alone = Policy::kept_up();
    (alone.stop.to, alone.stop.timeout) = (StopTo::Leader, Some(Duration::from_secs(5)));
    let mut shared = Policy::once();
    (shared.session, shared.stop.timeout) = (Session::Shared, None);
    let mut mixed = Mixed::new([quits, alone, shared]);
    let [quits, alone, shared] =
        [Target::Group(Pid(10)), Target::Process(Pid(11)), Target::Process(Pid(12))];
    let (term, quit, cont) = (Signal::TERM, Signal::QUIT, Signal::CONT);
    let asked = [(quits, quit), (quits, cont), (alone, term), (alone, cont), (shared, term)];
    let asked = asked.map(|(target, signal)| kill(target, signal));
    assert_eq!(mixed.gets(term), [&asked[..], &[kill(shared, cont)]].concat());
    // A death by the stop signal of another is not what this one was asked for.
    mixed.ends(11, ExitStatus::Signal(quit));
    mixed.finds_nobody();
    let late = loop {
        let (at, deeds) = mixed.due();
        if !deeds.is_empty() {
            break (at, deeds);
        }
    };
    assert_eq!(late, (Duration::from_secs(3), vec![kill(quits, Signal::KILL)]));
    mixed.ends(10, ExitStatus::Signal(Signal::KILL));
    mixed.ends(12, ExitStatus::Code(0));
    let last = mixed.finds_nobody();
    assert_eq!(last.last(), Some(&Action::Exit { code: 128 + 3 }));
}

#[test]
fn each_gets_what_is_forwarded_in_its_own_way_and_leaves_behind_what_it_may() {
    let mut group = Policy::kept_up();
    group.forward = ForwardTo::Group;
    let mut leaves = Policy::once();
    leaves.leftovers = Leftovers::Leave;
    let mut parts = Policy::once();
    parts.leftovers = Leftovers::Signal(Signal::HUP);
    let mut mixed = Mixed::new([group, leaves, parts]);
    let [group, leaves, parts] =
        [Target::Group(Pid(10)), Target::Process(Pid(11)), Target::Process(Pid(12))];
    let forwarded = [group, leaves, parts].map(|target| kill(target, Signal::USR1));
    assert_eq!(mixed.gets(Signal::USR1), forwarded);
    assert_eq!(mixed.ends(11, ExitStatus::Code(0)), [Action::Reap { pid: Pid(11) }]);
    let parted = kill(Target::Group(Pid(12)), Signal::HUP);
    assert_eq!(mixed.ends(12, ExitStatus::Code(0)), [parted, Action::Reap { pid: Pid(12) }]);
    // Its group is killed, and so is what carries its mark; that of the others is not looked for.
    let killed = kill(Target::Group(Pid(10)), Signal::KILL);
    let deeds = mixed.ends(10, ExitStatus::Code(1));
    assert_eq!(deeds, [killed, Action::Reap { pid: Pid(10) }]);
    assert_eq!(mixed.machine.poll_survey(), Some(Action::Survey { marks: true }));
}
