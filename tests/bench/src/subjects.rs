//! Who is measured, and the command line of each.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Foster,
    Peer,
    /// A peer built in another way than Debian does: shown, and no part of any target.
    Rebuilt,
    /// The physical limit, which is no program to use.
    Floor,
}

/// One way to run one program.
pub struct Subject {
    pub name: &'static str,
    pub role: Role,
    pub supervises: bool,
    /// The programs that it consists of; empty where one of them is not installed.
    pub programs: Vec<PathBuf>,
    /// Debian's package.
    pub package: Option<&'static str>,
    /// How long a child has to have run for its restart to be at once.
    pub min_uptime: Duration,
    /// On SIGTERM one process of its own stops all services, waits for them, and ends.
    pub stops_services: bool,
    /// Answers once a second, and starts a thousand services in minutes.
    pub slow: bool,
}

impl Subject {
    pub fn installed(&self) -> bool {
        !self.programs.is_empty()
    }

    /// The command line for one child; `folder` is empty and the subject's own.
    pub fn one(&self, child: &[&str], folder: &Path) -> io::Result<Vec<String>> {
        match self.name {
            // Adopting orphans is what foster does by default, and saves tini a warning.
            "tini" | "tini-static" | "tini (musl)" => Ok(self.init(&["-s", "--"], child)),
            "dumb-init" | "dumb-init (musl)" => Ok(self.init(&["--"], child)),
            "s6" | "runit" => {
                self.service(folder, child[0])?;
                Ok(vec![text(&self.programs[1]), text(folder)])
            }
            _ if self.supervises => self.many(child[0], 1, folder),
            _ => Ok(self.as_pid_1(child)),
        }
    }

    /// The command line of an init that is PID 1.
    pub fn as_pid_1(&self, child: &[&str]) -> Vec<String> {
        match self.name {
            "floor" => self.init(&[], child),
            // Without -c its children are in a session, and so in a scheduling group, of their own:
            // what that costs says more about the kernel than about dumb-init.
            "dumb-init" | "dumb-init (musl)" => self.init(&["-c", "--"], child),
            _ => self.init(&["--"], child),
        }
    }

    fn init(&self, options: &[&str], child: &[&str]) -> Vec<String> {
        strings(&[&[text(&self.programs[0]).as_str()], options, child].concat())
    }

    /// The command line for so many services that run the same child.
    pub fn many(&self, child: &str, services: usize, folder: &Path) -> io::Result<Vec<String>> {
        let program = text(&self.programs[0]);
        let count = services.to_string();
        let place = text(folder);
        Ok(match self.name {
            "foster --wrap" => {
                self.wrap(&["--backoff", "0ms", "--backoff-max", "0ms"], child, services)
            }
            "s6" | "runit" => {
                for index in 0..services {
                    let folder = folder.join(index.to_string());
                    fs::create_dir(&folder)?;
                    self.service(&folder, child)?;
                }
                match self.name {
                    "s6" => {
                        strings(&[&program, "-t", "0", "-c", &(services + 1).to_string(), &place])
                    }
                    _ => strings(&[&program, &place]),
                }
            }
            "supervisor" => {
                let path = folder.join("supervisord.conf");
                fs::write(&path, supervisord(child, services, &place))?;
                strings(&[&program, "-n", "-c", &text(&path)])
            }
            "floor (restart)" => strings(&[&program, &count, child]),
            name => unreachable!("{name} supervises nothing"),
        })
    }

    /// The command line of foster for so many services.
    pub fn wrap(&self, options: &[&str], child: &str, services: usize) -> Vec<String> {
        let wraps = std::iter::repeat_n(["--wrap", child], services);
        let wraps: Vec<&str> = wraps.flatten().collect();
        strings(&[&[text(&self.programs[0]).as_str()], options, &wraps].concat())
    }

    /// A service folder as s6 and runit want it.
    fn service(&self, folder: &Path, child: &str) -> io::Result<()> {
        if self.name != "s6" {
            return symlink(child, folder.join("run"));
        }
        fs::write(folder.join("notification-fd"), "3\n")?;
        symlink(format!("{child}-ready"), folder.join("run"))
    }

    /// The version that is measured, for the report.
    pub fn version(&self) -> String {
        let mut command = match self.package {
            _ if !self.installed() => return "not installed".into(),
            Some(package) => {
                let mut query = Command::new("dpkg-query");
                query.args(["-W", "-f", "${Package} ${Version}", package]);
                query
            }
            None if self.role == Role::Foster => {
                let mut query = Command::new(&self.programs[0]);
                query.arg("-V");
                query
            }
            None if self.role == Role::Rebuilt => {
                let mut query = Command::new(&self.programs[0]);
                query.arg("--version");
                query
            }
            None => return "tests/bench/child".into(),
        };
        match command.output() {
            // dumb-init tells its version on standard error.
            Ok(output) => {
                let said = [output.stdout, output.stderr].concat();
                String::from_utf8_lossy(&said).trim().into()
            }
            Err(_) => "unknown".into(),
        }
    }
}

/// All subjects, in the order of the report. `floors` holds the compiled floor programs, `musl` what
/// .ci/peers could build.
pub fn all(foster: &Path, floors: &Path, musl: Option<&Path>) -> Vec<Subject> {
    let foster = fs::canonicalize(foster).ok().filter(|path| path.is_file());
    let subject = |name, role, programs| Subject {
        name,
        role,
        programs,
        supervises: false,
        package: None,
        min_uptime: Duration::ZERO,
        stops_services: false,
        slow: false,
    };
    let ours = |name| subject(name, Role::Foster, foster.iter().cloned().collect());
    let floor = |name, program| subject(name, Role::Floor, vec![floors.join(program)]);
    let peer = |name, package, programs: &[&str]| {
        let programs: Option<_> = programs.iter().map(|name| find(name)).collect();
        Subject {
            package: Some(package),
            ..subject(name, Role::Peer, programs.unwrap_or_default())
        }
    };
    let rebuilt = |name, program| {
        let program = musl.map(|folder| folder.join(program));
        subject(name, Role::Rebuilt, program.filter(|path| path.is_file()).into_iter().collect())
    };
    let supervisor = |subject| Subject { supervises: true, ..subject };
    let stopper = |subject| Subject { stops_services: true, ..supervisor(subject) };
    // s6 and runit hold back a child that ended within a second.
    let a_second_apart =
        |subject| Subject { min_uptime: Duration::from_millis(1_100), ..supervisor(subject) };
    let mut all = vec![
        ours("foster"),
        peer("tini-static", "tini", &["tini-static"]),
        peer("tini", "tini", &["tini"]),
        peer("dumb-init", "dumb-init", &["dumb-init"]),
        peer("catatonit", "catatonit", &["catatonit"]),
        rebuilt("tini (musl)", "tini"),
        rebuilt("dumb-init (musl)", "dumb-init"),
        floor("floor", "floor"),
        // foster leaves 10 ms between a run under 100 ms and the next.
        Subject { min_uptime: Duration::from_millis(110), ..stopper(ours("foster --wrap")) },
        a_second_apart(peer("s6", "s6", &["s6-svscan", "s6-supervise"])),
        a_second_apart(peer("runit", "runit", &["runsvdir", "runsv"])),
        Subject { slow: true, ..stopper(peer("supervisor", "supervisor", &["supervisord"])) },
        supervisor(floor("floor (restart)", "floor-restart")),
    ];
    all.retain(|subject| musl.is_some() || subject.role != Role::Rebuilt);
    all
}

fn find(program: &str) -> Option<PathBuf> {
    let folders = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];
    folders.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.is_file())
}

/// supervisord's output option hands what a child writes on to its own standard output, where the
/// driver listens.
fn supervisord(child: &str, services: usize, folder: &str) -> String {
    format!(
        "[supervisord]\nuser=root\nsilent=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n\
         pidfile={folder}/pid\nminfds=8192\n\
         [program:service]\ncommand={child}\nnumprocs={services}\n\
         process_name=%(program_name)s-%(process_num)d\nstartsecs=0\nautorestart=true\n\
         stdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\nstderr_logfile=NONE\n"
    )
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(name: &str) -> Subject {
        let mut subjects = all(Path::new("/bin/sh"), Path::new("/floors"), None);
        let mut subject = subjects.remove(subjects.iter().position(|s| s.name == name).unwrap());
        subject.programs = vec!["/x/a".into(), "/x/b".into()];
        subject
    }

    #[test]
    fn an_init_gets_its_options_and_then_the_child() {
        let argv = |name| subject(name).one(&["/c", "3"], Path::new("/none")).unwrap().join(" ");
        assert_eq!(argv("foster"), "/x/a -- /c 3");
        assert_eq!(argv("tini-static"), "/x/a -s -- /c 3");
        assert_eq!(argv("dumb-init"), "/x/a -- /c 3");
        assert_eq!(argv("floor"), "/x/a /c 3");
    }

    #[test]
    fn a_supervisor_gets_each_service() {
        let argv = |name| subject(name).many("/c", 2, Path::new("/none")).unwrap().join(" ");
        assert_eq!(
            argv("foster --wrap"),
            "/x/a --backoff 0ms --backoff-max 0ms --wrap /c --wrap /c"
        );
        assert_eq!(argv("floor (restart)"), "/x/a 2 /c");
    }

    #[test]
    fn rebuilt_peers_are_there_where_they_were_asked_for() {
        let rebuilt = |musl: Option<&str>| {
            let subjects = all(Path::new("/f"), Path::new("/floors"), musl.map(Path::new));
            let rebuilt = subjects.into_iter().filter(|subject| subject.role == Role::Rebuilt);
            rebuilt.map(|subject| subject.installed()).collect::<Vec<_>>()
        };
        assert_eq!(rebuilt(None), []);
        assert_eq!(rebuilt(Some("/does/not/exist")), [false, false]);
    }

    #[test]
    fn what_is_missing_is_not_installed() {
        let subjects = all(Path::new("/does/not/exist"), Path::new("/floors"), None);
        assert!(!subjects[0].installed());
        assert_eq!(subjects[0].version(), "not installed");
    }
}
