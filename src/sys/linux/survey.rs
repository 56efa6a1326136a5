//! Which processes live: foster's children, and the members of process groups, read from /proc.
//!
//! Where /proc cannot be read, or is that of another PID namespace, the kernel is asked about each
//! process id that may be a child's, or a member's of a group. There can be millions of these, when ids
//! have begun anew; then one survey goes through some of them and the next through more, and about a
//! group there is one call, which tells of foster's own children.

mod ids;

use std::mem;

use nix::errno::Errno;
use nix::libc::{self, c_int};

use foster::exit::ExitStatus;
use foster::process::{Comm, Mark, Pid, Target};
use foster::supervisor::{Event, Survivor};

use super::budget::Budget;
use super::mark::Marks;
use super::reap::{self, waitid};
use super::stat::Stat;
use super::{file, guard, heap, kill};

use ids::{FIRST_PID, Sweep};

/// What a survey looks for. The lists are in order of pid.
pub struct Look<'a> {
    /// Services' first processes that are not reaped.
    pub leaders: &'a [Pid],
    /// Those of them that are held as zombies.
    pub held: &'a [Pid],
    /// The marks to look for, if any.
    pub marks: Option<&'a Marks>,
    /// Whether foster adopts orphans.
    pub adopts: bool,
    /// The number of children reaped so far.
    pub reaped: u64,
}

/// Foster's children.
pub struct Children {
    own_pid: Pid,
    /// Whether /proc could be read and was that of foster's own PID namespace at the last survey: it
    /// may be mounted later, or unmounted.
    pub has_proc: bool,
    /// The newest known process id.
    newest: Pid,
    /// The last id that was asked about at the last survey, if it asked about all; else 0.
    asked_to: u32,
    /// Whether ids have wrapped around since foster's start.
    ids_began_anew: bool,
    sweep: Sweep,
}

impl Children {
    pub fn new(own_pid: Pid) -> Children {
        let sweep = Sweep { next: FIRST_PID, reaped: 0, is_clean: true, found: Vec::new() };
        let (has_proc, newest, asked_to, ids_began_anew) = (false, own_pid, 0, false);
        Children { own_pid, has_proc, newest, asked_to, ids_began_anew, sweep }
    }

    /// Notes the id of a process that was just made.
    pub fn made(&mut self, pid: Pid) {
        self.ids_began_anew |= pid < self.newest;
        self.newest = pid;
    }

    /// Whether any child lives, in this group if one is given. It is one system call, and the
    /// answer is mostly no.
    pub fn any_alive(&self, group: Option<Pid>) -> bool {
        let (which, id) = group.map_or((libc::P_ALL, 0), |group| (libc::P_PGID, group.0));
        // For stops alone, waitid(2) accepts a living child, and says ECHILD if there are only
        // zombies.
        waitid(which, id, libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT).is_ok()
    }

    /// Appends all children, dead and alive; says whether these are all.
    fn list(&mut self, list: &mut Vec<Pid>) -> bool {
        if !self.has_proc {
            return self.list_by_asking(list);
        }
        let known = list.len();
        let add =
            |list: &mut Vec<Pid>, pid| list.len() - known < MOST_CHILDREN && heap::push(list, pid);
        let mut all = true;
        let mut pid = 0;
        let read = file::for_each_piece(c"/proc/thread-self/children", &mut |piece| {
            for byte in piece {
                match byte {
                    b'0'..=b'9' => pid = pid * 10 + u32::from(byte - b'0'),
                    _ if pid == 0 => {}
                    _ => all &= add(list, Pid(mem::take(&mut pid))),
                }
            }
            all
        });
        match read {
            Ok(()) => {}
            // A kernel without `CONFIG_PROC_CHILDREN`.
            Err(Errno::ENOENT) => {
                for_each_shown(&mut |pid| {
                    if Stat::of(pid).is_some_and(|stat| stat.parent == self.own_pid) {
                        all &= add(list, pid);
                    }
                    all
                });
            }
            // No descriptor is free.
            Err(_) => {
                list.truncate(known);
                return self.list_by_asking(list);
            }
        }
        all
    }

    /// Tells of the children that live, but for leaders; of those that ended, but for held ones,
    /// where these hide their ends; and of the members of held groups that are children of others,
    /// where there may be any; then that this was all, or was not.
    ///
    /// One that ended since ends were told last leaves its children to foster, when the list may
    /// have been made already. So then there is another list, until one brings nobody new who has
    /// ended, or there are too many: a storm of orphans may go on for ever. Members of held groups
    /// are not missed even so, where /proc tells of all processes. Nor is it whole where there are
    /// more children than a list takes or there is memory for, or more to read than a survey may.
    pub fn survey(&mut self, look: &Look<'_>, list: &mut Vec<Pid>, events: &mut Vec<Event>) {
        list.clear();
        let mut budget = Budget::new();
        self.has_proc = self.finds_proc();
        self.asked_to = 0;
        let begins = self.sweep.next == FIRST_PID || self.has_proc;
        if begins {
            (self.sweep.next, self.sweep.is_clean) = (FIRST_PID, true);
            self.sweep.reaped = look.reaped;
            self.sweep.found.clear();
        }
        // Processes found in an earlier part of a sweep are reported again with each further one.
        self.sweep.is_clean &= self.sweep.found.iter().all(|pid| heap::push(list, *pid));
        let mut all_listed = self.list(list);
        let is_swept = self.sweep.next != FIRST_PID || !begins;
        let mut found = self.look_at(list, look, &mut budget, events);
        let (mut adopted_any, mut lists) = (found.adopted, 1);
        while found.ended && lists < MOST_LISTS && !is_swept {
            let known = list.len();
            list.sort_unstable();
            all_listed &= self.list(list);
            let (old, new) = list.split_at_mut(known);
            let mut new_ones = 0;
            for place in 0..new.len() {
                if !is_among(&new[place], old) {
                    new.swap(place, new_ones);
                    new_ones += 1;
                }
            }
            found = self.look_at(&new[..new_ones], look, &mut budget, events);
            adopted_any |= found.adopted;
            list.drain(..known);
            lists += 1;
        }
        if is_swept {
            // With the last part all are reported, if nobody has left others meanwhile.
            self.sweep.is_clean &= !found.ended && self.sweep.reaped == look.reaped;
            self.sweep.found.clear();
            self.sweep.is_clean &= list.iter().all(|pid| heap::push(&mut self.sweep.found, *pid));
            all_listed = self.sweep.next == FIRST_PID && self.sweep.is_clean;
        } else if !self.has_proc && all_listed && !found.ended && !adopted_any {
            // Only an id after the newest can have been missed.
            let missed = look.leaders.len() == look.held.len() && self.any_alive(None);
            self.ids_began_anew |= missed;
            all_listed = !missed;
        }
        let whole = all_listed && !found.ended;
        // A member whose parent lives outside its group descends from an adopted process: if foster
        // adopts and nothing lives, there is no such member.
        let may_be_more = !look.adopts || adopted_any || !whole;
        let holds = !look.held.is_empty();
        // Descendants of a child that is to be killed keep forking until it has ended, and wait at
        // a limit of processes for its place.
        let marks = look.marks.filter(|_| adopted_any);
        // Without /proc, all ids are asked about.
        let asks = self.asked_to > 0;
        let looks_on = (holds && may_be_more || marks.is_some()) && (asks || self.has_proc);
        if looks_on {
            list.sort_unstable();
            let own_pid = self.own_pid;
            self.for_each_process(asks, &mut |pid| {
                if is_among(&pid, list) || asks && ids::group_of(pid).is_none() {
                    return true;
                }
                let in_reach = kill::reaches(pid);
                let run = marks.filter(|_| in_reach).and_then(|marks| marks.by_limit(pid, !asks));
                let mark = run.map_or(Mark::None, Mark::Run);
                if (holds || mark != Mark::None)
                    && let Some((name, parent, group)) =
                        if asks { ids::asked_of(pid) } else { seen(pid) }
                    && (mark != Mark::None || is_among(&group, look.held))
                    && !(asks && guard::has_ended(pid))
                {
                    let adopted = parent == own_pid;
                    let survivor = Survivor { pid, name, group, mark, adopted, in_reach };
                    let is_held = is_among(&group, look.held);
                    budget.tell(events, Event::Survivor(survivor), is_held);
                }
                events.len() < MOST_CHILDREN
            });
        }
        if !self.has_proc && !whole {
            let lives = |group: &Pid| self.any_alive(Some(*group));
            for group in look.held.iter().copied().filter(lives) {
                // Its name is not looked up; that it exists is reported.
                let (pid, name, mark) = (group, Comm::default(), Mark::None);
                let (adopted, in_reach) = (false, true);
                let survivor = Survivor { pid, name, group, mark, adopted, in_reach };
                budget.tell(events, Event::Survivor(survivor), true);
            }
        }
        let groups = whole || looks_on && events.len() < MOST_CHILDREN || !self.has_proc;
        let groups = groups && budget.has_told_held();
        events.push(Event::Surveyed { whole: whole && !budget.is_spent(), groups });
    }

    /// Sends a signal to all in a group but its leader, each once: looked for until nobody new is
    /// found, as they may fork meanwhile, or there are too many. `list` is room for their ids.
    pub fn signal_rest(
        &mut self,
        leader: Pid,
        signal: c_int,
        list: &mut Vec<Pid>,
    ) -> Result<(), Errno> {
        if !self.finds_proc() {
            return kill::send(Target::Group(leader), signal, None, None);
        }
        let is_member = |pid| Stat::of(pid).is_some_and(|stat| stat.group == leader && !stat.dead);
        list.clear();
        let mut all = Ok(());
        for _ in 0..MOST_LISTS {
            let known = list.len();
            for_each_shown(&mut |pid| {
                let is_new = pid != leader && !is_among(&pid, &list[..known]);
                if is_new && is_member(pid) {
                    if !heap::push(list, pid) {
                        // Who has got it is not known any more: then the leader gets it once more.
                        all = kill::send_on(Target::Group(leader), signal);
                        list.truncate(known);
                        return false;
                    }
                    all = all.and(guard::signal_checked(pid, signal, || is_member(pid)));
                }
                list.len() < MOST_CHILDREN
            });
            if list.len() == known || list.len() == MOST_CHILDREN {
                break;
            }
            list.sort_unstable();
        }
        all
    }

    /// Tells of these children, see [`Children::survey`].
    fn look_at(
        &mut self,
        pids: &[Pid],
        look: &Look<'_>,
        budget: &mut Budget,
        events: &mut Vec<Event>,
    ) -> Found {
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
                        budget.tell(events, Event::Exited { pid, status }, is_leader);
                    }
                }
                None if !is_leader => {
                    found.adopted = true;
                    let group = ids::group_of(pid).unwrap_or(Pid(0));
                    let has_proc = self.has_proc;
                    let mark = look
                        .marks
                        .map_or(Mark::Unreadable, |marks| marks.of(pid, has_proc, budget));
                    let stays = matches!(mark, Mark::None | Mark::Unreadable);
                    let in_reach = kill::reaches(pid);
                    let stays = look.marks.is_some() && (stays || !in_reach);
                    let is_held = is_among(&group, look.held);
                    let is_told = has_proc && (stays || is_held);
                    let stat = is_told.then(|| Stat::of(pid)).flatten();
                    let name = stat.map_or(Comm::default(), |stat| stat.name);
                    let adopted = true;
                    let survivor = Survivor { pid, name, group, mark, adopted, in_reach };
                    budget.tell(events, Event::Survivor(survivor), is_held);
                }
                Some(None) | None => {}
            }
        }
        found
    }

    /// Whether /proc is there, and foster's own.
    fn finds_proc(&self) -> bool {
        let mut room = [0; 16];
        file::read_link(c"/proc/self", &mut room).and_then(file::pid) == Some(self.own_pid)
    }

    /// Visits all processes, by /proc or by their ids, for as long as more are wanted.
    fn for_each_process(&self, asks: bool, visit: &mut dyn FnMut(Pid) -> bool) {
        match asks {
            true => _ = (self.own_pid.0 + 1..=self.asked_to).all(|pid| visit(Pid(pid))),
            false => for_each_shown(visit),
        }
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

/// How many children one list takes: without end, a fork bomb's would take foster's memory.
const MOST_CHILDREN: usize = 1 << 16;

/// How many lists there are at the most for one survey, or one signal to the rest of a group: other
/// signals wait for its end.
const MOST_LISTS: u32 = 8;

/// How a child ended, if it has; `Some(None)` where it is no child, or nobody can tell.
fn end_of(pid: Pid) -> Option<Option<ExitStatus>> {
    match waitid(libc::P_PID, pid.0, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT) {
        // SAFETY: waitid has filled it in, with 0 for a child that has not ended.
        Ok(info) if unsafe { info.si_pid() } == 0 => None,
        Ok(info) => Some(reap::status(&info)),
        Err(_) => Some(None),
    }
}

/// The name, the parent and the group of a process that lives, as /proc shows it.
fn seen(pid: Pid) -> Option<(Comm, Pid, Pid)> {
    let stat = Stat::of(pid).filter(|stat| !stat.dead)?;
    Some((stat.name, stat.parent, stat.group))
}

/// Visits all processes that /proc shows, for as long as more are wanted.
fn for_each_shown(visit: &mut dyn FnMut(Pid) -> bool) {
    file::for_each_name(c"/proc", &mut |name| file::pid(name.to_bytes()).is_none_or(&mut *visit));
}
