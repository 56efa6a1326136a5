//! What the console says. Windows tells a process of it by a thread that runs `CtrlRoutine` in
//! the process; here the helper starts that thread.

use std::fs;

use super::harness::{Folder, foster, foster_with, helper, helping, windows};

#[test]
fn all_that_the_console_says_is_a_request_to_stop() {
    for (event, name) in [(0, "INT"), (1, "QUIT"), (2, "TERM"), (5, "TERM"), (6, "TERM")] {
        let end = foster(["--wrap", &helping(&format!("event {event}"))]).end();
        assert_eq!(end.code, 0, "{end:#?}");
        assert!(end.says(&format!("SIG{name}: stopping")), "{event}: {end:#?}");
    }
}

#[test]
fn all_that_the_console_says_stops_a_command_too() {
    for (event, code) in [("0", 130), ("1", 131), ("2", 143), ("6", 143)] {
        let end = foster(["-v", "--", &helper(), "event", event]).end();
        assert_eq!(end.code, code, "{end:#?}");
        assert!(end.says(": stopping"), "{end:#?}");
    }
}

#[test]
fn at_the_end_of_the_session_foster_stays_until_its_services_are_down() {
    for event in [2, 5, 6] {
        let folder = Folder::new();
        let file = folder.file("busy", "");
        let line = helping(&format!("polite {} {event}", windows(&file)));
        let mut foster = foster(["--stop-timeout", "infinity", "--wrap", &line]);
        foster.logged("SIGTERM: stopping");
        foster.close_stdin();
        foster.logged("exited with status 0, as requested");
        // A handler that had returned would have ended foster, and this process with it.
        fs::remove_file(&file).expect("the file is there until now");
        foster.expect("up");
        foster.expect("tidied up");
        assert_eq!(foster.end().code, 0);
    }
}

#[test]
fn foster_has_one_thread_while_idle() {
    let mut foster = foster_with(&[], ["--wrap", &helping("threads")]);
    foster.expect("threads 1");
    assert_eq!(foster.threads(), 1);
}
