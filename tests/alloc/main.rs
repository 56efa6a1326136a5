//! Once foster runs, nothing is allocated for a signal, a death, a restart or a stop. So a lack of
//! memory cannot end it, and it never grows.
//!
//! A test program of its own, because it counts what its global allocator is asked for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use foster::config::{Argv, Config, Program};
use foster::driver::{Backend, Driver, SIGNALS_AT_ONCE};
use foster::exit::ExitStatus;
use foster::process::{Comm, Mark, Pid, RunId, ServiceId};
use foster::signal::Signal;
use foster::supervisor::{Action, Event, Facts, Signalled, State, Supervisor, Survivor, Way};
use foster::time::Instant;

/// The system's allocator, which counts what each thread asks it for.
struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed on to the system's allocator as it came; the counter is plain data
// that needs neither memory nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and `block` came from `System`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `realloc`, and `block` came from `System`.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A world without a memory of its own: what happens next is set from outside, what foster does
/// has no effect but the answers that are due.
struct World {
    now: Instant,
    news: Option<News>,
    pids: u32,
    /// A process of a group or of a run that is still found by the next survey.
    survivor: Option<Survivor>,
    /// Whether a process is there to be told dead after it was killed.
    orphan: Option<Pid>,
}

#[derive(Clone, Copy)]
enum News {
    Signals(Signal, usize),
    Death(Pid),
}

impl Backend for World {
    fn now(&mut self) -> Instant {
        self.now
    }

    fn wait(&mut self, deadline: Option<Instant>, _: Option<Way>, events: &mut Vec<Event>) {
        match self.news.take() {
            Some(News::Signals(signal, count)) => {
                let signalled = |value| Signalled {
                    signal,
                    value: Some(value),
                    by_kernel: false,
                    hung_up: false,
                    passed: false,
                };
                events.extend((0..count as u64).map(|value| Event::Signal(signalled(value))));
            }
            Some(News::Death(pid)) => {
                events.push(Event::Exited { pid, status: ExitStatus::Code(1) });
            }
            None => self.now = self.now.max(deadline.unwrap_or_default()),
        }
    }

    fn perform(&mut self, action: Action, events: &mut Vec<Event>) {
        match action {
            Action::Spawn { service, .. } => {
                self.pids += 1;
                let run = RunId { service, nonce: u128::from(self.pids) };
                events.push(Event::Spawned { service, pid: Pid(self.pids), run });
            }
            Action::Survey { .. } => {
                if let Some(survivor) = self.survivor.take() {
                    self.orphan = survivor.adopted.then_some(survivor.pid);
                    events.push(Event::Survivor(survivor));
                }
                events.push(Event::Surveyed { whole: true, groups: true });
            }
            _ => {}
        }
    }
}

#[test]
fn nothing_is_allocated_once_foster_runs() {
    let services = SERVICES as u32;
    let app = Program::new(Argv::new(["app"]));
    let mut machine = Supervisor::new(Config::supervisor(vec![app; SERVICES]), Facts::default());
    let mut world = World { now: Instant::ZERO, news: None, pids: 1, survivor: None, orphan: None };
    let mut driver = Driver::new();
    assert_eq!(driver.turn(&mut machine, &mut world), None);

    let before = COUNT.get();
    for round in 0..1000 {
        // A full read of signals, all of which are forwarded to all services.
        world.news = Some(News::Signals(Signal::RTMIN, SIGNALS_AT_ONCE));
        turn(&mut driver, &mut machine, &mut world);
        // An orphan comes and goes.
        world.news = Some(News::Death(Pid(1_000_000)));
        turn(&mut driver, &mut machine, &mut world);
        // A service crashes, with a process that has escaped its group, and is restarted.
        let service = ServiceId(round % services);
        let leader = leaders(&machine)[service.index()].expect("all are up");
        let run = RunId { service, nonce: u128::from(leader.0) };
        let (pid, name, mark) = (Pid(2_000_000), Comm::default(), Mark::Run(run));
        world.survivor =
            Some(Survivor { pid, name, group: pid, mark, adopted: true, in_reach: true });
        world.news = Some(News::Death(leader));
        turn(&mut driver, &mut machine, &mut world);
        turn(&mut driver, &mut machine, &mut world);
        world.news = world.orphan.take().map(News::Death);
        assert!(world.news.is_some(), "the escaped process was found");
        let spawned = world.pids;
        while world.pids == spawned {
            turn(&mut driver, &mut machine, &mut world);
        }
    }
    assert_eq!(COUNT.get() - before, 0, "allocations while foster runs");

    // A stop: the leaders end first, then a member of one group.
    let before = COUNT.get();
    world.news = Some(News::Signals(Signal::TERM, 1));
    turn(&mut driver, &mut machine, &mut world);
    let leaders = leaders(&machine);
    let group = leaders[0].expect("the first service is up");
    let (pid, name, mark) = (Pid(3_000_000), Comm::default(), Mark::None);
    world.survivor = Some(Survivor { pid, name, group, mark, adopted: true, in_reach: true });
    let mut code = None;
    for leader in leaders.into_iter().flatten().chain([pid]) {
        world.news = Some(News::Death(leader));
        code = driver.turn(&mut machine, &mut world);
        assert_eq!(code, None);
    }
    for _ in 0..10 {
        code = code.or_else(|| driver.turn(&mut machine, &mut world));
    }
    assert_eq!(COUNT.get() - before, 0, "allocations during the stop");
    assert_eq!(code, Some(1));
    assert!(world.now < Instant::ZERO + Duration::from_secs(1_000_000));
}

fn turn(driver: &mut Driver, machine: &mut Supervisor, world: &mut World) {
    assert_eq!(driver.turn(machine, world), None, "foster goes on");
}

fn leaders(machine: &Supervisor) -> [Option<Pid>; SERVICES] {
    let mut found = [None; SERVICES];
    for (place, state) in found.iter_mut().zip(machine.states()) {
        *place = match state {
            State::Up { pid, .. } | State::Stopping { pid, .. } => Some(pid),
            _ => None,
        };
    }
    found
}

const SERVICES: usize = 3;
