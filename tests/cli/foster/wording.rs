//! foster's help, version, and messages.

use std::time::Duration;

use foster::cli::{Say, Stream};
use foster::config::Config;
use foster::exit::ExitStatus;
use foster::process::{Comm, Pid, ServiceId, SpawnError, SpawnErrorKind, Target};
use foster::signal::Signal;
use foster::supervisor::{EndCause, Hurry, KillCause, Report, Wait, Who};

use crate::world::{self, RUN, World};

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
    let killed = ExitStatus::Signal(Signal::KILL);
    let [key, sent] =
        [(2, true), (1, false)].map(|(interrupts, by_key)| Some(Hurry { interrupts, by_key }));
    let stop =
        |left: Option<u64>, hurry| Wait::Stop { left: left.map(Duration::from_millis), hurry };
    let death = Wait::Death { left: Some(Duration::from_secs(9)) };
    let member = Who::Member(pid, Comm::new(b"worker"));
    let [late, hurried] = [KillCause::Late, KillCause::Hurried].map(EndCause::Killed);
    for (report, line) in [
        (Report::Started { service, run: RUN, pid }, "app (pid 12) started"),
        (
            Report::StartFailed { service, run: RUN, error: not_found },
            "cannot start app: '/bin/app': no such command",
        ),
        (
            Report::StartFailed { service: shell, run: RUN, error: no_shell },
            "cannot start exit: 'exit 3': it needs a shell and there is no sh on PATH; give the \
             program itself: foster -- COMMAND [ARG]...",
        ),
        (
            Report::Ended {
                service,
                run: RUN,
                pid,
                status,
                cause: EndCause::Unasked { crash: true },
            },
            "app (pid 12) exited with status 3",
        ),
        (
            Report::Ended {
                service: shell,
                run: RUN,
                pid,
                status: ExitStatus::Signal(signal),
                cause: EndCause::Asked,
            },
            "exit (pid 12) was killed by SIGTERM, as requested",
        ),
        (
            Report::Ended { service, run: RUN, pid, status: killed, cause: late },
            "app (pid 12) was killed by SIGKILL because it did not stop in time",
        ),
        (
            Report::Ended { service, run: RUN, pid, status: killed, cause: hurried },
            "app (pid 12) was killed by SIGKILL because SIGINT came twice",
        ),
        (
            Report::InBackground { service, run: RUN },
            "app seems to run in the background: it ended at once and left processes that foster does \
             not follow; start it with its option for the foreground, such as -F, -D or --nodaemon",
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
        (
            Report::StillWaiting { service, who: Who::Leader(pid), wait: stop(Some(8_960), key) },
            "app: waiting for app (pid 12), SIGKILL in 9s; Ctrl-C twice kills at once",
        ),
        (
            Report::StillWaiting { service: shell, who: Who::Leader(pid), wait: stop(None, sent) },
            "exit: waiting for sh (pid 12), without a deadline; another SIGINT kills at once",
        ),
        (
            Report::StillWaiting { service: shell, who: member, wait: stop(Some(1500), None) },
            "exit: waiting for worker (pid 12), SIGKILL in 1.5s",
        ),
        (
            Report::StillWaiting { service, who: Who::Unknown, wait: death },
            "app: waiting for its remaining processes to die after SIGKILL, for 9s more",
        ),
        (Report::StillWaitingForMore { count: 1 }, "waiting for 1 more service"),
        (Report::StillWaitingForMore { count: 7 }, "waiting for 7 more services"),
        (Report::Killing { service, run: RUN }, "app has not ended: sending SIGKILL"),
        (
            Report::Unkillable { service, run: RUN },
            "app still has processes after SIGKILL; giving up",
        ),
        (
            Report::KillingOrphan { service, run: RUN, pid },
            "killing process 12, which app left behind",
        ),
        (
            Report::Spared { pid, name: Comm::new(b"sudo"), in_reach: true },
            "leaving process 12 (sudo) alone: it carries no mark of a run",
        ),
        (
            Report::Spared { pid, name: Comm::new(b"sudo"), in_reach: false },
            "leaving process 12 (sudo) alone: foster may not kill it",
        ),
        (Report::Received { signal }, "received SIGTERM"),
        (
            Report::Rewritten { from: signal, to: Some(Signal::QUIT) },
            "SIGTERM is forwarded as SIGQUIT",
        ),
        (Report::Rewritten { from: signal, to: None }, "SIGTERM is dropped"),
        (Report::Forwarded { signal, target: Target::Group(pid) }, "forwarded SIGTERM to group 12"),
        (Report::Reaped { pid, status }, "reaped process 12, which exited with status 3"),
        (Report::ReapedAtEnd { pid, status }, "reaped process 12, which exited with status 3"),
        (Report::Overlooked { signal }, "ignoring SIGTERM, a result of giving up the terminal"),
        (Report::TerminalDetached, "gave up the terminal"),
        (Report::NotReaper, "neither PID 1 nor a subreaper: orphans go elsewhere"),
        (Report::Suspending, "suspending with the child until SIGCONT"),
        (
            Report::SuspendingAlone,
            "suspended by Ctrl-Z: services keep running, but nobody restarts them until fg or SIGCONT \
             resumes foster",
        ),
        (Report::NotSuspended, "not suspending: there is no shell to resume foster"),
    ] {
        assert_eq!(said(&config, report), line);
    }
    let report = Report::KillFailed { target: Target::Process(pid), signal, os: 1 };
    assert!(said(&config, report).starts_with("cannot send SIGTERM to process 12: "));
}

/// The name of each service.
fn names(world: &World, args: &[&str]) -> Vec<String> {
    let config = world.config(args);
    let ids = (0..config.services.len()).map(|index| ServiceId(index as u32));
    let lines = ids.map(|service| said(&config, Report::Killing { service, run: RUN }));
    lines.map(|line| line.split(' ').next().expect("it has a first part").to_owned()).collect()
}

#[test]
fn a_service_is_called_by_its_program_and_by_a_number_where_two_are_alike() {
    let wraps = |lines: &[&'static str]| -> Vec<&str> {
        std::iter::once("foster").chain(lines.iter().flat_map(|line| ["--wrap", line])).collect()
    };
    let names_of = |lines: &[&'static str]| names(&World::new(), &wraps(lines));
    assert_eq!(names_of(&["app 1"]), ["app"]);
    let lines = ["app 1", "api", "cd / && app 2", "A=1 /bin/app | x", "cd / && exec ./api2"];
    assert_eq!(names_of(&lines), ["app#1", "api", "app#2", "app#3", "api2"]);
    let lines = ["C:\\a\\app.exe", "cd \\ & app.exe", "api"];
    assert_eq!(names(&World::windows(), &wraps(&lines)), ["app.exe#1", "app.exe#2", "api"]);
}

#[test]
fn a_name_is_for_the_next_service_and_is_kept_as_it_was_given() {
    let world = World::new();
    let args = ["foster", "--name", "We.b_1-x", "--wrap", "app 1", "--wrap", "api"];
    assert_eq!(names(&world, &args), ["We.b_1-x", "api"]);
    assert_eq!(names(&world, &["foster", "--name=web", "-v", "--", "app", "--name"]), ["web"]);
    // A given name is never numbered.
    let args = ["foster", "--name", "api", "--wrap", "app", "--wrap", "api", "--wrap", "app"];
    assert_eq!(names(&world, &args), ["api", "api#2", "app"]);
    let args = ["foster", "--wrap", "api", "--name", "web", "--wrap", "app", "--wrap", "app"];
    assert_eq!(names(&world, &args), ["api", "web", "app"]);
    assert_eq!(names(&World::windows(), &["foster", "--name", "web", "--wrap", "dir"]), ["web"]);
}

#[test]
fn a_name_stays_on_its_line() {
    let config = World::new().config(&["foster", "a\nb\u{7}"]);
    assert_eq!(
        said(&config, Report::Killing { service: ServiceId(0), run: RUN }),
        "a?b? has not ended: sending SIGKILL"
    );
}

const HELP: &str = "\
Usage: foster [OPTIONS] [--] COMMAND [ARG]...     run it as PID 1 of a container
       foster [OPTIONS] --wrap 'COMMAND LINE'...  keep services running

Services:
  --wrap CMDLINE            keep this running; repeatable (WRAP_CMD)
  --name NAME               name in the log of the next --wrap or COMMAND
  --app-port N              PORT of the first --wrap, then N+1 (3000; APP_PORT)
  --app-host ADDR           HOST of every --wrap (127.0.0.1; APP_HOST)
Restarts:
  --restart* WHEN           never (COMMAND), on-failure or always (--wrap)
  --backoff* DUR            delay of the first restart; it doubles (500ms)
  --backoff-max* DUR        the longest delay (10s)
  --healthy-after* DUR      a run this long resets the delay and count (10s)
  --max-restarts* N         give up after N restarts in a row (unlimited)
  --success* CODE|SIG       counts as success, as 0 does; repeatable
Stopping:
  --stop-signal* SIG        what a stop sends (the signal received, or TERM)
  --stop-timeout* DUR       from the stop signal to SIGKILL, or infinity (10s)
  --stop-to* WHOM           leader-first (COMMAND), group (--wrap) or leader
  --leftovers* HOW          what a crash leaves behind: kill, term, keep (kill)
  --keep-orphans*           the same as --leftovers keep
Signals and processes:
  --forward-to* WHOM        who gets other signals: child or group (child)
  --rewrite* FROM:TO        forward FROM as TO, or drop it if 0; repeatable
  --session                 give COMMAND its own session, as --wrap has
  --no-subreaper            do not adopt orphans where foster is not PID 1
  --parent-death-signal SIG send foster SIG when its parent dies
  --boot                    be the init of a whole system
  --no-boot                 do not be the init of a whole system
Other:
  --log-format* FORMAT      text or json (text)
  --log-time*               start each line of text with the time
  -v, --verbose             log info; -vv: debug, -vvv: trace (warn; FOSTER_LOG)
  -q, --quiet               log errors only
  --as NAME                 be tini, dumb-init or catatonit; the first argument
  -h, --help                print this help
  -V, --version             print the version

Options marked * are also read from the environment: FOSTER_STOP_TIMEOUT=30s.
All but --name apply to every service, wherever they stand on the command line.
";
