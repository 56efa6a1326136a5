//! foster under the peers' names as an image's entry point, where they were before.

use crate::container::Runtime;
use crate::contract::words;
use crate::daemon::Docker;

const NAMES: [&str; 3] = ["/tini", "/dumb-init", "/catatonit"];

fn under(name: &str) -> Docker {
    Docker::new().option(&format!("--entrypoint={name}"))
}

#[test]
fn under_every_name_the_status_is_the_childs() {
    for name in NAMES {
        assert_eq!(under(name).start(&["--", "/probe", "exit=42"]).wait(), 42, "{name}");
        assert_eq!(under(name).start(&["--", "/probe", "die=USR1"]).wait(), 138, "{name}");
    }
}

#[test]
fn under_every_name_a_missing_command_is_reported_its_way() {
    for (name, code, text) in [
        ("/tini", 127, "exec /nobody failed: No such file or directory"),
        ("/dumb-init", 2, "[dumb-init] /nobody: No such file or directory"),
        ("/catatonit", 1, "failed to exec pid1: No such file or directory"),
    ] {
        let mut container = under(name).start(&["/nobody"]);
        assert_eq!(container.wait(), code, "{name}");
        let errors = container.errors();
        assert!(errors.contains(text), "{name}: {errors}");
    }
}

#[test]
fn under_every_name_orphans_are_reaped_and_signals_passed_on() {
    for name in NAMES {
        let script = words("/probe", "orphans=100 block=USR1 say=up await=USR1 exit=3");
        let mut container = under(name).start(&script);
        container.expect("up");
        container.await_only(2);
        container.kill("USR1");
        assert_eq!(container.wait(), 3, "{name}");
        assert_eq!(container.errors(), "", "{name}");
    }
}
