//! "A log line never blocks", and a closed or broken stderr does no harm.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;

use nix::libc;

use crate::inheritance::WITHOUT_SIGNALFD;
use crate::log_lines::member;
use crate::subject::{Folder, binary, foster, kill, limit_memory, probe_line, quick, wrapped};
use crate::support::patience::until;
use crate::support::procfs;
use crate::support::skip::has_root_to;
use crate::support::{Launch, Place, Status};

#[test]
fn with_a_full_stderr_that_nobody_reads_signals_deaths_and_stops_are_handled() {
    for more in ["", " deny=signalfd4,timerfd_create:ENOSYS"] {
        see_to_all_with_a_full_pipe(more);
    }
}

#[test]
fn a_full_pipe_that_nobody_reads_does_no_harm_on_a_system_without_proc() {
    see_to_all_with_a_full_pipe(" proc=none");
}

#[test]
fn a_full_pipe_that_foster_may_not_open_again_does_no_harm() {
    if !has_root_to("start foster as another user") {
        return;
    }
    // The FIFO and the pipe are root's, who started what became nobody before it became foster.
    for more in [" uid=65534", " uid=65534 deny=signalfd4,timerfd_create:ENOSYS"] {
        see_to_all_with_a_full_pipe(more);
        see_to_all_with(&format!("close=2 fullpipe{more}"));
    }
    see_to_all_with("close=2 fullpipe deny=pwritev2:ENOSYS");
    see_to_all_with("close=2 fullpipe uid=65534 deny=pwritev2,timer_create:ENOSYS");
}

#[test]
fn without_proc_a_full_pipe_that_cannot_be_opened_again_does_no_harm() {
    if has_root_to("mount") {
        see_to_all_with("close=2 fullpipe proc=none");
    }
}

/// foster as nobody, who may not open root's FIFO again, with a trace of what it writes and how.
fn traced(fifo: &str, more: &[&str]) -> Launch {
    let strace = ["-qq", "-e", "trace=poll,ppoll,write,pwritev2,timer_create", "-o"];
    let launch = Launch::new("strace").args(strace).args(more).arg(binary());
    launch.inheriting(&format!("close=2 open={fifo} uid=65534"))
}

#[test]
fn a_writer_that_fills_the_pipe_after_the_poll_does_not_delay_a_stop() {
    if !has_root_to("start foster as another user") {
        return;
    }
    let folder = Folder::new();
    let (fifo, trace) = (folder.fifo("stderr"), folder.word("trace"));
    // Of the second line, which is the one of the start.
    let late = "inject=poll,ppoll:delay_exit=700000:when=2";
    let launch = traced(&fifo, &[&trace, "-e", late]).args(["-v", "--stop-timeout", "1s", "--"]);
    let mut run = launch.probe("trap").start();
    run.expect("trapping");
    let foster = run.child();
    // strace keeps it between poll and write. It is so for a moment at each of these calls' begin.
    let mut looks = 0;
    until("it is never held up", || {
        let held = procfs::stat(foster).is_some_and(|stat| stat.state == 't');
        looks = if held { looks + 1 } else { 0 };
        (looks == 50).then_some(())
    });
    let mut options = File::options();
    let mut writer = options.write(true).custom_flags(libc::O_NONBLOCK).open(&fifo).expect("it");
    for size in [4096, 1] {
        while writer.write(&vec![b'x'; size]).is_ok() {}
    }
    kill(foster, libc::SIGTERM);
    run.expect("got TERM");
    assert_eq!(run.wait_for_status(), Status::Code(137));
    let trace = fs::read_to_string(&trace).expect("strace writes");
    let write = trace.lines().rfind(|line| line.starts_with("write(2,")).expect("a write");
    assert!(write.contains("(To be restarted") || write.contains("EINTR"), "{trace}");
}

#[test]
fn a_stopped_terminal_does_not_delay_a_stop_of_a_foster_that_may_not_open_it() {
    if !has_root_to("start foster as another user") {
        return;
    }
    // The terminal is root's; what became nobody may neither open it again nor know when it is read.
    let script = "close=2 open=/dev/tty uid=65534";
    let launch = foster().args(["-vvv", "--stop-timeout", "1s", "--"]).probe("trap");
    let mut run = launch.inheriting(script).place(Place::TerminalLeader).start();
    run.expect("trapping");
    for _ in 0..2000 {
        run.signal("USR1");
        run.expect("got USR1");
    }
    run.signal("TERM");
    assert_eq!(run.wait_for_status(), Status::Code(137));
}

#[test]
fn a_pipe_is_asked_not_to_wait_each_time_and_is_not_opened_again() {
    let folder = Folder::new();
    let trace = folder.word("trace");
    let calls = "trace=poll,ppoll,openat,write,pwritev2";
    let launch = Launch::new("strace").args(["-qq", "-e", calls, "-o", &trace]).arg(binary());
    let output = launch.args(["-v", "--"]).probe("exit=7").output();
    assert!(output.stderr.contains("exited with status 7"), "{output:?}");
    let trace = fs::read_to_string(&trace).expect("strace writes");
    let lines: Vec<&str> = trace.lines().filter(|line| line.starts_with("pwritev2(2,")).collect();
    assert!(lines.iter().all(|line| line.contains("RWF_NOWAIT")), "{trace}");
    if lines.iter().any(|line| line.contains("EOPNOTSUPP")) {
        eprintln!("skipped: this kernel has no such writes to pipes (Linux 6.5)");
        return;
    }
    assert!(lines.len() == 3 && !trace.contains("/proc/self/fd"), "{trace}");
    assert!(!trace.contains("write(2,") && !trace.contains("poll("), "{trace}");
}

fn see_to_all_with_a_full_pipe(more: &str) {
    let folder = Folder::new();
    let pipe = folder.fifo("stderr");
    see_to_all_with(&format!("close=2 full={pipe}{more}"));
}

fn see_to_all_with(script: &str) {
    let launch = foster()
        .args(["-vvv", "--forward-to", "group", "--"])
        .probe("block=USR1 fork { trap=app } orphans=200 say=made pause");
    let mut run = launch.inheriting(script).place(Place::Pid1).start();
    run.expect_all(&["app trapping", "made"]);
    for _ in 0..50 {
        run.signal("USR1");
        run.expect("app got USR1");
    }
    let pid = run.pid();
    until("zombies stay", || (procfs::children(pid).len() == 1).then_some(()));
    run.signal("KILL");
    let _ = run.wait();
}

#[test]
fn with_stderr_a_full_pipe_that_nobody_reads_a_crash_is_restarted_and_a_stop_obeyed() {
    let folder = Folder::new();
    let script = format!("close=2 full={}", folder.fifo("stderr"));
    let mut run = wrapped("say=run exit=1").arg("-vvv").inheriting(&script).start();
    for _ in 0..10 {
        run.expect("run");
    }
    run.signal("TERM");
    run.wait_for_status();
}

#[test]
fn a_command_with_restarts_logs_each_and_crashes_as_warnings() {
    for when in ["on-failure", "always"] {
        let launch = quick(foster()).args(["--restart", when, "--max-restarts", "2", "--"]);
        let mut run = launch.probe("exit=3").start();
        for delay in ["10ms, restart 1", "20ms, restart 2"] {
            run.expect_error("foster: info: probe (pid ");
            assert!(run.expect_error("foster: warning: probe (pid ").ends_with(" status 3"));
            run.expect_error(&format!("foster: info: probe starts again in {delay} in a row"));
        }
        assert_eq!(run.wait_for_status(), Status::Code(3));
    }
    // Without restarts it is for the command and its parent to say.
    assert_eq!(foster().probe("exit=3").output().stderr, "");
}

#[test]
fn what_does_nothing_is_warned_of_and_the_command_runs() {
    let restarts =
        "--max-restarts: no effect without restarts: add --restart on-failure, or remove it";
    let variable = "unknown variable FOSTER_BACKOF: did you mean FOSTER_BACKOFF?";
    let launch = || {
        let launch =
            foster().env("FOSTER_BACKOF", "1s").env("FOSTER_LOG_FORMA", "").env("FOSTE", "x");
        launch.args(["--max-restarts", "3"])
    };
    let output = launch().args(["--log-format", "text", "--"]).probe("say=runs exit=3").output();
    assert_eq!((output.code(), output.stdout.as_str()), (3, "runs\n"));
    let lines = output.stderr.lines().collect::<Vec<_>>();
    let other = variable.replace("BACKOFF", "LOG_FORMAT").replace("BACKOF", "LOG_FORMA");
    let said = [restarts, variable, &other].map(|line| format!("foster: warning: {line}"));
    assert_eq!(lines, said);
    let output = launch().args(["--log-format", "json", "--"]).probe("exit=3").output();
    assert_eq!(output.stderr.lines().count(), 3);
    assert!(output.stderr.lines().all(|line| {
        line.starts_with('{') && line.contains(r#""level":"warning""#) && line.ends_with('}')
    }));
    assert!(output.stderr.contains(restarts) && output.stderr.contains(variable), "{output:?}");
    assert_eq!(launch().args(["-q", "--"]).probe("exit=3").output().stderr, "");
    // Those that foster stands in for have no such words.
    let tini = Launch::new(binary()).args(["--as", "tini", "-s", "--"]).env("FOSTER_X", "");
    assert_eq!(tini.probe("exit=3").output().stderr, "");
}

#[test]
fn a_later_line_says_how_many_were_dropped() {
    let lines = lines_after_a_full_pipe(&[]);
    assert_eq!(lines[0], "foster: warning: 8 log lines dropped", "{lines:?}");
    assert_eq!(lines[1], "foster: trace: received SIGUSR2", "{lines:?}");
    assert!(lines[2].starts_with("foster: debug: forwarded SIGUSR2 to process "), "{lines:?}");
    assert_eq!(lines.len(), 3);
}

#[test]
fn dropped_lines_are_reported_in_json_with_the_time() {
    let lines = lines_after_a_full_pipe(&["--log-format", "json"]);
    let [dropped, received, _] = &lines[..] else { panic!("{lines:?}") };
    let told = ["level", "event", "message"].map(|key| member(dropped, key));
    assert_eq!(told, ["warning", "lines_dropped", "8 log lines dropped"]);
    assert_eq!(["event", "signal"].map(|key| member(received, key)), ["received", "SIGUSR2"]);
    let lines = lines_after_a_full_pipe(&["--log-time"]);
    assert!(lines[0].ends_with("Z foster: warning: 8 log lines dropped"), "{lines:?}");
}

/// What can be read of a log once its pipe, which was full from the start, is read: of the line that
/// comes then, and of those that did not get through.
fn lines_after_a_full_pipe(options: &[&str]) -> Vec<String> {
    let folder = Folder::new();
    let pipe = folder.fifo("stderr");
    let script = format!("close=2 full={pipe}");
    let launch = foster().arg("-vvv").args(options).arg("--").probe("trap");
    let mut run = launch.inheriting(&script).start();
    run.expect("trapping");
    for _ in 0..3 {
        run.signal("USR1");
        run.expect("got USR1");
    }
    let pid = run.pid();
    procfs::await_sleep(pid);
    // The beginning, the start, and for each signal that it came and went.
    let mut reader = reader(&pipe);
    until("the pipe is full", || {
        let mut bytes = [0; 65536];
        reader.read(&mut bytes).is_err().then_some(())
    });
    run.signal("USR2");
    run.expect("got USR2");
    let mut text = String::new();
    until("no line", || {
        let _ = reader.read_to_string(&mut text);
        text.contains("forwarded SIGUSR2").then_some(())
    });
    text.lines().map(str::to_owned).collect()
}

#[test]
fn each_signal_that_goes_on_is_told_of_in_each_voice_that_has_words_for_it() {
    let voices = [
        ("-vv --", "foster: debug: forwarded SIGUSR1 to process "),
        ("--as tini -vv --", "Passing signal: 'User defined signal 1'"),
        ("--as dumb-init -v --", "Forwarded signal 10 to children."),
    ];
    for (options, line) in voices {
        let mut run = foster().args(options.split(' ')).probe("trap").start();
        run.expect("trapping");
        for _ in 0..20 {
            run.signal("USR1");
            run.expect("got USR1");
        }
        run.signal("KILL");
        // tini says it on its standard output.
        let output = run.wait();
        let text = output.stdout + &output.stderr;
        // By the time that one comes out, all is said of the one before.
        let told = text.matches(line).count();
        assert!((19..=20).contains(&told), "{options}: {told} in {text}");
    }
}

#[test]
fn the_first_line_needs_no_memory_of_the_kernels() {
    let launch = foster().args(["--stop-timeout", "10ms", "--"]).probe("ignore=TERM say=up pause");
    let mut run = launch.start();
    run.expect("up");
    let pid = run.pid();
    procfs::await_sleep(pid);
    assert_eq!(run.errors(), "");
    limit_memory(pid, 0);
    run.signal("TERM");
    run.expect_error("foster: warning: ");
    assert_eq!(run.wait_for_status(), Status::Code(137));
}

/// A reader that does not wait.
fn reader(path: &str) -> File {
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_NONBLOCK).open(path).expect("the FIFO is there")
}

#[test]
fn stderr_is_not_made_non_blocking_for_those_who_share_it() {
    let mut run = foster().args(["-vvv", "--"]).probe("trap").start();
    run.expect("trapping");
    run.signal("USR1");
    run.expect_error("foster: debug: forwarded SIGUSR1");
    let child = run.child();
    for pid in [run.pid(), child] {
        let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/2")).expect("it is open");
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).expect("flags");
        let flags = i32::from_str_radix(flags.trim(), 8).expect("an octal number");
        assert_eq!(flags & libc::O_NONBLOCK, 0, "{info}");
    }
}

#[test]
fn a_socket_as_stderr_takes_lines_and_blocks_nobody() {
    let folder = Folder::new();
    let listener = UnixListener::bind(folder.path("socket")).expect("a socket can be made");
    let script = format!("close=2 socket={}", folder.word("socket"));
    let mut run = foster().args(["-vvv", "--"]).probe("trap").inheriting(&script).start();
    listener.set_nonblocking(true).expect("a socket has flags");
    let (stream, _) = until("it does not connect", || listener.accept().ok());
    run.expect("trapping");
    // More than a socket holds.
    for _ in 0..4000 {
        run.signal("USR1");
        run.expect("got USR1");
    }
    let first = BufReader::new(&stream).lines().next().expect("a line").expect("text");
    assert!(first.starts_with("foster: info: foster "), "{first}");
}

#[test]
fn a_terminal_as_stderr_that_nobody_reads_blocks_nobody() {
    // The terminal of these places is standard input; this makes it stderr too.
    let script = "close=2 open=/dev/tty";
    let launch = foster().args(["-vvv", "--"]).probe("trap").inheriting(script);
    let mut run = launch.place(Place::TerminalLeader).start();
    run.expect("trapping");
    for _ in 0..2000 {
        run.signal("USR1");
        run.expect("got USR1");
    }
}

#[test]
fn a_closed_stderr_does_no_harm() {
    for more in ["close=2".to_owned(), format!("close=2 {WITHOUT_SIGNALFD}")] {
        let mut run = foster().args(["-vvv", "--"]).probe("trap").inheriting(&more);
        run = run.place(Place::Pid1);
        let mut run = run.start();
        run.expect("trapping");
        run.signal("USR1");
        run.expect("got USR1");
        let launch = wrapped("say=run exit=3").args(["-vvv", "--max-restarts", "3"]);
        let output = launch.inheriting(&more).output();
        assert_eq!((output.code(), output.stdout.as_str()), (3, "run\nrun\nrun\nrun\n"));
    }
}

#[test]
fn a_stderr_that_nobody_has_open_any_more_does_no_harm_and_sends_the_child_no_pipe() {
    for more in ["say=odd".to_owned(), WITHOUT_SIGNALFD.to_owned()] {
        for place in [Place::Child, Place::Pid1] {
            let launch = foster().args(["-vvv", "--"]).probe("trap").inheriting(&more);
            let mut run = launch.place(place).start();
            run.expect("trapping");
            run.close_errors();
            for _ in 0..5 {
                run.signal("USR1");
                assert_eq!(run.line(), "got USR1");
            }
            // One that somebody sends is forwarded.
            run.signal("PIPE");
            assert_eq!(run.line(), "got PIPE");
        }
    }
}

#[test]
fn a_full_disk_does_no_harm() {
    let launch = quick(foster()).args(["-vvv", "--max-restarts", "3", "--wrap"]);
    let output =
        launch.arg(probe_line("say=run exit=3")).inheriting("close=2 open=/dev/full").output();
    assert_eq!((output.code(), output.stdout.as_str()), (3, "run\nrun\nrun\nrun\n"));
}

#[test]
fn a_flood_of_lines_is_written_whole_or_not_at_all() {
    let mut run =
        foster().args(["-vvv", "--"]).probe("block=USR1 orphans=3000 say=made pause").start();
    run.expect("made");
    let pid = run.pid();
    until("zombies stay", || (procfs::children(pid).len() == 1).then_some(()));
    run.signal("HUP");
    let text = run.wait().stderr;
    for line in text.lines() {
        assert!(line.starts_with("foster: "), "{line}");
    }
}
