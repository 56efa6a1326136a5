//! What the console says: Ctrl-C, Ctrl-Break, the end of the window, the session or the system.
//!
//! The system calls a handler, on a thread that it makes for this. The handler does nothing but
//! count what came and set an event, which the loop waits for.

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

/// The console, as far as it tells foster something.
pub struct Console {
    event: OwnedHandle,
}

impl Console {
    /// Lets the console tell.
    pub fn new() -> io::Result<Console> {
        // SAFETY: the event has no name, no attributes, and a handle that is new. It is of the
        // kind that a wait resets.
        let event = unsafe { made(CreateEventW(ptr::null(), 0, 0, ptr::null()))? };
        EVENT.store(raw(&event), Ordering::Release);
        // SAFETY: the handler is one for all of the process' life, and so is what it uses.
        done(unsafe { SetConsoleCtrlHandler(Some(handler), 1) })?;
        Ok(Console { event })
    }

    /// Tells what came since it was last asked.
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

    /// What to wait for.
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
        // The system ends the process as soon as this returns, and after some seconds even if
        // it does not. So it stays, until the end of the loop ends the process.
        loop {
            // SAFETY: it does nothing.
            unsafe { Sleep(INFINITE) };
        }
    }
    1
}

/// What the handler sets. It runs on another thread, so these are what it may share.
static EVENT: AtomicPtr<std::ffi::c_void> = AtomicPtr::new(ptr::null_mut());
static INTERRUPTS: AtomicU32 = AtomicU32::new(0);
static BREAKS: AtomicU32 = AtomicU32::new(0);
static ENDS: AtomicU32 = AtomicU32::new(0);

/// How many of a kind are told at once: the second one means as much as any later one.
const MOST: u32 = 2;
