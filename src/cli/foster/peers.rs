//! Options of the inits that foster emulates: what to write instead.

/// What to write instead of another init's option. None where no init has it.
pub(super) fn hint(option: &str) -> Option<String> {
    let (_, own, name) =
        PEERS.iter().find(|(names, ..)| names.split(' ').any(|it| it == option))?;
    let glue = if own.is_empty() { "use" } else { ", or" };
    Some(format!("{own}{glue} --as {name} before it"))
}

/// The options, what foster has instead, and whose they are.
const PEERS: [(&str, &str, &str); 9] = [
    ("s subreaper", "remove it, because foster adopts orphans anyway", "tini"),
    ("g", "use --forward-to group", "tini"),
    ("e", "use --success CODE", "tini"),
    ("p", "use --parent-death-signal SIG", "tini"),
    ("w", "use -vv, which logs every orphan", "tini"),
    ("c single-child", "use --forward-to child", "dumb-init"),
    ("r", "use --rewrite FROM:TO", "dumb-init"),
    ("l", "", "tini"),
    ("L P", "", "catatonit"),
];
