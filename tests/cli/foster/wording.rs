//! foster's help, version, and the words it has for what happens.

use std::time::Duration;

use foster::cli::{Say, Stream};
use foster::config::Config;
use foster::exit::ExitStatus;
use foster::process::{Pid, ServiceId, SpawnError, SpawnErrorKind, Target};
use foster::signal::Signal;
use foster::supervisor::Report;

use crate::world::{self, World};

#[test]
fn the_help_fits_a_screen() {
    for args in [["foster", "-h"], ["foster", "--help"]] {
        let Say { stream, text, code } = World::new().say(&args);
        assert_eq!((stream, code), (Stream::Out, 0));
        assert!(text.lines().count() <= 40);
        for line in text.lines() {
            assert!(line.len() <= 80, "{line}");
        }
        assert_eq!(text, HELP);
    }
}

#[test]
fn the_version_is_name_and_number() {
    for args in [["foster", "-V"], ["foster", "--version"]] {
        let text = format!("foster {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(World::new().say(&args), Say { stream: Stream::Out, text, code: 0 });
    }
}

fn said(config: &Config, report: Report) -> String {
    let (stream, text) = world::said(config, report).expect("every report has a line");
    assert_eq!(stream, Stream::Err);
    text
}

#[test]
fn every_report_has_a_line() {
    let config = World::new().config(&["foster", "--wrap", "/bin/app -x", "--wrap", "exit 3"]);
    let (service, pid) = (ServiceId(0), Pid(12));
    let (signal, status) = (Signal::TERM, ExitStatus::Code(3));
    let shell = ServiceId(1);
    let delay = Duration::from_millis(1500);
    let error = |kind, os| SpawnError { kind, os, pid: None };
    let not_found = error(SpawnErrorKind::NotFound, 2);
    let no_shell = error(SpawnErrorKind::NoShell, 2);
    for (report, line) in [
        (Report::Started { service, pid }, "app (pid 12) started"),
        (
            Report::StartFailed { service, error: not_found },
            "cannot start '/bin/app': no such command",
        ),
        (
            Report::StartFailed { service: shell, error: no_shell },
            "cannot start 'exit 3': it needs a shell and there is no sh on PATH; give the program \
             itself: foster -- COMMAND [ARG]...",
        ),
        (Report::Ended { service, pid, status, asked: false }, "app (pid 12) exited with status 3"),
        (
            Report::Ended { service: shell, pid, status: ExitStatus::Signal(signal), asked: true },
            "exit (pid 12) was killed by SIGTERM, as asked",
        ),
        (
            Report::RestartDue { service, delay, restarts: 2 },
            "app starts again in 1.5s, restart 2 in a row",
        ),
        (
            Report::GaveUp { service, restarts: 5 },
            "giving up on app: no healthy run in 5 restarts in a row",
        ),
        (Report::StopRequested { signal: Some(signal) }, "SIGTERM: stopping"),
        (Report::StopRequested { signal: None }, "stopping"),
        (Report::Killing { service }, "app has not ended: sending SIGKILL"),
        (Report::Unkillable { service }, "some of app outlives SIGKILL: waiting no longer"),
        (Report::KillingOrphan { service, pid }, "killing process 12, which app left behind"),
        (Report::Received { signal }, "received SIGTERM"),
        (Report::Rewritten { from: signal, to: Some(Signal::QUIT) }, "SIGTERM goes on as SIGQUIT"),
        (Report::Rewritten { from: signal, to: None }, "SIGTERM is dropped"),
        (Report::Forwarded { signal, target: Target::Group(pid) }, "passed SIGTERM on to group 12"),
        (Report::Reaped { pid, status }, "reaped process 12, which exited with status 3"),
        (Report::ReapedAtEnd { pid, status }, "reaped process 12, which exited with status 3"),
        (Report::Overlooked { signal }, "SIGTERM came of giving up the terminal: overlooked"),
        (Report::TerminalDetached, "gave up the terminal"),
        (Report::NotReaper, "neither PID 1 nor subreaper: orphans go elsewhere"),
        (Report::Suspending, "stopping with the child, until SIGCONT"),
    ] {
        assert_eq!(said(&config, report), line);
    }
    let report = Report::KillFailed { target: Target::Process(pid), signal, os: 1 };
    assert!(said(&config, report).starts_with("cannot send SIGTERM to process 12: "));
}

#[test]
fn services_that_share_a_program_are_told_apart_by_their_numbers() {
    let config = World::new().config(&[
        "foster",
        "--wrap",
        "app 1",
        "--wrap",
        "api",
        "--wrap",
        "cd / && app 2",
        "--wrap",
        "A=1 /bin/app | x",
    ]);
    let names = (0..4).map(|index| {
        let line = said(&config, Report::Killing { service: ServiceId(index) });
        line.split(' ').next().expect("a split has a first part").to_owned()
    });
    assert_eq!(names.collect::<Vec<_>>(), ["app#1", "api", "cd", "app#4"]);
}

#[test]
fn a_name_stays_on_its_line() {
    let config = World::new().config(&["foster", "a\nb\u{7}"]);
    assert_eq!(
        said(&config, Report::Killing { service: ServiceId(0) }),
        "a?b? has not ended: sending SIGKILL"
    );
}

const HELP: &str = "\
foster runs a command as PID 1 of a container, or keeps services running.

Usage: foster [OPTIONS] [--] COMMAND [ARG]...
       foster [OPTIONS] --wrap 'COMMAND LINE' [--wrap 'COMMAND LINE']...

Services:
  --wrap CMDLINE            keep this running; repeatable (WRAP_CMD)
  --app-port N              PORT of the first --wrap, N+1 of the second, and so
                            on (APP_PORT; default 3000)
Restarts:
  --restart* WHEN           never, on-failure or always; default always for
                            --wrap, never for COMMAND
  --backoff* DUR            delay of the first restart; it doubles (500ms)
  --backoff-max* DUR        the longest delay (10s)
  --healthy-after* DUR      a run of this length starts the row anew (10s)
  --max-restarts* N         give up after N restarts in a row (unlimited)
  --success* CODE|SIG       counts as success, as 0 does; repeatable
Stopping:
  --stop-signal* SIG        what a stop sends (the signal received, or TERM)
  --stop-timeout* DUR       from there to SIGKILL, or infinity (10s)
  --keep-orphans*           spare what a run left behind outside its group
Signals and processes:
  --forward-to* WHOM        group or child: who gets signals (group)
  --rewrite* FROM:TO        pass FROM on as TO, or drop it for 0; repeatable
  --session                 give COMMAND a session of its own, as --wrap has
  --no-subreaper            do not adopt orphans where foster is not PID 1
  --parent-death-signal SIG get SIG when foster's parent dies
  --boot, --no-boot         be, or do not be, the init of a whole machine
Other:
  --log-format* FORMAT      text or json (text)
  -v, -vv, -vvv             say more: info, debug, trace (or FOSTER_LOG=FILTER)
  -q                        say errors only
  --as NAME                 be tini, dumb-init or catatonit; the first argument
  -h, --help                print this help
  -V, --version             print the version

Options marked * are also read from the environment: FOSTER_STOP_TIMEOUT=30s.
";
