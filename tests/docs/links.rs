//! Links between the documents.

use std::collections::BTreeSet;

use crate::page;

#[test]
fn each_link_leads_to_a_file_and_a_heading() {
    let others =
        ["docs/ARCHITECTURE.md", "docs/BENCHMARKS.md", "docs/COMPAT.md", "docs/HACKING.md"];
    for name in page::FOR_USERS.iter().chain(&others) {
        let text = page::read(name);
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
            let (target, _) = link;
            if target.contains("://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = match file {
                "" => page::path(name),
                file => page::path(folder).join(file),
            };
            assert!(path.exists(), "{name}: {target} leads nowhere");
            if !heading.is_empty() {
                let text = std::fs::read_to_string(&path).expect("a document");
                let there = headings(&text);
                assert!(there.contains(heading), "{name}: {target}: there are {there:?}");
            }
        }
    }
}

#[test]
fn the_oldest_rust_is_the_one_that_the_package_promises() {
    let text = page::read("docs/INSTALL.md");
    let row = format!("| Rust, to build it | {} |", env!("CARGO_PKG_RUST_VERSION"));
    assert!(text.contains(&row), "docs/INSTALL.md does not say {row}");
}

#[test]
fn vulnerabilities_are_reported_to_the_repository_of_the_package() {
    let place = concat!("](", env!("CARGO_PKG_REPOSITORY"), "/security/advisories/new)");
    assert!(place.starts_with("](https://"), "Cargo.toml names no repository");
    assert!(page::read("docs/SECURITY.md").contains(place), "docs/SECURITY.md lacks {place}");
}

/// The anchors of headings, by the rule of those who show Markdown.
fn headings(text: &str) -> BTreeSet<String> {
    let titles = text.lines().filter_map(|line| line.strip_prefix('#'));
    let titles = titles.map(|title| title.trim_start_matches('#').trim().to_lowercase());
    let anchor = |title: String| {
        let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    titles.map(anchor).collect()
}
