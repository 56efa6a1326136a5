//! Signal names, the same in the harness and in the probe: `TERM`, and `40` for a real-time one.

use nix::libc;

/// The short name of a signal, or its number where it has none.
pub fn name(number: i32) -> String {
    match NAMES.iter().find(|(_, known)| *known == number) {
        Some((name, _)) => (*name).to_string(),
        None => number.to_string(),
    }
}

/// The number of a signal given by short name or number.
pub fn number(name: &str) -> i32 {
    match NAMES.iter().find(|(known, _)| *known == name) {
        Some((_, number)) => *number,
        None => name.parse().unwrap_or_else(|_| panic!("{name:?} is no signal")),
    }
}

/// The names in a mask such as `SigBlk` of /proc/PID/status, in the order of their numbers.
pub fn names_in_mask(hexadecimal: &str) -> String {
    let mask = u64::from_str_radix(hexadecimal.trim(), 16).expect("a mask is hexadecimal");
    let names: Vec<String> =
        (1..=64).filter(|number| mask & (1 << (number - 1)) != 0).map(name).collect();
    names.join(" ")
}

/// Every signal with a name.
pub const NAMES: [(&str, i32); 31] = [
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("STKFLT", libc::SIGSTKFLT),
    ("CHLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("PWR", libc::SIGPWR),
    ("SYS", libc::SIGSYS),
];
