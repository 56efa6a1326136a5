//! Writing texts and log lines.

use std::io::{self, Write};

use windows_sys::Win32::System::Console::{
    ENABLE_VIRTUAL_TERMINAL_PROCESSING, GetConsoleMode, GetStdHandle, STD_ERROR_HANDLE,
    STD_OUTPUT_HANDLE, SetConsoleMode,
};

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

    /// Whether it is a console, which from now on shows colours.
    pub fn shows_colours(&self) -> bool {
        let number = match self.0 {
            Stream::Out => STD_OUTPUT_HANDLE,
            Stream::Err => STD_ERROR_HANDLE,
        };
        let mut mode = 0;
        // SAFETY: both calls refuse a handle that is no console's; `mode` takes the answer.
        unsafe {
            let handle = GetStdHandle(number);
            GetConsoleMode(handle, &raw mut mode) != 0
                && SetConsoleMode(handle, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0
        }
    }

    /// Writes a whole line; says that it was taken, as there is nobody to tell otherwise.
    pub fn put(&mut self, line: &[u8]) -> bool {
        let _ = match self.0 {
            Stream::Out => io::stdout().write_all(line),
            Stream::Err => io::stderr().write_all(line),
        };
        true
    }
}

/// Writes a text to its stream, whole, where nothing is run; gives the code to end with.
pub fn say_last(_world: World, last: &Say) -> u32 {
    LogWriter::new(last.stream).put(last.text.as_bytes());
    let _ = io::stdout().flush();
    last.code
}
