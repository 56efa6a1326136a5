//! More instructions of the probe's script, for what only a supervisor's tests need.
//!
//! | instruction | what it does |
//! | --- | --- |
//! | `await=NAME` | blocks the signal and waits for one, then goes on; block it before to lose none |
//! | `tell=NAME` | sends the signal to each of its children |
//! | `sleep=MS` | waits so long |
//! | `blockall` | blocks every signal, those that the C library hides too |
//! | `rawignore=N,...`, `rawblock=N,...` | the same for signals by number, hidden ones too |
//! | `rawtrap` | `trap` for every signal, hidden ones too, with values in full |
//! | `limit=NAME:N` | sets the soft limit `nofile`, `nproc`, `sigpending` or `locks`; N may be `hard` |
//! | `uid=N` | becomes this user and group |
//! | `setenv=NAME=VALUE`, `unsetenv=NAME` | for an exec that follows |
//! | `join` | moves into the process group of its parent |
//! | `rename` | writes a title over its arguments and its environment, as setproctitle(3) does |
//! | `sham=N` | has its environment stand in N MiB of nothing |
//! | `undumpable` | hides its memory from others of its user |
//! | `bomb=MS` | it and all that stems from it make children for ever, each in a session of its own, and wait so long where they cannot |
//! | `flee=N` | makes a child in a session of its own that goes on in its place, N times |
//! | `chroot=PATH` | the root directory from then on |
//! | `proc=none`, `proc=outer` | from then on /proc is empty, or what the last mount hid |
//! | `proc=hidepid` | from then on /proc hides who is another user's |
//! | `full=PATH` | opens a FIFO that nobody reads as the lowest free descriptor, and fills it up |
//! | `fullpipe` | the same with a pipe without a name, whose other end stays open |
//! | `brokenpipe` | writes to a pipe that nobody reads |
//! | `processes` | prints `1 S foster`: pid, state and name of every other process |
//! | `eat=N` | fills N MiB of memory |
//! | `socket=PATH` | connects to a socket in the file system with the lowest free descriptor |

use std::ffi::{CString, OsStr};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{self, ForkResult};

use crate::script::{LIFETIME, fail, say};
use crate::signals;

/// Does an instruction, if it is one of these.
pub fn run(verb: &str, value: &OsStr) -> bool {
    match verb {
        "await" => await_signal(signals::number(&value.to_string_lossy())),
        "tell" => tell(signals::number(&value.to_string_lossy())),
        "sleep" => std::thread::sleep(Duration::from_millis(number(value))),
        "blockall" => drop(change_mask(libc::SIG_SETMASK, u64::MAX)),
        "rawblock" => drop(change_mask(libc::SIG_BLOCK, bits(value))),
        "rawignore" => (1..=64).filter(|n| bits(value) & (1 << (n - 1)) != 0).for_each(ignore),
        "rawtrap" => trap(),
        "limit" => limit(&value.to_string_lossy()),
        "uid" => become_user(number(value) as libc::uid_t),
        "setenv" => set_variable(&value.to_string_lossy()),
        // SAFETY: the probe has one thread.
        "unsetenv" => unsafe { std::env::remove_var(value) },
        "join" => join(),
        "rename" => rename(),
        "sham" => move_environment((number(value) as usize) << 20),
        // SAFETY: it takes a number.
        "undumpable" => assert_eq!(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) }, 0),
        "bomb" => bomb(Duration::from_millis(number(value))),
        "flee" => flee(number(value)),
        "chroot" => {
            unistd::chroot(value).unwrap_or_else(|error| fail(&format!("chroot: {error}")));
            unistd::chdir("/").expect("there is a root");
        }
        "proc" => change_proc(&value.to_string_lossy()),
        "full" => fill(value),
        "fullpipe" => fill_pipe(),
        "brokenpipe" => break_pipe(),
        "burn" => burn(Duration::from_millis(number(value))),
        "processes" => processes(),
        "eat" => drop(std::hint::black_box(vec![1_u8; (number(value) as usize) << 20])),
        "socket" => {
            let stream = UnixStream::connect(value).expect("somebody listens");
            // SAFETY: setting a flag, so that an exec keeps it, touches no memory.
            unsafe { libc::fcntl(stream.into_raw_fd(), libc::F_SETFD, 0) };
        }
        _ => return false,
    }
    true
}

fn processes() {
    let own = std::process::id();
    let entries = std::fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids.filter(|pid| *pid != own) {
        // It may be gone by now.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let Some((name, rest)) = stat.rsplit_once(") ") else { continue };
        let name = name.split_once('(').map_or("", |(_, name)| name);
        say(format!("{pid} {} {name}", &rest[..1]));
    }
}

fn number(value: &OsStr) -> u64 {
    let text = value.to_string_lossy();
    text.parse().unwrap_or_else(|_| fail(&format!("{text:?} is no number")))
}

/// The mask of signals by number, separated by commas.
fn bits(value: &OsStr) -> u64 {
    let text = value.to_string_lossy();
    text.split(',').map(|number| 1 << (number.parse::<u64>().expect("a number") - 1)).sum()
}

/// The kernel's own call: the C library's leaves signals of its own out.
pub fn change_mask(how: libc::c_int, mask: u64) -> u64 {
    let mut old = 0_u64;
    // SAFETY: both masks are of the size that is given.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const mask, &raw mut old, 8_usize);
    }
    old
}

pub fn ignore(number: i32) {
    // A kernel's sigaction begins with the handler; the rest is zero: no flags, no mask.
    let action = [libc::SIG_IGN as u64, 0, 0, 0, 0, 0, 0, 0];
    // SAFETY: the record is larger than the kernel's on every architecture.
    unsafe {
        let none = std::ptr::null_mut::<u64>();
        libc::syscall(libc::SYS_rt_sigaction, number, action.as_ptr(), none, 8_usize);
    }
}

fn tell(number: i32) {
    let children = std::fs::read_to_string("/proc/thread-self/children").expect("/proc is mounted");
    for pid in children.split_whitespace() {
        // SAFETY: these are numbers.
        unsafe { libc::kill(pid.parse().expect("a number"), number) };
    }
}

fn await_signal(number: i32) {
    let mask = 1_u64 << (number - 1);
    change_mask(libc::SIG_BLOCK, mask);
    if next_signal(mask).is_none() {
        fail("the signal that was awaited did not come");
    }
}

/// The next signal of a set, and the value that came with it.
pub fn next_signal(mask: u64) -> Option<(i32, Option<usize>)> {
    let patience = libc::timespec { tv_sec: LIFETIME.as_secs() as libc::time_t, tv_nsec: 0 };
    loop {
        // SAFETY: a siginfo_t is plain data, which the call fills in.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: all pointers are to live values of the right size.
        let number = unsafe {
            libc::syscall(
                libc::SYS_rt_sigtimedwait,
                &raw const mask,
                &raw mut info,
                &raw const patience,
                8_usize,
            )
        };
        if number > 0 {
            let queued = info.si_code == libc::SI_QUEUE;
            // SAFETY: a signal that was queued carries a value.
            let value = queued.then(|| unsafe { info.si_value() }.sival_ptr as usize);
            return Some((number as i32, value));
        }
        // A stop and a CONT interrupt it too.
        if Errno::last() != Errno::EINTR {
            return None;
        }
    }
}

fn trap() -> ! {
    change_mask(libc::SIG_SETMASK, u64::MAX);
    say("trapping");
    while let Some((number, value)) = next_signal(u64::MAX) {
        let name = signals::name(number);
        match value {
            Some(value) => say(format!("got {name} value={value}")),
            None => say(format!("got {name}")),
        }
    }
    fail("nobody ended this probe")
}

fn limit(text: &str) {
    let (name, number) = text.split_once(':').expect("NAME:N");
    let resource = match name {
        "nofile" => libc::RLIMIT_NOFILE,
        "nproc" => libc::RLIMIT_NPROC,
        "sigpending" => libc::RLIMIT_SIGPENDING,
        "fsize" => libc::RLIMIT_FSIZE,
        "cpu" => libc::RLIMIT_CPU,
        "locks" => libc::RLIMIT_LOCKS,
        _ => fail(&format!("no such limit here: {name}")),
    };
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a pointer to a live record.
    unsafe {
        libc::getrlimit(resource, &raw mut limit);
        limit.rlim_cur = match number {
            "hard" => limit.rlim_max,
            number => number.parse().expect("a number"),
        };
        if libc::setrlimit(resource, &raw const limit) != 0 {
            fail(&format!("cannot set the limit: {}", Errno::last()));
        }
    }
}

fn become_user(id: libc::uid_t) {
    // SAFETY: these take numbers.
    if unsafe { libc::setgid(id) != 0 || libc::setuid(id) != 0 } {
        fail(&format!("cannot become user {id}: {}", Errno::last()));
    }
}

fn set_variable(text: &str) {
    let (name, value) = text.split_once('=').expect("NAME=VALUE");
    // SAFETY: the probe has one thread.
    unsafe { std::env::set_var(name, value) };
}

fn join() {
    let group = unistd::getpgid(Some(unistd::getppid())).expect("the parent lives");
    unistd::setpgid(unistd::Pid::from_raw(0), group).expect("cannot join the parent's group");
}

/// Where the memory of this process lies, by the numbers of proc_pid_stat(5).
fn memory_map() -> impl Fn(usize) -> usize {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("/proc is mounted");
    let (_, tail) = stat.rsplit_once(") ").expect("a name in parentheses");
    let fields: Vec<usize> =
        tail.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    move |number| fields[number - 3]
}

fn rename() {
    let field = memory_map();
    let (begin, end) = (field(48), field(51));
    // SAFETY: the arguments and the environment stand there, one behind the other, and may be
    // written to; what follows in the script was copied, and does not ask for the environment.
    let room = unsafe { std::slice::from_raw_parts_mut(begin as *mut u8, end - begin) };
    room.fill(0);
    let title = b"probe: worker process";
    let length = title.len().min(room.len());
    room[..length].copy_from_slice(&title[..length]);
}

pub fn move_environment(size: usize) {
    let field = memory_map();
    // As prctl(2) has it, PR_SET_MM_MAP.
    #[repr(C)]
    struct Map {
        places: [u64; 11],
        auxiliary: *const u64,
        auxiliary_size: u32,
        executable: i32,
    }
    // SAFETY: the memory is new, and nobody here reads the environment any more.
    let done = unsafe {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE);
        let kind = kind | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let begin = libc::mmap(std::ptr::null_mut(), size, access, kind, -1, 0) as usize;
        let brk = libc::sbrk(0) as usize;
        let places = [
            field(26),
            field(27),
            field(45),
            field(46),
            field(47),
            brk,
            field(28),
            field(48),
            field(49),
            begin,
            begin + size,
        ];
        let places = places.map(|place| place as u64);
        let map = Map { places, auxiliary: std::ptr::null(), auxiliary_size: 0, executable: -1 };
        let size = std::mem::size_of::<Map>();
        libc::prctl(libc::PR_SET_MM, libc::PR_SET_MM_MAP, &raw const map, size, 0)
    };
    if done != 0 {
        fail(&format!("cannot move the environment: {}", Errno::last()));
    }
}

fn bomb(pause: Duration) -> ! {
    loop {
        // SAFETY: the probe has one thread, so that everything works in the child as before.
        match unsafe { unistd::fork() } {
            Err(_) => std::thread::sleep(pause),
            Ok(ForkResult::Parent { .. }) => {}
            Ok(ForkResult::Child) => {
                // Whatever becomes of the test, it ends.
                // SAFETY: it takes a number.
                unsafe { libc::alarm(20) };
                let _ = unistd::setsid();
            }
        }
    }
}

fn flee(times: u64) {
    for _ in 0..times {
        // SAFETY: the probe has one thread, so that everything works in the child as before.
        match unsafe { unistd::fork() }.expect("cannot fork") {
            // SAFETY: ends the process without running anything of the child's.
            ForkResult::Parent { .. } => unsafe { libc::_exit(0) },
            ForkResult::Child => drop(unistd::setsid()),
        }
    }
}

/// In a mount namespace of its own, so that nobody else is concerned.
fn change_proc(how: &str) {
    // SAFETY: the paths are strings, and the other arguments may be null.
    let done = unsafe {
        let (root, proc, none) = (c"/".as_ptr(), c"/proc".as_ptr(), std::ptr::null());
        let private = libc::MS_REC | libc::MS_PRIVATE;
        libc::unshare(libc::CLONE_NEWNS) == 0
            && libc::mount(none, root, none, private, std::ptr::null()) == 0
            && match how {
                "none" => libc::mount(c"none".as_ptr(), proc, c"tmpfs".as_ptr(), 0, none.cast()),
                "hidepid" => {
                    let hides = c"hidepid=2".as_ptr().cast();
                    libc::mount(proc, proc, c"proc".as_ptr(), 0, hides)
                }
                _ => libc::umount2(proc, libc::MNT_DETACH),
            } == 0
    };
    if !done {
        fail(&format!("cannot change /proc: {}", Errno::last()));
    }
}

fn fill(path: &OsStr) {
    let path = CString::new(path.as_bytes()).expect("no NUL inside");
    // SAFETY: the path is a string, the buffer is readable, and the descriptors are new.
    unsafe {
        // Open for both, a FIFO needs no reader (fifo(7)).
        let stays = libc::open(path.as_ptr(), libc::O_RDWR);
        let fills = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_NONBLOCK);
        if stays < 0 || fills < 0 {
            fail(&format!("cannot open the FIFO: {}", Errno::last()));
        }
        let fills = OwnedFd::from_raw_fd(fills);
        for size in [4096, 1] {
            while unistd::write(&fills, &vec![b'x'; size]).is_ok() {}
        }
    }
}

fn fill_pipe() {
    let mut ends = [0; 2];
    // SAFETY: `ends` takes the two descriptors, which are new and ours.
    unsafe {
        libc::pipe(ends.as_mut_ptr());
        let reader = libc::fcntl(ends[0], libc::F_DUPFD, 20);
        let writer = libc::fcntl(ends[1], libc::F_DUPFD, 20);
        libc::close(ends[0]);
        libc::close(ends[1]);
        let lowest = OwnedFd::from_raw_fd(libc::dup(writer));
        libc::close(writer);
        if reader < 0 {
            fail(&format!("cannot make a pipe: {}", Errno::last()));
        }
        let fd = lowest.as_raw_fd();
        libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK);
        for size in [4096, 1] {
            while unistd::write(&lowest, &vec![b'x'; size]).is_ok() {}
        }
        libc::fcntl(fd, libc::F_SETFL, 0);
        let _ = lowest.into_raw_fd();
    }
}

fn burn(time: Duration) {
    let used = || {
        let mut used = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `used` takes the answer.
        unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut used) };
        Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
    };
    while used() < time {}
}

fn break_pipe() {
    let (reader, writer) = unistd::pipe().expect("a pipe");
    drop(reader);
    let _ = unistd::write(&writer, b"x");
}
