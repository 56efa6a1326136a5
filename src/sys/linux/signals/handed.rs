//! Waiting for signals where there is nothing else to wait for: rt_sigtimedwait(2).

use std::mem;
use std::ptr;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{self, c_long};

use foster::driver::SIGNALS_AT_ONCE;
use foster::signal::Signal;
use foster::supervisor::{Event, Way};

use super::super::kill;
use super::mask::bit;
use super::{Batch, Record, Signals};

impl Signals {
    /// Waits for a signal where there is nothing else to wait for, as long as it takes
    /// (rt_sigtimedwait(2)): the kernel hands it over with the wake-up, in one call in place of
    /// two. One that only goes on does so before anything else; where nobody wants to be told of it
    /// (`tells`), there is nothing else. Gives nothing where that is not to be had.
    // Separate from the work before and after it, in one page with the calls that it makes: the
    // receiver of a signal may have to wait until foster waits again.
    #[inline(never)]
    pub fn wait_for_one(
        &mut self,
        way: Option<Way>,
        tells: bool,
        events: &mut Vec<Event>,
    ) -> Option<Batch> {
        if !self.hands_over {
            return None;
        }
        let mut batch = Batch::default();
        // SAFETY: a zeroed siginfo_t is valid.
        let mut info = unsafe { mem::zeroed::<libc::siginfo_t>() };
        let passed = loop {
            if let Err(error) = hand_over(&mut info, u64::MAX, None) {
                self.hands_over = error == Errno::EINTR;
                return Some(batch);
            }
            self.handed += 1;
            // SAFETY: it is of a signal that arrived.
            let own = unsafe { Record::of(&info) }.is_own(self.own_pid);
            let goes = |way: &Way| {
                let signal = Signal::new(info.si_signo);
                let goes = signal.is_some_and(|it| way.signals.contains(it));
                goes && ![libc::SI_QUEUE, libc::SI_KERNEL].contains(&info.si_code) && !own
            };
            let passed = way.filter(goes).map(|Way { target, .. }| {
                let sent = kill::send_on(target, info.si_signo);
                (target, sent)
            });
            // Now and then, pending signals are looked for, below.
            let untold = !tells && self.handed < SIGNALS_AT_ONCE;
            if !(untold && matches!(passed, Some((_, Ok(()))))) {
                break passed;
            }
        };
        // SAFETY: it is of a signal that arrived.
        let record = unsafe { Record::of(&info) };
        self.tell(record, passed.is_some(), &mut batch, events);
        if let Some((target, Err(error))) = passed
            && let Some(signal) = Signal::new(record.signal)
        {
            events.push(Event::KillFailed { target, signal, os: error as i32 });
        }
        if batch.child {
            // Report these first: a CONT must not be lost when foster stops itself.
            batch.more = self.read(events).more;
        } else {
            // The kernel returns the lowest number first: if that signal keeps arriving, the others
            // would wait for ever.
            batch.more = self.handed >= SIGNALS_AT_ONCE;
        }
        Some(batch)
    }

    /// Waits until the time is up, even if children end, or until another signal arrives, which is
    /// reported. Says whether this is supported.
    pub fn wait_for_others(&mut self, timeout: Duration, events: &mut Vec<Event>) -> bool {
        if !self.hands_over {
            return false;
        }
        // SAFETY: a zeroed siginfo_t is valid.
        let mut info = unsafe { mem::zeroed::<libc::siginfo_t>() };
        if let Err(error) = hand_over(&mut info, !bit(libc::SIGCHLD), Some(timeout)) {
            return matches!(error, Errno::EAGAIN | Errno::EINTR);
        }
        // SAFETY: it is of a signal that arrived.
        let record = unsafe { Record::of(&info) };
        self.tell(record, false, &mut Batch::default(), events);
        true
    }
}

/// Waits for a signal of a set (rt_sigtimedwait(2)).
// Inlined, like everything that `wait_for_one` calls.
#[inline(always)]
fn hand_over(
    info: &mut libc::siginfo_t,
    mask: u64,
    timeout: Option<Duration>,
) -> Result<(), Errno> {
    // This call uses two machine words for the time on every architecture, whatever the C library
    // has.
    let words =
        |time: Duration| [time.as_secs() as c_long, c_long::from(time.subsec_nanos() as i32)];
    let timeout = timeout.map(words);
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    let info = ptr::from_mut(info);
    // SAFETY: the mask has the given size of 64 bits, `info` has room for the result, and the
    // timeout is null or points to a live value.
    let number = unsafe {
        let (call, mask) = (libc::SYS_rt_sigtimedwait, &raw const mask);
        libc::syscall(call, mask, info, timeout, size_of::<u64>())
    };
    Errno::result(number).map(drop)
}
