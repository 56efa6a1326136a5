//! The documents: their fenced blocks and their tables.

use std::fs;
use std::path::{Path, PathBuf};

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    /// `docs/INSTALL.md:12`, for messages.
    pub place: String,
    /// The first word behind the fence.
    pub language: String,
    /// The words behind that.
    pub kind: String,
    pub text: String,
}

/// What a user reads.
pub const FOR_USERS: [&str; 6] = [
    "README.md",
    "docs/INSTALL.md",
    "docs/CONTAINERS.md",
    "docs/MOVING.md",
    "docs/TROUBLESHOOTING.md",
    "docs/SECURITY.md",
];

/// A path in this repository.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

pub fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// All fenced blocks of the documents for users.
pub fn blocks() -> Vec<Block> {
    FOR_USERS.iter().flat_map(|name| blocks_of(name, &read(name))).collect()
}

/// The blocks of a language and a kind; there has to be one.
pub fn of(language: &str, kind: &str) -> Vec<Block> {
    let mut all = blocks();
    all.retain(|block| block.language == language && block.kind == kind);
    assert!(!all.is_empty(), "no block is {language} {kind}");
    all
}

fn blocks_of(name: &str, text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let (language, kind) = info.trim().split_once(' ').unwrap_or((info.trim(), ""));
        let inside = lines.by_ref().map(|(_, line)| line);
        let inside = inside.take_while(|line| line.trim() != "```");
        // In a list, all of it is indented.
        let indent = line.len() - line.trim_start().len();
        let inside: Vec<&str> = inside.map(|line| line.get(indent..).unwrap_or_default()).collect();
        blocks.push(Block {
            place: format!("{name}:{}", number + 1),
            language: language.into(),
            kind: kind.into(),
            text: inside.join("\n") + "\n",
        });
    }
    blocks
}

/// The cells of the table that comes first behind a heading, the header first.
pub fn table(name: &str, heading: &str) -> Vec<Vec<String>> {
    let text = read(name);
    let rest = text
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("{name} has no {heading:?}"))
        .1;
    let rows = rest.lines().skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        // A bar inside of a cell is written \|.
        let row = row.replace("\\|", "\u{0}");
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().replace('\u{0}', "|")).collect::<Vec<String>>()
    };
    rows.map(cells).filter(|row| !row[0].starts_with("---")).collect()
}
