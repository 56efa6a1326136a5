//! Console events: Ctrl-C, Ctrl-Break, the end of the window, the session or the system.
//!
//! The system calls a handler on a thread that it creates for this. The handler only counts the
//! event and sets a kernel event object that the loop waits for.

use std::io;
use std::os::windows::io::OwnedHandle;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, CTRL_C_EVENT, CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT,
    GenerateConsoleCtrlEvent, SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::Threading::{CreateEventW, INFINITE, SetEvent, Sleep};
use windows_sys::core::BOOL;

use foster::process::Pid;
use foster::signal::Signal;
use foster::supervisor::{Event, Signalled};

use super::handle::{done, made, raw};

/// The console's events.
pub struct Console {
    event: OwnedHandle,
}

impl Console {
    /// Installs the handler.
    pub fn new() -> io::Result<Console> {
        // SAFETY: the event has no name and no attributes, its handle is new, and a wait resets it.
        let event = unsafe { made(CreateEventW(ptr::null(), 0, 0, ptr::null()))? };
        EVENT.store(raw(&event), Ordering::Release);
        // SAFETY: the handler and everything it uses live as long as the process.
        done(unsafe { SetConsoleCtrlHandler(Some(handler), 1) })?;
        Ok(Console { event })
    }

    /// Returns the events since the last call.
    pub fn read(&self, events: &mut Vec<Event>) {
        for (signal, count) in
            [(Signal::INT, &INTERRUPTS), (Signal::QUIT, &BREAKS), (Signal::TERM, &ENDS)]
        {
            for _ in 0..count.swap(0, Ordering::AcqRel).min(MOST) {
                let signalled = Signalled {
                    signal,
                    value: None,
                    by_kernel: true,
                    hung_up: false,
                    passed: false,
                };
                events.push(Event::Signal(signalled));
            }
        }
    }

    /// The handle to wait for.
    pub fn as_raw(&self) -> HANDLE {
        raw(&self.event)
    }
}

/// Sends a Ctrl-Break to all processes of a group that share foster's console.
pub fn send_break(group: Pid) -> io::Result<()> {
    // SAFETY: it is a system call on numbers.
    done(unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, group.0) })
}

unsafe extern "system" fn handler(kind: u32) -> BOOL {
    let (count, ends_process) = match kind {
        CTRL_C_EVENT => (&INTERRUPTS, false),
        CTRL_BREAK_EVENT => (&BREAKS, false),
        CTRL_CLOSE_EVENT | CTRL_LOGOFF_EVENT | CTRL_SHUTDOWN_EVENT => (&ENDS, true),
        _ => return 0,
    };
    count.fetch_add(1, Ordering::AcqRel);
    // SAFETY: the event was stored before this handler was set, and the process never closes it
    // before its end.
    unsafe { SetEvent(EVENT.load(Ordering::Acquire)) };
    if ends_process {
        // The system ends the process as soon as this returns, and after some seconds even if it
        // does not. So it waits here until the loop ends the process.
        loop {
            // SAFETY: it does nothing.
            unsafe { Sleep(INFINITE) };
        }
    }
    1
}

/// What the handler sets. It runs on another thread, so these must be shareable.
static EVENT: AtomicPtr<std::ffi::c_void> = AtomicPtr::new(ptr::null_mut());
static INTERRUPTS: AtomicU32 = AtomicU32::new(0);
static BREAKS: AtomicU32 = AtomicU32::new(0);
static ENDS: AtomicU32 = AtomicU32::new(0);

/// The most events of a kind that are reported at once: the second means as much as any later one.
const MOST: u32 = 2;
