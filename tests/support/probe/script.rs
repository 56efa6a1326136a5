//! The probe's script: one instruction per argument, done from left to right.
//!
//! | instruction | what it does |
//! | --- | --- |
//! | `say=TEXT` | prints TEXT |
//! | `ids` | prints `pid=1 ppid=0 pgid=1 sid=1` |
//! | `mask`, `ignored`, `caught` | prints `blocked: TERM INT`, `ignored: PIPE`, `caught:` |
//! | `fds`, `cwd` | prints `fds: 0 1 2`, `cwd: /` |
//! | `env=NAME`, `environ` | prints `NAME=value` or `NAME is unset`; all variables |
//! | `args WORD...` | prints `arg: WORD` for each of the remaining words, and ends |
//! | `read` | prints `read: LINE` for the next line of standard input, or `read: EOF` |
//! | `ask` | prints `asked: LINE` for the next line of /dev/tty |
//! | `tty`, `foreground` | prints `tty: yes` or the error, `foreground: 1` |
//! | `winsize` | prints `winsize: 24x80` |
//! | `ignore=`, `default=`, `block=`, `unblock=` | followed by signals, separated by commas |
//! | `trap` | blocks everything, prints `trapping`, then `got NAME` for each signal, for ever |
//! | `trap=WHO` | the same with lines that start with WHO: `WHO trapping` |
//! | `pause` | waits for a signal to end it |
//! | `raise=` | sends itself these signals: what is blocked is pending from then on |
//! | `die=NAME`, `exit=N` | ends |
//! | `fork { ... }`, `orphan { ... }` | a child, or a grandchild without a parent, does the part |
//! | `orphans=N` | makes N orphans that end at once, and waits until they have |
//! | `tracee` | makes a child that is traced by this process; it prints `traced` and pauses |
//! | `tracee=fork`, `tracee=syscall` | makes one that stands still where it forks or calls the system |
//! | `zombie` | makes a child that ends at once, waits until it has, and does not reap it |
//! | `mainless` | ends its main thread and goes on in another |
//! | `wait` | waits for all children |
//! | `setsid`, `setpgid`, `leader` | `leader` is setsid with standard input as its terminal |
//! | `detach` | gives up the terminal that standard input is |
//! | `subreaper` | adopts orphans |
//! | `open=PATH`, `close=N` | descriptors that an exec keeps |
//! | `dup=N:M` | descriptor M is a copy of N from then on |
//! | `deny=CALL,...:ERROR` | makes system calls fail, from here on and in every child; not those that only ask |
//! | `hang=CALL,...` | has system calls hang for ever, from here on and in every child |
//! | `exec PROGRAM WORD...` | becomes PROGRAM |
//! | `parent=MODE,FD PROGRAM WORD...` | a parent of PROGRAM, see `parent.rs` |

use std::ffi::{CString, OsStr, OsString, c_char, c_int};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::stat::Mode;
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::{self, ForkResult, Pid};

use crate::{chaos, more, parent, seccomp, signals};

/// The entry that the C runtime calls, with nothing of Rust's before it.
#[unsafe(no_mangle)]
pub extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    let words: Vec<OsString> = (1..usize::try_from(count).unwrap_or(0))
        .map(|index| {
            // SAFETY: the C runtime passes `count` valid strings that live as long as the process.
            let word = unsafe { std::ffi::CStr::from_ptr(*arguments.add(index)) };
            OsString::from_vec(word.to_bytes().to_vec())
        })
        .collect();
    run(&words);
    0
}

/// Prints a line in one write, so that lines of several processes never mix.
pub fn say(line: impl AsRef<[u8]>) {
    let mut text = line.as_ref().to_vec();
    text.push(b'\n');
    // SAFETY: the buffer is valid for its length.
    if unsafe { libc::write(1, text.as_ptr().cast(), text.len()) } < 0 {
        fail("cannot write to standard output");
    }
}

/// Goes on in another thread, and ends this one alone.
fn end_main_thread(rest: &[OsString]) -> ! {
    let rest = rest.to_vec();
    std::thread::spawn(move || {
        run(&rest);
        std::process::exit(0);
    });
    // SAFETY: what the other thread uses is its own.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    unreachable!("the thread has ended")
}

/// Becomes `command`; does not return.
pub fn exec(command: &[OsString]) -> ! {
    let words: Vec<CString> =
        command.iter().map(|word| CString::new(word.as_bytes()).expect("no NUL inside")).collect();
    let error = unistd::execvp(&words[0], &words).expect_err("exec returns only to fail");
    fail(&format!("cannot execute {:?}: {error}", words[0]));
}

/// Ends with a message; 98 is a status that no test expects.
pub fn fail(message: &str) -> ! {
    eprintln!("probe: {message}");
    std::process::exit(98);
}

fn run(words: &[OsString]) {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += 1;
        let rest = &words[at..];
        let (verb, value) = split(word);
        match verb.as_str() {
            "say" => say(value.as_bytes()),
            "ids" => say(ids()),
            "mask" => say(mask("SigBlk", "blocked:")),
            "ignored" => say(mask("SigIgn", "ignored:")),
            "caught" => say(mask("SigCgt", "caught:")),
            "fds" => say(descriptors()),
            "cwd" => say(format!("cwd: {}", std::env::current_dir().expect("a cwd").display())),
            "env" => say(variable(value)),
            "environ" => std::env::vars_os().for_each(|(name, value)| {
                say([name.as_bytes(), b"=", value.as_bytes()].concat());
            }),
            "args" => {
                rest.iter().for_each(|word| say([b"arg: ", word.as_bytes()].concat()));
                std::process::exit(0);
            }
            "read" => say(format!("read: {}", read_line(0))),
            "ask" => say(ask()),
            "tty" => say(terminal()),
            "foreground" => say(format!("foreground: {}", foreground())),
            "winsize" => say(window_size()),
            "ignore" => each_signal(value, |number| disposition(number, libc::SIG_IGN)),
            "default" => each_signal(value, |number| disposition(number, libc::SIG_DFL)),
            "block" => each_signal(value, |number| change_mask(SigmaskHow::SIG_BLOCK, number)),
            "unblock" => each_signal(value, |number| change_mask(SigmaskHow::SIG_UNBLOCK, number)),
            "trap" => trap(&value.to_string_lossy()),
            "pause" => pause(),
            "raise" => each_signal(value, raise),
            "die" => each_signal(value, die),
            "exit" => std::process::exit(number(value)),
            "fork" => at += fork(rest, |part| start(|| run(part))),
            "orphan" => at += fork(rest, orphan),
            "orphans" => orphans(number(value)),
            "tracee" if value.is_empty() => tracee(),
            "tracee" => stopped_tracee(value == "fork"),
            "zombie" => zombie(),
            "mainless" => end_main_thread(rest),
            "wait" => while waitpid(None, None).is_ok() {},
            "setsid" => drop(unistd::setsid()),
            "setpgid" => drop(unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0))),
            "leader" => leader(),
            // SAFETY: this takes numbers.
            "detach" => drop(unsafe { libc::ioctl(0, libc::TIOCNOTTY) }),
            "subreaper" => subreaper(),
            "open" => {
                let file = open(value, OFlag::O_RDWR, Mode::empty()).expect("cannot open");
                let _ = file.into_raw_fd();
            }
            "dup" => copy_descriptor(&value.to_string_lossy()),
            "close" => drop(unistd::close(number(value))),
            "deny" => seccomp::deny(value.to_str().expect("names")),
            "hang" => seccomp::hang(value.to_str().expect("names")),
            "exec" => exec(rest),
            "parent" => parent::run(value.to_str().expect("a mode and a descriptor"), rest),
            _ if more::run(&verb, value) || chaos::run(&verb, value) => {}
            _ => fail(&format!("no such instruction: {verb}")),
        }
    }
}

fn split(word: &OsStr) -> (String, &OsStr) {
    let bytes = word.as_bytes();
    let end = bytes.iter().position(|byte| *byte == b'=').unwrap_or(bytes.len());
    let value = bytes.get(end + 1..).unwrap_or_default();
    (String::from_utf8_lossy(&bytes[..end]).into_owned(), OsStr::from_bytes(value))
}

fn number(value: &OsStr) -> i32 {
    let text = value.to_string_lossy();
    text.parse().unwrap_or_else(|_| fail(&format!("{text:?} is no number")))
}

fn each_signal(names: &OsStr, mut action: impl FnMut(i32)) {
    names.to_string_lossy().split(',').for_each(|name| action(signals::number(name)));
}

fn ids() -> String {
    let session = unistd::getsid(None).map_or(-1, Pid::as_raw);
    let (pid, parent, group) = (unistd::getpid(), unistd::getppid(), unistd::getpgrp());
    format!("pid={pid} ppid={parent} pgid={group} sid={session}")
}

fn mask(field: &str, label: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the field");
    let names = signals::names_in_mask(line.trim_start_matches(':'));
    format!("{label} {names}").trim_end().to_string()
}

fn descriptors() -> String {
    let listed = std::fs::read_dir("/proc/self/fd").expect("/proc is mounted");
    let mut all: Vec<i32> = listed
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect::<Vec<i32>>();
    // The descriptor that listed them is closed by now.
    // SAFETY: asking for the flags of any number is harmless.
    all.retain(|fd| unsafe { libc::fcntl(*fd, libc::F_GETFD) } >= 0);
    all.sort_unstable();
    let all: Vec<String> = all.iter().map(i32::to_string).collect();
    format!("fds: {}", all.join(" "))
}

fn variable(name: &OsStr) -> Vec<u8> {
    match std::env::var_os(name) {
        Some(value) => [name.as_bytes(), b"=", value.as_bytes()].concat(),
        None => [name.as_bytes(), b" is unset"].concat(),
    }
}

/// As a program asks for a password, whatever its standard input is.
fn ask() -> String {
    match open("/dev/tty", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()) {
        Ok(terminal) => format!("asked: {}", read_line(terminal.as_raw_fd())),
        Err(error) => format!("asked: {error:?}"),
    }
}

fn read_line(descriptor: c_int) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        // SAFETY: the buffer has room for the one byte asked for.
        match unsafe { libc::read(descriptor, byte.as_mut_ptr().cast(), 1) } {
            1 if byte[0] == b'\n' => break,
            1 => line.push(byte[0]),
            0 => return "EOF".to_string(),
            _ if Errno::last() == Errno::EINTR => {}
            _ => return format!("{:?}", Errno::last()),
        }
    }
    String::from_utf8_lossy(&line).into_owned()
}

fn terminal() -> String {
    match open("/dev/tty", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()) {
        Ok(_) => "tty: yes".to_string(),
        Err(error) => format!("tty: {error:?}"),
    }
}

/// The foreground process group of standard input's terminal, or 0.
pub fn foreground() -> i32 {
    // SAFETY: tcgetpgrp takes any descriptor.
    unsafe { libc::tcgetpgrp(0) }.max(0)
}

fn window_size() -> String {
    // SAFETY: a winsize is plain numbers.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: TIOCGWINSZ fills in the winsize that it is given.
    unsafe { libc::ioctl(0, libc::TIOCGWINSZ, &raw mut size) };
    format!("winsize: {}x{}", size.ws_row, size.ws_col)
}

fn disposition(number: i32, handler: libc::sighandler_t) {
    // SAFETY: the handler is SIG_IGN or SIG_DFL, no code of ours.
    unsafe { libc::signal(number, handler) };
}

fn change_mask(how: SigmaskHow, number: i32) {
    // nix's SigSet knows no real-time signals.
    // SAFETY: a sigset_t is plain bits, and the calls only touch the one that they are given.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&raw mut set, number);
        libc::sigprocmask(how as i32, &raw const set, std::ptr::null_mut());
    }
}

/// How long anything waits at most: a forgotten probe ends by itself. It is longer than any test is
/// patient, so that what should have been killed is not gone in time by itself.
pub const LIFETIME: Duration = Duration::from_secs(180);

fn trap(who: &str) -> ! {
    let all = SigSet::all();
    all.thread_set_mask().expect("cannot block signals");
    let tell = |what: &str| say(format!("{who} {what}").trim_start());
    tell("trapping");
    let patience = libc::timespec { tv_sec: LIFETIME.as_secs() as libc::time_t, tv_nsec: 0 };
    loop {
        // SAFETY: a siginfo_t is plain data, which the call fills in.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: all three pointers are to live values of the right type.
        let number =
            unsafe { libc::sigtimedwait(all.as_ref(), &raw mut info, &raw const patience) };
        if number > 0 {
            let mut line = format!("got {}", signals::name(number));
            if info.si_code == libc::SI_QUEUE {
                // SAFETY: a signal that was queued carries a value.
                let value = unsafe { info.si_value() }.sival_ptr as usize as i32;
                line.push_str(&format!(" value={value}"));
            }
            tell(&line);
        } else if Errno::last() == Errno::EAGAIN {
            fail("nobody ended this probe");
        }
    }
}

fn pause() -> ! {
    let end = Instant::now() + LIFETIME;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::sleep(left);
    }
    fail("nobody ended this probe");
}

fn raise(number: i32) {
    // SAFETY: it takes a number.
    unsafe { libc::raise(number) };
}

pub fn die(number: i32) {
    disposition(number, libc::SIG_DFL);
    change_mask(SigmaskHow::SIG_UNBLOCK, number);
    // SAFETY: raising a signal touches no memory.
    unsafe { libc::raise(number) };
}

/// Runs `body` in a child, which ends with it.
fn start(body: impl FnOnce()) -> Pid {
    // SAFETY: the probe has one thread, so that everything works in the child as before.
    match unsafe { unistd::fork() }.expect("cannot fork") {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            body();
            std::process::exit(0);
        }
    }
}

/// Hands the part between braces to `starter`, and says how many words it took.
fn fork(rest: &[OsString], starter: impl FnOnce(&[OsString]) -> Pid) -> usize {
    let mut depth = 0;
    for (index, word) in rest.iter().enumerate() {
        match word.to_str() {
            Some("{") => depth += 1,
            Some("}") => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            starter(&rest[1..index]);
            return index + 1;
        }
    }
    fail("a brace is missing")
}

fn orphan(part: &[OsString]) -> Pid {
    let middle = start(|| {
        let _ = start(|| run(part));
    });
    let _ = waitpid(middle, None);
    middle
}

fn orphans(count: i32) {
    let (reader, writer) = unistd::pipe().expect("cannot make a pipe");
    let middle = start(|| {
        (0..count).for_each(|_| {
            let _ = start(|| {});
        })
    });
    let _ = waitpid(middle, None);
    drop(writer);
    // The end of the pipe comes when the last orphan has closed its copy by ending.
    let _ = unistd::read(&reader, &mut [0]);
}

fn zombie() {
    let pid = start(|| {});
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    waitid(Id::Pid(pid), flags).expect("it ends");
}

fn tracee() {
    start(|| {
        // SAFETY: PTRACE_TRACEME takes no pointers.
        unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) };
        say("traced");
        pause();
    });
}

/// A tracee whose stop tells more than a signal: an event, or the mark of a system call. Its tracer
/// has still to take note of it.
fn stopped_tracee(forks: bool) {
    let pid = start(|| {
        // SAFETY: PTRACE_TRACEME takes no pointers, and raising a signal touches no memory.
        unsafe {
            libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
            libc::raise(libc::SIGSTOP);
        }
        start(|| {});
        pause();
    });
    let (options, go_on) = match forks {
        true => (libc::PTRACE_O_TRACEFORK, libc::PTRACE_CONT),
        false => (libc::PTRACE_O_TRACESYSGOOD, libc::PTRACE_SYSCALL),
    };
    let stops = WaitPidFlag::WSTOPPED;
    waitid(Id::Pid(pid), stops).expect("it stops itself");
    // SAFETY: both requests take numbers here.
    unsafe {
        libc::ptrace(libc::PTRACE_SETOPTIONS, pid.as_raw(), 0, options);
        libc::ptrace(go_on, pid.as_raw(), 0, 0);
    }
    waitid(Id::Pid(pid), stops | WaitPidFlag::WNOWAIT).expect("it stops where it is told to");
}

fn leader() {
    unistd::setsid().expect("cannot become a session leader");
    // SAFETY: TIOCSCTTY takes a number.
    if unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) } != 0 {
        fail(&format!("standard input is no terminal to take: {}", Errno::last()));
    }
}

fn copy_descriptor(text: &str) {
    let (from, to) = text.split_once(':').expect("N:M");
    let parse = |text: &str| text.parse::<i32>().expect("a number");
    // SAFETY: dup2 takes two numbers; nothing else here uses the second.
    unsafe { libc::dup2(parse(from), parse(to)) };
}

fn subreaper() {
    // SAFETY: PR_SET_CHILD_SUBREAPER takes a number.
    unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
}
