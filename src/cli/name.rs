//! What a service is called where nobody gave it a name: its program, without the folder.
//!
//! Of a line for a shell that is the first word which is a program: not `cd`, `if` or an
//! assignment, nor what only leads to it, as `exec` and `nice` do. This knows just enough of a
//! shell's grammar to find it; a name that it gets wrong is a poor name and no more.

use crate::config::ServiceConfig;

use super::voice::OneLine;
use super::{Platform, wrap};

/// Names each service that has no name; of those that would have the same one, each gets its
/// number among them too.
pub(super) fn name_all(services: &mut [ServiceConfig], platform: Platform) {
    let mut derived = Vec::new();
    for (index, service) in services.iter_mut().enumerate() {
        if service.name.is_empty() {
            service.name = name_of(service, platform);
            derived.push(index);
        }
    }
    if services.len() < 2 {
        return;
    }
    let mut order: Vec<usize> = (0..services.len()).collect();
    // It allocates nothing, and with the place behind the name it keeps their order.
    order.sort_unstable_by(|a, b| (&services[*a].name, a).cmp(&(&services[*b].name, b)));
    let (mut begin, mut end) = (0, 0);
    while begin < order.len() {
        while end < order.len() && services[order[end]].name == services[order[begin]].name {
            end += 1;
        }
        if end - begin > 1 {
            let shared = services[order[begin]].name.clone();
            for (number, index) in (1..).zip(&order[begin..end]) {
                // One that was given is kept as it is.
                if derived.binary_search(index).is_ok() {
                    services[*index].name = format!("{shared}#{number}").into();
                }
            }
        }
        begin = end;
    }
}

/// The name that a service has by its words.
fn name_of(service: &ServiceConfig, platform: Platform) -> Box<str> {
    let program = if service.in_shell {
        // The last word, on every platform.
        let line = service.argv.words().last().unwrap_or_default();
        program(&mut Tokens { rest: line, platform }, platform).unwrap_or(match platform {
            Platform::Linux => b"sh",
            Platform::Windows => b"cmd",
        })
    } else {
        let words = &mut service.argv.words().map(Token::Word);
        program(words, platform).unwrap_or_default()
    };
    let path = program.strip_suffix(b"\"").unwrap_or(program);
    let separates = |byte: &u8| *byte == b'/' || *byte == b'\\' && platform == Platform::Windows;
    let name = path.rsplit(separates).next().unwrap_or_default();
    let mut shown = OneLine(if name.is_empty() { path } else { name }).to_string();
    if service.in_shell {
        shown.retain(|letter| !"'\"\\$(){}`@^%".contains(letter));
    }
    if shown.is_empty() { "?".into() } else { shown.into() }
}

/// What the look has come to.
#[derive(Clone, Copy)]
enum Place {
    /// Where a command begins; behind these wrappers, if any.
    Command(Option<&'static Wrapper>),
    /// In the arguments of a command.
    Arguments,
    /// In front of the `do` of a loop, or the `in` of a `case`.
    Before(&'static [u8]),
    /// In a pattern of a `case`.
    Pattern,
    /// In the condition of an `if` of cmd.exe, of which so many words follow.
    Condition(Option<usize>),
}

/// The program that these commands are about: the one that takes the shell's place by `exec`, or
/// else the first one; or else the first builtin.
fn program<'a>(
    tokens: &mut dyn Iterator<Item = Token<'a>>,
    platform: Platform,
) -> Option<&'a [u8]> {
    let (mut first, mut minor, mut builtin) = (None, None, None);
    let mut place = Place::Command(None);
    let (mut in_exec, mut positional, mut skips, mut semicolon) = (false, 0, false, false);
    for token in tokens {
        let word = match token {
            Token::Word(word) => word,
            Token::End(byte) => {
                place = match place {
                    Place::Before(_) => place,
                    Place::Pattern if byte != b')' => place,
                    Place::Command(_) | Place::Arguments if byte == b';' && semicolon => {
                        Place::Pattern
                    }
                    Place::Command(_) | Place::Arguments | Place::Pattern | Place::Condition(_) => {
                        Place::Command(None)
                    }
                };
                semicolon = byte == b';';
                in_exec = false;
                continue;
            }
        };
        semicolon = false;
        let is = |other: &[u8]| word.eq_ignore_ascii_case(other);
        let is_one_of = |list: &str| list.split(' ').any(|one| is(one.as_bytes()));
        let wrapper = match place {
            Place::Arguments => continue,
            Place::Before(awaited) => {
                if is(awaited) {
                    place = match awaited {
                        b"in" => Place::Pattern,
                        _ => Place::Command(None),
                    };
                }
                continue;
            }
            Place::Pattern => {
                if is(b"esac") {
                    place = Place::Arguments;
                }
                continue;
            }
            Place::Condition(Some(left)) => {
                place = match left {
                    0 | 1 => Place::Command(None),
                    left => Place::Condition(Some(left - 1)),
                };
                continue;
            }
            Place::Condition(None) => {
                place = if is_one_of("/i not") {
                    place
                } else if is_one_of("exist defined errorlevel cmdextversion") {
                    Place::Condition(Some(1))
                } else if word.windows(2).any(|two| two == b"==") {
                    Place::Command(None)
                } else {
                    Place::Condition(Some(2))
                };
                continue;
            }
            Place::Command(wrapper) => wrapper,
        };
        if std::mem::take(&mut skips) || is_assignment(word) {
            continue;
        }
        if let Some(wrapper) = wrapper {
            if is_one_of("-v") && wrapper.0 == "command" {
                place = Place::Arguments;
                continue;
            }
            let is_option = word.starts_with(b"-")
                || platform == Platform::Windows && word.starts_with(b"/")
                || wrapper.0 == "start" && word.starts_with(b"\"");
            if is_option {
                skips = is_one_of(wrapper.2);
                continue;
            }
            if positional > 0 {
                positional -= 1;
                continue;
            }
        } else if is_one_of(KEYWORDS) {
            place = if is_one_of("for select") {
                Place::Before(b"do")
            } else if is(b"case") {
                Place::Before(b"in")
            } else if is(b"function") {
                Place::Arguments
            } else if is(b"if") && platform == Platform::Windows {
                Place::Condition(None)
            } else {
                place
            };
            continue;
        }
        if let Some(wrapper) = WRAPPERS.iter().find(|wrapper| is(wrapper.0.as_bytes())) {
            builtin.get_or_insert(word);
            positional = wrapper.1;
            in_exec |= wrapper.0 == "exec";
            place = Place::Command(Some(wrapper));
            continue;
        }
        place = Place::Arguments;
        let is_builtin = match platform {
            Platform::Linux => is_one_of(BUILTINS),
            Platform::Windows => {
                str::from_utf8(word).is_ok_and(|word| wrap::is_cmd_builtin(word.trim_matches('@')))
            }
        };
        if in_exec {
            return Some(word);
        } else if is_builtin && is_one_of(MINOR) {
            minor.get_or_insert(word);
        } else if is_builtin {
            builtin.get_or_insert(word);
        } else {
            first.get_or_insert(word);
        }
    }
    first.or(minor).or(builtin)
}

/// Whether a word is `NAME=value`.
fn is_assignment(word: &[u8]) -> bool {
    let name = word.split(|byte| *byte == b'=').next().unwrap_or_default();
    name.len() < word.len()
        && !name.is_empty()
        && !name[0].is_ascii_digit()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// A piece of a line.
#[derive(Clone, Copy)]
enum Token<'a> {
    /// A word, with its quotes.
    Word(&'a [u8]),
    /// What ends a command.
    End(u8),
}

/// The pieces of a line, without redirections and comments.
struct Tokens<'a> {
    rest: &'a [u8],
    platform: Platform,
}

impl<'a> Tokens<'a> {
    /// Takes a word off the line, which may be empty.
    fn word(&mut self) -> &'a [u8] {
        let line = self.rest;
        let posix = self.platform == Platform::Linux;
        // What closes the innermost quote or bracket, and how many of these are open.
        let (mut closing, mut depth, mut index) = (0, 0, 0);
        while let Some(&byte) = line.get(index) {
            match byte {
                b'\\' if posix && closing != b'\'' => index += 1,
                b'^' if !posix => index += 1,
                _ if closing != 0 => {
                    if byte == closing {
                        depth -= 1;
                        closing = if depth == 0 { 0 } else { closing };
                    } else if byte == b'(' && closing == b')' {
                        depth += 1;
                    }
                }
                b'"' => (closing, depth) = (byte, 1),
                b'\'' | b'`' if posix => (closing, depth) = (byte, 1),
                b'(' if posix && index > 0 && b"$<>".contains(&line[index - 1]) => {
                    (closing, depth) = (b')', 1);
                }
                b'{' if posix && index > 0 && line[index - 1] == b'$' => {
                    (closing, depth) = (b'}', 1);
                }
                b' ' | b'\t' | b'\r' | b'<' | b'>' => break,
                byte if ENDS.contains(&byte) => break,
                _ => {}
            }
            index += 1;
        }
        let (word, rest) = line.split_at(index.min(line.len()));
        self.rest = rest;
        word
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let (&byte, rest) = self.rest.split_first()?;
            match byte {
                b' ' | b'\t' | b'\r' => self.rest = rest,
                b'#' if self.platform == Platform::Linux => {
                    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
                    self.rest = &rest[end..];
                }
                b'&' if rest.starts_with(b">") => self.rest = rest,
                b'<' | b'>' => {
                    // `>>`, `<<-`, `>&2`, `>|`, and the word behind.
                    let more = rest.iter().position(|byte| !b"<>&| \t".contains(byte));
                    self.rest = &rest[more.unwrap_or(rest.len())..];
                    self.word();
                }
                byte if ENDS.contains(&byte) => {
                    self.rest = rest;
                    return Some(Token::End(byte));
                }
                _ => {
                    let word = self.word();
                    let is_number = word.iter().all(u8::is_ascii_digit);
                    // The descriptor of a redirection.
                    if !is_number || !self.rest.starts_with(b"<") && !self.rest.starts_with(b">") {
                        return Some(Token::Word(word));
                    }
                }
            }
        }
    }
}

/// A program that becomes or runs another: its name, how many words stand between it and that, and
/// the options that take a word of their own.
struct Wrapper(&'static str, u8, &'static str);

const WRAPPERS: [Wrapper; 26] = [
    Wrapper("exec", 0, "-a"),
    Wrapper("command", 0, ""),
    Wrapper("builtin", 0, ""),
    Wrapper("nohup", 0, ""),
    Wrapper("time", 0, "-f -o"),
    Wrapper("env", 0, "-u -C --unset --chdir"),
    Wrapper("nice", 0, "-n --adjustment"),
    Wrapper("ionice", 0, "-c -n --class --classdata"),
    Wrapper("chrt", 1, ""),
    Wrapper("taskset", 1, ""),
    Wrapper("setsid", 0, ""),
    Wrapper("stdbuf", 0, "-i -o -e"),
    Wrapper("timeout", 1, "-k -s --kill-after --signal"),
    Wrapper("flock", 1, "-w -E --timeout"),
    Wrapper("chroot", 1, ""),
    Wrapper("unshare", 0, ""),
    Wrapper("setpriv", 0, "--reuid --regid --ruid --euid --rgid --egid --groups --pdeathsig"),
    Wrapper("prlimit", 0, ""),
    Wrapper("sudo", 0, "-u -g -h -p -C -D -R -T -U --user --group"),
    Wrapper("doas", 0, "-u -C"),
    Wrapper("gosu", 1, ""),
    Wrapper("su-exec", 1, ""),
    Wrapper("setuidgid", 1, ""),
    Wrapper("s6-setuidgid", 1, ""),
    Wrapper("call", 0, ""),
    Wrapper("start", 0, "/d"),
];

/// What stands in front of a command, or in its place.
const KEYWORDS: &str =
    "if then elif else fi while until do done for select case esac in function { } !";

/// What a shell does by itself, and what most often just prepares or ends what a line is about.
const BUILTINS: &str = ". : [ [[ alias bg break cd continue declare dirs echo eval exit export false fg \
                        getopts hash jobs kill let local popd printf pushd pwd read readonly return \
                        set shift shopt source test times trap true type typeset ulimit umask \
                        unalias unset wait";

/// Those of the builtins that are programs too, and rather what a line is about than `cd` is.
const MINOR: &str = "[ echo false kill printf pwd test true";

/// What ends a command.
const ENDS: &[u8] = b";&|()\n";

#[cfg(test)]
mod tests {
    use super::*;

    use crate::config::Argv;

    #[track_caller]
    fn expect(platform: Platform, lines: &[(&str, &str)]) {
        for (line, name) in lines {
            let argv = Argv::new(["sh", "-c", line]);
            let service = ServiceConfig { in_shell: true, ..ServiceConfig::new(argv) };
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
                ("test -f x || : ; true; app", "app"),
                ("if test -x /a; then app; else other; fi", "app"),
                ("if [ -n \"$X\" ]; then exec app; fi; exec other", "app"),
                ("while true; do app; sleep 1; done", "app"),
                ("until app; do sleep 1; done", "app"),
                ("for f in a b; do app $f; done", "app"),
                ("for f in a b\ndo app $f; done", "app"),
                ("case $X in a|b) app;; *) other;; esac", "app"),
                ("case $X in a) : ;; b) app;; esac", "app"),
                ("case $X in a) X=1;; esac; app", "app"),
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
                ("&>/dev/null app", "app"),
                ("<in app >out", "app"),
                ("< in app", "app"),
                ("command -v x >/dev/null && app", "app"),
                ("'app' $X", "app"),
                ("\"/opt/my app\" $X", "my app"),
                ("$HOME/bin/app -x", "app"),
                ("${HOME:-/x y}/bin/app -x", "app"),
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
    fn a_wrapper_is_looked_behind() {
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
            let service = ServiceConfig::new(Argv::new(words));
            assert_eq!(&*name_of(&service, Platform::Linux), name, "{words:?}");
        }
    }

    #[test]
    fn a_line_without_a_program_is_called_by_its_first_builtin_or_the_shell() {
        expect(
            Platform::Linux,
            &[
                ("exit 3", "exit"),
                ("cd /; true; exit 3", "true"),
                ("cd / && echo x", "echo"),
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
                ("if exist C:\\x app.exe", "app.exe"),
                ("if not exist C:\\x (echo no) else app.exe", "app.exe"),
                ("if /i \"%A%\"==\"b\" app.exe", "app.exe"),
                ("if %A% equ 3 app.exe", "app.exe"),
                ("for %i in (a b) do app.exe %i", "app.exe"),
                ("call app.bat %X%", "app.bat"),
                ("start \"title\" /wait app.exe", "app.exe"),
                ("@app.exe", "app.exe"),
                ("exit 3", "exit"),
                ("(dir)", "dir"),
                ("%A%", "A"),
                ("&", "cmd"),
            ],
        );
    }
}
