//! Writing texts and log lines.

use std::io::{self, Write};

use foster::cli::{Say, Stream};

use super::World;

/// A stream for log lines. What cannot be written is lost: there is nobody to tell.
///
/// A pipe on Windows cannot be asked for room by one who did not make it, nor made non-blocking
/// for one alone of those who have it, so a full one that nobody reads makes foster wait.
pub struct LogWriter(Stream);

impl LogWriter {
    /// A writer to this stream.
    pub fn new(stream: Stream) -> LogWriter {
        LogWriter(stream)
    }
}

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = match self.0 {
            Stream::Out => io::stdout().write_all(line),
            Stream::Err => io::stderr().write_all(line),
        };
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stdout().flush();
        Ok(())
    }
}

/// Writes a text to its stream, whole, where nothing is run; gives the code to end with.
pub fn say_last(_world: World, last: &Say) -> u32 {
    let mut writer = LogWriter::new(last.stream);
    let _ = writer.write_all(last.text.as_bytes());
    let _ = writer.flush();
    last.code
}
