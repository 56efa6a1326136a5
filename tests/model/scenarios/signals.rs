//! Signals that go on.

use super::*;

use foster::config::{ForwardTo, Session};
use foster::supervisor::{Event, Signalled, Way};

/// All that kill() can send and a process can catch, but for SIGCHLD.
fn catchable() -> impl Iterator<Item = Signal> {
    let all = (1..=64).filter_map(Signal::new);
    all.filter(|s| ![Signal::KILL, Signal::STOP, Signal::CHLD].contains(s))
}

#[test]
fn every_signal_but_stop_requests_goes_on_to_every_service() {
    for config in [supervisor(3), init()] {
        let count = config.services.len() as u32;
        for signal in catchable().filter(|signal| !config.signals.requests.contains(*signal)) {
            let mut sim = Sim::new(config.clone(), Terminal::None);
            sim.world.scripts.fill(vec![behaves(Manner::Ignore)]);
            sim.world.record = Some(Vec::new());
            sim.pass(s(1));
            sim.new_deeds();
            sim.gets(signal);
            let to = (2..2 + count).map(|pid| kill(process(pid), signal));
            assert_eq!(sim.deeds(), to.collect::<Vec<_>>());
        }
    }
}

#[test]
fn init_passes_on_int_and_quit_and_stops_on_term() {
    for signal in [Signal::INT, Signal::QUIT] {
        let mut sim = world(init(), [behaves(Manner::Ignore)]);
        sim.gets(signal);
        assert_eq!((sim.got(Pid(2)), sim.machine.is_stopping()), (vec![signal], false));
    }
    let mut sim = world(init(), [behaves(Manner::Ignore)]);
    sim.gets(Signal::TERM);
    assert!(sim.machine.is_stopping());
}

#[test]
fn a_signal_reaches_the_whole_group_or_the_child_alone() {
    for (to, member) in [(ForwardTo::Group, vec![Signal::HUP]), (ForwardTo::Child, vec![])] {
        let mut config = supervisor(1);
        config.adjust(|policy| policy.forward = to);
        let run = behaves(Manner::Ignore).forks(Offspring::Member, Manner::Ignore);
        let mut sim = world(config, [run]);
        sim.gets(Signal::HUP);
        assert_eq!((sim.got(Pid(2)), sim.got(Pid(3))), (vec![Signal::HUP], member));
    }
}

#[test]
fn a_signal_is_rewritten_or_dropped() {
    let mut config = supervisor(1);
    config.signals.rewrites.set(Signal::HUP, Some(Signal::USR1));
    config.signals.rewrites.set(Signal::USR2, None);
    let mut sim = world(config, [behaves(Manner::Ignore)]);
    sim.gets(Signal::HUP);
    sim.gets(Signal::USR2);
    assert_eq!(sim.got(Pid(2)), [Signal::USR1]);
}

#[test]
fn real_time_signals_go_on_one_by_one_in_order_with_their_values() {
    for to in [ForwardTo::Child, ForwardTo::Group] {
        let mut config = supervisor(1);
        config.adjust(|policy| policy.forward = to);
        let mut sim = world(config, [behaves(Manner::Ignore)]);
        let signal = Signal::RTMIN;
        for value in 0..200 {
            sim.together(Op::Signal(signal, Some(value), false));
        }
        sim.pass(s(0));
        let got = &sim.world.kernel.get(Pid(2)).expect("it runs").got;
        assert_eq!(*got, (0..200).map(|value| (signal, Some(value))).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_left_of_a_group_still_gets_signals_during_a_stop() {
    let mut config = supervisor(1);
    config.adjust(|policy| policy.forward = ForwardTo::Group);
    let run = runs().forks(Offspring::Member, Manner::Ignore);
    let mut sim = world(config, [run]);
    sim.gets(Signal::TERM);
    assert_eq!(sim.living(), [3]);
    sim.gets(Signal::USR1);
    assert_eq!(sim.got(Pid(3)), [Signal::TERM, Signal::CONT, Signal::USR1]);
}

#[test]
fn a_dead_child_gets_no_signal() {
    let mut config = supervisor(1);
    config.adjust(|policy| policy.forward = ForwardTo::Child);
    let run = runs().forks(Offspring::Member, Manner::Ignore);
    let mut sim = world(config, [run]);
    sim.gets(Signal::TERM);
    sim.new_deeds();
    sim.gets(Signal::USR1);
    assert_eq!(sim.deeds(), []);
}

#[test]
fn nobody_gets_a_signal_during_a_backoff() {
    let mut sim = world(supervisor(1), [ends(s(0), 1)]);
    sim.pass(s(2));
    sim.new_deeds();
    sim.gets(Signal::HUP);
    assert_eq!(sim.deeds(), []);
}

#[test]
fn a_signal_that_cannot_be_delivered_is_a_line_in_the_log_and_nothing_more() {
    let mut sim = world(supervisor(1), [runs()]);
    sim.pass(s(1));
    let (target, signal) = (Target::Group(Pid(2)), Signal::HUP);
    let failed = Event::KillFailed { target, signal, os: 1 };
    let before = sim.machine.states().collect::<Vec<_>>();
    sim.machine.handle_event(failed, sim.now());
    let report = Report::KillFailed { target, signal, os: 1 };
    assert_eq!(sim.machine.poll_action(), Some(Action::Report(report)));
    assert_eq!(sim.machine.poll_action(), None);
    assert_eq!(sim.machine.states().collect::<Vec<_>>(), before);
}

#[test]
fn the_hang_up_for_a_terminal_that_foster_gave_up_is_overlooked_once() {
    for (hands, untold) in [(false, false), (true, false), (true, true)] {
        let mut sim = world(init(), [behaves(Manner::Ignore)]);
        (sim.world.hands, sim.world.untold) = (hands, untold);
        sim.pass(s(0));
        sim.world.judge.told(&Event::TerminalDetached, sim.now());
        sim.machine.handle_event(Event::TerminalDetached, sim.now());
        sim.gets(Signal::HUP);
        sim.gets(Signal::CONT);
        assert_eq!(sim.got(Pid(2)), []);
        sim.gets(Signal::HUP);
        assert_eq!(sim.got(Pid(2)), [Signal::HUP]);
    }
}

#[test]
fn a_signal_may_go_before_it_is_told_only_where_nothing_else_follows_from_it() {
    let ways = |config: Config| {
        let requests = config.signals.requests;
        let mut sim = world(config, [behaves(Manner::Ignore)]);
        assert_eq!(sim.machine.way(), None);
        sim.pass(s(0));
        let way = sim.machine.way();
        let asks = |way: &Way| catchable().any(|s| requests.contains(s) && way.signals.contains(s));
        assert!(!way.as_ref().is_some_and(asks));
        sim.gets(Signal::TERM);
        assert_eq!(sim.machine.way(), None);
        way
    };
    let way = ways(init()).expect("there is one");
    assert_eq!(way.target, process(2));
    let kept = [Signal::HUP, Signal::USR1, Signal::WINCH];
    assert!(kept.iter().all(|signal| way.signals.contains(*signal)));
    let special = [Signal::CONT, Signal::TSTP, Signal::TTIN, Signal::PIPE, Signal::CHLD];
    assert!(!special.iter().any(|signal| way.signals.contains(*signal)));

    let mut config = init();
    config.adjust(|policy| policy.forward = ForwardTo::Group);
    config.signals.rewrites.set(Signal::HUP, Some(Signal::USR1));
    config.signals.rewrites.set(Signal::USR2, None);
    let way = ways(config).expect("there is one");
    assert_eq!(way.target, group(2));
    assert!(![Signal::HUP, Signal::USR2].iter().any(|signal| way.signals.contains(*signal)));

    let mut config = init();
    config.adjust(|policy| policy.session = Session::Shared);
    assert_eq!(ways(config), None);
    let mut sim = Sim::new(supervisor(2), Terminal::None);
    sim.pass(s(0));
    assert_eq!(sim.machine.way(), None);
}

#[test]
fn nothing_but_reports_follows_from_telling_a_signal_that_has_gone_its_way() {
    let mut to_group = init();
    to_group.adjust(|policy| policy.forward = ForwardTo::Group);
    let mut own = supervisor(1);
    own.adjust(|policy| policy.session = Session::Own);
    for config in [init(), to_group, supervisor(1), own] {
        let mut sim = world(config, [behaves(Manner::Ignore)]);
        sim.pass(s(1));
        let Way { target, signals } = sim.machine.way().expect("there is one");
        for signal in catchable().filter(|signal| signals.contains(*signal)) {
            for by_kernel in [false, true] {
                let before = format!("{:?}", sim.machine);
                let told =
                    Signalled { signal, value: None, by_kernel, hung_up: false, passed: true };
                sim.machine.handle_event(Event::Signal(told), sim.now());
                let follows = std::iter::from_fn(|| sim.machine.poll_action()).collect::<Vec<_>>();
                let reports = [Report::Received { signal }, Report::Forwarded { signal, target }];
                assert_eq!(follows, reports.map(Action::Report));
                assert_eq!(format!("{:?}", sim.machine), before);
            }
        }
    }
}

#[test]
fn what_the_terminal_sent_to_fosters_own_group_is_not_sent_again() {
    let mut config = init();
    config.adjust(|policy| policy.session = Session::Shared);
    let mut sim = world(config, [behaves(Manner::Ignore)]);
    sim.happens(Op::Signal(Signal::INT, None, true));
    assert_eq!(sim.got(Pid(2)), []);
    sim.gets(Signal::INT);
    assert_eq!(sim.got(Pid(2)), [Signal::INT]);
}

#[test]
fn a_stop_by_the_terminal_is_sent_again_because_a_late_cont_may_have_undone_it() {
    let mut config = init();
    config.adjust(|policy| policy.session = Session::Shared);
    let mut sim = world(config, [behaves(Manner::Ignore)]);
    // fg, and Ctrl-Z at once: the child was stopped by the terminal before foster got to the CONT.
    sim.gets(Signal::CONT);
    sim.happens(Op::Signal(Signal::TSTP, None, true));
    assert_eq!(sim.got(Pid(2)), [Signal::CONT, Signal::TSTP]);
}
