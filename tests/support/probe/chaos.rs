//! Instructions for a storm (`tests/chaos`): a service that counts, services that run wild, and
//! the worlds in which they do.
//!
//! Events are written to the board, the page behind descriptor 3; nothing is printed.
//!
//! | instruction | what it does |
//! | --- | --- |
//! | `count=exit:N`, `count=die:NAME` | counts signals, for ever; at TERM it ends in this way |
//! | `count=ignore` | the same, but TERM does not end it |
//! | `wild=SEED,MS` | does a few deeds, and crashes; what it leaves behind lives for so long |
//! | `busy=SEED` | does deeds for ever, none of which outlives it for long |
//! | `bare=FOLDER:FOSTER:PROBE` | the root is a read-only one from then on, of little more than /foster and /probe |
//! | `cgroup=FOLDER` | moves into a cgroup |
//! | `judged` | the test decides what becomes of some system calls |

use std::collections::VecDeque;
use std::ffi::{CString, OsStr};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::ptr;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::unistd;

use crate::board::{self, Board};
use crate::dice::Dice;
use crate::more::{change_mask, move_environment, next_signal};
use crate::script::{LIFETIME, die, fail};
use crate::{seccomp, signals};

/// Does an instruction, if it is one of these.
pub fn run(verb: &str, value: &OsStr) -> bool {
    let text = value.to_string_lossy();
    match verb {
        "count" => count(&text),
        "wild" => {
            let (seed, spell) = text.split_once(',').expect("SEED,MS");
            wild(number(seed), Duration::from_millis(number(spell)));
        }
        "busy" => busy(number(&text)),
        "bare" => bare(&text),
        "cgroup" => {
            let joined = fs::write(Path::new(&*text).join("cgroup.procs"), "0");
            joined.unwrap_or_else(|error| fail(&format!("cannot join {text}: {error}")));
        }
        "judged" => be_judged(),
        _ => return false,
    }
    true
}

fn board() -> Board {
    Board::of(BOARD).unwrap_or_else(|| fail("descriptor 3 is no board"))
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| fail(&format!("{text:?} is no number")))
}

fn count(end: &str) -> ! {
    let board = board();
    change_mask(libc::SIG_SETMASK, u64::MAX);
    board[board::MARKS + board::MOST as usize].store(locks().rlim_cur, Relaxed);
    board[board::COUNTERS].fetch_add(1, Relaxed);
    while let Some((number, value)) = next_signal(u64::MAX) {
        board[board::VALUES].fetch_add(value.unwrap_or(0) as u64, Relaxed);
        board[board::SIGNALS + number as usize].fetch_add(1, Relaxed);
        let over = number == libc::SIGUSR2 && board[board::OVER].load(Relaxed) != 0;
        if over || number == libc::SIGTERM {
            match end.split_once(':') {
                Some(("exit", code)) => std::process::exit(code.parse().expect("a code")),
                Some(("die", name)) => die(signals::number(name)),
                _ => {}
            }
        }
    }
    fail("nobody ended this probe")
}

fn wild(seed: u64, spell: Duration) -> ! {
    let board = board();
    let run = board[board::RUNS].fetch_add(1, Relaxed);
    let own = (seed % board::MOST) as usize;
    board[board::MARKS + own].store(locks().rlim_cur, Relaxed);
    board[board::RUNS_OF + own].fetch_add(1, Relaxed);
    let mut dice = Dice::new(seed ^ (run << 32));
    if run > 0 && board[board::CANDIDATE].load(Relaxed) == 0 {
        act(STRANGER, &mut dice, board, own, spell);
    }
    for _ in 0..dice.between(0, 5) {
        deed(&mut dice, board, own, spell);
    }
    sleep(Duration::from_micros(dice.between(0, 30_000)));
    match dice.between(0, 5) {
        0 => die(libc::SIGSEGV),
        1 => die(libc::SIGABRT),
        2 => die(libc::SIGKILL),
        3 => die(libc::SIGRTMAX()),
        4 => {}
        _ => std::process::exit(1),
    }
    std::process::exit(0)
}

fn busy(seed: u64) -> ! {
    // Signals to the group are for the probe that counts; TERM ends this one too.
    for number in (1..=64).filter(|number| ![libc::SIGTERM, libc::SIGCHLD].contains(number)) {
        crate::more::ignore(number);
    }
    let (board, mut dice) = (board(), Dice::new(seed));
    let mut children = VecDeque::new();
    loop {
        let spell = Duration::from_millis(dice.between(0, 200));
        children.extend(deed(&mut dice, board, 0, spell));
        if children.len() > 8
            && let Some(oldest) = children.pop_front()
        {
            // SAFETY: these are numbers; the child is not reaped yet.
            unsafe { libc::kill(oldest, libc::SIGKILL) };
            reap(Some(oldest));
        }
        sleep(Duration::from_micros(dice.between(0, 5000)));
    }
}

/// Does something that an init has to put up with, in the service at this place; gives the child
/// that is left to be reaped.
fn deed(dice: &mut Dice, board: Board, own: usize, spell: Duration) -> Option<i32> {
    let kind = match dice.between(0, DEEDS - 1) {
        // Without a limit nothing would hold it.
        BOMB if board[board::LIMITED].load(Relaxed) == 0 => BOMB - 1,
        kind => kind,
    };
    act(kind, dice, board, own, spell)
}

/// Does what is of this kind.
fn act(kind: u64, dice: &mut Dice, board: Board, own: usize, spell: Duration) -> Option<i32> {
    board[board::DEEDS + kind as usize].fetch_add(1, Relaxed);
    let short = Duration::from_micros(dice.between(0, 20_000));
    let orphan = |body: &mut dyn FnMut()| {
        let middle = start(board, || {
            start(board, &mut *body);
        });
        reap(middle);
        None
    };
    match kind {
        // Ends at once, and is not reaped while its parent lives.
        0 => start(board, || {}),
        1 => orphan(&mut || sleep(short)),
        2 => orphan(&mut || escape(spell)),
        // Lives on in the group.
        3 => orphan(&mut || sleep(spell)),
        4 => start(board, || {
            // SAFETY: raising a signal touches no memory.
            unsafe { libc::raise(libc::SIGSTOP) };
        }),
        // Is traced by its parent, and stopped.
        5 => start(board, || {
            // SAFETY: as above; PTRACE_TRACEME takes no pointers.
            unsafe {
                libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
                libc::raise(libc::SIGSTOP);
            }
        }),
        // Is traced by another orphan, which does not care for its end.
        6 => {
            let middle = start(board, || {
                let traced = start(board, || sleep(spell));
                start(board, || {
                    // SAFETY: PTRACE_SEIZE takes two numbers here.
                    unsafe { libc::ptrace(libc::PTRACE_SEIZE, traced.unwrap_or(0), 0, 0) };
                    sleep(spell);
                });
            });
            reap(middle);
            None
        }
        7 => orphan(&mut || {
            for _ in 0..10 {
                // SAFETY: there is one thread; the parent ends without running anything else.
                if unsafe { libc::fork() } > 0 {
                    end();
                }
                let _ = unistd::setsid();
            }
            sleep(spell);
        }),
        8 => {
            let middle = start(board, || {
                for _ in 0..20 {
                    start(board, || {});
                }
            });
            reap(middle);
            None
        }
        // A process whose owner is hard to find out.
        9 => {
            let way = dice.between(0, 6);
            orphan(&mut || {
                hide(way);
                if way == 6 {
                    end_main_thread(spell);
                }
                escape(spell);
            })
        }
        // One that passes itself off as another service's.
        11 => {
            let whose = dice.between(0, board::MOST) as usize;
            orphan(&mut || {
                copy_mark(board, whose);
                escape(spell);
            })
        }
        // One that is nobody's.
        STRANGER => orphan(&mut || {
            let _ = unistd::setsid();
            become_stranger(board, own);
            sleep(spell);
        }),
        BOMB => {
            let sees_all = board[board::LIMITED].load(Relaxed) == 1;
            let time = if sees_all { spell } else { spell.min(Duration::from_millis(200)) };
            orphan(&mut || explode(board, time))
        }
        // As many as there is room for.
        _ => orphan(&mut || {
            for _ in 0..40 {
                if start(board, || sleep(short)).is_none() {
                    break;
                }
            }
            sleep(short);
        }),
    }
}

/// Takes away one of the marks, or has them hard to read.
fn hide(way: u64) {
    // SAFETY: these take numbers and strings; nobody asks for the environment any more.
    unsafe {
        match way {
            0 => wipe_environment(),
            1 => drop(unistd::setuid(unistd::Uid::from_raw(65_534))),
            2 => assert_eq!(libc::prctl(libc::PR_SET_DUMPABLE, 0), 0),
            // A gigabyte of nothing to read: who does not see /proc cannot move there.
            3 if Path::new("/proc/self/stat").exists() => move_environment(1 << 30),
            4 => {
                let name = c"somebody else".as_ptr();
                assert_eq!(libc::prctl(libc::PR_SET_NAME, name), 0);
            }
            5 => set_locks(locks().rlim_max),
            // The other way is for a process as a whole.
            _ => {}
        }
    }
}

/// As a program does that writes a title over it. It does not ask for its environment any more.
fn wipe_environment() {
    // SAFETY: it is a list of strings of this process's own, which has one thread.
    unsafe {
        let mut entry = environ.cast_const();
        while !(*entry).is_null() {
            ptr::write_bytes(*entry, 0, libc::strlen(*entry));
            entry = entry.add(1);
        }
    }
}

/// The limit that marks a process.
fn locks() -> libc::rlimit {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it gets a pointer to a live record.
    unsafe { libc::getrlimit(libc::RLIMIT_LOCKS, &raw mut limit) };
    limit
}

fn set_locks(soft: u64) {
    let limit = libc::rlimit { rlim_cur: soft, ..locks() };
    // SAFETY: as above.
    unsafe { libc::setrlimit(libc::RLIMIT_LOCKS, &raw const limit) };
}

/// Takes on the mark of the service at this place, in place of its own. That of the one that counts,
/// which does not end before all does, only one process has.
fn copy_mark(board: Board, whose: usize) {
    let counts = whose == board::MOST as usize;
    board[board::COPYING].fetch_add(1, Relaxed);
    let mark = board[board::MARKS + whose].load(Relaxed);
    // When all ends, nobody may look any more for what has the mark of one that has ended.
    let may = mark != 0 && board[board::ENDING].load(Relaxed) == 0;
    if may && !(counts && board[board::COPIED].swap(1, Relaxed) == 1) {
        wipe_environment();
        set_locks(mark);
    }
    board[board::COPYING].fetch_sub(1, Relaxed);
}

/// Gives up all marks, and says who it is when its service has ended behind that: what foster knew
/// of it before is of no use any more then. One process does.
fn become_stranger(board: Board, own: usize) {
    board[board::COPYING].fetch_add(1, Relaxed);
    let has = |place: usize| board[place].load(Relaxed) != 0;
    let may = has(board::STRANGERS) && !has(board::ENDING);
    let claim = || board[board::CANDIDATE].compare_exchange(0, 1, Relaxed, Relaxed);
    let is_one = may && claim().is_ok();
    let pid = u64::from(std::process::id());
    if is_one {
        board[board::CANDIDATE].store(pid, Relaxed);
        wipe_environment();
        set_locks(locks().rlim_max);
    }
    board[board::COPYING].fetch_sub(1, Relaxed);
    if !is_one {
        return;
    }
    let runs = || board[board::RUNS_OF + own].load(Relaxed);
    let before = runs();
    while runs() == before {
        sleep(Duration::from_millis(1));
    }
    board[board::STRANGER].store(pid, Relaxed);
    // The test ends it, with all that it has started.
    sleep(LIFETIME);
}

/// A fork bomb, for so long: it and all that stems from it make children wherever there is room, each
/// in a session of its own.
fn explode(board: Board, time: Duration) {
    let end = std::time::Instant::now() + time;
    while std::time::Instant::now() < end {
        let _ = unistd::setsid();
        // SAFETY: there is one thread, so that everything works in the child as before.
        if unsafe { libc::fork() } < 0 {
            board[board::REFUSED].fetch_add(1, Relaxed);
            sleep(Duration::from_millis(5));
        }
    }
}

/// Lives on in a thread beside the first, which ends; where there is no room for one, in that.
fn end_main_thread(spell: Duration) {
    let other = std::thread::Builder::new().spawn(move || {
        escape(spell);
        end();
    });
    if other.is_ok() {
        // SAFETY: what the other thread uses is its own.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    }
}

unsafe extern "C" {
    /// The C library's list of the environment.
    static mut environ: *mut *mut libc::c_char;
}

fn escape(spell: Duration) {
    let _ = unistd::setsid();
    sleep(spell);
}

/// Runs `body` in a child, which ends with it; none where there is no room for a process.
fn start(board: Board, body: impl FnOnce()) -> Option<i32> {
    // SAFETY: the probe has one thread, so that everything works in the child as before.
    match unsafe { libc::fork() } {
        -1 => {
            board[board::REFUSED].fetch_add(1, Relaxed);
            None
        }
        0 => {
            body();
            end()
        }
        pid => Some(pid),
    }
}

fn end() -> ! {
    // SAFETY: ends the process without running anything of its parent's.
    unsafe { libc::_exit(0) }
}

fn reap(child: Option<i32>) {
    if let Some(pid) = child {
        // That of a child that is traced tells of its stops too, unless asked for ends alone.
        // SAFETY: the status is not asked for.
        unsafe { libc::waitid(libc::P_PID, pid as u32, ptr::null_mut(), libc::WEXITED) };
    }
}

/// A root of its own: a folder of links and mounts, without /tmp, that can be read only.
fn bare(text: &str) {
    let words: Vec<&str> = text.split(':').collect();
    let [root, foster, probe] = words[..] else { fail("FOLDER:FOSTER:PROBE") };
    // SAFETY: unshare takes a number.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        fail(&format!("no mount namespace: {}", Errno::last()));
    }
    mount(None, "/", libc::MS_REC | libc::MS_PRIVATE);
    mount(Some("tmpfs"), root, 0);
    for name in ["bin", "lib", "lib64", "usr", "etc", "dev", "proc"] {
        let (from, to) = (format!("/{name}"), format!("{root}/{name}"));
        if let Ok(target) = fs::read_link(&from) {
            symlink(target, &to).expect("a link can be made");
        } else if Path::new(&from).is_dir() {
            fs::create_dir(&to).expect("a folder can be made");
            mount(Some(&from), &to, libc::MS_BIND | libc::MS_REC);
        }
    }
    for (from, name) in [(foster, "foster"), (probe, "probe")] {
        let to = format!("{root}/{name}");
        fs::write(&to, "").expect("a file can be made");
        mount(Some(from), &to, libc::MS_BIND);
    }
    unistd::chroot(root).expect("there is a new root");
    unistd::chdir("/").expect("there is a root");
    mount(None, "/", libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY);
}

/// Mounts a folder or file at another place, a new tmpfs, or changes what is mounted.
fn mount(from: Option<&str>, to: &str, flags: libc::c_ulong) {
    let words = [from.unwrap_or("none"), to].map(|word| CString::new(word.as_bytes()));
    let [from, to] = words.map(|word| word.expect("no NUL inside"));
    let kind = from.as_ptr();
    // SAFETY: all are strings; the last argument may be null.
    if unsafe { libc::mount(from.as_ptr(), to.as_ptr(), kind, flags, ptr::null()) } != 0 {
        fail(&format!("cannot mount {from:?} at {to:?}: {}", Errno::last()));
    }
}

/// Hands the test the descriptor by which it answers system calls in the place of the kernel.
fn be_judged() {
    let board = board();
    let descriptor = seccomp::ask(&["clone", "openat", "mmap", "epoll_create1", "timerfd_create"]);
    board[board::JUDGE].store(descriptor as u64, Relaxed);
    let patience = std::time::Instant::now() + LIFETIME;
    while board[board::JUDGED].load(Relaxed) == 0 {
        if std::time::Instant::now() > patience {
            fail("nobody judges");
        }
        sleep(Duration::from_millis(1));
    }
}

/// How many kinds of deeds there are.
const DEEDS: u64 = 14;

/// Which of them are the stranger and the fork bomb.
const STRANGER: u64 = 12;
const BOMB: u64 = 13;

/// The board, as the harness opens it: the first descriptor behind the standard ones.
const BOARD: i32 = 3;
