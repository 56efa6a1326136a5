//! The start of a service: a process is created suspended, put into its job, and resumed.

use std::ffi::OsStr;
use std::io;
use std::mem;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::OwnedHandle;
use std::ptr;

use windows_sys::Win32::Foundation::{
    ERROR_BAD_ARGUMENTS, ERROR_COMMITMENT_LIMIT, ERROR_DIRECTORY, ERROR_FILE_NOT_FOUND,
    ERROR_MAX_THRDS_REACHED, ERROR_NO_PROC_SLOTS, ERROR_NO_SYSTEM_RESOURCES,
    ERROR_NOT_ENOUGH_MEMORY, ERROR_NOT_ENOUGH_QUOTA, ERROR_OUTOFMEMORY, ERROR_PAGEFILE_QUOTA,
    ERROR_PATH_NOT_FOUND, ERROR_TOO_MANY_OPEN_FILES, ERROR_WORKING_SET_QUOTA, HANDLE_FLAG_INHERIT,
    SetHandleInformation,
};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_SUSPENDED, CREATE_UNICODE_ENVIRONMENT, CreateProcessW,
    PROCESS_INFORMATION, ResumeThread, STARTF_USESTDHANDLES, STARTUPINFOW, TerminateProcess,
};

use foster::config::ServiceConfig;
use foster::process::{Pid, SpawnError, SpawnErrorKind};
use foster::quote::{self, UnsafeArgument};

use super::World;
use super::handle::{done, made, raw};
use super::job::Job;

/// A started service.
pub struct Started {
    pub pid: Pid,
    pub process: OwnedHandle,
    pub job: Job,
}

/// A program and its command line for `CreateProcess`.
struct Command {
    program: Vec<u16>,
    line: Vec<u16>,
}

/// Why there is no command line.
enum NoCommand {
    NotFound,
    Folder,
    Unsafe(UnsafeArgument),
}

/// Starts a service. One with a port gets `HOST` too.
pub fn spawn(service: &ServiceConfig, host: &str, world: World) -> Result<Started, SpawnError> {
    let mut command = command(service, world).map_err(|error| match error {
        NoCommand::NotFound => SpawnError {
            kind: SpawnErrorKind::NotFound,
            os: ERROR_FILE_NOT_FOUND as i32,
            pid: None,
        },
        NoCommand::Folder => {
            SpawnError { kind: SpawnErrorKind::Directory, os: ERROR_DIRECTORY as i32, pid: None }
        }
        NoCommand::Unsafe(_) => SpawnError {
            kind: SpawnErrorKind::NotExecutable,
            os: ERROR_BAD_ARGUMENTS as i32,
            pid: None,
        },
    })?;
    let environment = service
        .program
        .port
        .map(|port| world.environment_with(&[("HOST", host), ("PORT", &port.to_string())]));
    let job = Job::new().map_err(no_room)?;
    let (process, thread, pid) =
        create_asleep(&mut command, environment.as_deref()).map_err(|error| {
            let os = error.raw_os_error().unwrap_or_default();
            SpawnError { kind: kind_of(os), os, pid: None }
        })?;
    job.assign(&process).and_then(|()| wake(&thread)).map_err(|error| {
        // It has not run a single instruction, and must not run outside the job.
        let _ = end(&process, 1);
        no_room(error)
    })?;
    Ok(Started { pid, process, job })
}

/// Says why a service can never be started with its arguments, if that is known.
pub fn check(service: &ServiceConfig, world: World) -> Result<(), UnsafeArgument> {
    match command(service, world) {
        Ok(_) | Err(NoCommand::NotFound | NoCommand::Folder) => Ok(()),
        Err(NoCommand::Unsafe(argument)) => Err(argument),
    }
}

/// Ends one process.
pub fn end(process: &OwnedHandle, code: u32) -> io::Result<()> {
    // SAFETY: the handle is open.
    done(unsafe { TerminateProcess(raw(process), code) })
}

/// Makes foster's standard handles inheritable, even if they were not created so.
pub fn share_standard_handles() {
    for id in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        // SAFETY: the handles are those that the process was started with. If one is missing or has
        // no such flag, nothing changes.
        unsafe { SetHandleInformation(GetStdHandle(id), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) };
    }
}

fn command(service: &ServiceConfig, world: World) -> Result<Command, NoCommand> {
    let shell = world.shell();
    let (shell_wide, shell) = (wide(shell.as_os_str()), shell.as_os_str().as_encoded_bytes());
    if service.program.in_shell {
        let line = quote::shell(shell, service.program.argv.program());
        return Ok(Command { program: shell_wide, line: wide(os_str(&line)) });
    }
    let word = os_str(service.program.argv.program());
    let file = world.find(word).ok_or_else(|| match world.is_folder(word) {
        true => NoCommand::Folder,
        false => NoCommand::NotFound,
    })?;
    let name = file.as_os_str().as_encoded_bytes();
    if quote::is_batch(name) {
        let line = quote::batch(shell, name, service.program.argv.words().skip(1));
        let line = line.map_err(NoCommand::Unsafe)?;
        return Ok(Command { program: shell_wide, line: wide(os_str(&line)) });
    }
    let line = quote::program(service.program.argv.words());
    Ok(Command { program: wide(file.as_os_str()), line: wide(os_str(&line)) })
}

/// Creates a suspended process that leads its own group; returns the process, its thread and its
/// id. It inherits what foster inherited, and nothing that foster opened.
fn create_asleep(
    command: &mut Command,
    environment: Option<&[u16]>,
) -> io::Result<(OwnedHandle, OwnedHandle, Pid)> {
    // SAFETY: the two records are plain numbers and pointers, for which zero is valid. The texts
    // end with a NUL, the environment with two, and the line is ours to write to. The result is two
    // new handles.
    unsafe {
        let mut startup = mem::zeroed::<STARTUPINFOW>();
        startup.cb = size_of::<STARTUPINFOW>() as u32;
        startup.dwFlags = STARTF_USESTDHANDLES;
        startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
        startup.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
        startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
        let mut made_process = mem::zeroed::<PROCESS_INFORMATION>();
        done(CreateProcessW(
            command.program.as_ptr(),
            command.line.as_mut_ptr(),
            ptr::null(),
            ptr::null(),
            1,
            CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP | CREATE_UNICODE_ENVIRONMENT,
            environment.map_or(ptr::null(), |block| block.as_ptr().cast()),
            ptr::null(),
            &raw const startup,
            &raw mut made_process,
        ))?;
        let thread = made(made_process.hThread)?;
        Ok((made(made_process.hProcess)?, thread, Pid(made_process.dwProcessId)))
    }
}

fn wake(thread: &OwnedHandle) -> io::Result<()> {
    // SAFETY: the handle is open.
    let times = unsafe { ResumeThread(raw(thread)) };
    if times == u32::MAX { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The words of a command are unchanged `OsStr`s, with ASCII between them.
fn os_str(bytes: &[u8]) -> &OsStr {
    // SAFETY: the bytes are whole `OsStr`s, or UTF-8, with ASCII between them.
    unsafe { OsStr::from_encoded_bytes_unchecked(bytes) }
}

fn wide(text: &OsStr) -> Vec<u16> {
    text.encode_wide().chain([0]).collect()
}

fn no_room(error: io::Error) -> SpawnError {
    SpawnError {
        kind: SpawnErrorKind::Resources,
        os: error.raw_os_error().unwrap_or_default(),
        pid: None,
    }
}

fn kind_of(os: i32) -> SpawnErrorKind {
    match os as u32 {
        ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND => SpawnErrorKind::NotFound,
        ERROR_TOO_MANY_OPEN_FILES
        | ERROR_NOT_ENOUGH_MEMORY
        | ERROR_OUTOFMEMORY
        | ERROR_NO_PROC_SLOTS
        | ERROR_MAX_THRDS_REACHED
        | ERROR_NO_SYSTEM_RESOURCES
        | ERROR_WORKING_SET_QUOTA
        | ERROR_PAGEFILE_QUOTA
        | ERROR_COMMITMENT_LIMIT
        | ERROR_NOT_ENOUGH_QUOTA => SpawnErrorKind::Resources,
        _ => SpawnErrorKind::NotExecutable,
    }
}
