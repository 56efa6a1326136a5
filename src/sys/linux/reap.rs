//! The ends of children, each looked at before it is reaped.
//!
//! waitid(2) with `WNOWAIT` looks at the first dead child, and would look at the same one again
//! for ever: so a child that the machine holds as a zombie hides those behind it, and while one
//! does, all children are gone through one by one.

use std::io;
use std::mem;

use nix::libc::{self, c_int, id_t, idtype_t};

use foster::exit::ExitStatus;
use foster::process::Pid;
use foster::signal::Signal;

use super::survey::Children;

/// The children, as far as their ends go.
pub struct Reaper {
    /// `WEXITED`, and `WSTOPPED` where stops are of interest.
    interest: c_int,
    /// Zombies that stay.
    held: Vec<Pid>,
    /// While some do: all children, and how many of them have been looked at.
    round: Vec<Pid>,
    looked_at: usize,
    /// Whether a child may have ended since the round began.
    roused: bool,
}

/// Something that became of a child.
#[derive(Clone, Copy)]
pub enum Fate {
    /// It ended, and is a zombie.
    Exited(Pid, ExitStatus),
    /// It was stopped; the kernel will not tell it again.
    Stopped(Pid, Signal),
}

impl Reaper {
    /// A reaper that tells of stops too if `stops`.
    pub fn new(stops: bool) -> Reaper {
        let interest = if stops { libc::WEXITED | libc::WSTOPPED } else { libc::WEXITED };
        Reaper { interest, held: Vec::new(), round: Vec::new(), looked_at: 0, roused: true }
    }

    /// Takes in that a child ended or stopped.
    pub fn rouse(&mut self) {
        self.roused = true;
    }

    /// What became of the next child, if anything did.
    pub fn next(&mut self, children: &mut Children) -> Option<Fate> {
        match self.look(libc::P_ALL, 0)? {
            Fate::Exited(pid, _) if self.held.contains(&pid) => self.next_behind_held(children),
            fate => Some(fate),
        }
    }

    /// Reaps a child.
    pub fn reap(&mut self, pid: Pid) {
        self.held.retain(|held| *held != pid);
        // It cannot fail: the child was seen as a zombie, and nobody else reaps.
        let _ = waitid(libc::P_PID, pid.0, libc::WEXITED | libc::WNOHANG);
    }

    /// Leaves a zombie be.
    pub fn hold(&mut self, pid: Pid) {
        self.held.push(pid);
    }

    /// The zombies that are left be.
    pub fn held(&self) -> &[Pid] {
        &self.held
    }

    fn next_behind_held(&mut self, children: &mut Children) -> Option<Fate> {
        loop {
            let Some(pid) = self.round.get(self.looked_at).copied() else {
                if !mem::take(&mut self.roused) {
                    return None;
                }
                children.list(&mut self.round);
                self.looked_at = 0;
                continue;
            };
            self.looked_at += 1;
            if !self.held.contains(&pid)
                && let Some(fate) = self.look(libc::P_PID, pid.0)
            {
                return Some(fate);
            }
        }
    }

    /// Looks at the fate of some child, or of one.
    fn look(&self, which: idtype_t, id: id_t) -> Option<Fate> {
        let info = waitid(which, id, self.interest | libc::WNOHANG | libc::WNOWAIT).ok()?;
        // SAFETY: waitid has filled in what these read.
        let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
        let pid = Pid(u32::try_from(pid).ok().filter(|pid| *pid != 0)?);
        match info.si_code {
            libc::CLD_EXITED => Some(Fate::Exited(pid, ExitStatus::Code(status as u32))),
            libc::CLD_KILLED | libc::CLD_DUMPED => {
                Some(Fate::Exited(pid, ExitStatus::Signal(Signal::new(status)?)))
            }
            _ => {
                let _ = waitid(libc::P_PID, pid.0, libc::WSTOPPED | libc::WNOHANG);
                Some(Fate::Stopped(pid, Signal::new(status)?))
            }
        }
    }
}

/// waitid(2), with a pid of 0 in the answer where there is nothing to tell.
pub fn waitid(which: idtype_t, id: id_t, options: c_int) -> io::Result<libc::siginfo_t> {
    // SAFETY: a siginfo_t of zeroes is valid, and the kernel fills it in.
    unsafe {
        let mut info = mem::zeroed::<libc::siginfo_t>();
        match libc::waitid(which, id, &raw mut info, options) {
            0 => Ok(info),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
