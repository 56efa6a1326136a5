//! "On a terminal": who has the foreground, and stopping and going on together. `terminal_bash`
//! does it with a real shell.

use std::time::Duration;

use crate::inheritance::WITHOUT_SIGNALFD;
use crate::subject::{await_foreground, foster, wrapped};
use crate::support::procfs::{self, await_state};
use crate::support::running::send;
use crate::support::terminal::{INTERRUPT, QUIT, SUSPEND};
use crate::support::{Launch, Place, Running, Status};

#[test]
fn the_childs_group_becomes_the_foreground_group_if_fosters_was() {
    for place in [Place::TerminalLeader, Place::Foreground] {
        let mut run =
            foster().arg("--").probe("ids tty foreground pause").in_front().place(place).start();
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
        let mut run = foster().arg("--").probe(script).in_front().place(Place::Foreground).start();
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
    let mut run = foster().args(["--", "/no/app"]).in_front().place(Place::Foreground).start();
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
        let launch = foster().arg("--").probe("trap").place(place);
        // If the child does not have the terminal, foster forwards it.
        for launch in [launch.clone().in_front(), launch] {
            let mut run = launch.start();
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
}

#[test]
fn ctrl_z_stops_foster_with_the_child_and_fg_resumes_both() {
    suspends_and_resumes(foster());
    suspends_and_resumes(foster().in_front());
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
    let mut run =
        foster().arg("--").probe("say=up pause").in_front().place(Place::Foreground).start();
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
    assert_eq!(run.wait_for_status(), Status::Signal("INT".into()));
}

#[test]
fn a_child_that_stops_itself_stops_foster_with_it() {
    for signal in ["STOP", "TSTP", "TTIN"] {
        let mut run =
            foster().arg("--").probe("say=up pause").in_front().place(Place::Foreground).start();
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
    let mut run =
        foster().arg("--").probe("say=up pause").in_front().place(Place::Foreground).start();
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
    let mut run =
        foster().arg("--").probe("say=up pause").in_front().place(Place::Foreground).start();
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
    let mut run = foster()
        .arg("--")
        .probe("say=up read exit=4")
        .in_front()
        .place(Place::TerminalLeader)
        .start();
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
    let mut run =
        foster().arg("--").probe("say=up pause").in_front().place(Place::TerminalLeader).start();
    run.expect("up");
    let child = run.child();
    await_foreground(child);
    run.hang_up();
    procfs::await_death(child);
    assert_eq!(run.wait().code(), 129);
}

#[test]
fn a_window_that_changes_its_size_is_told_once() {
    let launch = foster().arg("--").probe("trap").place(Place::TerminalLeader);
    for launch in [launch.clone().in_front(), launch] {
        let mut run = launch.start();
        run.expect("trapping");
        for rows in 10..40 {
            run.terminal().resize(rows, 40);
            assert_eq!(run.line(), "got WINCH");
            run.signal("PWR");
            assert_eq!(run.line(), "got PWR");
        }
    }
}

#[test]
fn a_child_whose_output_is_not_the_terminal_is_given_it_when_it_reads() {
    for (place, before) in [
        (Place::TerminalLeader, "default=HUP"),
        (Place::Foreground, "default=HUP"),
        // As a shell without job control starts what is to run in the background.
        (Place::Foreground, "ignore=INT,QUIT"),
        // stdin is something else too, and the terminal is stderr.
        (Place::TerminalLeader, "close=2 open=/dev/tty close=0"),
        // All of them are.
        (Place::Foreground, "close=0 open=/dev/null"),
    ] {
        let script = "foreground ask say=up pause";
        let launch = foster().arg("--").probe(script).inheriting(before).place(place);
        let mut run = launch.start();
        let (foster, child) = (run.pid(), run.child());
        let own = procfs::inner_pid(foster).expect("it lives").to_string();
        // It is standard input of which the probe tells.
        let first = if before.contains("close=0") { "0" } else { &own };
        assert_eq!(run.expect_prefix("foreground: "), first, "{place:?} {before}");
        await_foreground(child);
        run.terminal().type_text("secret\n");
        run.expect("asked: secret");
        run.expect("up");
    }
}

#[test]
fn foster_dies_of_the_key_that_its_child_died_of_and_leaves_the_terminal_and_no_core() {
    for (key, name) in [(INTERRUPT, "INT"), (QUIT, "QUIT")] {
        // Forwarded by foster, too, if the child does not have the terminal.
        let launch = foster().arg("--").probe("say=up pause").place(Place::Foreground);
        for launch in [launch.clone().in_front(), launch] {
            let mut run = launch.start();
            run.expect("up");
            let (job, _) = run.started();
            run.terminal().type_text(key);
            let end = run.expect_event("killed ");
            assert_eq!(end, format!("{name} foreground {job}"));
        }
    }
}

#[test]
fn foster_ends_with_128_and_the_number_where_no_key_killed_its_child() {
    // What its child ends with by itself, what others send, and what foster asked for.
    for (script, signal, code) in [
        ("say=up exit=130", "", 130),
        ("say=up pause", "TERM", 143),
        ("say=up ignore=INT pause", "TERM", 143),
    ] {
        let mut run = foster().arg("--").probe(script).in_front().place(Place::Foreground).start();
        run.expect("up");
        if !signal.is_empty() {
            run.signal(signal);
        }
        assert_eq!(run.wait_for_status(), Status::Code(code), "{script}");
    }
    let mut run = foster().arg("--").probe("say=up pause").place(Place::Job).start();
    run.expect("up");
    send(run.child(), "INT");
    assert_eq!(run.wait_for_status(), Status::Code(130));
    // A signal of its own does not end PID 1.
    let mut run =
        foster().arg("--").probe("say=up pause").in_front().place(Place::TerminalLeader).start();
    run.expect("up");
    run.terminal().type_text(INTERRUPT);
    assert_eq!(run.wait().code(), 130);
}

#[test]
fn a_hup_is_for_the_service_as_long_as_the_terminal_is_there() {
    for place in [Place::TerminalLeader, Place::Foreground, Place::Background] {
        let mut run = wrapped("trap").place(place).start();
        run.expect("trapping");
        run.signal("HUP");
        assert_eq!(run.line(), "got HUP");
        // It has a larger number: nothing came with the HUP.
        run.signal("WINCH");
        assert_eq!(run.line(), "got WINCH");
    }
}

#[test]
fn a_terminal_that_is_hung_up_stops_services_by_term() {
    // Where no descriptor of foster's is the terminal, it is the session's.
    for before in ["default=HUP", "close=0 open=/dev/null"] {
        for place in [Place::TerminalLeader, Place::Foreground] {
            let launch = wrapped("trap").inheriting(before).place(place);
            let mut run = launch.start();
            run.expect("trapping");
            let foster = run.pid();
            run.hang_up();
            if place == Place::Foreground {
                // Like a shell that the kernel has notified.
                run.signal("HUP");
            }
            assert_eq!(run.line(), "got TERM", "{place:?} {before}");
            assert_eq!(run.line(), "got CONT");
            // The kernel's and the shell's ask for no more than one stop.
            send(foster, "HUP");
            send(foster, "TERM");
            // The kernel sends a CONT too, to who leads the session.
            let next = std::iter::repeat_with(|| run.line()).find(|line| line != "got CONT");
            assert_eq!(next.as_deref(), Some("got TERM"), "{place:?} {before}");
            send(foster, "INT");
            run.expect("got INT");
            send(foster, "INT");
            procfs::await_death(foster);
        }
    }
}

#[test]
fn with_nohup_a_terminal_that_is_hung_up_stops_no_service() {
    let launch = wrapped("trap").inheriting("ignore=HUP").place(Place::TerminalLeader);
    let mut run = launch.start();
    run.expect("trapping");
    run.hang_up();
    run.expect_all(&["got HUP", "got CONT"]);
    run.signal("WINCH");
    assert_eq!(run.line(), "got WINCH");
}

#[test]
fn ctrl_z_suspends_a_supervisor_with_a_line_and_its_services_keep_running() {
    let mut run = wrapped("trap").place(Place::Foreground).start();
    run.expect("trapping");
    let (foster, service) = (run.pid(), run.child());
    for _ in 0..2 {
        await_foreground(foster);
        run.terminal().type_text(SUSPEND);
        assert!(run.expect_event("stopped ").starts_with("TSTP"));
        await_state(foster, "T");
        let told = run.expect_error("foster: info: suspended by Ctrl-Z: ");
        assert!(told.contains("fg or SIGCONT"), "{told}");
        send(service, "USR1");
        assert_eq!(run.line(), "got USR1");
        run.command("fg");
        run.expect_event("continued");
        assert_eq!(run.line(), "got CONT");
    }
    run.signal("TERM");
    assert_eq!(run.line(), "got TERM");
}

#[test]
fn ctrl_z_does_no_harm_to_a_supervisor_that_nobody_could_resume() {
    // As PID 1 and leader of the session, and as a job whose shell is gone.
    let mut run = wrapped("trap").place(Place::TerminalLeader).start();
    run.expect("trapping");
    run.terminal().type_text(SUSPEND);
    run.signal("WINCH");
    assert_eq!(run.line(), "got WINCH");
    assert!(!run.errors().contains("suspended"), "{}", run.errors());
}

#[test]
fn a_leader_that_has_the_terminal_and_ignores_term_is_stopped_by_hup() {
    for place in [Place::TerminalLeader, Place::Foreground] {
        let launch = foster().arg("--").probe("ignore=TERM say=up pause").place(place);
        let mut run = launch.clone().in_front().start();
        run.expect("up");
        run.signal("TERM");
        assert_eq!(run.wait_for_status(), Status::Code(129));
        // One that has it not is a program like others.
        let mut run = foster().arg("--").probe("trap").place(place).start();
        run.expect("trapping");
        run.signal("TERM");
        assert_eq!(run.line(), "got TERM");
        assert_eq!(run.line(), "got CONT");
        run.signal("PWR");
        assert_eq!(run.line(), "got PWR");
    }
}
