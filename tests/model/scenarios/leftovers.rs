//! What a run leaves behind: who is killed, when, and who is none of foster's business.

use super::*;

use foster::config::{Leftovers, Restart, Session};

#[test]
fn what_is_left_of_the_group_is_killed_before_the_leader_is_reaped() {
    for config in [supervisor(1), init()] {
        let mut sim = world(config, [runs().forks(Offspring::Member, Manner::Ignore)]);
        sim.pass(s(1));
        sim.new_deeds();
        sim.happens(Op::Exit(0, 1));
        let deeds = sim.deeds();
        assert_eq!(deeds[0], kill(group(2), Signal::KILL));
        assert_eq!(deeds[1], Action::Reap { pid: Pid(2) });
        assert_eq!(sim.living(), []);
    }
}

#[test]
fn what_goes_to_the_background_is_told_once_and_before_what_it_left_is_killed() {
    for (kind, killed) in [(Offspring::Member, 0), (Offspring::Escapee, 1), (Offspring::Daemon, 1)]
    {
        let run = || ends(ms(50), 0).forks(kind, Manner::Ignore);
        let mut sim = world(supervisor(2), [run(), runs()]);
        sim.pass(s(4));
        let told = sim.times(is_told);
        assert_eq!((sim.starts(0).len(), told), (4, vec![50]), "{kind:?}");
        let actions: Vec<Action> =
            sim.world.record.iter().flatten().map(|(_, action)| *action).collect();
        let is_kill = |action: &Action| matches!(action, Action::Kill { .. });
        let kills = actions.iter().enumerate().filter(|(_, action)| is_kill(action));
        // The group is killed in any case, and there may be nobody in it.
        let first = kills.map(|(place, _)| place).nth(killed);
        assert!(actions.iter().position(is_told) < first, "{kind:?}");
        // A run that leaves nobody is the end of the row, as is one that crashes.
        for other in [ends(ms(50), 0), ends(ms(50), 1).forks(kind, Manner::Ignore), ends(s(3), 0)] {
            sim.world.scripts[0] = vec![other, run()];
            sim.world.record = Some(Vec::new());
            sim.pass(s(30));
            assert_eq!(sim.times(is_told).len(), 1, "{kind:?}");
        }
    }
}

#[test]
fn a_command_that_goes_to_the_background_is_told_of_before_foster_ends() {
    for kind in [Offspring::Member, Offspring::Escapee, Offspring::Daemon] {
        let mut sim = world(init(), [ends(ms(50), 0).forks(kind, Manner::Ignore)]);
        sim.pass(s(1));
        assert_eq!(sim.ended, Some(0));
        assert!(sim.reports().iter().any(|report| is_told(&Action::Report(*report))));
    }
}

#[test]
fn what_ends_late_fails_leaves_nobody_or_is_stopped_has_not_gone_to_the_background() {
    let member = |run: Script| run.forks(Offspring::Member, Manner::Default);
    for config in [supervisor(1), init()] {
        for run in [ends(ms(50), 0), member(ends(s(3), 0)), member(ends(ms(50), 1))] {
            let mut sim = world(config.clone(), [run]);
            sim.pass(s(3));
            assert!(!sim.reports().iter().any(|report| is_told(&Action::Report(*report))));
        }
        let mut sim = world(config, [member(behaves(Manner::Tidy(s(0), 0)))]);
        sim.pass(s(1));
        sim.gets(Signal::TERM);
        sim.pass(s(1));
        assert!(!sim.reports().iter().any(|report| is_told(&Action::Report(*report))));
    }
    // One that ends as foster may leave whom it likes.
    let mut config = init();
    config.adjust(|policy| policy.leftovers = Leftovers::Leave);
    let mut sim = world(config, [member(ends(ms(50), 0))]);
    sim.pass(s(1));
    assert!(!sim.deeds().iter().any(|deed| matches!(deed, Action::Look { .. })));
}

fn is_told(action: &Action) -> bool {
    matches!(action, Action::Report(Report::InBackground { .. }))
}

#[test]
fn an_id_that_is_given_away_at_once_is_never_hit() {
    let mut sim = world(supervisor(1), [runs().forks(Offspring::Member, Manner::Ignore)]);
    sim.pass(s(1));
    sim.together(Op::Exit(0, 1));
    // The third thing that foster does now is to reap the leader; then others take its id.
    for _ in 0..2 {
        sim.step(Step { when: When::Amid(3), op: Op::Stranger });
    }
    sim.pass(s(60));
    assert_eq!(sim.fault(), None);
    assert_eq!(sim.world.kernel.all().filter(|p| p.origin.is_none()).count(), 2);
}

#[test]
fn what_escaped_the_group_is_killed_before_the_next_start() {
    for kind in [Offspring::Escapee, Offspring::Daemon] {
        let mut sim = world(supervisor(1), [ends(s(1), 1).forks(kind, Manner::Ignore)]);
        sim.pass(ms(1_400));
        assert_eq!(sim.living(), []);
        sim.pass(s(60));
        assert_eq!(sim.fault(), None);
    }
}

#[test]
fn it_goes_on_until_none_is_left() {
    // Where limits tell, nobody waits for the end of a parent.
    for (badges, surveys) in [(false, 21), (true, 5)] {
        let mut sim = world(supervisor(1), [runs()]);
        sim.world.kernel.badges = badges;
        sim.pass(s(1));
        // Each is the child of the one before, in a session of its own: only the first is foster's.
        for who in 0..20 {
            sim.happens(Op::Fork(who, Offspring::Escapee));
        }
        assert_eq!(sim.living().len(), 21);
        sim.happens(Op::Exit(0, 1));
        assert_eq!(sim.living(), []);
        assert_eq!(sim.world.surveys, surveys);
    }
}

#[test]
fn what_still_hangs_in_the_kernel_is_waited_for() {
    let mut sim = world(supervisor(1), [runs().forks(Offspring::Escapee, Manner::Default)]);
    sim.pass(s(1));
    sim.happens(Op::Stick(1));
    sim.happens(Op::Exit(0, 1));
    sim.pass(s(5));
    assert_eq!(sim.starts(0), [0]);
    sim.happens(Op::Unstick(0));
    assert_eq!(sim.starts(0), [0, 6000]);
}

#[test]
fn after_ten_seconds_even_that_is_given_up() {
    let mut sim = world(supervisor(1), [runs().forks(Offspring::Escapee, Manner::Default)]);
    sim.pass(s(1));
    sim.happens(Op::Stick(1));
    sim.happens(Op::Exit(0, 1));
    sim.pass(s(10));
    assert_eq!(sim.starts(0), [0, 11_000]);
    assert!(
        sim.reports().contains(&Report::Unkillable { service: ServiceId(0), run: RunNumber(1) })
    );
}

#[test]
fn the_ten_seconds_begin_when_it_is_killed_however_late_foster_comes_to_that() {
    let mut sim = world(supervisor(1), [runs().forks(Offspring::Escapee, Manner::Default)]);
    sim.pass(s(1));
    sim.together(Op::Exit(0, 1));
    // foster is stopped after it was told of the death and before it looks who is left.
    sim.step(Step { when: When::Amid(4), op: Op::Stall(s(60)) });
    sim.pass(s(1));
    // That second was over before foster was awake again.
    sim.pass(s(1));
    assert_eq!(sim.living().len(), 2, "the next run, and what that forks");
    assert!(
        !sim.reports().contains(&Report::Unkillable { service: ServiceId(0), run: RunNumber(1) })
    );
}

#[test]
fn the_children_of_one_on_its_way_out_are_not_overlooked() {
    // It has given up its memory, and its mark with it, but its child is not yet foster's.
    let mut sim = world(supervisor(2), [runs(), runs()]);
    sim.pass(s(1));
    sim.happens(Op::Fork(0, Offspring::Escapee));
    sim.happens(Op::Fork(2, Offspring::Escapee));
    sim.happens(Op::Linger(2));
    sim.happens(Op::Exit(0, 1));
    sim.pass(s(5));
    assert_eq!(sim.starts(0), [0], "{:?}", sim.world.kernel);
    sim.happens(Op::Finish(1));
    assert_eq!(sim.starts(0), [0, 6000]);
    assert_eq!(sim.living().len(), 2);
}

#[test]
fn the_processes_of_other_services_are_left_alone() {
    let with_daemon = || runs().forks(Offspring::Daemon, Manner::Default);
    let mut sim = world(supervisor(2), [with_daemon(), with_daemon()]);
    sim.pass(s(1));
    let all = sim.living();
    sim.happens(Op::Exit(0, 1));
    assert_eq!(sim.living().len(), all.len() - 2);
    assert_eq!(sim.got(sim.leader(1)), []);
}

#[test]
fn one_without_a_mark_is_left_alone() {
    let mut sim = world(supervisor(1), [runs()]);
    sim.pass(s(1));
    sim.happens(Op::Exec);
    sim.happens(Op::Fork(0, Offspring::Unmarked));
    sim.happens(Op::Exit(0, 1));
    assert_eq!(sim.living(), [3, 4]);
    sim.gets(Signal::TERM);
    assert_eq!((sim.ended, sim.living()), (Some(1), vec![3, 4]));
}

#[test]
fn one_whose_limits_tell_is_killed_whatever_its_environment_says() {
    for mut sim in [world(supervisor(1), [runs()]), world(supervisor(2), [runs(), runs()])] {
        sim.world.kernel.badges = true;
        sim.pass(s(1));
        let others = sim.living().len() - 1;
        sim.happens(Op::Fork(0, Offspring::Renamed));
        sim.happens(Op::Blind(true));
        sim.happens(Op::Exit(0, 1));
        assert_eq!(sim.living().len(), others);
    }
}

#[test]
fn one_on_its_way_out_whose_limits_tell_is_awaited_with_what_it_leaves() {
    let mut sim = world(supervisor(2), [runs(), runs()]);
    sim.world.kernel.badges = true;
    sim.pass(s(1));
    let others = sim.living().len() - 1;
    sim.happens(Op::Fork(0, Offspring::Renamed));
    sim.happens(Op::Fork(2, Offspring::Renamed));
    sim.happens(Op::Linger(2));
    sim.happens(Op::Exit(0, 1));
    sim.pass(s(3));
    sim.happens(Op::Finish(1));
    sim.pass(s(3));
    assert_eq!((sim.fault(), sim.living().len()), (None, others + 1));
}

#[test]
fn one_that_cannot_be_read_is_the_only_services_or_left_alone_and_told_of_once() {
    let one = world(supervisor(1), [ends(s(1), 1)]);
    for (mut sim, left) in [(one, 0), (world(supervisor(2), [ends(s(1), 1), runs()]), 1)] {
        sim.world.kernel.badges = true;
        sim.world.record = Some(Vec::new());
        sim.pass(ms(500));
        sim.happens(Op::Fork(0, Offspring::Foreign));
        assert!(sim.world.kernel.all().any(|p| p.hidden));
        sim.pass(s(60));
        assert_eq!(sim.fault(), None);
        let strange = sim.world.kernel.all().filter(|p| p.hidden && p.is_alive());
        assert_eq!(strange.count(), left);
        let told = sim.world.record.take().expect("it was wanted");
        let spared =
            |(_, action): &&(_, Action)| matches!(action, Action::Report(Report::Spared { .. }));
        assert_eq!(told.iter().filter(spared).count(), left);
    }
}

#[test]
fn what_may_not_be_killed_holds_up_no_restart_and_is_told_of_once() {
    for (count, kind) in [(1, Offspring::Escapee), (3, Offspring::Member), (3, Offspring::Daemon)] {
        let mut sim = world(supervisor(count), []);
        sim.world.kernel.badges = true;
        sim.pass(s(1));
        sim.happens(Op::Fork(0, kind));
        sim.happens(Op::Deny(count));
        for run in 2..5 {
            let (at, leader) = (sim.at(), sim.leader(0));
            let place = sim.world.insiders().position(|p| p.pid == leader);
            sim.happens(Op::Exit(place.expect("it runs"), 1));
            sim.pass(s(20));
            // The backoff alone: it is healthy after some seconds.
            assert_eq!(sim.starts(0)[run - 1..], [at + 500], "{kind:?}");
        }
        let told = |report: &&Report| matches!(report, Report::Spared { in_reach: false, .. });
        assert_eq!(sim.reports().iter().filter(told).count(), 1, "{kind:?}");
        let failed = |report: &Report| matches!(report, Report::KillFailed { .. });
        assert!(!sim.reports().iter().any(failed), "{kind:?}");
    }
}

#[test]
fn a_leader_that_may_not_be_killed_and_ends_by_itself_is_as_any_other() {
    for count in [1, 3] {
        let mut sim = world(supervisor(count), []);
        sim.pass(s(1));
        sim.happens(Op::Deny(0));
        sim.happens(Op::Exit(0, 1));
        sim.pass(s(1));
        assert_eq!(sim.starts(0), [0, 1500]);
        let failed = |report: &Report| matches!(report, Report::KillFailed { .. });
        assert!(!sim.reports().iter().any(failed));
    }
}

#[test]
fn what_may_not_be_killed_and_nobody_wants_to_kill_is_not_told_of() {
    let mut sim = world(supervisor(2), []);
    sim.world.kernel.badges = true;
    sim.pass(s(1));
    sim.happens(Op::Fork(1, Offspring::Orphan));
    sim.happens(Op::Deny(2));
    sim.happens(Op::Exit(0, 1));
    let told = |report: &Report| matches!(report, Report::Spared { .. });
    assert!(!sim.reports().iter().any(told));
}

#[test]
fn what_is_below_one_that_is_to_be_killed_is_killed_before_that_has_ended() {
    for count in [1, 3] {
        let mut sim = world(supervisor(count), []);
        sim.world.kernel.badges = true;
        sim.pass(s(1));
        sim.happens(Op::Fork(0, Offspring::Escapee));
        sim.happens(Op::Fork(count, Offspring::Escapee));
        // It would have the other for as long as it hangs.
        sim.happens(Op::Stick(count));
        sim.happens(Op::Exit(0, 1));
        assert_eq!(sim.living().len(), count, "the others, and who hangs");
    }
}

#[test]
fn where_they_are_many_all_are_stopped_before_they_are_killed() {
    let mut sim = world(supervisor(1), []);
    sim.pass(s(1));
    (0..40).for_each(|_| sim.happens(Op::Fork(0, Offspring::Escapee)));
    sim.new_deeds();
    sim.happens(Op::Exit(0, 1));
    let deeds = sim.deeds();
    let get = |signal: Signal| {
        let is_it = |deed: &&Action| matches!(deed, Action::Kill { target: Target::Process(_), signal: got, .. } if *got == signal);
        deeds.iter().filter(is_it).count()
    };
    // The first ones at once; the others are looked for twice.
    assert_eq!((get(Signal::KILL), get(Signal::STOP)), (16 + 24, 24 + 24 + 24));
    assert_eq!(sim.living(), []);
    sim.pass(s(1));
    assert_eq!(sim.starts(0), [1500]);
}

#[test]
fn a_start_that_fails_for_want_of_processes_has_foster_look_for_leftovers_again() {
    let mut sim = world(supervisor(1), []);
    sim.pass(s(1));
    sim.happens(Op::Fork(0, Offspring::Daemon));
    sim.happens(Op::Stick(1));
    sim.happens(Op::Exit(0, 1));
    sim.happens(Op::FailStarts(2));
    let kills = |sim: &Sim| {
        let is_kill = |deed: &&Action| **deed == kill(process(3), Signal::KILL);
        sim.deeds().iter().filter(is_kill).count()
    };
    // It is given up, and the start fails.
    sim.pass(s(10));
    assert_eq!((sim.starts(0).len(), kills(&sim)), (2, 2));
    // With its end there is room for the next, when that is due.
    sim.happens(Op::FailStarts(0));
    sim.happens(Op::Unstick(0));
    sim.pass(s(1));
    assert_eq!(sim.starts(0).len(), 3);
    assert_eq!(sim.living().len(), 1);
}

#[test]
fn keep_orphans_keeps_what_escaped_the_group_and_nothing_else() {
    let mut config = supervisor(1);
    config.adjust(|policy| policy.leftovers = Leftovers::Kill { orphans: false, asked: false });
    let run =
        runs().forks(Offspring::Escapee, Manner::Default).forks(Offspring::Member, Manner::Default);
    let mut sim = world(config, [run]);
    sim.pass(s(1));
    sim.happens(Op::Exit(0, 1));
    assert_eq!(sim.living(), [3]);
    assert_eq!(sim.world.surveys, 0);
    sim.gets(Signal::TERM);
    assert_eq!((sim.ended, sim.living()), (Some(1), vec![3]));
}

#[test]
fn where_marks_cannot_be_read_all_that_was_adopted_belongs_to_the_only_service() {
    let mut sim = world(supervisor(1), [runs().forks(Offspring::Escapee, Manner::Default)]);
    sim.together(Op::Blind(true));
    sim.pass(s(1));
    sim.happens(Op::Exec);
    sim.happens(Op::Exit(0, 1));
    assert_eq!(sim.living(), []);
}

#[test]
fn where_marks_cannot_be_read_and_there_are_two_services_nobody_is_killed() {
    let escapes = || runs().forks(Offspring::Escapee, Manner::Default);
    let mut sim = world(supervisor(2), [escapes(), escapes()]);
    sim.together(Op::Blind(true));
    sim.pass(s(1));
    sim.happens(Op::Exit(0, 1));
    assert_eq!(sim.living(), [3, 4, 5]);
}

#[test]
fn init_does_not_wait_for_what_escaped_when_its_command_ends_by_itself() {
    let mut sim = world(init(), [runs().forks(Offspring::Escapee, Manner::Default)]);
    sim.pass(s(1));
    sim.happens(Op::Exit(0, 3));
    assert_eq!((sim.ended, sim.living()), (Some(3), vec![3]));
    assert_eq!(sim.world.surveys, 0);
}

#[test]
fn tini_leaves_what_its_child_leaves() {
    let mut config = init();
    config.adjust(|policy| policy.leftovers = Leftovers::Leave);
    let mut sim = world(config, [runs().forks(Offspring::Member, Manner::Ignore)]);
    sim.pass(s(1));
    sim.new_deeds();
    sim.happens(Op::Exit(0, 3));
    assert_eq!((sim.ended, sim.living()), (Some(3), vec![3]));
    assert_eq!(sim.deeds(), [Action::Reap { pid: Pid(2) }, Action::Exit { code: 3 }]);
}

#[test]
fn dumb_init_sends_term_to_what_its_child_leaves() {
    let mut config = init();
    config.adjust(|policy| policy.leftovers = Leftovers::Signal(Signal::TERM));
    let mut sim = world(config, [runs().forks(Offspring::Member, Manner::Ignore)]);
    sim.pass(s(1));
    sim.happens(Op::Exit(0, 3));
    assert_eq!((sim.ended, sim.got(Pid(3))), (Some(3), vec![Signal::TERM]));
}

#[test]
fn a_child_in_fosters_own_group_is_never_reached_by_its_group() {
    let mut config = init();
    config.adjust(|policy| policy.session = Session::Shared);
    let mut sim = world(config, [behaves(Manner::Ignore)]);
    sim.pass(s(1));
    sim.gets(Signal::HUP);
    sim.gets(Signal::TERM);
    sim.pass(s(10));
    assert_eq!(sim.ended, Some(137));
    let to_group = |deed: &Action| matches!(deed, Action::Kill { target: Target::Group(_), .. });
    assert!(!sim.deeds().iter().any(to_group));
}

#[test]
fn orphans_are_reaped_and_nothing_else_is_done_about_them() {
    // So many would take Miri minutes.
    let orphans = if cfg!(miri) { 20 } else { 500 };
    let mut sim = world(supervisor(1), [runs()]);
    sim.pass(s(0));
    for _ in 0..orphans {
        sim.together(Op::Exec);
    }
    sim.pass(s(1));
    sim.new_deeds();
    for _ in 0..orphans {
        sim.together(Op::Exit(1, 0));
    }
    sim.pass(s(1));
    let deeds = sim.deeds();
    assert_eq!(deeds.len(), orphans);
    assert!(deeds.iter().all(|deed| matches!(deed, Action::ReapOrphan { .. })));
}

/// Where what is left is asked to end first.
fn asking(services: usize) -> Config {
    let mut config = supervisor(services);
    config.adjust(|policy| policy.leftovers = Leftovers::Kill { orphans: true, asked: true });
    config
}

#[test]
fn what_is_left_is_asked_once_and_killed_when_the_restart_is_due() {
    for services in [1, 3] {
        let run = runs()
            .forks(Offspring::Member, Manner::Ignore)
            .forks(Offspring::Escapee, Manner::Ignore)
            .forks(Offspring::Member, Manner::Tidy(ms(100), 0));
        let mut sim = world(asking(services), [run]);
        sim.pass(s(1));
        let all: Vec<Pid> = sim.world.kernel.all().filter(|p| !p.leader).map(|p| p.pid).collect();
        sim.happens(Op::Exit(0, 1));
        sim.pass(ms(499));
        for pid in all.iter().take(2) {
            assert_eq!(sim.got(*pid), [Signal::TERM, Signal::CONT], "{services}");
        }
        // The tidy one is gone.
        assert_eq!(sim.living().len(), services - 1 + 2);
        sim.pass(ms(1));
        assert_eq!(sim.starts(0), [0, 1500]);
        // The other two are those of the next run.
        assert_eq!(sim.living().len(), services + 3);
    }
}

#[test]
fn what_escaped_has_its_time_though_the_group_is_gone() {
    let tidy = Manner::Tidy(ms(300), 0);
    let mut sim = world(asking(1), [runs().forks(Offspring::Escapee, tidy)]);
    sim.pass(s(1));
    sim.happens(Op::Exit(0, 1));
    sim.pass(ms(400));
    let killed = sim
        .deeds()
        .into_iter()
        .any(|deed| matches!(deed, Action::Kill { signal, .. } if signal == Signal::KILL));
    assert!(!killed, "{:?}", sim.deeds());
    sim.pass(ms(100));
    assert_eq!(sim.starts(0), [0, 1500]);
}

#[test]
fn where_the_backoff_is_shorter_what_is_left_has_a_tenth_of_a_second() {
    let mut config = asking(1);
    config.adjust(|policy| policy.backoff.first = s(0));
    for (manner, start) in [(Manner::Tidy(ms(30), 0), 1030), (Manner::Ignore, 1100)] {
        let mut sim = world(config.clone(), [ends(s(1), 1).forks(Offspring::Member, manner)]);
        sim.pass(ms(1200));
        assert_eq!(sim.starts(0), [0, start]);
    }
}

#[test]
fn what_a_leader_leaves_that_died_of_a_stop_has_the_time_of_the_stop_that_follows() {
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::HUP] {
        for (config, code) in [(supervisor(1), 0), (supervisor(3), 0), (init(), 143)] {
            let runs = runs().forks(Offspring::Member, Manner::Tidy(s(9), 0));
            let mut sim = world(config, [runs]);
            sim.pass(s(1));
            let leader = sim.leader(0);
            let is_member = |p: &&Process| p.group == leader && !p.leader;
            let member = sim.world.kernel.all().find(is_member).expect("it forks").pid;
            sim.happens(Op::Die(0, signal));
            sim.pass(ms(1));
            sim.gets(Signal::TERM);
            sim.pass(ms(8_900));
            assert_eq!(sim.got(member), [Signal::TERM, Signal::CONT], "{signal}");
            sim.pass(s(1));
            let code = if signal == Signal::TERM { code } else { 128 + u32::from(signal.number()) };
            assert_eq!(sim.ended, Some(code), "{signal}");
        }
    }
}

#[test]
fn what_a_command_leaves_that_died_of_a_stop_has_as_long_as_a_stop_takes() {
    for (manner, end) in [(Manner::Tidy(s(3), 0), 3), (Manner::Ignore, 10)] {
        let mut sim = world(init(), [runs().forks(Offspring::Member, manner)]);
        sim.pass(s(1));
        sim.happens(Op::Die(0, Signal::HUP));
        sim.pass(s(end) - ms(1));
        assert_eq!(sim.ended, None);
        // Somebody may wonder.
        assert!(sim.reports().iter().any(|it| matches!(it, Report::StillWaiting { .. })));
        sim.pass(ms(2));
        assert_eq!(sim.ended, Some(129));
    }
    let mut sim = world(init(), [runs().forks(Offspring::Member, Manner::Ignore)]);
    sim.pass(s(1));
    sim.happens(Op::Die(0, Signal::INT));
    sim.gets(Signal::INT);
    assert_eq!(sim.ended, None);
    sim.gets(Signal::INT);
    assert_eq!(sim.ended, Some(130));
}

#[test]
fn one_that_gave_up_ends_with_its_own_code_however_what_it_left_ends() {
    for restart in [Restart::Always, Restart::Never] {
        let mut config = asking(1);
        config.adjust(|it| (it.restart, it.backoff.max_restarts) = (restart, Some(0)));
        let mut sim = world(config, [runs().forks(Offspring::Member, Manner::Ignore)]);
        sim.pass(s(1));
        sim.happens(Op::Exit(0, 3));
        sim.pass(s(9));
        assert_eq!(sim.ended, None);
        sim.pass(s(1));
        assert_eq!(sim.ended, Some(3), "{restart:?}");
    }
}

#[test]
fn a_death_by_the_stop_signal_during_the_backoff_counts_as_a_stop_and_no_other_does() {
    for (op, code) in [
        (Op::Die(0, Signal::TERM), 0),
        (Op::Exit(0, 143), 0),
        (Op::Die(0, Signal::HUP), 129),
        (Op::Exit(0, 3), 3),
    ] {
        let mut sim = world(supervisor(1), [runs()]);
        sim.pass(s(1));
        sim.happens(op);
        sim.pass(ms(400));
        sim.gets(Signal::TERM);
        assert_eq!(sim.ended, Some(code), "{op:?}");
    }
}
