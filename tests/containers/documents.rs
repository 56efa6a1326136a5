//! The Dockerfiles of the documents, built and run. There is no registry here: stand-ins for their
//! base images have the same names, and no more in them than busybox.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::daemon::{Docker, docker};
use crate::oci::install;
use crate::page::{self, Block};
use crate::scratch::{self, Folder, run};

#[test]
fn each_dockerfile_builds_an_image_that_starts_and_stops() {
    let app = Folder::new();
    let program = app.path().join("app");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/containers/app.c");
    run(Command::new("cc").args(["-static", "-O1", "-o"]).arg(&program).arg(source));
    for (number, block) in page::of("dockerfile", "").iter().enumerate() {
        let image = format!("documents-{number}");
        make_base(block, &program);
        build(&image, block, &program);
        starts_and_stops(&image, block);
    }
}

fn starts_and_stops(image: &str, block: &Block) {
    let Block { place, text, .. } = block;
    let mut container = Docker::new().start_image(image, &[]);
    let services = text.matches("\"--wrap\"").count().max(1);
    let mut up: Vec<String> = (0..services).map(|_| container.expect_prefix("up: ")).collect();
    up.sort();
    for line in &up {
        // "app --port 8080, parent 1"
        let (words, parent) = line.rsplit_once(", parent ").expect("that is what it says");
        assert_eq!(parent, "1", "{place}: {line}: it is not foster's child");
        let words: Vec<&str> = words.split(' ').collect();
        assert!(words.iter().all(|word| text.contains(word)), "{place}: {line}");
    }
    run(&mut docker(&["stop", "--time", "60", container.name()]));
    let signal = if text.contains("\"--stop-signal\", \"QUIT\"") { "QUIT" } else { "TERM" };
    (0..services).for_each(|_| container.expect(&format!("got {signal}")));
    assert_eq!(container.wait(), 0, "{place}");
}

/// The image that a Dockerfile starts from.
fn make_base(block: &Block, app: &Path) {
    let from = block.text.lines().find_map(|line| line.strip_prefix("FROM "));
    let from = from.unwrap_or_else(|| panic!("{} has no FROM", block.place));
    let mut text = String::from("FROM scratch\nCOPY root /\n");
    let folder = Folder::new();
    let root = folder.path().join("root");
    for name in ["bin", "tmp", "usr/local/bin", "usr/sbin"] {
        fs::create_dir_all(root.join(name)).expect("the folder is ours");
    }
    match from.split([':', '/']).next() {
        Some("scratch") => return,
        // What is in those images, and that they run as somebody, is all that matters here.
        Some("gcr.io") => text += "USER 65532\n",
        Some("nginx") => {
            install(app, &root.join("usr/sbin/nginx"));
            text += "STOPSIGNAL SIGQUIT\n";
        }
        Some("debian" | "alpine") => {
            install(scratch::busybox(), &root.join("bin/busybox"));
            symlink("busybox", root.join("bin/sh")).expect("the folder is ours");
        }
        other => panic!("{}: there is no stand-in for {other:?}", block.place),
    }
    fs::write(folder.path().join("Dockerfile"), text).expect("the folder is ours");
    run(docker(&["build", "--quiet", "--tag", from]).arg(folder.path()));
}

/// Builds the image, with the app under each name that is copied beside foster.
fn build(image: &str, block: &Block, app: &Path) {
    let folder = Folder::new();
    for line in block.text.lines() {
        let Some(names) = line.strip_prefix("COPY ") else { continue };
        let mut names: Vec<&str> = names.split(' ').collect();
        names.pop();
        for name in names {
            let program = if name == "foster" { scratch::foster() } else { app };
            install(program, &folder.path().join(name));
        }
    }
    fs::write(folder.path().join("Dockerfile"), &block.text).expect("the folder is ours");
    run(docker(&["build", "--quiet", "--tag", image]).arg(folder.path()));
}
