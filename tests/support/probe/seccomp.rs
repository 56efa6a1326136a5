//! Makes system calls fail on demand: `deny=kill,tgkill:EPERM`, by their numbers too.

use nix::libc;

use crate::script;

/// Installs a filter that lets the named calls fail with the named error, in this process and in
/// everything that it starts.
pub fn deny(rule: &str) {
    let (names, error) = rule.split_once(':').expect("CALL,...:ERROR");
    let error = match error {
        "EPERM" => libc::EPERM,
        "ENOSYS" => libc::ENOSYS,
        "EAGAIN" => libc::EAGAIN,
        "ENOMEM" => libc::ENOMEM,
        "EMFILE" => libc::EMFILE,
        "ESRCH" => libc::ESRCH,
        // The call reports success without doing anything.
        "0" => 0,
        _ => script::fail(&format!("no such error here: {error}")),
    };
    let mut filter = Vec::new();
    for name in names.split(',') {
        let mut checks = Vec::new();
        let (place, allowed) = allowed(name);
        if !allowed.is_empty() {
            checks.push(statement(LOAD, argument(place)));
        }
        for left in (0..allowed.len()).rev() {
            // Over the checks that are left, and over the failure.
            checks.extend([
                unless_equal(allowed[left].into(), 1),
                statement(JUMP, 2 * left as u32 + 1),
            ]);
        }
        checks.push(statement(RETURN, libc::SECCOMP_RET_ERRNO | error as u32));
        filter.push(statement(LOAD, CALL_NUMBER));
        filter.push(unless_equal(number(name), checks.len() as u8));
        filter.extend(checks);
    }
    filter.push(statement(RETURN, libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program and its filter live until the call returns, and the kernel copies both.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, YES, NO, NO, NO) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, FILTER_MODE, &raw const program) == 0
    };
    if !done {
        script::fail("cannot install a system call filter");
    }
}

/// Which argument of a call, counted from 0, tells that it does no more than ask; and by what.
fn allowed(name: &str) -> (u32, &'static [i32]) {
    match name {
        // Signal 0 only asks whether somebody is there.
        "kill" => (1, &[0]),
        // As fork(2) makes a child, with and without what glibc adds.
        "shared-clone" => (0, &[libc::SIGCHLD, GLIBC_FORK]),
        // To switch Ctrl-Alt-Del on and off ends nothing; by that foster sees where it is.
        "reboot" => (2, &[libc::LINUX_REBOOT_CMD_CAD_ON, libc::LINUX_REBOOT_CMD_CAD_OFF]),
        _ => (0, &[]),
    }
}

const GLIBC_FORK: i32 = libc::CLONE_CHILD_CLEARTID | libc::CLONE_CHILD_SETTID | libc::SIGCHLD;

/// Installs a filter that has somebody else answer the named calls, in this process and in
/// everything that it starts (seccomp_unotify(2)); gives the descriptor to answer by.
pub fn ask(names: &[&str]) -> i32 {
    let mut filter = vec![statement(LOAD, CALL_NUMBER)];
    for name in names {
        filter.push(unless_equal(number(name), 1));
        filter.push(statement(RETURN, libc::SECCOMP_RET_USER_NOTIF));
    }
    filter.push(statement(RETURN, libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: as above; the descriptor is closed on exec.
    let descriptor = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, YES, NO, NO, NO);
        let (how, flags) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER);
        libc::syscall(libc::SYS_seccomp, how, flags, &raw const program)
    };
    if descriptor < 0 {
        script::fail("cannot install a system call filter that asks");
    }
    descriptor as i32
}

/// Has the named calls hang for ever, in this process and in everything that it starts: whoever
/// this process becomes has the descriptor to answer by, and does not know of it.
pub fn hang(names: &str) {
    let names: Vec<&str> = names.split(',').collect();
    let descriptor = ask(&names);
    // SAFETY: these are numbers.
    if unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) } != 0 {
        script::fail("cannot keep the descriptor of the filter");
    }
}

/// Where a filter finds what it looks at.
const CALL_NUMBER: u32 = 0;

/// The lower half of the argument at this place.
fn argument(place: u32) -> u32 {
    16 + 8 * place + if cfg!(target_endian = "little") { 0 } else { 4 }
}

/// prctl reads machine words, and an int would leave half of each undefined.
const YES: libc::c_ulong = 1;
const NO: libc::c_ulong = 0;
const FILTER_MODE: libc::c_ulong = libc::SECCOMP_MODE_FILTER as libc::c_ulong;

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const JUMP: u32 = libc::BPF_JMP | libc::BPF_JA;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Skips so many lines, unless what was loaded is this.
fn unless_equal(value: i64, skipped: u8) -> libc::sock_filter {
    let code = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    libc::sock_filter { code, jt: 0, jf: skipped, k: value as u32 }
}

fn number(name: &str) -> i64 {
    match name {
        _ if name.starts_with(|first: char| first.is_ascii_digit()) => {
            name.parse().unwrap_or_else(|_| script::fail(&format!("no number: {name}")))
        }
        "kill" => libc::SYS_kill,
        "tkill" => libc::SYS_tkill,
        "tgkill" => libc::SYS_tgkill,
        "rt_sigqueueinfo" => libc::SYS_rt_sigqueueinfo,
        "rt_tgsigqueueinfo" => libc::SYS_rt_tgsigqueueinfo,
        "pidfd_send_signal" => libc::SYS_pidfd_send_signal,
        "clone" | "shared-clone" => libc::SYS_clone,
        "openat" => libc::SYS_openat,
        #[cfg(not(target_arch = "arm"))]
        "mmap" => libc::SYS_mmap,
        #[cfg(target_arch = "arm")]
        "mmap" => libc::SYS_mmap2,
        "clone3" => libc::SYS_clone3,
        #[cfg(target_arch = "x86_64")]
        "fork" => libc::SYS_fork,
        #[cfg(target_arch = "x86_64")]
        "vfork" => libc::SYS_vfork,
        // Other architectures have only clone.
        #[cfg(not(target_arch = "x86_64"))]
        "fork" | "vfork" => libc::SYS_clone,
        "reboot" => libc::SYS_reboot,
        "umount2" => libc::SYS_umount2,
        "sync" => libc::SYS_sync,
        "prlimit64" => libc::SYS_prlimit64,
        "setsid" => libc::SYS_setsid,
        "prctl" => libc::SYS_prctl,
        "signalfd4" => libc::SYS_signalfd4,
        "timerfd_create" => libc::SYS_timerfd_create,
        "epoll_create1" => libc::SYS_epoll_create1,
        "epoll_ctl" => libc::SYS_epoll_ctl,
        "rt_sigtimedwait" => libc::SYS_rt_sigtimedwait,
        "pidfd_open" => libc::SYS_pidfd_open,
        "close_range" => libc::SYS_close_range,
        "pipe2" => libc::SYS_pipe2,
        "getrandom" => libc::SYS_getrandom,
        "pwritev2" => libc::SYS_pwritev2,
        "timer_create" => libc::SYS_timer_create,
        _ => script::fail(&format!("no such system call here: {name}")),
    }
}
