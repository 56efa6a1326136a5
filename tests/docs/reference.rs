//! The man page's examples work.

use crate::page;
use crate::stage::Stage;

#[test]
fn the_examples_of_the_man_page_are_taken_as_they_stand() {
    let manual = manual();
    let (_, examples) = manual.split_once(".SH EXAMPLES\n.nf\n").expect("there are some");
    let (examples, _) = examples.split_once(".fi\n").expect("they end");
    for line in examples.lines() {
        let line = match line.split_once(" # ").map_or(line, |(line, _)| line) {
            // The kernel hands on what stands behind two dashes.
            kernel if kernel.starts_with("linux ") => {
                let (_, rest) = kernel.split_once(" -- ").expect("a command line for foster");
                format!("foster {rest}")
            }
            line => line.to_owned(),
        };
        let line = line.trim_end().replace(" /app", " app");
        let outcome = Stage::new().rehearse(&line);
        outcome.is_a_success(&line);
        assert!(!outcome.started.is_empty(), "{line}: {outcome:?}");
    }
}

/// The source of the man page, with characters for escapes.
fn manual() -> String {
    page::read("docs/man/foster.1").replace("\\-", "-").replace("\\(aq", "'")
}
