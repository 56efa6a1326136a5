//! Programs where every user can reach them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The same program where every user can reach it: some are started as other users, and the folder
/// of a clone or of a cache may be closed to those. Then there is a copy for as long as it is current.
pub fn reachable(program: &str) -> String {
    let path = Path::new(program);
    let is_open = |folder: &Path| {
        fs::metadata(folder).is_ok_and(|folder| folder.permissions().mode() & 0o001 != 0)
    };
    let mut folders = path.ancestors().skip(1).filter(|folder| folder.is_absolute());
    let Ok(original) = fs::metadata(path) else { return program.into() };
    if folders.all(is_open) {
        return program.into();
    }
    let stamp =
        [original.ino(), original.len(), original.mtime() as u64, original.mtime_nsec() as u64];
    let stamp = stamp.map(|number| format!("{number:x}")).join("-");
    let folder = std::env::temp_dir().join(format!("foster-tests-{stamp}"));
    let copy = folder.join(path.file_name().expect("a program has a name"));
    // Tests of one program ask at once.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if !copy.exists() {
        fs::create_dir_all(&folder).expect("there is a folder for what is temporary");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("it is ours");
        // Not by this process: who is forked meanwhile would keep the copy from being executed.
        let draft = folder.join(std::process::id().to_string());
        let copied = Command::new("cp").arg(path).arg(&draft).status().expect("cp runs");
        assert!(copied.success(), "{path:?} cannot be copied");
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).expect("it is ours");
        fs::rename(&draft, &copy).expect("it is the same folder");
    }
    copy.to_str().expect("the path is text").into()
}
