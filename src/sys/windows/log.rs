//! Writing texts and log lines.

use std::io::{self, Write};

use windows_sys::Win32::System::Console::{
    ENABLE_VIRTUAL_TERMINAL_PROCESSING, GetConsoleMode, GetStdHandle, STD_ERROR_HANDLE,
    STD_OUTPUT_HANDLE, SetConsoleMode,
};

use foster::cli::{Say, Stream};

use super::World;

/// A stream for log lines. Lines that cannot be written are lost.
///
/// On Windows only the creator of a pipe can ask it for room, and a pipe cannot be made
/// non-blocking for one of its owners alone. So a full pipe that nobody reads makes foster wait.
pub struct LogWriter(Stream);

impl LogWriter {
    /// A writer to this stream.
    pub fn new(stream: Stream) -> LogWriter {
        LogWriter(stream)
    }

    /// Whether it is a console, which shows colours from now on.
    pub fn shows_colours(&self) -> bool {
        let number = match self.0 {
            Stream::Out => STD_OUTPUT_HANDLE,
            Stream::Err => STD_ERROR_HANDLE,
        };
        let mut mode = 0;
        // SAFETY: both calls refuse a handle that is not a console's; `mode` has room for the
        // result.
        unsafe {
            let handle = GetStdHandle(number);
            GetConsoleMode(handle, &raw mut mode) != 0
                && SetConsoleMode(handle, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0
        }
    }

    /// Writes a whole line. It claims success, because failures cannot be reported.
    pub fn put(&mut self, line: &[u8]) -> bool {
        let _ = match self.0 {
            Stream::Out => io::stdout().write_all(line),
            Stream::Err => io::stderr().write_all(line),
        };
        true
    }
}

/// Writes a whole text to its stream, where foster runs nothing; returns the exit code.
pub fn say_last(_world: World, last: &Say) -> u32 {
    LogWriter::new(last.stream).put(last.text.as_bytes());
    let _ = io::stdout().flush();
    last.code
}
