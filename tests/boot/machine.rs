//! A machine in QEMU with foster as its init, and its console.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::libc;

use crate::scratch::{self, Folder};
use crate::support::patience::until;
use crate::support::stream::{Stream, await_any};

/// A machine that is not switched on yet.
pub struct Machine {
    folder: Folder,
    files: Vec<(String, u32, Vec<u8>)>,
    disks: Vec<PathBuf>,
}

/// One that is.
pub struct Booted {
    emulator: Child,
    console: Stream,
    seen: String,
    deadline: Instant,
    folder: Folder,
}

/// How a machine ended, by the kernel's own last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    PowerOff,
    Reboot,
    Halt,
    Panic,
}

impl Machine {
    /// A machine whose memory holds foster as /init, a shell, the probe, and these scripts in
    /// /bin.
    pub fn new(scripts: &[(&str, &str)]) -> Self {
        let mut machine = Self { folder: Folder::new(), files: Vec::new(), disks: Vec::new() };
        for folder in ["bin", "mnt", "mnt2"] {
            machine.files.push((folder.into(), libc::S_IFDIR | 0o755, Vec::new()));
        }
        let read = |path: &Path| fs::read(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        machine.add("init", &read(scratch::foster()));
        machine.add("bin/busybox", &read(scratch::busybox()));
        machine.add("bin/probe", &read(scratch::probe()));
        for applet in APPLETS {
            machine.files.push((
                format!("bin/{applet}"),
                libc::S_IFLNK | 0o777,
                b"busybox".to_vec(),
            ));
        }
        for (name, text) in scripts {
            machine.add(&format!("bin/{name}"), format!("#!/bin/sh\n{text}\n").as_bytes());
        }
        machine
    }

    /// Puts a program there, instead of the one that is.
    pub fn add(&mut self, path: &str, content: &[u8]) {
        self.files.retain(|(known, ..)| known != path);
        self.files.push((path.into(), libc::S_IFREG | 0o755, content.to_vec()));
    }

    /// A second way to the program that is foster.
    pub fn add_foster(&mut self, path: &str) {
        let content = fs::read(scratch::foster()).expect("foster can be read");
        self.add(path, &content);
    }

    /// Adds a disk with an empty ext4, /dev/vda the first, and what it takes to see it:
    /// `insmod` every /modules/*.
    pub fn add_disk(&mut self) -> PathBuf {
        let path = self.folder.path().join(format!("disk{}", self.disks.len()));
        make_disk(&path, 8 << 20, &[]);
        if self.disks.is_empty() {
            self.files.push(("modules".into(), libc::S_IFDIR | 0o755, Vec::new()));
            let drivers = first_in(&kernel().join("lib/modules")).join("kernel/drivers");
            for (place, module) in MODULES.iter().enumerate() {
                let content = fs::read(drivers.join(module)).expect("the kernel has the module");
                self.add(&format!("modules/{place}.ko"), &content);
            }
        }
        self.disks.push(path.clone());
        path
    }

    /// Switches it on; `command_line` is the kernel's.
    pub fn boot(self, command_line: &str) -> Booted {
        let memory = self.folder.path().join("initramfs");
        fs::write(&memory, archive(&self.files)).expect("the initramfs can be written");
        self.switch_on(command_line, &["-initrd".as_ref(), memory.as_os_str()])
    }

    /// Switches it on with its files on a disk instead, an ext4 which is gone with `Booted`.
    pub fn boot_from_disk(self, command_line: &str) -> (Booted, PathBuf) {
        let root = self.folder.path().join("root");
        for (path, mode, content) in &self.files {
            let path = root.join(path);
            let made = match mode & libc::S_IFMT {
                libc::S_IFDIR => fs::create_dir_all(&path),
                libc::S_IFLNK => symlink(OsStr::from_bytes(content), &path),
                _ => fs::write(&path, content)
                    .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(*mode))),
            };
            made.unwrap_or_else(|error| panic!("{path:?}: {error}"));
        }
        let disk = self.folder.path().join("root-disk");
        make_disk(&disk, 64 << 20, &["-d".as_ref(), root.as_os_str()]);
        // The kernel needs no module for this one.
        let drive = format!("file={},format=raw,if=none,id=root", disk.display());
        let device = ["-drive", &drive, "-device", "nvme,drive=root,serial=root"];
        let root = "root=/dev/nvme0n1 rootfstype=ext4 rootwait init=/init";
        (self.switch_on(&format!("{root} {command_line}"), &device.map(OsStr::new)), disk)
    }

    fn switch_on(self, command_line: &str, devices: &[&OsStr]) -> Booted {
        let monitor = self.folder.path().join("monitor");
        let mut emulator = Command::new("qemu-system-x86_64");
        emulator.args(["-M", "q35", "-accel", "tcg", "-m", "256", "-nodefaults"]);
        emulator.args(["-no-user-config", "-no-reboot", "-display", "none"]);
        emulator.args(["-serial", "stdio", "-monitor"]);
        emulator.arg(format!("unix:{},server,nowait", monitor.display()));
        for disk in &self.disks {
            let disk = format!("file={},format=raw,if=virtio", disk.display());
            emulator.arg("-drive").arg(disk);
        }
        emulator.arg("-kernel").arg(first_in(&kernel().join("boot"))).args(devices);
        // The kernel tests its timer within milliseconds, which a busy host may not have.
        let options = "console=ttyS0 panic=-1 quiet no_timer_check NO_COLOR=1";
        emulator.arg("-append").arg(format!("{options} {command_line}"));
        emulator.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        // SAFETY: between fork and exec there is one system call.
        unsafe {
            emulator.pre_exec(|| {
                // The machine ends even if the test is killed.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let mut emulator = emulator.spawn().expect("qemu-system-x86_64 is installed");
        let console = Stream::new(emulator.stdout.take().expect("it is piped").into());
        let deadline = Instant::now() + LIFETIME;
        Booted { emulator, console, seen: String::new(), deadline, folder: self.folder }
    }
}

impl Booted {
    /// Waits for this line on the console, and skips all before it.
    #[track_caller]
    pub fn expect(&mut self, wanted: &str) {
        while self.line(wanted) != wanted {}
    }

    /// Waits for a line that holds this.
    #[track_caller]
    pub fn expect_part(&mut self, wanted: &str) -> String {
        loop {
            let line = self.line(wanted);
            if line.contains(wanted) {
                return line;
            }
        }
    }

    /// Waits for lines that hold these, in any order.
    #[track_caller]
    pub fn expect_parts(&mut self, wanted: &[&str]) {
        let mut missing = wanted.to_vec();
        while !missing.is_empty() {
            let line = self.line(missing[0]);
            missing.retain(|part| !line.contains(part));
        }
    }

    /// Types a line on the console.
    pub fn type_line(&mut self, text: &str) {
        self.type_keys(&format!("{text}\n"));
    }

    /// Holds the console back by Ctrl-S: what is written there waits, and only the kernel's own
    /// lines still come.
    pub fn hold_console(&mut self) {
        self.type_keys("\x13");
    }

    /// Resumes it by Ctrl-Q.
    pub fn release_console(&mut self) {
        self.type_keys("\x11");
    }

    fn type_keys(&mut self, keys: &str) {
        let keyboard = self.emulator.stdin.as_mut().expect("it is piped");
        keyboard.write_all(keys.as_bytes()).expect("the machine is on");
    }

    /// Presses the three keys.
    pub fn press_ctrl_alt_del(&self) {
        self.press("ctrl-alt-delete");
    }

    /// Presses these keys, as the emulator calls them, on the keyboard beside the console.
    pub fn press(&self, keys: &str) {
        let path = self.folder.path().join("monitor");
        let connect = || UnixStream::connect(&path).ok();
        let mut monitor = until("the emulator has no monitor", connect);
        let command = format!("sendkey {keys}\n");
        monitor.write_all(command.as_bytes()).expect("the monitor takes commands");
        // It reads them until this end is closed, and answers all that it has read.
        monitor.shutdown(std::net::Shutdown::Write).expect("a socket has two directions");
        std::io::copy(&mut monitor, &mut std::io::sink()).expect("the monitor answers");
    }

    /// Waits for the kernel to say how the machine ends.
    #[track_caller]
    pub fn ending(&mut self) -> Ending {
        loop {
            let line = self.line("the end");
            let found = ENDINGS.iter().find(|(words, _)| line.contains(words));
            if let Some((_, ending)) = found {
                return *ending;
            }
        }
    }

    /// Waits a while for the kernel to say how the machine ends.
    #[track_caller]
    pub fn ends_within(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        loop {
            while let Some(line) = self.next_line() {
                if ENDINGS.iter().any(|(words, _)| line.contains(words)) {
                    return true;
                }
            }
            match self.console.source() {
                Some(source) if await_any(&[source], end) => self.console.fill(),
                Some(_) => return false,
                None => return true,
            };
        }
    }

    /// Waits until a machine that ended is off.
    #[track_caller]
    pub fn off(&mut self) -> &str {
        while self.emulator.try_wait().expect("the emulator is our child").is_none() {
            self.wait_for_more("the emulator to end");
        }
        &self.seen
    }

    /// All lines so far.
    pub fn seen(&self) -> &str {
        &self.seen
    }

    #[track_caller]
    fn line(&mut self, wanted: &str) -> String {
        loop {
            if let Some(line) = self.next_line() {
                return line;
            }
            let on = self.console.source().is_some();
            assert!(on, "the machine is off, waiting for {wanted:?}:\n{}", self.seen);
            self.wait_for_more(wanted);
        }
    }

    /// The next line, if it is there already.
    fn next_line(&mut self) -> Option<String> {
        // The terminal ends lines by a carriage return too; the firmware clears it.
        let line = self.console.line()?.trim_end_matches('\r').to_owned();
        let _ = writeln!(self.seen, "{line}");
        Some(line)
    }

    #[track_caller]
    fn wait_for_more(&mut self, wanted: &str) {
        let late = Instant::now() > self.deadline;
        assert!(!late, "waited too long for {wanted:?}:\n{}", self.seen);
        match self.console.source() {
            Some(source) => {
                await_any(&[source], self.deadline);
            }
            // It has closed the console, and ends.
            None => std::thread::sleep(Duration::from_millis(1)),
        }
        self.console.fill();
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        let _ = self.emulator.kill();
        let _ = self.emulator.wait();
    }
}

/// The folder of the kernel's files.
fn kernel() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/kernel");
        scratch::run(&mut Command::new(script)).trim_end().into()
    })
}

/// Makes an ext4 of this size, with these options.
fn make_disk(path: &Path, size: u64, options: &[&OsStr]) {
    let disk = fs::File::create(path).and_then(|file| file.set_len(size));
    disk.expect("a disk can be made");
    scratch::run(Command::new("/sbin/mkfs.ext4").arg("-q").args(options).arg(path));
}

fn first_in(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !name.starts_with("System.map") && !name.starts_with("config")
    });
    paths.into_iter().min().unwrap_or_else(|| panic!("there is nothing in {folder:?}"))
}

/// An initramfs of these files, by the description in the kernel's
/// driver-api/early-userspace/buffer-format.
fn archive(files: &[(String, u32, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut number = 0;
    let mut add = |path: &str, mode: u32, content: &[u8]| {
        number += 1;
        let fields = [number, mode, 0, 0, 1, 0, content.len() as u32, 0, 0, 0, 0];
        bytes.extend_from_slice(b"070701");
        for field in fields.into_iter().chain([path.len() as u32 + 1, 0]) {
            bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        for part in [format!("{path}\0").as_bytes(), content] {
            bytes.extend_from_slice(part);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
    };
    for (path, mode, content) in files {
        add(path, *mode, content);
    }
    add("TRAILER!!!", 0, b"");
    bytes
}

/// What the kernel says, and only it.
const ENDINGS: [(&str, Ending); 4] = [
    ("reboot: Power down", Ending::PowerOff),
    ("reboot: Restarting system", Ending::Reboot),
    ("reboot: System halted", Ending::Halt),
    ("Kernel panic", Ending::Panic),
];

/// Names by which busybox is called.
const APPLETS: [&str; 23] = [
    "sh", "cat", "chroot", "date", "dd", "echo", "grep", "insmod", "kill", "ls", "mkdir", "mke2fs",
    "mkswap", "mount", "readlink", "rm", "setsid", "sleep", "swapon", "true", "truncate", "umount",
    "unshare",
];

/// What sees a disk of QEMU's, in the order to load it, and one in a file.
const MODULES: [&str; 7] = [
    "virtio/virtio_ring.ko",
    "virtio/virtio.ko",
    "virtio/virtio_pci_legacy_dev.ko",
    "virtio/virtio_pci_modern_dev.ko",
    "virtio/virtio_pci.ko",
    "block/virtio_blk.ko",
    "block/loop.ko",
];

/// A machine takes seconds; this is for one whose host is very busy.
const LIFETIME: Duration = Duration::from_secs(300);
