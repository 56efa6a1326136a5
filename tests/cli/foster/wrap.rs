//! Which lines of `--wrap` get a shell.

use crate::world::World;

fn words(world: &World, line: &str) -> (Vec<String>, bool) {
    let config = world.config(&["foster", "--wrap", line]);
    let service = &config.services[0];
    let words = service.program.argv.words().map(|word| String::from_utf8_lossy(word).into_owned());
    (words.collect(), service.program.in_shell)
}

#[test]
fn a_line_without_shell_syntax_is_split_and_run_directly_even_if_its_program_is_missing() {
    let world = World::new();
    for (line, expected) in [
        ("app", &["app"][..]),
        ("  /bin/app  -x\t1 ", &["/bin/app", "-x", "1"]),
        ("app 'a b' \"c $\"", &["sh", "-c", "app 'a b' \"c $\""]),
        ("app 'a b' \"c d\" e\\ f ''", &["app", "a b", "c d", "e f", ""]),
        ("'app' a=b", &["app", "a=b"]),
        ("app '$HOME|;*'", &["app", "$HOME|;*"]),
        ("app \"\\$HOME\"", &["app", "$HOME"]),
        ("nosuch -x", &["nosuch", "-x"]),
        ("/no/such/app --port 80", &["/no/such/app", "--port", "80"]),
        ("./cd", &["./cd"]),
        ("'it''s' none", &["its", "none"]),
        // Some builtins are programs as well.
        ("echo hi", &["echo", "hi"]),
    ] {
        let (words, in_shell) = words(&world, line);
        assert_eq!(words, expected, "{line}");
        assert_eq!(in_shell, expected[0] == "sh", "{line}");
    }
}

#[test]
fn any_other_line_is_the_shells() {
    let world = World::new();
    for line in [
        "exit 3",
        "app | echo",
        "app; echo",
        "app && echo",
        "app $HOME",
        "A=1 app",
        "app > /dev/null",
        "app *.txt",
        "app\necho",
        // Only a shell knows these.
        "cd /",
        ". ./file",
        "kill 1",
        "'exec' app",
        "true",
        "wait",
    ] {
        let expected = ["sh", "-c", line].map(String::from).to_vec();
        assert_eq!(words(&world, line), (expected, true), "{line}");
    }
}

#[test]
fn a_quote_without_a_partner_is_the_shells_business_where_the_shell_splits() {
    let (words, in_shell) = words(&World::new(), "app | 'x");
    assert_eq!(words, ["sh", "-c", "app | 'x"]);
    assert!(in_shell);
}

#[test]
fn on_windows_cmd_gets_the_raw_line_and_a_program_its_words() {
    let world = World::windows();
    for line in ["echo hi", "a & b", "\"C:\\Program Files\\a.exe\" 'x'", "a %B%", "dir"] {
        assert_eq!(words(&world, line), (vec![line.to_owned()], true), "{line}");
    }
    let direct = ["nosuch.exe", "it's", "C:\\x"].map(String::from).to_vec();
    assert_eq!(words(&world, " nosuch.exe  it's C:\\x"), (direct, false));
}
