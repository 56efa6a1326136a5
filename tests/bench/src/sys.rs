//! The system calls of the driver: starting a subject cheaply, hearing from its child, and the
//! namespaces that keep everything inside.

use std::{
    ffi::{CString, OsStr},
    fs::File,
    io::{self, Read},
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    process::ExitCode,
    ptr,
    time::Duration,
};

pub type Pid = libc::pid_t;

/// How long anything may take before it counts as failed. The slowest honest answer is
/// supervisord's: it starts a thousand services before it says a word.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Nanoseconds on the monotonic clock, the one that the children read too.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes into a timespec that outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

pub fn after(duration: Duration) -> u64 {
    now() + duration.as_nanos() as u64
}

pub fn kill(pid: Pid, signal: i32) -> io::Result<()> {
    // SAFETY: kill takes plain numbers.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Waits for one process and takes its status away. One that does not end is ended.
pub fn wait(pid: Pid) -> io::Result<i32> {
    Limit::set().wait(pid)
}

/// An alarm after PATIENCE, for as long as this lives: set before the clock is read, so that what
/// is timed is a wait and nothing else.
pub struct Limit(());

impl Limit {
    pub fn set() -> Limit {
        extern "C" fn come_back(_: libc::c_int) {}
        // SAFETY: the handler does nothing, so that it may run anywhere; it is there for waitpid
        // to come back. An all-zero sigaction is a valid one without flags.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = come_back as *const () as usize;
            libc::sigaction(libc::SIGALRM, &action, ptr::null_mut());
            libc::alarm(PATIENCE.as_secs() as u32);
        }
        Limit(())
    }

    pub fn wait(&self, pid: Pid) -> io::Result<i32> {
        let mut status = 0;
        // SAFETY: the kernel writes into an int that outlives the call.
        match check(unsafe { libc::waitpid(pid, &mut status, 0) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                kill(pid, libc::SIGKILL)?;
                // SAFETY: a null status is allowed.
                unsafe { libc::waitpid(pid, ptr::null_mut(), 0) };
                Err(io::Error::new(io::ErrorKind::TimedOut, "it does not end"))
            }
            other => other.map(|_| status),
        }
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        // SAFETY: alarm takes a plain number.
        unsafe { libc::alarm(0) };
    }
}

/// Waits until a process has ended, and leaves it to be looked at and waited for.
pub fn wait_for_end(pid: Pid, limit: Duration) -> io::Result<()> {
    // SAFETY: pidfd_open returns a descriptor that nobody else owns, which a File may hold.
    let process = unsafe {
        let fd = check(libc::syscall(libc::SYS_pidfd_open, pid, 0) as RawFd)?;
        File::from_raw_fd(fd)
    };
    readable(&process, limit)
}

/// Lets everyone else on this processor finish what they are at.
pub fn give_way() {
    for _ in 0..4 {
        // SAFETY: sched_yield takes nothing.
        unsafe { libc::sched_yield() };
    }
}

/// Reaps whatever has ended and come to us as PID 1.
pub fn reap() {
    // SAFETY: a null status is allowed.
    while unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) } > 0 {}
}

pub fn pipe() -> io::Result<(File, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the kernel writes two descriptors, which nobody else owns.
    unsafe {
        check(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC))?;
        Ok((File::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

/// Waits until there is something to read, and fails when there is nothing for too long.
pub fn readable(file: &File, limit: Duration) -> io::Result<()> {
    let mut poll = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd that outlives the call.
    match check(unsafe { libc::poll(&mut poll, 1, limit.as_millis() as i32) })? {
        0 => Err(io::Error::new(io::ErrorKind::TimedOut, "nothing heard for too long")),
        _ => Ok(()),
    }
}

/// What child/service.c writes: when, and who.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    pub at: u64,
    pub pid: Pid,
}

impl Record {
    pub fn read(from: &mut File) -> io::Result<Record> {
        readable(from, PATIENCE)?;
        let mut bytes = [0; 16];
        from.read_exact(&mut bytes)?;
        Ok(Record::parse(bytes))
    }

    fn parse(bytes: [u8; 16]) -> Record {
        let [a, b, c, d, e, f, g, h, i, j, k, l, ..] = bytes;
        Record {
            at: u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            pid: Pid::from_ne_bytes([i, j, k, l]),
        }
    }
}

/// A command with everything prepared, so that `start` is little more than posix_spawn, which
/// borrows our memory like vfork. Standard input and output are /dev/null unless given; standard
/// error is /dev/null.
pub struct Start {
    argv: Vec<CString>,
    null: File,
    input: Option<OwnedFd>,
    output: Option<OwnedFd>,
    namespace: Option<File>,
}

impl Start {
    pub fn new(argv: &[String]) -> io::Result<Self> {
        let argv = argv.iter().map(|word| CString::new(word.as_str())).collect::<Result<_, _>>()?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        Ok(Start { argv, null, input: None, output: None, namespace: None })
    }

    pub fn input(mut self, input: OwnedFd) -> Self {
        self.input = Some(input);
        self
    }

    pub fn output(mut self, output: OwnedFd) -> Self {
        self.output = Some(output);
        self
    }

    /// Makes the command PID 1 of a namespace of its own, which ends with it.
    pub fn in_pid_namespace(mut self) -> io::Result<Self> {
        self.namespace = Some(File::open("/proc/self/ns/pid")?);
        Ok(self)
    }

    pub fn start(&self) -> io::Result<Pid> {
        if self.namespace.is_some() {
            // SAFETY: unshare takes a plain number, and this process has one thread.
            check(unsafe { libc::unshare(libc::CLONE_NEWPID) })?;
        }
        let started = self.spawn();
        if let Some(ours) = &self.namespace {
            // SAFETY: the descriptor is open; later children are to be in our namespace again.
            check(unsafe { libc::setns(ours.as_raw_fd(), libc::CLONE_NEWPID) })?;
        }
        started
    }

    fn spawn(&self) -> io::Result<Pid> {
        let null = self.null.as_raw_fd();
        let or_null = |fd: &Option<OwnedFd>| fd.as_ref().map_or(null, AsRawFd::as_raw_fd);
        let argv: Vec<_> = self.argv.iter().map(|word| word.as_ptr().cast_mut()).collect();
        let argv = [argv.as_slice(), &[ptr::null_mut()]].concat();
        // supervisord and s6-svscan look for their helpers on PATH; nothing else is needed.
        let envp = [c"PATH=/usr/local/bin:/usr/bin:/bin".as_ptr().cast_mut(), ptr::null_mut()];
        let mut pid = 0;
        let mut actions = MaybeUninit::uninit();
        let mut attributes = MaybeUninit::uninit();
        let mut defaults = MaybeUninit::uninit();
        // SAFETY: each object is initialised before its use and destroyed after it; all pointers
        // live until posix_spawn returns.
        let error = unsafe {
            libc::posix_spawn_file_actions_init(actions.as_mut_ptr());
            for (fd, target) in [(or_null(&self.input), 0), (or_null(&self.output), 1), (null, 2)] {
                libc::posix_spawn_file_actions_adddup2(actions.as_mut_ptr(), fd, target);
            }
            // Rust ignores SIGPIPE for itself; the subjects are to start as a shell starts them.
            libc::sigemptyset(defaults.as_mut_ptr());
            libc::sigaddset(defaults.as_mut_ptr(), libc::SIGPIPE);
            libc::posix_spawnattr_init(attributes.as_mut_ptr());
            libc::posix_spawnattr_setsigdefault(attributes.as_mut_ptr(), defaults.as_ptr());
            let flags = libc::POSIX_SPAWN_SETSIGDEF as libc::c_short;
            libc::posix_spawnattr_setflags(attributes.as_mut_ptr(), flags);
            let error = libc::posix_spawn(
                &mut pid,
                argv[0],
                actions.as_ptr(),
                attributes.as_ptr(),
                argv.as_ptr(),
                envp.as_ptr(),
            );
            libc::posix_spawnattr_destroy(attributes.as_mut_ptr());
            libc::posix_spawn_file_actions_destroy(actions.as_mut_ptr());
            error
        };
        if error == 0 { Ok(pid) } else { Err(io::Error::from_raw_os_error(error)) }
    }
}

/// Keeps this process, and all that it starts, on the given processors.
pub fn pin(processors: &[usize]) -> io::Result<()> {
    // SAFETY: an all-zero cpu_set_t is a valid empty one, and CPU_SET checks its bounds.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        processors.iter().for_each(|&processor| libc::CPU_SET(processor, &mut set));
        check(libc::sched_setaffinity(0, size_of_val(&set), &set)).map(drop)
    }
}

/// The highest processor that we may use: the first ones handle most interrupts.
pub fn last_processor() -> io::Result<usize> {
    // SAFETY: an all-zero cpu_set_t is a valid empty one, which the kernel fills.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        check(libc::sched_getaffinity(0, size_of_val(&set), &mut set))?;
        let allowed = (0..libc::CPU_SETSIZE as usize).rev().find(|&one| libc::CPU_ISSET(one, &set));
        Ok(allowed.expect("a running process has a processor"))
    }
}

/// Has a file that was just written read from its disk, like one that was there for long: pages
/// that are only in memory count as dirty memory of whoever maps them, and lie there in other
/// pieces.
pub fn settle(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    file.sync_all()?;
    // SAFETY: posix_fadvise takes plain numbers, and the descriptor is open.
    match unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// A lock on a folder, for as long as this lives.
#[derive(Debug)]
pub struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // To close it would not do: a child that another thread has just forked holds the same
        // lock until it has become its program.
        // SAFETY: flock takes plain numbers, and the descriptor is open.
        unsafe { libc::flock(self.0.as_raw_fd(), libc::LOCK_UN) };
    }
}

/// Locks a folder for as long as the result lives, and fails where somebody else has it.
pub fn lock(folder: &Path) -> io::Result<Lock> {
    let file = File::open(folder)?;
    // SAFETY: flock takes plain numbers, and the descriptor is open.
    match check(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }) {
        Ok(_) => Ok(Lock(file)),
        Err(error) => Err(io::Error::other(format!(
            "cannot lock {}, perhaps for another benchmark, which would disturb this one: {error}",
            folder.display()
        ))),
    }
}

/// A new folder that only we can enter.
pub fn temporary_folder() -> io::Result<PathBuf> {
    let template = std::env::temp_dir().join("foster-bench-XXXXXX");
    let template = CString::new(template.as_os_str().as_encoded_bytes())?.into_raw();
    // SAFETY: mkdtemp writes within the string, which from_raw takes back.
    let (made, folder) =
        unsafe { (!libc::mkdtemp(template).is_null(), CString::from_raw(template)) };
    match made {
        true => Ok(OsStr::from_bytes(folder.as_bytes()).into()),
        false => Err(io::Error::last_os_error()),
    }
}

/// Runs `work` as PID 1 of a namespace of its own, with its own /proc and an empty tmpfs on
/// `folder`: whatever it starts, and whatever it writes there, ends with it. Too long a run is
/// ended too, and so is one whose caller was interrupted.
pub fn enclose(
    folder: &Path,
    limit: Duration,
    work: impl FnOnce() -> ExitCode,
) -> io::Result<ExitCode> {
    // SAFETY: this process has one thread, so that the forked child may do everything; the rest
    // takes plain numbers.
    let pid = unsafe {
        check(libc::unshare(libc::CLONE_NEWPID)).map_err(|error| {
            io::Error::other(format!("cannot make a PID namespace (root is needed): {error}"))
        })?;
        check(libc::fork())?
    };
    if pid == 0 {
        let prepared = move_in(folder);
        if let Err(error) = &prepared {
            eprintln!("bench: cannot prepare the namespaces: {error}");
        }
        let ended_well = prepared.is_ok() && work() == ExitCode::SUCCESS;
        std::process::exit(i32::from(!ended_well));
    }
    if wait_for_end(pid, limit).is_err() {
        eprintln!("bench: not done after {} s, ended", limit.as_secs());
        kill(pid, libc::SIGKILL)?;
    }
    let status = wait(pid)?;
    Ok(if status == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn move_in(folder: &Path) -> io::Result<()> {
    let folder = CString::new(folder.as_os_str().as_encoded_bytes())?;
    let mount = |kind: *const libc::c_char, target: *const libc::c_char, flags| {
        // SAFETY: the strings outlive the call; null data is allowed.
        check(unsafe { libc::mount(kind, target, kind, flags, ptr::null()) }).map(drop)
    };
    // SAFETY: plain numbers only.
    unsafe {
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
        // Some subjects take the terminal if there is one.
        check(libc::setsid())?;
        check(libc::unshare(libc::CLONE_NEWNS))?;
    }
    mount(c"none".as_ptr(), c"/".as_ptr(), libc::MS_REC | libc::MS_PRIVATE)?;
    mount(c"proc".as_ptr(), c"/proc".as_ptr(), 0)?;
    mount(c"tmpfs".as_ptr(), folder.as_ptr(), 0)
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_a_time_and_a_pid() {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&5_000_000_000_u64.to_ne_bytes());
        bytes[8..12].copy_from_slice(&4711_i32.to_ne_bytes());
        assert_eq!(Record::parse(bytes), Record { at: 5_000_000_000, pid: 4711 });
    }

    #[test]
    fn a_started_command_writes_to_the_given_pipe() {
        let (mut reader, writer) = pipe().unwrap();
        let argv = ["/bin/sh", "-c", "echo here; exit 3"].map(String::from);
        let start = Start::new(&argv).unwrap().output(writer);
        let pid = start.start().unwrap();
        assert_eq!(libc::WEXITSTATUS(wait(pid).unwrap()), 3);
        drop(start);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "here\n");
    }

    #[test]
    fn a_missing_program_is_an_error() {
        assert!(Start::new(&["/does/not/exist".into()]).unwrap().start().is_err());
    }

    #[test]
    fn a_folder_has_one_user_at_a_time() {
        let folder = temporary_folder().unwrap();
        let ours = lock(&folder).unwrap();
        assert!(lock(&folder).is_err());
        drop(ours);
        lock(&folder).unwrap();
        std::fs::remove_dir(&folder).unwrap();
    }

    #[test]
    fn silence_is_an_error_after_the_limit() {
        let (reader, _writer) = pipe().unwrap();
        let error = readable(&reader, Duration::from_millis(1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
