//! Signals as something to wait for beside a deadline: signalfd(2), and where the kernel has none,
//! the self-pipe of signal-hook with the same records in it. Where there is no deadline the kernel
//! hands them over itself.
//!
//! Every signal stays blocked for as long as foster lives; with the self-pipe, all but for the
//! moments in which foster waits. Such a wait lets in one signal and no more: the others stay with the
//! kernel, which has more room for them than any pipe.

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

/// Signals, as they come in.
pub struct Signals {
    source: Source,
    /// Whether the kernel hands a signal over to who waits for nothing else.
    hands_over: bool,
    /// How many it has handed over since the others were last looked for.
    handed: usize,
    own_pid: u32,
    /// What became of dispositions, for children to get them back.
    pub dispositions: Dispositions,
    /// Whether foster has let its own group go on, itself among it: a CONT of its own is that one.
    pub resumes_own_group: bool,
}

enum Source {
    Signalfd(OwnedFd),
    SelfPipe(OwnedFd),
}

/// One signal as the self-pipe carries it.
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
    /// It is of a signal that has come, or of zeroes.
    unsafe fn of(info: &libc::siginfo_t) -> Record {
        // SAFETY: these fields are there for every signal that a process sends, and numbers like
        // any others where they are not.
        let (pid, value) = unsafe { (info.si_pid(), info.si_value().sival_ptr as u64) };
        Record { signal: info.si_signo, code: info.si_code, pid, value }
    }

    /// Whether the kernel sent it for foster's own doing: a write to a pipe that nobody reads, or to a
    /// file that is as large as it may be; the use of all the processor's time that foster may have.
    #[inline(always)]
    fn is_own(&self, own_pid: u32) -> bool {
        if OWN & bit(self.signal.clamp(1, 64)) == 0 {
            return false;
        }
        match self.signal {
            // As if foster had sent it itself, which it never does.
            libc::SIGPIPE | libc::SIGXFSZ => {
                self.code == libc::SI_USER && self.pid as u32 == own_pid
            }
            libc::SIGXCPU => self.code == libc::SI_KERNEL,
            signal => bounded::is_timers(signal, self.code),
        }
    }
}

/// What may be foster's own doing; the last interrupts a log line.
const OWN: u64 =
    bit(libc::SIGPIPE) | bit(libc::SIGXFSZ) | bit(libc::SIGXCPU) | bit(bounded::SIGNAL);

impl Signals {
    /// Opens the source. All signals are blocked already.
    pub fn new(own_pid: u32) -> Result<Signals, Errno> {
        let mut dispositions = Dispositions::default();
        let source = match signalfd() {
            Ok(descriptor) => {
                // A SIGCHLD that was ignored when foster started would have children reap
                // themselves (wait(2), NOTES).
                if set_disposition(libc::SIGCHLD, libc::SIG_DFL)? == libc::SIG_IGN {
                    dispositions.changed = bit(libc::SIGCHLD);
                    dispositions.ignored = bit(libc::SIGCHLD);
                }
                Source::Signalfd(descriptor)
            }
            // The kernel has none, or a filter denies it.
            Err(Errno::ENOSYS | Errno::EPERM) => Source::SelfPipe(self_pipe(&mut dispositions)?),
            Err(error) => return Err(error),
        };
        // With the self-pipe it is a handler that takes them.
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

    /// What to wait for.
    pub fn descriptor(&self) -> RawFd {
        match &self.source {
            Source::Signalfd(descriptor) | Source::SelfPipe(descriptor) => descriptor.as_raw_fd(),
        }
    }

    /// Which of these foster found ignored.
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

    /// Whether a wait that tells of nothing may have brought signals: with the self-pipe one ends
    /// when a handler interrupts it.
    pub fn come_untold(&self) -> bool {
        matches!(self.source, Source::SelfPipe(_))
    }

    /// Waits until there is something in the queue, a signal to begin with, or the time is up.
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

    /// Waits for a signal or the end of the time where there is no queue; says whether one came.
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

    /// Waits with no signal blocked that has a handler; says whether one ran. The handler blocks all
    /// others, and behind it the mask is the one before: so it is one.
    fn let_one_in(
        &self,
        fds: &mut [libc::pollfd],
        timeout: Option<Duration>,
    ) -> Result<bool, Errno> {
        // What no handler takes stays blocked, so that it kills nobody.
        ppoll(fds, timeout, Some(!self.dispositions.changed))
    }

    /// Reads one batch of signals; says whether a child's was among them, and whether there may
    /// be more.
    // Its room on the stack is for its own time only: the rest of foster fits into a page.
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
                // There is room in the pipe for as many as are read.
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
                    // SAFETY: the handler writes whole records, which a pipe keeps whole.
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
        // It concerns none of those that foster runs.
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

/// What a read came to.
#[derive(Default)]
pub struct Batch {
    /// A child ended or stopped.
    pub child: bool,
    /// There may be more to read.
    pub more: bool,
    /// There was a HUP.
    pub hang_up: bool,
}

/// The number of an error that is not of foster's own making.
pub fn errno(error: io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or_default())
}

/// Waits until a descriptor is ready or the time is up, behind another mask if that is given
/// (ppoll(2)); says whether something interrupted it.
fn ppoll(
    fds: &mut [libc::pollfd],
    timeout: Option<Duration>,
    mask: Option<u64>,
) -> Result<bool, Errno> {
    let timeout = timeout.map(|timeout| libc::timespec {
        // It wakes up once in an age, where the kernel counts in 32 bits.
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

/// The descriptor is none of the standard ones: where those were closed, they are taken up here, so
/// that nothing foster opens later is taken for stderr. Children find them closed again.
fn signalfd() -> Result<OwnedFd, Errno> {
    let mask = u64::MAX;
    // SAFETY: the mask is 64 bits, the size that is given; the descriptor is new and ours.
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

/// Reads as many whole records as there are and as fit; none where there are none.
fn read_records<T>(descriptor: &OwnedFd, records: &mut [mem::MaybeUninit<T>]) -> usize {
    // SAFETY: the buffer is writable for as many bytes as are asked for.
    let length = unsafe {
        libc::read(descriptor.as_raw_fd(), records.as_mut_ptr().cast(), size_of_val(records))
    };
    usize::try_from(length).unwrap_or(0) / size_of::<T>()
}
