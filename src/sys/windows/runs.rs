//! The runs of services, and the process of each that foster waits for.
//!
//! A run is a job. foster waits for its first process. Once that has ended and the machine asks
//! what is left, foster waits for one member after the other until none is left. So each run needs
//! one handle at most, and nothing is polled.

use std::io;
use std::os::windows::io::OwnedHandle;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::Threading::{
    GetExitCodeProcess, OpenProcess, PROCESS_QUERY_INFORMATION, PROCESS_SYNCHRONIZE,
    PROCESS_TERMINATE,
};

use foster::exit::ExitStatus;
use foster::process::{Comm, Mark, Pid, RunId, ServiceId};
use foster::supervisor::{Event, Survivor};

use super::handle::{made, raw};
use super::job::Job;
use super::spawn::Started;

/// All runs that may have processes left; at most one per service.
#[derive(Default)]
pub struct Runs(Vec<Run>);

/// One run of a service.
struct Run {
    id: RunId,
    job: Job,
    /// The id of the first process, which stands for the job as a leader's does for its group.
    leader: Pid,
    /// The first process, until it is reaped. Its id is taken as long as the handle is open.
    first: Option<Process>,
    /// Another member that foster waits for, once the first process has ended.
    adopted: Option<Process>,
}

struct Process {
    pid: Pid,
    handle: OwnedHandle,
    /// Whether its end has been reported.
    ended: bool,
}

impl Runs {
    /// Notes a start. Whatever is left of the service's last run ends here.
    pub fn add(&mut self, id: RunId, started: Started) {
        let Started { pid, process: handle, job } = started;
        self.0.retain(|run| run.id.service != id.service);
        let first = Some(Process { pid, handle, ended: false });
        self.0.push(Run { id, job, leader: pid, first, adopted: None });
    }

    /// The handles to wait for.
    pub fn awaited(&self) -> impl Iterator<Item = HANDLE> {
        self.0.iter().filter_map(Run::awaited).map(|process| raw(&process.handle))
    }

    /// Notes that the process with this handle ended.
    pub fn ended(&mut self, handle: HANDLE) -> Option<Event> {
        let mut processes = self.0.iter_mut().flat_map(Run::processes);
        let process = processes.find(|process| raw(&process.handle) == handle)?;
        process.ended = true;
        let status = ExitStatus::Code(process.code());
        Some(Event::Exited { pid: process.pid, status })
    }

    /// Closes a process that has ended, and its job if nothing else is left of it.
    pub fn reap(&mut self, pid: Pid) {
        for run in &mut self.0 {
            run.adopted.take_if(|process| process.pid == pid);
            run.first.take_if(|process| process.pid == pid);
        }
        self.0.retain(Run::is_needed);
    }

    /// The job of the run that this process leads.
    pub fn job(&self, leader: Pid) -> Option<&Job> {
        self.0.iter().find(|run| run.leader == leader).map(|run| &run.job)
    }

    /// Whether any process of a service lives.
    pub fn has_members(&self, service: ServiceId) -> bool {
        self.0.iter().any(|run| run.id.service == service && run.living() > 0)
    }

    /// A process that foster waits for.
    pub fn process(&mut self, pid: Pid) -> Option<&OwnedHandle> {
        let mut processes = self.0.iter_mut().flat_map(Run::processes);
        processes.find(|process| process.pid == pid && !process.ended).map(|found| &found.handle)
    }

    /// Reports one process for each run that has lost its first one and still has others.
    pub fn survey(&mut self, events: &mut Vec<Event>) {
        for run in self.0.iter_mut().filter(|run| run.has_lost_first()) {
            if run.living() == 0 {
                continue;
            }
            if run.adopted.as_ref().is_none_or(|process| process.ended) {
                run.adopted = run.adopt();
            }
            events.push(Event::Survivor(Survivor {
                pid: run.adopted.as_ref().map_or(run.leader, |process| process.pid),
                name: Comm::default(),
                group: run.leader,
                mark: Mark::Run(run.id),
                // If none can be opened, all of them are about to end: the machine looks again.
                adopted: run.adopted.is_some(),
                in_reach: true,
            }));
        }
        self.0.retain(Run::is_needed);
    }
}

impl Run {
    fn processes(&mut self) -> impl Iterator<Item = &mut Process> {
        self.first.iter_mut().chain(&mut self.adopted)
    }

    fn awaited(&self) -> Option<&Process> {
        self.first.iter().chain(&self.adopted).find(|process| !process.ended)
    }

    fn has_lost_first(&self) -> bool {
        self.first.as_ref().is_none_or(|process| process.ended)
    }

    /// Whether to keep it: the machine will ask about it, or it has living members.
    fn is_needed(&self) -> bool {
        self.first.is_some() || self.adopted.is_some() || self.living() > 0
    }

    /// The number of living members. If the job cannot be asked, there is none to wait for.
    fn living(&self) -> u32 {
        self.job.living().unwrap_or(0)
    }

    /// Any living member.
    fn adopt(&self) -> Option<Process> {
        self.job.members().filter(|pid| *pid != self.leader).find_map(|pid| {
            let handle = open(pid).ok()?;
            // Its id may have been reused since it was listed.
            self.job.contains(&handle).then_some(Process { pid, handle, ended: false })
        })
    }
}

impl Process {
    fn code(&self) -> u32 {
        let mut code = 0;
        // SAFETY: the handle is open. This cannot fail, because the handle has the right for it.
        unsafe { GetExitCodeProcess(raw(&self.handle), &raw mut code) };
        code
    }
}

fn open(pid: Pid) -> io::Result<OwnedHandle> {
    let access = PROCESS_SYNCHRONIZE | PROCESS_TERMINATE | PROCESS_QUERY_INFORMATION;
    // SAFETY: the result is null or a new handle.
    unsafe { made(OpenProcess(access, 0, pid.0)) }
}
