//! Options of those that foster stands in for: foster's own for each, or the name to go by.

/// What to do about an option that is another's; none where nobody has it.
pub(super) fn hint(option: &str) -> Option<String> {
    let (_, own, name) =
        PEERS.iter().find(|(names, ..)| names.split(' ').any(|it| it == option))?;
    let glue = if own.is_empty() { "write" } else { ", or" };
    Some(format!("{own}{glue} --as {name} in front of it"))
}

/// Letters and words, what foster has for them, and whose they are.
const PEERS: [(&str, &str, &str); 9] = [
    ("s subreaper", "leave it out, as foster adopts orphans anyway", "tini"),
    ("g", "write --forward-to group", "tini"),
    ("e", "write --success CODE", "tini"),
    ("p", "write --parent-death-signal SIG", "tini"),
    ("w", "write -vv, which tells of every orphan", "tini"),
    ("c single-child", "write --forward-to child", "dumb-init"),
    ("r", "write --rewrite FROM:TO", "dumb-init"),
    ("l", "", "tini"),
    ("L P", "", "catatonit"),
];
