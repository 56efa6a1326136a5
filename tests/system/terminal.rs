//! "On a terminal": who has the foreground, and stopping and going on together. `terminal_bash`
//! does it with a real shell.

use std::time::Duration;

use crate::inheritance::WITHOUT_SIGNALFD;
use crate::subject::{await_foreground, foster, wrapped};
use crate::support::patience::until;
use crate::support::procfs::{self, await_state};
use crate::support::running::send;
use crate::support::terminal::{INTERRUPT, QUIT, SUSPEND};
use crate::support::{Launch, Place, Running, Status};

#[test]
fn the_childs_group_becomes_the_foreground_group_if_fosters_was() {
    for place in [Place::TerminalLeader, Place::Foreground] {
        let mut run = foster().arg("--").probe("ids tty foreground pause").place(place).start();
        let ids = run.line();
        assert_eq!(run.line(), "tty: yes");
        let group = run.expect_prefix("foreground: ");
        assert!(ids.contains(&format!("pid={group} ")), "{ids}");
        assert!(ids.contains(&format!("pgid={group} ")), "{ids}");
    }
}

#[test]
fn the_foreground_goes_back_to_fosters_own_group_at_the_end() {
    for script in ["exit=3", "die=KILL", "say=up pause", "fork { ignore=HUP pause } exit=0"] {
        let mut run = foster().arg("--").probe(script).place(Place::Foreground).start();
        let (job, _) = run.started();
        if script.starts_with("say") {
            run.expect("up");
            run.signal("TERM");
        }
        // The parent, like a shell, tells what it found before it takes the terminal itself.
        let end =
            run.expect_event(if script.starts_with("die") { "exited 137 " } else { "exited " });
        assert!(end.ends_with(&format!("foreground {job}")), "{script}: {end}");
    }
}

#[test]
fn the_foreground_goes_back_when_the_command_cannot_be_started() {
    let mut run = foster().args(["--", "/no/app"]).place(Place::Foreground).start();
    let (job, _) = run.started();
    assert_eq!(run.expect_event("exited "), format!("127 foreground {job}"));
}

#[test]
fn a_background_job_steals_nothing() {
    let mut run =
        foster().arg("--").probe("say=up foreground trap").place(Place::Background).start();
    run.expect("trapping");
    let (_, shell) = run.started();
    assert_eq!(run.foreground(), shell);
    // Not even at its end.
    run.signal("USR1");
    run.expect("got USR1");
    let child = run.child();
    send(child, "KILL");
    assert_eq!(run.wait_for_status(), Status::Code(137));
    assert_eq!(run.foreground(), shell);
}

#[test]
fn a_background_job_that_reads_is_stopped_until_fg_and_then_has_the_terminal() {
    let mut run = foster().arg("--").probe("say=up read exit=4").place(Place::Background).start();
    run.expect("up");
    run.expect_event("stopped ");
    let (_, shell) = run.started();
    assert_eq!(run.foreground(), shell);
    run.command("fg");
    run.expect_event("continued");
    run.terminal().type_text("hello\n");
    run.expect("read: hello");
    assert_eq!(run.wait_for_status(), Status::Code(4));
}

#[test]
fn a_key_on_the_terminal_arrives_once() {
    for place in [Place::TerminalLeader, Place::Foreground] {
        let mut run = foster().arg("--").probe("trap").place(place).start();
        run.expect("trapping");
        for _ in 0..30 {
            for (key, name) in [(INTERRUPT, "INT"), (QUIT, "QUIT")] {
                run.terminal().type_text(key);
                assert_eq!(run.line(), format!("got {name}"));
                // It has a larger number, and so would come behind a second one.
                run.signal("PWR");
                assert_eq!(run.line(), "got PWR");
            }
        }
    }
}

#[test]
fn ctrl_z_stops_foster_with_the_child_and_fg_resumes_both() {
    suspends_and_resumes(foster());
}

#[test]
fn without_signalfd_ctrl_z_stops_foster_with_the_child_and_fg_resumes_both() {
    suspends_and_resumes(foster().inheriting(WITHOUT_SIGNALFD));
}

fn suspends_and_resumes(launch: Launch) {
    let script = "say=up read read exit=4";
    let mut run = launch.arg("--").probe(script).place(Place::Foreground).start();
    run.expect("up");
    let (pid, child) = (run.pid(), run.child());
    let (job, _) = run.started();
    for line in ["one", "two"] {
        await_foreground(child);
        run.terminal().type_text(SUSPEND);
        // The shell sees its job stopped, which has taken the terminal back before.
        assert_eq!(run.expect_event("stopped "), format!("TSTP foreground {job}"));
        await_state(pid, "T");
        await_state(child, "T");
        run.command("fg");
        run.expect_event("continued");
        run.terminal().type_text(&format!("{line}\n"));
        run.expect(&format!("read: {line}"));
    }
    assert_eq!(run.wait_for_status(), Status::Code(4));
}

#[test]
fn bg_resumes_both_and_leaves_the_terminal_to_the_shell() {
    let mut run = foster().arg("--").probe("say=up pause").place(Place::Foreground).start();
    run.expect("up");
    let (pid, child) = (run.pid(), run.child());
    let (_, shell) = run.started();
    await_foreground(child);
    run.terminal().type_text(SUSPEND);
    run.expect_event("stopped TSTP");
    run.command("bg");
    run.expect_event("continued");
    await_state(pid, "S");
    await_state(child, "S");
    assert_eq!(run.foreground(), shell);
    run.command("fg");
    await_foreground(child);
    run.terminal().type_text(INTERRUPT);
    assert_eq!(run.wait_for_status(), Status::Code(130));
}

#[test]
fn a_child_that_stops_itself_stops_foster_with_it() {
    for signal in ["STOP", "TSTP", "TTIN"] {
        let mut run = foster().arg("--").probe("say=up pause").place(Place::Foreground).start();
        run.expect("up");
        let (pid, child) = (run.pid(), run.child());
        send(child, signal);
        run.expect_event("stopped ");
        await_state(pid, "T");
        run.command("fg");
        run.expect_event("continued");
        await_state(child, "S");
        await_foreground(child);
        send(child, "KILL");
        assert_eq!(run.wait_for_status(), Status::Code(137));
    }
}

#[test]
fn tstp_sent_to_foster_stops_the_child_and_then_foster() {
    let mut run = foster().arg("--").probe("say=up pause").place(Place::Foreground).start();
    run.expect("up");
    let (pid, child) = (run.pid(), run.child());
    run.signal("TSTP");
    run.expect_event("stopped TSTP");
    await_state(child, "T");
    await_state(pid, "T");
    run.command("fg");
    run.expect_event("continued");
    await_state(child, "S");
}

#[test]
fn a_stop_request_ends_a_foster_that_was_suspended_with_its_child() {
    let mut run = foster().arg("--").probe("say=up pause").place(Place::Foreground).start();
    run.expect("up");
    let child = run.child();
    await_foreground(child);
    run.terminal().type_text(SUSPEND);
    run.expect_event("stopped TSTP");
    // As a shell does it that closes with a stopped job: TERM, and CONT so that it is seen.
    run.signal("TERM");
    run.signal("CONT");
    assert_eq!(run.wait_for_status(), Status::Code(143));
}

#[test]
fn ctrl_z_does_not_freeze_a_session_leader() {
    let mut run =
        foster().arg("--").probe("say=up read exit=4").place(Place::TerminalLeader).start();
    run.expect("up");
    let child = run.child();
    for _ in 0..5 {
        await_foreground(child);
        // There is nobody who could ever resume it.
        run.terminal().type_text(SUSPEND);
    }
    run.terminal().type_text("hello\n");
    run.expect("read: hello");
    assert_eq!(run.wait().code(), 4);
}

#[test]
fn a_stop_that_was_sent_on_purpose_lasts_even_where_foster_leads_the_session() {
    let mut run = foster().arg("--").probe("say=up pause").place(Place::TerminalLeader).start();
    run.expect("up");
    let child = run.child();
    send(child, "STOP");
    await_state(child, "T");
    run.expect_quiet(Duration::from_millis(200));
    assert_eq!(procfs::stat(child).expect("it lives").state, 'T');
    run.signal("CONT");
    await_state(child, "S");
}

#[test]
fn a_cont_that_comes_together_with_a_stop_is_not_lost_in_it() {
    for place in [Place::TerminalLeader, Place::Pid1] {
        for _ in 0..20 {
            let mut run = foster().arg("--").probe("say=up pause").place(place).start();
            run.expect("up");
            let (pid, child) = (run.pid(), run.child());
            procfs::await_rest(pid);
            // Foster does not get to see to either before both are there.
            run.signal("STOP");
            await_state(pid, "T");
            send(child, "STOP");
            await_state(child, "T");
            run.signal("CONT");
            await_state(child, "S");
            run.signal("TERM");
            assert_eq!(run.wait().code(), 143);
        }
    }
}

#[test]
fn a_service_has_no_terminal_and_leaves_fosters_alone() {
    for place in [Place::TerminalLeader, Place::Foreground] {
        let mut run: Running = wrapped("tty trap").place(place).start();
        assert_eq!(run.line(), "tty: ENXIO");
        run.expect("trapping");
        let pid = run.pid();
        // Ctrl-C is for foster then.
        await_foreground(pid);
        run.terminal().type_text(INTERRUPT);
        run.expect("got INT");
    }
}

#[test]
fn a_terminal_that_is_hung_up_ends_the_child_and_then_foster() {
    let mut run = foster().arg("--").probe("say=up pause").place(Place::TerminalLeader).start();
    run.expect("up");
    let child = run.child();
    await_foreground(child);
    run.terminal().hang_up();
    procfs::await_death(child);
    assert_eq!(run.wait().code(), 129);
}

#[test]
fn a_window_that_changes_its_size_is_told_once() {
    let mut run = foster().arg("--").probe("trap").place(Place::TerminalLeader).start();
    run.expect("trapping");
    for rows in 10..40 {
        run.terminal().resize(rows, 40);
        assert_eq!(run.line(), "got WINCH");
        run.signal("PWR");
        assert_eq!(run.line(), "got PWR");
    }
}

#[test]
fn stdout_and_stderr_may_be_redirected_and_the_terminal_is_given_all_the_same() {
    // The harness does that to all of these; here stdin is redirected too, and one is left.
    let launch =
        foster().arg("--").probe("say=up pause").inheriting("close=2 open=/dev/tty close=0");
    let mut run = launch.place(Place::TerminalLeader).start();
    run.expect("up");
    let child = run.child();
    until("it has no terminal", || procfs::stat(child).map(drop));
    await_foreground(child);
}
