//! Signals as a source for the mio loop: signalfd(2), or signal-hook's self-pipe with the same
//! records if the kernel has none. Where there are only signals to wait for, rt_sigtimedwait(2)
//! returns them.
//!
//! Every signal stays blocked as long as foster lives; with the self-pipe, except while foster
//! waits. Such a wait lets in one signal: the others stay pending in the kernel, which has more
//! room for them than a pipe.

mod handed;
mod mask;
mod self_pipe;

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use mio::{Events, Poll};
use nix::errno::Errno;
use nix::libc::{self, c_int};

use foster::driver::SIGNALS_AT_ONCE;
use foster::signal::{Signal, SignalSet};
use foster::supervisor::{Event, Signalled};

use super::bounded;

pub use mask::{Dispositions, bit, block_all, set_disposition, set_mask, try_to_block_all};

use mask::disposition;
use self_pipe::self_pipe;

/// The source of signals.
pub struct Signals {
    source: Source,
    /// Whether rt_sigtimedwait is available.
    hands_over: bool,
    /// How many it has returned since pending signals were last looked for.
    handed: usize,
    own_pid: u32,
    /// The changed dispositions, which children get back.
    pub dispositions: Dispositions,
    /// Whether foster has resumed its own group, itself included: then a CONT from itself is that
    /// one.
    pub resumes_own_group: bool,
}

enum Source {
    Signalfd(OwnedFd),
    SelfPipe(OwnedFd),
}

/// A signal's record in the self-pipe.
#[repr(C)]
#[derive(Clone, Copy)]
struct Record {
    signal: c_int,
    code: c_int,
    pid: c_int,
    value: u64,
}

impl Record {
    /// # Safety
    ///
    /// It is of a signal that arrived, or zeroed.
    unsafe fn of(info: &libc::siginfo_t) -> Record {
        // SAFETY: these fields exist for every signal that a process sends, and are plain numbers
        // otherwise.
        let (pid, value) = unsafe { (info.si_pid(), info.si_value().sival_ptr as u64) };
        Record { signal: info.si_signo, code: info.si_code, pid, value }
    }

    /// Whether foster's own action caused it: a write to a pipe that nobody reads, or to a file at
    /// its size limit, or the use of its processor time.
    #[inline(always)]
    fn is_own(&self, own_pid: u32) -> bool {
        if OWN & bit(self.signal.clamp(1, 64)) == 0 {
            return false;
        }
        match self.signal {
            // The record looks as if foster had sent it itself, which it never does.
            libc::SIGPIPE | libc::SIGXFSZ => {
                self.code == libc::SI_USER && self.pid as u32 == own_pid
            }
            libc::SIGXCPU => self.code == libc::SI_KERNEL,
            signal => bounded::is_timers(signal, self.code),
        }
    }
}

/// Signals that foster's own actions may cause; the last one interrupts a log line.
const OWN: u64 =
    bit(libc::SIGPIPE) | bit(libc::SIGXFSZ) | bit(libc::SIGXCPU) | bit(bounded::SIGNAL);

impl Signals {
    /// Opens the source. All signals are blocked already.
    pub fn new(own_pid: u32) -> Result<Signals, Errno> {
        let mut dispositions = Dispositions::default();
        let source = match signalfd() {
            Ok(descriptor) => {
                // If SIGCHLD stayed ignored as inherited, children would reap themselves (wait(2),
                // NOTES).
                if set_disposition(libc::SIGCHLD, libc::SIG_DFL)? == libc::SIG_IGN {
                    dispositions.changed = bit(libc::SIGCHLD);
                    dispositions.ignored = bit(libc::SIGCHLD);
                }
                Source::Signalfd(descriptor)
            }
            // The kernel has no signalfd, or a filter denies it.
            Err(Errno::ENOSYS | Errno::EPERM) => Source::SelfPipe(self_pipe(&mut dispositions)?),
            Err(error) => return Err(error),
        };
        // With the self-pipe, a handler takes them.
        let hands_over = matches!(source, Source::Signalfd(_));
        Ok(Signals {
            source,
            hands_over,
            handed: 0,
            own_pid,
            dispositions,
            resumes_own_group: false,
        })
    }

    /// The descriptor to wait for.
    pub fn descriptor(&self) -> RawFd {
        match &self.source {
            Source::Signalfd(descriptor) | Source::SelfPipe(descriptor) => descriptor.as_raw_fd(),
        }
    }

    /// Those of these signals that were ignored when foster started.
    pub fn ignored(&self, signals: &[Signal]) -> SignalSet {
        let mut ignored = SignalSet::EMPTY;
        for signal in signals {
            let number = c_int::from(signal.number());
            let is_ignored = match &self.source {
                Source::Signalfd(_) => disposition(number) == libc::SIG_IGN,
                Source::SelfPipe(_) => self.dispositions.ignored & bit(number) != 0,
            };
            if is_ignored {
                ignored.insert(*signal);
            }
        }
        ignored
    }

    /// Whether a wait without a report may have brought signals: with the self-pipe, one ends when
    /// a handler interrupts it.
    pub fn come_untold(&self) -> bool {
        matches!(self.source, Source::SelfPipe(_))
    }

    /// Waits until the queue has something, for example a signal, or the time is up.
    pub fn wait(
        &self,
        queue: &mut Poll,
        ready: &mut Events,
        mut timeout: Option<Duration>,
    ) -> Result<(), Errno> {
        let mut waited = Ok(false);
        if let Source::SelfPipe(_) = &self.source {
            let queue_fd = queue.as_raw_fd();
            let mut queue_fd = libc::pollfd { fd: queue_fd, events: libc::POLLIN, revents: 0 };
            waited = self.let_one_in(std::slice::from_mut(&mut queue_fd), timeout);
            // What the handler wrote is readable now.
            timeout = Some(Duration::ZERO);
        }
        queue.poll(ready, timeout).map_err(errno).and(waited.map(drop))
    }

    /// Waits for a signal or the end of the time without a queue; says whether a signal arrived.
    pub fn wait_alone(&self, timeout: Option<Duration>) -> Result<bool, Errno> {
        match &self.source {
            Source::Signalfd(descriptor) => {
                let fd = descriptor.as_raw_fd();
                let mut fd = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
                ppoll(std::slice::from_mut(&mut fd), timeout, None)?;
                Ok(fd.revents != 0)
            }
            Source::SelfPipe(_) => self.let_one_in(&mut [], timeout),
        }
    }

    /// Waits with every signal unblocked that has a handler; says whether one ran. The handler
    /// blocks all others, and afterwards the old mask is back, so only one runs.
    fn let_one_in(
        &self,
        fds: &mut [libc::pollfd],
        timeout: Option<Duration>,
    ) -> Result<bool, Errno> {
        // Signals without a handler stay blocked, so that none of them kills foster.
        ppoll(fds, timeout, Some(!self.dispositions.changed))
    }

    /// Reads one batch of signals; says whether SIGCHLD was among them, and whether there may be
    /// more.
    // Not inlined, so that its buffer is on the stack only while it runs: the rest of foster fits
    // into a page.
    #[inline(never)]
    pub fn read(&mut self, events: &mut Vec<Event>) -> Batch {
        let mut batch = Batch::default();
        self.handed = 0;
        match &self.source {
            Source::Signalfd(descriptor) => {
                let mut infos: [mem::MaybeUninit<libc::signalfd_siginfo>; SIGNALS_AT_ONCE] =
                    [const { mem::MaybeUninit::uninit() }; SIGNALS_AT_ONCE];
                let count = read_records(descriptor, &mut infos);
                batch.more = count == SIGNALS_AT_ONCE;
                for info in &infos[..count] {
                    // SAFETY: the kernel has filled in the first `count` records.
                    let info = unsafe { info.assume_init_ref() };
                    let record = Record {
                        signal: info.ssi_signo as c_int,
                        code: info.ssi_code,
                        pid: info.ssi_pid as c_int,
                        value: info.ssi_ptr,
                    };
                    self.tell(record, false, &mut batch, events);
                }
            }
            Source::SelfPipe(descriptor) => {
                // The pipe has room for as many records as are read.
                let now = Some(Duration::ZERO);
                for _ in 0..SIGNALS_AT_ONCE {
                    if !self.let_one_in(&mut [], now).unwrap_or(false) {
                        break;
                    }
                }
                let mut records = [const { mem::MaybeUninit::<Record>::uninit() }; SIGNALS_AT_ONCE];
                let count = read_records(descriptor, &mut records);
                batch.more = count == SIGNALS_AT_ONCE;
                for record in &records[..count] {
                    // SAFETY: the handler writes whole records, which a pipe does not split.
                    self.tell(unsafe { record.assume_init_read() }, false, &mut batch, events);
                }
            }
        }
        batch
    }

    fn tell(&self, record: Record, passed: bool, batch: &mut Batch, events: &mut Vec<Event>) {
        let Some(signal) = Signal::new(record.signal) else { return };
        if signal == Signal::CHLD {
            batch.child = true;
            return;
        }
        let resumes = record.signal == libc::SIGCONT
            && record.code == libc::SI_USER
            && record.pid as u32 == self.own_pid;
        // It does not concern the processes that foster runs.
        if record.is_own(self.own_pid) || resumes && self.resumes_own_group {
            return;
        }
        batch.hang_up |= signal == Signal::HUP;
        events.push(Event::Signal(Signalled {
            signal,
            value: (record.code == libc::SI_QUEUE).then_some(record.value),
            by_kernel: record.code == libc::SI_KERNEL,
            hung_up: false,
            passed,
        }));
    }
}

/// The result of a read.
#[derive(Default)]
pub struct Batch {
    /// A child ended or stopped.
    pub child: bool,
    /// There may be more to read.
    pub more: bool,
    /// There was a HUP.
    pub hang_up: bool,
}

/// The number of a system error.
pub fn errno(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or_default())
}

/// Waits until a descriptor is ready or the time is up, with another mask if one is given
/// (ppoll(2)); says whether something interrupted it.
fn ppoll(
    fds: &mut [libc::pollfd],
    timeout: Option<Duration>,
    mask: Option<u64>,
) -> Result<bool, Errno> {
    let timeout = timeout.map(|timeout| libc::timespec {
        // It wakes up once in a very long time, if the kernel counts in 32 bits.
        tv_sec: timeout.as_secs().min(i32::MAX as u64) as _,
        tv_nsec: timeout.subsec_nanos() as _,
    });
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the set begins with the 64 bits that the kernel reads, and all pointers are null or to
    // live values.
    let count = unsafe {
        let mut set = mem::zeroed::<libc::sigset_t>();
        (&raw mut set).cast::<u64>().write_unaligned(mask.unwrap_or(0));
        let set = mask.map_or(ptr::null(), |_| &raw const set);
        libc::ppoll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout, set)
    };
    match Errno::result(count) {
        Ok(_) => Ok(false),
        Err(Errno::EINTR) => Ok(true),
        Err(error) => Err(error),
    }
}

/// The descriptor is not one of the standard ones: if those were closed, they are taken here, so
/// that no later file of foster's is mistaken for stderr. Children find them closed again.
fn signalfd() -> Result<OwnedFd, Errno> {
    let mask = u64::MAX;
    // SAFETY: the mask has the given size of 64 bits; the descriptor is new and ours.
    unsafe {
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        loop {
            let mask = &raw const mask;
            let opened = libc::syscall(libc::SYS_signalfd4, -1, mask, size_of::<u64>(), flags);
            let descriptor = Errno::result(opened)? as RawFd;
            if !is_standard(descriptor) {
                return Ok(OwnedFd::from_raw_fd(descriptor));
            }
        }
    }
}

fn is_standard(descriptor: RawFd) -> bool {
    descriptor <= libc::STDERR_FILENO
}

/// Reads as many whole records as there are and as fit.
fn read_records<T>(descriptor: &OwnedFd, records: &mut [mem::MaybeUninit<T>]) -> usize {
    // SAFETY: the buffer is writable for the requested number of bytes.
    let length = unsafe {
        libc::read(descriptor.as_raw_fd(), records.as_mut_ptr().cast(), size_of_val(records))
    };
    usize::try_from(length).unwrap_or(0) / size_of::<T>()
}
