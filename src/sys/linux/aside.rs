//! Work that may hang in the kernel for ever, such as unmounting a dead server's file system. A
//! child does it, so that PID 1 can continue without it.

use std::ptr;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{self, c_long};

use foster::time::Instant;

use super::{file, signals, timer};

/// The result of a piece of work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    Done,
    Failed(Errno),
    /// It hangs, and foster has stopped waiting for it.
    Hangs,
}

/// How long work may still hang, over all pieces. A piece makes progress as long as the kernel has
/// less and less to write.
pub struct Patience {
    /// None means no limit.
    left: Option<Duration>,
}

impl Patience {
    /// Patience for this long.
    pub fn new(time: Duration) -> Patience {
        Patience { left: Some(time) }
    }

    /// Patience without a limit.
    pub fn endless() -> Patience {
        Patience { left: None }
    }

    /// Lets a child do this. If no child can be made, foster does it itself: losing data is worse
    /// than hanging.
    pub fn run(&mut self, work: &dyn Fn() -> nix::Result<()>) -> Aside {
        // SAFETY: it copies foster, which has one thread and nothing that the C library would have
        // to repair in a copy: the work is system calls.
        match unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } {
            -1 => match work() {
                Ok(()) => Aside::Done,
                Err(errno) => Aside::Failed(errno),
            },
            0 => {
                let code = work().err().map_or(0, |errno| errno as i32);
                // SAFETY: its argument is a number, and it does not return.
                unsafe { libc::_exit(code) }
            }
            child => self.await_end(child as libc::pid_t),
        }
    }

    fn await_end(&mut self, child: libc::pid_t) -> Aside {
        let began = timer::now();
        let (mut unwritten, mut looked_at) = (unwritten(), began);
        loop {
            let mut status = 0;
            // SAFETY: `status` takes the answer.
            match unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } {
                0 => {}
                _ if !libc::WIFEXITED(status) => return Aside::Failed(Errno::EINTR),
                _ => match libc::WEXITSTATUS(status) {
                    0 => return Aside::Done,
                    code => return Aside::Failed(Errno::from_raw(code)),
                },
            }
            // Work after a piece that hung has a moment too.
            if self.left == Some(Duration::ZERO) && looked_at.since(began) >= LOOK_AGAIN {
                return Aside::Hangs;
            }
            await_child(LOOK_AGAIN);
            let left = self::unwritten();
            if left >= unwritten {
                self.spend(looked_at);
            }
            (unwritten, looked_at) = (left, timer::now());
        }
    }

    /// Notes that nothing has moved since then.
    fn spend(&mut self, since: Instant) {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(timer::now().since(since));
        }
    }
}

/// Waits until a child ends, at most for this long.
fn await_child(longest: Duration) {
    let set = signals::bit(libc::SIGCHLD);
    // This call uses two machine words for the time on every architecture, whatever the C library
    // has.
    let time = [longest.as_secs() as c_long, longest.subsec_nanos() as c_long];
    // SAFETY: the set has the given size of 64 bits; no details of the signal are requested, and
    // all signals are blocked.
    unsafe {
        let (set, time) = (&raw const set, &raw const time);
        let nobody = ptr::null_mut::<libc::siginfo_t>();
        libc::syscall(libc::SYS_rt_sigtimedwait, set, nobody, time, size_of::<u64>());
    }
}

/// The number of kB that the kernel still has to write, or to bring back from swap
/// (proc_meminfo(5)).
fn unwritten() -> u64 {
    let mut room = [0; 1024];
    // The values are among the first lines.
    let text = file::read_start(c"/proc/meminfo", &mut room).unwrap_or_default();
    let kilobytes = |name: &[u8]| {
        let mut lines = text.split(|byte| *byte == b'\n');
        let line = lines.find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let digits = line.iter().filter(|byte| byte.is_ascii_digit());
        digits.fold(0_u64, |number, digit| number.saturating_mul(10) + u64::from(digit - b'0'))
    };
    let swapped = kilobytes(b"SwapTotal:").saturating_sub(kilobytes(b"SwapFree:"));
    kilobytes(b"Dirty:") + kilobytes(b"Writeback:") + swapped
}

/// The interval between looks at the progress of work.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
