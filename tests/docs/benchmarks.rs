//! docs/BENCHMARKS.md agrees with itself.

use crate::page;

#[test]
fn the_verdict_is_that_of_the_table() {
    let rows = page::table("docs/BENCHMARKS.md", "## Targets");
    let (_, rows) = rows.split_first().expect("a header");
    // Measure, foster's figure, target, what came of it, aim, what came of that.
    let reached = |column: usize| rows.iter().filter(|row| row[column] == "reached").count();
    let aims = rows.iter().filter(|row| !row[4].is_empty()).count();
    let verdict = format!(
        "\n{} of {} targets and {} of {aims} aims are reached.\n",
        reached(3),
        rows.len(),
        reached(5)
    );
    let text = page::read("docs/BENCHMARKS.md");
    assert!(text.contains(&verdict), "docs/BENCHMARKS.md does not say: {verdict}");
    for (column, kind) in [(3, "targets"), (5, "aims")] {
        let missed = rows.iter().filter(|row| row[column].starts_with("missed"));
        let names: Vec<&str> = missed.map(|row| row[0].as_str()).collect();
        let list = format!("\nMissed {kind}: {}.\n", names.join("; "));
        assert_eq!(text.contains(&list), !names.is_empty(), "{list}");
    }
}
