//! Where the measures run: the subjects, the compiled children, the order of the rounds, and what
//! is alive.

use std::{
    cell::{Cell, RefCell},
    fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    procfs,
    stats::Random,
    subjects::{Role, Subject},
    sys::{self, Limit, PATIENCE, Pid, Record, Start},
};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    Full,
    /// Enough to see a ratio that is clearly lost.
    Check,
}

impl Effort {
    pub fn pick<T>(self, full: T, check: T) -> T {
        match self {
            Effort::Full => full,
            Effort::Check => check,
        }
    }
}

/// What came of one subject: its samples, or why there are none.
pub struct Series<'a, T> {
    pub subject: &'a Subject,
    pub samples: Result<Vec<T>, Gap>,
}

/// Why a subject has no figures.
#[derive(Clone, Debug, PartialEq)]
pub enum Gap {
    /// It was not to be measured.
    Absent(&'static str),
    Failed(String),
}

impl From<io::Error> for Gap {
    fn from(error: io::Error) -> Self {
        Gap::Failed(error.to_string())
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Gap::Absent(reason) => to.write_str(reason),
            Gap::Failed(error) => write!(to, "failed: {error}"),
        }
    }
}

pub struct Bed {
    pub effort: Effort,
    pub subjects: Vec<Subject>,
    /// Where the children, the floors and foster are.
    pub programs: PathBuf,
    work: PathBuf,
    random: RefCell<Random>,
    folders: Cell<usize>,
}

impl Bed {
    /// Compiles the children into `programs`, and copies foster there: it is to be read from a disk
    /// as the peers are. `work` is empty.
    pub fn new(
        effort: Effort,
        foster: &Path,
        programs: &Path,
        musl: Option<&Path>,
        work: &Path,
        seed: u64,
    ) -> io::Result<Self> {
        for name in CHILDREN {
            compile(name, programs)?;
        }
        let copy = programs.join("foster");
        fs::copy(foster, &copy)?;
        for name in CHILDREN.iter().chain(&["foster"]) {
            sys::settle(&programs.join(name))?;
        }
        let subjects = crate::subjects::all(&copy, programs, musl);
        let rebuilt = subjects.iter().filter(|subject| subject.role == Role::Rebuilt);
        for program in rebuilt.flat_map(|subject| &subject.programs) {
            sys::settle(program)?;
        }
        Ok(Bed {
            effort,
            subjects,
            programs: programs.into(),
            work: work.into(),
            random: RefCell::new(Random::new(seed)),
            folders: Cell::new(0),
        })
    }

    pub fn child(&self, name: &str) -> String {
        self.programs.join(name).display().to_string()
    }

    /// An empty folder that nobody else uses.
    pub fn folder(&self) -> io::Result<PathBuf> {
        let number = self.folders.replace(self.folders.get() + 1);
        let folder = self.work.join(format!("run-{number}"));
        fs::create_dir(&folder)?;
        Ok(folder)
    }

    pub fn inits(&self) -> Vec<&Subject> {
        self.subjects.iter().filter(|subject| !subject.supervises).collect()
    }

    pub fn supervisors(&self) -> Vec<&Subject> {
        self.subjects.iter().filter(|subject| subject.supervises).collect()
    }

    /// Why a subject is not measured, if it is not.
    pub fn absence(&self, subject: &Subject) -> Option<Gap> {
        match () {
            () if !subject.installed() => Some(Gap::Absent("not installed")),
            () if subject.slow && self.effort == Effort::Check => {
                Some(Gap::Absent("not in the short run"))
            }
            () => None,
        }
    }

    /// Takes samples of all subjects in turn, each round in another order, so that whatever
    /// disturbs the machine disturbs all of them. The warm-up rounds are not counted. A subject
    /// that fails once is out, with its reason.
    pub fn rounds<'a, T>(
        &self,
        subjects: &[&'a Subject],
        warm_up: usize,
        counted: usize,
        mut sample: impl FnMut(&'a Subject) -> io::Result<Vec<T>>,
    ) -> Vec<Series<'a, T>> {
        let start = |subject: &&'a Subject| Series {
            subject,
            samples: self.absence(subject).map_or(Ok(Vec::new()), Err),
        };
        let mut all: Vec<Series<T>> = subjects.iter().map(start).collect();
        let mut order: Vec<usize> = (0..all.len()).collect();
        for round in 0..warm_up + counted {
            self.random.borrow_mut().shuffle(&mut order);
            for &index in &order {
                let series = &mut all[index];
                let Ok(samples) = &mut series.samples else {
                    continue;
                };
                match sample(series.subject) {
                    Ok(taken) if round >= warm_up => samples.extend(taken),
                    Ok(_) => {}
                    Err(error) => series.samples = Err(error.into()),
                }
            }
        }
        all
    }

    /// Starts a subject over one child that says when it runs, and waits until it does and both
    /// have come to rest.
    pub fn start(&self, subject: &Subject) -> io::Result<Running> {
        let argv = subject.one(&[&self.child("service")], &self.folder()?)?;
        let running = Running::start(&argv, 1)?;
        procfs::wait_until_idle(running.pid)?;
        Ok(running)
    }

    /// The same over so many services. Those of a subject that stops them take up to a second.
    pub fn start_many(&self, subject: &Subject, services: usize) -> io::Result<Running> {
        let child = if subject.stops_services { "service-staggered" } else { "service" };
        let argv = subject.many(&self.child(child), services, &self.folder()?)?;
        Running::start(&argv, services)
    }

    /// The same over so many services of foster's, with the backoff that it has by default.
    pub fn start_with_backoff(&self, foster: &Subject, services: usize) -> io::Result<Running> {
        Running::start(&foster.wrap(&[], &self.child("service"), services), services)
    }

    /// Ends everything in this namespace but ourselves, process by process.
    pub fn sweep(&self) -> io::Result<()> {
        let ourselves = std::process::id() as Pid;
        assert_eq!(ourselves, 1, "outside a namespace of its own this would end the world");
        loop {
            sys::reap();
            let others: Vec<Pid> =
                procfs::processes()?.into_keys().filter(|&pid| pid != ourselves).collect();
            if others.is_empty() {
                return Ok(());
            }
            for pid in others {
                // It may have ended since.
                let _ = sys::kill(pid, libc::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A subject with its children, ended when dropped.
pub struct Running {
    pub pid: Pid,
    /// The last record of each child, the latest last.
    pub children: Vec<Record>,
    records: File,
    ended: bool,
}

impl Running {
    fn start(argv: &[String], children: usize) -> io::Result<Self> {
        let (records, writer) = sys::pipe()?;
        let pid = Start::new(argv)?.output(writer).start()?;
        let mut running = Running { pid, children: Vec::new(), records, ended: false };
        running.hear(children)?;
        Ok(running)
    }

    /// Waits for so many children to say that they run.
    pub fn hear(&mut self, count: usize) -> io::Result<&[Record]> {
        self.children.clear();
        for _ in 0..count {
            self.children.push(Record::read(&mut self.records)?);
        }
        Ok(&self.children)
    }

    /// Kills one child, and waits for its successor to say that it runs.
    pub fn kill_one(&mut self, index: usize) -> io::Result<()> {
        sys::kill(self.children[index].pid, libc::SIGKILL)?;
        self.children[index] = Record::read(&mut self.records)?;
        Ok(())
    }

    /// The processes of the subject itself, without its children.
    pub fn processes(&self) -> io::Result<Vec<Pid>> {
        let mut tree = procfs::tree(self.pid)?;
        tree.retain(|pid| !self.children.iter().any(|child| child.pid == *pid));
        Ok(tree)
    }

    /// Sends a signal to the subject, waits for its end, and says how long that took in
    /// nanoseconds.
    pub fn stop(mut self, signal: i32) -> io::Result<u64> {
        let limit = Limit::set();
        let before = sys::now();
        sys::kill(self.pid, signal)?;
        limit.wait(self.pid)?;
        let taken = sys::now() - before;
        self.ended = true;
        Ok(taken)
    }

    /// The same, and says how much processor time the subject took for it, in nanoseconds.
    pub fn work_of_stop(mut self, signal: i32) -> io::Result<u64> {
        let before = procfs::cpu_time(self.pid)?;
        sys::kill(self.pid, signal)?;
        sys::wait_for_end(self.pid, PATIENCE)?;
        let after = procfs::cpu_time(self.pid)?;
        sys::wait(self.pid)?;
        self.ended = true;
        Ok(after - before)
    }

    /// Waits until the youngest child has run for so long.
    pub fn wait_for_uptime(&self, uptime: Duration) {
        let youngest = self.children.iter().map(|child| child.at).max().unwrap_or(0);
        let due = youngest + uptime.as_nanos() as u64;
        std::thread::sleep(Duration::from_nanos(due.saturating_sub(sys::now())));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The subject first, so that it does not start the child again. Either may be gone.
        if !self.ended {
            let _ = sys::kill(self.pid, libc::SIGKILL);
            let _ = sys::wait(self.pid);
        }
        for child in &self.children {
            let _ = sys::kill(child.pid, libc::SIGKILL);
        }
        sys::reap();
    }
}

const CHILDREN: [&str; 7] =
    ["true", "service", "service-ready", "service-staggered", "orphans", "floor", "floor-restart"];

fn compile(name: &str, into: &Path) -> io::Result<()> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("child");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let status = Command::new(&compiler)
        .args(
            "-Os -std=gnu11 -Wall -ffreestanding -fno-stack-protector -fno-pie -no-pie".split(' '),
        )
        .args(
            "-fno-asynchronous-unwind-tables -fomit-frame-pointer -nostdlib -static -s".split(' '),
        )
        .args("-Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,norelro".split(' '))
        .arg("-o")
        .arg(into.join(name))
        .arg(sources.join(name).with_extension("c"))
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{compiler} cannot compile child/{name}.c"))),
    }
}
