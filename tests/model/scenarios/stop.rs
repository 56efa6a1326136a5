//! Stops: who asks for one, who gets which signal, who has how much time.

use super::*;

use foster::config::StopTo;
use foster::supervisor::{EndCause, Hurry, KillCause, Wait, Who};

#[test]
fn a_stop_sends_the_signal_that_asked_and_a_cont_behind_it() {
    for asks in [Signal::TERM, Signal::INT, Signal::QUIT] {
        let mut sim = world(supervisor(1), [runs()]);
        sim.pass(s(1));
        sim.new_deeds();
        sim.gets(asks);
        let deeds = sim.deeds();
        assert_eq!(deeds[..2], [kill(group(2), asks), kill(group(2), Signal::CONT)]);
        assert_eq!(sim.ended, Some(0));
    }
}

/// A command whose leader and its only member take a stop like this, being asked for one.
fn asked(to: StopTo, leader: Manner, member: Manner) -> Sim {
    let mut config = init();
    config.adjust(|policy| policy.stop.to = to);
    let mut sim = world(config, [behaves(leader).forks(Offspring::Member, member)]);
    sim.pass(s(1));
    sim.new_deeds();
    sim.gets(Signal::TERM);
    sim
}

#[test]
fn a_command_is_stopped_leader_first_and_what_it_leaves_when_it_has_ended() {
    let mut sim = asked(StopTo::LeaderFirst, Manner::Tidy(s(2), 0), Manner::Tidy(s(1), 0));
    assert_eq!(init().services[0].policy.stop.to, StopTo::LeaderFirst);
    assert_eq!(sim.deeds(), [kill(process(2), Signal::TERM), kill(process(2), Signal::CONT)]);
    sim.pass(ms(1999));
    assert_eq!(sim.got(Pid(3)), [], "the leader may look after it");
    sim.new_deeds();
    sim.pass(ms(1));
    let to_group = [Signal::TERM, Signal::CONT].map(|signal| kill(group(2), signal));
    assert_eq!(sim.deeds()[..3], [&[Action::Hold { pid: Pid(2) }], &to_group[..]].concat());
    assert_eq!(sim.got(Pid(3)), [Signal::TERM, Signal::CONT]);
    sim.pass(s(1));
    assert_eq!((sim.ended, sim.at()), (Some(0), 4000));
}

#[test]
fn a_leader_that_waits_for_the_rest_of_its_group_gets_it_asked_after_half_of_the_time() {
    let mut sim = asked(StopTo::LeaderFirst, Manner::Ignore, Manner::Tidy(s(1), 0));
    sim.pass(s(5) - Duration::from_nanos(1));
    assert_eq!(sim.got(Pid(3)), []);
    sim.new_deeds();
    sim.pass(Duration::from_nanos(1));
    let to_rest = [Signal::TERM, Signal::CONT].map(|it| kill(Target::Rest(Pid(2)), it));
    assert_eq!(sim.new_deeds(), to_rest);
    assert_eq!(sim.got(Pid(2)), [Signal::TERM, Signal::CONT], "a second one may mean more");
    // Nobody asks the rest twice.
    sim.happens(Op::Behave(1, Manner::Ignore));
    sim.happens(Op::Exit(0, 0));
    assert_eq!(sim.got(Pid(3)), [Signal::TERM, Signal::CONT]);
    sim.pass(s(4));
    assert_eq!((sim.ended, sim.at()), (Some(0), 7000));
}

#[test]
fn without_a_deadline_there_is_no_half_of_it() {
    let mut config = init();
    config.adjust(|policy| policy.stop.timeout = None);
    let mut sim = world(config, [behaves(Manner::Ignore).forks(Offspring::Member, Manner::Ignore)]);
    sim.gets(Signal::TERM);
    sim.pass(s(1_000_000));
    assert_eq!(sim.got(Pid(3)), []);
    sim.happens(Op::Exit(0, 0));
    assert_eq!(sim.got(Pid(3)), [Signal::TERM, Signal::CONT]);
}

#[test]
fn where_a_stop_is_for_the_leader_alone_the_rest_is_waited_for_and_killed_at_the_deadline() {
    let mut sim = asked(StopTo::Leader, Manner::Tidy(s(1), 0), Manner::Ignore);
    sim.pass(s(1));
    assert_eq!(sim.got(Pid(3)), []);
    sim.gets(Signal::TERM);
    assert_eq!(sim.got(Pid(3)), [], "nobody is left who could be asked");
    sim.pass(ms(8_999));
    assert_eq!((sim.ended, sim.living()), (None, vec![3]));
    sim.pass(ms(1));
    assert_eq!((sim.ended, sim.at(), sim.living()), (Some(0), 11_000, vec![]));
}

#[test]
fn a_request_that_is_repeated_goes_to_the_leader_while_it_lives() {
    for to in [StopTo::LeaderFirst, StopTo::Leader] {
        let mut sim = asked(to, Manner::Ignore, Manner::Ignore);
        sim.gets(Signal::TERM);
        sim.pass(s(6));
        sim.gets(Signal::TERM);
        assert_eq!(sim.got(Pid(2)), [Signal::TERM, Signal::CONT, Signal::TERM, Signal::TERM]);
        let asked = if to == StopTo::Leader { 0 } else { 2 };
        assert_eq!(sim.got(Pid(3)).len(), asked);
        sim.happens(Op::Exit(0, 0));
        sim.gets(Signal::TERM);
        let repeated = if to == StopTo::Leader { 0 } else { 3 };
        assert_eq!(sim.got(Pid(3)).len(), repeated);
    }
}

#[test]
fn a_service_is_stopped_as_a_group() {
    assert_eq!(supervisor(1).services[0].policy.stop.to, StopTo::Group);
    let sim = asked(StopTo::Group, Manner::Ignore, Manner::Ignore);
    assert_eq!([sim.got(Pid(2)), sim.got(Pid(3))], [[Signal::TERM, Signal::CONT]; 2]);
}

#[test]
fn the_stop_signal_is_sent_instead_where_one_is_set() {
    let mut config = supervisor(1);
    config.adjust(|policy| policy.stop.signal = Some(Signal::USR1));
    let mut sim = world(config, [behaves(Manner::Ignore)]);
    sim.pass(s(1));
    sim.gets(Signal::TERM);
    assert_eq!(sim.got(Pid(2)), [Signal::USR1, Signal::CONT]);
}

#[test]
fn the_stop_signal_is_a_request_to_stop_by_the_command_line() {
    // What `--stop-signal` sets; tests/cli has the command line itself.
    for signal in [Signal::WINCH, Signal::QUIT, Signal::USR1, Signal::RTMIN] {
        for mut config in [supervisor(1), init()] {
            config.adjust(|policy| policy.stop.signal = Some(signal));
            config.signals.requests.insert(signal);
            let mut sim = world(config, [behaves(Manner::Ignore)]);
            sim.pass(s(1));
            sim.gets(signal);
            assert_eq!(sim.got(Pid(2)), [signal, Signal::CONT], "{signal}");
            sim.pass(s(10));
            assert_eq!((sim.ended, sim.at()), (Some(137), 11_000), "{signal}");
        }
    }
}

#[test]
fn a_window_that_changes_its_size_asks_nobody_to_stop() {
    let mut config = supervisor(1);
    config.adjust(|policy| policy.stop.signal = Some(Signal::WINCH));
    config.signals.requests.insert(Signal::WINCH);
    let mut sim = world(config, [behaves(Manner::Ignore)]);
    sim.happens(Op::Signal(Signal::WINCH, None, true));
    assert_eq!((sim.got(Pid(2)), sim.machine.is_stopping()), (vec![Signal::WINCH], false));
}

#[test]
fn a_power_failure_stops_services_by_term() {
    let mut sim = world(supervisor(1), [behaves(Manner::Ignore)]);
    sim.gets(Signal::PWR);
    sim.gets(Signal::PWR);
    assert_eq!(sim.got(Pid(2)), [Signal::TERM, Signal::CONT, Signal::TERM]);
    // A signal that was chosen is sent as ever.
    for signal in [Signal::QUIT, Signal::PWR] {
        let mut config = supervisor(1);
        config.adjust(|policy| policy.stop.signal = Some(signal));
        let mut sim = world(config, [behaves(Manner::Ignore)]);
        sim.gets(Signal::PWR);
        assert_eq!(sim.got(Pid(2)), [signal, Signal::CONT]);
    }
    // A command knows best what it means.
    let mut sim = world(init(), [behaves(Manner::Ignore)]);
    sim.gets(Signal::PWR);
    assert_eq!((sim.got(Pid(2)), sim.machine.is_stopping()), (vec![Signal::PWR], false));
}

#[test]
fn a_rewritten_stop_request_stops_by_what_it_was_rewritten_to() {
    let mut config = supervisor(1);
    config.signals.rewrites.set(Signal::TERM, Some(Signal::QUIT));
    let mut sim = world(config, [runs()]);
    sim.pass(s(1));
    let leader = sim.leader(0);
    sim.world.scripts[0].clear();
    sim.happens(Op::Behave(0, Manner::Ignore));
    sim.gets(Signal::TERM);
    assert_eq!(sim.got(leader), [Signal::QUIT, Signal::CONT]);
    assert!(sim.machine.is_stopping());
}

#[test]
fn a_signal_rewritten_to_a_stop_request_is_one() {
    let mut config = supervisor(1);
    config.signals.rewrites.set(Signal::USR2, Some(Signal::TERM));
    let mut sim = world(config, [runs()]);
    sim.gets(Signal::USR2);
    assert_eq!(sim.ended, Some(0));
}

#[test]
fn a_stop_request_that_is_dropped_is_none() {
    let mut config = supervisor(1);
    config.signals.rewrites.set(Signal::TERM, None);
    let mut sim = world(config, [runs()]);
    sim.pass(s(1));
    sim.gets(Signal::TERM);
    assert!(!sim.machine.is_stopping());
    assert_eq!(sim.got(Pid(2)), []);
}

#[test]
fn a_stopped_process_goes_on_and_acts_on_the_stop() {
    let mut sim = world(supervisor(1), [behaves(Manner::Tidy(s(1), 0))]);
    sim.pass(s(1));
    sim.happens(Op::Halt(0));
    sim.gets(Signal::TERM);
    sim.pass(s(2));
    assert_eq!((sim.ended, sim.at()), (Some(0), 2000));
}

#[test]
fn a_service_is_down_when_its_last_member_is_gone_and_not_when_its_leader_is() {
    for config in [supervisor(1), init()] {
        let mut sim = world(config, [runs().forks(Offspring::Member, Manner::Tidy(s(2), 0))]);
        sim.pass(s(1));
        sim.new_deeds();
        sim.gets(Signal::TERM);
        assert_eq!(sim.living(), [3], "the leader takes the signal at once");
        assert!(sim.deeds().contains(&Action::Hold { pid: Pid(2) }));
        sim.pass(ms(1999));
        assert_eq!((sim.ended, sim.living()), (None, vec![3]));
        sim.pass(ms(1));
        assert!(sim.ended.is_some());
        let hard = |action: &Action| matches!(action, Action::Kill { signal: Signal::KILL, .. });
        assert!(!sim.deeds().iter().any(hard), "nobody needed to be killed");
    }
}

#[test]
fn the_dead_leader_is_held_until_its_group_is_gone_and_then_reaped() {
    let mut sim = world(init(), [runs().forks(Offspring::Member, Manner::Tidy(s(2), 0))]);
    sim.gets(Signal::TERM);
    sim.happens(Op::Stranger);
    sim.pass(s(3));
    let deeds = sim.deeds();
    let place = |wanted: Action| deeds.iter().position(|deed| *deed == wanted);
    let held = place(Action::Hold { pid: Pid(2) }).expect("it is held");
    let member =
        place(Action::ReapOrphan { pid: Pid(3), freely: false }).expect("the member is reaped");
    let reaped = place(Action::Reap { pid: Pid(2) }).expect("it is reaped");
    assert!(held < member && member < reaped);
}

#[test]
fn a_member_that_is_not_fosters_child_is_waited_for_too() {
    let mut sim = world(supervisor(1), [runs()]);
    sim.pass(s(1));
    // The member's own parent leaves the group, and lives.
    sim.happens(Op::Fork(0, Offspring::Member));
    sim.happens(Op::Fork(1, Offspring::Member));
    sim.happens(Op::Behave(1, Manner::Ignore));
    sim.happens(Op::Behave(2, Manner::Ignore));
    sim.happens(Op::Escape(1));
    sim.gets(Signal::TERM);
    sim.pass(s(5));
    assert_eq!((sim.ended, sim.living()), (None, vec![3, 4]));
    sim.happens(Op::Exit(1, 0));
    sim.pass(ms(100));
    assert_eq!(sim.ended, Some(0), "what is left has escaped, and is cleared away");
    assert_eq!(sim.living(), []);
}

#[test]
fn a_member_that_leaves_the_group_during_the_stop_is_not_waited_for_until_the_deadline() {
    let mut config = supervisor(1);
    config.adjust(|policy| policy.stop.timeout = None);
    let mut sim = world(config, [runs().forks(Offspring::Member, Manner::Ignore)]);
    sim.gets(Signal::TERM);
    sim.pass(s(1));
    sim.happens(Op::Escape(0));
    sim.pass(s(1));
    assert_eq!((sim.ended, sim.living()), (Some(0), vec![]));
}

#[test]
fn sigkill_comes_at_the_deadline_and_not_before() {
    for config in [supervisor(2), init()] {
        let count = config.services.len();
        let mut sim = world(config, [behaves(Manner::Ignore)]);
        for service in 0..count {
            sim.world.scripts[service] = vec![behaves(Manner::Ignore)];
        }
        sim.pass(s(1));
        sim.gets(Signal::TERM);
        sim.pass(s(10) - Duration::from_nanos(1));
        assert_eq!((sim.ended, sim.living().len()), (None, count));
        sim.pass(Duration::from_nanos(1));
        assert_eq!((sim.ended, sim.at()), (Some(137), 11_000));
    }
}

#[test]
fn the_deadline_holds_for_the_last_member() {
    let mut sim = world(supervisor(1), [runs().forks(Offspring::Member, Manner::Ignore)]);
    sim.pass(s(1));
    sim.gets(Signal::TERM);
    sim.pass(ms(9_999));
    assert_eq!(sim.living(), [3]);
    sim.pass(ms(1));
    assert_eq!((sim.ended, sim.living()), (Some(137), vec![]));
}

#[test]
fn at_the_deadline_the_escaped_are_killed_too() {
    let stubborn = behaves(Manner::Ignore).forks(Offspring::Escapee, Manner::Ignore);
    for config in [supervisor(1), init()] {
        let mut sim = world(config, [stubborn.clone()]);
        sim.gets(Signal::TERM);
        sim.pass(s(10));
        assert_eq!((sim.ended, sim.living()), (Some(137), vec![]));
    }
}

#[test]
fn without_a_deadline_nobody_is_killed() {
    let mut config = supervisor(1);
    config.adjust(|policy| policy.stop.timeout = None);
    let mut sim = world(config, [behaves(Manner::Tidy(s(1_000_000), 0))]);
    sim.gets(Signal::TERM);
    sim.pass(s(999_999));
    assert_eq!(sim.ended, None);
    sim.pass(s(1));
    assert_eq!(sim.ended, Some(0));
}

#[test]
fn a_deadline_of_nothing_kills_at_once() {
    let mut config = supervisor(1);
    config.adjust(|policy| policy.stop.timeout = Some(s(0)));
    let mut sim = world(config, [behaves(Manner::Ignore)]);
    sim.gets(Signal::TERM);
    assert_eq!((sim.ended, sim.at()), (Some(137), 0));
}

#[test]
fn a_second_sigint_kills_at_once() {
    let mut sim = world(supervisor(2), [behaves(Manner::Ignore), behaves(Manner::Ignore)]);
    sim.pass(s(1));
    sim.gets(Signal::INT);
    sim.pass(s(1));
    assert_eq!(sim.living().len(), 2);
    sim.gets(Signal::INT);
    assert_eq!((sim.ended, sim.at()), (Some(137), 2000));
}

#[test]
fn a_second_sigint_kills_in_init_mode_too() {
    let mut sim = world(init(), [behaves(Manner::Ignore)]);
    sim.gets(Signal::TERM);
    sim.gets(Signal::INT);
    assert_eq!(sim.living(), [2], "the first one since the stop is passed on");
    sim.gets(Signal::INT);
    assert_eq!(sim.ended, Some(137));
}

#[test]
fn a_second_sigterm_is_passed_on_and_kills_nobody() {
    let mut sim = world(supervisor(1), [behaves(Manner::Ignore)]);
    sim.gets(Signal::TERM);
    sim.gets(Signal::TERM);
    assert_eq!(sim.got(Pid(2)), [Signal::TERM, Signal::CONT, Signal::TERM]);
    assert_eq!(sim.ended, None);
}

#[test]
fn a_slow_stop_is_told_after_a_second_and_when_half_of_what_was_left_is_gone() {
    let waits = |action: &Action| matches!(action, Action::Report(Report::StillWaiting { .. }));
    let mut sim = world(supervisor(1), [behaves(Manner::Tidy(ms(999), 0))]);
    sim.gets(Signal::TERM);
    sim.pass(s(2));
    assert_eq!((sim.times(waits), sim.ended), (vec![], Some(0)));
    let mut sim = world(supervisor(1), [behaves(Manner::Ignore)]);
    sim.gets(Signal::INT);
    sim.pass(s(10));
    assert_eq!(sim.times(waits), [1000, 5500, 7750, 8875]);
    let who = Who::Leader(Pid(2));
    let hurry = Some(Hurry { interrupts: 1, by_key: true });
    let wait = Wait::Stop { left: Some(s(9)), hurry };
    let first = Report::StillWaiting { service: ServiceId(0), who, wait };
    assert!(sim.reports().contains(&first), "{:?}", sim.reports());
    // Without a deadline at double distances.
    let mut config = supervisor(1);
    config.adjust(|policy| policy.stop.timeout = None);
    let mut sim = world(config, [runs().forks(Offspring::Member, Manner::Ignore)]);
    sim.gets(Signal::TERM);
    sim.pass(s(20));
    assert_eq!(sim.times(waits), [1000, 3000, 7000, 15_000]);
    let member = |report: &Report| {
        matches!(report, Report::StillWaiting { who: Who::Member(Pid(3), _), .. })
    };
    assert_eq!(sim.reports().into_iter().filter(member).count(), 4);
    // Not more than five by name.
    let mut sim = Sim::new(supervisor(7), Terminal::None);
    sim.world.scripts.fill(vec![behaves(Manner::Ignore)]);
    sim.world.record = Some(Vec::new());
    sim.gets(Signal::TERM);
    sim.pass(s(1));
    assert_eq!(sim.times(waits).len(), 5);
    assert!(sim.reports().contains(&Report::StillWaitingForMore { count: 2 }));
}

#[test]
fn an_end_is_said_as_it_was() {
    let cause = |sim: &Sim| {
        let mut causes = sim.reports().into_iter().filter_map(|report| match report {
            Report::Ended { cause, .. } => Some(cause),
            _ => None,
        });
        causes.next_back().expect("it has ended")
    };
    let asked = |manner| {
        let mut sim = world(supervisor(1), [behaves(manner)]);
        sim.pass(s(1));
        sim.gets(Signal::INT);
        sim
    };
    assert_eq!(cause(&asked(Manner::Default)), EndCause::Asked);
    let mut sim = asked(Manner::Tidy(s(1), 3));
    sim.pass(s(1));
    assert_eq!(cause(&sim), EndCause::Asked);
    let mut sim = asked(Manner::Ignore);
    sim.pass(s(10));
    assert_eq!(cause(&sim), EndCause::Killed(KillCause::Late));
    let mut sim = asked(Manner::Ignore);
    sim.gets(Signal::INT);
    assert_eq!(cause(&sim), EndCause::Killed(KillCause::Hurried));
    // Somebody else's.
    for signal in [Signal::KILL, Signal::HUP] {
        let mut sim = asked(Manner::Tidy(s(2), 0));
        sim.happens(Op::Behave(0, Manner::Default));
        sim.happens(Op::Die(0, signal));
        assert_eq!(cause(&sim), EndCause::Unasked { crash: false }, "{signal}");
    }
    // It was on its way out by itself when SIGKILL came.
    let mut sim = asked(Manner::Ignore);
    sim.world.judge.hung = true;
    sim.happens(Op::Linger(0));
    sim.pass(s(11));
    sim.happens(Op::Finish(0));
    assert_eq!(cause(&sim), EndCause::Asked);
}

#[test]
fn a_stop_requested_while_a_service_starts_reaches_it() {
    for config in [supervisor(3), init()] {
        let mut sim = world(config, [runs()]);
        let term = Op::Signal(Signal::TERM, None, false);
        sim.step(Step { when: When::Amid(0), op: term });
        sim.pass(s(0));
        assert!(sim.ended.is_some());
        assert_eq!(sim.living(), []);
    }
}

#[test]
fn a_stop_requested_while_a_start_is_under_way_reaches_what_comes_of_it() {
    for config in [supervisor(3), init()] {
        let mut sim = world(config, [runs()]);
        sim.world.slow = true;
        sim.gets(Signal::TERM);
        assert!(sim.ended.is_some());
        assert_eq!(sim.living(), []);
    }
}

#[test]
fn a_second_sigint_while_a_service_starts_kills_it() {
    let mut sim = world(supervisor(2), [ends(s(0), 1), behaves(Manner::Ignore)]);
    sim.world.scripts[0] = vec![ends(s(0), 1), behaves(Manner::Ignore)];
    sim.pass(ms(400));
    let int = Op::Signal(Signal::INT, None, false);
    sim.step(Step { when: When::Amid(0), op: int });
    sim.pass(ms(100));
    sim.happens(int);
    assert_eq!((sim.ended, sim.living()), (Some(137), vec![]));
}

#[test]
fn a_pending_backoff_ends_at_once() {
    let mut sim = world(supervisor(1), [ends(s(0), 3)]);
    sim.pass(s(8));
    assert_eq!(sim.living(), []);
    sim.gets(Signal::TERM);
    assert_eq!((sim.ended, sim.at()), (Some(3), 8000));
}

#[test]
fn nothing_is_started_after_a_stop_request() {
    let mut sim = world(supervisor(2), [ends(s(0), 0), behaves(Manner::Tidy(s(5), 0))]);
    sim.pass(s(1));
    sim.gets(Signal::TERM);
    sim.pass(s(10));
    assert_eq!(sim.starts(0), [0, 500]);
    assert_eq!((sim.ended, sim.at()), (Some(0), 6000));
}

#[test]
fn a_restart_that_is_due_together_with_a_stop_does_not_happen() {
    // The second gives up on what cannot be killed, and so on the whole, just when the first is
    // to be started again.
    let mut config = supervisor(2);
    config.adjust(|policy| policy.backoff.first = s(10));
    config.adjust(|policy| policy.backoff.max_restarts = Some(1));
    let mut sim = world(config, [runs(), runs().forks(Offspring::Escapee, Manner::Ignore)]);
    sim.world.scripts[1] = vec![ends(s(0), 1), runs().forks(Offspring::Escapee, Manner::Ignore)];
    sim.pass(s(10));
    sim.happens(Op::Stick(2));
    sim.together(Op::Exit(0, 1));
    sim.happens(Op::Exit(0, 1));
    sim.pass(s(10));
    assert_eq!(sim.starts(0), [0]);
    assert_eq!((sim.ended, sim.at()), (Some(1), 20_000));
}

#[test]
fn what_cannot_be_killed_is_given_up_after_ten_seconds() {
    let mut sim = world(supervisor(1), [runs()]);
    sim.pass(s(0));
    sim.happens(Op::Stick(0));
    sim.gets(Signal::TERM);
    sim.pass(s(19));
    assert_eq!(sim.ended, None);
    sim.pass(s(1));
    assert_eq!((sim.ended, sim.at()), (Some(137), 20_000));
    assert!(
        sim.reports().contains(&Report::Unkillable { service: ServiceId(0), run: RunNumber(1) })
    );
}

#[test]
fn a_leader_that_was_given_up_and_dies_after_all_is_reaped() {
    let mut config = supervisor(2);
    config.adjust(|policy| policy.stop.timeout = Some(s(0)));
    let mut sim = world(config, [runs(), runs().forks(Offspring::Escapee, Manner::Ignore)]);
    sim.pass(s(1));
    // The second comes to clearing away what escaped later than the first is killed.
    sim.happens(Op::Stick(0));
    sim.happens(Op::Stick(1));
    sim.happens(Op::Stick(2));
    sim.gets(Signal::TERM);
    sim.pass(s(5));
    sim.happens(Op::Unstick(1));
    sim.pass(s(6));
    assert_eq!(sim.ended, None);
    sim.happens(Op::Unstick(0));
    assert!(sim.deeds().contains(&Action::ReapOrphan { pid: Pid(2), freely: false }));
    sim.happens(Op::Unstick(0));
    assert_eq!(sim.ended, Some(137));
}

#[test]
fn with_nothing_to_run_foster_reaps_until_it_is_told_to_stop() {
    let mut config = init();
    config.services.clear();
    let mut sim = Sim::new(config, Terminal::None);
    sim.happens(Op::Exec);
    sim.happens(Op::Exit(0, 0));
    sim.pass(s(1000));
    assert_eq!((sim.ended, sim.living()), (None, vec![]));
    sim.gets(Signal::TERM);
    assert_eq!(sim.ended, Some(0));
}

#[test]
fn a_deadline_that_passed_while_foster_was_not_run_does_not_hide_what_happened_before() {
    let mut config = supervisor(20);
    config.adjust(|policy| policy.stop.timeout = Some(s(1)));
    config.stop_timeout = Some(s(1));
    let mut sim = Sim::new(config, Terminal::None);
    sim.world.scripts.fill(vec![behaves(Manner::Ignore)]);
    sim.gets(Signal::TERM);
    // They all die of SIGKILL, and foster is stopped before it is told of any.
    sim.world.judge.hung = true;
    for who in 0..20 {
        sim.together(Op::Stick(who));
    }
    sim.pass(s(1));
    (0..20).rev().for_each(|who| sim.together(Op::Unstick(who)));
    sim.world.record = Some(Vec::new());
    sim.happens(Op::Stall(s(60)));
    assert_eq!((sim.ended, sim.living()), (Some(137), vec![]));
    assert!(!sim.reports().iter().any(|report| matches!(report, Report::Unkillable { .. })));
}

#[test]
fn the_end_of_a_member_is_seen_at_once_where_the_held_leader_hides_it() {
    let run = runs().forks(Offspring::Member, Manner::Tidy(ms(300), 0));
    let mut sim = world(supervisor(1), [run]);
    sim.world.hides = true;
    sim.pass(s(1));
    sim.gets(Signal::TERM);
    sim.pass(s(5));
    assert_eq!((sim.ended, sim.at()), (Some(0), 1300));
}

#[test]
fn what_may_not_be_killed_holds_up_no_stop() {
    for config in [supervisor(1), supervisor(3), init()] {
        let count = config.services.len();
        let mut sim = world(config, []);
        sim.world.kernel.badges = true;
        sim.pass(s(1));
        sim.happens(Op::Fork(0, Offspring::Member));
        sim.happens(Op::Fork(0, Offspring::Escapee));
        sim.happens(Op::Deny(count));
        sim.happens(Op::Deny(count + 1));
        sim.gets(Signal::TERM);
        assert!(sim.ended.is_some() && sim.living().len() == 2, "{:?}", sim.living());
    }
}

#[test]
fn a_leader_that_may_not_be_killed_has_the_stop_timeout_and_is_told_of_once() {
    for (config, leaves) in [(supervisor(1), 1), (supervisor(3), 1), (init(), 2)] {
        let timeout = config.services[0].policy.stop.timeout.expect("there is one");
        let mut sim = world(config, []);
        sim.world.kernel.badges = true;
        sim.pass(s(1));
        sim.happens(Op::Fork(0, Offspring::Member));
        sim.happens(Op::Fork(0, Offspring::Escapee));
        sim.happens(Op::Deny(0));
        sim.gets(Signal::TERM);
        sim.pass(timeout - ms(1));
        assert_eq!(sim.ended, None);
        sim.pass(ms(1));
        // Who runs a command once marks nothing that a living leader has.
        assert_eq!((sim.ended, sim.living().len()), (Some(137), leaves));
        let failed = |report: &&Report| matches!(report, Report::KillFailed { .. });
        assert_eq!(sim.reports().iter().filter(failed).count(), 1);
        let late = |report: &Report| matches!(report, Report::Unkillable { .. });
        assert!(!sim.reports().iter().any(late));
    }
}
