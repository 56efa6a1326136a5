//! The init of a whole system: what is missing at its start, and the power-off.
//!
//! The kernel starts its first process on an empty system: only the root is mounted, there is no
//! `PATH`, perhaps no console; and if that process exits, the kernel panics. The state machine
//! decides when and how the system ends (`supervisor/poweroff.rs`).

use std::ffi::CStr;
use std::fmt;
use std::os::fd::RawFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::mount::{MsFlags, mount, umount};
use nix::sys::reboot::{RebootMode, reboot, set_cad_enabled};
use nix::unistd;

use foster::cli::{Notice, Stream};
use foster::exit::MachineEnd;
use foster::process::OsError;

use crate::log::Log;

use super::aside::{Aside, Patience};
use super::{file, log};

/// Whether PID 1, which foster is, belongs to a system and not to a container.
pub fn is_machine() -> bool {
    // On a system, PID 2 is the parent of the kernel's threads, in no visible group; in a
    // container, the first process is still alone. This answers nearly all cases, without /proc,
    // which may be missing.
    // SAFETY: getpgid(2) takes any number.
    if unsafe { libc::getpgid(2) } != 0 {
        return false;
    }
    // A process that joined the PID namespace from outside, with its group there, looks the same.
    // But in a namespace, reboot(2) only ends the namespace and refuses what only a system has; so
    // does anything else that would keep foster from powering off. At the start of a system this
    // setting is on.
    set_cad_enabled(true).is_ok()
}

/// The kernel's command line. If /proc is missing, it is mounted for this look alone, because that
/// line says what foster is to be.
pub fn kernel_line() -> Option<Vec<u8>> {
    let read = || {
        let mut line = Vec::new();
        file::read(c"/proc/cmdline", &mut line, MOST_OF_KERNEL_LINE).ok().map(|()| line)
    };
    read().or_else(|| {
        let [proc, ..] = &FILE_SYSTEMS;
        let Mounted::Now = mount_missing(proc) else { return None };
        let line = read();
        let _ = umount(proc.place);
        line
    })
}

/// Mounts and opens what the kernel has left undone.
pub fn set_up(log: &Log) {
    // The first process leads no session of its own.
    let _ = unistd::setsid();
    let devices = mount_missing(&DEVICES);
    take_console();
    log.begin();
    for (wanted, mounted) in std::iter::once((&DEVICES, devices))
        .chain(FILE_SYSTEMS.iter().map(|wanted| (wanted, mount_missing(wanted))))
    {
        let (kind, place) = (Text(wanted.kind), Text(wanted.place));
        match mounted {
            Mounted::Before => {}
            Mounted::Now => log.say(Notice::Mounted, format_args!("mounted {kind} on {place}")),
            Mounted::Failed(errno) => {
                log.say(
                    Notice::NotMounted,
                    format_args!("cannot mount {kind} on {place}: {}", OsError(errno as i32)),
                );
            }
        }
    }
    // From now on Ctrl-Alt-Del sends SIGINT to PID 1, instead of an immediate reboot.
    let _ = set_cad_enabled(false);
}

/// Opens the console, or else /dev/null, for those of the descriptors 0 to 2 that are closed.
pub fn take_console() {
    let is_closed = |descriptor: &RawFd| file::kind(*descriptor) == 0;
    // Each open takes the lowest free descriptor.
    for _ in (0..=libc::STDERR_FILENO).filter(is_closed) {
        let open = |path| file::open_for_all(path, libc::O_RDWR | libc::O_NOCTTY);
        let _ = open(c"/dev/console").or_else(|_| open(c"/dev/null"));
    }
}

/// Ends the system. It returns only where foster may not do that, in a container. File systems are
/// put away only if they are the system's own.
pub fn end(how: MachineEnd, is_machine: bool, log: Option<&Log>) {
    let mode = match how {
        MachineEnd::PowerOff => RebootMode::RB_POWER_OFF,
        MachineEnd::Reboot => RebootMode::RB_AUTOBOOT,
        MachineEnd::Halt => RebootMode::RB_HALT_SYSTEM,
    };
    if !is_machine {
        sync();
        drain_console();
        let _ = reboot(mode);
        return;
    }
    let mut last = Last { patience: Patience::new(PATIENCE), log };
    last.turn_swap_off();
    last.put_away_file_systems();
    // After that, because unmounting one file system may write to a file on another.
    let write_all = || {
        sync();
        Ok(())
    };
    if last.patience.run(&write_all) == Aside::Hangs {
        last.warn(format_args!("a disk does not answer: unwritten data is lost"));
    }
    drain_console();
    // The kernel ends the caller if the platform returns from its power-off (reboot(2)). That must
    // not be PID 1: the kernel would panic.
    // SAFETY: these are numbers.
    let call = || Errno::result(unsafe { libc::reboot(mode as libc::c_int) }).map(drop);
    let why = match Patience::endless().run(&call) {
        Aside::Failed(errno) => OsError(errno as i32).to_string(),
        Aside::Done | Aside::Hangs => "the platform cannot do it".to_owned(),
    };
    // Waiting is better than a panic. Ctrl-Alt-Del reboots immediately again, as a way out for
    // whoever is at the keyboard.
    let way = match set_cad_enabled(true) {
        Ok(()) => "Ctrl-Alt-Del reboots",
        Err(_) => "it can be switched off now",
    };
    let message = format_args!("{how} failed: {why}; {way}");
    let line = match log {
        Some(log) => log.last_line(Notice::NotEnded, message),
        None => format!("foster: error: {message}\n"),
    };
    log::say(Stream::Err, &line);
    loop {
        unistd::pause();
    }
}

/// A file system that a system needs.
struct Mount {
    kind: &'static CStr,
    place: &'static CStr,
    flags: MsFlags,
    data: Option<&'static CStr>,
}

enum Mounted {
    Before,
    Now,
    Failed(Errno),
}

fn mount_missing(wanted: &Mount) -> Mounted {
    let device = |path: &CStr| file::status(path).map(|status| status.st_dev);
    let Mount { kind, place, flags, data } = *wanted;
    if device(place).is_some_and(|device_there| Some(device_there) != device(c"/")) {
        return Mounted::Before;
    }
    // SAFETY: the path is a string. If this fails, so does what follows.
    unsafe { libc::mkdir(place.as_ptr(), 0o755) };
    mount(Some(kind), place, Some(kind), flags, data)
        .map_or_else(Mounted::Failed, |()| Mounted::Now)
}

/// The last work of a system: putting away file systems, swap and disks.
struct Last<'a> {
    patience: Patience,
    log: Option<&'a Log>,
}

impl Last<'_> {
    fn warn(&self, what: fmt::Arguments<'_>) {
        if let Some(log) = self.log {
            log.say(Notice::NotPutAway, what);
        }
    }

    /// Does something, and warns if it does not finish.
    fn attempt(&mut self, what: fmt::Arguments<'_>, work: &dyn Fn() -> nix::Result<()>) -> Aside {
        let result = self.patience.run(work);
        if result == Aside::Hangs {
            self.warn(format_args!("{what} hangs: continuing without it"));
        }
        result
    }

    /// Turns off all swap, the latest first: a file system that holds a swap file cannot be
    /// unmounted.
    fn turn_swap_off(&mut self) {
        for_each_place(c"/proc/swaps", 0, &mut |path| {
            let place = Text(path);
            // SAFETY: the path is a string.
            let swapoff = || Errno::result(unsafe { libc::swapoff(path.as_ptr()) }).map(drop);
            let what = format_args!("turning off the swap on {place}");
            if let Aside::Failed(errno) = self.attempt(what, &swapoff) {
                let why = OsError(errno as i32);
                self.warn(format_args!("cannot turn off the swap on {place}: {why}"));
            }
        });
    }

    /// Unmounts everything that can be unmounted, the latest first, and makes the rest and the root
    /// read-only for everybody. For a system of foster's own only.
    fn put_away_file_systems(&mut self) {
        for_each_place(c"/proc/self/mounts", 1, &mut |path| {
            if [c"/", c"/proc", c"/sys", c"/dev"].contains(&path) {
                return;
            }
            let place = Text(path);
            let what = format_args!("unmounting {place}");
            let Aside::Failed(_) = self.attempt(what, &|| umount(path)) else { return };
            match self.attempt(what, &|| make_read_only(path)) {
                Aside::Done => self.warn(format_args!(
                    "cannot unmount {place}, which is in use: it is read-only now"
                )),
                Aside::Failed(errno) => {
                    let why = OsError(errno as i32);
                    self.warn(format_args!(
                        "cannot unmount {place}, which is in use, nor make it read-only: {why}"
                    ));
                }
                Aside::Hangs => {}
            }
        });
        let what = format_args!("making / read-only");
        if let Aside::Failed(errno) = self.attempt(what, &|| make_read_only(c"/")) {
            self.warn(format_args!("cannot make / read-only: {}", OsError(errno as i32)));
        }
    }
}

/// Visits the paths in a file of /proc, by the number of their field, counted from 0; the last line
/// first.
fn for_each_place(file: &CStr, field: usize, visit: &mut dyn FnMut(&CStr)) {
    let mut text = Vec::new();
    let _ = file::read(file, &mut text, MOST_OF_MOUNTS);
    for line in text.rsplit(|byte| *byte == b'\n') {
        let place = line.split(|byte| matches!(byte, b' ' | b'\t')).nth(field).unwrap_or_default();
        // A heading has no path.
        if place.starts_with(b"/")
            && let Ok(place) = CStr::from_bytes_until_nul(&unescape(place))
        {
            visit(place);
        }
    }
}

/// Makes a whole file system read-only, wherever it is mounted.
fn make_read_only(place: &CStr) -> nix::Result<()> {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(None::<&CStr>, place, None::<&CStr>, flags, None::<&CStr>)
}

/// A path from /proc/self/mounts or /proc/swaps, where blanks and backslashes are written as
/// `\040`; it ends with a NUL.
fn unescape(mut text: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(text.len() + 1);
    loop {
        let (byte, rest) = match text {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..] => {
                ((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), rest)
            }
            [byte, rest @ ..] => (*byte, rest),
            [] => break,
        };
        path.push(byte);
        text = rest;
    }
    path.push(0);
    path
}

/// A C string as text.
struct Text<'a>(&'a CStr);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_string_lossy())
    }
}

fn sync() {
    // SAFETY: it has no arguments and no result.
    unsafe { libc::sync() };
}

/// Waits until the last lines are out: a serial line is slow, and the power-off does not wait for
/// it. The wait has a limit, because the reader may not read.
fn drain_console() {
    for _ in 0..100 {
        let mut waiting = 0;
        // SAFETY: `waiting` takes the answer.
        let told = unsafe { libc::ioctl(libc::STDERR_FILENO, libc::TIOCOUTQ, &raw mut waiting) };
        if told != 0 || waiting == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The most that is read of the list of mounts: a kernel has at most 100,000 of them by default.
const MOST_OF_MOUNTS: usize = 1 << 23;

/// The most that is read of the kernel's command line: no architecture has room for more.
const MOST_OF_KERNEL_LINE: usize = 1 << 16;

/// It comes first, because without it there may be no console to report on the others.
const DEVICES: Mount = Mount {
    kind: c"devtmpfs",
    place: c"/dev",
    flags: MsFlags::MS_NOSUID,
    data: Some(c"mode=0755"),
};

/// How long putting away file systems may make no progress, in total. A slow disk that keeps
/// writing gets all the time that it needs; a dead server must not prevent the power-off.
const PATIENCE: Duration = Duration::from_secs(20);

const FILE_SYSTEMS: [Mount; 3] = [
    Mount { kind: c"proc", place: c"/proc", flags: NO_PROGRAMS, data: None },
    Mount { kind: c"sysfs", place: c"/sys", flags: NO_PROGRAMS, data: None },
    Mount {
        kind: c"tmpfs",
        place: c"/run",
        flags: MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV),
        data: Some(c"mode=0755"),
    },
];

const NO_PROGRAMS: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);
