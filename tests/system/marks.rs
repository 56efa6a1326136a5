//! Whose a process is: its mark survives what programs do to their names, environments and users,
//! and nobody is taken for what he is not.

use std::fs;

use crate::leftovers::{Crash, alive};
use crate::subject::{Folder, binary, foster, probe_line, quick};
use crate::support::patience::until;
use crate::support::procfs;
use crate::support::running::send;
use crate::support::skip::{has_root_to, is_root};
use crate::support::{Launch, Place, Running, probe};

/// What is done to a mark, as instructions for a probe.
const TREATMENTS: [&str; 9] = [
    "rename",
    "unsetenv=FOSTER_RUN",
    "setenv=FOSTER_RUN=0-7",
    "undumpable",
    "mainless",
    "sham=4096",
    "uid=65534",
    "uid=65534 undumpable mainless",
    // As pam_limits does it (su, login): here the environment tells.
    "limit=locks:hard",
];

/// Lines of a shell that leave processes behind which did this to themselves, and what these say.
fn treated(treatments: &[&str]) -> (String, Vec<String>) {
    let mut lines = String::new();
    let says: Vec<String> = (0..treatments.len()).map(|number| format!("{number} here")).collect();
    for (treatment, say) in treatments.iter().zip(&says) {
        let say = say.replace(' ', "\\ ");
        // The exec gives it the environment that it has chosen.
        let (first, then) =
            match treatment.starts_with("unsetenv") || treatment.starts_with("setenv") {
                true => (*treatment, ""),
                false => ("setsid", *treatment),
            };
        lines +=
            &format!("$probe orphan '{{' setsid {first} exec $probe {then} say={say} pause '}}'\n");
    }
    (lines, says)
}

fn expect_all(run: &mut Running, says: &[String]) {
    let mut says: Vec<&str> = says.iter().map(String::as_str).collect();
    says.push("ready");
    run.expect_all(&says);
}

/// A foster with one service that crashes, and one that does not.
fn with_another(line: &str) -> Launch {
    let other = probe_line("orphan { setsid say=others pause } pause");
    quick(foster()).args(["--wrap", line, "--wrap", &other])
}

/// Of those in [`with_another`] nobody may be left but the second run and the other service with
/// its daemon.
fn assert_only_the_other_is_left(run: &mut Running) {
    run.expect("second");
    // One whose main thread has ended does not count as alive.
    assert_eq!(run.everything().len(), alive(run, "probe").len() + 2, "{}", run.errors());
    assert_eq!(alive(run, "probe").len(), 3, "{}", run.errors());
}

#[test]
fn whatever_becomes_of_its_environment_what_a_crash_left_is_gone() {
    let crash = Crash::new();
    let treatments: Vec<&str> = TREATMENTS
        .into_iter()
        .filter(|treatment| is_root() || !treatment.contains("uid"))
        .collect();
    let (lines, says) = treated(&treatments);
    let mut run = with_another(&crash.line(&lines)).place(Place::Job).start();
    expect_all(&mut run, &says);
    crash.crash();
    assert_only_the_other_is_left(&mut run);
}

#[test]
fn where_limits_cannot_be_set_the_environment_decides() {
    if !has_root_to("read the environment of whoever foster adopts") {
        return;
    }
    // As in gVisor; or the hard limit is too low.
    let low = Launch::new("prlimit").args(["--locks=100:100", &binary()]);
    for launch in [foster().inheriting("deny=prlimit64:EPERM"), low] {
        let crash = Crash::new();
        let (lines, says) = treated(&["mainless", "setpgid", "setenv=Z=1"]);
        let other = probe_line("orphan { setsid say=others pause } pause");
        let launch = quick(launch).args(["--wrap", &crash.line(&lines), "--wrap", &other]);
        let mut run = launch.place(Place::Job).start();
        expect_all(&mut run, &says);
        crash.crash();
        assert_only_the_other_is_left(&mut run);
    }
}

#[test]
fn the_marks_are_readable_where_proc_hides_other_users() {
    if !has_root_to("hide the processes of other users") {
        return;
    }
    let crash = Crash::new();
    let (lines, says) = treated(&["rename", "unsetenv=FOSTER_RUN", "undumpable"]);
    let launch = with_another(&crash.line(&lines)).inheriting("proc=hidepid uid=65534");
    let mut run = launch.place(Place::Job).start();
    expect_all(&mut run, &says);
    crash.crash();
    assert_only_the_other_is_left(&mut run);
}

#[test]
fn what_one_that_dies_slowly_leaves_does_not_get_away() {
    let crash = Crash::new();
    let line = crash.line("$probe fork '{' setsid say=child pause '}' eat=700 say=large pause &");
    let mut run = with_another(&line).place(Place::Job).start();
    run.expect_all(&["child", "large", "others", "ready"]);
    crash.crash();
    assert_only_the_other_is_left(&mut run);
}

#[test]
fn those_that_fork_away_all_the_time_do_not_get_away_beside_another_service() {
    let crash = Crash::new();
    let line = crash.line(&"$probe flee=4000 pause &\n".repeat(4));
    let mut run = with_another(&line).arg("-q").place(Place::Job).start();
    run.expect_all(&["others", "ready"]);
    crash.crash();
    assert_only_the_other_is_left(&mut run);
}

#[test]
fn a_mark_is_a_limit_that_no_service_shares_and_no_mere_command_has() {
    let folder = Folder::new();
    let limit = |name: &str| {
        let line =
            format!("#!/bin/sh\ngrep locks /proc/self/limits > {}\nexit 1\n", folder.word(name));
        folder.script(&format!("{name}.sh"), line)
    };
    let launch = foster().args(["--restart", "never", "--wrap", &limit("one"), "--wrap"]);
    launch.arg(limit("two")).output();
    foster().args(["--", &limit("init")]).output();
    let read = |name: &str| {
        let text = fs::read_to_string(folder.path(name)).expect("it was written");
        let words: Vec<String> = text.split_whitespace().map(String::from).collect();
        (words[3].clone(), words[4].clone())
    };
    let (one, two, init) = (read("one"), read("two"), read("init"));
    assert_ne!(one.0, two.0);
    for (soft, hard) in [&one, &two] {
        let soft: u64 = soft.parse().expect("a number");
        assert!(soft >> (usize::BITS - 2) == 1, "{soft}");
        assert_eq!(*hard, init.1, "the hard limit stays");
    }
    assert_eq!(init.0, init.1, "{init:?}");
}

#[test]
fn a_copied_mark_harms_its_bearer_alone() {
    let crash = Crash::new();
    let line = crash.line(
        "number=$(while read -r a b c soft rest; do case $c in locks) echo $soft;; esac; done \
         < /proc/self/limits)\n\
         for limit in hard $number; do\n\
         $probe orphan '{' setsid limit=locks:hard unsetenv=FOSTER_RUN exec $probe setsid \
         limit=locks:$limit say=here pause '}'\ndone",
    );
    let mut run = with_another(&line).place(Place::Job).start();
    run.expect_all(&["here", "here", "others", "ready"]);
    crash.crash();
    run.expect("second");
    // Beside those of the other service: the second run, and the one that copied nothing.
    assert_eq!(alive(&mut run, "probe").len(), 4, "{}", run.errors());
    let line = run.expect_error("foster: info: leaving process ");
    assert!(line.ends_with("(probe) alone: it carries no mark of a run"), "{line}");
}

#[test]
fn each_process_left_alone_is_logged_once_and_one_per_second() {
    let crash = Crash::new();
    let stranger = "$probe orphan '{' setsid limit=locks:hard unsetenv=FOSTER_RUN exec $probe \
                    say=stranger pause '}'\n";
    let line = crash.line(&stranger.replace("                    ", "").repeat(2));
    let again = probe_line("say=again exit=1");
    let launch = foster().args(["--backoff", "300ms", "--backoff-max", "300ms"]);
    let launch = launch.args(["--max-restarts", "unlimited", "--wrap", &line, "--wrap", &again]);
    let mut run = launch.place(Place::Job).start();
    run.expect_all(&["stranger", "stranger", "ready"]);
    let lines = |run: &mut Running| {
        let told = run.errors();
        told.lines().filter(|line| line.contains("leaving process")).count()
    };
    until("one is not told of", || (lines(&mut run) > 0).then_some(()));
    // The next of its crashes come within the second.
    run.expect("again");
    run.expect("again");
    assert_eq!(lines(&mut run), 1);
    until("the other is not told of", || (lines(&mut run) > 1).then_some(()));
    (0..6).for_each(|_| run.expect("again"));
    assert_eq!(lines(&mut run), 2, "{}", run.errors());
}

/// A line that runs a foster with these services, given as scripts for the probe.
fn nested(folder: &Folder, name: &str, services: &[String]) -> String {
    let mut text = format!("#!/bin/sh\nexec {} -q --backoff 10ms", binary());
    for (number, service) in services.iter().enumerate() {
        let service = folder.script(&format!("{name}.{number}"), format!("#!/bin/sh\n{service}\n"));
        text += &format!(" --wrap {service}");
    }
    folder.script(name, text + "\n")
}

/// Kills the foster that runs under this one.
fn kill_inner(run: &mut Running) {
    let is_foster = |pid: &i32| procfs::stat(*pid).is_some_and(|stat| stat.name == "foster");
    let inner = procfs::children(run.pid()).into_iter().find(is_foster);
    send(inner.expect("one runs"), "KILL");
}

/// What lives without a mark in its environment, and says so.
fn bare(say: &str) -> String {
    let probe = probe();
    format!("{probe} orphan '{{' setsid unsetenv=FOSTER_RUN exec {probe} say={say} pause '}}'")
}

#[test]
fn under_another_foster_each_knows_its_own() {
    let folder = Folder::new();
    folder.fifo("crash");
    let crash = folder.word("crash");
    // Both services of the inner one leave something without an environment; the first crashes.
    let one = format!("{}\necho one\nread go < {crash}\nexit 1", bare("ones"));
    let two = format!("{}\necho two\nexec {} pause", bare("twos"), probe());
    let inner = nested(&folder, "inner", &[one, two]);
    let mut run = with_another(&inner).place(Place::Job).start();
    run.expect_all(&["ones", "twos", "one", "two", "others"]);
    // The other service with its daemon, both of the inner one's, and one of those, which speaks
    // before it becomes a probe.
    let all = 5;
    let come = |run: &mut Running| {
        until("not all are there", || (alive(run, "probe").len() == all).then_some(()));
    };
    come(&mut run);
    folder.feed("crash", "go\n");
    run.expect_all(&["ones", "one"]);
    assert_eq!(alive(&mut run, "probe").len(), all, "the inner one kills what its first left");
    // With the inner one all that it started goes, whatever is left of its environment.
    kill_inner(&mut run);
    run.expect_all(&["ones", "twos", "one", "two"]);
    come(&mut run);
}

#[test]
fn what_fosters_far_below_have_started_is_known_too() {
    let folder = Folder::new();
    // Three levels have a number of their own; the last has only its environment, and the number
    // of the one above.
    let last = format!("{}\necho last\nexec {} pause", bare("lasts"), probe());
    let mut line = nested(&folder, "fourth", &[last]);
    for (name, say) in [("third", "thirds"), ("second", "seconds")] {
        line = nested(&folder, name, &[format!("{}\nexec {line}", bare(say))]);
    }
    let mut run = with_another(&line).place(Place::Job).start();
    for _ in 0..2 {
        run.expect_all(&["lasts", "thirds", "seconds", "last"]);
        until("more are there", || (alive(&mut run, "probe").len() == 6).then_some(()));
        kill_inner(&mut run);
    }
    run.expect_all(&["lasts", "thirds", "seconds", "last"]);
    // The last one speaks before it becomes a probe.
    until("others are there", || (alive(&mut run, "probe").len() == 6).then_some(()));
}
