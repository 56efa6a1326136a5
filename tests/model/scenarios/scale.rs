//! Many services, many processes: what one costs, a thousand cost a thousand times, not more.

use super::*;

/// What foster was told, did and looked for.
fn costs(sim: &Sim) -> (u64, u64, u64) {
    (sim.world.events, sim.world.actions, sim.world.surveys)
}

fn many(count: usize, script: &Script) -> Sim {
    let mut sim = Sim::new(supervisor(count), Terminal::None);
    sim.world.scripts.fill(vec![script.clone()]);
    sim.pass(s(0));
    sim
}

#[test]
fn a_thousand_services_start_signal_and_stop_at_the_cost_of_a_thousand() {
    let run = runs().forks(Offspring::Member, Manner::Tidy(s(1), 0));
    let mut sim = many(1000, &run);
    assert_eq!(costs(&sim), (1000, 2000, 0), "a start and a line in the log each");
    sim.gets(Signal::WINCH);
    sim.gets(Signal::TERM);
    sim.pass(s(2));
    assert_eq!((sim.ended, sim.at()), (Some(0), 1000));
    let (events, actions, surveys) = costs(&sim);
    // A start and two deaths for each service; in each survey, those are told that are left.
    assert!(events < 10_000 && actions < 12_000, "{events} events, {actions} actions");
    assert!(surveys <= 10, "{surveys} surveys");
}

#[test]
fn a_thousand_crashes_at_once_are_restarted_at_the_cost_of_a_thousand() {
    let mut sim = many(1000, &ends(s(1), 1));
    sim.pass(ms(1400));
    let before = costs(&sim);
    sim.pass(ms(100));
    let after = costs(&sim);
    assert_eq!(sim.living().len(), 1000);
    assert_eq!((after.0 - before.0, after.1 - before.1), (1000, 2000));
    // 1,000 deaths, and the question what they left behind, for all of them at once.
    assert!(before.2 <= 20, "{} surveys", before.2);
}

#[test]
fn ten_thousand_orphans_that_die_during_a_stop_do_not_cost_a_survey_each() {
    let mut sim = world(supervisor(1), [runs().forks(Offspring::Member, Manner::Ignore)]);
    sim.pass(s(0));
    for _ in 0..10_000 {
        sim.together(Op::Exec);
    }
    sim.gets(Signal::TERM);
    let before = sim.world.surveys;
    for pid in (4..).take(10_000) {
        sim.world.kernel.exit(Pid(pid), ExitStatus::Code(0));
    }
    sim.pass(s(1));
    assert_eq!(sim.living().len(), 1, "the member of the group has its time");
    let surveys = sim.world.surveys - before;
    assert!(surveys <= 200, "{surveys} surveys");
}

#[test]
fn a_flood_of_signals_does_not_put_off_the_end_of_a_stop_for_ever() {
    let mut sim = world(supervisor(1), [runs()]);
    sim.pass(s(1));
    for value in 0..100_000 {
        sim.together(Op::Signal(Signal::RTMIN, Some(value), false));
    }
    sim.gets(Signal::TERM);
    assert_eq!(sim.ended, Some(0));
    let events = sim.world.events;
    assert!(events < 50_000, "foster read {events} events before it ended");
}
