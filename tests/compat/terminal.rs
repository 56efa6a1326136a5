//! Terminals: as the session's leader (`docker run -t`), as a foreground and as a background job.

use crate::exec::expect_a_group_in_the_same_session;
use crate::subject::{bug, catatonit, dumb_init, path, tini};
use crate::support::procfs::{self, await_state};
use crate::support::terminal::{INTERRUPT, QUIT, SUSPEND, Terminal};
use crate::support::{Launch, Place, Running, probe};

#[test]
fn tini_leader_puts_the_child_in_the_foreground() {
    puts_the_child_in_the_foreground(tini().arg("--"), Place::TerminalLeader);
}

#[test]
fn catatonit_leader_puts_the_child_in_the_foreground() {
    puts_the_child_in_the_foreground(catatonit().arg("--"), Place::TerminalLeader);
}

#[test]
fn tini_job_puts_the_child_in_the_foreground() {
    puts_the_child_in_the_foreground(tini().args(["-s", "--"]), Place::Foreground);
}

#[test]
fn catatonit_job_puts_the_child_in_the_foreground() {
    puts_the_child_in_the_foreground(catatonit().arg("--"), Place::Foreground);
}

#[test]
fn tini_finds_the_terminal_behind_redirections() {
    bug("only standard input is looked at", "timed out waiting for a line", || {
        finds_the_terminal_behind_redirections(tini().args(["-s", "--"]));
    });
}

#[test]
fn catatonit_finds_the_terminal_behind_redirections() {
    finds_the_terminal_behind_redirections(catatonit().arg("--"));
}

#[test]
fn dumb_init_leader_gives_the_terminal_to_the_childs_session() {
    let launch = dumb_init().probe("ids tty foreground pause").place(Place::TerminalLeader);
    let mut run = launch.start();
    assert_eq!(run.line(), "pid=2 ppid=1 pgid=2 sid=2");
    assert_eq!(run.line(), "tty: yes");
    assert_eq!(run.line(), "foreground: 2");
}

#[test]
fn dumb_init_job_leaves_the_child_without_a_terminal() {
    let mut run = dumb_init().probe("tty pause").place(Place::Foreground).start();
    assert_eq!(run.line(), "tty: ENXIO");
    // The terminal stays with the job.
    assert_eq!(run.foreground(), run.started().0);
}

#[test]
fn dumb_init_c_shares_its_group_and_terminal() {
    for place in [Place::TerminalLeader, Place::Foreground] {
        let mut run = dumb_init().arg("-c").probe("ids tty foreground pause").place(place).start();
        let ids = run.line();
        let (init, child) = (run.pid(), run.child());
        let group = |pid| procfs::stat(pid).expect("it lives").group;
        assert_eq!(group(child), group(init), "{ids}");
        assert_eq!(run.line(), "tty: yes");
        let inner = procfs::inner_pid(init).expect("it lives");
        assert_eq!(run.line(), format!("foreground: {inner}"));
    }
}

#[test]
fn tini_interrupt_arrives_once() {
    interrupt_arrives_once(tini().arg("--"), Place::TerminalLeader);
    interrupt_arrives_once(tini().args(["-s", "--"]), Place::Foreground);
    interrupt_arrives_once(tini().args(["-g", "--"]), Place::TerminalLeader);
}

#[test]
fn catatonit_interrupt_arrives_once() {
    interrupt_arrives_once(catatonit().arg("--"), Place::TerminalLeader);
    interrupt_arrives_once(catatonit().arg("--"), Place::Foreground);
}

#[test]
fn dumb_init_interrupt_arrives_once() {
    interrupt_arrives_once(dumb_init(), Place::TerminalLeader);
    interrupt_arrives_once(dumb_init(), Place::Foreground);
}

#[test]
fn dumb_init_c_leader_interrupt_arrives_once() {
    shared_interrupt_arrives_once(Place::TerminalLeader);
}

#[test]
fn dumb_init_c_job_interrupt_arrives_once() {
    shared_interrupt_arrives_once(Place::Foreground);
}

#[test]
fn dumb_init_c_passes_keys_on_to_a_child_that_left_its_group() {
    for place in [Place::TerminalLeader, Place::Foreground] {
        let mut run = dumb_init().arg("-c").probe("setpgid trap").place(place).start();
        run.expect("trapping");
        run.terminal().type_text(INTERRUPT);
        assert_eq!(run.line(), "got INT");
        run.terminal().type_text(QUIT);
        assert_eq!(run.line(), "got QUIT");
        run.terminal().resize(10, 40);
        assert_eq!(run.line(), "got WINCH");
    }
}

#[test]
fn tini_resize_arrives_once() {
    resize_arrives_once(tini().arg("--"), Place::TerminalLeader);
    resize_arrives_once(tini().args(["-s", "--"]), Place::Foreground);
}

#[test]
fn catatonit_resize_arrives_once() {
    resize_arrives_once(catatonit().arg("--"), Place::TerminalLeader);
    resize_arrives_once(catatonit().arg("--"), Place::Foreground);
}

#[test]
fn dumb_init_resize_arrives_once() {
    resize_arrives_once(dumb_init(), Place::TerminalLeader);
    resize_arrives_once(dumb_init(), Place::Foreground);
}

#[test]
fn dumb_init_c_resize_arrives_once() {
    shared_resize_arrives_once(Place::TerminalLeader);
}

#[test]
fn dumb_init_c_job_resize_arrives_once() {
    shared_resize_arrives_once(Place::Foreground);
}

#[test]
fn dumb_init_c_quit_arrives_once() {
    shared_arrives_once(Place::Foreground, "QUIT", |terminal, _| terminal.type_text(QUIT));
}

#[test]
fn tini_hangup_arrives() {
    hangup_arrives(tini().arg("--"));
}

#[test]
fn catatonit_hangup_arrives() {
    hangup_arrives(catatonit().arg("--"));
}

#[test]
fn dumb_init_hangup_arrives() {
    hangup_arrives(dumb_init());
}

#[test]
fn dumb_init_c_hangup_arrives() {
    hangup_arrives(dumb_init().arg("-c"));
}

#[test]
fn dumb_init_swallows_the_signals_of_its_own_detaching() {
    let mut run = dumb_init().probe("trap").place(Place::TerminalLeader).start();
    run.expect("trapping");
    // Giving up the terminal sent HUP and CONT to dumb-init's group; the child hears of neither.
    run.signal("PWR");
    assert_eq!(run.line(), "got PWR");
    // The ones after that are meant for it.
    run.signal("HUP");
    assert_eq!(run.line(), "got HUP");
    run.signal("CONT");
    assert_eq!(run.line(), "got CONT");
}

#[test]
fn dumb_init_job_swallows_no_signal() {
    // It is no session leader, so giving up the terminal signalled nobody.
    let mut run = trapping(dumb_init(), Place::Foreground);
    run.signal("HUP");
    assert_eq!(run.line(), "got HUP");
    run.signal("CONT");
    assert_eq!(run.line(), "got CONT");
}

#[test]
fn tini_leader_resumes_the_child_by_cont() {
    leader_resumes_the_child_by_cont(tini().arg("--"));
}

#[test]
fn catatonit_leader_resumes_the_child_by_cont() {
    leader_resumes_the_child_by_cont(catatonit().arg("--"));
}

#[test]
fn tini_leader_is_not_suspended() {
    // Nobody is there who could resume it.
    bug("the stopped child goes unnoticed: all is frozen", "timed out waiting for a line", || {
        leader_is_not_suspended(tini().arg("--"));
    });
}

#[test]
fn catatonit_leader_is_not_suspended() {
    leader_is_not_suspended(catatonit().arg("--"));
}

#[test]
fn dumb_init_leader_is_not_suspended() {
    // The child's group has no parent to resume it, so that the kernel stops nobody.
    leader_is_not_suspended(dumb_init());
    leader_is_not_suspended(dumb_init().arg("-c"));
}

#[test]
fn tini_leader_hosts_a_shell_with_job_control() {
    hosts_a_shell_with_job_control(tini().arg("--"));
}

#[test]
fn catatonit_leader_hosts_a_shell_with_job_control() {
    bug(
        "the shell's jobs inherit that TSTP is blocked",
        "timed out waiting for the parent to tell \"stopped",
        || {
            hosts_a_shell_with_job_control(catatonit().arg("--"));
        },
    );
}

#[test]
fn dumb_init_leader_hosts_a_shell_with_job_control() {
    hosts_a_shell_with_job_control(dumb_init());
}

#[test]
fn dumb_init_c_leader_hosts_a_shell_with_job_control() {
    hosts_a_shell_with_job_control(dumb_init().arg("-c"));
}

#[test]
fn tini_job_suspends_and_resumes_with_the_child() {
    bug(
        "the stopped child goes unnoticed: all is frozen",
        "timed out waiting for the parent to tell \"stopped",
        || {
            job_suspends_and_resumes_with_the_child(tini().args(["-s", "--"]));
        },
    );
}

#[test]
fn catatonit_job_suspends_and_resumes_with_the_child() {
    bug("the child has TSTP blocked", "timed out waiting for the parent to tell \"stopped", || {
        job_suspends_and_resumes_with_the_child(catatonit().arg("--"));
    });
}

#[test]
fn dumb_init_job_suspends_and_resumes_with_the_child() {
    job_suspends_and_resumes_with_the_child(dumb_init());
}

#[test]
fn dumb_init_c_job_suspends_and_resumes_with_the_child() {
    job_suspends_and_resumes_with_the_child(dumb_init().arg("-c"));
}

#[test]
fn tini_job_gives_the_foreground_back() {
    bug("the foreground stays with the dead group", "a dead group", || {
        gives_the_foreground_back(tini().args(["-s", "--"]));
    });
}

#[test]
fn catatonit_job_gives_the_foreground_back() {
    bug("the foreground stays with the dead group", "a dead group", || {
        gives_the_foreground_back(catatonit().arg("--"));
    });
}

#[test]
fn dumb_init_job_keeps_the_foreground() {
    gives_the_foreground_back(dumb_init());
    gives_the_foreground_back(dumb_init().arg("-c"));
}

#[test]
fn tini_background_job_takes_nothing() {
    bug("a background job takes the terminal", "took the terminal", || {
        background_job_takes_nothing(tini().args(["-s", "--"]));
    });
}

#[test]
fn catatonit_background_job_takes_nothing() {
    bug("a background job takes the terminal", "took the terminal", || {
        background_job_takes_nothing(catatonit().arg("--"));
    });
}

#[test]
fn dumb_init_background_job_takes_nothing() {
    background_job_takes_nothing(dumb_init());
    background_job_takes_nothing(dumb_init().arg("-c"));
}

#[test]
fn tini_background_job_in_a_namespace_takes_nothing() {
    bug("a background job takes the terminal", "took the terminal", || {
        job_in_a_namespace_takes_nothing("tini");
    });
}

#[test]
fn catatonit_background_job_in_a_namespace_takes_nothing() {
    bug("a background job takes the terminal", "took the terminal", || {
        job_in_a_namespace_takes_nothing("catatonit");
    });
}

#[test]
fn tini_job_in_a_namespace_puts_the_child_in_the_foreground() {
    job_in_a_namespace_is_in_the_foreground("tini");
}

#[test]
fn catatonit_job_in_a_namespace_puts_the_child_in_the_foreground() {
    job_in_a_namespace_is_in_the_foreground("catatonit");
}

#[test]
fn tini_background_job_that_reads_is_stopped_until_fg() {
    bug(
        "a background job takes the terminal",
        "timed out waiting for the parent to tell \"stopped",
        || {
            background_job_that_reads_is_stopped_until_fg(tini().args(["-s", "--"]));
        },
    );
}

#[test]
fn catatonit_background_job_that_reads_is_stopped_until_fg() {
    bug(
        "a background job takes the terminal",
        "timed out waiting for the parent to tell \"stopped",
        || {
            background_job_that_reads_is_stopped_until_fg(catatonit().arg("--"));
        },
    );
}

#[test]
fn tini_in_front_of_a_pager_leaves_it_the_terminal() {
    bug("the child takes the terminal whatever its output is", TAKEN, || {
        in_front_of_a_pager_leaves_it_the_terminal(tini().args(["-s", "--"]));
    });
}

#[test]
fn catatonit_in_front_of_a_pager_leaves_it_the_terminal() {
    bug("the child takes the terminal whatever its output is", TAKEN, || {
        in_front_of_a_pager_leaves_it_the_terminal(catatonit().arg("--"));
    });
}

#[test]
fn tini_in_the_background_of_a_script_leaves_it_the_terminal() {
    bug("the child takes the terminal from the script", TAKEN, || {
        in_the_background_of_a_script_leaves_it_the_terminal(tini().args(["-s", "--"]));
    });
}

#[test]
fn catatonit_in_the_background_of_a_script_leaves_it_the_terminal() {
    bug("the child takes the terminal from the script", TAKEN, || {
        in_the_background_of_a_script_leaves_it_the_terminal(catatonit().arg("--"));
    });
}

const TAKEN: &str = "the terminal is no longer the job's";

/// Another of the same group reads keys from the terminal: it has to be in the foreground.
fn in_front_of_a_pager_leaves_it_the_terminal(launch: Launch) {
    leaves_the_job_the_terminal(launch);
}

/// A shell without job control starts what is to run in the background so.
fn in_the_background_of_a_script_leaves_it_the_terminal(launch: Launch) {
    leaves_the_job_the_terminal(launch.in_front().inheriting("ignore=INT,QUIT"));
}

fn leaves_the_job_the_terminal(launch: Launch) {
    let mut run = launch.probe("say=up pause").place(Place::Foreground).start();
    run.expect("up");
    let job = run.started().0;
    assert_eq!(run.foreground(), job, "{TAKEN}");
}

fn puts_the_child_in_the_foreground(launch: Launch, place: Place) {
    let launch = launch.probe("ids tty foreground pause").in_front();
    let mut run = launch.place(place).start();
    let inner = expect_a_group_in_the_same_session(&mut run);
    assert_eq!(run.line(), "tty: yes");
    assert_eq!(run.line(), format!("foreground: {inner}"));
}

/// A program may ask for a password on /dev/tty, whatever its streams are.
fn finds_the_terminal_behind_redirections(launch: Launch) {
    let launch = launch.inheriting("close=0 open=/dev/null").probe("ids tty ask");
    let mut run = launch.place(Place::Foreground).start();
    expect_a_group_in_the_same_session(&mut run);
    assert_eq!(run.line(), "tty: yes");
    run.terminal().type_text("secret\n");
    assert_eq!(run.line(), "asked: secret");
}

fn interrupt_arrives_once(launch: Launch, place: Place) {
    arrives_once(launch, place, "INT", |terminal, _| terminal.type_text(INTERRUPT));
}

fn resize_arrives_once(launch: Launch, place: Place) {
    arrives_once(launch, place, "WINCH", |terminal, round| terminal.resize(10 + round, 40));
}

/// Whatever comes first, the signal by the terminal or the one that is forwarded, two that are
/// pending at once become one; hence the many rounds.
fn arrives_once(launch: Launch, place: Place, name: &str, press: impl Fn(&mut Terminal, u16)) {
    let mut run = trapping(launch, place);
    for round in 0..ROUNDS {
        press(run.terminal(), round);
        assert_eq!(run.line(), format!("got {name}"));
        // A later signal has a larger number, so that it comes last even among pending ones.
        run.signal("PWR");
        assert_eq!(run.line(), "got PWR");
    }
}

fn shared_interrupt_arrives_once(place: Place) {
    shared_arrives_once(place, "INT", |terminal, _| terminal.type_text(INTERRUPT));
}

fn shared_resize_arrives_once(place: Place) {
    shared_arrives_once(place, "WINCH", |terminal, round| terminal.resize(10 + round, 40));
}

/// The same for a child in the group of the subject, which shares what the terminal sends. The
/// subject is stopped until the child has heard of it, so that two never become one.
fn shared_arrives_once(place: Place, name: &str, press: impl Fn(&mut Terminal, u16)) {
    let twice = format!("the child heard {name} again");
    bug("the terminal signals the child, and dumb-init too", &twice, || {
        let mut run = trapping(dumb_init().arg("-c"), place);
        for round in 0..3 {
            run.signal("STOP");
            if place == Place::Foreground {
                run.expect_event("stopped STOP");
                // The parent takes the terminal when its job stops, as a shell does.
                run.give_foreground();
            }
            await_state(run.pid(), "T");
            press(run.terminal(), round);
            assert_eq!(run.line(), format!("got {name}"));
            run.signal("CONT");
            await_state(run.pid(), "S");
            run.signal("PWR");
            let rest = run.lines_until("got PWR");
            assert!(!rest.contains(&format!("got {name}")), "the child heard {name} again");
            assert_eq!(rest, ["got CONT"]);
        }
    });
}

const ROUNDS: u16 = 30;

fn hangup_arrives(launch: Launch) {
    let mut run = trapping(launch, Place::TerminalLeader);
    run.hang_up();
    run.expect_all(&["got HUP", "got CONT"]);
}

fn leader_resumes_the_child_by_cont(launch: Launch) {
    let mut run = reading(launch, Place::TerminalLeader);
    // It may have ended once it is typed to.
    let pid = run.pid();
    run.terminal().type_text(SUSPEND);
    run.terminal().type_text("hello\n");
    // The child may be stopped a moment after a CONT, but the next one resumes it.
    crate::support::patience::until("the child goes on", || {
        crate::support::running::send(pid, "CONT");
        run.line_so_far()
    });
}

fn leader_is_not_suspended(launch: Launch) {
    let mut run = reading(launch, Place::TerminalLeader);
    run.terminal().type_text(SUSPEND);
    run.terminal().type_text("hello\n");
    assert_eq!(run.line(), "read: hello");
}

fn hosts_a_shell_with_job_control(launch: Launch) {
    let words = ["parent=foreground,99", probe(), "say=ready", "read", "exit=5"];
    let launch = launch.arg(probe()).args(words).with_link().place(Place::TerminalLeader);
    let mut run = launch.start();
    run.expect("ready");
    run.terminal().type_text(SUSPEND);
    run.expect_event("stopped TSTP");
    run.command("fg");
    run.expect_event("continued");
    run.terminal().type_text("hello\n");
    assert_eq!(run.line(), "read: hello");
    run.expect_event("exited 5");
}

fn job_suspends_and_resumes_with_the_child(launch: Launch) {
    let mut run = reading(launch, Place::Foreground);
    let child = run.child();
    // When it reads, it gets the terminal and continues. A key at that very moment would be lost
    // with a shell too: the CONT undoes what the key did to the stopped group.
    await_state(child, "S");
    for _ in 0..3 {
        run.terminal().type_text(SUSPEND);
        run.expect_event("stopped ");
        await_state(child, "T");
        run.command("fg");
        run.expect_event("continued");
        await_state(child, "S");
    }
    run.terminal().type_text("hello\n");
    assert_eq!(run.line(), "read: hello");
    run.expect_event("exited 5");
}

fn gives_the_foreground_back(launch: Launch) {
    let mut run = launch.probe("exit=5").place(Place::Foreground).start();
    let job = run.started().0;
    let found = run.expect_event("exited 5 foreground ");
    assert_eq!(found, job.to_string(), "the foreground is a dead group's");
}

fn background_job_takes_nothing(launch: Launch) {
    for launch in [launch.clone(), launch.inheriting("close=0 open=/dev/null")] {
        takes_nothing(launch);
    }
}

fn takes_nothing(launch: Launch) {
    let mut run = trapping(launch, Place::Background);
    let shell = run.started().1;
    assert_eq!(run.foreground(), shell, "the background job took the terminal");
    run.signal("PWR");
    run.expect("got PWR");
    assert_eq!(run.foreground(), shell, "the background job took the terminal");
}

/// `unshare --fork --pid SUBJECT`, as a shell's job: the shell's groups have no numbers inside.
fn in_a_namespace(name: &str) -> Launch {
    let launch = Launch::new("unshare").args(["--fork", "--pid", "--kill-child=KILL"]);
    launch.arg(path(name)).arg("--")
}

fn job_in_a_namespace_takes_nothing(name: &str) {
    let mut run = trapping(in_a_namespace(name), Place::Background);
    let shell = run.started().1;
    assert_eq!(run.foreground(), shell, "the background job took the terminal");
}

fn job_in_a_namespace_is_in_the_foreground(name: &str) {
    let launch = in_a_namespace(name).probe("foreground pause").in_front();
    assert_eq!(launch.place(Place::Foreground).start().line(), "foreground: 2");
}

fn background_job_that_reads_is_stopped_until_fg(launch: Launch) {
    let mut run = reading(launch, Place::Background);
    run.expect_event("stopped ");
    run.command("fg");
    run.expect_event("continued");
    run.terminal().type_text("hello\n");
    assert_eq!(run.line(), "read: hello");
    run.expect_event("exited 5");
}

fn trapping(launch: Launch, place: Place) -> Running {
    let mut run = launch.probe("trap").place(place).start();
    run.expect("trapping");
    run
}

fn reading(launch: Launch, place: Place) -> Running {
    let mut run = launch.probe("say=ready read exit=5").place(place).start();
    run.expect("ready");
    run
}
