//! Command lines made up of what they know and what they do not: the original and foster come to
//! the same.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::subject::Folder;
use crate::support::launch::forget_dispositions;

#[test]
#[ignore = "needs the originals beside foster"]
fn random_command_lines_give_the_same_result() {
    let folder = Folder::new();
    folder.script("no-shebang", "echo \"$0 $1\"\nexit 4\n");
    folder.script("no-interpreter", "#!/nobody\n");
    folder.script("empty", "");
    folder.file("not-executable", "#!/bin/sh\n", 0o644);
    folder.link("looping", "looping");
    let mut random = Random(0x5eed);
    for round in 0..ROUNDS {
        for peer in [&TINI, &DUMB_INIT, &CATATONIT] {
            let case = Case::new(peer, &mut random);
            let ours = || case.run(env!("CARGO_BIN_EXE_foster"), false, folder.path());
            let theirs = || case.run(peer.original, true, folder.path());
            // The originals have races of their own.
            let is_theirs = |ours: &_| (0..5).any(|_| theirs() == *ours);
            let mut result = ours();
            // On a busy machine the orphan may end behind the command, once.
            if case.words.iter().any(|word| word == ORPHAN) && !is_theirs(&result) {
                result = ours();
            }
            if !is_theirs(&result) {
                assert_eq!(result, theirs(), "ours and theirs in round {round}: {case:?}");
            }
        }
    }
}

const ROUNDS: usize = 1000;

/// What one of the three may be given.
struct Peer {
    name: &'static str,
    original: &'static str,
    /// Options with the values for them, which a blank at the end makes words of their own.
    options: &'static [(&'static [&'static str], &'static [&'static str])],
    variables: &'static [(&'static str, &'static [&'static str])],
    /// What only the original says, all of it harmless; docs/COMPAT.md lists it.
    only_theirs: &'static [&'static str],
    /// How the usage begins; the rest is in our own words.
    usage: &'static str,
}

const TINI: Peer = Peer {
    name: "tini",
    original: "/usr/bin/tini",
    options: &[
        (&["-v", "-w", "-g", "-s", "-vvv", "-wg", "-sv", "-vvwgs", "-vs"], &[]),
        (&["-e", "-e ", "-ge", "-sve "], NUMBERS),
        (&["-p", "-p ", "-wp", "-vp "], NAMES),
        (&["-h", "-l", "-x", "-V", "-:", "-?", "-s-", "--v", "---", "-e", "-p", "-gh", "-"], &[]),
        (&["--version", "--help", "--"], &[]),
    ],
    variables: &[
        ("TINI_SUBREAPER", &["", "1", "0"]),
        ("TINI_KILL_PROCESS_GROUP", &["", "0"]),
        ("TINI_VERBOSITY", &["", "0", "1", "2", "3", "4", "abc", "-1", " +3x", "4294967298"]),
    ],
    only_theirs: &[
        "Registered as child subreaper",
        "No child to wait",
        "No child to reap",
        "tcsetpgrp failed: no tty (ok to proceed)",
    ],
    usage: " [OPTIONS] PROGRAM ",
};

const DUMB_INIT: Peer = Peer {
    name: "dumb-init",
    original: "/usr/bin/dumb-init",
    options: &[
        (&["-v", "-c", "-vc", "-cv", "--verbose", "--single-child", "--verb", "--s"], &[]),
        (&["-r", "-r ", "-vr", "-cr ", "--rewrite ", "--rew=", "--r "], RULES),
        (&["-h", "-V", "-x", "-:", "-?", "-r", "-vV", "-vh", "-", "-s"], &[]),
        (&["--version", "--help", "--vers", "--ver", "--v", "--h", "--help=3", "--"], &[]),
        (&["--rewrite", "--=", "--yolo", "--single_child", "---v", "--verbose="], &[]),
    ],
    variables: &[
        ("DUMB_INIT_DEBUG", &["1", "0", "", "true", "11", " 1"]),
        ("DUMB_INIT_SETSID", &["0", "1", "", "00", "no"]),
    ],
    only_theirs: &[
        "Unable to detach from controlling tty",
        "Unable to attach to controlling tty",
        "Translating signal 15 to 15.",
    ],
    usage: " [option] command ",
};

const CATATONIT: Peer = Peer {
    name: "catatonit",
    original: "/usr/bin/catatonit",
    options: &[
        (&["-g", "-gg", "--"], &[]),
        (&["-h", "-L", "-V", "-x", "-:", "-?", "-gV", "-gh", "-gx", "-", "-s", "---v"], &[]),
        (&["--version", "--v", "--vers", "--version=", "--version=3", "--help", "--="], &[]),
    ],
    // Not CATATONIT_DEBUG: the original and its child write their lines in parts, at once.
    variables: &[("LISTEN_PID", &["", "1", "x"]), ("CATATONIT_LOG", &["", "debug"])],
    only_theirs: &[],
    usage: "usage: catatonit ",
};

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "3",
    "15",
    "127",
    "128",
    "143",
    "255",
    "256",
    "-1",
    "+3",
    " 3",
    "3 ",
    "\t3",
    "",
    "03",
    "0x3",
    "3x",
    "-0",
    "9999999999",
    "99999999999999999999",
    "--",
    "-",
    "4294967297",
    "½",
];
const NAMES: &[&str] = &[
    "SIGTERM",
    "SIGHUP",
    "SIGCHLD",
    "SIGCLD",
    "SIGABRT",
    "SIGIOT",
    "SIGSYS",
    "SIGURG",
    "SIGCONT",
    "SIGWINCH",
    "SIGVTALRM",
    "SIGSTOP",
    "SIGKILL",
    "SIGUNUSED",
    "SIGRTMIN",
    "SIGSTKFLT",
    "SIGIO",
    "SIGPOLL",
    "SIGPWR",
    "SIG",
    "SIGTERM ",
    " SIGTERM",
    "TERM",
    "sigterm",
    "15",
    "",
    "--",
];
const RULES: &[&str] = &[
    "15:2",
    "15:0",
    "15:15",
    "2:3",
    "0:1",
    "31:31",
    "32:1",
    "1:32",
    "-1:3",
    "15:-1",
    "15",
    "15:",
    "15:x",
    " 15: 2",
    "15 :2",
    "+15:+2",
    "15:2x",
    "15x:2",
    "4294967311:2",
    "",
    "a:b",
    "20:19",
    "17:15",
    "9:15",
    "1:2:3",
    "015:02",
    "0x0f:2",
    "12:10",
    "10:0",
    "SIGTERM:SIGINT",
    "28:10",
];
/// Leaves an orphan, which most often ends first.
const ORPHAN: &str = "(:&); exec sleep 0.03";
const COMMANDS: &[&[&str]] = &[
    &[],
    &["true"],
    &["false"],
    &["sh", "-c", "exit 3"],
    &["sh", "-c", "exit 127"],
    &["sh", "-c", "exit 143"],
    &["sh", "-c", "kill -KILL $$"],
    &["sh", "-c", "kill -TERM $$"],
    &["sh", "-c", "kill -TERM $PPID; exec sleep 60"],
    &["sh", "-c", "kill -USR2 $PPID; exec sleep 60"],
    &["sh", "-c", "kill -34 $PPID; exec sleep 60"],
    &["sh", "-c", ORPHAN],
    &["echo", "a", "--", "-h"],
    &["echo", "-h", "--version", ""],
    &["printenv", "TINI_SUBREAPER", "DUMB_INIT_DEBUG", "LISTEN_PID"],
    &["nobody"],
    &["/nobody"],
    &["/"],
    &[""],
    &["."],
    &["/etc/passwd"],
    &["/etc/passwd/x"],
    &["./no-shebang", "-v"],
    &["./no-interpreter"],
    &["./not-executable"],
    &["./empty"],
    &["./looping"],
    &["sh/"],
];

/// One command line with its environment.
#[derive(Debug)]
struct Case {
    peer: &'static str,
    words: Vec<String>,
    variables: Vec<(&'static str, &'static str)>,
    only_theirs: &'static [&'static str],
    usage: &'static str,
}

/// The status, and the lines of stdout and stderr in an order of their own: who writes first,
/// the child or its init, is nobody's promise.
type Outcome = (Option<i32>, Vec<String>, Vec<String>);

impl Case {
    fn new(peer: &Peer, random: &mut Random) -> Case {
        let path = ["", "/usr/bin/", "./"][random.below(3)];
        let mut words = vec![format!("{path}{}", peer.name)];
        for _ in 0..random.below(4) {
            // What is harmless comes first in the list, and often.
            let kind = random.below(peer.options.len() + 3).saturating_sub(3);
            let (options, values) = peer.options[kind];
            let value = if values.is_empty() { "" } else { random.one_of(values) };
            let option = random.one_of(options);
            match option.strip_suffix(' ') {
                Some(option) => words.extend([option.to_owned(), value.to_owned()]),
                None => words.push([option, value].concat()),
            }
        }
        if random.below(3) == 0 {
            words.push("--".to_owned());
        }
        words.extend(random.one_of(COMMANDS).iter().map(|word| word.to_string()));
        let mut variables = vec![(
            "PATH",
            random.one_of(&["/usr/bin:/bin", "/usr/bin:/bin", ":/bin", "/etc/passwd:/none"]),
        )];
        for (name, values) in peer.variables {
            let often = if *name == "CATATONIT_LOG" { 30 } else { 4 };
            if random.below(often) == 0 {
                variables.push((name, random.one_of(values)));
            }
        }
        let &Peer { name: peer, only_theirs, usage, .. } = peer;
        Case { peer, words, variables, only_theirs, usage }
    }

    fn run(&self, program: &str, is_original: bool, directory: &Path) -> Outcome {
        let mut command = Command::new(program);
        command.arg0(&self.words[0]).args(&self.words[1..]).current_dir(directory);
        command.env_clear().envs(self.variables.iter().copied());
        if is_original && self.peer != "dumb-init" {
            command.env("POSIXLY_CORRECT", "1");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // SAFETY: these are system calls on numbers, in a process that is about to do an exec.
        unsafe {
            command.pre_exec(|| {
                forget_dispositions();
                Ok(())
            });
        }
        let child = command.spawn().expect("it starts");
        let pid = child.id();
        let output = child.wait_with_output().expect("it ends");
        let lines = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let mut lines = self.comparable(&text, pid);
            lines.sort_unstable();
            lines
        };
        (output.status.code(), lines(&output.stdout), lines(&output.stderr))
    }

    /// Lines without what may differ: pids, the words of usage and licence, and what only the
    /// original says.
    fn comparable(&self, text: &str, pid: u32) -> Vec<String> {
        let mut lines = Vec::new();
        for line in text.lines() {
            if line.contains("MIT License")
                || line.contains("GNU General Public License")
                || line.starts_with("This is foster ")
            {
                return vec!["LICENCE".to_owned()];
            }
            if let Some(at) = line.find(self.usage) {
                lines.push(line[..at + self.usage.len()].to_owned());
                break;
            }
            if !self.only_theirs.iter().any(|theirs| line.contains(theirs)) {
                lines.push(without_pids(line, pid));
            }
        }
        lines
    }
}

/// A line with every pid replaced by a word, and with the one version that is not the same.
fn without_pids(line: &str, own: u32) -> String {
    // What could be read as another line, or move the cursor, foster writes as a question mark.
    let line = line.replace(|c: char| c.is_control(), "?");
    let mut line = line.replace("tini version 0.1.7_", "tini version 0.2.1_");
    let marks = ["tini (", "(catatonit:", "PID ", "pid '", "pid: '", "pid=", "pid1 (", "process "];
    for mark in marks {
        let Some(start) = line.find(mark).map(|at| at + mark.len()) else { continue };
        let rest = &line[start..];
        let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if length > 0 {
            let word = if rest[..length] == own.to_string() { "INIT" } else { "CHILD" };
            line.replace_range(start..start + length, word);
        }
    }
    line
}

/// Numbers that look random and are the same each time (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn one_of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}
