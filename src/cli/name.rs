//! The name of a service without `--name`: its program, without the folder.
//!
//! For a shell line, it is the first word that is a program: not `cd`, `if` or an assignment, nor
//! one that only leads to it, like `exec` and `nice`. This knows just enough of a shell's grammar
//! to find it in an ordinary line. A wrong guess is only a poor name, and `--name` gives a better
//! one.

use crate::config::ServiceConfig;

use super::show::OneLine;
use super::{Platform, wrap};

/// Names each service that has no name. Services with the same name are numbered.
pub(super) fn name_all(services: &mut [ServiceConfig], platform: Platform) {
    let mut derived = Vec::new();
    for (index, service) in services.iter_mut().enumerate() {
        if service.name.is_empty() {
            service.name = name_of(service, platform);
            derived.push(index);
        }
    }
    let mut order: Vec<usize> = (0..services.len()).collect();
    // This sort allocates nothing, and with the place as the second key it keeps their order.
    order.sort_unstable_by(|a, b| (&services[*a].name, a).cmp(&(&services[*b].name, b)));
    // The number of each among those of its name, from 1 on; 0 if it is the only one.
    let mut numbers = vec![0; services.len()];
    for two in order.windows(2) {
        let (before, this) = (two[0], two[1]);
        if services[before].name == services[this].name {
            numbers[before] = numbers[before].max(1);
            numbers[this] = numbers[before] + 1;
        }
    }
    for index in derived.into_iter().filter(|index| numbers[*index] > 0) {
        let name = &mut services[index].name;
        *name = format!("{name}#{}", numbers[index]).into();
    }
}

/// The name of a service from its words.
fn name_of(service: &ServiceConfig, platform: Platform) -> Box<str> {
    let found = if service.program.in_shell {
        // On every platform it is the last word.
        let rest = service.program.argv.words().last().unwrap_or_default();
        program(&mut Words { rest, platform }, platform)
    } else {
        program(&mut service.program.argv.words(), platform)
    };
    let path = found.unwrap_or(match platform {
        Platform::Linux if service.program.in_shell => b"sh",
        Platform::Windows if service.program.in_shell => b"cmd",
        Platform::Linux | Platform::Windows => b"",
    });
    let path = path.strip_suffix(b"\"").unwrap_or(path);
    let separates = |byte: &u8| *byte == b'/' || *byte == b'\\' && platform == Platform::Windows;
    let name = path.rsplit(separates).next().filter(|name| !name.is_empty()).unwrap_or(path);
    let mut plain = Vec::new();
    for byte in name {
        if !(service.program.in_shell && b"'\"\\$(){}`@^%".contains(byte)) {
            plain.push(*byte);
        }
    }
    if plain.is_empty() {
        plain.push(b'?');
    }
    format!("{}", OneLine(&plain)).into()
}

/// The program that these commands are about: the one that replaces the shell by `exec`, else the
/// first one, else the first builtin. An empty word ends a command.
fn program<'a>(words: &mut dyn Iterator<Item = &'a [u8]>, platform: Platform) -> Option<&'a [u8]> {
    let (mut first, mut builtin) = (None, None);
    // Whether the words are arguments, and whether they follow a wrapper, so that the next ones may
    // be options.
    let (mut in_arguments, mut in_wrapper, mut in_exec) = (false, false, false);
    let mut skips = false;
    for word in words {
        let is_one_of =
            |list: &str| list.split(' ').any(|one| word.eq_ignore_ascii_case(one.as_bytes()));
        if word.is_empty() {
            (in_arguments, in_wrapper, in_exec, skips) = (false, false, false, false);
            continue;
        }
        if in_arguments || std::mem::take(&mut skips) || is_assignment(word) {
            continue;
        }
        if in_wrapper && (word[0] == b'-' || word[0].is_ascii_digit()) {
            skips = is_one_of(VALUED);
        } else if is_one_of(KEYWORDS) {
            // The words of a loop are not its commands.
            in_arguments = is_one_of("for select case function");
        } else if is_one_of(WRAPPERS) || is_one_of(SWITCHERS) {
            builtin.get_or_insert(word);
            (in_wrapper, skips) = (true, is_one_of(SWITCHERS));
            in_exec |= is_one_of("exec");
        } else {
            in_arguments = true;
            let is_builtin = match platform {
                Platform::Linux => is_one_of(BUILTINS),
                Platform::Windows => str::from_utf8(word)
                    .is_ok_and(|word| wrap::is_cmd_builtin(word.trim_matches('@'))),
            };
            if in_exec {
                return Some(word);
            }
            if is_builtin { &mut builtin } else { &mut first }.get_or_insert(word);
        }
    }
    first.or(builtin)
}

/// Whether a word is `NAME=value`.
fn is_assignment(word: &[u8]) -> bool {
    let equals = word.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    equals.is_some_and(|at| at > 0 && word[at] == b'=' && !word[0].is_ascii_digit())
}

/// The words of a line, quotes included, without redirections and comments. An empty word ends a
/// command.
struct Words<'a> {
    rest: &'a [u8],
    platform: Platform,
}

impl<'a> Words<'a> {
    /// Takes a word from the line, which may be empty.
    fn word(&mut self) -> &'a [u8] {
        let line = self.rest;
        let is_posix = self.platform == Platform::Linux;
        // The byte that closes a quote, or the brackets of a command inside a word.
        let (mut closing, mut index) = (0, 0);
        while let Some(&byte) = line.get(index) {
            if closing != 0 {
                closing = if byte == closing { 0 } else { closing };
            } else if byte == b'"' || is_posix && b"'`".contains(&byte) {
                closing = byte;
            } else if is_posix && byte == b'(' && index > 0 && line[index - 1] == b'$' {
                closing = b')';
            } else if ENDS.contains(&byte) {
                break;
            }
            index += 1;
        }
        let (word, rest) = line.split_at(index);
        self.rest = rest;
        word
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let (&byte, rest) = self.rest.split_first()?;
            match byte {
                b' ' | b'\t' | b'\r' => self.rest = rest,
                b'<' | b'>' => {
                    // `>>`, `>&2`, `>|`, and the word after it.
                    let more = rest.iter().position(|byte| !b"<>&| ".contains(byte));
                    self.rest = &rest[more.unwrap_or(rest.len())..];
                    self.word();
                }
                _ if ENDS.contains(&byte) => {
                    self.rest = rest;
                    return Some(b"");
                }
                _ => {
                    let word = self.word();
                    let is_comment = byte == b'#' && self.platform == Platform::Linux;
                    // A number before a redirection is its descriptor.
                    let is_number = word.iter().all(u8::is_ascii_digit)
                        && self.rest.first().is_some_and(|byte| b"<>".contains(byte));
                    if is_comment {
                        let end = self.rest.iter().position(|byte| *byte == b'\n');
                        self.rest = &self.rest[end.unwrap_or(self.rest.len())..];
                    } else if !is_number {
                        return Some(word);
                    }
                }
            }
        }
    }
}

/// Programs that become or run another one, named after their options.
const WRAPPERS: &str = "call chrt doas env exec ionice nice nohup prlimit setpriv setsid start stdbuf \
                        sudo taskset time timeout unshare";

/// Wrappers that take one word before it: whom to become, or where.
const SWITCHERS: &str = "chroot flock gosu s6-setuidgid setuidgid su-exec";

/// Their options that take a word other than a number.
const VALUED: &str = "-a -C -g -u --regid --reuid --user";

/// Words before a command, or in its place.
const KEYWORDS: &str =
    "if then elif else fi while until do done for select case esac in function { } !";

/// Builtins of a shell, and programs that most often just prepare or end the work of a line.
const BUILTINS: &str = ". : [ [[ alias bg break cd command continue declare dirs echo eval exit export \
                        false fg getopts hash jobs kill let local popd printf pushd pwd read readonly \
                        return set shift shopt source test times trap true type typeset ulimit umask \
                        unalias unset wait";

/// Bytes that end a word. Except for blanks and redirections, they end a command too.
const ENDS: &[u8] = b" \t\r<>;&|()\n";

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    use crate::config::{Argv, Program};

    fn service_of(program: Program) -> ServiceConfig {
        ServiceConfig { name: Box::default(), program, policy: Rc::default() }
    }

    #[track_caller]
    fn expect(platform: Platform, lines: &[(&str, &str)]) {
        for (line, name) in lines {
            let argv = Argv::new(["sh", "-c", line]);
            let service = service_of(Program { in_shell: true, ..Program::new(argv) });
            assert_eq!(&*name_of(&service, platform), *name, "{line}");
        }
    }

    #[test]
    fn a_line_is_called_by_its_first_program() {
        expect(
            Platform::Linux,
            &[
                ("/bin/app | tee x", "app"),
                ("exec app", "app"),
                ("exec /usr/sbin/nginx -g 'daemon off;'", "nginx"),
                ("cd /srv && app --x", "app"),
                ("cd /srv; exec ./app", "app"),
                ("A=1 B='c d' app", "app"),
                ("A=$(date +%s; x) app", "app"),
                ("A=`date; x` app", "app"),
                ("A=\"b; c\" app", "app"),
                ("export X=1; set -e; ulimit -n 5; umask 077; app", "app"),
                (". /etc/env; app", "app"),
                ("source ./env && app", "app"),
                ("[ -x /a ] && app", "app"),
                ("[[ -x /a ]] && app", "app"),
                ("if test -x /a; then app; else other; fi", "app"),
                ("if [ -n \"$X\" ]; then exec app; fi; exec other", "app"),
                ("while true; do app; sleep 1; done", "app"),
                ("until app; do sleep 1; done", "app"),
                ("for f in a b; do app $f; done", "app"),
                ("case $X in a) app;; *) other;; esac", "app"),
                ("test -f x || : ; true; app", "app"),
                ("command -v x >/dev/null && app", "app"),
                ("for f in a b\ndo app $f; done", "app"),
                ("{ app; }", "app"),
                ("(cd /; app)", "app"),
                ("! app", "app"),
                ("trap 'kill $P' TERM; app & P=$!; wait", "app"),
                ("echo starting; app", "app"),
                ("cd /tmp && exec sleep 1", "sleep"),
                ("cd /tmp && sleep 1", "sleep"),
                ("while true; do sleep 1; done", "sleep"),
                ("# first\napp", "app"),
                ("exec >/var/log/x 2>&1; app", "app"),
                ("exec 2>&1 app", "app"),
                ("exec 0<&- app", "app"),
                ("2>/dev/null app", "app"),
                ("<in app >out", "app"),
                ("< in app", "app"),
                ("'app' $X", "app"),
                ("\"/opt/my app\" $X", "my app"),
                ("$HOME/bin/app -x", "app"),
                ("exec \"$APP\" -x", "APP"),
                ("nosuch", "nosuch"),
            ],
        );
    }

    #[test]
    fn what_takes_the_place_of_the_shell_names_it() {
        expect(
            Platform::Linux,
            &[
                ("mkdir -p /run/x && chown a /run/x && exec app", "app"),
                ("migrate; exec nice -n 5 app", "app"),
                ("(exec helper) & exec app", "helper"),
            ],
        );
    }

    #[test]
    fn a_wrapper_gives_way_to_its_program() {
        expect(
            Platform::Linux,
            &[
                ("nohup app &", "app"),
                ("time app; :", "app"),
                ("nice -n 5 app; :", "app"),
                ("nice -n5 ionice -c 2 app; :", "app"),
                ("env -i -u X A=1 app $B", "app"),
                ("A=1 exec env B=2 /bin/app", "app"),
                ("exec -a other app", "app"),
                ("sudo -u www -- app $X", "app"),
                ("gosu www app $X", "app"),
                ("su-exec www:www app $X", "app"),
                ("setpriv --reuid www --clear-groups app $X", "app"),
                ("timeout -k 5 1m app $X", "app"),
                ("taskset -c 0,1 app; :", "app"),
                ("stdbuf -oL app | cat", "app"),
            ],
        );
        for (words, name) in [
            (&["nice", "-n", "5", "/bin/app"][..], "app"),
            (&["env", "A=1", "app", "cd"], "app"),
            (&["env"], "env"),
            (&["/bin/sh", "-c", "exit 3"], "sh"),
            (&["true"], "true"),
            (&["test", "x"], "test"),
            (&["a\nb\u{7}"], "a?b?"),
            (&[""], "?"),
            (&["/"], "/"),
        ] {
            let service = service_of(Program::new(Argv::new(words)));
            assert_eq!(&*name_of(&service, Platform::Linux), name, "{words:?}");
        }
    }

    #[test]
    fn a_line_without_a_program_is_called_by_its_first_builtin_or_the_shell() {
        expect(
            Platform::Linux,
            &[
                ("exit 3", "exit"),
                ("cd /; true; exit 3", "cd"),
                ("cd / && echo x", "cd"),
                ("A=1", "sh"),
                (";", "sh"),
            ],
        );
    }

    #[test]
    fn lines_of_cmd_are_read_by_its_rules() {
        expect(
            Platform::Windows,
            &[
                ("cd C:\\srv && app.exe -x", "app.exe"),
                ("CD /d \"C:\\a b\" & app.exe", "app.exe"),
                ("set A=1&&app.exe", "app.exe"),
                ("@echo off & app.exe", "app.exe"),
                ("echo. & app.exe", "app.exe"),
                ("\"C:\\Program Files\\a\\app.exe\" 'x'", "app.exe"),
                ("C:\\a\\app.exe > C:\\log 2>&1", "app.exe"),
                ("call app.bat %X%", "app.bat"),
                ("start app.exe", "app.exe"),
                ("@app.exe", "app.exe"),
                ("exit 3", "exit"),
                ("(dir)", "dir"),
                ("%A%", "A"),
                ("&", "cmd"),
            ],
        );
    }
}
