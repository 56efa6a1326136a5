//! Signals that foster gets: which of them ask it to stop, which go on, to whom and as what.

use crate::config::{Config, ForwardTo, JobControl};
use crate::signal::SignalSet;

use super::{Action, Facts, Instant, Report, Signal, Signalled, State, Supervisor, Target};

/// The way of a signal that only goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Who gets it.
    pub target: Target,
    /// Which signals go this way, as they are.
    pub signals: SignalSet,
}

impl Supervisor {
    /// Who gets the next signal, and which signals may be sent there before they are told. None
    /// unless the only service is up; a stop ends that. Only what a wait brings before all that it
    /// tells may go, and only what a process sent, without a value; it is then told with `Signalled::passed`, and all else
    /// is as ever.
    /// From the telling nothing follows but [`Report::Received`] and [`Report::Forwarded`]: where
    /// nobody hears those, it need not be told.
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

    /// Takes in a signal.
    // Apart from all other events, for the same reason as `stop`.
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
            // Ctrl-Z is for the child, whose group the terminal would have stopped.
            None if signal == Signal::TSTP && self.is_for_all(signalled) => Some(signal),
            sent => sent,
        };
        match sent {
            Some(sent) if self.asks_to_stop(signal, sent) && !is_resize(signalled) => {
                self.report_received(signal, Some(sent));
                let sent = match self.machine.asked_by(signal, &self.config) {
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

    /// Says that a signal came, and as what it goes on where that is something else.
    fn report_received(&mut self, signal: Signal, sent: Option<Signal>) {
        self.report(Report::Received { signal });
        if sent != Some(signal) {
            self.report(Report::Rewritten { from: signal, to: sent });
        }
    }

    /// Whether a signal that comes asks foster to stop.
    pub(super) fn is_request(&self, signal: Signal) -> bool {
        let sent = self.config.signals.rewrites.get(signal);
        sent.is_some_and(|sent| self.asks_to_stop(signal, sent))
    }

    /// Whether a signal asks foster to stop: itself, or as what it goes on. A second Ctrl-C
    /// counts even where the first was only passed on, once a stop is under way, or what is left of
    /// the command is waited for.
    fn asks_to_stop(&self, signal: Signal, sent: Signal) -> bool {
        let requests = self.config.signals.requests;
        requests.contains(signal)
            || requests.contains(sent)
            || (signal == Signal::INT && self.slow.deadline().is_some())
    }

    /// Passes a signal on to every service, if it has not gone on already. The first gets it before
    /// anything is said of it: to say something takes time, and who reads it may be slow.
    fn forward(&mut self, signalled: Signalled, sent: Signal) {
        let mut reported = false;
        let follows = self.follows_child();
        let for_all = self.is_for_all(signalled);
        for index in 0..self.services.len() {
            let service = &mut self.services[index];
            let Some((pid, alive)) = service.group() else { continue };
            let policy = &self.config.services[index].policy;
            let shared = !policy.leads_group();
            // The terminal has sent it to foster's whole group, in which the child still is.
            if shared && signalled.by_kernel && KEYS.contains(signalled.signal) {
                continue;
            }
            let whole = for_all
                || match policy.forward {
                    ForwardTo::Group => !shared,
                    // The terminal stopped all of the group, and nobody else lets it go on.
                    ForwardTo::Child => follows && sent == Signal::CONT,
                };
            let target = match (whole, alive) {
                (true, _) => Target::Group(pid),
                (false, true) => Target::Process(pid),
                (false, false) => continue,
            };
            match sent {
                // Ctrl-Z, in the moment in which foster has the terminal back to stop with its
                // child: it was meant for that, and is no more on purpose than the one before.
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

/// The signals that do nothing but go on as they are, to the only service.
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
    // A HUP may tell that the terminal is gone.
    let hang_up = if facts.terminal { SignalSet::of(&[Signal::HUP]) } else { SignalSet::EMPTY };
    passing.without(config.signals.requests).without(suspending).without(SPECIAL).without(hang_up)
}

/// Signals that may mean more to foster than that they go on: children's, those that stop a job and
/// let it go on, and the one that its own log may bring about.
const SPECIAL: SignalSet = SignalSet::of(&[
    Signal::CHLD,
    Signal::PIPE,
    Signal::CONT,
    Signal::STOP,
    Signal::TSTP,
    Signal::TTIN,
    Signal::TTOU,
]);

/// Whether the terminal tells of its new size: that asks nobody to stop, even where WINCH is the
/// stop signal.
fn is_resize(signalled: Signalled) -> bool {
    signalled.signal == Signal::WINCH && signalled.by_kernel
}

/// Requests to stop that are meant for an init, and would mean something else to a service, or
/// nothing: it gets TERM in their stead.
const FOR_FOSTER: SignalSet = SignalSet::of(&[Signal::PWR]);

/// What the terminal sends to its whole foreground group, for a key or a change of size, and what
/// is not sent again. The TSTP of Ctrl-Z is: a CONT from before it, passed on a moment too late,
/// may have undone it, and who is stopped is not stopped twice. The HUP and CONT of a hang-up go to
/// the leader of the session alone (tty_ioctl(4)).
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
