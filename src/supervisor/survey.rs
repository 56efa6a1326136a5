//! Surveys: who of all processes belongs to which service, and what to do about it.

use crate::config::Config;
use crate::process::{Comm, Mark, Pid, ServiceId, Target};
use crate::signal::Signal;
use crate::time::Instant;

use super::service::{Remains, Service};
use super::spared::Spared;
use super::{Action, Children, Outbox, Report, Shutdown, Survivor};

/// The current survey.
#[derive(Clone, Debug)]
pub(super) struct Survey {
    /// Whether it reads marks.
    reads_marks: bool,
    /// Orphans that were left alone and reported.
    spared: Spared,
}

/// Everything that a survey needs to handle a process.
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    pub(super) config: &'a Config,
    pub(super) services: &'a mut [Service],
    pub(super) children: &'a Children,
    pub(super) shutdown: &'a Shutdown,
    pub(super) outbox: &'a mut Outbox,
}

impl Survey {
    pub(super) fn new() -> Survey {
        Survey { reads_marks: false, spared: Spared::new() }
    }

    /// Starts a survey for all services that wait for one.
    pub(super) fn start(&mut self, services: &mut [Service]) -> Action {
        let mut marks = false;
        for service in services.iter_mut().filter(|service| service.awaits_survey()) {
            (service.survey, service.found, service.crowd) = (Some(Remains::None), None, 0);
            marks |= service.policy().kept && service.is_cleaning();
        }
        self.reads_marks = marks;
        Action::Survey { marks }
    }

    /// Forgets an orphan that ended.
    pub(super) fn forget(&mut self, pid: Pid) {
        self.spared.forget(pid);
    }

    /// Handles a process that lives: its service is not down before it is gone.
    pub(super) fn survivor(&mut self, survivor: Survivor, cx: &mut Context<'_>) {
        let Survivor { pid, name, group, mark, adopted, in_reach } = survivor;
        if let Some(id) = cx.children.service_of(group)
            && let service = &mut cx.services[id.index()]
            && let Some(found) = &mut service.survey
        {
            if !in_reach {
                // It got no stop signal either, so there is nothing to wait for.
                return self.spare(pid, name, in_reach, cx);
            }
            *found = (*found).max(if adopted { Remains::Adopted } else { Remains::Others });
            service.found = service.found.or(Some((pid, name)));
        }
        if mark == Mark::Lost && adopted {
            cx.await_lost();
        }
        if !adopted && !matches!(mark, Mark::Run(_)) {
            return;
        }
        let Some(id) = cx.owner(mark) else {
            let stays = match mark {
                Mark::Run(_) | Mark::None | Mark::Unreadable => self.reads_marks && adopted,
                Mark::Lost => false,
            };
            if stays {
                self.spare(pid, name, true, cx);
            }
            return;
        };
        let service = &mut cx.services[id.index()];
        if service.survey.is_none() || !service.is_cleaning() {
            return;
        }
        if !in_reach {
            return self.spare(pid, name, in_reach, cx);
        }
        // Nobody reports the end of another process's child. It becomes foster's when its parent
        // ends, and until then its parent is asked to stop.
        let (run, asks) = (service.run_number(), service.asks_orphan(group));
        let target = match (adopted, asks) {
            (true, _) => Target::Process(pid),
            (false, Some(false)) => Target::Marked(pid, id),
            (false, Some(true) | None) => return,
        };
        let signal = service.cleans_by();
        if adopted || signal == Signal::STOP {
            service.survey = Some(Remains::Adopted);
            service.found = service.found.or(Some((pid, name)));
        }
        let stop_signal = cx.shutdown.signal(&service.policy().stop);
        if service.left_behind() {
            cx.outbox.report(Report::InBackground { service: id, run });
        }
        match asks {
            None => {}
            Some(true) => cx.outbox.ask(target, stop_signal),
            Some(false) => {
                if signal == Signal::KILL {
                    cx.outbox.report(Report::KillingOrphan { service: id, run, pid });
                }
                cx.outbox.push(Action::Kill { target, signal, value: None });
            }
        }
    }

    /// Leaves a process alone, and reports that once.
    fn spare(&mut self, pid: Pid, name: Comm, in_reach: bool, cx: &mut Context<'_>) {
        if self.spared.tells(pid, cx.now) {
            cx.outbox.report(Report::Spared { pid, name, in_reach });
        }
    }
}

impl Context<'_> {
    /// An orphan is exiting and its owner is no longer known. Whatever it leaves may belong to any
    /// service, and its end will be reported.
    fn await_lost(&mut self) {
        for service in &mut *self.services {
            if service.is_cleaning() {
                service.survey = service.survey.map(|found| found.max(Remains::Adopted));
            }
        }
    }

    /// The service to which an adopted process with this mark belongs.
    fn owner(&self, mark: Mark) -> Option<ServiceId> {
        let only = || self.config.only().map(|_| ServiceId(0));
        match mark {
            // Nothing is marked for a command that runs once: everything that foster adopts stems
            // from it.
            _ if !self.config.keeps_any() => only(),
            Mark::Run(run) => {
                let service = self.services.get(run.service.index())?;
                (service.run() == run).then_some(run.service)
            }
            Mark::Unreadable => only(),
            Mark::None | Mark::Lost => None,
        }
    }
}
