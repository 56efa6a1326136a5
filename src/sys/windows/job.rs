//! Job Objects: a service's processes, all of them, whoever started which.
//!
//! What a member starts is a member, and none can leave. The system ends them all when the last
//! handle to the job is closed, and foster has the only one: so even a foster that is ended by
//! force leaves nothing behind.

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

/// A job of foster's own.
pub struct Job(OwnedHandle);

impl Job {
    /// A job without members, whose members end with it.
    pub fn new() -> io::Result<Job> {
        // SAFETY: the job has no name, no attributes, and a handle that is new.
        let job = unsafe { made(CreateJobObjectW(ptr::null(), ptr::null()))? };
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        // SAFETY: the record is the one that the class stands for.
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

    /// How many members live.
    pub fn living(&self) -> io::Result<u32> {
        let mut accounts = JOBOBJECT_BASIC_ACCOUNTING_INFORMATION::default();
        // SAFETY: the record is the one that the class stands for.
        unsafe { self.query(JobObjectBasicAccountingInformation, &mut accounts)? };
        Ok(accounts.ActiveProcesses)
    }

    /// Some of the members that live.
    pub fn members(&self) -> impl Iterator<Item = Pid> + use<> {
        let mut list = Members { assigned: 0, count: 0, pids: [0; SOME] };
        // SAFETY: the record is laid out as the one that the class stands for, with room for as
        // many pids as its length says. One that does not hold them all is filled, with an error.
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
    /// `T` is the record that the class stands for.
    unsafe fn query<T>(&self, class: JOBOBJECTINFOCLASS, record: &mut T) -> io::Result<()> {
        let (record, size) = (ptr::from_mut(record).cast(), size_of::<T>() as u32);
        // SAFETY: the record is writable for its size, and of the right kind as the caller says.
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

/// How many members are looked at, at most: one that still lives is enough.
const SOME: usize = 64;
