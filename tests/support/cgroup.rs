//! A limit of processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::patience::until;

/// A cgroup that holds only so many processes.
pub struct Cgroup(PathBuf);

impl Cgroup {
    /// None where one cannot be made.
    pub fn new(limit: u64) -> Option<Cgroup> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("foster-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        // The first is that of version 1, the other of version 2.
        for root in ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"] {
            let path = Path::new(root).join(&name);
            if fs::create_dir(&path).is_ok() {
                let cgroup = Cgroup(path);
                if fs::write(cgroup.0.join("pids.max"), limit.to_string()).is_ok() {
                    return Some(cgroup);
                }
            }
        }
        None
    }

    /// What has a probe move there.
    pub fn joined(&self) -> String {
        format!("cgroup={}", self.0.display())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Its last process is gone for the kernel a moment after it is for others.
        until("the cgroup is not empty", || fs::remove_dir(&self.0).ok());
    }
}
