//! Restarts: when, how often, and when no more.

use super::*;

use foster::config::{Backoff, Level, Restart};

#[test]
fn a_service_that_ends_at_once_is_started_with_doubling_delays() {
    let mut sim = world(supervisor(1), [ends(s(0), 3)]);
    sim.pass(s(36));
    assert_eq!(sim.starts(0), [0, 500, 1500, 3500, 7500, 15_500, 25_500, 35_500]);
}

#[test]
fn the_delay_is_measured_from_the_end_of_the_run() {
    let mut sim = world(supervisor(1), [ends(s(3), 3)]);
    sim.pass(s(12));
    assert_eq!(sim.starts(0), [0, 3500, 7500]);
}

#[test]
fn a_start_that_fails_is_tried_again_like_a_run_that_ended_at_once() {
    let mut sim = world(supervisor(1), [runs()]);
    sim.together(Op::FailStarts(3));
    sim.pass(s(30));
    assert_eq!(sim.starts(0), [0, 500, 1500, 3500]);
    assert_eq!(sim.living().len(), 1);
}

#[test]
fn a_healthy_run_begins_the_row_anew() {
    let mut sim = world(supervisor(1), [runs()]);
    sim.world.scripts[0] =
        vec![ends(s(0), 1), ends(s(0), 1), ends(s(10), 1), ends(s(0), 1), runs()];
    sim.pass(s(60));
    // The delays: 0.5, 1, after the healthy run 0.5 again, then 1.
    assert_eq!(sim.starts(0), [0, 500, 1500, 12_000, 13_000]);
}

#[test]
fn a_run_just_shorter_than_healthy_does_not_begin_the_row_anew() {
    let mut sim = world(supervisor(1), [runs()]);
    sim.world.scripts[0] = vec![ends(s(0), 1), ends(ms(9_999), 1), runs()];
    sim.pass(s(60));
    assert_eq!(sim.starts(0), [0, 500, 500 + 9_999 + 1000]);
}

#[test]
fn after_so_many_restarts_in_a_row_foster_gives_up_stops_the_others_and_ends_with_that_status() {
    let mut config = supervisor(3);
    config.adjust(|policy| policy.backoff.max_restarts = Some(2));
    let mut sim = world(config, [runs(), ends(s(0), 7), behaves(Manner::Tidy(s(2), 5))]);
    sim.pass(s(1));
    let (first, third) = (sim.leader(0), sim.leader(2));
    sim.pass(ms(500));
    assert_eq!(sim.starts(1), [0, 500, 1500]);
    assert_eq!(sim.got(third), [Signal::TERM, Signal::CONT], "it has its time");
    assert!(sim.world.kernel.get(first).is_none(), "it took the signal at once");
    assert_eq!(sim.ended, None);
    sim.pass(s(2));
    assert_eq!((sim.ended, sim.at()), (Some(7), 3500));
    assert!(sim.reports().contains(&Report::GaveUp { service: ServiceId(1), restarts: 2 }));
}

#[test]
fn a_start_that_fails_too_often_gives_up_too() {
    let mut config = supervisor(2);
    config.adjust(|policy| policy.backoff.max_restarts = Some(1));
    let mut sim = world(config, [runs(), runs()]);
    sim.together(Op::FailStarts(1));
    sim.pass(ms(100));
    sim.together(Op::FailStarts(1));
    sim.pass(s(1));
    assert_eq!(sim.ended, Some(125));
    assert_eq!(sim.starts(1), [0]);
}

#[test]
fn when_the_first_start_gives_up_the_others_are_not_started_at_all() {
    let mut config = supervisor(3);
    config.adjust(|policy| policy.backoff.max_restarts = Some(0));
    let mut sim = world(config, [runs(), runs(), runs()]);
    sim.together(Op::FailStarts(1));
    sim.pass(s(0));
    assert_eq!(sim.ended, Some(125));
    assert_eq!((sim.starts(0), sim.starts(1), sim.starts(2)), (vec![0], vec![], vec![]));
}

#[test]
fn a_healthy_run_begins_the_count_of_restarts_anew() {
    let mut config = supervisor(1);
    config.adjust(|policy| policy.backoff.max_restarts = Some(1));
    let mut sim = world(config, [ends(s(10), 7)]);
    sim.pass(s(100));
    assert_eq!(sim.starts(0).len(), 10);
    assert_eq!(sim.ended, None);
}

#[test]
fn no_restarts_at_all_means_to_give_up_at_the_first_end() {
    let mut config = supervisor(1);
    config.adjust(|policy| policy.backoff.max_restarts = Some(0));
    let mut sim = world(config, [ends(s(60), 7)]);
    sim.pass(s(100));
    assert_eq!((sim.starts(0), sim.ended), (vec![0], Some(7)));
}

#[test]
fn never_always_and_on_failure_are_what_they_say() {
    for (restart, code, starts) in [
        (Restart::Never, 0, 1),
        (Restart::Never, 3, 1),
        (Restart::OnFailure, 0, 1),
        (Restart::OnFailure, 3, 3),
        (Restart::OnFailure, 42, 1),
        (Restart::Always, 0, 3),
        (Restart::Always, 42, 3),
    ] {
        let mut config = supervisor(1);
        config.adjust(|policy| policy.restart = restart);
        config.adjust(|policy| policy.success.insert(42));
        let mut sim = world(config, [ends(s(0), code)]);
        sim.pass(s(2));
        assert_eq!(sim.starts(0).len(), starts, "{restart:?} {code}");
        let status = if starts > 1 { None } else { Some(if code == 3 { 3 } else { 0 }) };
        assert_eq!(sim.ended, status, "{restart:?} {code}");
    }
}

#[test]
fn what_ends_without_success_and_would_be_started_again_for_it_has_crashed() {
    for (restart, code, crash) in [
        (Restart::Never, 3, false),
        (Restart::OnFailure, 0, false),
        (Restart::OnFailure, 3, true),
        (Restart::OnFailure, 42, false),
        (Restart::Always, 0, false),
        (Restart::Always, 3, true),
    ] {
        let mut config = supervisor(1);
        config.adjust(|policy| policy.restart = restart);
        config.adjust(|policy| policy.success.insert(42));
        config.adjust(|policy| policy.backoff.max_restarts = Some(0));
        let mut sim = world(config, [ends(s(1), code)]);
        sim.pass(s(2));
        let ended = sim.reports().into_iter().find(|it| matches!(it, Report::Ended { .. }));
        let level = if crash { Level::Warn } else { Level::Info };
        assert_eq!(ended.map(|report| report.level()), Some(level), "{restart:?} {code}");
    }
    // One that was asked to has not.
    let mut sim = world(supervisor(1), [behaves(Manner::Tidy(s(0), 5))]);
    sim.pass(s(1));
    sim.gets(Signal::TERM);
    sim.pass(s(1));
    let ended = sim.reports().into_iter().find(|it| matches!(it, Report::Ended { .. }));
    assert_eq!(ended.map(|report| report.level()), Some(Level::Info));
}

#[test]
fn a_death_by_a_signal_that_counts_as_success_is_not_followed_by_a_restart() {
    let mut config = supervisor(1);
    config.adjust(|policy| policy.restart = Restart::OnFailure);
    config.adjust(|policy| policy.success.insert(128 + 15));
    let mut sim = world(config, [runs()]);
    sim.pass(s(1));
    sim.happens(Op::Die(0, Signal::TERM));
    assert_eq!(sim.ended, Some(0));
}

#[test]
fn one_service_that_is_done_does_not_stop_the_others() {
    let mut config = supervisor(2);
    config.adjust(|policy| policy.restart = Restart::Never);
    let mut sim = world(config, [ends(s(1), 4), ends(s(5), 6)]);
    sim.pass(s(4));
    assert_eq!(sim.ended, None);
    sim.pass(s(4));
    assert_eq!((sim.ended, sim.at()), (Some(4), 5000), "the first that did not end well counts");
}

#[test]
fn a_backoff_of_nothing_starts_again_at_once_what_has_run_for_a_moment() {
    let mut config = supervisor(1);
    config.adjust(|policy| {
        policy.backoff = Backoff { first: s(0), max: s(0), max_restarts: Some(9), ..policy.backoff }
    });
    let mut sim = world(config, [ends(ms(100), 1)]);
    sim.pass(s(1));
    let starts = (0..10).map(|run| 100 * run).collect::<Vec<_>>();
    assert_eq!((sim.starts(0), sim.ended), (starts, Some(1)));
}

#[test]
fn what_has_not_even_run_for_a_moment_is_started_a_hundred_times_a_second_at_most() {
    for max in [0, 1, 9] {
        let mut config = supervisor(1);
        config.adjust(|policy| {
            policy.backoff = Backoff { first: ms(max), max: ms(max), ..policy.backoff }
        });
        let mut sim = world(config, [ends(s(0), 1)]);
        sim.pass(ms(45));
        assert_eq!(sim.starts(0), [0, 10, 20, 30, 40]);
        sim.world.scripts[0] = vec![ends(ms(99), 1), runs()];
        sim.pass(s(1));
        assert_eq!(sim.starts(0)[5..], [50, 159]);
    }
}

#[test]
fn a_start_that_fails_is_tried_a_hundred_times_a_second_at_most() {
    let mut config = supervisor(1);
    config.adjust(|policy| {
        policy.backoff = Backoff { first: s(0), max: s(0), healthy_after: s(0), ..policy.backoff }
    });
    let mut sim = world(config, [runs()]);
    sim.together(Op::FailStarts(3));
    sim.pass(s(1));
    assert_eq!(sim.starts(0), [0, 10, 20, 30]);
}

#[test]
fn a_clock_that_jumps_while_foster_is_not_run_loses_no_restart() {
    let mut sim = world(supervisor(1), [ends(s(0), 1)]);
    sim.pass(ms(100));
    sim.happens(Op::Stall(s(3600)));
    assert_eq!(sim.starts(0).len(), 2);
}

#[test]
fn time_spent_on_what_a_run_left_behind_counts_towards_the_delay() {
    let mut sim = world(supervisor(1), [runs().forks(Offspring::Escapee, Manner::Ignore)]);
    sim.pass(s(0));
    sim.happens(Op::Stick(1));
    sim.happens(Op::Exit(0, 1));
    sim.pass(ms(300));
    assert_eq!(sim.starts(0), [0]);
    sim.happens(Op::Unstick(0));
    sim.pass(ms(300));
    assert_eq!(sim.starts(0), [0, 500], "500 ms from the end of the run");
}
