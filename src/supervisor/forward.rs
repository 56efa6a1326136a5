//! Signals that foster gets: which of them ask it to stop, which are forwarded, to whom, and as
//! what.

use crate::config::{Config, ForwardTo, JobControl};
use crate::signal::SignalSet;

use super::{Action, Facts, Instant, Report, Signal, Signalled, State, Supervisor, Target};

/// The path of a signal that is only forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Who gets it.
    pub target: Target,
    /// Which signals are forwarded there unchanged.
    pub signals: SignalSet,
}

impl Supervisor {
    /// Which signals may be forwarded before they are reported, and to whom. None unless the only
    /// service is up and no stop is under way. It holds for the first event of a wait, if a process
    /// sent the signal without a value; such a signal is reported with `Signalled::passed`. Only
    /// [`Report::Received`] and [`Report::Forwarded`] follow from it, so if the log shows neither,
    /// it need not be reported.
    #[must_use]
    pub fn way(&self) -> Option<Way> {
        if self.passing == SignalSet::EMPTY {
            return None;
        }
        let [service] = self.services.as_slice() else { return None };
        let State::Up { pid, .. } = service.state() else { return None };
        let target = match self.config.only()?.policy.forward {
            ForwardTo::Group => Target::Group(pid),
            ForwardTo::Child => Target::Process(pid),
        };
        Some(Way { target, signals: self.passing.without(self.overlook) })
    }

    /// Handles a signal.
    // Separate from all other events, for the same reason as `stop`.
    #[inline(never)]
    pub(super) fn signalled(&mut self, signalled: Signalled, now: Instant) {
        let signal = signalled.signal;
        if self.overlook.remove(signal) {
            self.report(Report::Received { signal });
            self.report(Report::Overlooked { signal });
            return;
        }
        if self.facts.terminal && self.told_by_terminal(signalled, now) {
            return;
        }
        let sent = match self.config.signals.rewrites.get(signal) {
            // Ctrl-Z is meant for the child, whose group the terminal would have stopped.
            None if signal == Signal::TSTP && self.is_for_all(signalled) => Some(signal),
            sent => sent,
        };
        match sent {
            Some(sent) if self.asks_to_stop(signal, sent) && !is_resize(signalled) => {
                self.report_received(signal, Some(sent));
                let boots = self.config.setup.boot;
                let sent = match boots.then(|| self.poweroff.asked_by(signal)).flatten() {
                    Some(sent) => sent,
                    None if FOR_FOSTER.contains(sent) => Signal::TERM,
                    None => sent,
                };
                self.stop(Some(signal), sent, now);
            }
            Some(sent) => self.forward(signalled, sent),
            None => self.report_received(signal, None),
        }
        self.suspend_on(signal);
    }

    /// Reports that a signal came, and what it is rewritten to, if anything.
    fn report_received(&mut self, signal: Signal, sent: Option<Signal>) {
        self.report(Report::Received { signal });
        if sent != Some(signal) {
            self.report(Report::Rewritten { from: signal, to: sent });
        }
    }

    /// Whether this signal asks foster to stop.
    pub(super) fn is_request(&self, signal: Signal) -> bool {
        let sent = self.config.signals.rewrites.get(signal);
        sent.is_some_and(|sent| self.asks_to_stop(signal, sent))
    }

    /// Whether a signal asks foster to stop, as it came or as it was rewritten. Once a stop is
    /// under way, or leftovers of the command are waited for, a second Ctrl-C counts even if the
    /// first was only forwarded.
    fn asks_to_stop(&self, signal: Signal, sent: Signal) -> bool {
        let requests = self.config.signals.requests;
        requests.contains(signal)
            || requests.contains(sent)
            || (signal == Signal::INT && self.slow.deadline().is_some())
    }

    /// Forwards a signal to every service, if that was not done already. The first service gets it
    /// before anything is reported: a report takes time, and its reader may be slow.
    fn forward(&mut self, signalled: Signalled, sent: Signal) {
        let mut reported = false;
        let follows = self.follows_child();
        let for_all = self.is_for_all(signalled);
        for index in 0..self.services.len() {
            let service = &mut self.services[index];
            let Some((pid, alive)) = service.group() else { continue };
            let policy = &self.config.services[index].policy;
            let shared = !policy.leads_group();
            // The terminal sent it to foster's whole group, which the child is still in.
            if shared && signalled.by_kernel && KEYS.contains(signalled.signal) {
                continue;
            }
            let whole = for_all
                || match policy.forward {
                    ForwardTo::Group => !shared,
                    // The terminal stopped the whole group, and nobody else resumes it.
                    ForwardTo::Child => follows && sent == Signal::CONT,
                };
            let target = match (whole, alive) {
                (true, _) => Target::Group(pid),
                (false, true) => Target::Process(pid),
                (false, false) => continue,
            };
            match sent {
                // Ctrl-Z while foster has the terminal back in order to stop with its child: it was
                // meant for that, and is no more deliberate than the one before.
                Signal::TSTP if signalled.by_kernel => service.tie.pressed = for_all,
                Signal::STOP | Signal::TSTP | Signal::TTIN | Signal::TTOU => {
                    service.halted = Some(sent);
                }
                Signal::CONT => {
                    (service.halted, service.tie.pressed) = (None, false);
                    self.give_again(index, pid);
                }
                _ if for_all => self.key_went_on(index, signalled),
                _ => {}
            }
            if !signalled.passed {
                self.outbox.push(Action::Kill { target, signal: sent, value: signalled.value });
            }
            if !reported {
                self.report_received(signalled.signal, Some(sent));
                reported = true;
            }
            self.report(Report::Forwarded { signal: sent, target });
        }
        if !reported {
            self.report_received(signalled.signal, Some(sent));
        }
    }
}

/// The signals that are only forwarded, unchanged, to the only service.
pub(super) fn passing(config: &Config, facts: Facts) -> SignalSet {
    if !config.only().is_some_and(|service| service.policy.leads_group()) {
        return SignalSet::EMPTY;
    }
    let kept = (1..=64).filter_map(Signal::new);
    let kept = kept.filter(|signal| config.signals.rewrites.get(*signal) == Some(*signal));
    let mut passing = SignalSet::EMPTY;
    kept.for_each(|signal| passing.insert(signal));
    let suspending = match config.signals.job_control {
        JobControl::OnSignals(signals) => signals,
        JobControl::FollowChild => SignalSet::EMPTY,
    };
    // A HUP may mean that the terminal is gone.
    let hang_up = if facts.terminal { SignalSet::of(&[Signal::HUP]) } else { SignalSet::EMPTY };
    passing.without(config.signals.requests).without(suspending).without(SPECIAL).without(hang_up)
}

/// Signals that may mean more to foster: those of children, those that stop and resume a job, and
/// the one that its own log may cause.
const SPECIAL: SignalSet = SignalSet::of(&[
    Signal::CHLD,
    Signal::PIPE,
    Signal::CONT,
    Signal::STOP,
    Signal::TSTP,
    Signal::TTIN,
    Signal::TTOU,
]);

/// Whether the terminal reports its new size: that asks nobody to stop, even if WINCH is the stop
/// signal.
fn is_resize(signalled: Signalled) -> bool {
    signalled.signal == Signal::WINCH && signalled.by_kernel
}

/// Requests to stop that are meant for an init. A service would take them for something else, or
/// ignore them, so it gets TERM instead.
const FOR_FOSTER: SignalSet = SignalSet::of(&[Signal::PWR]);

/// Signals that the terminal sends to its whole foreground group, for a key or a change of size,
/// and that are not sent again. The TSTP of Ctrl-Z is sent again: an earlier CONT that was
/// forwarded a moment too late may have undone it, and a stopped process is not stopped twice. The
/// HUP and CONT of a hang-up go only to the session's leader (tty_ioctl(4)).
const KEYS: SignalSet = SignalSet::of(&[Signal::INT, Signal::QUIT, Signal::WINCH]);

#[cfg(test)]
mod tests {
    use super::*;

    use crate::config::{Argv, Config, Program, Session};
    use crate::process::{Pid, RunId, ServiceId};
    use crate::supervisor::{Event, Facts};

    fn told(machine: &mut Supervisor, event: Event) -> Vec<Action> {
        machine.handle_event(event, Instant::ZERO);
        std::iter::from_fn(|| machine.poll_action()).collect()
    }

    #[test]
    fn a_key_on_the_terminal_is_passed_on_to_a_child_that_has_left_the_group() {
        let mut config = Config::init(Program::new(Argv::new(["app"])));
        config.adjust(|policy| policy.session = Session::Shared);
        let mut machine = Supervisor::new(config, Facts::default());
        let started = Event::Spawned { service: ServiceId(0), pid: Pid(7), run: RunId::default() };
        told(&mut machine, started);
        for signal in [Signal::INT, Signal::QUIT, Signal::WINCH] {
            let passed_on = Action::Kill { target: Target::Process(Pid(7)), signal, value: None };
            for by_kernel in [true, false] {
                let event = Event::Signal(Signalled {
                    signal,
                    value: None,
                    by_kernel,
                    hung_up: false,
                    passed: false,
                });
                assert_eq!(told(&mut machine, event).contains(&passed_on), !by_kernel, "{signal}");
            }
        }
    }

    #[test]
    fn the_signals_of_giving_up_the_terminal_are_overlooked_once_and_told() {
        let app = Program::new(Argv::new(["app"]));
        let mut machine = Supervisor::new(Config::init(app), Facts::default());
        let started = Event::Spawned { service: ServiceId(0), pid: Pid(7), run: RunId::default() };
        told(&mut machine, started);
        let detached = told(&mut machine, Event::TerminalDetached);
        assert_eq!(detached, [Action::Report(Report::TerminalDetached)]);
        for signal in [Signal::HUP, Signal::CONT] {
            let event = Event::Signal(Signalled {
                signal,
                value: None,
                by_kernel: true,
                hung_up: false,
                passed: false,
            });
            let first = told(&mut machine, event);
            assert!(first.contains(&Action::Report(Report::Overlooked { signal })));
            assert!(!first.iter().any(|action| matches!(action, Action::Kill { .. })));
            let target = Target::Process(Pid(7));
            let second = told(&mut machine, event);
            assert!(second.contains(&Action::Kill { target, signal, value: None }));
        }
    }
}
