//! The init of a whole machine: what foster finds missing at its start, and the end.
//!
//! The kernel starts its first process with an empty machine around it: nothing is mounted but
//! the root, there is no `PATH`, perhaps no console; and should that process ever exit, the
//! kernel panics. When the machine ends and how is the state machine's to say
//! (`supervisor/machine.rs`).

use std::ffi::{CStr, OsStr, OsString};
use std::fs;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::mount::{MsFlags, mount, umount};
use nix::sys::reboot::{RebootMode, reboot, set_cad_enabled};
use nix::unistd;

use foster::config::Level;
use foster::exit::MachineEnd;

use crate::log::Log;

/// Whether PID 1, which foster is, is that of a machine, and not of a container.
pub fn is_machine() -> bool {
    // A machine's PID 2 is the parent of the kernel's threads, in no group that could be seen; a
    // container's first process has no company yet. So this answers for all but a few, without
    // /proc, which need not be there, and on kernels without PID namespaces.
    // SAFETY: getpgid(2) takes any number.
    if unsafe { libc::getpgid(2) } != 0 {
        return false;
    }
    fs::read_link("/proc/self/ns/pid")
        .map_or(true, |namespace| namespace.as_os_str() == FIRST_PID_NAMESPACE)
}

/// Makes a machine of what the kernel has left.
pub fn set_up(log: &Log) {
    // The kernel's own first process leads nothing.
    let _ = unistd::setsid();
    let devices = mount_missing(&DEVICES);
    take_console();
    for (wanted, mounted) in std::iter::once((&DEVICES, devices))
        .chain(FILE_SYSTEMS.iter().map(|wanted| (wanted, mount_missing(wanted))))
    {
        let Mount { kind, place, .. } = wanted;
        match mounted {
            Mounted::Before => {}
            Mounted::Now => log.say(Level::Info, format_args!("mounted {kind} on {place}")),
            Mounted::Failed(errno) => {
                log.say(
                    Level::Warn,
                    format_args!("cannot mount {kind} on {place}: {}", errno.desc()),
                );
            }
        }
    }
    // From now on Ctrl-Alt-Del is a SIGINT to PID 1, instead of a reboot on the spot.
    let _ = set_cad_enabled(false);
}

/// Opens the console, or where there is none /dev/null, as those of the descriptors 0 to 2 that
/// are closed.
pub fn take_console() {
    let is_closed = |descriptor: &RawFd| {
        // SAFETY: it takes any number.
        unsafe { libc::fcntl(*descriptor, libc::F_GETFD) == -1 }
    };
    // Each takes the lowest one that is free.
    for _ in (0..=libc::STDERR_FILENO).filter(is_closed) {
        let open = |path: &CStr| {
            // SAFETY: the path is a string.
            unsafe { libc::open(path.as_ptr(), libc::O_RDWR | libc::O_NOCTTY) }
        };
        if open(c"/dev/console") == -1 {
            open(c"/dev/null");
        }
    }
}

/// Ends the machine; comes back only where foster may not, in a container. File systems are
/// put away only where they are the machine's own.
pub fn end(how: MachineEnd, is_machine: bool, log: Option<&Log>) {
    sync();
    if is_machine {
        put_away_file_systems(log);
        sync();
    }
    drain_console();
    let _ = reboot(match how {
        MachineEnd::PowerOff => RebootMode::RB_POWER_OFF,
        MachineEnd::Reboot => RebootMode::RB_AUTOBOOT,
        MachineEnd::Halt => RebootMode::RB_HALT_SYSTEM,
    });
    if is_machine {
        // It is over all the same: better a machine that stands still than a panic.
        loop {
            unistd::pause();
        }
    }
}

/// A file system that a machine should have.
struct Mount {
    kind: &'static str,
    place: &'static str,
    flags: MsFlags,
    data: Option<&'static str>,
}

enum Mounted {
    Before,
    Now,
    Failed(Errno),
}

fn mount_missing(wanted: &Mount) -> Mounted {
    let device = |path: &str| fs::metadata(path).map(|data| data.dev()).ok();
    let Mount { kind, place, flags, data } = *wanted;
    if device(place).is_some_and(|device_there| Some(device_there) != device("/")) {
        return Mounted::Before;
    }
    let _ = fs::create_dir(place);
    mount(Some(kind), place, Some(kind), flags, data)
        .map_or_else(Mounted::Failed, |()| Mounted::Now)
}

/// Unmounts all that can be, the latest first; the rest, and the root, can only be read from now
/// on.
fn put_away_file_systems(log: Option<&Log>) {
    let mounts = fs::read("/proc/self/mounts").unwrap_or_default();
    let places = mounts.split(|byte| *byte == b'\n').filter_map(|line| {
        let place = line.split(|byte| *byte == b' ').nth(1)?;
        Some(unescape(place))
    });
    let places: Vec<OsString> = places.collect();
    let is_needed = |place: &&OsString| {
        !["/", "/proc", "/sys", "/dev"].iter().any(|needed| place.as_os_str() == *needed)
    };
    for place in places.iter().rev().filter(is_needed) {
        if umount(place.as_os_str()).is_ok() {
            continue;
        }
        let (place, result) = (Path::new(place), make_read_only(place));
        let outcome = if result.is_ok() { "read-only now" } else { "left as it is" };
        if let Some(log) = log {
            let place = place.display();
            log.say(
                Level::Warn,
                format_args!("cannot unmount {place}, which is in use: {outcome}"),
            );
        }
    }
    let _ = make_read_only(OsStr::new("/"));
}

fn make_read_only(place: &OsStr) -> nix::Result<()> {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(None::<&str>, place, None::<&str>, flags, None::<&str>)
}

/// A path of /proc/self/mounts, in which blanks and backslashes are written as `\040`.
fn unescape(text: &[u8]) -> OsString {
    let mut path = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, others)) = rest.split_first() {
        let octal = others.get(..3).filter(|_| *first == b'\\');
        let byte =
            octal.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 8).ok());
        path.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &others[3..] } else { others };
    }
    OsString::from_vec(path)
}

fn sync() {
    // SAFETY: it has no arguments and no answer.
    unsafe { libc::sync() };
}

/// Lets the last words get out: a serial line takes its time, and the end of the machine does
/// not wait for it. Nor does foster for ever: it may be held up by whoever listens.
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

/// The kernel's name for the PID namespace that it starts with (`PROC_PID_INIT_INO`).
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Without it there may be no console to tell of the others.
const DEVICES: Mount =
    Mount { kind: "devtmpfs", place: "/dev", flags: MsFlags::MS_NOSUID, data: Some("mode=0755") };

const FILE_SYSTEMS: [Mount; 3] = [
    Mount { kind: "proc", place: "/proc", flags: NO_PROGRAMS, data: None },
    Mount { kind: "sysfs", place: "/sys", flags: NO_PROGRAMS, data: None },
    Mount {
        kind: "tmpfs",
        place: "/run",
        flags: MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV),
        data: Some("mode=0755"),
    },
];

const NO_PROGRAMS: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV).union(MsFlags::MS_NOEXEC);
