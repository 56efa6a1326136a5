//! What the process was started with: its environment, and programs found by it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_DIRECTORY, GetFileAttributesW, INVALID_FILE_ATTRIBUTES,
};
use windows_sys::Win32::System::Environment::{FreeEnvironmentStringsW, GetEnvironmentStringsW};

use foster::cli::{Platform, Surroundings};
use foster::process::Pid;
use foster::time::Timestamp;

use crate::log::wall_clock;

/// What the process was started with. The system keeps all of it.
#[derive(Clone, Copy)]
pub struct World;

impl World {
    /// The file that a word names: on `PATH` if it is a plain name, and with the extensions of
    /// `PATHEXT`. Unlike cmd.exe and `CreateProcess`, this does not search the current folder, so
    /// that a file there is not run by accident.
    pub(super) fn find(self, word: &OsStr) -> Option<PathBuf> {
        let path = Path::new(word);
        let has_folder = has_folder(word);
        let has_extension = path.extension().is_some_and(|extension| !extension.is_empty());
        let extensions = env::var_os("PATHEXT").filter(|list| !list.is_empty());
        let extensions = extensions.unwrap_or_else(|| OsString::from(".COM;.EXE;.BAT;.CMD"));
        let find = |path: PathBuf| {
            if has_extension && is_file(&path) {
                return Some(path);
            }
            for extension in env::split_paths(&extensions) {
                let mut name = path.clone().into_os_string();
                name.push(extension);
                if is_file(Path::new(&name)) {
                    return Some(name.into());
                }
            }
            (has_folder && is_file(&path)).then_some(path)
        };
        if word.is_empty() {
            None
        } else if has_folder {
            find(path.to_owned())
        } else {
            let folders = env::var_os("PATH").unwrap_or_default();
            env::split_paths(&folders)
                .filter(|folder| !folder.as_os_str().is_empty())
                .find_map(|folder| find(folder.join(path)))
        }
    }

    /// Whether a word is the path of a folder.
    pub(super) fn is_folder(self, word: &OsStr) -> bool {
        let attributes = attributes(Path::new(word)).filter(|_| has_folder(word));
        attributes.is_some_and(|attributes| attributes & FILE_ATTRIBUTE_DIRECTORY != 0)
    }

    /// The shell: `%ComSpec%`, or the system's own.
    pub(super) fn shell(self) -> PathBuf {
        let named = env::var_os("ComSpec").filter(|path| !path.is_empty()).map(PathBuf::from);
        named.unwrap_or_else(|| {
            let root = env::var_os("SystemRoot").unwrap_or_else(|| "C:\\Windows".into());
            Path::new(&root).join("System32").join("cmd.exe")
        })
    }

    /// The environment with these variables, in the form for `CreateProcess`: sorted, each variable
    /// followed by a NUL, and one more NUL.
    pub(super) fn environment_with(self, variables: &[(&str, &str)]) -> Vec<u16> {
        let mut entries = inherited();
        for (name, value) in variables {
            let name_of = |entry: &[u16]| {
                // Variables whose names begin with `=` hold the current folder of each drive.
                let end = entry.iter().skip(1).position(|unit| *unit == u16::from(b'='));
                OsString::from_wide(&entry[..end.map_or(entry.len(), |end| end + 1)])
                    .to_ascii_uppercase()
            };
            entries.retain(|entry| name_of(entry) != **name);
            let place = entries.partition_point(|entry| *name_of(entry) < **name);
            entries.insert(place, OsStr::new(&[name, "=", value].concat()).encode_wide().collect());
        }
        let mut block = entries.join(&0);
        block.extend([0, 0]);
        block
    }
}

impl Surroundings for World {
    fn variable(&self, name: &str) -> Option<OsString> {
        env::var_os(name)
    }

    fn names(&self, prefix: &str) -> Vec<OsString> {
        let begins_so = |name: &OsString| {
            let name = name.as_encoded_bytes();
            name.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
        };
        env::vars_os().map(|(name, _)| name).filter(begins_so).collect()
    }

    fn is_program(&self, word: &OsStr) -> bool {
        self.find(word).is_some()
    }

    fn platform(&self) -> Platform {
        Platform::Windows
    }

    fn own_pid(&self) -> Pid {
        Pid(std::process::id())
    }

    fn now(&self) -> Timestamp {
        wall_clock()
    }
}

/// The inherited variables, each as `NAME=value`.
fn inherited() -> Vec<Vec<u16>> {
    let mut entries = Vec::new();
    // SAFETY: the block consists of texts that end with a NUL each, and ends with one more, so each
    // read is inside it. It is freed once, after the last read.
    unsafe {
        let block = GetEnvironmentStringsW();
        let mut next = block;
        while !next.is_null() && *next != 0 {
            let length = (0..).take_while(|index| *next.add(*index) != 0).count();
            entries.push(std::slice::from_raw_parts(next, length).to_vec());
            next = next.add(length + 1);
        }
        if !block.is_null() {
            FreeEnvironmentStringsW(block);
        }
    }
    entries
}

/// Whether a word is a path and not a plain name.
fn has_folder(word: &OsStr) -> bool {
    word.as_encoded_bytes().iter().any(|byte| b"\\/:".contains(byte))
}

/// Whether there is anything but a folder at this path. A link counts and is not followed: links to
/// programs of the Store lead nowhere that can be opened.
fn is_file(path: &Path) -> bool {
    attributes(path).is_some_and(|attributes| attributes & FILE_ATTRIBUTE_DIRECTORY == 0)
}

fn attributes(path: &Path) -> Option<u32> {
    let path: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    // SAFETY: the path ends with a NUL.
    let attributes = unsafe { GetFileAttributesW(path.as_ptr()) };
    (attributes != INVALID_FILE_ATTRIBUTES).then_some(attributes)
}
