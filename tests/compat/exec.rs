//! What the program inherits, and what the init itself keeps.

use crate::subject::{bug, catatonit, dumb_init, since, tini};
use crate::support::patience::until;
use crate::support::procfs::{self, open_files};
use crate::support::{Launch, Place, Running, probe};

#[test]
fn tini_passes_the_environment_unchanged() {
    passes_the_environment(tini().args(["-s", "--"]));
}

#[test]
fn dumb_init_passes_the_environment_unchanged() {
    passes_the_environment(dumb_init());
}

#[test]
fn catatonit_passes_the_environment_unchanged() {
    passes_the_environment(catatonit().arg("--"));
}

#[test]
fn tini_passes_the_directory_and_descriptors() {
    passes_the_directory_and_descriptors(tini().args(["-s", "--"]));
}

#[test]
fn dumb_init_passes_the_directory_and_descriptors() {
    passes_the_directory_and_descriptors(dumb_init());
}

#[test]
fn catatonit_passes_the_directory_and_descriptors() {
    passes_the_directory_and_descriptors(catatonit().arg("--"));
}

#[test]
fn tini_passes_standard_input_and_output() {
    passes_standard_input_and_output(tini().args(["-s", "--"]));
}

#[test]
fn dumb_init_passes_standard_input_and_output() {
    passes_standard_input_and_output(dumb_init());
}

#[test]
fn catatonit_passes_standard_input_and_output() {
    passes_standard_input_and_output(catatonit().arg("--"));
}

#[test]
fn tini_child_starts_with_a_clean_signal_state() {
    let output = tini().args(["-s", "--"]).probe("mask ignored caught").output();
    assert_eq!(output.stdout, "blocked:\nignored:\ncaught:\n");
}

#[test]
fn dumb_init_child_starts_with_a_clean_signal_state() {
    let output = dumb_init().probe("mask ignored caught").output();
    assert_eq!(output.stdout, "blocked:\nignored:\ncaught:\n");
}

#[test]
fn catatonit_child_ignores_and_catches_nothing() {
    let output = catatonit().arg("--").probe("ignored caught").output();
    assert_eq!(output.stdout, "ignored:\ncaught:\n");
}

#[test]
fn tini_child_inherits_mask_and_dispositions() {
    let launch = tini().inheriting("block=USR1,TTIN,40 ignore=HUP,PIPE,TTOU,TSTP,TERM");
    let output = launch.args(["-s", "--"]).probe("mask ignored").output();
    assert_eq!(output.stdout, "blocked: USR1 TTIN 40\nignored: HUP PIPE TERM TSTP TTOU\n");
}

#[test]
fn dumb_init_child_has_an_empty_mask() {
    let output = dumb_init().inheriting("block=USR1,TERM,TSTP,40").probe("mask").output();
    assert_eq!(output.stdout, "blocked:\n");
}

#[test]
fn catatonit_child_inherits_mask_and_dispositions() {
    let launch = catatonit().inheriting("block=USR1,40 ignore=HUP,PIPE,TTOU,TSTP,TERM");
    let output = launch.arg("--").probe("ignored mask").output();
    let (ignored, mask) = output.stdout.split_once('\n').expect("two lines");
    assert_eq!(ignored, "ignored: HUP PIPE TERM TSTP TTOU");
    for name in ["USR1", "40"] {
        assert!(mask.split_whitespace().any(|one| one == name), "{mask}");
    }
}

#[test]
fn tini_child_leads_a_group_in_the_same_session() {
    for place in [Place::Pid1, Place::Job] {
        leads_a_group(tini().args(["-s", "--"]), place);
    }
}

#[test]
fn dumb_init_child_leads_a_session() {
    for place in [Place::Pid1, Place::Job] {
        let mut run = dumb_init().probe("ids pause").place(place).start();
        let ids = run.line();
        let child = run.child();
        let inner = procfs::inner_pid(child).expect("the child lives");
        assert!(ids.ends_with(&format!("pgid={inner} sid={inner}")), "{ids}");
    }
}

#[test]
fn dumb_init_single_child_stays_in_the_group() {
    let mut run = dumb_init().args(["-c"]).probe("ids pause").place(Place::Job).start();
    let ids = run.line();
    let init = run.started().0;
    assert!(ids.contains(&format!("ppid={init} pgid={init} ")), "{ids}");
}

#[test]
fn catatonit_child_leads_a_group_in_the_same_session() {
    for place in [Place::Pid1, Place::Job] {
        leads_a_group(catatonit().arg("--"), place);
    }
}

#[test]
fn dumb_init_goes_to_the_root_directory() {
    let mut run = dumb_init().probe("cwd pause").directory("/usr").start();
    assert_eq!(run.line(), "cwd: /usr");
    let pid = run.pid();
    until("it goes to the root", || (procfs::directory(pid) == "/").then_some(()));
}

#[test]
fn catatonit_goes_to_the_root_directory() {
    since("catatonit", "0.2.1", "it goes to the root", || {
        let mut run = catatonit().arg("--").probe("cwd pause").directory("/usr").start();
        assert_eq!(run.line(), "cwd: /usr");
        let pid = run.pid();
        until("it goes to the root", || (procfs::directory(pid) == "/").then_some(()));
    });
}

#[test]
fn tini_keeps_what_it_inherited_open() {
    keeps_what_it_inherited_open(tini().args(["-s", "--"]));
}

#[test]
fn dumb_init_keeps_what_it_inherited_open() {
    keeps_what_it_inherited_open(dumb_init());
}

#[test]
fn catatonit_closes_what_it_inherited() {
    let launch = catatonit().inheriting("open=/dev/zero open=/dev/full open=/dev/zero");
    let mut run = launch.arg("--").probe("fds pause").start();
    assert_eq!(run.line(), "fds: 0 1 2 3 4 5");
    let pid = run.pid();
    until("it closes what it inherited", || {
        let open = open_files(pid);
        let kept = open.iter().any(|(_, file)| file == "/dev/zero" || file == "/dev/full");
        (!kept).then_some(())
    });
}

#[test]
fn catatonit_closes_what_it_inherited_without_close_range() {
    let odd = "open=/dev/zero open=/dev/full limit=nofile:16 deny=close_range:ENOSYS";
    for (place, words) in [
        (Place::Pid1, &["--", probe(), "say=up", "pause"][..]),
        (Place::Job, &["--", probe(), "say=up", "pause"]),
        (Place::Pid1, &["-P"]),
        (Place::Job, &["-P"]),
    ] {
        // The limit is lower than a descriptor that is open already.
        let launch = catatonit().inheriting("dup=0:40").inheriting(odd).args(words);
        let mut run = launch.place(place).start();
        if words.len() > 1 {
            run.expect("up");
        }
        let pid = run.pid();
        until("it closes what it inherited", || {
            let is_own = |(fd, file): &(i32, String)| *fd < 3 || file.starts_with("anon_inode:");
            open_files(pid).iter().all(is_own).then_some(())
        });
    }
}

#[test]
fn catatonit_rewrites_its_own_listen_pid() {
    // It is the only one that takes part in socket activation.
    let launch = catatonit().env("LISTEN_PID", "1").env("LISTEN_FDS", "2").arg("--");
    let output = launch.probe("env=LISTEN_PID env=LISTEN_FDS ids").place(Place::Pid1).output();
    assert!(output.stdout.starts_with("LISTEN_PID=2\nLISTEN_FDS=2\npid=2 "), "{output:?}");
    // As an ordinary process of number 2 as well.
    let launch = catatonit().env("LISTEN_PID", "2").arg("--").probe("env=LISTEN_PID ids");
    let mut run = launch.place(Place::Job).start();
    assert_eq!(run.started().0, 2);
    assert_eq!(run.line(), "LISTEN_PID=3");
    assert!(run.line().starts_with("pid=3 "));
}

#[test]
fn catatonit_reads_listen_pid_like_strtol() {
    for value in [" 1", "1x", "+1", "01"] {
        let launch = catatonit().env("LISTEN_PID", value).arg("--").probe("env=LISTEN_PID");
        assert_eq!(launch.place(Place::Pid1).output().stdout, "LISTEN_PID=2\n", "{value:?}");
    }
}

#[test]
fn catatonit_leaves_another_listen_pid() {
    for value in ["77", "2", "11", "x", "", "0x1", "4294967297"] {
        let launch = catatonit().env("LISTEN_PID", value).arg("--").probe("env=LISTEN_PID");
        let output = launch.place(Place::Pid1).output();
        assert_eq!(output.stdout, format!("LISTEN_PID={value}\n"));
    }
    let output = catatonit().arg("--").probe("env=LISTEN_PID").place(Place::Pid1).output();
    assert_eq!(output.stdout, "LISTEN_PID is unset\n");
}

#[test]
fn tini_leaves_listen_pid() {
    let launch = tini().env("LISTEN_PID", "1").arg("--").probe("env=LISTEN_PID");
    assert_eq!(launch.place(Place::Pid1).output().stdout, "LISTEN_PID=1\n");
}

#[test]
fn dumb_init_leaves_listen_pid() {
    let launch = dumb_init().env("LISTEN_PID", "1").probe("env=LISTEN_PID");
    assert_eq!(launch.place(Place::Pid1).output().stdout, "LISTEN_PID=1\n");
}

#[test]
fn dumb_init_runs_with_closed_input() {
    runs_with_closed_input(dumb_init());
}

#[test]
fn catatonit_runs_with_closed_input() {
    runs_with_closed_input(catatonit().arg("--"));
}

#[test]
fn tini_runs_with_closed_input() {
    bug("tcsetpgrp on a closed descriptor is fatal", "Bad file descriptor", || {
        runs_with_closed_input(tini().args(["-s", "--"]));
    });
}

fn passes_the_environment(launch: Launch) {
    let launch = launch.env("A", "b c").env("EMPTY", "").env("FOSTER_RESTART", "always");
    let output = launch.env("WRAP_CMD", "exit 9").env("PORT", "1").probe("environ").output();
    let mut lines: Vec<&str> = output.stdout.lines().collect();
    lines.retain(|line| !line.starts_with("PATH="));
    lines.sort_unstable();
    assert_eq!(lines, ["A=b c", "EMPTY=", "FOSTER_RESTART=always", "PORT=1", "WRAP_CMD=exit 9"]);
    assert_eq!((output.code(), output.stderr.as_str()), (0, ""));
}

fn passes_the_directory_and_descriptors(launch: Launch) {
    let launch = launch.directory("/usr").inheriting("open=/dev/zero open=/dev/full close=3");
    let output = launch.probe("cwd fds").output();
    assert_eq!(output.stdout, "cwd: /usr\nfds: 0 1 2 4\n");
}

fn keeps_what_it_inherited_open(launch: Launch) {
    let mut run = launch.inheriting("open=/dev/full").probe("say=up pause").start();
    run.expect("up");
    let pid = run.pid();
    procfs::await_sleep(pid);
    let open = open_files(pid);
    assert!(open.iter().any(|(_, file)| file == "/dev/full"), "{open:?}");
}

fn passes_standard_input_and_output(launch: Launch) {
    let mut run = launch.probe("read read exit=3").with_input().start();
    run.write_line("one");
    run.expect("read: one");
    run.write_line("two");
    run.expect("read: two");
    let output = run.wait();
    assert_eq!((output.code(), output.stderr.as_str()), (3, ""));
}

fn leads_a_group(launch: Launch, place: Place) {
    let mut run = launch.probe("ids pause").place(place).start();
    expect_a_group_in_the_same_session(&mut run);
}

/// Reads the `ids` of a probe and looks at its group; gives the id of that, as it is inside.
pub fn expect_a_group_in_the_same_session(run: &mut Running) -> i32 {
    let ids = run.line();
    let (init, child) = (run.pid(), run.child());
    let inner = procfs::inner_pid(child).expect("the child lives");
    assert!(ids.contains(&format!("pgid={inner} ")), "{ids}");
    let session = |pid| procfs::stat(pid).expect("it lives").session;
    assert_eq!(session(child), session(init));
    inner
}

fn runs_with_closed_input(launch: Launch) {
    let output = launch.inheriting("close=0").probe("fds exit=3").output();
    assert_eq!(output.code(), 3, "{output:?}");
    assert_eq!(output.stdout, "fds: 1 2\n");
}
