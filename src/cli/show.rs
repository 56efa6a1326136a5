//! How things look in messages: durations, programs, targets, texts from outside.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::config::{Config, ServiceConfig};
use crate::process::{ServiceId, Target};

/// The program of a service, without its folder.
pub(super) struct BaseName<'a>(pub(super) Option<&'a ServiceConfig>);

impl fmt::Display for BaseName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.0.map_or(&b""[..], |service| service.program.argv.program());
        OneLine(program.rsplit(|byte| b"/\\".contains(byte)).next().unwrap_or(program)).fmt(f)
    }
}

/// A duration in short form: `500ms`, `1.5s`.
pub(super) struct Short(pub(super) Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.subsec_millis());
        match (seconds, millis) {
            (0, 0) if self.0.is_zero() => f.write_str("0s"),
            (0, 0) => write!(f, "{}ns", self.0.subsec_nanos()),
            (0, _) => write!(f, "{millis}ms"),
            (_, 0) => write!(f, "{seconds}s"),
            (_, _) if millis % 100 == 0 => write!(f, "{seconds}.{}s", millis / 100),
            (_, _) if millis % 10 == 0 => write!(f, "{seconds}.{:02}s", millis / 10),
            (_, _) => write!(f, "{seconds}.{millis:03}s"),
        }
    }
}

/// A word in a terminal's colour (ECMA-48, SGR), or in none.
pub(super) struct Coloured<'a> {
    pub(super) what: &'a str,
    pub(super) colour: Option<&'static str>,
}

impl fmt::Display for Coloured<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.colour {
            Some(colour) => write!(f, "\x1b[{colour}m{}\x1b[0m", self.what),
            None => f.write_str(self.what),
        }
    }
}

/// A command as it could be typed again, and whether a shell reads it.
pub(super) struct Words<'a>(pub(super) &'a ServiceConfig);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.program.in_shell {
            return write!(f, " by a shell: {}", OneLine(line(self.0)));
        }
        f.write_char(':')?;
        for word in self.0.program.argv.words() {
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(byte);
            let quote = if !word.is_empty() && word.iter().all(plain) { "" } else { "'" };
            write!(f, " {quote}{}{quote}", OneLine(word))?;
        }
        Ok(())
    }
}

/// The program of a service, as it was given.
pub(super) struct Program<'a> {
    pub(super) config: &'a Config,
    pub(super) id: ServiceId,
}

impl fmt::Display for Program<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.config.services.get(self.id.index()) {
            Some(service) => OneLine(service.program.argv.program()).fmt(f),
            None => Ok(()),
        }
    }
}

/// The command of a service as the user wrote it.
pub(super) struct Command<'a>(pub(super) Option<&'a ServiceConfig>);

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(service) = self.0 else { return Ok(()) };
        let what =
            if service.program.in_shell { line(service) } else { service.program.argv.program() };
        write!(f, "'{}'", OneLine(what))
    }
}

/// The target of a signal.
pub(super) struct Whom(pub(super) Target);

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Target::Process(pid) | Target::Marked(pid, _) => write!(f, "process {pid}"),
            Target::Group(pid) => write!(f, "group {pid}"),
            Target::Rest(pid) => write!(f, "the rest of group {pid}"),
        }
    }
}

/// The line that a shell reads. On every platform it is the last word.
fn line(service: &ServiceConfig) -> &[u8] {
    service.program.argv.words().last().unwrap_or_default()
}

/// Bytes from outside as text, on one line.
pub(super) struct OneLine<'a>(pub(super) &'a [u8]);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.0.utf8_chunks() {
            for char in piece.valid().chars() {
                f.write_char(if char.is_control() { '?' } else { char })?;
            }
            if !piece.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_short() {
        for (millis, text) in [
            (0, "0s"),
            (500, "500ms"),
            (1000, "1s"),
            (1500, "1.5s"),
            (1050, "1.05s"),
            (1005, "1.005s"),
            (1200, "1.2s"),
            (600_000, "600s"),
        ] {
            assert_eq!(Short(Duration::from_millis(millis)).to_string(), text);
        }
        assert_eq!(Short(Duration::from_nanos(5)).to_string(), "5ns");
    }
}
