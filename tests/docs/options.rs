//! Everything that lists foster's options, checked against the table in `src/cli/options.rs`: the
//! README's table, the man page's section OPTIONS, and the completions of three shells.
//!
//! Where a completion differs, the test prints the lines that belong there.

use foster::cli::{Entry, Id, Kind, SECTIONS, Scope};

use crate::page;

#[test]
fn the_readme_has_a_row_for_each_option() {
    let rows: Vec<[String; 3]> = page::table("README.md", "## Two ways to run")[1..]
        .iter()
        .map(|row| [0, 1, 2].map(|column| row[column].replace('`', "")))
        .collect();
    let expected: Vec<[String; 3]> =
        entries().map(|entry| [usage(entry), variable(entry), entry.default.to_owned()]).collect();
    assert_eq!(rows, expected, "README.md");
}

#[test]
fn the_man_page_has_an_entry_for_each_option() {
    let options = manual_section("OPTIONS");
    let (preface, rest) = options.split_once(".TP\n").expect("there are options");
    let found: Vec<(String, String)> = rest
        .split(".TP\n")
        .map(|entry| entry.split_once('\n').expect("a heading, then a text"))
        .map(|(heading, text)| {
            (plain(heading), text.lines().map(plain).collect::<Vec<_>>().join(" "))
        })
        .collect();
    let headings: Vec<&str> = found.iter().map(|(heading, _)| &**heading).collect();
    let expected: Vec<String> = entries()
        .map(|entry| match variable(entry) {
            none if none.is_empty() => usage(entry),
            variable => format!("{} ({variable})", usage(entry)),
        })
        .collect();
    assert_eq!(headings, expected, "docs/man/foster.1");
    for (entry, (heading, text)) in entries().zip(&found) {
        for value in defaults(entry) {
            assert!(text.contains(value), "{heading} does not name its default {value}: {text}");
        }
        if entry.row.kind.takes_value()
            && entry.row.kind != Kind::Signal
            && entry.row.kind != Kind::Rewrites
        {
            for word in entry.row.kind.words().split(", ").filter(|word| *word != "docker-init") {
                assert!(text.contains(word), "{heading} does not name {word}: {text}");
            }
        }
    }
    let preface = preface.lines().map(plain).collect::<Vec<_>>().join(" ");
    let (_, missing) = preface.split_once("Windows has no ").expect("it names what Windows lacks");
    let missing = missing.split('.').next().expect("a split has a first part");
    let words = missing.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
    let missing: Vec<&str> = words.filter(|word| word.starts_with("--")).collect();
    let linux_only = entries().filter(|entry| entry.row.platform == Scope::LinuxOnly);
    assert_eq!(missing, linux_only.map(|entry| entry.row.name).collect::<Vec<_>>());
}

#[test]
fn bash_completes_each_option() {
    let names = entries().filter(|entry| entry.row.kind.takes_value()).map(|entry| entry.row.name);
    let cases = format!("        {})\n", names.collect::<Vec<_>>().join(" | \\\n            "));
    contains("docs/completions/foster.bash", &cases);
    let mut cases = String::new();
    for entry in entries() {
        let Entry { row, .. } = entry;
        let values = match Values::of(row.kind) {
            Values::Words(words) if words.contains(' ') => format!("values='{words}' ;;"),
            Values::Words(words) => format!("values={words} ;;"),
            Values::Signals => "values=$(_foster_signals) ;;".to_owned(),
            Values::Commands => {
                "mapfile -t COMPREPLY < <(compgen -c -P \"$before\" -- \"$word\") && return ;;"
                    .to_owned()
            }
            Values::Hosts | Values::Any | Values::None => continue,
        };
        cases += &format!("    {}) {values}\n", row.name);
    }
    contains("docs/completions/foster.bash", &cases);
    let mut words: Vec<String> = Vec::new();
    for Entry { row, .. } in entries() {
        words.extend(row.short.map(|letter| format!("-{letter}")));
        words.push(row.name.to_owned());
    }
    let all = format!("            {} --' \\\n", words.join("\n            "));
    contains("docs/completions/foster.bash", &all);
}

#[test]
fn zsh_completes_each_option() {
    let mut lines = String::new();
    for entry in entries() {
        let Entry { row, .. } = entry;
        let description = description(entry);
        let action = match Values::of(row.kind) {
            Values::Words(words) => format!("({words})"),
            Values::Signals => "_foster_signals".to_owned(),
            Values::Hosts => "_hosts".to_owned(),
            Values::Commands | Values::Any | Values::None => String::new(),
        };
        let what = row.kind.placeholder().replace(':', "\\:");
        let value = if what.is_empty() { String::new() } else { format!(":{what}:{action}") };
        let equals = if what.is_empty() { "" } else { "=" };
        let times = if is_repeatable(entry) { "*" } else { "" };
        let line = match row.short {
            Some(letter) if is_repeatable(entry) => {
                format!("'*'{{-{letter},{}}}'[{description}]'", row.name)
            }
            Some(letter) => {
                format!(
                    "'(-{letter} {name})'{{-{letter},{name}}}'[{description}]'",
                    name = row.name
                )
            }
            None => {
                let excluded = match row.id {
                    Id::Boot => "(--no-boot)",
                    Id::NoBoot => "(--boot)",
                    _ => "",
                };
                format!("'{times}{excluded}{}{equals}[{description}]{value}'", row.name)
            }
        };
        lines += &format!("    {line} \\\n");
    }
    contains("docs/completions/_foster", &format!("_arguments -S -A '-*' \\\n{lines}"));
}

#[test]
fn fish_completes_each_option() {
    let names = entries().filter(|entry| entry.row.kind.takes_value()).map(|entry| entry.row.name);
    let mut lines = format!(
        "complete -c foster -x -a \"(__fish_complete_subcommand {})\"\n",
        names.collect::<Vec<_>>().join(" \\\n    ")
    );
    for entry in entries() {
        let Entry { row, .. } = entry;
        let short = row.short.map(|letter| format!(" -s {letter}")).unwrap_or_default();
        let long = row.name.trim_start_matches('-');
        let values = match Values::of(row.kind) {
            Values::Words(words) if words.contains(' ') => format!(" -x -a '{words}'"),
            Values::Words(words) => format!(" -x -a {words}"),
            Values::Signals => " -x -a '(__foster_signals)'".to_owned(),
            Values::Hosts => " -x -a '127.0.0.1 0.0.0.0 ::'".to_owned(),
            Values::Commands => " -x -a '(__fish_complete_command)'".to_owned(),
            Values::Any => " -x".to_owned(),
            Values::None => String::new(),
        };
        lines +=
            &format!("complete -c foster{short} -l {long}{values} -d '{}'\n", description(entry));
    }
    contains("docs/completions/foster.fish", &lines);
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    SECTIONS.iter().flat_map(|section| section.entries)
}

/// `--stop-timeout DUR`, or `-v, --verbose`.
fn usage(Entry { row, .. }: &Entry) -> String {
    let short = row.short.map(|letter| format!("-{letter}, ")).unwrap_or_default();
    format!("{short}{} {}", row.name, row.kind.placeholder()).trim_end().to_owned()
}

/// The variable, with the value that turns a switch on.
fn variable(Entry { row, .. }: &Entry) -> String {
    let is_switch = row.kind == Kind::Switch && !row.variable.is_empty();
    format!("{}{}", row.variable, if is_switch { "=1" } else { "" })
}

/// The default with a COMMAND, and the one with `--wrap` where that differs.
fn defaults(entry: &Entry) -> impl Iterator<Item = &'static str> {
    entry
        .default
        .split("; --wrap: ")
        .filter(|value| !value.is_empty() && !value.starts_with("the "))
}

/// The line of the help without what stands in brackets at its end.
fn description(entry: &Entry) -> &'static str {
    match entry.help.rsplit_once(" (") {
        Some((text, behind)) if behind.ends_with(')') => text,
        _ => entry.help,
    }
}

fn is_repeatable(entry: &Entry) -> bool {
    entry.help.contains("repeatable") || [Id::Name, Id::Verbose].contains(&entry.row.id)
}

/// What a shell offers as the value of an option.
enum Values {
    Words(String),
    Signals,
    Commands,
    Hosts,
    /// A value of which there are too many.
    Any,
    /// There is no value.
    None,
}

impl Values {
    fn of(kind: Kind) -> Values {
        let words = |words: &str| Values::Words(words.replace(',', ""));
        match kind {
            Kind::Switch | Kind::Filter => Values::None,
            Kind::Restart | Kind::StopTo | Kind::Leftovers | Kind::ForwardTo | Kind::LogFormat => {
                words(kind.words())
            }
            // An image may call tini docker-init; people do not.
            Kind::Init => words(&kind.words().replace("docker-init, ", "")),
            Kind::Timeout => words("infinity"),
            Kind::Count => words("unlimited"),
            Kind::Port => words("none"),
            Kind::Signal | Kind::Rewrites | Kind::Statuses => Values::Signals,
            Kind::Line => Values::Commands,
            Kind::Host => Values::Hosts,
            Kind::Duration | Kind::Name => Values::Any,
        }
    }
}

#[track_caller]
fn contains(file: &str, lines: &str) {
    assert!(page::read(file).contains(lines), "{file} lacks, or has in another order:\n{lines}");
}

fn manual_section(name: &str) -> String {
    let manual = page::read("docs/man/foster.1");
    let (_, section) = manual.split_once(&format!(".SH {name}\n")).expect("it has this section");
    section.split("\n.SH ").next().expect("a split has a first part").to_owned() + "\n"
}

/// A line of roff without its markup.
fn plain(line: &str) -> String {
    let line =
        line.replace("\\-", "-").replace("\\(aq", "'").replace("\\fR", "").replace("\\fI", "");
    if line == ".PP" {
        return String::new();
    }
    let Some((_, arguments)) = line.split_once(' ').filter(|_| line.starts_with('.')) else {
        return line;
    };
    // Arguments stand without a blank between them, unless it is quoted.
    let mut text = String::new();
    for (index, piece) in arguments.split('"').enumerate() {
        text += &if index % 2 == 1 { piece.to_owned() } else { piece.replace(' ', "") };
    }
    text
}
