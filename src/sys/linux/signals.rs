//! Signals as something to wait for beside a deadline: signalfd(2), and where the kernel has none,
//! the self-pipe of signal-hook with the same records in it. Where there is no deadline the kernel
//! hands them over itself.
//!
//! Every signal stays blocked for as long as foster lives; with the self-pipe, all but for the
//! moments in which foster waits. Such a wait lets in one signal and no more: the others stay with the
//! kernel, which has more room for them than any pipe.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use mio::{Events, Poll};
use nix::errno::Errno;
use nix::libc::{self, c_int, c_long};

use foster::driver::SIGNALS_AT_ONCE;
use foster::signal::{Signal, SignalSet};
use foster::supervisor::{Event, Signalled, Way};

use super::{bounded, file, kill};

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

/// The signals whose disposition foster has changed, and those of them that were ignored.
#[derive(Clone, Copy, Default)]
pub struct Dispositions {
    pub changed: u64,
    pub ignored: u64,
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
        timeout: Option<Duration>,
    ) -> Result<(), Errno> {
        match &self.source {
            Source::Signalfd(_) => queue.poll(ready, timeout).map_err(errno),
            Source::SelfPipe(_) => {
                let queue_fd = queue.as_raw_fd();
                let mut queue_fd = libc::pollfd { fd: queue_fd, events: libc::POLLIN, revents: 0 };
                let waited = self.let_one_in(std::slice::from_mut(&mut queue_fd), timeout);
                // What it wrote is there to be read now.
                queue.poll(ready, Some(Duration::ZERO)).map_err(errno).and(waited.map(drop))
            }
        }
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

    /// Waits for a signal where there is nothing else to wait for, as long as it takes
    /// (rt_sigtimedwait(2)): the kernel hands it over with the wake-up, in one call in place of
    /// two. One that only goes on does so before anything else; where nobody wants to be told of it
    /// (`tells`), there is nothing else. Gives nothing where that is not to be had.
    // Apart from what is done before and after it, in a page with the calls that it makes: whoever
    // gets a signal may have to wait until foster waits again.
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
        // SAFETY: a siginfo_t of zeroes is valid.
        let mut info = unsafe { mem::zeroed::<libc::siginfo_t>() };
        let passed = loop {
            if let Err(error) = hand_over(&mut info, u64::MAX, None) {
                self.hands_over = error == Errno::EINTR;
                return Some(batch);
            }
            self.handed += 1;
            // SAFETY: it is of a signal that has come.
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
            // Every so often the others are looked for, below.
            let untold = !tells && self.handed < SIGNALS_AT_ONCE;
            if !(untold && matches!(passed, Some((_, Ok(()))))) {
                break passed;
            }
        };
        // SAFETY: it is of a signal that has come.
        let record = unsafe { Record::of(&info) };
        self.tell(record, passed.is_some(), &mut batch, events);
        if let Some((target, Err(error))) = passed
            && let Some(signal) = Signal::new(record.signal)
        {
            events.push(Event::KillFailed { target, signal, os: error as i32 });
        }
        if batch.child {
            // What came together with a child's end or stop is told before it: a CONT must not go
            // down in the stop that foster makes of a child's.
            batch.more = self.read(events).more;
        } else {
            // It is the one with the lowest number: where that comes over and over, the others
            // would wait for ever.
            batch.more = self.handed >= SIGNALS_AT_ONCE;
        }
        Some(batch)
    }

    /// Waits until the time is up, whichever child ends, or until there is another signal, which is
    /// told. Says whether this is to be had.
    pub fn wait_for_others(&mut self, timeout: Duration, events: &mut Vec<Event>) -> bool {
        if !self.hands_over {
            return false;
        }
        // SAFETY: a siginfo_t of zeroes is valid.
        let mut info = unsafe { mem::zeroed::<libc::siginfo_t>() };
        if let Err(error) = hand_over(&mut info, !bit(libc::SIGCHLD), Some(timeout)) {
            return matches!(error, Errno::EAGAIN | Errno::EINTR);
        }
        // SAFETY: it is of a signal that has come.
        let record = unsafe { Record::of(&info) };
        self.tell(record, false, &mut Batch::default(), events);
        true
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

/// Blocks every signal, those that glibc hides too; gives the mask that was in force.
pub fn block_all() -> u64 {
    set_mask(u64::MAX)
}

/// The same, where that may be refused (seccomp); none if it is.
pub fn try_to_block_all() -> Option<u64> {
    change_mask(u64::MAX)
}

/// Sets the signal mask, a bit for each signal; gives the one that was in force.
pub fn set_mask(mask: u64) -> u64 {
    // Where it is refused, foster does not start.
    change_mask(mask).unwrap_or_default()
}

fn change_mask(mask: u64) -> Option<u64> {
    let mut old = 0_u64;
    // SAFETY: both masks are 64 bits, the size that is given. glibc's function would leave signals 32
    // and 33 out.
    let done = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const mask,
            &raw mut old,
            size_of::<u64>(),
        )
    };
    (done == 0).then_some(old)
}

/// Sets what a signal does, `SIG_DFL` or `SIG_IGN`; gives what it did.
pub fn set_disposition(signal: c_int, handler: libc::sighandler_t) -> Result<usize, Errno> {
    // SAFETY: a zeroed sigaction is one without flags and with an empty mask, and `handler` is
    // none that would run.
    unsafe {
        let mut action = mem::zeroed::<libc::sigaction>();
        let mut old = mem::zeroed::<libc::sigaction>();
        action.sa_sigaction = handler;
        let done = libc::sigaction(signal, &raw const action, &raw mut old);
        Errno::result(done).map(|_| old.sa_sigaction)
    }
}

/// What a signal does.
fn disposition(signal: c_int) -> libc::sighandler_t {
    // SAFETY: a sigaction of zeroes is valid, and takes the answer.
    unsafe {
        let mut action = mem::zeroed::<libc::sigaction>();
        libc::sigaction(signal, ptr::null(), &raw mut action);
        action.sa_sigaction
    }
}

/// The bit of a signal in a mask.
pub const fn bit(signal: c_int) -> u64 {
    1 << (signal - 1)
}

/// Waits for a signal of a set, which the kernel hands over (rt_sigtimedwait(2)).
// It becomes part of its caller, as what `wait_for_one` calls does.
#[inline(always)]
fn hand_over(
    info: &mut libc::siginfo_t,
    mask: u64,
    timeout: Option<Duration>,
) -> Result<(), Errno> {
    // This call has two words for the time on every machine, whatever the C library has.
    let words =
        |time: Duration| [time.as_secs() as c_long, c_long::from(time.subsec_nanos() as i32)];
    let timeout = timeout.map(words);
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    let info = ptr::from_mut(info);
    // SAFETY: the mask is 64 bits, the size that is given, `info` takes the answer, and the timeout
    // is null or to a live value.
    let number = unsafe {
        let (call, mask) = (libc::SYS_rt_sigtimedwait, &raw const mask);
        libc::syscall(call, mask, info, timeout, size_of::<u64>())
    };
    Errno::result(number).map(drop)
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

/// Has the handler of a signal run to its end before that of another begins: of several that are
/// pending the kernel prepares the first one's handler first, and so runs it last (signal(7)).
fn let_nothing_interrupt(signal: c_int) -> Result<(), Errno> {
    // SAFETY: what sigaction fills in it also takes; only the mask is another.
    unsafe {
        let mut action = mem::zeroed::<libc::sigaction>();
        libc::sigaction(signal, ptr::null(), &raw mut action);
        libc::sigfillset(&raw mut action.sa_mask);
        Errno::result(libc::sigaction(signal, &raw const action, ptr::null_mut())).map(drop)
    }
}

/// Has a handler write a record of every signal into a pipe, whose ends are none of the standard
/// descriptors either; gives the end to read.
fn self_pipe(dispositions: &mut Dispositions) -> Result<OwnedFd, Errno> {
    let mut ends = [0; 2];
    while ends.into_iter().any(is_standard) {
        ends = file::pipe(libc::O_NONBLOCK)?;
    }
    // SAFETY: the descriptors are new and ours.
    let (reader, writer) = (unsafe { OwnedFd::from_raw_fd(ends[0]) }, ends[1]);
    for signal in 1..=64 {
        // KILL and STOP are nobody's, and the C library keeps two or three for itself.
        let Ok(old) = set_disposition(signal, libc::SIG_DFL) else { continue };
        if old == libc::SIG_IGN {
            dispositions.ignored |= bit(signal);
        }
        dispositions.changed |= bit(signal);
        let handler = move |info: &libc::siginfo_t| {
            // A fault of foster's own is not a signal that somebody sent.
            let fault = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP];
            if info.si_code > 0 && info.si_code != libc::SI_KERNEL && fault.contains(&signal) {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            // SAFETY: the kernel has called the handler with it; write(2) may be called in one.
            unsafe {
                let record = Record::of(info);
                libc::write(writer, (&raw const record).cast(), size_of::<Record>());
            }
        };
        // SAFETY: the handler does nothing but what signal-safety(7) allows.
        unsafe { signal_hook_registry::register_unchecked(signal, handler) }.map_err(errno)?;
        let_nothing_interrupt(signal)?;
    }
    // musl lets in the signals that it hides, with the first handler of a program.
    block_all();
    Ok(reader)
}
