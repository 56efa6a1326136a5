//! What foster is to reach, what it aims for, and what the short run in CI holds it to: one table.

use crate::table::{Table, number};

/// Whom a figure is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Of {
    /// Nobody: the limit is in the unit of the column.
    Itself,
    TiniStatic,
    BestPeer,
    Floor,
}
use Of::{BestPeer, Floor, Itself, TiniStatic};

/// At most so many times the figure of another.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    pub limit: f64,
    pub of: Of,
    /// Where it is not the target's own column that counts.
    pub column: Option<&'static str>,
}

pub struct Target {
    pub table: &'static str,
    pub column: &'static str,
    pub subject: &'static str,
    pub must: Goal,
    pub aim: Option<Goal>,
    /// Close where nothing is noise (bytes, context switches); else generous, and never an absolute
    /// time: CI shows a ratio that is clearly lost, no more.
    pub check: Option<Goal>,
}

/// Growth is a cost per service that ten times the services make tenfold, where a step grows with
/// the square; but one restart alone looks at each child once, and so costs up to ten times as much,
/// where the square would be a hundred. Restarts wait for other work on a busy machine, which p10 sees least.
#[rustfmt::skip]
pub const TARGETS: [Target; 21] = [
    //     table           column           subject must reach            aim                   bound in CI
    target("size",         "size",          INIT, of(178.0, Itself),    aim(110.0, Itself),   ci(178.0, Itself)),
    target("memory",       "resident",      INIT, of(180.0, Itself),    aim(100.0, Itself),   ci(192.0, Itself)),
    target("memory",       "private dirty", INIT, of(40.0, Itself),     aim(16.0, Itself),    ci(40.0, Itself)),
    target("memory",       "resident",      WRAP, of(180.0, Itself),    aim(100.0, Itself),   ci(192.0, Itself)),
    target("memory",       "private dirty", WRAP, of(40.0, Itself),     aim(16.0, Itself),    ci(40.0, Itself)),
    target("start",        "p10",           INIT, of(0.5, TiniStatic),  None,                 ci(0.75, TiniStatic)),
    target("start",        "p10",           INIT, of(1.35, Floor),      aim(1.15, Floor),     ci(2.25, Floor)),
    target("signal",       "p10",           INIT, of(1.1, BestPeer),    aim(1.0, Floor),      ci(1.6, BestPeer)),
    target("signal",       "p99",           INIT, of(1.0, BestPeer),    None,                 ci(4.0, BestPeer)),
    target("reap",         "p10",           INIT, of(1.0, BestPeer),    aim(1.0, Floor),      ci(1.6, BestPeer)),
    target("restart",      "median",        WRAP, of(1.0, Itself),      aim(1.0, Floor),      at("p10", 4.0, Floor)),
    target("stop",         "p10",           INIT, of(1.0, BestPeer),    None,                 ci(1.5, BestPeer)),
    target("stop-service", "p10",           WRAP, of(1.0, BestPeer),    None,                 ci(1.5, BestPeer)),
    target("idle",         "in 10 s",       INIT, of(0.0, Itself),      None,                 ci(0.0, Itself)),
    target("idle",         "in 10 s",       WRAP, of(0.0, Itself),      None,                 ci(0.0, Itself)),
    target("growth",       "per service",   WRAP, of(1_024.0, Itself),  aim(256.0, Itself),   ci(1_024.0, Itself)),
    target("growth-work",  "1,000 to 100",  WRAP, of(2.0, Itself),      None,                 ci(4.0, Itself)),
    target("growth-one",   "1,000 to 100",  WRAP, of(10.0, Itself),     aim(2.0, Itself),     ci(15.0, Itself)),
    target("growth-stop",  "1,000 to 100",  WRAP, of(2.0, Itself),      None,                 ci(4.0, Itself)),
    target("growth-back",  "1,000",         WRAP, of(1_000.0, Itself),  None,                 ci(8.0, Floor)),
    target("growth-backoff", "median",      WRAP, of(1_000.0, Itself),  None,                 ci(8.0, Floor)),
];

/// Whether any target is about this column of this table.
pub fn are_about(table: &str, column: &str) -> bool {
    let about = |target: &Target| {
        let goals = [Some(target.must), target.aim, target.check].into_iter().flatten();
        let mut columns = goals.filter_map(|goal| goal.column).chain([target.column]);
        target.table == table && columns.any(|name| name == column)
    };
    TARGETS.iter().any(about)
}

/// How a goal came out.
pub struct Outcome {
    /// The figure, or its ratio to the other's.
    pub value: f64,
    pub reached: bool,
}

impl Target {
    pub fn table<'a>(&self, tables: &'a [Table]) -> Option<&'a Table> {
        tables.iter().find(|table| table.id == self.table)
    }

    /// What this target is about and no table has: a table, a column of it, or foster in it.
    pub fn lacks(&self, tables: &[Table]) -> Option<String> {
        let Some(table) = self.table(tables) else {
            return Some(format!("a table {}", self.table));
        };
        let goals = [Some(self.must), self.aim, self.check].into_iter().flatten();
        let named = goals.filter_map(|goal| goal.column).chain([self.column]);
        for name in named {
            if !table.columns.iter().any(|column| column.name == name) {
                return Some(format!("a column {name} in {}", self.table));
            }
        }
        let measured = table.rows.iter().any(|row| row.subject == self.subject);
        (!measured).then(|| format!("{} in {}", self.subject, self.table))
    }

    /// Nothing where foster or the one to compare with was not measured.
    pub fn outcome(&self, goal: Goal, tables: &[Table]) -> Option<Outcome> {
        let table = self.table(tables)?;
        let column = goal.column.unwrap_or(self.column);
        let figure = table.figure(self.subject, column)?;
        let other = match goal.of {
            Itself => 1.0,
            TiniStatic => table.figure("tini-static", column)?,
            BestPeer => table.best_peer(column)?.1,
            Floor => table.floor(column)?,
        };
        // Not a quotient where the other is zero: then only zero is as good.
        let reached = figure <= goal.limit * other;
        Some(Outcome { value: figure / other, reached })
    }

    pub fn unit(&self, tables: &[Table]) -> &'static str {
        let column = self
            .table(tables)
            .and_then(|table| table.columns.iter().find(|column| column.name == self.column));
        column.map_or("", |column| column.unit)
    }

    /// "≤ 0.5 × tini-static", or "≤ 220 kB".
    pub fn say(&self, goal: Goal, tables: &[Table]) -> String {
        format!("≤ {}", self.amount(goal.limit, goal.of, tables))
    }

    /// A figure or ratio with what it is counted in.
    pub fn amount(&self, value: f64, of: Of, tables: &[Table]) -> String {
        let unit = match of {
            Itself => self.unit(tables),
            TiniStatic => "× tini-static",
            BestPeer => "× the best peer",
            Floor => "× floor",
        };
        format!("{} {unit}", number(value)).trim_end().into()
    }
}

const INIT: &str = "foster";
const WRAP: &str = "foster --wrap";

const fn target(
    table: &'static str,
    column: &'static str,
    subject: &'static str,
    must: Goal,
    aim: Option<Goal>,
    check: Option<Goal>,
) -> Target {
    Target { table, column, subject, must, aim, check }
}

const fn of(limit: f64, of: Of) -> Goal {
    Goal { limit, of, column: None }
}

const fn aim(limit: f64, other: Of) -> Option<Goal> {
    Some(of(limit, other))
}

const fn ci(limit: f64, other: Of) -> Option<Goal> {
    Some(of(limit, other))
}

const fn at(column: &'static str, limit: f64, other: Of) -> Option<Goal> {
    Some(Goal { limit, of: other, column: Some(column) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{subjects::Role, table::tests::table};

    fn sample(foster: f64) -> [Table; 1] {
        [table(&[
            ("foster", Role::Foster, foster),
            ("tini-static", Role::Peer, 0.8),
            ("dumb-init", Role::Peer, 0.5),
            ("floor", Role::Floor, 0.25),
        ])]
    }

    fn start(must: Goal) -> Target {
        target("start", "p10", INIT, must, None, None)
    }

    #[test]
    fn a_goal_is_a_ratio_to_its_reference() {
        let value = |other| {
            let goal = of(1.0, other);
            start(goal).outcome(goal, &sample(0.4)).unwrap().value
        };
        assert_eq!([Itself, TiniStatic, BestPeer, Floor].map(value), [0.4, 0.5, 0.8, 1.6]);
    }

    #[test]
    fn the_limit_itself_is_still_reached() {
        let reached = |foster| {
            let goal = of(0.5, TiniStatic);
            start(goal).outcome(goal, &sample(foster)).unwrap().reached
        };
        assert!(reached(0.4));
        assert!(!reached(0.41));
    }

    #[test]
    fn without_a_figure_there_is_no_outcome() {
        let goal = of(1.0, BestPeer);
        let mut tables = sample(0.4);
        tables[0].rows.retain(|row| row.role != Role::Peer);
        assert!(start(goal).outcome(goal, &tables).is_none());
        assert!(start(goal).outcome(goal, &[]).is_none());
        tables[0].rows[0].figures = Err(crate::bed::Gap::Absent("not installed"));
        assert!(start(goal).outcome(of(1.0, Itself), &tables).is_none());
    }

    #[test]
    fn a_target_about_nothing_is_found() {
        let tables = sample(0.4);
        let goal = of(1.0, Itself);
        let lacks = |table, column, subject, check| {
            target(table, column, subject, goal, None, check).lacks(&tables)
        };
        assert_eq!(lacks("start", "p10", INIT, None), None);
        assert_eq!(lacks("begin", "p10", INIT, None), Some("a table begin".into()));
        assert_eq!(lacks("start", "p11", INIT, None), Some("a column p11 in start".into()));
        let other = at("p12", 1.0, Floor);
        assert_eq!(lacks("start", "p10", INIT, other), Some("a column p12 in start".into()));
        assert_eq!(lacks("start", "p10", WRAP, None), Some("foster --wrap in start".into()));
    }

    #[test]
    fn only_nothing_is_as_good_as_nothing() {
        let goal = of(1.0, Floor);
        let mut tables = sample(0.0);
        tables[0].rows[3].figures = Ok(vec![0.0]);
        assert!(start(goal).outcome(goal, &tables).unwrap().reached);
        tables[0].rows[0].figures = Ok(vec![1.0]);
        assert!(!start(goal).outcome(goal, &tables).unwrap().reached);
    }

    #[test]
    fn goals_are_said_in_words() {
        let tables = sample(0.4);
        let say = |goal| start(goal).say(goal, &tables);
        assert_eq!(say(of(0.5, TiniStatic)), "≤ 0.50 × tini-static");
        assert_eq!(say(of(1.0, Itself)), "≤ 1 ms");
    }

    #[test]
    fn the_bound_in_ci_never_asks_for_more_than_the_target() {
        for target in &TARGETS {
            if let Some(check) = target.check.filter(|check| check.of == target.must.of) {
                assert!(check.limit >= target.must.limit, "{} {}", target.table, target.column);
            }
        }
    }

    #[test]
    fn ci_holds_foster_to_no_absolute_time() {
        let timed = [
            "start",
            "signal",
            "reap",
            "restart",
            "stop",
            "stop-service",
            "growth-back",
            "growth-backoff",
        ];
        for target in TARGETS.iter().filter(|target| timed.contains(&target.table)) {
            assert!(target.check.is_none_or(|check| check.of != Itself), "{}", target.table);
        }
    }
}
