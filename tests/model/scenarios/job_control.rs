//! Stops of jobs: Ctrl-Z, fg and bg; and who has the terminal.

use super::*;

use foster::config::{ForwardTo, JobControl, Restart, Session};
use foster::process::RunId;
use foster::signal::SignalSet;
use foster::supervisor::{Event, Facts, Signalled, Supervisor};

/// A child that is stopped as by Ctrl-Z.
fn halted(terminal: Terminal, config: Config) -> Sim {
    let mut sim = world_on(terminal, config, [runs()]);
    sim.pass(s(1));
    sim.new_deeds();
    let now = sim.now();
    sim.world.kernel.kill(Target::Process(Pid(2)), Signal::TSTP, None, now);
    sim.settle();
    sim
}

fn suspend(job: Option<Signal>) -> Action {
    Action::Suspend { group: Some(Pid(2)), job }
}

const GIVE: Action = Action::GiveTerminal { group: Pid(2) };

#[test]
fn foster_stops_with_its_child_and_both_go_on() {
    let mut sim = halted(Terminal::Job, init());
    assert_eq!(sim.new_deeds(), [suspend(Some(Signal::TSTP))]);
    sim.gets(Signal::CONT);
    assert_eq!(sim.deeds(), [GIVE, kill(group(2), Signal::CONT)]);
    assert_eq!(sim.ended, None);
}

#[test]
fn a_cont_is_for_the_whole_group_only_where_the_terminal_can_have_stopped_it() {
    let run = || behaves(Manner::Ignore);
    for (terminal, config, to) in [
        (Terminal::Job, init(), group(2)),
        (Terminal::None, init(), process(2)),
        (Terminal::Job, supervisor(1), process(2)),
    ] {
        let mut sim = world_on(terminal, config, [run()]);
        sim.pass(s(1));
        sim.gets(Signal::CONT);
        assert!(sim.deeds().contains(&kill(to, Signal::CONT)), "{:?}", sim.deeds());
        sim.new_deeds();
        sim.gets(Signal::USR1);
        assert_eq!(sim.deeds(), [kill(process(2), Signal::USR1)]);
    }
}

#[test]
fn a_child_that_nobody_else_could_let_go_on_goes_on() {
    let sim = halted(Terminal::Leader, init());
    assert_eq!(sim.deeds(), [suspend(Some(Signal::TSTP)), GIVE, kill(group(2), Signal::CONT)]);
}

#[test]
fn what_was_stopped_on_purpose_stays_stopped() {
    let mut sim = world_on(Terminal::Leader, init(), [runs()]);
    sim.pass(s(1));
    sim.new_deeds();
    sim.gets(Signal::TSTP);
    // It was sent to foster: whom else, who sent it knows.
    assert_eq!(sim.new_deeds(), [kill(process(2), Signal::TSTP), suspend(None), GIVE]);
    sim.gets(Signal::CONT);
    assert_eq!(sim.new_deeds(), [GIVE, kill(group(2), Signal::CONT)]);
    // After that, Ctrl-Z counts as little as before.
    let now = sim.now();
    sim.world.kernel.kill(Target::Process(Pid(2)), Signal::TSTP, None, now);
    sim.settle();
    assert_eq!(sim.deeds(), [suspend(Some(Signal::TSTP)), GIVE, kill(group(2), Signal::CONT)]);
}

#[test]
fn a_ctrl_z_that_comes_to_foster_itself_counts_as_little_as_one_that_comes_to_the_child() {
    // The second of two, while foster had the terminal back because of the first.
    let mut sim = world_on(Terminal::Leader, init(), [runs()]);
    sim.pass(s(1));
    sim.new_deeds();
    sim.happens(Op::Signal(Signal::TSTP, None, true));
    let (stop, resume) = (kill(group(2), Signal::TSTP), kill(group(2), Signal::CONT));
    assert_eq!(sim.new_deeds(), [stop, suspend(Some(Signal::TSTP)), GIVE, resume]);
}

#[test]
fn without_a_terminal_nothing_follows_from_a_stop() {
    assert_eq!(halted(Terminal::None, init()).deeds(), []);
    assert_eq!(halted(Terminal::Job, supervisor(1)).deeds(), []);
}

#[test]
fn dumb_init_stops_itself_after_passing_the_signal_on() {
    let mut config = init();
    config.signals.job_control = JobControl::OnSignals(SignalSet::of(&[Signal::TSTP]));
    config.adjust(|policy| policy.forward = ForwardTo::Group);
    let mut sim = world(config, [runs()]);
    sim.pass(s(1));
    sim.new_deeds();
    sim.gets(Signal::TSTP);
    let deeds = sim.new_deeds();
    assert_eq!(deeds, [kill(group(2), Signal::TSTP), Action::Suspend { group: None, job: None }]);
    sim.gets(Signal::CONT);
    assert_eq!(sim.deeds(), [kill(group(2), Signal::CONT)]);
}

#[test]
fn a_child_that_stops_during_a_stop_of_foster_does_not_stop_it() {
    let mut sim = world_on(Terminal::Job, init(), [behaves(Manner::Ignore)]);
    sim.pass(s(1));
    sim.gets(Signal::TERM);
    sim.new_deeds();
    sim.happens(Op::Halt(0));
    assert_eq!(sim.deeds(), []);
    sim.pass(s(10));
    assert_eq!(sim.ended, Some(137));
}

/// A world in which the first start is looked at too.
fn begun(terminal: Terminal, ignored: &[Signal], config: Config) -> Sim {
    let mut sim = Sim::with_ignored(config, terminal, SignalSet::of(ignored));
    sim.world.record = Some(Vec::new());
    sim.pass(s(1));
    sim
}

#[test]
fn a_child_has_the_terminal_from_the_start_only_where_it_is_plainly_the_one_in_front() {
    let (int, quit) = ([Signal::INT], [Signal::QUIT]);
    for (terminal, ignored, gives) in [
        (Terminal::Job, &[][..], true),
        (Terminal::Leader, &[], true),
        (Terminal::Pipeline, &[], false),
        (Terminal::Job, &int, false),
        (Terminal::Job, &quit, false),
        (Terminal::Job, &[Signal::HUP, Signal::TSTP], true),
        (Terminal::None, &[], false),
    ] {
        let sim = begun(terminal, ignored, init());
        let spawn = Action::Spawn { service: ServiceId(0), terminal: gives };
        assert_eq!(sim.deeds(), [spawn], "{terminal:?} {ignored:?}");
    }
    let mut apart = init();
    apart.adjust(|policy| policy.session = Session::Own);
    for config in [apart, supervisor(1)] {
        let sim = begun(Terminal::Job, &[], config);
        assert_eq!(sim.deeds(), [Action::Spawn { service: ServiceId(0), terminal: false }]);
    }
}

#[test]
fn a_child_that_uses_the_terminal_while_it_is_fosters_gets_it_and_goes_on() {
    let mut sim = begun(Terminal::Pipeline, &[], init());
    sim.new_deeds();
    sim.happens(Op::Use(0));
    assert_eq!(sim.new_deeds(), [GIVE, kill(group(2), Signal::CONT)]);
    // From here on it is as if it had had it from the start.
    let now = sim.now();
    sim.world.kernel.kill(Target::Process(Pid(2)), Signal::TSTP, None, now);
    sim.settle();
    assert_eq!(sim.new_deeds(), [suspend(Some(Signal::TSTP))]);
    sim.gets(Signal::CONT);
    assert_eq!(sim.deeds(), [GIVE, kill(group(2), Signal::CONT)]);
}

#[test]
fn a_ctrl_z_in_the_moment_in_which_the_child_uses_the_terminal_is_not_lost() {
    let mut sim = begun(Terminal::Pipeline, &[], init());
    sim.new_deeds();
    sim.together(Op::Use(0));
    sim.happens(Op::Signal(Signal::TSTP, None, true));
    let (stop, resume) = (kill(group(2), Signal::TSTP), kill(group(2), Signal::CONT));
    assert_eq!(sim.new_deeds(), [stop, GIVE, resume, stop, suspend(Some(Signal::TSTP))]);
    sim.gets(Signal::CONT);
    assert_eq!(sim.new_deeds(), [GIVE, resume]);
}

#[test]
fn a_child_that_uses_the_terminal_in_the_midst_of_a_stop_gets_it_too() {
    let mut sim = world_on(Terminal::Pipeline, init(), [behaves(Manner::Ignore)]);
    sim.pass(s(1));
    sim.gets(Signal::TERM);
    sim.world.kernel.get_mut(Pid(2)).expect("it lives").manner = Manner::Default;
    sim.new_deeds();
    sim.happens(Op::Use(0));
    assert_eq!(sim.deeds(), [GIVE, kill(group(2), Signal::CONT)]);
}

#[test]
fn a_child_that_never_used_the_terminal_goes_on_without_it() {
    let mut sim = begun(Terminal::Pipeline, &[], init());
    sim.happens(Op::Signal(Signal::TSTP, None, true));
    sim.new_deeds();
    sim.gets(Signal::CONT);
    assert_eq!(sim.deeds(), [kill(group(2), Signal::CONT)]);
}

#[test]
fn the_rest_of_fosters_job_gets_the_terminal_back_when_it_uses_it() {
    let mut sim = begun(Terminal::Pipeline, &[], init());
    sim.happens(Op::Use(0));
    sim.new_deeds();
    sim.happens(Op::Signal(Signal::TTIN, None, true));
    assert_eq!(sim.new_deeds(), [Action::TakeTerminal { resume: true }]);
    // Then foster's own group has it, and who wants it asks again.
    sim.happens(Op::Use(0));
    assert_eq!(sim.new_deeds(), [GIVE, kill(group(2), Signal::CONT)]);
    // What somebody sends is for the child.
    sim.gets(Signal::TTIN);
    assert_eq!(sim.deeds()[0], kill(process(2), Signal::TTIN));
}

#[test]
fn a_key_that_comes_to_foster_goes_to_the_childs_whole_group() {
    let mut config = init();
    config.adjust(|policy| policy.forward = ForwardTo::Child);
    for signal in [Signal::INT, Signal::QUIT, Signal::WINCH, Signal::TSTP] {
        let mut sim = world_on(Terminal::Pipeline, config.clone(), [behaves(Manner::Ignore)]);
        sim.pass(s(1));
        sim.new_deeds();
        sim.gets(signal);
        assert_eq!(sim.new_deeds(), [kill(Target::Process(Pid(2)), signal)], "{signal}");
        sim.happens(Op::Signal(signal, None, true));
        assert_eq!(sim.deeds(), [kill(group(2), signal)], "{signal}");
    }
}

#[test]
fn what_a_shell_lets_go_on_goes_on_as_a_whole() {
    let mut config = init();
    config.adjust(|policy| policy.forward = ForwardTo::Child);
    let mut sim = halted(Terminal::Job, config);
    sim.new_deeds();
    sim.gets(Signal::CONT);
    assert_eq!(sim.deeds(), [GIVE, kill(group(2), Signal::CONT)]);
}

#[test]
fn ctrl_z_stops_the_child_even_where_no_tstp_goes_on() {
    let mut config = init();
    config.signals.rewrites.set(Signal::TSTP, None);
    let mut sim = world_on(Terminal::Pipeline, config, [runs()]);
    sim.pass(s(1));
    sim.new_deeds();
    sim.gets(Signal::TSTP);
    assert_eq!(sim.new_deeds(), []);
    sim.happens(Op::Signal(Signal::TSTP, None, true));
    assert_eq!(sim.deeds(), [kill(group(2), Signal::TSTP), suspend(None)]);
}

#[test]
fn the_terminal_is_fosters_between_two_runs() {
    let mut config = init();
    config.adjust(|policy| (policy.kept, policy.restart) = (true, Restart::Always));
    let mut sim = begun(Terminal::Job, &[], config);
    sim.new_deeds();
    sim.happens(Op::Exit(0, 3));
    let deeds = sim.new_deeds();
    assert!(deeds.contains(&Action::TakeTerminal { resume: false }), "{deeds:?}");
    sim.happens(Op::Due);
    assert_eq!(sim.deeds(), [Action::Spawn { service: ServiceId(0), terminal: true }]);
}

#[test]
fn foster_dies_of_the_key_that_its_child_died_of() {
    let mut config = init();
    config.signals.dies_with_child = true;
    let (at_once, lazily) = (Terminal::Job, Terminal::Pipeline);
    for signal in [Signal::INT, Signal::QUIT] {
        let exit = Action::Exit { code: 128 + u32::from(signal.number()) };
        let end = |sim: &Sim| sim.deeds()[sim.deeds().len() - 2..].to_vec();
        // The terminal sent it to the child's group: those in foster's own have not heard of it.
        let mut sim = begun(at_once, &[], config.clone());
        sim.happens(Op::Die(0, signal));
        assert_eq!(end(&sim), [Action::DieOf { signal, job: true }, exit]);
        // It came to foster's.
        let mut sim = begun(lazily, &[], config.clone());
        sim.happens(Op::Signal(signal, None, true));
        assert_eq!(end(&sim), [Action::DieOf { signal, job: false }, exit]);
        // Not where it was somebody else's signal, nor as PID 1, nor under the others' names.
        let others = [
            (lazily, config.clone()),
            (Terminal::None, config.clone()),
            (Terminal::Leader, config.clone()),
            (at_once, init()),
        ];
        for (terminal, config) in others {
            let mut sim = begun(terminal, &[], config);
            sim.happens(Op::Die(0, signal));
            assert_eq!(end(&sim)[1], exit);
            assert!(!matches!(end(&sim)[0], Action::DieOf { .. }), "{terminal:?}");
        }
    }
    // Nor of any other, nor where foster was asked to stop, nor where that is a success.
    let (mut asked, mut success) = (config.clone(), config.clone());
    asked.adjust(|policy| policy.stop.signal = Some(Signal::INT));
    success.adjust(|policy| policy.success.insert(130));
    for (config, op) in [
        (config, Op::Die(0, Signal::TERM)),
        (asked, Op::Signal(Signal::TERM, None, false)),
        (success, Op::Die(0, Signal::INT)),
    ] {
        let mut sim = begun(at_once, &[], config);
        sim.happens(op);
        assert!(sim.ended.is_some());
        let dies = sim.deeds().iter().any(|action| matches!(action, Action::DieOf { .. }));
        assert!(!dies, "{:?}", sim.deeds());
    }
}

#[test]
fn a_leader_that_has_the_terminal_gets_hup_behind_a_term_that_stops_it() {
    let (term, cont, hup) = (Signal::TERM, Signal::CONT, Signal::HUP);
    let ignores = || [behaves(Manner::Ignore)];
    let stopped = |mut sim: Sim, signal| {
        sim.pass(s(1));
        sim.new_deeds();
        sim.gets(signal);
        sim.deeds()
    };
    let both = [kill(process(2), term), kill(process(2), cont)];
    let mut quit = init();
    quit.adjust(|policy| policy.stop.signal = Some(Signal::QUIT));
    let sim = world_on(Terminal::Job, init(), ignores());
    assert_eq!(stopped(sim, term)[2..], [kill(process(2), hup)]);
    let sim = world_on(Terminal::Job, quit, ignores());
    assert_eq!(stopped(sim, term).len(), 2);
    for terminal in [Terminal::None, Terminal::Pipeline] {
        assert_eq!(stopped(world_on(terminal, init(), ignores()), term), both);
    }
}

#[test]
fn a_death_by_the_hup_that_foster_sent_counts_as_stopped() {
    for (terminal, code) in [(Terminal::Job, 0), (Terminal::Pipeline, 129)] {
        let mut config = init();
        config.adjust(|policy| (policy.kept, policy.restart) = (true, Restart::Always));
        let mut sim = world_on(terminal, config, [behaves(Manner::Ignore)]);
        sim.pass(s(1));
        sim.gets(Signal::TERM);
        sim.happens(Op::Behave(0, Manner::Default));
        sim.happens(Op::Die(0, Signal::HUP));
        assert_eq!(sim.ended, Some(code), "{terminal:?}");
    }
}

#[test]
fn a_hup_of_a_terminal_that_is_gone_stops_what_is_supervised() {
    let (term, cont, hup) = (Signal::TERM, Signal::CONT, Signal::HUP);
    let mut sim = world_on(Terminal::Job, supervisor(1), [behaves(Manner::Ignore)]);
    sim.pass(s(1));
    sim.new_deeds();
    // As long as the terminal is there, it is for the service, whoever sent it.
    sim.gets(hup);
    assert_eq!(sim.new_deeds().len(), 1);
    sim.happens(Op::HangUp);
    let [to_term, to_cont] =
        [term, cont].map(|signal| sim.deeds().contains(&kill(group(2), signal)));
    assert!(to_term && to_cont && !sim.got(Pid(2)).ends_with(&[hup]), "{:?}", sim.deeds());
    assert!(sim.machine.is_stopping());
    // The shell's, which comes behind the kernel's, adds nothing.
    sim.new_deeds();
    sim.gets(hup);
    assert_eq!(sim.deeds(), []);
}

#[test]
fn a_hup_of_a_terminal_that_is_gone_goes_on_where_nothing_is_supervised_or_nohup_says_so() {
    let mut command = init();
    command.adjust(|policy| policy.forward = ForwardTo::Child);
    let mut sim = begun(Terminal::Pipeline, &[], command);
    sim.world.kernel.get_mut(Pid(2)).expect("it lives").manner = Manner::Ignore;
    sim.new_deeds();
    sim.happens(Op::HangUp);
    assert_eq!(sim.new_deeds(), [kill(group(2), Signal::HUP)]);

    let facts =
        Facts { terminal: true, ignored: SignalSet::of(&[Signal::HUP]), ..Facts::default() };
    let mut machine = Supervisor::new(supervisor(1), facts);
    let signal = Signal::HUP;
    let hang_up = Signalled { signal, value: None, by_kernel: true, hung_up: true, passed: false };
    let started = Event::Spawned { service: ServiceId(0), pid: Pid(2), run: RunId::default() };
    for event in [started, Event::Signal(hang_up)] {
        machine.handle_event(event, Instant::ZERO);
    }
    assert!(!machine.is_stopping());
}

#[test]
fn ctrl_z_stops_a_supervisor_alone() {
    let mut sim = begun(Terminal::Job, &[], supervisor(2));
    sim.new_deeds();
    sim.happens(Op::Signal(Signal::TSTP, None, true));
    assert!(sim.reports().contains(&Report::SuspendingAlone));
    assert_eq!(sim.new_deeds(), [Action::SuspendAlone]);
    sim.gets(Signal::CONT);
    sim.new_deeds();
    // A process that sends TSTP means the services.
    sim.gets(Signal::TSTP);
    assert_eq!(sim.new_deeds().len(), 2);
    // In a stop there is no time for it.
    sim.gets(Signal::TERM);
    sim.new_deeds();
    sim.happens(Op::Signal(Signal::TSTP, None, true));
    assert_eq!(sim.new_deeds(), []);
}

#[test]
fn ctrl_z_does_nothing_to_a_supervisor_that_nobody_could_resume() {
    for (terminal, ignored) in [(Terminal::Leader, &[][..]), (Terminal::Job, &[Signal::TSTP])] {
        let mut sim = begun(terminal, ignored, supervisor(1));
        sim.new_deeds();
        sim.happens(Op::Signal(Signal::TSTP, None, true));
        assert_eq!(sim.deeds(), []);
        assert!(!sim.reports().contains(&Report::SuspendingAlone));
    }
    let facts = Facts { terminal: true, ..Facts::default() };
    let mut machine = Supervisor::new(supervisor(1), facts);
    machine.handle_event(Event::NotSuspended { group: None }, Instant::ZERO);
    let said = std::iter::from_fn(|| machine.poll_action());
    assert!(said.into_iter().any(|it| it == Action::Report(Report::NotSuspended)));
}
