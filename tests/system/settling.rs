//! "Under dumb-init's and catatonit's name foster leaves its directory, and closes what it inherited,
//! before the child's first instruction", however slow it is; and a child is forked where it may not
//! share foster's memory.

use crate::subject::{Folder, binary, foster, probe_line, quick};
use crate::support::{Launch, Place, Status};

/// What the child sees of foster's directory, and whether it finds something there that foster
/// inherited, is what it sees first.
const LOOK: &str = "readlink /proc/$PPID/cwd; \
    for f in /proc/$PPID/fd/*; do [ \"$(readlink $f)\" != /dev/full ] || echo inherited; done; \
    pwd; [ \"$(readlink /proc/self/fd/5)\" = /dev/full ] && echo mine";

/// foster under this name, with each of these calls of its own a third of a second late.
fn late(name: &str, calls: &str) -> Launch {
    let delay = format!("inject={calls}:delay_enter=300000");
    let strace = ["-qq", "-o", "/dev/null", "-e", &format!("trace={calls}"), "-e", &delay];
    let launch = Launch::new("strace").args(strace).arg(binary()).args(["--as", name, "--"]);
    // strace itself has descriptors from 3 on.
    launch.inheriting("open=/dev/null open=/dev/null open=/dev/full").directory("/usr")
}

#[test]
fn a_peers_own_directory_and_descriptors_are_left_before_the_child_runs() {
    for (name, calls, seen) in [
        ("dumb-init", "chdir", "/\ninherited\n/usr\nmine\n"),
        ("catatonit", "chdir,close_range", "/\n/usr\nmine\n"),
    ] {
        let output = late(name, calls).args(["/bin/sh", "-c", LOOK]).output();
        assert_eq!((output.code(), output.stdout.as_str()), (0, seen), "{name}: {output:?}");
    }
}

#[test]
fn a_child_that_was_forked_fails_as_any_other() {
    let folder = Folder::new();
    folder.script("text", "#!/no/such/interpreter\n");
    let under = |name, program| {
        let launch = foster().args(["--as", name, "--", program]).directory(folder.path(""));
        let output = launch.output();
        (output.code(), output.stderr.lines().last().unwrap_or_default().to_owned())
    };
    let none = "[dumb-init] no-such: No such file or directory";
    assert_eq!(under("dumb-init", "no-such"), (2, none.to_owned()));
    let none = ": failed to exec pid1: No such file or directory";
    assert!(under("catatonit", "./no-such").1.ends_with(none));
    // The file is looked for where the child is, not where foster has gone to.
    let output = forking().args(["--", "./text"]).directory(folder.path("")).output();
    let text =
        "foster: error: cannot start text: './text': it exists, but its interpreter or loader";
    assert!(output.code() == 126 && output.stderr.contains(text), "{output:?}");
    let output = forking().args(["--", "/tmp"]).output();
    assert_eq!(output.code(), 126, "{output:?}");
    let output = forking().args(["--", "no-such"]).output();
    assert_eq!(output.code(), 127, "{output:?}");
}

#[test]
fn without_pipes_the_child_comes_first() {
    for name in ["dumb-init", "catatonit"] {
        let launch = foster().args(["--as", name, "--"]).probe("cwd exit=7").directory("/usr");
        let output = launch.inheriting("deny=pipe2:EMFILE").output();
        assert_eq!((output.code(), output.stdout.as_str()), (7, "cwd: /usr\n"), "{output:?}");
    }
}

/// foster where no child may share its memory.
fn forking() -> Launch {
    foster().inheriting("deny=shared-clone:EPERM")
}

#[test]
fn where_no_child_may_share_its_memory_foster_says_so_once_and_forks() {
    let warning = "foster: warning: cannot start a command in foster's own memory (clone with \
                   CLONE_VM and CLONE_VFORK): Operation not permitted; forking for each start\n";
    for place in [Place::Pid1, Place::Job] {
        let mut run = forking().arg("--").probe("fds trap").place(place).start();
        assert_eq!(run.line(), "fds: 0 1 2");
        run.expect("trapping");
        run.signal("USR1");
        run.expect("got USR1");
        run.signal("TERM");
        run.expect("got TERM");
        assert_eq!(run.errors(), warning);
        run.signal("KILL");
        assert_ne!(run.wait_for_status(), Status::Code(0));
    }
    let launch = quick(forking()).args(["--max-restarts", "3", "--wrap"]);
    let output = launch.arg(probe_line("fds exit=3")).output();
    assert_eq!((output.code(), output.stdout.as_str()), (3, &*"fds: 0 1 2\n".repeat(4)));
    assert_eq!(output.stderr.matches(warning).count(), 1, "{output:?}");
    // The peers fork in any case, and have no words for it.
    for name in ["tini", "dumb-init", "catatonit"] {
        let launch = forking().args(["--as", name, "--"]).probe("exit=7");
        let output = launch.place(Place::Pid1).output();
        assert_eq!((output.code(), output.stderr.as_str()), (7, ""), "{name}");
    }
}
