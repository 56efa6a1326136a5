//! Who lives: foster's children, and what is left of process groups, read from /proc.
//!
//! Where /proc cannot be read, or is that of another PID namespace, children are found by asking
//! the kernel about every process id that may be a child's.

use std::ffi::CStr;
use std::io::{self, Write};
use std::mem;
use std::ptr;
use std::str;

use nix::libc;

use foster::exit::ExitStatus;
use foster::process::{Mark, Pid, RunId, ServiceId};
use foster::supervisor::{Event, Survivor};

use super::file;
use super::reap::{self, waitid};

/// The variable that marks the processes of a run.
pub const MARK: &str = "FOSTER_RUN";

/// What a survey is to look for. The lists are in order of pid.
pub struct Look<'a> {
    /// Services' first processes that are not reaped.
    pub leaders: &'a [Pid],
    /// Those of them that are held as zombies.
    pub held: &'a [Pid],
    /// Whose marks to read, if any: this foster's.
    pub marks_of: Option<u64>,
    /// Whether orphans come to foster.
    pub adopts: bool,
}

/// Foster's children.
pub struct Children {
    own_pid: Pid,
    /// Whether /proc can be read and is that of foster's own PID namespace; looked at once.
    proc: Option<bool>,
    /// The newest process id when it was asked for last, and whether it was ever less than before.
    newest: Pid,
    ids_began_anew: bool,
    /// What was read last, kept for the next time.
    text: Vec<u8>,
}

impl Children {
    pub fn new(own_pid: Pid) -> Children {
        Children { own_pid, proc: None, newest: own_pid, ids_began_anew: false, text: Vec::new() }
    }

    /// Whether any child lives. One system call, and most often the answer is no.
    pub fn any_alive(&self) -> bool {
        // Asked for stops alone, waitid(2) finds no fault with a child that lives, and says
        // ECHILD where there are none but zombies.
        waitid(libc::P_ALL, 0, libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT).is_ok()
    }

    /// Lists all children, dead and alive, behind what stands there.
    fn list(&mut self, list: &mut Vec<Pid>) {
        if !self.has_proc() {
            return self.list_by_asking(list);
        }
        match file::read(c"/proc/thread-self/children", &mut self.text) {
            Ok(()) => {
                let words = self.text.split(|byte| *byte == b' ');
                list.extend(words.filter_map(|word| Some(Pid(number(word)?))));
            }
            // A kernel without `CONFIG_PROC_CHILDREN`.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                for_each_process(|pid| {
                    let stat = self.stat(pid);
                    list.extend(stat.filter(|stat| stat.parent == self.own_pid).map(|_| pid));
                });
            }
            // No descriptor is free.
            Err(_) => self.list_by_asking(list),
        }
    }

    /// Tells of the children that live, but for leaders; of those that ended, but for held ones,
    /// where these hide their ends; and of the members of held groups that are children of others,
    /// where there may be any; then that this was all, or was not.
    ///
    /// One that ended since ends were told last leaves its children to foster, when the list may
    /// have been made already. So then there is another list, until one brings nobody new who has
    /// ended, or there are too many: a storm of orphans may go on for ever. Members of held groups
    /// are not missed even so, where /proc tells of all processes.
    pub fn survey(&mut self, look: &Look<'_>, list: &mut Vec<Pid>, events: &mut Vec<Event>) {
        list.clear();
        self.list(list);
        // Room for the next one too.
        list.reserve(list.len());
        let mut found = self.look_at(list, look, events);
        let (mut adopted_any, mut lists) = (found.adopted, 1);
        while found.ended && lists < MOST_LISTS {
            let known = list.len();
            list.sort_unstable();
            self.list(list);
            let (old, new) = list.split_at_mut(known);
            new.sort_unstable_by_key(|pid| is_among(pid, old));
            let new_ones = new.partition_point(|pid| !is_among(pid, old));
            found = self.look_at(&new[..new_ones], look, events);
            adopted_any |= found.adopted;
            list.drain(..known);
            lists += 1;
        }
        // A member whose parent lives outside its group descends from something adopted: where
        // foster adopts and nothing lives, there is none.
        let whole = !found.ended;
        let may_be_more = !look.adopts || adopted_any || !whole;
        let looks_on = !look.held.is_empty() && may_be_more && self.has_proc();
        if looks_on {
            list.sort_unstable();
            for_each_process(|pid| {
                if let Some(stat) = self.stat(pid)
                    && is_among(&stat.group, look.held)
                    && !is_among(&pid, list)
                    && !stat.dead
                {
                    let (group, adopted) = (stat.group, stat.parent == self.own_pid);
                    let mark = Mark::None;
                    events.push(Event::Survivor(Survivor { pid, group, mark, adopted }));
                }
            });
        }
        events.push(Event::Surveyed { whole, groups: whole || looks_on });
    }

    /// Tells of these children, see [`Children::survey`].
    fn look_at(&mut self, pids: &[Pid], look: &Look<'_>, events: &mut Vec<Event>) -> Found {
        let hides = !look.held.is_empty();
        let mut found = Found::default();
        for pid in pids.iter().copied().filter(|pid| !is_among(pid, look.held)) {
            let is_leader = is_among(&pid, look.leaders);
            if is_leader && !hides {
                continue;
            }
            match end_of(pid) {
                Some(Some(status)) => {
                    found.ended = true;
                    if hides {
                        events.push(Event::Exited { pid, status });
                    }
                }
                None if !is_leader => {
                    found.adopted = true;
                    // SAFETY: getpgid(2) takes any number.
                    let group = Pid(unsafe { libc::getpgid(pid.0 as i32) } as u32);
                    let mark =
                        look.marks_of.map_or(Mark::Unreadable, |instance| self.mark(pid, instance));
                    events.push(Event::Survivor(Survivor { pid, group, mark, adopted: true }));
                }
                Some(None) | None => {}
            }
        }
        found
    }

    fn has_proc(&mut self) -> bool {
        let own = self.own_pid;
        let is_ours = || {
            let mut room = [0; 16];
            file::read_link(c"/proc/self", &mut room).and_then(number) == Some(own.0)
        };
        *self.proc.get_or_insert_with(is_ours)
    }

    /// The mark of this foster's making in the environment of a process.
    fn mark(&mut self, pid: Pid, instance: u64) -> Mark {
        if !self.has_proc() || !self.read_environment(pid) {
            return Mark::Unreadable;
        }
        let entries = self.text.split(|byte| *byte == 0);
        let mut values =
            entries.filter_map(|entry| entry.strip_prefix(MARK.as_bytes())?.strip_prefix(b"="));
        let run = values.find_map(|value| {
            value.split(|byte| *byte == b':').find_map(|mark| parse_mark(mark, instance))
        });
        match run {
            Some(run) => Mark::Run(run),
            None if self.text.is_empty() && self.has_no_environment(pid) => Mark::Lost,
            None => Mark::None,
        }
    }

    /// Reads the environment of a process. One that is just executing a program has none for a
    /// moment, between its old memory and its new one: that is waited out.
    fn read_environment(&mut self, pid: Pid) -> bool {
        for _ in 0..EXEC_PATIENCE {
            if !self.read(pid, "environ") {
                return false;
            }
            if !self.text.is_empty() || self.has_no_memory(pid) || !self.has_no_environment(pid) {
                break;
            }
            // SAFETY: it lets another process run, and touches nothing.
            unsafe { libc::sched_yield() };
        }
        self.read(pid, "environ")
    }

    /// Whether a process has no environment, not even an empty one: it is about to be a zombie,
    /// or another program (proc_pid_stat(5), `env_end`).
    fn has_no_environment(&mut self, pid: Pid) -> bool {
        let end = |text: &[u8]| {
            let words = text.get(text.iter().rposition(|byte| *byte == b')')? + 2..)?;
            Some(words.split(|byte| *byte == b' ').nth(48)?.trim_ascii() == b"0")
        };
        self.read(pid, "stat") && end(&self.text).unwrap_or(false)
    }

    /// Whether a process has given up its memory already: it is about to be a zombie.
    fn has_no_memory(&mut self, pid: Pid) -> bool {
        self.read(pid, "statm") && self.text.starts_with(b"0 ")
    }

    fn stat(&mut self, pid: Pid) -> Option<Stat> {
        self.read(pid, "stat").then(|| Stat::parse(&self.text))?
    }

    /// Reads what /proc tells of a process into `text`; says whether that went well.
    fn read(&mut self, pid: Pid, what: &str) -> bool {
        // The longest is /proc/4294967295/environ.
        let mut path = [0; 32];
        write!(&mut path[..], "/proc/{pid}/{what}\0").is_ok()
            && CStr::from_bytes_until_nul(&path)
                .is_ok_and(|path| file::read(path, &mut self.text).is_ok())
    }

    /// Finds children without /proc: the kernel says of an id whether it is a child's. Children
    /// are younger than foster, so that their ids lie between its own and the newest, until ids
    /// begin anew.
    fn list_by_asking(&mut self, list: &mut Vec<Pid>) {
        let newest = newest_pid();
        if let Some(pid) = newest {
            self.ids_began_anew |= pid < self.newest;
            self.newest = pid;
        }
        let range = match newest {
            Some(newest) if !self.ids_began_anew => self.own_pid.0 + 1..=newest.0,
            _ => 2..=LARGEST_PID,
        };
        let is_child = |pid: &u32| {
            waitid(libc::P_PID, *pid, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT).is_ok()
        };
        list.extend(range.filter(is_child).map(Pid));
    }
}

/// What was found among some children.
#[derive(Default)]
struct Found {
    /// Whether one lives that was adopted.
    adopted: bool,
    /// Whether one has ended.
    ended: bool,
}

fn is_among(pid: &Pid, sorted: &[Pid]) -> bool {
    sorted.binary_search(pid).is_ok()
}

/// How many lists there are at the most for one survey: signals wait for its end.
const MOST_LISTS: u32 = 8;

/// What /proc/PID/stat tells (proc_pid_stat(5)), as far as it is of interest.
struct Stat {
    parent: Pid,
    group: Pid,
    dead: bool,
}

impl Stat {
    fn parse(text: &[u8]) -> Option<Stat> {
        // The name in parentheses may hold anything, parentheses and spaces too.
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let mut words = text.get(end + 2..)?.split(|byte| *byte == b' ');
        let dead = matches!(words.next()?, b"Z" | b"X");
        let parent = Pid(number(words.next()?)?);
        let group = Pid(number(words.next()?)?);
        Some(Stat { parent, group, dead })
    }
}

/// How often a process that is executing a program is looked at again.
const EXEC_PATIENCE: u32 = 1000;

/// Writes the mark of a run as it stands in the environment.
pub fn write_mark(text: &mut impl Write, run: RunId) -> io::Result<()> {
    write!(text, "{}-{:032x}", run.service.0, run.nonce)
}

fn parse_mark(text: &[u8], instance: u64) -> Option<RunId> {
    let (service, nonce) = str::from_utf8(text).ok()?.split_once('-')?;
    let nonce = u128::from_str_radix(nonce, 16).ok()?;
    let run = RunId { service: ServiceId(service.parse().ok()?), nonce };
    ((nonce >> 64) as u64 == instance).then_some(run)
}

/// How a child ended, if it has; `Some(None)` where it is no child, or nobody can tell.
fn end_of(pid: Pid) -> Option<Option<ExitStatus>> {
    match waitid(libc::P_PID, pid.0, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT) {
        // SAFETY: waitid has filled it in, with 0 for a child that has not ended.
        Ok(info) if unsafe { info.si_pid() } == 0 => None,
        Ok(info) => Some(reap::status(&info)),
        Err(_) => Some(None),
    }
}

fn for_each_process(mut visit: impl FnMut(Pid)) {
    file::for_each_name(c"/proc", |name| {
        if let Some(pid) = number(name.to_bytes()) {
            visit(Pid(pid));
        }
    });
}

/// The newest process id: that of a process which ends at once, and whose end nobody is told.
fn newest_pid() -> Option<Pid> {
    // SAFETY: without flags this is a fork, but for a signal at the end; the child ends itself
    // before it touches anything.
    unsafe {
        match libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) {
            0 => libc::_exit(0),
            pid => {
                let pid = u32::try_from(pid).ok()?;
                // Somebody may have stopped it, and then it would be waited for in vain.
                libc::kill(pid as i32, libc::SIGKILL);
                // Only by this flag is it seen as a child at all.
                libc::waitpid(pid as i32, ptr::null_mut(), libc::__WCLONE);
                Some(Pid(pid))
            }
        }
    }
}

fn number(word: &[u8]) -> Option<u32> {
    str::from_utf8(word.trim_ascii()).ok()?.parse().ok()
}

/// The most that `kernel.pid_max` can be (proc_sys_kernel(5)), on 64 bits.
const LARGEST_PID: u32 = if mem::size_of::<usize>() == 8 { 1 << 22 } else { 1 << 15 };
