//! The chart for the README: bars side by side, one panel for each measure.

use std::fmt::Write;

use crate::{
    subjects::Role,
    table::{Row, Table, number},
};

/// Table, column, title, and whom to show.
type Panel = (&'static str, &'static str, &'static str, fn(&Row) -> bool);

const PANELS: [Panel; 8] = [
    // A dynamic program is small because what it needs is elsewhere.
    ("size", "size", "Size of the static programs", |row| {
        row.remark == "static" && row.subject != "floor (restart)"
    }),
    ("memory", "resident", "Resident memory, idle", |row| row.subject != "floor (restart)"),
    ("start", "p10", "Start to exit of a trivial child", |_| true),
    ("signal", "p10", "Signal, kill() to the child's handler", |_| true),
    ("reap", "p10", "Processor time per orphan reaped", |_| true),
    ("restart", "median", "Restart of a killed child", |_| true),
    ("stop", "p10", "Stop of an init whose child dies at once", |_| true),
    ("growth", "per service", "Memory per further service", |row| row.role != Role::Floor),
];

pub fn svg(tables: &[Table]) -> String {
    let mut body = String::new();
    let (mut top, mut bottom) = (0, 0);
    for (index, panel) in PANELS.iter().enumerate() {
        let column = index % 2;
        if column == 0 {
            top = bottom;
        }
        let height = draw(&mut body, tables, panel, column * (WIDTH + GAP), top);
        bottom = bottom.max(top + height + GAP);
    }
    let (width, height) = (2 * WIDTH + GAP, bottom);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\">\n\
         <title>foster and its peers side by side; shorter is better</title>\n\
         <style>{STYLE}</style>\n{body}</svg>\n"
    )
}

const WIDTH: usize = 430;
const GAP: usize = 24;
const ROW: usize = 20;
const NAMES: usize = 108;
const VALUES: usize = 82;

/// Readable on a light and on a dark page.
const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#57606a}.title{font-weight:600;fill:#24292f}\
.foster{fill:#d4490c}.peer{fill:#8c959f}.floor{fill:#c8ced6}\
@media(prefers-color-scheme:dark){text{fill:#9198a1}.title{fill:#e6edf3}\
.foster{fill:#ff7b3d}.peer{fill:#6e7681}.floor{fill:#3d444d}}";

/// Draws one panel and gives its height.
fn draw(body: &mut String, tables: &[Table], panel: &Panel, left: usize, top: usize) -> usize {
    let (id, column, title, show) = *panel;
    let Some(table) = tables.iter().find(|table| table.id == id) else {
        return 0;
    };
    let Some(index) = table.columns.iter().position(|one| one.name == column) else {
        return 0;
    };
    let unit = table.columns[index].unit;
    let rows: Vec<(&Row, f64)> = table
        .rows
        .iter()
        .filter(|row| show(row))
        .filter_map(|row| Some((row, row.figures.as_ref().ok()?[index])))
        .collect();
    let scale = scale(&rows.iter().map(|(_, value)| *value).collect::<Vec<_>>());

    let _ = writeln!(
        body,
        "<text class=\"title\" x=\"{left}\" y=\"{}\">{title}, {unit}</text>",
        top + 14
    );
    for (number_of_row, (row, value)) in rows.iter().enumerate() {
        let y = top + ROW + 2 + number_of_row * ROW;
        let room = (WIDTH - NAMES - VALUES) as f64;
        let (bar, mark) = match value / scale {
            share if share > 1.0 => (room, "» "),
            share => ((share * room).max(1.0), ""),
        };
        let class = match row.role {
            Role::Foster => "foster",
            Role::Peer | Role::Rebuilt => "peer",
            Role::Floor => "floor",
        };
        let (subject, value, base) = (row.subject, number(*value), y + 14);
        let (start, end) = (left + NAMES, (left + NAMES) as f64 + bar + 6.0);
        let _ = writeln!(
            body,
            "<text x=\"{left}\" y=\"{base}\">{subject}</text>\
             <rect class=\"{class}\" x=\"{start}\" y=\"{}\" width=\"{bar:.1}\" height=\"14\"/>\
             <text x=\"{end:.1}\" y=\"{base}\">{mark}{value}</text>",
            y + 3,
        );
    }
    ROW + 2 + rows.len() * ROW
}

/// What a full bar stands for: the largest value, but for those so large that they would make
/// dots of all others. Their bars are cut.
fn scale(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(median) = sorted.get(sorted.len() / 2) else {
        return 1.0;
    };
    let drawn = sorted.iter().rev().find(|value| **value <= 20.0 * median);
    drawn.copied().filter(|value| *value > 0.0).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::table;

    #[test]
    fn one_giant_does_not_make_dots_of_the_others() {
        assert_eq!(scale(&[0.2, 0.6, 1.2, 1_026.0]), 1.2);
        assert_eq!(scale(&[708.0, 699.0, 0.9, 110.0]), 708.0);
        assert_eq!(scale(&[]), 1.0);
        assert_eq!(scale(&[0.0]), 1.0);
    }

    #[test]
    fn a_panel_has_a_bar_for_each_subject_that_was_measured() {
        let mut table = table(&[
            ("foster", Role::Foster, 0.3),
            ("tini", Role::Peer, 0.9),
            ("catatonit", Role::Peer, 0.8),
        ]);
        table.rows[2].figures = Err(crate::bed::Gap::Absent("not installed"));
        let svg = svg(&[table]);
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(svg.contains("class=\"foster\"") && !svg.contains("catatonit"));
    }
}
