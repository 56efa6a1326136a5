//! Signals that foster gets: which of them ask it to stop, which go on, to whom and as what; and
//! what it does when its child is stopped.

use crate::config::{ForwardTo, Session};

use super::{
    Action, Instant, JobControl, Pid, Report, ServiceId, Signal, Signalled, Supervisor, Target,
    Terminal,
};

impl Supervisor {
    /// Takes in a signal.
    pub(super) fn signalled(&mut self, signalled: Signalled, now: Instant) {
        let signal = signalled.signal;
        self.report(Report::Received { signal });
        if self.overlook.remove(signal) {
            return;
        }
        let sent = self.config.forward.rewrites.get(signal);
        if sent != Some(signal) {
            self.report(Report::Rewritten { from: signal, to: sent });
        }
        match sent {
            Some(sent) if self.asks_to_stop(signal, sent) => self.stop(Some(signal), sent, now),
            Some(sent) => self.forward(signalled, sent),
            None => {}
        }
        self.suspend_on(signal);
    }

    /// Whether a signal asks foster to stop: itself, or as what it goes on. A second Ctrl-C
    /// counts even where the first was only passed on, once a stop is under way.
    fn asks_to_stop(&self, signal: Signal, sent: Signal) -> bool {
        let requests = self.config.stop.requests;
        requests.contains(signal)
            || requests.contains(sent)
            || (signal == Signal::INT && self.shutdown.is_requested())
    }

    /// Passes a signal on to every service.
    fn forward(&mut self, signalled: Signalled, sent: Signal) {
        for index in 0..self.services.len() {
            let service = &mut self.services[index];
            let Some((pid, alive)) = service.group() else { continue };
            let shared = self.config.session == Session::Shared;
            // The terminal has sent it to foster's whole group, the child included.
            if shared && signalled.by_kernel {
                continue;
            }
            let target = match self.config.forward.to {
                ForwardTo::Group if !shared => Target::Group(pid),
                ForwardTo::Group | ForwardTo::Child if alive => Target::Process(pid),
                ForwardTo::Group | ForwardTo::Child => continue,
            };
            match sent {
                Signal::STOP | Signal::TSTP | Signal::TTIN | Signal::TTOU => service.halted = true,
                Signal::CONT => {
                    service.halted = false;
                    if self.facts.terminal == Terminal::Job && self.follows_child() {
                        self.outbox.push(Action::GiveTerminal { group: pid });
                    }
                }
                _ => {}
            }
            self.outbox.push(Action::Kill { target, signal: sent, value: signalled.value });
            self.report(Report::Forwarded { signal: sent, target });
        }
    }

    /// Stops foster itself after a signal that says so.
    fn suspend_on(&mut self, signal: Signal) {
        match self.config.job_control {
            JobControl::OnSignals(signals) if signals.contains(signal) => {
                self.report(Report::Suspending);
                self.outbox.push(Action::Suspend { group: None });
            }
            JobControl::OnSignals(_) | JobControl::FollowChild => {}
        }
    }

    /// Takes in that a child was stopped.
    pub(super) fn child_stopped(&mut self, pid: Pid, signal: Signal) {
        let Some(service) = self.outbox.service_of(pid).map(ServiceId::index) else { return };
        if !self.follows_child() || self.shutdown.is_requested() {
            return;
        }
        match self.facts.terminal {
            Terminal::Job => {
                self.report(Report::Suspending);
                self.outbox.push(Action::Suspend { group: Some(pid) });
            }
            // Nobody could ever let it go on: Ctrl-Z does as little as to an orphaned group.
            // What was stopped on purpose stays stopped.
            Terminal::Leader if signal == Signal::TSTP && !self.services[service].halted => {
                let target = Target::Group(pid);
                self.outbox.push(Action::Kill { target, signal: Signal::CONT, value: None });
            }
            Terminal::Leader | Terminal::None => {}
        }
    }

    fn follows_child(&self) -> bool {
        self.config.job_control == JobControl::FollowChild && self.config.session == Session::Group
    }
}
