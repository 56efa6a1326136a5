//! The completions in the shells that they are for, each on a terminal: what is typed, and the
//! command line that comes of it.

use std::fs;
use std::path::Path;

use crate::subject::Folder;
use crate::support::patience::until;
use crate::support::skip::skip;
use crate::support::{Launch, Place, Running};

/// What is typed in front of a tab, and the arguments that foster gets then.
const EVERYWHERE: [(&str, &str); 17] = [
    ("--keep-o\t", "<--keep-orphans>"),
    ("--restart ne\t", "<--restart><never>"),
    ("--restart=ne\t", "<--restart=never>"),
    ("--stop-signal TE\t", "<--stop-signal><TERM>"),
    ("--stop-signal SIGTE\t", "<--stop-signal><SIGTERM>"),
    ("--stop-signal=SIGTE\t", "<--stop-signal=SIGTERM>"),
    ("--parent-death-signal HU\t", "<--parent-death-signal><HUP>"),
    ("--success SIGTE\t", "<--success><SIGTERM>"),
    ("--stop-to leader-\t", "<--stop-to><leader-first>"),
    ("--leftovers te\t", "<--leftovers><term>"),
    ("--app-port no\t", "<--app-port><none>"),
    ("--name web --log-format=js\t", "<--name><web><--log-format=json>"),
    ("--stop-timeout inf\t", "<--stop-timeout><infinity>"),
    ("--as dumb\t", "<--as><dumb-init>"),
    ("-- quaint\t", "<--><quaint-program>"),
    ("quaint\t", "<quaint-program>"),
    (
        "--restart never -- quaint-program --resta\t",
        "<--restart><never><--><quaint-program><--resta>",
    ),
];

/// A shell that waits on a terminal for what is typed.
struct Shell {
    folder: Folder,
    run: Running,
    answers: usize,
}

impl Shell {
    /// Starts it with these lines first; none where it is not installed.
    fn start(program: &str, args: &[&str], file: &str, lines: &str) -> Option<Shell> {
        if !Path::new(program).exists() {
            skip(&format!("there is no {program}"));
            return None;
        }
        let folder = Folder::new();
        folder.script("quaint-program", "#!/bin/sh\n");
        fs::create_dir_all(folder.path(file).parent().expect("a folder")).expect("it is ours");
        let own = env!("CARGO_MANIFEST_DIR").to_owned() + "/docs/completions";
        let lines = lines.replace("$COMPLETIONS", &own).replace("$HERE", &folder.word(""));
        fs::write(folder.path(file), lines).expect("the folder is ours");
        let args = args.iter().map(|arg| arg.replace("$HERE", &folder.word("")));
        let path = format!("{}:/usr/bin:/bin", folder.word("").trim_end_matches('/'));
        let launch = Launch::new(program).args(args).env("PATH", path).env("TERM", "xterm");
        let launch = launch.env("HOME", folder.word("")).env("ZDOTDIR", folder.word(""));
        let launch = launch.env("XDG_CONFIG_HOME", folder.word("")).directory(folder.path(""));
        let run = launch.place(Place::TerminalLeader).start();
        let mut shell = Shell { folder, run, answers: 0 };
        shell.await_answer("ready");
        Some(shell)
    }

    /// The next line that was written to `answers`.
    fn await_answer(&mut self, what: &str) -> String {
        let (path, number) = (self.folder.path("answers"), self.answers);
        self.answers += 1;
        until(&format!("no answer to {what:?}"), || {
            // A shell whose output nobody reads would wait.
            self.run.terminal().discard_output();
            let text = fs::read_to_string(&path).ok()?;
            let line = text.split_inclusive('\n').nth(number)?;
            line.strip_suffix('\n').map(str::to_owned)
        })
    }

    fn completes(&mut self, typed: &str, expected: &str) {
        // What was typed so far is completed before the next is, whatever comes in between.
        self.run.terminal().type_text(&format!("foster {typed}"));
        self.run.terminal().type_text("\n");
        let got = self.await_answer(typed);
        assert_eq!(got.replace("<>", ""), expected, "of {typed:?}");
    }
}

/// What foster is to the shell: a function that writes down its arguments.
const FUNCTION: &str =
    "foster() { { printf '<%s>' \"$@\"; echo; } >>$HERE/answers; }\necho ready >>$HERE/answers\n";

#[test]
fn bash_completes_without_bash_completion() {
    let lines = format!("PS1=\nsource $COMPLETIONS/foster.bash\n{FUNCTION}");
    let args = ["--noprofile", "--rcfile", "$HERE/rc", "-i"];
    let Some(mut shell) = Shell::start("/bin/bash", &args, "rc", &lines) else { return };
    EVERYWHERE.iter().for_each(|(typed, expected)| shell.completes(typed, expected));
    // The arguments of a command are files then.
    shell.completes("-- quaint-program answ\t", "<--><quaint-program><answers>");
    shell.completes(
        "--rewrite HUP:SIGUSR1 -- quaint\t",
        "<--rewrite><HUP:SIGUSR1><--><quaint-program>",
    );
    // Where = does not end a word.
    shell.completes("x; COMP_WORDBREAKS=${COMP_WORDBREAKS//=}", "<x>");
    shell.completes("--restart=ne\t", "<--restart=never>");
}

#[test]
fn bash_completes_with_bash_completion() {
    let library = "/usr/share/bash-completion/bash_completion";
    if !Path::new(library).exists() {
        return skip("there is no bash-completion");
    }
    let lines = format!(
        "PS1=\nsource {library}\nsource $COMPLETIONS/foster.bash\n\
         complete -W argument-one quaint-program\n{FUNCTION}"
    );
    let args = ["--noprofile", "--rcfile", "$HERE/rc", "-i"];
    let Some(mut shell) = Shell::start("/bin/bash", &args, "rc", &lines) else { return };
    EVERYWHERE.iter().for_each(|(typed, expected)| shell.completes(typed, expected));
    shell.completes("-- quaint-program arg\t", "<--><quaint-program><argument-one>");
    shell.completes("-v quaint-program arg\t", "<-v><quaint-program><argument-one>");
}

#[test]
fn zsh_completes() {
    let lines = format!(
        "PS1=\nfpath=($COMPLETIONS $fpath)\nautoload -Uz compinit\ncompinit -u -D\n\
         _quaint() {{ compadd argument-one }}\ncompdef _quaint quaint-program\n{FUNCTION}"
    );
    let Some(mut shell) = Shell::start("/usr/bin/zsh", &["-d", "-i"], ".zshrc", &lines) else {
        return;
    };
    EVERYWHERE.iter().for_each(|(typed, expected)| shell.completes(typed, expected));
    shell.completes("-- quaint-program arg\t", "<--><quaint-program><argument-one>");
    shell.completes("-v quaint-program arg\t", "<-v><quaint-program><argument-one>");
}

#[test]
fn fish_completes() {
    let lines = "function fish_prompt; end\nfunction fish_greeting; end\n\
         source $COMPLETIONS/foster.fish\ncomplete -c quaint-program -x -a argument-one\n\
         function foster; begin; printf '<%s>' $argv; echo; end >>$HERE/answers; end\n\
         function ready --on-event fish_prompt; functions -e ready; echo ready >>$HERE/answers; end\n";
    let file = "fish/config.fish";
    let Some(mut shell) = Shell::start("/usr/bin/fish", &["-i"], file, lines) else { return };
    EVERYWHERE.iter().for_each(|(typed, expected)| shell.completes(typed, expected));
    shell.completes("-- quaint-program arg\t", "<--><quaint-program><argument-one>");
    shell.completes("-v quaint-program arg\t", "<-v><quaint-program><argument-one>");
}
