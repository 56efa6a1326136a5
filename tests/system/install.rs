//! `make install`, without the build before it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::subject::{Folder, binary};
use crate::support::{Launch, probe};

#[test]
fn make_install_puts_foster_in_place_under_every_name() {
    let (built, root) = (Folder::new(), Folder::new());
    fs::create_dir(built.path("release")).expect("a folder can be made");
    fs::copy(binary(), built.path("release/foster")).expect("foster can be copied");
    let make = Command::new("make")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // What is said to be old is not built.
        .args(["-s", "-o", "build", "install", "prefix=/usr"])
        .arg(format!("DESTDIR={}", root.word("")))
        .env("CARGO_TARGET_DIR", built.path(""))
        .env_remove("MAKEFLAGS")
        .output()
        .expect("make is there");
    assert!(make.status.success(), "{make:?}");
    let bin = root.path("usr/bin");
    for name in ["tini", "tini-static", "docker-init", "dumb-init", "catatonit"] {
        // A link that does not say where the root is works in an image too.
        let target = fs::read_link(bin.join(name)).expect("it is a link");
        assert_eq!(target, Path::new("foster"), "{name}");
        let output = Launch::new(bin.join(name)).args([probe(), "exit=3"]).output();
        assert_eq!(output.code(), 3, "{name}: {output:?}");
        let version = Launch::new(bin.join(name)).arg("--version").output();
        let line = match name {
            "dumb-init" => "dumb-init v1.2.5\n",
            "catatonit" => "tini version 0.2.1_catatonit\n",
            _ => "tini version 0.19.0\n",
        };
        assert_eq!([version.stdout, version.stderr].concat(), line, "{name}");
    }
    assert!(root.path("usr/share/man/man1/foster.1").exists());
    let version = Launch::new(bin.join("foster")).arg("--version").output();
    assert!(version.stdout.starts_with("foster "), "{version:?}");
}
