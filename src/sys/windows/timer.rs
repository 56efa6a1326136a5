//! The clock, and the timer.

use std::io;
use std::os::windows::io::OwnedHandle;
use std::ptr;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Threading::{
    CancelWaitableTimer, CreateWaitableTimerW, SetWaitableTimer,
};

use foster::time::Instant;

use super::handle::{done, made, raw};

/// The clock and the timer.
pub struct Timer {
    timer: OwnedHandle,
    start: std::time::Instant,
    /// When it expires.
    set_to: Option<Instant>,
}

impl Timer {
    /// A timer that is not set.
    pub fn new() -> io::Result<Timer> {
        // SAFETY: the timer has no name and no attributes, its handle is new, and a wait resets it.
        let timer = unsafe { made(CreateWaitableTimerW(ptr::null(), 0, ptr::null()))? };
        Ok(Timer { timer, start: std::time::Instant::now(), set_to: None })
    }

    /// The time since the start.
    pub fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// Sets it to the deadline, if there is one.
    pub fn set(&mut self, deadline: Option<Instant>) -> io::Result<()> {
        if deadline == self.set_to {
            return Ok(());
        }
        match deadline {
            Some(deadline) => {
                let nanos = deadline.since(self.now()).as_nanos();
                // A negative value is relative to now, in steps of 100 ns.
                let due = -i64::try_from(nanos.div_ceil(100)).unwrap_or(i64::MAX);
                // SAFETY: the handle is open, and no function is to be called.
                done(unsafe {
                    SetWaitableTimer(raw(&self.timer), &raw const due, 0, None, ptr::null(), 0)
                })?;
            }
            // SAFETY: the handle is open.
            None => done(unsafe { CancelWaitableTimer(raw(&self.timer)) })?,
        }
        self.set_to = deadline;
        Ok(())
    }

    /// Notes that it expired.
    pub fn went_off(&mut self) {
        self.set_to = None;
    }

    /// The handle to wait for.
    pub fn as_raw(&self) -> HANDLE {
        raw(&self.timer)
    }
}
