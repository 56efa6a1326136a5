//! What foster ends with.

use super::*;

fn init_status(success: &[u32], op: Op) -> Option<u32> {
    let mut config = init();
    success.iter().for_each(|code| config.adjust(|policy| policy.success.insert(*code)));
    let mut sim = world(config, [runs()]);
    sim.pass(s(1));
    sim.happens(op);
    sim.ended
}

#[test]
fn init_ends_with_the_code_of_its_command() {
    for code in [0, 1, 3, 42, 125, 126, 127, 255] {
        assert_eq!(init_status(&[], Op::Exit(0, code)), Some(code));
    }
}

#[test]
fn init_ends_with_128_and_the_number_of_the_signal() {
    for signal in [Signal::HUP, Signal::KILL, Signal::TERM] {
        let code = 128 + u32::from(signal.number());
        assert_eq!(init_status(&[], Op::Die(0, signal)), Some(code));
        let stopped = init_status(&[], Op::Signal(Signal::TERM, None, false));
        assert_eq!(stopped, Some(143), "a stop changes nothing about it");
    }
}

#[test]
fn init_ends_with_0_for_what_counts_as_success() {
    assert_eq!(init_status(&[143, 3], Op::Die(0, Signal::TERM)), Some(0));
    assert_eq!(init_status(&[143, 3], Op::Exit(0, 3)), Some(0));
    assert_eq!(init_status(&[143, 3], Op::Exit(0, 4)), Some(4));
    assert_eq!(init_status(&[143], Op::Signal(Signal::TERM, None, false)), Some(0));
}

#[test]
fn init_ends_at_once_with_the_code_of_a_start_that_failed() {
    let mut sim = world(init(), [runs()]);
    sim.together(Op::FailStarts(1));
    sim.pass(s(0));
    assert_eq!(sim.ended, Some(125));
}

#[test]
fn init_passes_on_its_leaders_own_end_though_members_were_killed() {
    let mut sim = world(init(), [runs().forks(Offspring::Member, Manner::Ignore)]);
    sim.gets(Signal::TERM);
    sim.pass(s(10));
    assert_eq!(sim.ended, Some(143));
}

/// What a supervisor ends with, whose services take TERM like this.
fn stop_status<const N: usize>(manners: [Manner; N]) -> Option<u32> {
    let mut sim = world(supervisor(N), manners.map(behaves));
    sim.pass(s(1));
    sim.gets(Signal::TERM);
    sim.pass(s(20));
    sim.ended
}

#[test]
fn a_stop_ends_with_0_where_all_ended_by_the_stop_signal_or_well() {
    let (dies, well) = (Manner::Default, Manner::Tidy(s(1), 0));
    let as_a_shell_has_it = Manner::Tidy(s(1), 143);
    assert_eq!(stop_status([dies, well, as_a_shell_has_it]), Some(0));
}

#[test]
fn a_stop_ends_with_the_first_other_status() {
    let (late, early) = (Manner::Tidy(s(3), 4), Manner::Tidy(s(2), 5));
    assert_eq!(stop_status([late, early, Manner::Default]), Some(5));
    assert_eq!(stop_status([Manner::Tidy(s(1), 130)]), Some(130), "INT is not TERM");
}

#[test]
fn a_stop_ends_with_137_where_it_took_sigkill() {
    assert_eq!(stop_status([Manner::Default, Manner::Ignore]), Some(137));
    assert_eq!(stop_status([Manner::Tidy(s(1), 9), Manner::Ignore]), Some(9), "that was first");
}

#[test]
fn a_success_code_counts_after_a_stop_too() {
    let mut config = supervisor(1);
    config.adjust(|policy| policy.success.insert(9));
    let mut sim = world(config, [behaves(Manner::Tidy(s(1), 9))]);
    sim.gets(Signal::TERM);
    sim.pass(s(1));
    assert_eq!(sim.ended, Some(0));
}

#[test]
fn a_status_is_that_of_the_stop_signal_that_was_sent() {
    let mut config = supervisor(1);
    config.adjust(|policy| policy.stop.signal = Some(Signal::QUIT));
    let mut sim = world(config, [runs()]);
    sim.gets(Signal::TERM);
    assert_eq!(sim.ended, Some(0));
}

#[test]
fn every_stop_signal_that_was_sent_counts() {
    let mut sim = world(supervisor(1), [behaves(Manner::Ignore)]);
    sim.gets(Signal::INT);
    sim.happens(Op::Behave(0, Manner::Default));
    sim.gets(Signal::TERM);
    assert_eq!(sim.ended, Some(0), "and not 143");
    // One that was not sent does not.
    let mut sim = world(supervisor(1), [behaves(Manner::Tidy(s(1), 143))]);
    sim.gets(Signal::INT);
    sim.gets(Signal::QUIT);
    sim.pass(s(1));
    assert_eq!(sim.ended, Some(143));
}

#[test]
fn what_gave_up_counts_even_where_another_ended_worse_before() {
    let mut config = supervisor(2);
    config.adjust(|policy| policy.backoff.max_restarts = Some(1));
    let mut sim = world(config, [ends(ms(100), 6), behaves(Manner::Ignore)]);
    sim.pass(s(60));
    assert_eq!(sim.ended, Some(6), "and not 137");
}

#[test]
fn what_gave_up_with_success_ends_foster_with_0() {
    let mut config = supervisor(1);
    config.adjust(|policy| policy.backoff.max_restarts = Some(1));
    let mut sim = world(config, [ends(ms(100), 0)]);
    sim.pass(s(60));
    assert_eq!(sim.ended, Some(0));
}
