//! Docker: a daemon of the test's own, and containers of its.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use nix::libc;

use crate::container::{Commands, Container, Runtime};
use crate::oci::install;
use crate::scratch::{self, Folder};
use crate::support::terminal::Terminal;

/// Docker, with the options for the next container.
#[derive(Clone, Debug, Default)]
pub struct Docker {
    options: Vec<String>,
    /// The command is all, and foster is not the image's entry point.
    bare: bool,
}

/// The daemon while the tests run.
#[derive(Debug)]
struct Daemon {
    process: Mutex<Child>,
    folder: Folder,
}

/// One container of its.
struct Named(String);

impl Docker {
    pub fn new() -> Self {
        Self::default()
    }

    /// With an option of `docker run`.
    pub fn option(mut self, option: &str) -> Self {
        self.options.push(option.into());
        self
    }

    /// Without foster as the entry point.
    pub fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// The command that runs a container, and its name.
    pub fn run(&self, image: &str, arguments: &[&str]) -> (Command, String) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut command = docker(&["run", "--network=none", "--name", &name]);
        command.args(&self.options);
        if self.bare {
            command.arg("--entrypoint=");
        }
        command.arg(image).args(arguments);
        (command, name)
    }
}

impl Docker {
    /// Starts a container of an image of the test's own.
    pub fn start_image(&self, image: &str, arguments: &[&str]) -> Container {
        let (client, name) = self.run(image, arguments);
        Container::new(client, Box::new(Named(name)))
    }

    /// Starts a container on a terminal, as `docker run -it` does.
    pub fn start_on_terminal(self, arguments: &[&str]) -> (Container, Terminal) {
        let (client, name) = self.option("-it").run(APP, arguments);
        let (terminal, input) = Terminal::open();
        (Container::with_input(client, input.into(), Box::new(Named(name))), terminal)
    }
}

impl Runtime for Docker {
    fn start(&self, arguments: &[&str]) -> Container {
        self.start_image(APP, arguments)
    }
}

impl Commands for Named {
    fn kill(&self, signal: &str) -> Command {
        docker(&["kill", "--signal", signal, &self.0])
    }

    fn exec(&self, arguments: &[&str]) -> Command {
        let mut command = docker(&["exec", &self.0]);
        command.args(arguments);
        command
    }

    fn name(&self) -> &str {
        &self.0
    }

    fn remove(&self) {
        let mut remove = docker(&["rm", "--force", &self.0]);
        let _ = remove.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// A command of Docker's client, for the daemon that the first one starts.
pub fn docker(arguments: &[&str]) -> Command {
    let mut command = client(&daemon().folder);
    command.args(arguments);
    command
}

/// A field of a container's state, as Docker tells it.
pub fn state(name: &str, field: &str) -> String {
    let format = format!("{{{{.State.{field}}}}}");
    scratch::run(&mut docker(&["inspect", "--format", &format, name])).trim_end().to_owned()
}

/// foster as the entry point, the probe, and nothing else.
pub const APP: &str = "foster-app";

/// The same with busybox's shell.
pub const SHELL: &str = "foster-shell";

fn client(folder: &Folder) -> Command {
    let mut command = Command::new("/usr/bin/docker");
    command.arg("--host").arg(format!("unix://{}", folder.path().join("socket").display()));
    command.env("DOCKER_BUILDKIT", "0").env("DOCKER_CONFIG", folder.path().join("config"));
    command
}

fn daemon() -> &'static Daemon {
    static DAEMON: OnceLock<Daemon> = OnceLock::new();
    static STOP: OnceLock<&'static Daemon> = OnceLock::new();
    extern "C" fn stop() {
        if let Some(daemon) = STOP.get() {
            daemon.stop();
        }
    }
    let daemon = DAEMON.get_or_init(|| {
        let daemon = Daemon::start();
        // SAFETY: the handler uses nothing that is gone when the process exits.
        unsafe { libc::atexit(stop) };
        daemon
    });
    STOP.get_or_init(|| daemon);
    daemon
}

impl Daemon {
    fn start() -> Self {
        let folder = Folder::new();
        let path = folder.path();
        // foster under the name that makes it Docker's init.
        install(scratch::foster(), &path.join("docker-init"));
        let log = fs::File::create(path.join("log")).expect("the folder is ours");
        let mut command = Command::new("dockerd");
        command.args(["--iptables=false", "--bridge=none", "--storage-driver=vfs"]);
        command.arg("--host").arg(format!("unix://{}", path.join("socket").display()));
        command.arg("--init-path").arg(path.join("docker-init"));
        for (option, place) in
            [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")]
        {
            command.arg(option).arg(path.join(place));
        }
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file")).stderr(log);
        let daemon = Daemon { process: Mutex::new(spawn_for_ever(command)), folder };
        daemon.await_ready();
        daemon.build(APP, &[]);
        daemon.build(SHELL, &["sh", "ls", "cat", "sleep", "kill", "ps", "tail", "true"]);
        daemon
    }

    fn await_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        let asks =
            || client(&self.folder).arg("version").output().is_ok_and(|o| o.status.success());
        while !asks() {
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
            let ended = process.try_wait().expect("the daemon is our child");
            assert!(ended.is_none(), "dockerd: {ended:?}\n{}", log());
            assert!(Instant::now() < deadline, "dockerd does not answer\n{}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Builds an image from nothing, with these names for busybox, if any.
    fn build(&self, image: &str, applets: &[&str]) {
        let folder = self.folder.path().join(image);
        fs::create_dir_all(folder.join("bin")).expect("the folder is ours");
        for name in ["foster", "tini", "dumb-init", "catatonit"] {
            install(scratch::foster(), &folder.join(name));
        }
        install(scratch::probe(), &folder.join("probe"));
        if !applets.is_empty() {
            install(scratch::busybox(), &folder.join("bin/busybox"));
        }
        for applet in applets {
            std::os::unix::fs::symlink("busybox", folder.join("bin").join(applet))
                .expect("the folder is ours");
        }
        let mut file = fs::File::create(folder.join("Dockerfile")).expect("the folder is ours");
        let copy = if applets.is_empty() { "" } else { "COPY bin /bin\n" };
        write!(file, "FROM scratch\nCOPY foster probe tini dumb-init catatonit /\n{copy}ENTRYPOINT [\"/foster\"]\n")
            .expect("the folder is ours");
        scratch::run(client(&self.folder).args(["build", "--quiet", "--tag", image]).arg(&folder));
    }

    /// Ends the daemon, which ends what it has started, in time, and clears its folder.
    fn stop(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the daemon is our child and not reaped.
        unsafe { libc::kill(process.id() as i32, libc::SIGTERM) };
        let deadline = Instant::now() + PATIENCE;
        while matches!(process.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                // The containers are gone by now, and containerd goes with whom it serves.
                let _ = process.kill();
                let _ = process.wait();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        unmount_below(self.folder.path());
        let _ = fs::remove_dir_all(self.folder.path());
    }
}

/// Starts a process that ends with this one, however that ends.
fn spawn_for_ever(mut command: Command) -> Child {
    // The kernel sends the signal when the thread ends that started it; so it is one that stays.
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        // SAFETY: between fork and exec there is one system call.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                Ok(())
            });
        }
        tell.send(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
            .expect("somebody waits for it");
        loop {
            std::thread::park();
        }
    });
    told.recv().expect("dockerd is installed")
}

/// Unmounts what a daemon may have left mounted.
fn unmount_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
    for place in places.filter(|place| place.starts_with(folder)) {
        let _ = Command::new("umount").arg("--lazy").arg(place).status();
    }
}

const PATIENCE: Duration = Duration::from_secs(120);
