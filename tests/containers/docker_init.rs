//! foster in place: as the daemon's own init, under the name `docker-init`.

use crate::container::Runtime;
use crate::contract::words;
use crate::daemon::{Docker, docker};
use crate::scratch::run;
use crate::support::terminal::{INTERRUPT, SUSPEND};

/// A container whose image has no init, with the daemon's.
fn with_init() -> Docker {
    Docker::new().bare().option("--init")
}

#[test]
fn docker_reads_its_version() {
    // Docker asks for it once more each time.
    let format = "{{range .Server.Components}}{{.Name}} {{.Version}}{{println}}{{end}}";
    let version = run(&mut docker(&["version", "--format", format]));
    assert!(version.lines().any(|line| line == "docker-init 0.19.0"), "{version}");
    // It shows the commit behind the version, and N/A where it cannot read the line.
    let info = run(&mut docker(&["info", "--format", "{{.InitBinary}} {{.InitCommit.ID}}"]));
    assert!(info.contains("/docker-init ") && !info.contains("N/A"), "{info}");
}

#[test]
fn docker_run_init_puts_it_in_front() {
    let mut container = with_init().start(&words("/probe", "ids processes"));
    let ids = container.expect_prefix("pid=");
    assert!(ids.contains("ppid=1 "), "{ids}");
    // It may be awake just then.
    let first = container.expect_prefix("1 ");
    assert!(first.ends_with(" docker-init"), "{first}");
    assert_eq!(container.wait(), 0);
    assert_eq!(container.errors(), "");
}

#[test]
fn docker_run_init_reaps_forwards_and_passes_the_status_on() {
    let script = "orphans=100 block=TERM say=up await=TERM say=cleaning exit=7";
    let mut container = with_init().start(&words("/probe", script));
    container.expect("up");
    container.await_only(2);
    run(&mut docker(&["stop", "--time", "60", container.name()]));
    container.expect("cleaning");
    assert_eq!(container.wait(), 7);
    assert_eq!(with_init().start(&["/probe", "die=KILL"]).wait(), 137);
    assert_eq!(with_init().start(&["/probe", "exit=3"]).wait(), 3);
}

#[test]
fn docker_run_init_on_a_terminal_passes_keys_on_and_is_not_frozen() {
    let (mut container, mut terminal) = with_init().start_on_terminal(&words("/probe", "trap"));
    container.expect("trapping\r");
    terminal.type_text(INTERRUPT);
    // The terminal sends the signal before it echoes the key, ^C, wherever that appears.
    while !container.expect_prefix("").contains("got INT") {}
    let script = words("/probe", "say=up read exit=9");
    let (mut container, mut terminal) = with_init().start_on_terminal(&script);
    container.expect("up\r");
    // Nobody could resume it.
    terminal.type_text(SUSPEND);
    terminal.type_text("hello\r");
    container.expect("read: hello\r");
    assert_eq!(container.wait(), 9);
}

#[test]
fn docker_run_init_of_what_is_not_there_is_127_with_tinis_line() {
    let mut container = with_init().start(&["/nobody"]);
    assert_eq!(container.wait(), 127);
    let errors = container.errors();
    assert!(
        errors.starts_with("[FATAL tini (")
            && errors.contains("exec /nobody failed: No such file or directory"),
        "{errors}"
    );
}
