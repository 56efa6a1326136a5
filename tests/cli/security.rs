//! docs/SECURITY.md: each test that it names exists.

use std::fs;
use std::path::Path;

#[test]
#[cfg_attr(miri, ignore = "it reads the sources")]
fn each_test_behind_a_promise_exists() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = String::new();
    read_all(&here.join("tests"), &mut sources);
    read_all(&here.join("src"), &mut sources);
    let text = fs::read_to_string(here.join("docs/SECURITY.md")).expect("the document is there");
    let table = text.lines().filter(|line| line.starts_with('|'));
    let quoted = table.flat_map(|line| line.split('`').skip(1).step_by(2));
    // The names of tests are sentences.
    let names: Vec<&str> = quoted.filter(|word| word.matches('_').count() > 2).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(sources.contains(&format!("fn {name}(")), "there is no test {name}");
    }
}

fn read_all(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            read_all(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push_str(&fs::read_to_string(&path).expect("a source can be read"));
        }
    }
}
