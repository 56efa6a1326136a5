//! The power-off of a whole system whose init foster is: which signal asks for which end, and how
//! everything besides the services is stopped before it.
//!
//! The signals are those of other small inits (BusyBox has them all). TERM and Ctrl-Alt-Del, which
//! the kernel sends as INT, reboot; USR2 and PWR, the power failure, power off; USR1 halts. If
//! nobody asked, because the command ended or a service gave up, the system is powered off: it has
//! nothing left to do.

use std::time::Duration;

use crate::exit::MachineEnd;
use crate::signal::Signal;
use crate::time::Instant;

use super::service::KILL_PATIENCE;
use super::{Action, Outbox, Report};

/// How far the power-off has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PowerOff {
    /// How to end, by the last request.
    how: Option<MachineEnd>,
    phase: Phase,
    /// Whether the current survey has found anybody.
    found: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Services run, or foster is not the init of a system.
    #[default]
    Serving,
    /// They are down; a survey looks who else lives.
    Looking,
    /// All processes were asked to end.
    Asked {
        /// When they get SIGKILL; none for never.
        kill_at: Option<Instant>,
    },
    /// They got SIGKILL.
    Killed {
        /// When foster gives up.
        give_up_at: Instant,
    },
    /// The end was decided.
    Over,
}

/// The inputs of a power-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// No service runs any more.
    ServicesDown,
    /// The survey is complete.
    Surveyed,
    /// The stop is to be a kill now.
    Hurry,
    /// The deadline has come.
    Timeout,
}

impl PowerOff {
    /// Handles a signal that asks for a stop. Returns what services get instead of it: such a
    /// signal is meant for the init, and would mean something else to them.
    pub(super) fn asked_by(&mut self, signal: Signal) -> Option<Signal> {
        let how = match signal {
            Signal::INT | Signal::TERM => MachineEnd::Reboot,
            Signal::USR2 | Signal::PWR => MachineEnd::PowerOff,
            Signal::USR1 => MachineEnd::Halt,
            _ => return None,
        };
        self.how = Some(how);
        Some(Signal::TERM)
    }

    /// Notes that somebody lives.
    pub(super) fn takes_in(&mut self, adopted: bool) {
        self.found |= adopted;
    }

    /// Whether the current survey has found anybody.
    pub(super) fn has_found(&self) -> bool {
        self.found
    }

    /// Whether it waits for a survey.
    pub(super) fn awaits_survey(&self) -> bool {
        match self.phase {
            Phase::Looking | Phase::Asked { .. } | Phase::Killed { .. } => true,
            Phase::Serving | Phase::Over => false,
        }
    }

    /// Its deadline.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Asked { kill_at } => kill_at,
            Phase::Killed { give_up_at } => Some(give_up_at),
            Phase::Serving | Phase::Looking | Phase::Over => None,
        }
    }

    /// Takes the power-off one step further. Returns whether foster ends now.
    pub(super) fn step(&mut self, input: Input, cx: &mut Context<'_>) -> bool {
        let found = match input {
            Input::Surveyed => std::mem::take(&mut self.found),
            Input::ServicesDown | Input::Hurry | Input::Timeout => true,
        };
        let before = self.phase;
        self.phase = match (before, input) {
            (Phase::Serving, Input::ServicesDown) => {
                cx.outbox.survey_due = true;
                Phase::Looking
            }
            (Phase::Serving, Input::Surveyed | Input::Hurry | Input::Timeout) => Phase::Serving,
            (Phase::Looking | Phase::Asked { .. } | Phase::Killed { .. }, Input::Surveyed)
                if !found =>
            {
                self.end(cx)
            }
            (Phase::Looking, Input::Surveyed) if cx.is_killing => cx.kill_all(),
            (Phase::Looking, Input::Surveyed) => cx.ask_all(),
            (Phase::Looking, Input::ServicesDown | Input::Hurry | Input::Timeout) => Phase::Looking,
            (Phase::Asked { .. }, Input::Hurry | Input::Timeout) => cx.kill_all(),
            (Phase::Killed { .. }, Input::Timeout) => self.end(cx),
            (phase @ Phase::Asked { .. }, Input::ServicesDown | Input::Surveyed)
            | (
                phase @ Phase::Killed { .. },
                Input::ServicesDown | Input::Surveyed | Input::Hurry,
            ) => phase,
            (
                Phase::Over,
                Input::ServicesDown | Input::Surveyed | Input::Hurry | Input::Timeout,
            ) => Phase::Over,
        };
        before != Phase::Over && self.phase == Phase::Over
    }

    fn end(&self, cx: &mut Context<'_>) -> Phase {
        let how = self.how.unwrap_or(MachineEnd::PowerOff);
        cx.outbox.report(Report::MachineEnds { how });
        cx.outbox.push(Action::EndMachine { how });
        Phase::Over
    }
}

/// Everything that a power-off needs to handle an input.
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    /// How long those who are asked to end have; none for ever.
    pub(super) timeout: Option<Duration>,
    /// Whether the stop has become a kill.
    pub(super) is_killing: bool,
    pub(super) outbox: &'a mut Outbox,
}

impl Context<'_> {
    /// Asks all processes to end, and sends CONT so that a stopped one can.
    fn ask_all(&mut self) -> Phase {
        self.signal_all(Signal::TERM);
        self.outbox.push(Action::KillAll { signal: Signal::CONT });
        Phase::Asked { kill_at: self.timeout.map(|timeout| self.now + timeout) }
    }

    fn kill_all(&mut self) -> Phase {
        self.signal_all(Signal::KILL);
        Phase::Killed { give_up_at: self.now + KILL_PATIENCE }
    }

    fn signal_all(&mut self, signal: Signal) {
        self.outbox.report(Report::KillingAll { signal });
        self.outbox.push(Action::KillAll { signal });
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Argv, MACHINE_STOP_REQUESTS, Program, STOP_TIMEOUT};
    use crate::exit::ExitStatus;
    use crate::process::{Comm, Mark, Pid, RunId, ServiceId};

    use super::super::{Event, Facts, Signalled, Supervisor, Survivor};
    use super::*;
    use crate::config::Config;

    /// A machine whose init runs one command, as process 7.
    fn booted(boot: bool) -> Supervisor {
        let argv = Argv::new(["app"]);
        let mut config = Config::init(Program::new(argv));
        config.setup.boot = boot;
        config.signals.requests = config.signals.requests.union(MACHINE_STOP_REQUESTS);
        let mut machine = Supervisor::new(config, Facts::default());
        drain(&mut machine);
        let (service, run) = (ServiceId(0), RunId::default());
        tell(&mut machine, Event::Spawned { service, pid: Pid(7), run });
        machine
    }

    fn tell(machine: &mut Supervisor, event: Event) -> Vec<Action> {
        machine.handle_event(event, Instant::ZERO);
        drain(machine)
    }

    fn drain(machine: &mut Supervisor) -> Vec<Action> {
        let actions = std::iter::from_fn(|| machine.poll_action());
        actions.filter(|action| !matches!(action, Action::Report(_))).collect()
    }

    fn signal(machine: &mut Supervisor, signal: Signal) -> Vec<Action> {
        tell(
            machine,
            Event::Signal(Signalled {
                signal,
                value: None,
                by_kernel: true,
                hung_up: false,
                passed: false,
            }),
        )
    }

    fn app_ends(machine: &mut Supervisor) -> Vec<Action> {
        tell(machine, Event::Exited { pid: Pid(7), status: ExitStatus::Code(3) })
    }

    /// Surveys as long as one is wanted; gives what came of it.
    fn survey(machine: &mut Supervisor, living: &[u32]) -> Vec<Action> {
        let mut actions = Vec::new();
        while machine.poll_survey().is_some() {
            for pid in living.iter().copied().map(Pid) {
                let survivor = Survivor {
                    pid,
                    name: Comm::default(),
                    group: pid,
                    mark: Mark::None,
                    adopted: true,
                    in_reach: true,
                };
                actions.extend(tell(machine, Event::Survivor(survivor)));
            }
            actions.extend(tell(machine, Event::Surveyed { whole: true, groups: true }));
        }
        actions
    }

    fn orphan_ends(machine: &mut Supervisor, pid: u32) -> Vec<Action> {
        tell(machine, Event::Exited { pid: Pid(pid), status: ExitStatus::Code(0) })
    }

    #[test]
    fn each_signal_asks_for_its_end_once_the_command_is_down() {
        for (asking, how) in [
            (Signal::INT, MachineEnd::Reboot),
            (Signal::TERM, MachineEnd::Reboot),
            (Signal::PWR, MachineEnd::PowerOff),
            (Signal::USR2, MachineEnd::PowerOff),
            (Signal::USR1, MachineEnd::Halt),
        ] {
            assert!(MACHINE_STOP_REQUESTS.contains(asking));
            let mut machine = booted(true);
            let sent = signal(&mut machine, asking);
            let first = sent.first().copied();
            assert!(
                matches!(first, Some(Action::Kill { signal: Signal::TERM, .. })),
                "{asking}: {sent:?}"
            );
            app_ends(&mut machine);
            let last = survey(&mut machine, &[]);
            let end = [Action::EndMachine { how }, Action::Exit { code: 3 }];
            assert_eq!(last[last.len() - 2..], end, "{asking}");
        }
    }

    #[test]
    fn a_command_that_ends_by_itself_powers_the_machine_off() {
        let mut machine = booted(true);
        app_ends(&mut machine);
        let end = [Action::EndMachine { how: MachineEnd::PowerOff }, Action::Exit { code: 3 }];
        assert_eq!(survey(&mut machine, &[]), end);
    }

    #[test]
    fn all_that_still_runs_is_asked_then_killed_before_the_end() {
        let mut machine = booted(true);
        app_ends(&mut machine);
        let all = |signal| Action::KillAll { signal };
        assert_eq!(survey(&mut machine, &[8, 9]), [all(Signal::TERM), all(Signal::CONT)]);
        assert!(!machine.wants_survey(), "nobody has died since");
        orphan_ends(&mut machine, 8);
        assert_eq!(survey(&mut machine, &[9]), []);
        let kill_at = Instant::ZERO + STOP_TIMEOUT;
        assert_eq!(machine.poll_timeout(), Some(kill_at));
        machine.handle_timeout(kill_at);
        assert_eq!(drain(&mut machine), [all(Signal::KILL)]);
        orphan_ends(&mut machine, 9);
        let end = [Action::EndMachine { how: MachineEnd::PowerOff }, Action::Exit { code: 3 }];
        assert_eq!(survey(&mut machine, &[]), end);
        assert_eq!(machine.poll_timeout(), None);
    }

    #[test]
    fn what_outlives_sigkill_does_not_hold_up_the_end() {
        let mut machine = booted(true);
        app_ends(&mut machine);
        survey(&mut machine, &[8]);
        let kill_at = Instant::ZERO + STOP_TIMEOUT;
        machine.handle_timeout(kill_at);
        drain(&mut machine);
        machine.handle_timeout(kill_at + Duration::from_secs(10));
        let end = [Action::EndMachine { how: MachineEnd::PowerOff }, Action::Exit { code: 3 }];
        assert_eq!(drain(&mut machine), end);
    }

    #[test]
    fn who_speaks_last_says_how_the_machine_ends() {
        let mut machine = booted(true);
        signal(&mut machine, Signal::INT);
        signal(&mut machine, Signal::PWR);
        app_ends(&mut machine);
        let last = survey(&mut machine, &[]);
        assert!(last.contains(&Action::EndMachine { how: MachineEnd::PowerOff }), "{last:?}");
    }

    #[test]
    fn a_second_ctrl_alt_del_kills_all_that_still_runs_at_once() {
        let mut machine = booted(true);
        app_ends(&mut machine);
        survey(&mut machine, &[8]);
        assert_eq!(signal(&mut machine, Signal::INT), []);
        assert_eq!(signal(&mut machine, Signal::INT), [Action::KillAll { signal: Signal::KILL }]);
        orphan_ends(&mut machine, 8);
        let last = survey(&mut machine, &[]);
        assert_eq!(last.first(), Some(&Action::EndMachine { how: MachineEnd::Reboot }));
    }

    #[test]
    fn in_a_container_nothing_of_this_happens() {
        let mut machine = booted(false);
        let sent = signal(&mut machine, Signal::USR1);
        assert!(matches!(sent[0], Action::Kill { signal: Signal::USR1, .. }));
        let last = app_ends(&mut machine);
        let last = last.into_iter().chain(survey(&mut machine, &[])).last();
        assert_eq!(last, Some(Action::Exit { code: 3 }));
    }
}
