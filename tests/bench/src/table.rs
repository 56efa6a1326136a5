//! The figures of one measure, and how they are written out.

use crate::{
    bed::{Gap, Series},
    stats::{percentile, ratio},
    subjects::{Role, Subject},
    targets,
};

/// One measure's figures: a row for each subject.
pub struct Table {
    pub id: &'static str,
    pub title: &'static str,
    pub how: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
}

#[derive(Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    pub unit: &'static str,
}

pub struct Row {
    pub subject: &'static str,
    pub role: Role,
    /// One figure per column, or why there are none.
    pub figures: Result<Vec<f64>, Gap>,
    pub remark: String,
}

/// One figure out of many samples.
#[derive(Clone, Copy)]
pub enum Statistic {
    P10,
    Median,
    P99,
}

impl Statistic {
    pub fn of(self, samples: &[f64]) -> f64 {
        let share = match self {
            Statistic::P10 => 0.1,
            Statistic::Median => 0.5,
            Statistic::P99 => 0.99,
        };
        percentile(samples, share).unwrap_or(f64::NAN)
    }

    fn name(self) -> &'static str {
        match self {
            Statistic::P10 => "p10",
            Statistic::Median => "median",
            Statistic::P99 => "p99",
        }
    }
}

impl Table {
    pub fn new(id: &'static str, title: &'static str, how: impl Into<String>) -> Self {
        Table { id, title, how: how.into(), columns: Vec::new(), rows: Vec::new() }
    }

    /// One column for each statistic of the same samples. The first column is the one that the
    /// ratios are taken of.
    pub fn of_statistics(
        mut self,
        unit: &'static str,
        statistics: &[Statistic],
        all: Vec<Series<f64>>,
    ) -> Self {
        let column = |statistic: &Statistic| Column { name: statistic.name(), unit };
        self.columns = statistics.iter().map(column).collect();
        for series in all {
            let figures = series
                .samples
                .map(|samples| statistics.iter().map(|statistic| statistic.of(&samples)).collect());
            self.push(series.subject, figures);
        }
        self
    }

    pub fn push(&mut self, subject: &Subject, figures: Result<Vec<f64>, Gap>) {
        self.rows.push(Row {
            subject: subject.name,
            role: subject.role,
            figures,
            remark: String::new(),
        });
    }

    pub fn figure(&self, subject: &str, column: &str) -> Option<f64> {
        let index = self.columns.iter().position(|one| one.name == column)?;
        let row = self.rows.iter().find(|row| row.subject == subject)?;
        row.figures.as_ref().ok().map(|figures| figures[index])
    }

    /// The lowest figure of any peer.
    pub fn best_peer(&self, column: &str) -> Option<(&'static str, f64)> {
        let peers = self.rows.iter().filter(|row| row.role == Role::Peer);
        peers
            .filter_map(|row| Some((row.subject, self.figure(row.subject, column)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Who was to have figures, and has none: without them, others may look better than they are.
    pub fn failed(&self) -> Option<&'static str> {
        let failed = |row: &&Row| matches!(row.figures, Err(Gap::Failed(_)));
        self.rows.iter().find(failed).map(|row| row.subject)
    }

    pub fn floor(&self, column: &str) -> Option<f64> {
        let row = self.rows.iter().find(|row| row.role == Role::Floor)?;
        self.figure(row.subject, column)
    }

    /// What each ratio is called, which column it is of, and what to: tini-static and the floor, for
    /// the first column and for those that a target is about.
    fn references(&self) -> Vec<(String, usize, f64)> {
        let mut references = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 && !targets::are_about(self.id, column.name) || column.unit == "×" {
                continue;
            }
            let others = [
                ("tini-static", self.figure("tini-static", column.name)),
                ("floor", self.floor(column.name)),
            ];
            for (other, figure) in others {
                let Some(figure) = figure.filter(|figure| *figure > 0.0) else {
                    continue;
                };
                let name = match index {
                    0 => format!("× {other}"),
                    _ => format!("{}, × {other}", column.name),
                };
                references.push((name, index, figure));
            }
        }
        references
    }

    /// Header and rows as words: the figures, then the ratios, then remarks.
    pub fn cells(&self) -> Vec<Vec<String>> {
        let references = self.references();
        let remarks = self.rows.iter().any(|row| !row.remark.is_empty());

        let mut header = vec!["subject".to_string()];
        header.extend(self.columns.iter().map(|column| match column.unit {
            "" => column.name.into(),
            unit => format!("{}, {unit}", column.name),
        }));
        header.extend(references.iter().map(|(name, ..)| name.clone()));
        if remarks {
            header.push(String::new());
        }
        let width = header.len();

        let mut cells = vec![header];
        for row in &self.rows {
            let mut line = vec![row.subject.to_string()];
            match &row.figures {
                Ok(figures) => {
                    line.extend(figures.iter().map(|figure| number(*figure)));
                    line.extend(references.iter().map(|(_, column, reference)| {
                        ratio(figures[*column], *reference).map_or("–".into(), number)
                    }));
                }
                Err(gap) => line.push(gap.to_string()),
            }
            line.resize(width - usize::from(remarks), String::new());
            if remarks {
                line.push(row.remark.clone());
            }
            cells.push(line);
        }
        cells
    }

    pub fn to_text(&self) -> String {
        format!("{}\n{}", self.title, aligned(&self.cells(), Side::Right))
    }
}

/// Three digits that mean something, and commas in what is large.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let magnitude = value.abs();
    let decimals = match magnitude {
        _ if magnitude == magnitude.round() => 0,
        _ if magnitude < 9.995 => 2,
        _ if magnitude < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').map_or((&text[..], ""), |(a, b)| (a, b));
    let mut grouped = String::new();
    for (index, digit) in whole.char_indices() {
        if index > 0 && (whole.len() - index) % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

/// Where the columns after the first one stand: figures to the right, words to the left.
#[derive(Clone, Copy, PartialEq)]
pub enum Side {
    Left,
    Right,
}

/// Columns under each other.
pub fn aligned(cells: &[Vec<String>], side: Side) -> String {
    let columns = cells.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let lengths = cells.iter().filter_map(|line| Some(line.get(column)?.chars().count()));
        lengths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in cells {
        let mut written = String::new();
        for (column, cell) in line.iter().enumerate() {
            let width = widths[column];
            written += &match side {
                Side::Right if column > 0 => format!("  {cell:>width$}"),
                _ => format!("  {cell:<width$}"),
            };
        }
        text += written.trim_end();
        text.push('\n');
    }
    text
}

pub fn markdown(cells: &[Vec<String>], side: Side) -> String {
    let mut text = String::new();
    for (index, line) in cells.iter().enumerate() {
        text += &format!("| {} |\n", line.join(" | "));
        if index == 0 {
            let rule = (0..line.len()).map(|column| match side {
                Side::Right if column > 0 => "---:",
                _ => "---",
            });
            text += &format!("| {} |\n", rule.collect::<Vec<_>>().join(" | "));
        }
    }
    text
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A table with one column, for tests here and elsewhere.
    pub fn table(rows: &[(&'static str, Role, f64)]) -> Table {
        let mut table = Table::new("start", "Start", "how");
        table.columns = vec![Column { name: "p10", unit: "ms" }];
        for &(subject, role, figure) in rows {
            let figures = Ok(vec![figure]);
            table.rows.push(Row { subject, role, figures, remark: String::new() });
        }
        table
    }

    fn sample() -> Table {
        table(&[
            ("foster", Role::Foster, 0.3),
            ("tini-static", Role::Peer, 0.75),
            ("dumb-init", Role::Peer, 0.6),
            ("floor", Role::Floor, 0.25),
        ])
    }

    #[test]
    fn ratios_are_of_the_first_column() {
        let cells = sample().cells();
        assert_eq!(cells[0], ["subject", "p10, ms", "× tini-static", "× floor"]);
        assert_eq!(cells[1], ["foster", "0.30", "0.40", "1.20"]);
    }

    #[test]
    fn what_a_target_is_about_has_ratios_too() {
        let mut table = sample();
        table.id = "signal";
        table.columns.extend(["median", "p99"].map(|name| Column { name, unit: "µs" }));
        for row in &mut table.rows {
            row.figures
                .as_mut()
                .unwrap()
                .extend([1.0, if row.subject == "foster" { 4.0 } else { 8.0 }]);
        }
        let cells = table.cells();
        assert_eq!(
            cells[0][4..],
            ["× tini-static", "× floor", "p99, × tini-static", "p99, × floor"]
        );
        assert_eq!(cells[1][4..], ["0.40", "1.20", "0.50", "0.50"]);
    }

    #[test]
    fn a_missing_subject_is_a_row_that_says_so() {
        let mut table = sample();
        table.rows[2].figures = Err(Gap::Absent("not installed"));
        assert_eq!(table.cells()[3], ["dumb-init", "not installed", "", ""]);
        assert_eq!(table.best_peer("p10"), Some(("tini-static", 0.75)));
        assert_eq!(table.figure("dumb-init", "p10"), None);
    }

    #[test]
    fn the_best_peer_is_neither_ours_nor_the_floor() {
        assert_eq!(sample().best_peer("p10"), Some(("dumb-init", 0.6)));
        assert_eq!(sample().floor("p10"), Some(0.25));
    }

    #[test]
    fn numbers_keep_three_digits() {
        let written = [0.0, 0.254, 9.99, 12.34, 708.08, 1_010.4, 1_234_567.0].map(number);
        assert_eq!(written, ["0", "0.25", "9.99", "12.3", "708", "1,010", "1,234,567"]);
        assert_eq!(number(-1_234.0), "-1,234");
        assert_eq!(number(-123.0), "-123");
        assert_eq!(number(f64::NAN), "–");
    }

    #[test]
    fn tables_are_written_as_text_and_as_markdown() {
        let cells = [["a", "bb"], ["ccc", "1"]].map(|line| line.map(String::from).to_vec());
        assert_eq!(aligned(&cells, Side::Right), "  a    bb\n  ccc   1\n");
        assert_eq!(markdown(&cells, Side::Right), "| a | bb |\n| --- | ---: |\n| ccc | 1 |\n");
    }
}
