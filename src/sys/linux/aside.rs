//! Work that may hang in the kernel for ever, such as unmounting what a dead server holds: it is
//! done by a child, so that PID 1 can go on without it.

use std::ptr;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{self, c_long};

use foster::time::Instant;

use super::{file, signals, timer};

/// What came of a piece of work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    Done,
    Failed(Errno),
    /// It stands still, and nobody waits for it any more.
    Hangs,
}

/// How long work may still stand still, added up over all pieces. As long as the kernel has less
/// and less to write, a piece makes progress.
pub struct Patience {
    /// None for as long as it takes.
    left: Option<Duration>,
}

impl Patience {
    /// Patience for this long.
    pub fn new(time: Duration) -> Patience {
        Patience { left: Some(time) }
    }

    /// Patience without an end.
    pub fn endless() -> Patience {
        Patience { left: None }
    }

    /// Has a child do this. Where no child can be made it is done here: to lose data is worse than
    /// to hang.
    pub fn run(&mut self, work: &dyn Fn() -> nix::Result<()>) -> Aside {
        // SAFETY: it copies foster, which has one thread and nothing that the C library would have to
        // put right in a copy: the work is system calls.
        match unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } {
            -1 => match work() {
                Ok(()) => Aside::Done,
                Err(errno) => Aside::Failed(errno),
            },
            0 => {
                let code = work().err().map_or(0, |errno| errno as i32);
                // SAFETY: it has a number for an argument, and does not come back.
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
            // What comes behind a piece that hung has a moment too.
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

    /// Takes in that nothing went on since then.
    fn spend(&mut self, since: Instant) {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(timer::now().since(since));
        }
    }
}

/// Waits until a child ends, or for this long.
fn await_child(longest: Duration) {
    let set = signals::bit(libc::SIGCHLD);
    // This call has two words for the time on every machine, whatever the C library has.
    let time = [longest.as_secs() as c_long, longest.subsec_nanos() as c_long];
    // SAFETY: the set is 64 bits, the size that is given; nothing is to be told of the signal, and
    // all signals are blocked.
    unsafe {
        let (set, time) = (&raw const set, &raw const time);
        let nobody = ptr::null_mut::<libc::siginfo_t>();
        libc::syscall(libc::SYS_rt_sigtimedwait, set, nobody, time, size_of::<u64>());
    }
}

/// How many kB the kernel still has to write, or to take back from swap (proc_meminfo(5)).
fn unwritten() -> u64 {
    let mut room = [0; 1024];
    // What is asked for stands among the first lines.
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

/// How often to look whether work makes progress.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
