//! A kernel that is nothing but a table of processes.
//!
//! It gives out the lowest id that is free, as soon as it is free: whoever uses an id for longer
//! than its process is there will hit a stranger with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use foster::exit::ExitStatus;
use foster::process::{Pid, RunId, Target};
use foster::signal::Signal;
use foster::time::Instant;

/// foster's own id, as PID 1 or as a subreaper: what it adopts becomes its child.
pub const FOSTER: Pid = Pid(1);
/// The parent of what foster has nothing to do with.
pub const OUTSIDE: Pid = Pid(0);
/// `ESRCH`: no such process.
pub const NO_SUCH_PROCESS: i32 = 3;
/// `EPERM`: one may not do that.
pub const NOT_PERMITTED: i32 = 1;

/// A process.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: Pid,
    pub parent: Pid,
    pub group: Pid,
    pub session: Pid,
    pub life: Life,
    /// Whether it hangs in the kernel: what kills it does so when it hangs no longer.
    pub stuck: bool,
    /// What it will die of then.
    pub doom: Option<ExitStatus>,
    /// The run that it stems from, whatever its environment says; none for a stranger.
    pub origin: Option<RunId>,
    /// Whether its environment carries the mark of that run.
    pub marked: bool,
    /// Whether its limits do.
    pub badge: bool,
    /// Whether foster may not read its environment.
    pub hidden: bool,
    /// Whether foster may not send it signals: another user runs it.
    pub denied: bool,
    /// Whether it is the first process of its run.
    pub leader: bool,
    pub manner: Manner,
    /// What came while it was stopped, and waits for it to go on.
    pub pending: Vec<(Signal, Option<u64>)>,
    /// What it got, in order, as far as it noticed.
    pub got: Vec<(Signal, Option<u64>)>,
    /// Whether it ever had a child, and whether it is on the agenda.
    forked: bool,
    timed: bool,
    /// No other process was ever born with this number.
    pub birth: u64,
}

/// How far the life of a process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Running,
    Stopped,
    /// On its way out: without memory, and so without an environment, but not yet a zombie; its
    /// children are still its own.
    Ending(ExitStatus),
    Zombie(ExitStatus),
}

/// How a process takes a signal that it could catch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// As the kernel does it by default.
    #[default]
    Default,
    Ignore,
    /// It tidies up for so long and ends with this code.
    Tidy(Duration, u32),
}

/// What a fork makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offspring {
    /// A child in the group of its parent.
    Member,
    /// A child that leads a session of its own.
    Escapee,
    /// The same, without any mark.
    Unmarked,
    /// The same, without the mark in its environment.
    Renamed,
    /// The same, without the mark in its limits.
    Unlimited,
    /// The same, and of a user whose environment foster may not read.
    Foreign,
    /// A member whose parent has ended at once.
    Orphan,
    /// A daemon: a session of its own, and a parent that has ended at once.
    Daemon,
}

impl Process {
    /// Whether it may still do something, now or once it hangs no longer.
    pub fn is_alive(&self) -> bool {
        matches!(self.life, Life::Running | Life::Stopped)
    }

    /// Whether it is alive and nothing has killed it yet.
    pub fn is_free(&self) -> bool {
        self.is_alive() && self.doom.is_none()
    }

    /// Whether foster could have killed it, and nobody has.
    pub fn is_spared(&self) -> bool {
        self.is_free() && !self.denied
    }

    pub fn is_zombie(&self) -> bool {
        matches!(self.life, Life::Zombie(_))
    }

    pub fn is_ending(&self) -> bool {
        matches!(self.life, Life::Ending(_))
    }

    /// Whether one can tell whose it is, where environments can be read, and where not.
    pub fn is_known(&self, readable: bool) -> bool {
        self.badge || readable && self.marked && !self.hidden
    }
}

/// The table of processes, and who wakes when.
#[derive(Clone, Debug, Default)]
pub struct Kernel {
    table: BTreeMap<Pid, Process>,
    /// By id: for how many processes it is an id, a group or a session.
    uses: Vec<u32>,
    free: BTreeSet<Pid>,
    /// foster's children that are zombies and not held.
    zombies: BTreeSet<Pid>,
    held: BTreeSet<Pid>,
    /// foster's children that stopped, which was not told.
    stopped: Vec<(Pid, Signal)>,
    /// Who ends when, by itself: process by birth.
    agenda: BTreeMap<(Instant, u64), (Pid, ExitStatus)>,
    births: u64,
    /// Whether limits can be set.
    pub badges: bool,
}

impl Kernel {
    pub fn new() -> Kernel {
        Kernel { uses: vec![1, 1], ..Kernel::default() }
    }

    pub fn get(&self, pid: Pid) -> Option<&Process> {
        self.table.get(&pid)
    }

    pub fn get_mut(&mut self, pid: Pid) -> Option<&mut Process> {
        self.table.get_mut(&pid)
    }

    pub fn all(&self) -> impl Iterator<Item = &Process> {
        self.table.values()
    }

    /// Whether a child of foster's lives, in this group where there is one.
    pub fn has_child(&self, group: Option<Pid>) -> bool {
        let is_in = |p: &Process| group.is_none_or(|group| p.group == group);
        self.all().any(|p| p.parent == FOSTER && !p.is_zombie() && is_in(p))
    }

    /// The zombies that foster's wait would show, the first one first.
    pub fn zombies(&self) -> impl Iterator<Item = Pid> {
        self.zombies.iter().copied()
    }

    pub fn held(&self) -> &BTreeSet<Pid> {
        &self.held
    }

    pub fn take_stopped(&mut self) -> Option<(Pid, Signal)> {
        (!self.stopped.is_empty()).then(|| self.stopped.remove(0))
    }

    /// Makes a process. It leads a group and a session of its own where none is given.
    pub fn create(&mut self, parent: Pid, place: Place, origin: Option<RunId>) -> Pid {
        let pid = self.free.pop_first().unwrap_or_else(|| {
            self.uses.push(0);
            Pid(self.uses.len() as u32 - 1)
        });
        let (group, session) = match place {
            Place::In { group, session } => (group, session),
            Place::OwnGroup { session } => (pid, session),
            Place::OwnSession => (pid, pid),
        };
        self.births += 1;
        let process = Process {
            pid,
            parent,
            group,
            session,
            life: Life::Running,
            stuck: false,
            doom: None,
            origin,
            marked: origin.is_some(),
            badge: self.badges && origin.is_some(),
            hidden: false,
            denied: false,
            leader: false,
            manner: Manner::Default,
            pending: Vec::new(),
            got: Vec::new(),
            forked: false,
            timed: false,
            birth: self.births,
        };
        for id in [pid, group, session] {
            self.uses[id.0 as usize] += 1;
        }
        self.table.insert(pid, process);
        pid
    }

    /// Lets a process fork, if it can; gives the child that stays.
    pub fn fork(&mut self, pid: Pid, kind: Offspring) -> Option<Pid> {
        let parent = self
            .table
            .get(&pid)
            .filter(|process| process.life == Life::Running && !process.stuck)?;
        let Process { group, session, origin, marked, badge, hidden, denied, manner, .. } = *parent;
        // Whoever forks has also been waiting for its children, once in a while.
        let waited: Vec<Pid> =
            self.all().filter(|p| p.parent == pid && p.is_zombie()).map(|p| p.pid).collect();
        for zombie in waited {
            self.remove(zombie);
        }
        let orphan = matches!(kind, Offspring::Orphan | Offspring::Daemon);
        let place = match kind {
            Offspring::Member | Offspring::Orphan => Place::In { group, session },
            Offspring::Escapee
            | Offspring::Unmarked
            | Offspring::Renamed
            | Offspring::Unlimited
            | Offspring::Foreign
            | Offspring::Daemon => Place::OwnSession,
        };
        let child = self.create(if orphan { FOSTER } else { pid }, place, origin);
        self.table.get_mut(&pid).expect("it was found above").forked = true;
        let process = self.table.get_mut(&child).expect("it was created above");
        let unlimited = [Offspring::Unmarked, Offspring::Unlimited, Offspring::Foreign];
        process.marked = marked && !matches!(kind, Offspring::Unmarked | Offspring::Renamed);
        process.badge = badge && !unlimited.contains(&kind);
        process.denied = denied;
        process.hidden = hidden || kind == Offspring::Foreign;
        process.manner = manner;
        Some(child)
    }

    /// Gives a process a session of its own, if it can have one.
    pub fn escape(&mut self, pid: Pid) {
        let Some(process) = self.table.get_mut(&pid) else { return };
        if process.life != Life::Running || process.stuck || process.group == pid {
            return;
        }
        let (group, session) = (process.group, process.session);
        (process.group, process.session) = (pid, pid);
        self.uses[pid.0 as usize] += 2;
        self.release(group);
        self.release(session);
    }

    /// Ends a process by itself, as far as it can.
    pub fn exit(&mut self, pid: Pid, status: ExitStatus) {
        if self.table.get(&pid).is_some_and(|p| p.life == Life::Running && !p.stuck) {
            self.die(pid, status);
        }
    }

    /// Begins the end of a process, which then takes its time.
    pub fn linger(&mut self, pid: Pid, status: ExitStatus) {
        if let Some(process) = self.table.get_mut(&pid)
            && process.is_alive()
            && !process.stuck
        {
            process.life = Life::Ending(status);
        }
    }

    /// Ends what is on its way out.
    pub fn finish(&mut self, pid: Pid) {
        if let Some(Life::Ending(status)) = self.table.get(&pid).map(|p| p.life) {
            self.die(pid, status);
        }
    }

    /// Lets a process hang in the kernel, or no longer.
    pub fn stick(&mut self, pid: Pid, stuck: bool) {
        let Some(process) = self.table.get_mut(&pid) else { return };
        if !process.is_alive() {
            return;
        }
        process.stuck = stuck;
        if let Some(status) = process.doom.filter(|_| !stuck) {
            self.die(pid, status);
        }
    }

    /// Lets a process end at some time, unless it ends before.
    pub fn end_at(&mut self, pid: Pid, at: Instant, status: ExitStatus) {
        if let Some(process) = self.table.get_mut(&pid) {
            process.timed = true;
            self.agenda.insert((at, process.birth), (pid, status));
        }
    }

    pub fn next_on_agenda(&self) -> Option<Instant> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// Does what is next on the agenda.
    pub fn follow_agenda(&mut self) {
        let Some(((_, birth), (pid, status))) = self.agenda.pop_first() else { return };
        if self.table.get(&pid).is_some_and(|process| process.birth == birth) {
            self.exit(pid, status);
        }
    }

    /// As kill(2) by one who may send to all.
    pub fn kill(&mut self, target: Target, signal: Signal, value: Option<u64>, now: Instant) {
        for pid in self.meant(target, |_| true) {
            self.signal(pid, signal, value, now);
        }
    }

    /// As kill(2) by foster, with the error that it fails with. In a group it is enough that one could
    /// be sent it; but a leader that cannot be killed is told of in any case.
    pub fn kill_by_foster(
        &mut self,
        target: Target,
        signal: Signal,
        value: Option<u64>,
        now: Instant,
    ) -> Result<(), i32> {
        let all = self.meant(target, |_| true);
        let permitted = self.meant(target, |p| !p.denied);
        for pid in &permitted {
            self.signal(*pid, signal, value, now);
        }
        let denied = |pid: Pid| self.get(pid).is_some_and(|p| p.denied);
        match target {
            Target::Rest(_) if permitted.len() == all.len() => Ok(()),
            Target::Marked(..) if all.is_empty() => Ok(()),
            _ if all.is_empty() => Err(NO_SUCH_PROCESS),
            Target::Group(leader) if signal == Signal::KILL && denied(leader) => Err(NOT_PERMITTED),
            Target::Rest(_) => Err(NOT_PERMITTED),
            _ if permitted.is_empty() => Err(NOT_PERMITTED),
            _ => Ok(()),
        }
    }

    /// Those of a target who are like this.
    fn meant(&self, target: Target, like: impl Fn(&Process) -> bool) -> Vec<Pid> {
        let is_meant = |p: &&Process| {
            like(p)
                && match target {
                    Target::Process(pid) => p.pid == pid,
                    Target::Group(group) => p.group == group,
                    Target::Rest(leader) => p.group == leader && !p.leader,
                    Target::Marked(pid, service) => {
                        p.pid == pid
                            && p.badge
                            && p.origin.is_some_and(|run| run.service == service)
                    }
                }
        };
        self.all().filter(is_meant).map(|p| p.pid).collect()
    }

    /// As kill(2) to all there are, by the init of a machine: to what stems from it, and not to the
    /// kernel's own threads.
    pub fn kill_all(&mut self, signal: Signal, now: Instant) {
        let all: Vec<Pid> = self.all().filter(|p| p.parent != OUTSIDE).map(|p| p.pid).collect();
        for pid in all {
            self.signal(pid, signal, None, now);
        }
    }

    /// Takes a zombie's status: its id is free from then on.
    pub fn reap(&mut self, pid: Pid) {
        self.remove(pid);
    }

    /// Leaves a zombie, and shows it no more.
    pub fn hold(&mut self, pid: Pid) {
        self.zombies.remove(&pid);
        self.held.insert(pid);
    }

    fn signal(&mut self, pid: Pid, signal: Signal, value: Option<u64>, now: Instant) {
        let Some(process) = self.table.get_mut(&pid) else { return };
        if !process.is_free() {
            return;
        }
        let fatal = ExitStatus::Signal(signal);
        match signal {
            Signal::KILL => return self.doom(pid, fatal),
            Signal::STOP => return self.halt(pid, signal),
            Signal::CONT => {
                process.life = Life::Running;
                process.got.push((signal, value));
                let mut pending = std::mem::take(&mut process.pending);
                // A CONT takes back every stop that is under way, as a stop does a CONT.
                let stops = [Signal::TSTP, Signal::TTIN, Signal::TTOU];
                pending.retain(|(signal, _)| !stops.contains(signal));
                pending.sort_unstable();
                for (signal, value) in pending {
                    self.signal(pid, signal, value, now);
                }
                return;
            }
            _ if process.life == Life::Stopped => {
                if !process.pending.contains(&(signal, value)) {
                    process.pending.push((signal, value));
                }
                return;
            }
            _ => process.got.push((signal, value)),
        }
        match process.manner {
            Manner::Ignore => {}
            Manner::Tidy(time, code) => {
                let birth = process.birth;
                process.timed = true;
                self.agenda.insert((now + time, birth), (pid, ExitStatus::Code(code)));
            }
            Manner::Default => match signal {
                Signal::CHLD | Signal::WINCH => {}
                _ if signal.number() == URG => {}
                Signal::TSTP | Signal::TTIN | Signal::TTOU => self.halt(pid, signal),
                _ => self.doom(pid, fatal),
            },
        }
    }

    fn halt(&mut self, pid: Pid, signal: Signal) {
        let Some(process) = self.table.get_mut(&pid) else { return };
        if process.life == Life::Running {
            process.life = Life::Stopped;
            if process.parent == FOSTER {
                self.stopped.push((pid, signal));
            }
        }
    }

    fn doom(&mut self, pid: Pid, status: ExitStatus) {
        let Some(process) = self.table.get_mut(&pid) else { return };
        if process.stuck {
            process.doom = Some(status);
        } else {
            self.die(pid, status);
        }
    }

    fn die(&mut self, pid: Pid, status: ExitStatus) {
        let Some(process) = self.table.get_mut(&pid) else { return };
        process.life = Life::Zombie(status);
        let (parent, forked) = (process.parent, process.forked);
        self.stopped.retain(|(stopped, _)| *stopped != pid);
        if forked {
            for child in self.table.values_mut().filter(|child| child.parent == pid) {
                child.parent = FOSTER;
                if child.is_zombie() {
                    self.zombies.insert(child.pid);
                }
            }
        }
        if parent == FOSTER {
            self.zombies.insert(pid);
        } else if parent == OUTSIDE {
            self.remove(pid);
        }
    }

    fn remove(&mut self, pid: Pid) {
        let Some(process) = self.table.remove(&pid) else { return };
        self.zombies.remove(&pid);
        self.held.remove(&pid);
        if process.timed {
            self.agenda.retain(|(_, birth), _| *birth != process.birth);
        }
        for id in [pid, process.group, process.session] {
            self.release(id);
        }
    }

    /// An id is free when it is nobody's, nobody's group and nobody's session.
    fn release(&mut self, id: Pid) {
        let uses = &mut self.uses[id.0 as usize];
        *uses -= 1;
        if *uses == 0 {
            self.free.insert(id);
        }
    }

    /// Writes down all that the future depends on.
    pub fn fingerprint(&self, now: Instant, out: &mut String) {
        for p in self.all() {
            let _ = write!(
                out,
                "{}<{} {} {} {:?} {} {:?} {:?} {} {} {} {} {} {:?} {:?};",
                p.pid,
                p.parent,
                p.group,
                p.session,
                p.life,
                p.stuck,
                p.doom,
                p.origin,
                p.marked,
                p.badge,
                p.hidden,
                p.denied,
                p.leader,
                p.manner,
                p.pending
            );
        }
        for ((at, _), (pid, status)) in &self.agenda {
            let _ = write!(out, "{:?} {pid} {status};", at.since(now));
        }
        let _ = write!(out, "{:?}{:?}", self.held, self.stopped);
    }
}

/// `SIGURG`, which does nothing by default and has no name in the library.
const URG: u8 = 23;

/// Where a new process belongs.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    In { group: Pid, session: Pid },
    OwnGroup { session: Pid },
    OwnSession,
}
