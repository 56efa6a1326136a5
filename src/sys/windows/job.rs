//! Job Objects: all processes of a service, whoever started them.
//!
//! Processes that a member starts are members, and none can leave. The system ends them all when
//! the last handle to the job is closed, and only foster has one: so even a foster that is killed
//! leaves nothing behind.

use std::io;
use std::os::windows::io::OwnedHandle;
use std::ptr;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, IsProcessInJob, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JOBOBJECTINFOCLASS, JobObjectBasicAccountingInformation, JobObjectBasicProcessIdList,
    JobObjectExtendedLimitInformation, QueryInformationJobObject, SetInformationJobObject,
    TerminateJobObject,
};

use foster::process::Pid;

use super::handle::{done, made, raw};

/// A job.
pub struct Job(OwnedHandle);

impl Job {
    /// A new job, whose members end when it is closed.
    pub fn new() -> io::Result<Job> {
        // SAFETY: the job has no name, no attributes, and a handle that is new.
        let job = unsafe { made(CreateJobObjectW(ptr::null(), ptr::null()))? };
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        // SAFETY: the record is the one of this class.
        unsafe {
            done(SetInformationJobObject(
                raw(&job),
                JobObjectExtendedLimitInformation,
                (&raw const limits).cast(),
                size_of_val(&limits) as u32,
            ))?;
        }
        Ok(Job(job))
    }

    /// Makes a process a member.
    pub fn assign(&self, process: &OwnedHandle) -> io::Result<()> {
        // SAFETY: both handles are open.
        done(unsafe { AssignProcessToJobObject(raw(&self.0), raw(process)) })
    }

    /// Ends all members, each with this code.
    pub fn terminate(&self, code: u32) -> io::Result<()> {
        // SAFETY: the handle is open.
        done(unsafe { TerminateJobObject(raw(&self.0), code) })
    }

    /// The number of living members.
    pub fn living(&self) -> io::Result<u32> {
        let mut accounts = JOBOBJECT_BASIC_ACCOUNTING_INFORMATION::default();
        // SAFETY: the record is the one of this class.
        unsafe { self.query(JobObjectBasicAccountingInformation, &mut accounts)? };
        Ok(accounts.ActiveProcesses)
    }

    /// Some of the living members.
    pub fn members(&self) -> impl Iterator<Item = Pid> + use<> {
        let mut list = Members { assigned: 0, count: 0, pids: [0; SOME] };
        // SAFETY: the record has the layout of the class, with room for as many pids as its length
        // says. If that is too few, it is filled, with an error.
        let _ = unsafe { self.query(JobObjectBasicProcessIdList, &mut list) };
        let count = (list.count as usize).min(SOME);
        (0..count).map(move |index| Pid(list.pids[index] as u32))
    }

    /// Whether a process is a member.
    pub fn contains(&self, process: &OwnedHandle) -> bool {
        let mut is_member = 0;
        // SAFETY: both handles are open.
        let answer = unsafe { IsProcessInJob(raw(process), self.as_raw(), &raw mut is_member) };
        answer != 0 && is_member != 0
    }

    fn as_raw(&self) -> HANDLE {
        raw(&self.0)
    }

    /// # Safety
    /// `T` is the record of the class.
    unsafe fn query<T>(&self, class: JOBOBJECTINFOCLASS, record: &mut T) -> io::Result<()> {
        let (record, size) = (ptr::from_mut(record).cast(), size_of::<T>() as u32);
        // SAFETY: the record is writable for its size, and the caller guarantees its type.
        done(unsafe {
            QueryInformationJobObject(self.as_raw(), class, record, size, ptr::null_mut())
        })
    }
}

/// `JOBOBJECT_BASIC_PROCESS_ID_LIST`, with room for more than the one pid of its declaration.
#[repr(C)]
struct Members {
    assigned: u32,
    count: u32,
    pids: [usize; SOME],
}

/// The most members to look at: one living member is enough.
const SOME: usize = 64;
