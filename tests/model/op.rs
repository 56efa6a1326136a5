//! What can happen in a world, as values that print and parse: a trace is a list of them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use foster::signal::Signal;

use crate::kernel::{Manner, Offspring};

/// Something that happens by itself. A process is named by its place among those that stem from
/// a service, so that a trace still means something when lines are taken out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Time passes, and foster does what is due.
    Pass(Duration),
    /// Time passes, and foster does not get to run.
    Stall(Duration),
    /// Time passes up to foster's next deadline.
    Due,
    /// What was still to happen while foster is busy does not any more.
    Calm,
    /// foster must have ended by now.
    End,
    /// foster gets a signal.
    Signal(Signal, Option<u64>, bool),
    /// The terminal is gone from now on, for which the kernel sends foster a HUP.
    HangUp,
    /// A process reads from the terminal, which stops its group where another has it.
    Use(usize),
    Exit(usize, u32),
    Die(usize, Signal),
    Fork(usize, Offspring),
    Escape(usize),
    Behave(usize, Manner),
    Stick(usize),
    /// Another user runs a process from now on: foster may not send it signals.
    Deny(usize),
    Unstick(usize),
    Linger(usize),
    Finish(usize),
    Halt(usize),
    Resume(usize),
    /// Someone whom foster does not know takes the next free id.
    Stranger,
    /// The oldest stranger goes.
    StrangerGoes,
    /// What `docker exec` left behind becomes foster's child, without a mark.
    Exec,
    /// So many starts fail.
    FailStarts(u32),
    /// Marks cannot be read, or can again.
    Blind(bool),
}

/// An op, and when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub when: When,
    pub op: Op,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// While foster waits; it is told before anything else happens.
    Rest,
    /// While foster waits, together with what follows.
    Batch,
    /// While foster is busy: before the so-manieth thing that it does next.
    Amid(u32),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.when {
            When::Rest => write!(f, "{}", self.op),
            When::Batch => write!(f, "& {}", self.op),
            When::Amid(count) => write!(f, "~{count} {}", self.op),
        }
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(line: &str) -> Result<Step, String> {
        let bad = || format!("cannot read {line:?}");
        let (when, op) = match line.split_once(' ') {
            Some(("&", op)) => (When::Batch, op),
            Some((word, op)) if word.starts_with('~') => {
                (When::Amid(word[1..].parse().map_err(|_| bad())?), op)
            }
            _ => (When::Rest, line),
        };
        Ok(Step { when, op: parse_op(op).ok_or_else(bad)? })
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Op::Pass(time) => write!(f, "pass {}us", time.as_micros()),
            Op::Stall(time) => write!(f, "stall {}us", time.as_micros()),
            Op::Due => write!(f, "due"),
            Op::Calm => write!(f, "calm"),
            Op::End => write!(f, "end"),
            Op::Signal(signal, value, by_kernel) => {
                write!(f, "signal {}", signal.number())?;
                if let Some(value) = value {
                    write!(f, " {value}")?;
                }
                f.write_str(if by_kernel { " kernel" } else { "" })
            }
            Op::HangUp => f.write_str("hang-up"),
            Op::Use(who) => write!(f, "use {who}"),
            Op::Exit(who, code) => write!(f, "exit {who} {code}"),
            Op::Die(who, signal) => write!(f, "die {who} {}", signal.number()),
            Op::Fork(who, kind) => write!(f, "fork {who} {}", name_of(kind)),
            Op::Escape(who) => write!(f, "escape {who}"),
            Op::Behave(who, Manner::Default) => write!(f, "default {who}"),
            Op::Behave(who, Manner::Ignore) => write!(f, "ignore {who}"),
            Op::Behave(who, Manner::Tidy(time, code)) => {
                write!(f, "tidy {who} {}us {code}", time.as_micros())
            }
            Op::Stick(who) => write!(f, "stick {who}"),
            Op::Deny(who) => write!(f, "deny {who}"),
            Op::Unstick(who) => write!(f, "unstick {who}"),
            Op::Linger(who) => write!(f, "linger {who}"),
            Op::Finish(who) => write!(f, "finish {who}"),
            Op::Halt(who) => write!(f, "halt {who}"),
            Op::Resume(who) => write!(f, "resume {who}"),
            Op::Stranger => f.write_str("stranger"),
            Op::StrangerGoes => f.write_str("stranger-goes"),
            Op::Exec => f.write_str("exec"),
            Op::FailStarts(count) => write!(f, "fail-starts {count}"),
            Op::Blind(true) => f.write_str("blind"),
            Op::Blind(false) => f.write_str("sighted"),
        }
    }
}

fn parse_op(text: &str) -> Option<Op> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let number = |word: &str| word.parse::<usize>().ok();
    let code = |word: &str| word.parse::<u32>().ok();
    let signal = |word: &str| word.parse::<i32>().ok().and_then(Signal::new);
    Some(match words[..] {
        ["pass", time] => Op::Pass(duration(time)?),
        ["stall", time] => Op::Stall(duration(time)?),
        ["due"] => Op::Due,
        ["calm"] => Op::Calm,
        ["end"] => Op::End,
        ["signal", s] => Op::Signal(signal(s)?, None, false),
        ["signal", s, "kernel"] => Op::Signal(signal(s)?, None, true),
        ["signal", s, value] => Op::Signal(signal(s)?, Some(value.parse().ok()?), false),
        ["hang-up"] => Op::HangUp,
        ["use", who] => Op::Use(number(who)?),
        ["exit", who, c] => Op::Exit(number(who)?, code(c)?),
        ["die", who, s] => Op::Die(number(who)?, signal(s)?),
        ["fork", who, kind] => {
            Op::Fork(number(who)?, KINDS.into_iter().find(|k| name_of(*k) == kind)?)
        }
        ["escape", who] => Op::Escape(number(who)?),
        ["default", who] => Op::Behave(number(who)?, Manner::Default),
        ["ignore", who] => Op::Behave(number(who)?, Manner::Ignore),
        ["tidy", who, time, c] => Op::Behave(number(who)?, Manner::Tidy(duration(time)?, code(c)?)),
        ["stick", who] => Op::Stick(number(who)?),
        ["deny", who] => Op::Deny(number(who)?),
        ["unstick", who] => Op::Unstick(number(who)?),
        ["linger", who] => Op::Linger(number(who)?),
        ["finish", who] => Op::Finish(number(who)?),
        ["halt", who] => Op::Halt(number(who)?),
        ["resume", who] => Op::Resume(number(who)?),
        ["stranger"] => Op::Stranger,
        ["stranger-goes"] => Op::StrangerGoes,
        ["exec"] => Op::Exec,
        ["fail-starts", count] => Op::FailStarts(code(count)?),
        ["blind"] => Op::Blind(true),
        ["sighted"] => Op::Blind(false),
        _ => return None,
    })
}

/// Reads `500us`, `20ms` or `3s`.
pub fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..unit].parse().ok()?;
    match &text[unit..] {
        "us" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        _ => None,
    }
}

fn name_of(kind: Offspring) -> &'static str {
    match kind {
        Offspring::Member => "member",
        Offspring::Escapee => "escapee",
        Offspring::Unmarked => "unmarked",
        Offspring::Renamed => "renamed",
        Offspring::Unlimited => "unlimited",
        Offspring::Foreign => "foreign",
        Offspring::Orphan => "orphan",
        Offspring::Daemon => "daemon",
    }
}

/// All kinds of offspring.
pub const KINDS: [Offspring; 8] = [
    Offspring::Member,
    Offspring::Escapee,
    Offspring::Unmarked,
    Offspring::Renamed,
    Offspring::Unlimited,
    Offspring::Foreign,
    Offspring::Orphan,
    Offspring::Daemon,
];
