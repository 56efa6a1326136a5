//! One turn of the loop: the wait, and its events.

use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use foster::cli::Notice;
use foster::config::{ServiceConfig, Session};
use foster::process::{OsError, Pid, Target};
use foster::signal::Signal;
use foster::supervisor::{Event, Report, Way};
use foster::time::Instant;

use super::reap::Fate;
use super::source::{Key, Kind};
use super::{Sys, parent, timer};

impl Sys {
    /// One turn: waits, unless there is something to report already, and reports it.
    pub(super) fn turn(
        &mut self,
        deadline: Option<Instant>,
        way: Option<Way>,
        events: &mut Vec<Event>,
    ) {
        // A request to stop may be reported before the end of a child: from then on zombies are
        // needed.
        self.reaper.look_first();
        events.extend(self.first.take());
        if self.reaper.may_go_on() {
            self.next_fate(events);
            if !events.is_empty() {
                return;
            }
        }
        let overdue = self.fates_pending || self.signals_pending;
        let handed = match deadline {
            None if !overdue && !self.queue.is_loop => {
                // A group that is reached by its guard takes the longer way.
                let way = way.filter(|_| !self.reaper.has_guard());
                let tells = self.tells_of_signals.unwrap_or(true);
                self.signals.wait_for_one(way, tells, events)
            }
            _ => None,
        };
        let batch = match handed {
            None if self.poll(deadline, overdue) => Some(self.signals.read(events)),
            handed => handed,
        };
        if let Some(batch) = batch {
            self.signals_pending = batch.more;
            if batch.child {
                self.fates_pending = true;
            }
            if self.reaper.takes_pause() && events.is_empty() {
                self.let_others_end(deadline, events);
            }
            let shares = |it: &ServiceConfig| it.policy.session == Session::Shared;
            if self.config.only().is_some_and(shares) && !self.child_is_in_own_group() {
                events.iter_mut().for_each(|event| {
                    if let Event::Signal(signalled) = event {
                        signalled.by_kernel = false;
                    }
                });
            }
            if batch.hang_up {
                self.tell_of_hang_up(events);
            }
            if let (None, Some(Event::Signal(it))) = (self.tells_of_signals, events.first()) {
                self.tells_of_signals = Some(self.tells_of(it.signal));
            }
        }
        self.reaper.signals_were_read();
        // Out of line, because forwarded signals pass here without needing it.
        if self.fates_pending {
            self.next_fate(events);
        }
        if self.queue.is_loop {
            self.visit_others();
        }
    }

    /// Gives each other ready source its turn.
    fn visit_others(&mut self) {
        let mut last = None;
        while let Some(key) = self.queue.next(last) {
            last = Some(key);
            match key.kind() {
                // These were handled first.
                Kind::Signals | Kind::Timer => {}
                Kind::Parent => self.watch_parent_anew(),
            }
        }
    }

    /// Reports what happened to the next child, if signals are not overdue for being read.
    pub(super) fn next_fate(&mut self, events: &mut Vec<Event>) {
        while self.fates_pending && self.reaper.may_go_on() {
            if !self.reaper.held().is_empty() {
                self.fates_pending = false;
                events.push(Event::Hidden);
                return;
            }
            // Report orphans only if the log shows them; the first is always reported, to find out.
            let overlooks = self.tells_of_orphans == Some(false);
            match self.reaper.next(&self.leaders, overlooks) {
                None => self.fates_pending = false,
                Some(Fate::Exited(pid, status)) => {
                    if self.tells_of_orphans.is_none() && self.reaper.has_reaped(pid) {
                        let reads = self.log.says(&Report::Reaped { pid, status });
                        self.tells_of_orphans = Some(reads);
                    }
                    events.push(Event::Exited { pid, status });
                    return;
                }
                Some(Fate::Stopped(pid, signal)) => {
                    let foreground = self.terminal.held_by(pid);
                    events.push(Event::Stopped { pid, signal, foreground });
                }
                Some(Fate::Traced(_)) => {}
            }
        }
    }

    /// Delays the reaping of orphans for a while: most often more of them are about to end. Reads
    /// the signals that arrive meanwhile.
    #[inline(never)]
    fn let_others_end(&mut self, deadline: Option<Instant>, events: &mut Vec<Event>) {
        let now = timer::now();
        // If no service lives, foster may be waiting for the end of orphans.
        if self.leaders.is_empty() || deadline.is_some_and(|it| it <= now) {
            return;
        }
        let rested_at = self.reaper.rested_at();
        let rest = deadline.map_or(rested_at, |it| it.min(rested_at)).since(now);
        if rest.is_zero() || !self.signals.wait_for_others(rest, events) {
            std::thread::yield_now();
        }
        self.signals_pending = self.signals.read(events).more;
        self.reaper.begin_row();
    }

    /// Whether the log shows a signal that is received and forwarded, to anybody.
    fn tells_of(&self, signal: Signal) -> bool {
        let target = Target::Process(Pid(1));
        self.log.says(&Report::Received { signal })
            || self.log.says(&Report::Forwarded { signal, target })
    }

    /// Says with each HUP whether the terminal is gone.
    #[inline(never)]
    fn tell_of_hang_up(&self, events: &mut [Event]) {
        let is_gone = self.terminal.exists() && self.terminal.is_gone();
        for event in events {
            if let Event::Signal(signalled) = event {
                signalled.hung_up = is_gone && signalled.signal == Signal::HUP;
            }
        }
    }

    /// Whether the only service's first process is still in foster's group, where it was started.
    fn child_is_in_own_group(&self) -> bool {
        // SAFETY: getpgid(2) takes any number; a leader is not reaped yet.
        self.leaders
            .first()
            .is_none_or(|leader| unsafe { libc::getpgid(leader.0 as i32) == libc::getpgrp() })
    }

    /// Waits for a signal or the deadline, and says whether there may be signals to read.
    fn poll(&mut self, deadline: Option<Instant>, overdue: bool) -> bool {
        self.queue.wait(deadline, overdue, &self.signals).unwrap_or_else(|error| {
            if error == Errno::EINTR {
                return self.signals.come_untold();
            }
            let error = OsError(error as i32);
            let what = format_args!("cannot wait for events ({error}); trying again");
            self.log.say(Notice::NotWaited, what);
            std::thread::sleep(Duration::from_millis(100));
            self.watch_parent_anew();
            true
        })
    }

    /// Watches foster's parent anew, and handles its end if it has ended.
    #[inline(never)]
    fn watch_parent_anew(&mut self) {
        if let Some(before) = self.parent.take() {
            self.queue.remove(Key::PARENT, before.descriptor.as_raw_fd());
            let (setup, before) = (&self.config.setup, Some(before));
            let watched = parent::watch(setup, before, &mut self.queue, &self.signals);
            self.parent = watched.unwrap_or_default();
        }
    }
}
