//! The terminal: who has it, what its keys and its end mean to foster, and foster's own stops.
//!
//! A child gets the terminal at its start only if it is plainly the one that the user talks to. Any
//! other gets it when it asks: when it reads from it or changes its settings, the kernel stops a
//! group in the background (TTIN, TTOU). The rest of foster's own group, such as a pager, may ask
//! too; the last one that asked has it. While foster's group has it, its keys come to foster, which
//! forwards them to everybody that the terminal would have sent them to.

use crate::config::{Config, JobControl, Session};

use super::{
    Action, Facts, Foreground, Instant, Pid, Report, Signal, SignalSet, Signalled, Supervisor,
    Target,
};

/// What a service's group has to do with foster's terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nothing: foster's own group keeps it.
    #[default]
    None,
    /// It gets it whenever foster's group can give it.
    Wants,
    /// It has it.
    Has,
}

/// The terminal, as far as it concerns a service's group.
#[derive(Clone, Debug, Default)]
pub(super) struct Tie {
    pub(super) claim: Claim,
    /// The signal that stopped the group when it used the terminal, which it is being given.
    asked_by: Option<Signal>,
    /// Whether its leader got HUP after the TERM that asked it to stop.
    pub(super) got_hup: bool,
    /// The keys that foster forwarded to it.
    keys: SignalSet,
    /// Whether the last of them was Ctrl-Z.
    pub(super) pressed: bool,
}

impl Tie {
    /// The one of a new group.
    pub(super) fn new(at_once: bool) -> Tie {
        Tie { claim: if at_once { Claim::Wants } else { Claim::None }, ..Tie::default() }
    }

    /// Whether a death by this signal was caused by a key on the terminal.
    pub(super) fn explains(&self, signal: Signal) -> bool {
        ENDING_KEYS.contains(signal) && (self.claim == Claim::Has || self.keys.contains(signal))
    }
}

/// Whether the child leads a group on foster's terminal, where the user may stop it.
pub(super) fn follows_child(config: &Config, facts: Facts) -> bool {
    facts.terminal
        && config.signals.job_control == JobControl::FollowChild
        && config.only().is_some_and(|service| service.policy.session == Session::Group)
}

/// Whether the child gets the terminal at its start. If its input or output is something else, it
/// may be part of a pipeline, another part of which talks to the user. A shell without job control
/// starts background commands in its own group, with INT and QUIT ignored.
pub(super) fn gives_at_once(config: &Config, facts: Facts) -> bool {
    let in_background = facts.ignored.contains(Signal::INT) || facts.ignored.contains(Signal::QUIT);
    follows_child(config, facts) && facts.interactive && !in_background
}

impl Supervisor {
    pub(super) fn follows_child(&self) -> bool {
        follows_child(&self.config, self.facts)
    }

    /// Handles a signal that is about the terminal and meant for foster itself. Returns whether it
    /// was one.
    pub(super) fn told_by_terminal(&mut self, signalled: Signalled, now: Instant) -> bool {
        let signal = signalled.signal;
        let wanted = |signal| {
            self.config.signals.rewrites.get(signal).is_some()
                && !self.facts.ignored.contains(signal)
        };
        match signal {
            Signal::HUP if self.is_end_of_terminal(signalled) => {
                self.report(Report::Received { signal });
                // It comes from the kernel and from the shell, and asks for one stop only.
                if !self.shutdown.is_requested() {
                    self.stop(Some(signal), Signal::TERM, now);
                }
                true
            }
            Signal::TSTP if signalled.by_kernel && self.runs_apart() => {
                let suspends = wanted(signal) && !self.facts.leads;
                self.report(Report::Received { signal });
                if suspends && !self.shutdown.is_requested() {
                    self.report(Report::SuspendingAlone);
                    self.outbox.push(Action::SuspendAlone);
                }
                true
            }
            Signal::TTIN | Signal::TTOU if signalled.by_kernel && self.follows_child() => {
                let mut has = false;
                for service in &mut self.services {
                    has |= service.tie.claim == Claim::Has;
                    service.tie.claim = Claim::None;
                }
                if has {
                    self.report(Report::Received { signal });
                    self.outbox.push(Action::TakeTerminal { resume: true });
                }
                has
            }
            _ => false,
        }
    }

    /// Whether this HUP means that the terminal is gone, and asks for a stop: under supervision,
    /// where any other HUP is for the services, and unless HUP is ignored (nohup).
    pub(super) fn is_end_of_terminal(&self, signalled: Signalled) -> bool {
        signalled.hung_up
            && self.config.keeps_any()
            && self.config.signals.rewrites.get(Signal::HUP).is_some()
            && !self.facts.ignored.contains(Signal::HUP)
    }

    /// Whether the terminal would have sent this to the child's whole group, if that were in the
    /// foreground instead of foster's; or a shell would have, if the child were in foster's group.
    pub(super) fn is_for_all(&self, signalled: Signalled) -> bool {
        self.follows_child()
            && (signalled.hung_up || signalled.by_kernel && FOR_ALL.contains(signalled.signal))
    }

    /// Notes that foster forwarded a key to a service.
    pub(super) fn key_went_on(&mut self, index: usize, signalled: Signalled) {
        let tie = &mut self.services[index].tie;
        tie.keys.insert(signalled.signal);
        tie.pressed = false;
    }

    /// Gives a child that resumes the terminal again.
    pub(super) fn give_again(&mut self, index: usize, group: Pid) {
        if self.services[index].tie.claim != Claim::None && self.follows_child() {
            self.outbox.push(Action::GiveTerminal { group });
        }
    }

    /// Stops foster itself after a signal that asks for that.
    pub(super) fn suspend_on(&mut self, signal: Signal) {
        match self.config.signals.job_control {
            JobControl::OnSignals(signals) if signals.contains(signal) => {
                self.report(Report::Suspending);
                self.outbox.push(Action::Suspend { group: None, job: None });
            }
            JobControl::OnSignals(_) | JobControl::FollowChild => {}
        }
    }

    /// Handles the stop of a child. If it used the terminal while foster's group has it, it gets it
    /// and resumes; otherwise foster stops too, so that the shell takes over.
    pub(super) fn child_stopped(&mut self, pid: Pid, signal: Signal, foreground: Foreground) {
        let Some(id) = self.children.service_of(pid) else { return };
        if !self.follows_child() {
            return;
        }
        let stops = self.shutdown.is_requested();
        let service = &mut self.services[id.index()];
        // What foster was asked to stop stays stopped, even if foster cannot stop too.
        let on_purpose = service.halted.is_some();
        let asks = (signal == Signal::TTIN || signal == Signal::TTOU) && !on_purpose;
        if asks {
            service.tie.claim = Claim::Wants;
            if foreground == Foreground::Fosters {
                service.tie.asked_by = Some(signal);
                self.outbox.push(Action::GiveTerminal { group: pid });
                return;
            }
        }
        if stops {
            return;
        }
        if service.tie.claim == Claim::Has {
            service.tie.claim = Claim::Wants;
        }
        if on_purpose || signal != Signal::TSTP {
            service.halted = Some(signal);
        }
        let by_terminal = match foreground {
            Foreground::Childs => signal == Signal::TSTP,
            Foreground::Others => asks,
            Foreground::Fosters => false,
        };
        self.report(Report::Suspending);
        let job = (by_terminal && !on_purpose).then_some(signal);
        self.outbox.push(Action::Suspend { group: Some(pid), job });
    }

    /// Handles that a group now has the terminal. If it was stopped for it, it resumes.
    pub(super) fn terminal_given(&mut self, group: Pid) {
        let Some(id) = self.children.service_of(group) else { return };
        let tie = &mut self.services[id.index()].tie;
        tie.claim = Claim::Has;
        let pressed = std::mem::take(&mut tie.pressed);
        if tie.asked_by.take().is_some() {
            let target = Target::Group(group);
            self.outbox.push(Action::Kill { target, signal: Signal::CONT, value: None });
            if pressed {
                // It came when the group was already stopped, and the CONT undid it.
                self.outbox.push(Action::Kill { target, signal: Signal::TSTP, value: None });
            }
        }
    }

    /// Handles that a group did not get the terminal, which foster no longer has. If it was stopped
    /// for it, it stays stopped, as in the background.
    pub(super) fn terminal_kept(&mut self, group: Pid) {
        let Some(id) = self.children.service_of(group) else { return };
        if let Some(signal) = self.services[id.index()].tie.asked_by.take() {
            self.child_stopped(group, signal, Foreground::Others);
        }
    }

    /// Handles that foster could not stop, with its child or alone. Nobody could resume a child
    /// after a Ctrl-Z then, so it resumes at once, as an orphaned process group does.
    pub(super) fn not_suspended(&mut self, group: Option<Pid>) {
        let Some(group) = group else { return self.report(Report::NotSuspended) };
        let Some(id) = self.children.service_of(group) else { return };
        let service = &mut self.services[id.index()];
        let halted = service.halted.is_some();
        self.give_again(id.index(), group);
        if !halted {
            let target = Target::Group(group);
            self.outbox.push(Action::Kill { target, signal: Signal::CONT, value: None });
        }
    }

    /// The signal that foster itself ends by: the key on its terminal that its only child died of,
    /// so that a shell, make or xargs around it ends as it would without foster. Also whether these
    /// have not got it yet, because the child had the terminal.
    pub(super) fn dies_of(&self) -> Option<(Signal, bool)> {
        let [service] = self.services.as_slice() else { return None };
        let signal = service.died_of?;
        let code = 128 + u32::from(signal.number());
        let dies = self.config.signals.dies_with_child
            && !self.facts.init
            && !self.config.setup.boot
            && !self.shutdown.is_requested()
            && self.shutdown.code() == code;
        dies.then(|| (signal, !service.tie.keys.contains(signal)))
    }

    /// Whether services have sessions of their own, which no key reaches.
    fn runs_apart(&self) -> bool {
        self.facts.terminal
            && self.config.signals.job_control == JobControl::FollowChild
            && self.config.services.iter().any(|it| it.policy.session == Session::Own)
    }
}

/// The keys that end a program.
const ENDING_KEYS: SignalSet = SignalSet::of(&[Signal::INT, Signal::QUIT]);

/// What the terminal sends to its whole foreground group: for a key, for a change of size, and when
/// it goes away.
const FOR_ALL: SignalSet =
    SignalSet::of(&[Signal::INT, Signal::QUIT, Signal::TSTP, Signal::WINCH, Signal::HUP]);
