//! System calls that fail by chance: the test answers them in the place of the kernel
//! (seccomp_unotify(2)).

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc::{self, c_ulong};

use crate::support::board::{self, Board};
use crate::support::dice::Dice;
use crate::support::patience::until;
use crate::support::stream::{await_any, process_descriptor};

/// A judge at work; it ends with the last process that it judges.
pub struct Judge {
    thread: Option<JoinHandle<()>>,
    harsh: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
}

impl Judge {
    /// Filters the system calls of a process and of everything that it starts. It refuses nothing
    /// until it is asked to be strict.
    pub fn of(process: i32, board: Board, seed: u64) -> Judge {
        let descriptor = until("there is nothing to judge", || {
            Some(board[board::JUDGE].load(Relaxed)).filter(|descriptor| *descriptor != 0)
        });
        let process_fd = process_descriptor(process).expect("it lives");
        // SAFETY: these are numbers; the new descriptor is ours.
        let notices = unsafe {
            let fd = libc::syscall(libc::SYS_pidfd_getfd, process_fd.as_raw_fd(), descriptor, 0);
            assert!(fd >= 0, "cannot judge: {}", Errno::last());
            OwnedFd::from_raw_fd(fd as i32)
        };
        board[board::JUDGED].store(1, Relaxed);
        let (harsh, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (is_harsh, count) = (Arc::clone(&harsh), Arc::clone(&refused));
        let mut dice = Dice::new(seed);
        let thread = thread::spawn(move || {
            while let Some(call) = next(&notices) {
                let guilty = call.pid == process as u32 && is_harsh.load(Relaxed) && dice.one_in(3);
                let errors = match i64::from(call.data.nr) {
                    libc::SYS_openat => &[libc::EMFILE, libc::ENFILE, libc::ENOMEM][..],
                    libc::SYS_clone => &[libc::EAGAIN, libc::ENOMEM][..],
                    _ => &[libc::ENOMEM][..],
                };
                count.fetch_add(u64::from(guilty), Relaxed);
                answer(&notices, call.id, guilty.then(|| dice.pick(errors)));
            }
        });
        Judge { thread: Some(thread), harsh, refused }
    }

    /// From now on a third of all calls are refused.
    pub fn be_harsh(&self) {
        self.harsh.store(true, Relaxed);
    }

    /// How many were.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Waits until there is nobody left to judge.
    pub fn retire(mut self) {
        let thread = self.thread.take().expect("it retires once");
        thread.join().expect("it does not panic");
    }
}

/// The next system call to answer, or none when there is nobody left who could make one.
fn next(notices: &OwnedFd) -> Option<libc::seccomp_notif> {
    loop {
        let far = Instant::now() + Duration::from_secs(600);
        await_any(&[notices.as_fd()], far);
        // Kernels before 6.11 wait for ever for those who are gone.
        if is_over(notices) {
            return None;
        }
        // SAFETY: a notice of zeros is what the kernel asks for, and it fills it in.
        let mut call = unsafe { std::mem::zeroed::<libc::seccomp_notif>() };
        // SAFETY: the record is of the type that the request is for.
        if unsafe { libc::ioctl(notices.as_raw_fd(), RECEIVE, &raw mut call) } == 0 {
            return Some(call);
        }
        // Whoever made it is gone, or this was interrupted: there may be another.
    }
}

fn is_over(notices: &OwnedFd) -> bool {
    let mut poll = libc::pollfd { fd: notices.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: it is one pollfd, as the count says.
    unsafe { libc::poll(&raw mut poll, 1, 0) };
    poll.revents & libc::POLLHUP != 0
}

fn answer(notices: &OwnedFd, id: u64, error: Option<i32>) {
    let flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
    let answer = match error {
        Some(error) => libc::seccomp_notif_resp { id, val: 0, error: -error, flags: 0 },
        None => libc::seccomp_notif_resp { id, val: 0, error: 0, flags },
    };
    // Who asked may be gone by now.
    // SAFETY: the record is of the type that the request is for.
    unsafe { libc::ioctl(notices.as_raw_fd(), ANSWER, &raw const answer) };
}

/// `SECCOMP_IOCTL_NOTIF_RECV` and `SECCOMP_IOCTL_NOTIF_SEND`, by asm-generic/ioctl.h.
const RECEIVE: c_ulong = request(0, size_of::<libc::seccomp_notif>());
const ANSWER: c_ulong = request(1, size_of::<libc::seccomp_notif_resp>());

const fn request(number: usize, size: usize) -> c_ulong {
    (3 << 30 | size << 16 | (b'!' as usize) << 8 | number) as c_ulong
}
