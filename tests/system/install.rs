//! `make install` and `make uninstall`, without the build before them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::subject::{Folder, binary};
use crate::support::{Launch, probe};

/// `make -s` with the binary under test, and everything below this folder.
fn make(root: &Folder, args: &[&str]) -> String {
    let make = Command::new("make")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["-s", "prefix=/usr"])
        .args(args)
        .args([
            format!("DESTDIR={}", root.word("").trim_end_matches('/')),
            format!("BINARY={}", binary()),
        ])
        .env_remove("MAKEFLAGS")
        .output()
        .expect("make is there");
    assert!(make.status.success(), "{make:?}");
    String::from_utf8(make.stderr).expect("UTF-8")
}

/// The paths of all that is below a folder, but for the folders themselves.
fn all_below(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("it can be listed") {
        let entry = entry.expect("it can be listed");
        if entry.file_type().expect("it has a type").is_dir() {
            all.append(&mut all_below(&entry.path()));
        } else {
            all.push(entry.path());
        }
    }
    all.sort();
    all
}

#[test]
fn make_install_puts_foster_in_place_under_every_name() {
    let root = Folder::new();
    assert_eq!(make(&root, &["install"]), "");
    let bin = root.path("usr/bin");
    for name in ["tini", "tini-static", "docker-init", "dumb-init", "catatonit", "podman-init"] {
        // A link that does not say where the root is works in an image too.
        let target = fs::read_link(bin.join(name)).expect("it is a link");
        assert_eq!(target, Path::new("foster"), "{name}");
        let output = Launch::new(bin.join(name)).args([probe(), "exit=3"]).output();
        assert_eq!(output.code(), 3, "{name}: {output:?}");
        let version = Launch::new(bin.join(name)).arg("--version").output();
        let line = match name {
            "dumb-init" => "dumb-init v1.2.5\n",
            "catatonit" | "podman-init" => "tini version 0.2.1_catatonit\n",
            _ => "tini version 0.19.0\n",
        };
        assert_eq!([version.stdout, version.stderr].concat(), line, "{name}");
        let page = root.path(&format!("usr/share/man/man1/{name}.1"));
        assert!(fs::read_to_string(page).expect("it can be read").starts_with(".TH FOSTER"));
    }
    let version = Launch::new(bin.join("foster")).arg("--version").output();
    assert!(version.stdout.starts_with("foster "), "{version:?}");
    // Twice is once.
    let once = all_below(&root.path(""));
    assert_eq!(make(&root, &["install"]), "");
    assert_eq!(all_below(&root.path("")), once);
}

#[test]
fn what_is_not_fosters_is_neither_replaced_nor_removed() {
    let root = Folder::new();
    let (bin, man) = (root.path("usr/bin"), root.path("usr/share/man/man1"));
    for folder in [&bin, &man] {
        fs::create_dir_all(folder).expect("a folder can be made");
    }
    fs::write(bin.join("tini"), "a peer").expect("a file can be written");
    // A link that leads nowhere, and one to a foster that is somewhere else.
    symlink("/no/where", bin.join("catatonit")).expect("a link can be made");
    symlink("/opt/foster", bin.join("docker-init")).expect("a link can be made");
    fs::write(man.join("dumb-init.1.gz"), "a page").expect("a file can be written");
    fs::write(bin.join("other"), "another").expect("a file can be written");
    let before = all_below(&root.path(""));

    let said = make(&root, &["install"]);
    for path in ["bin/tini", "bin/catatonit", "bin/docker-init", "share/man/man1/dumb-init.1.gz"] {
        let path = root.word(&format!("usr/{path}"));
        let line = format!("left as it is, since it is not foster's: {path}");
        assert!(said.lines().any(|said| said == line), "{line}: {said}");
    }
    assert_eq!(said.lines().count(), 4, "{said}");
    assert_eq!(fs::read_to_string(bin.join("tini")).expect("it is there"), "a peer");
    assert_eq!(fs::read_link(bin.join("catatonit")).expect("a link"), Path::new("/no/where"));
    assert_eq!(fs::read_link(bin.join("dumb-init")).expect("a link"), Path::new("foster"));
    for name in ["tini.1", "catatonit.1", "docker-init.1", "dumb-init.1"] {
        assert!(!man.join(name).exists(), "{name} is not about the program of this name");
    }

    assert_eq!(make(&root, &["uninstall"]), "");
    assert_eq!(all_below(&root.path("")), before);
}

#[test]
fn the_links_are_those_that_are_asked_for() {
    let root = Folder::new();
    make(&root, &["install", "LINKS="]);
    let names = |folder: &str| -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into();
        all_below(&root.path(folder)).iter().map(name).collect()
    };
    assert_eq!(names("usr/bin"), ["foster"]);
    assert_eq!(names("usr/share/man/man1"), ["foster.1"]);
    make(&root, &["install", "LINKS=tini init"]);
    assert_eq!(names("usr/bin"), ["foster", "init", "tini"]);
    assert_eq!(names("usr/share/man/man1"), ["foster.1", "init.1", "tini.1"]);
    make(&root, &["uninstall", "LINKS=init"]);
    assert!(all_below(&root.path("")).is_empty());
}

/// `.ci/place install` where there is no cargo, and what was built is in this folder.
fn place_without_cargo(built: &Folder, root: &Folder) -> Output {
    let tools = Folder::new();
    for tool in ["cat", "install", "ln", "rm", "readlink"] {
        symlink(Path::new("/usr/bin").join(tool), tools.path(tool)).expect("a link can be made");
    }
    Command::new("/bin/sh")
        .arg(".ci/place")
        .arg("install")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .envs([("PATH", tools.word("")), ("DESTDIR", root.word(""))])
        .env("CARGO_TARGET_DIR", built.path(""))
        .output()
        .expect("there is a shell")
}

#[test]
fn without_cargo_what_is_built_is_installed_and_what_is_not_is_said() {
    let (built, root) = (Folder::new(), Folder::new());
    let output = place_without_cargo(&built, &root);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no cargo to build it here: make build"), "{said}");
    assert!(all_below(&root.path("")).is_empty());

    fs::create_dir(built.path("release")).expect("a folder can be made");
    built.program("release/foster", Path::new(&binary()));
    let output = place_without_cargo(&built, &root);
    assert!(output.status.success(), "{output:?}");
    let version = Launch::new(root.path("usr/local/bin/tini")).arg("--version").output();
    assert_eq!(version.stdout, "tini version 0.19.0\n");
}
