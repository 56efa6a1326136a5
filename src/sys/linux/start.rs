//! The start of foster itself, up to the start of its first service.

use std::rc::Rc;

use nix::errno::Errno;

use foster::cli::{self, Need, Notice, Say};
use foster::config::{Config, Session};
use foster::process::{OsError, Pid};
use foster::signal::Signal;
use foster::supervisor::{Facts, Report};

use crate::log::Log;

use super::mark::Marks;
use super::queue::Queue;
use super::reap::Reaper;
use super::signals::Signals;
use super::spawn::Spawner;
use super::survey::Children;
use super::terminal::{self, Terminal};
use super::{Sys, World, boot, heap, malloc, parent, reap, setup};

/// Something that foster needs is not available.
pub struct StartError {
    need: Need,
    why: Result<&'static str, Errno>,
}

impl StartError {
    /// The message, and the exit code.
    pub fn say(&self, config: &Config, world: &World) -> Say {
        let why = match self.why {
            Ok(why) => why.to_owned(),
            Err(error) => OsError(error as i32).to_string(),
        };
        cli::cannot_have(config, self.need, &why, world)
    }
}

impl Sys {
    /// Prepares everything for the first start.
    // Not inlined, so that its buffer is on the stack only while it runs.
    #[inline(never)]
    pub fn new(config: Rc<Config>, world: World) -> Result<Sys, StartError> {
        let lacking = |need| move |error| StartError { need, why: Err(error) };
        let own_pid = Pid(std::process::id());
        let log = Log::new(Rc::clone(&config), world);
        if config.setup.boot {
            if own_pid != Pid(1) {
                return Err(StartError { need: Need::Machine, why: Ok("only PID 1 can") });
            }
            boot::set_up(&log);
        }
        let adopts = match setup::become_reaper(&config.setup, own_pid) {
            Ok(adopts) => adopts,
            Err(error) if config.setup.needs_subreaper => {
                return Err(lacking(Need::Subreaper)(error));
            }
            Err(error) => {
                let why = OsError(error as i32);
                let what = "cannot become a subreaper (prctl)";
                let what = format_args!("{what}: {why}; orphans go elsewhere");
                log.say(Notice::NotSubreaper, what);
                false
            }
        };
        let first = setup::detach_terminal(&config.setup);
        if !world.blocks_signals {
            return Err(StartError { need: Need::Mask, why: Ok("the system refuses it") });
        }
        let signals = Signals::new(own_pid.0).map_err(lacking(Need::Signals))?;
        let mut queue = Queue::new(config.keeps_any());
        let parent = parent::watch(&config.setup, None, &mut queue, &signals);
        let parent = parent.map_err(lacking(Need::ParentDeathSignal))?;
        if config.setup.warn_unless_reaper && !adopts {
            log.report(&Report::NotReaper);
        }
        // The console was opened earlier.
        if !config.setup.boot {
            log.begin();
        }
        let gives = config.only().is_some_and(|it| it.policy.session == Session::Group);
        let terminal = Terminal::new(gives, config.keeps_any());
        if config.services.is_empty() {
            setup::settle_in(&config.setup, &[signals.descriptor()]);
        }
        // Children that ended before foster handled SIGCHLD are zombies by now.
        let fates_pending = reap::has_fates().map_err(lacking(Need::Children))?;
        let spawner = Spawner::new(&config, world, signals.dispositions);
        malloc::prepare();
        heap::wait_for_memory();
        Ok(Sys {
            queue,
            parent,
            spawner,
            reaper: Reaper::new(terminal.exists()),
            terminal,
            children: Children::new(own_pid),
            adopts,
            leaders: Vec::with_capacity(config.services.len()),
            is_machine: world.is_machine,
            marks: Marks::new(&config),
            fates_pending,
            signals_pending: false,
            tells_of_orphans: None,
            tells_of_signals: None,
            list: Vec::new(),
            first,
            signals,
            log,
            config,
        })
    }

    /// The facts that the machine needs from the start.
    pub fn facts(&self) -> Facts {
        if !self.terminal.exists() {
            return Facts::default();
        }
        let init = std::process::id() == 1;
        Facts {
            terminal: true,
            interactive: self.terminal.is_interactive(),
            leads: init || terminal::leads_session(),
            init,
            ignored: self.signals.ignored(&[Signal::HUP, Signal::INT, Signal::QUIT, Signal::TSTP]),
        }
    }
}
