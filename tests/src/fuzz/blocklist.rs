//! Blocklists.

use aqueduct_core::net::Blocklist;
use aqueduct_core::net::blocklist::{Builder, Summary};

/// The order of lines does not matter for the list, there are no more ranges than lines, and every
/// line is counted at most once.
pub(super) fn lines(data: &[u8]) {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let Some((list, summary)) = build(lines.iter()) else {
        return;
    };
    let counted = summary.blocked + summary.permitted + summary.malformed;
    assert!(counted <= lines.len() as u64);
    assert!(list.len() as u64 <= summary.blocked);
    assert_eq!(list.is_empty(), summary.blocked == 0);
    let (reversed, _) = build(lines.iter().rev()).expect("the same lines");
    assert!(reversed == list);
}

fn build<'a>(lines: impl Iterator<Item = &'a &'a [u8]>) -> Option<(Blocklist, Summary)> {
    let mut builder = Builder::default();
    for line in lines {
        builder.add_line(line).ok()?;
    }
    builder.finish().ok()
}
