//! README.md's comparison with the peers: each row is a test, which tries every cell of it, foster's
//! too. They need the peers: `make test-theirs`.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;

use crate::page;
use crate::stage::{Stage, foster};
use crate::support::procfs;
use crate::support::running::send;
use crate::support::{Launch, Place, Running, probe};

const PEERS: [&str; 7] = ["foster", "tini", "dumb-init", "catatonit", "s6", "runit", "supervisor"];

/// Those that start again what ended.
const SUPERVISORS: [&str; 4] = ["foster", "s6", "runit", "supervisor"];

/// Tries a row of the table: each of these cells must agree with the result, and every other must
/// say that the row does not apply.
fn tried(row: &str, subjects: &[&'static str], attempt: impl Fn(&'static str) -> String + Sync) {
    let table = page::table("README.md", HEADING);
    assert_eq!(table[0][1..8], PEERS.map(String::from));
    let cells = table.iter().find(|cells| cells[0] == row);
    let cells = cells.unwrap_or_else(|| panic!("README.md compares nothing as {row:?}"));
    thread::scope(|scope| {
        for (name, cell) in PEERS.iter().zip(&cells[1..]) {
            if !subjects.contains(name) {
                assert_eq!(cell, "–", "{row}: {name} is not tried");
                continue;
            }
            let attempt = &attempt;
            scope.spawn(move || assert_eq!(*cell, attempt(name), "{row}: {name}"));
        }
    });
}

const HEADING: &str = "## What it does that others do not";

/// The program over a service that does this. Those that have a deadline for a stop get one of so many
/// seconds.
fn over(name: &str, stage: &Stage, script: &str, seconds: u32) -> Launch {
    let line = format!("{} {}", probe(), script.replace('{', "'{'").replace('}', "'}'"));
    let file = |name: &str, text: &str| {
        let path = stage.path().join(name);
        // What is open for writing here may be open in another test's child for a moment.
        feed(Command::new("sh").args(["-c", "cat >\"$0\" && chmod 755 \"$0\""]).arg(&path), text);
        path
    };
    match name {
        "foster" => Launch::new(foster()).args([
            "--stop-timeout",
            "1s",
            "--backoff",
            "200ms",
            "--wrap",
            &line,
        ]),
        "s6" | "runit" => {
            file("run", &format!("#!/bin/sh\nexec {line}\n"));
            file("timeout-kill", &format!("{seconds}000\n"));
            let program = if name == "s6" { "s6-supervise" } else { "runsv" };
            Launch::new(program).arg(stage.path())
        }
        "supervisor" => {
            let text = format!(
                "[supervisord]\nuser=root\nsilent=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n\
                 pidfile={}/pid\n[program:x]\ncommand={line}\nstopwaitsecs={seconds}\nstopasgroup=true\n\
                 startretries=9\nautorestart=true\nstdout_logfile=/dev/stdout\n\
                 stdout_logfile_maxbytes=0\nstderr_logfile=NONE\n",
                stage.path().display()
            );
            Launch::new("supervisord").arg("-nc").arg(file("supervisord.conf", &text))
        }
        _ => init(name, &[]).probe(script),
    }
}

/// The program as an init.
fn init(name: &str, options: &[&str]) -> Launch {
    let launch = match name {
        "foster" => Launch::new(foster()),
        "tini" => Launch::new("/usr/bin/tini").arg("-s"),
        name => Launch::new(format!("/usr/bin/{name}")),
    };
    launch.args(options).arg("--")
}

fn feed(command: &mut Command, text: &str) {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("there is a shell");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(text.as_bytes()).expect("it is read");
    drop(input);
    assert!(child.wait().expect("it is our child").success());
}

/// How many probes live, but for the PID 1 of the namespace.
fn living(run: &mut Running) -> usize {
    let all = run.living().into_iter().filter_map(procfs::stat);
    all.filter(|stat| stat.name == "probe").count()
}

/// Whether something comes true before so much time has passed.
fn within(time: Duration, mut check: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + time;
    loop {
        if check() {
            return true;
        }
        if Instant::now() > end {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
#[ignore = "it needs the peers: make test-theirs"]
fn restarts() {
    tried("restarts a service that ended", &PEERS, |name| {
        let stage = Stage::new();
        // An init ends, and its output with it.
        let place = if SUPERVISORS.contains(&name) { Place::Job } else { Place::Child };
        let mut run = over(name, &stage, "say=up exit=1", 1).place(place).start();
        run.expect("up");
        let mut last = Instant::now();
        let mut delays = Vec::new();
        while delays.len() < 4 {
            match run.line_or_end() {
                Some(line) if line == "up" => {
                    delays.push(last.elapsed().as_secs_f64());
                    last = Instant::now();
                }
                Some(_) => {}
                None => return "no".into(),
            }
        }
        // Eightfold where it doubles; fourfold, give or take a second, where it grows by a second.
        match delays[3] / delays[0] {
            ratio if ratio < 1.5 => "yes, after a fixed delay",
            ratio if ratio > 5.3 => "yes, after a delay that doubles",
            _ => "yes, after a delay that grows",
        }
        .into()
    });
}

#[test]
#[ignore = "it needs the peers: make test-theirs"]
fn deadline() {
    tried("sends SIGKILL after a deadline", &PEERS, |name| {
        let stage = Stage::new();
        // One second for all that have such a setting.
        let mut run = over(name, &stage, "trap", 1).place(Place::Job).start();
        run.expect("trapping");
        run.signal("TERM");
        run.expect("got TERM");
        match (within(Duration::from_secs(5), || living(&mut run) == 0), name) {
            (true, "s6") => "if `timeout-kill` says so".into(),
            (true, _) => "yes".into(),
            (false, _) => "no".into(),
        }
    });
}

#[test]
#[ignore = "it needs the peers: make test-theirs"]
fn deadline_of_s6_is_not_its_default() {
    let stage = Stage::new();
    let launch = over("s6", &stage, "trap", 1);
    fs::remove_file(stage.path().join("timeout-kill")).expect("it is there");
    let mut run = launch.place(Place::Job).start();
    run.expect("trapping");
    run.signal("TERM");
    run.expect("got TERM");
    assert!(!within(Duration::from_secs(3), || living(&mut run) == 0));
}

#[test]
#[ignore = "it needs the peers: make test-theirs"]
fn whole_group() {
    tried("waits for the whole process group", &PEERS, |name| {
        let stage = Stage::new();
        let script = "fork { block=TERM say=member await=TERM sleep=6000 } say=up pause";
        let mut run = over(name, &stage, script, 60).place(Place::Job).start();
        run.expect_all(&["member", "up"]);
        run.signal("TERM");
        run.wait_for_status();
        if living(&mut run) == 0 { "yes".into() } else { "no".into() }
    });
}

#[test]
#[ignore = "it needs the peers: make test-theirs"]
fn escaped() {
    tried("kills what escaped from a crashed service", &SUPERVISORS, |name| {
        let stage = Stage::new();
        let script = "fork { setsid say=fled pause } block=USR1 say=up await=USR1 exit=1";
        let mut run = over(name, &stage, script, 1).place(Place::Job).start();
        run.expect_all(&["fled", "up"]);
        send(run.child(), "USR1");
        run.expect_all(&["fled", "up"]);
        match living(&mut run) {
            2 => "yes".into(),
            3 => "no".into(),
            other => format!("{other} live"),
        }
    });
}

#[test]
#[ignore = "it needs the peers: make test-theirs"]
fn early_signals() {
    tried("forwards a signal that arrives at the very start", &PEERS[..4], |name| {
        let loses = |options: &[&str], attempts| {
            (0..attempts).any(|_| {
                let mut run = init(name, options).probe("unblock=TERM say=ready pause").start();
                let pid = run.pid();
                while procfs::children(pid).is_empty() {
                    assert!(procfs::stat(pid).is_some_and(|stat| stat.state != 'Z'), "{name}");
                }
                run.signal("TERM");
                if run.line_or_end().is_some() {
                    // If the first one is on its way, it comes before this one.
                    run.signal("PROF");
                }
                run.wait().code() == 155
            })
        };
        // A loss is a matter of microseconds: where it happens, it takes some attempts.
        let (few, many) = (200, 3000);
        match name {
            "foster" if !loses(&[], few) && !loses(&["--forward-to", "group"], few) => "yes".into(),
            "dumb-init" if loses(&[], many) && loses(&["-c"], many) => "not always".into(),
            "tini" | "catatonit" if !loses(&[], few) && loses(&["-g"], many) => {
                "not always with `-g`".into()
            }
            _ => "otherwise".into(),
        }
    });
}

#[test]
#[ignore = "it needs the peers: make test-theirs"]
fn values() {
    tried("keeps the value of a real-time signal", &PEERS[..4], |name| {
        let mut run = init(name, &[]).probe("rawtrap").start();
        run.expect("trapping");
        let value = libc::sigval { sival_ptr: 12345 as *mut libc::c_void };
        // SAFETY: sigqueue takes numbers, and a value that nobody follows as a pointer.
        assert_eq!(unsafe { libc::sigqueue(run.pid(), 40, value) }, 0);
        let line = run.expect_prefix("got 40");
        if line.contains("value=12345") { "yes".into() } else { "no".into() }
    });
}

#[test]
#[ignore = "it needs the peers: make test-theirs"]
fn full_pipe() {
    let subjects = ["foster", "tini", "dumb-init", "catatonit"];
    tried("keeps running when nobody reads its log", &subjects, |name| {
        let stage = Stage::new();
        let fifo = stage.path().join("log");
        assert!(Command::new("mkfifo").arg(&fifo).status().expect("coreutils").success());
        let mut options = fs::OpenOptions::new();
        let open = options.read(true).write(true).custom_flags(libc::O_NONBLOCK);
        let mut full = open.open(&fifo).expect("it was made");
        while full.write(&[b'.'; 512]).is_ok() {}
        assert_eq!(full.write(b".").expect_err("it is full").kind(), ErrorKind::WouldBlock);
        // Those who are started wait where they write, if they do.
        let end = || fs::OpenOptions::new().read(true).write(true).open(&fifo).expect("a pipe");
        let options: &[&str] = match name {
            "foster" | "tini" => &["-vvv"],
            "dumb-init" => &["-v"],
            _ => &[],
        };
        let mut command = match name {
            "foster" => Command::new(foster()),
            name => Command::new(format!("/usr/bin/{name}")),
        };
        command.args(options).args(["--", probe(), "pause"]).env("CATATONIT_DEBUG", "1");
        command.stdin(Stdio::null()).stdout(end()).stderr(end()).process_group(0);
        let mut run = Killed(command.spawn().expect("it is installed"));
        let pid = run.0.id() as i32;
        // One that waits before it starts anything starts nothing.
        within(Duration::from_secs(2), || !procfs::children(pid).is_empty());
        send(pid, "TERM");
        let ended = || matches!(run.0.try_wait(), Ok(Some(_)));
        if within(Duration::from_secs(3), ended) { "yes".into() } else { "no".into() }
    });
}

/// A process that does not outlive the test, nor do its children.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let pid = self.0.id() as i32;
            procfs::children(pid).into_iter().for_each(|child| send(child, "KILL"));
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

#[test]
fn idle() {
    let measured = page::table("docs/BENCHMARKS.md", "### Idle, context switches");
    tried("sleeps while there is nothing to do", &PEERS, |name| {
        let rows = measured.iter().filter(|row| row[0].split(' ').next() == Some(name));
        let counts: Vec<u32> = rows.map(|row| row[1].parse().expect("a number")).collect();
        assert!(!counts.is_empty(), "{name} is not measured");
        match counts.into_iter().max() {
            Some(0) => "yes".into(),
            Some(8..=12) => "wakes up once a second".into(),
            other => format!("{other:?} times in 10 s"),
        }
    });
}

#[test]
fn each_row_names_its_test() {
    let source = page::read("tests/docs/peers.rs");
    let table = page::table("README.md", HEADING);
    let mut rows = 0;
    for row in &table[1..] {
        let place = row.last().expect("cells");
        let name = place.split('`').nth(1).unwrap_or_else(|| panic!("{row:?} names no test"));
        let body = source.split_once(&format!("\nfn {name}() {{\n"));
        let (_, body) = body.unwrap_or_else(|| panic!("there is no test {name}"));
        let (body, _) = body.split_once("\n}\n").expect("it ends");
        assert!(body.contains(&format!("tried({:?}", row[0])), "{name} does not try {:?}", row[0]);
        rows += 1;
    }
    assert_eq!(rows, source.matches("\n    tried(\"").count());
}

#[test]
#[ignore = "it needs the peers: make test-theirs"]
fn the_configuration_of_supervisord_and_its_command_line_start_the_same() {
    for block in page::of("ini", "supervisord") {
        let stage = Stage::new();
        let path = stage.path().join("supervisord.conf");
        fs::write(&path, &block.text).expect("the folder is ours");
        let pid = format!("{}/pid", stage.path().display());
        // The stand-ins end at once, so it runs until it is asked to stop.
        let script = format!(
            "supervisord -c {} -j {pid} -l /dev/null >/dev/null 2>&1 & \
             until [ \"$(grep -c . \"$RECORD\")\" -ge 2 ] 2>/dev/null; do sleep 0.1; done; \
             kill -TERM $!; wait $! || true",
            path.display()
        );
        let theirs = stage.rehearse(&script);
        let lines = page::of("sh", "");
        let line = lines
            .iter()
            .find(|block| block.text.contains("--wrap 'web --listen 8080' --wrap worker"));
        let ours = Stage::new().rehearse(&line.expect("it stands in the document").text);
        let sorted = |mut started: Vec<String>| {
            started.sort();
            started.dedup();
            started
        };
        assert_eq!(sorted(ours.started), ["web --listen 8080", "worker"]);
        assert_eq!(sorted(theirs.started), ["web --listen 8080", "worker"]);
    }
}

#[test]
#[ignore = "it needs the peers: make test-theirs"]
fn the_options_of_supervisord_are_its_own() {
    let source = "/usr/lib/python3/dist-packages/supervisor/options.py";
    let source = fs::read_to_string(source).expect("supervisor is installed");
    for row in &page::table("docs/MOVING.md", "## From supervisord")[1..] {
        for option in row[0].split('`').skip(1).step_by(2) {
            let (key, _) = option.split_once('=').expect("an option has a value");
            assert!(source.contains(&format!("'{key}'")), "supervisord knows no {key}");
        }
    }
}
