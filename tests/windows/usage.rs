//! Bad usage, help and version.

use super::harness::{foster_with, run};

#[test]
fn bad_input_is_one_clear_line_and_125_and_nothing_is_started() {
    let cases: [(&[&str], &str); 12] = [
        (&[], "no command"),
        (&["--wrap", "cmd /c exit", "--", "cmd"], "remove one of them"),
        (&["--no-such-option"], "unknown option --no-such-option"),
        (&["--warp", "x"], "did you mean --wrap?"),
        (&["--restart", "sometimes", "cmd"], "sometimes"),
        (&["--backoff", "soon", "cmd"], "soon"),
        (&["--backoff", "11s", "cmd"], "exceeds"),
        (&["--app-port", "65536", "--wrap", "cmd"], "65536"),
        (&["--max-restarts", "-1", "cmd"], "-1"),
        (&["--wrap", ""], "is empty"),
        (&["--success", "TERM", "cmd"], "use a code from 0 to 4294967295"),
        (&["--wrap"], "requires a value"),
    ];
    for (args, why) in cases {
        let end = run(args.iter().copied());
        assert_eq!((end.code, end.out.len(), end.log.len()), (125, 0, 1), "{args:?}: {end:?}");
        assert!(end.log[0].starts_with("foster: ") && end.says(why), "{args:?}: {end:?}");
    }
}

#[test]
fn options_that_windows_lacks_are_refused() {
    for option in [
        "--rewrite=TERM:INT",
        "--parent-death-signal=TERM",
        "--forward-to=child",
        "--stop-to=leader",
        "--session",
        "--stop-signal=INT",
        "--keep-orphans",
        "--no-subreaper",
    ] {
        let end = run([option, "cmd", "/c", "echo", "it", "ran"]);
        assert_eq!((end.code, end.out.len()), (125, 0), "{option}: {end:?}");
        let (name, _) = option.split_once('=').unwrap_or((option, ""));
        assert!(end.says(&format!("{name}: not available on Windows")), "{end:?}");
    }
    let end = run(["--leftovers", "term", "cmd", "/c", "echo", "it", "ran"]);
    assert!(
        end.code == 125 && end.says("--leftovers: 'term' is not available on Windows"),
        "{end:?}"
    );
    let end = run(["--leftovers", "kill", "cmd", "/c", "exit 3"]);
    assert_eq!(end.code, 3, "{end:?}");
    let end = foster_with(&[("FOSTER_REWRITE", "TERM:INT")], ["cmd"]).end();
    assert!(end.code == 125 && end.says("FOSTER_REWRITE: not available"), "{end:?}");
}

#[test]
fn version_and_help_go_to_stdout() {
    let end = run(["-V"]);
    assert_eq!((end.code, end.log.len()), (0, 0));
    assert_eq!(end.out, [format!("foster {}", env!("CARGO_PKG_VERSION"))]);
    let end = run(["-h"]);
    assert_eq!((end.code, end.log.len()), (0, 0));
    assert!(end.out.iter().any(|line| line.contains("--wrap")), "{end:?}");
}
