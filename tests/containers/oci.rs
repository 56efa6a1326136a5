//! Containers of an OCI runtime, without a daemon: runc and gVisor's runsc.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::container::{Commands, Container, Runtime};
use crate::scratch::{self, Folder};

/// An OCI runtime.
#[derive(Clone, Copy, Debug)]
pub enum Oci {
    Runc,
    Gvisor,
}

/// One container of its: a folder with the bundle and the runtime's own state.
struct Bundle {
    runtime: Oci,
    folder: Rc<Folder>,
    id: String,
}

impl Runtime for Oci {
    fn start(&self, arguments: &[&str]) -> Container {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("foster-test-{}-{count}", std::process::id());
        let folder = Rc::new(Folder::new());
        let root = folder.path().join("rootfs");
        fs::create_dir(&root).expect("the folder is ours");
        install(scratch::foster(), &root.join("foster"));
        install(scratch::probe(), &root.join("probe"));
        fs::write(folder.path().join("config.json"), configuration(arguments))
            .expect("the folder is ours");
        let bundle = Bundle { runtime: *self, folder, id };
        let mut client = bundle.command("run");
        client.arg("--bundle").arg(bundle.folder.path()).arg(&bundle.id);
        Container::new(client, Box::new(bundle))
    }
}

impl Bundle {
    fn command(&self, verb: &str) -> Command {
        let mut command = match self.runtime {
            Oci::Runc => Command::new("runc"),
            Oci::Gvisor => {
                let mut command = Command::new("runsc");
                command.args(["--network=none", "--platform=ptrace", "--ignore-cgroups"]);
                command
            }
        };
        command.arg("--root").arg(self.folder.path().join("state")).arg(verb);
        command
    }
}

impl Commands for Bundle {
    fn kill(&self, signal: &str) -> Command {
        let mut command = self.command("kill");
        command.args([&self.id, signal]);
        command
    }

    fn exec(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("exec");
        command.arg(&self.id).args(arguments);
        command
    }

    fn name(&self) -> &str {
        &self.id
    }

    fn remove(&self) {
        let mut command = self.command("delete");
        command.arg("--force").arg(&self.id).stdout(Stdio::null()).stderr(Stdio::null());
        let _ = command.status();
    }
}

/// Copies a program. Another process does: what this one has open for writing, a child of another
/// test's may have too for a moment, and what any process has open so is not executed (ETXTBSY).
pub fn install(program: &Path, to: &PathBuf) {
    let status = Command::new("cp").args([program, to]).status().expect("there is cp");
    assert!(status.success(), "cp {program:?} {to:?}: {status}");
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// What to run, and as little of a container as there can be: foster is PID 1 of a PID namespace
/// with a read-only root.
fn configuration(arguments: &[&str]) -> String {
    let mut words = String::from("\"/foster\"");
    for argument in arguments {
        // Rust writes plain text between quotes as JSON does.
        let _ = write!(words, ", {argument:?}");
    }
    format!(
        r#"{{
  "ociVersion": "1.0.2",
  "process": {{
    "terminal": false, "user": {{ "uid": 0, "gid": 0 }}, "args": [{words}],
    "env": ["PATH=/"], "cwd": "/", "noNewPrivileges": true
  }},
  "root": {{ "path": "rootfs", "readonly": true }},
  "mounts": [
    {{ "destination": "/proc", "type": "proc", "source": "proc" }},
    {{ "destination": "/dev", "type": "tmpfs", "source": "tmpfs" }}
  ],
  "linux": {{ "namespaces": [
    {{ "type": "pid" }}, {{ "type": "ipc" }}, {{ "type": "uts" }}, {{ "type": "mount" }}
  ] }}
}}"#
    )
}
