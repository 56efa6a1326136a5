//! Windows: one loop in `WaitForMultipleObjects`, without threads.
//!
//! A service is a Job Object. Console events take the place of signals: an event is reported as the
//! signal nearest to it, and a signal to a group becomes a Ctrl-Break to its processes, or the end
//! of their job.

mod console;
mod entry;
mod handle;
mod job;
mod log;
mod runs;
mod spawn;
mod timer;
mod world;

use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_NOT_FOUND, HANDLE, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::{INFINITE, WaitForMultipleObjects};

use foster::cli::{self, Notice, Say};
use foster::config::Config;
use foster::driver::Backend;
use foster::exit::ExitStatus;
use foster::process::{OsError, RunId, ServiceId, Target};
use foster::quote::UnsafeArgument;
use foster::signal::Signal;
use foster::supervisor::{Action, Event, Facts, Way};
use foster::time::Instant;

pub use log::{LogWriter, say_last};
pub use world::World;

use crate::log::Log;
use console::Console;
use runs::Runs;
use timer::Timer;

/// The Windows backend of the loop.
pub struct Sys {
    config: Rc<Config>,
    world: World,
    log: Log,
    console: Console,
    timer: Timer,
    runs: Runs,
    /// The number of starts, which tells the runs of a service apart.
    starts: u128,
}

/// Why foster cannot run.
pub enum StartError {
    /// More services than the system lets one thread wait for.
    TooMany(usize),
    /// An argument that cannot be passed.
    Unsafe(UnsafeArgument),
    /// Something that foster needs is not available.
    System(&'static str, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::TooMany(count) => write!(
                f,
                "--wrap: {count} are too many: on Windows at most {MOST_SERVICES} fit, because a \
                 thread can wait for {WAITED} objects; share them out among several fosters"
            ),
            StartError::Unsafe(argument) => argument.fmt(f),
            StartError::System(tried, error) => {
                write!(f, "cannot {tried}: {error}; nothing was started")
            }
        }
    }
}

impl StartError {
    /// The message, and the exit code.
    pub fn say(&self, config: &Config, world: &World) -> Say {
        cli::not_run(config.log.format, Notice::NotSetUp, &self.to_string(), world)
    }
}

impl Sys {
    /// Prepares everything for the first start.
    pub fn new(config: Rc<Config>, world: World) -> Result<Sys, StartError> {
        if config.services.len() > MOST_SERVICES {
            return Err(StartError::TooMany(config.services.len()));
        }
        for service in &config.services {
            spawn::check(service, world).map_err(StartError::Unsafe)?;
        }
        let trying = |tried| move |error| StartError::System(tried, error);
        let timer = Timer::new().map_err(trying("make a timer (CreateWaitableTimer)"))?;
        let console =
            Console::new().map_err(trying("handle console events (SetConsoleCtrlHandler)"))?;
        spawn::share_standard_handles();
        let log = Log::new(Rc::clone(&config), world);
        log.begin();
        Ok(Sys { config, world, log, console, timer, runs: Runs::default(), starts: 0 })
    }

    /// The facts that the machine needs from the start.
    pub fn facts(&self) -> Facts {
        Facts::default()
    }

    /// Ends the use of the platform. Windows itself closes the jobs, which ends their members.
    pub fn finish(&mut self) {}

    fn spawn(&mut self, id: ServiceId) -> Option<Event> {
        let service = self.config.services.get(id.index())?;
        self.starts += 1;
        let run = RunId { service: id, nonce: self.starts };
        Some(match spawn::spawn(service, &self.config.app_host, self.world) {
            Ok(started) => {
                let pid = started.pid;
                self.runs.add(run, started);
                Event::Spawned { service: id, pid, run }
            }
            Err(error) => {
                if let Err(argument) = spawn::check(service, self.world) {
                    self.log.say(Notice::UnsafeArgument, format_args!("{argument}"));
                }
                Event::SpawnFailed { service: id, error }
            }
        })
    }

    fn kill(&mut self, target: Target, signal: Signal) -> Option<Event> {
        // Windows has no stopped processes.
        if signal == Signal::CONT {
            return None;
        }
        let code = ExitStatus::Signal(signal).code();
        let result = match target {
            Target::Group(leader) => match self.runs.job(leader) {
                Some(job) if signal == Signal::KILL => job.terminate(code),
                Some(job) => console::send_break(leader).or_else(|error| {
                    let why = OsError(error.raw_os_error().unwrap_or_default());
                    self.log.say(Notice::NotBroken, format_args!(
                        "cannot send Ctrl-Break to group {leader} ({why}): ending its job at once"
                    ));
                    job.terminate(code)
                }),
                None => Err(no_such()),
            },
            // It takes `--stop-to` or marks, which Windows lacks.
            Target::Rest(_) | Target::Marked(..) => Ok(()),
            Target::Process(pid) => match self.runs.process(pid) {
                Some(process) => spawn::end(process, code),
                None => Err(no_such()),
            },
        };
        let os = result.err()?.raw_os_error().unwrap_or_default();
        Some(Event::KillFailed { target, signal, os })
    }

    /// Waits for the console, the timer or the end of a process; returns the handle.
    fn wait_for_one(&self) -> io::Result<HANDLE> {
        let mut handles = [std::ptr::null_mut(); WAITED];
        let all = [self.console.as_raw(), self.timer.as_raw()].into_iter();
        let mut count = 0;
        for (place, handle) in handles.iter_mut().zip(all.chain(self.runs.awaited())) {
            *place = handle;
            count += 1;
        }
        // SAFETY: the handles are open, and their number is the count.
        let answer = unsafe { WaitForMultipleObjects(count as u32, handles.as_ptr(), 0, INFINITE) };
        let index = answer.wrapping_sub(WAIT_OBJECT_0) as usize;
        handles[..count].get(index).copied().ok_or_else(io::Error::last_os_error)
    }
}

impl Backend for Sys {
    fn now(&mut self) -> Instant {
        self.timer.now()
    }

    fn wait(&mut self, deadline: Option<Instant>, _: Option<Way>, events: &mut Vec<Event>) {
        match self.timer.set(deadline).and_then(|()| self.wait_for_one()) {
            Ok(handle) if handle == self.console.as_raw() => self.console.read(events),
            Ok(handle) if handle == self.timer.as_raw() => self.timer.went_off(),
            Ok(handle) => events.extend(self.runs.ended(handle)),
            Err(error) => {
                self.log.say(
                    Notice::NotWaited,
                    format_args!("cannot wait for events ({error}); trying again"),
                );
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    fn perform(&mut self, action: Action, events: &mut Vec<Event>) {
        match action {
            Action::Spawn { service, .. } => events.extend(self.spawn(service)),
            Action::Kill { target, signal, value: _ } => events.extend(self.kill(target, signal)),
            Action::Reap { pid } | Action::ReapOrphan { pid, .. } => self.runs.reap(pid),
            // An open handle holds a process; only `Reap` closes it.
            Action::Hold { .. } => {}
            Action::Survey { .. } => {
                self.runs.survey(events);
                events.push(Event::Surveyed { whole: true, groups: true });
            }
            Action::Look { service, group: _ } => {
                if self.runs.has_members(service) {
                    events.push(Event::LeftBehind { service });
                }
            }
            // These need a terminal with job control, which Windows lacks.
            Action::GiveTerminal { .. }
            | Action::TakeTerminal { .. }
            | Action::Suspend { .. }
            | Action::SuspendAlone
            | Action::DieOf { .. } => {}
            Action::Report(report) => self.log.report(&report),
            // foster is never the init of a Windows system.
            Action::KillAll { .. } | Action::EndMachine { .. } => {}
            Action::Exit { .. } => {}
        }
    }
}

fn no_such() -> io::Error {
    io::Error::from_raw_os_error(ERROR_NOT_FOUND as i32)
}

/// The number of objects that `WaitForMultipleObjects` takes (`MAXIMUM_WAIT_OBJECTS`).
const WAITED: usize = 64;

/// The rest of those besides the console and the timer: one per service.
const MOST_SERVICES: usize = WAITED - 2;
