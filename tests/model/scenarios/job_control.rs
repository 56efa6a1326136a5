//! Stops of jobs: Ctrl-Z, fg and bg.

use super::*;

use foster::config::{ForwardTo, JobControl};
use foster::signal::SignalSet;

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

#[test]
fn foster_stops_with_its_child_and_both_go_on() {
    let mut sim = halted(Terminal::Job, init());
    assert_eq!(sim.new_deeds(), [suspend(Some(Signal::TSTP))]);
    sim.gets(Signal::CONT);
    let give = Action::GiveTerminal { group: Pid(2) };
    assert_eq!(sim.deeds(), [give, kill(group(2), Signal::CONT)]);
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
    assert_eq!(sim.deeds(), [suspend(Some(Signal::TSTP)), kill(group(2), Signal::CONT)]);
}

#[test]
fn what_was_stopped_on_purpose_stays_stopped() {
    let mut sim = world_on(Terminal::Leader, init(), [runs()]);
    sim.pass(s(1));
    sim.new_deeds();
    sim.gets(Signal::TSTP);
    // It was sent to foster: whom else, who sent it knows.
    assert_eq!(sim.new_deeds(), [kill(process(2), Signal::TSTP), suspend(None)]);
    sim.gets(Signal::CONT);
    let give = Action::GiveTerminal { group: Pid(2) };
    assert_eq!(sim.new_deeds(), [give, kill(group(2), Signal::CONT)]);
    // After that, Ctrl-Z counts as little as before.
    let now = sim.now();
    sim.world.kernel.kill(Target::Process(Pid(2)), Signal::TSTP, None, now);
    sim.settle();
    assert_eq!(sim.deeds(), [suspend(Some(Signal::TSTP)), kill(group(2), Signal::CONT)]);
}

#[test]
fn a_ctrl_z_that_comes_to_foster_itself_counts_as_little_as_one_that_comes_to_the_child() {
    // The second of two, while foster had the terminal back because of the first.
    let mut sim = world_on(Terminal::Leader, init(), [runs()]);
    sim.pass(s(1));
    sim.new_deeds();
    sim.happens(Op::Signal(Signal::TSTP, None, true));
    let (stop, resume) = (kill(process(2), Signal::TSTP), kill(group(2), Signal::CONT));
    assert_eq!(sim.new_deeds(), [stop, suspend(Some(Signal::TSTP)), resume]);
}

#[test]
fn without_a_terminal_nothing_follows_from_a_stop() {
    assert_eq!(halted(Terminal::None, init()).deeds(), []);
    assert_eq!(halted(Terminal::Job, supervisor(1)).deeds(), []);
}

#[test]
fn dumb_init_stops_itself_after_passing_the_signal_on() {
    let mut config = init();
    config.job_control = JobControl::OnSignals(SignalSet::of(&[Signal::TSTP]));
    config.forward.to = ForwardTo::Group;
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
