//! How a screen is divided: rows among torrents, columns among name, bar and status. Parts of a
//! status are shown whole or not at all.

use std::collections::BTreeMap;
use std::io;

use aqueduct_core::Phase;

use super::text;
use super::view::View;

/// The size that is assumed where the system gives none.
const COLUMNS: u16 = 80;
const ROWS: u16 = 24;

/// Columns of names and bars on a wide terminal.
const NAME: usize = 18;
const BAR: usize = 14;
/// Columns on a narrow one; a bar that would be shorter is left out.
const LEAST_NAME: usize = 8;
const LEAST_BAR: usize = 6;
/// A text that does not fit is cut if at least this many columns of it can be shown, else left out.
const WORTH_SHOWING: usize = 12;

/// A terminal's columns and rows, which may change at any time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Size {
    pub(super) fn of_terminal() -> Self {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
        let or =
            |told: Option<u16>, usual: u16| usize::from(told.filter(|&n| n > 0).unwrap_or(usual));
        Self {
            columns: or(size.map(|size| size.ws_col), COLUMNS),
            rows: or(size.map(|size| size.ws_row), ROWS),
        }
    }
}

/// Which torrents have a row, and which have none. One row is left for the cursor; if the others
/// are too few, the last is a summary of the torrents without a row.
pub(super) fn choose(views: &[View], rows: usize) -> (Vec<&View>, Vec<&View>) {
    let room = rows.saturating_sub(1).max(1);
    let mut all: Vec<&View> = views.iter().collect();
    if all.len() <= room {
        return (all, Vec::new());
    }
    // What needs attention or changes comes first, otherwise the order in which the torrents were
    // named.
    all.sort_by_key(|view| match view.snapshot.phase {
        Phase::Error => 0,
        Phase::Seeding | Phase::Paused => 3,
        _ if view.snapshot.down_rate > 0 => 1,
        _ => 2,
    });
    let hidden = all.split_off(room.saturating_sub(1).max(1));
    (all, hidden)
}

/// A line about the torrents without a row.
pub(super) fn summary(hidden: &[&View]) -> String {
    let mut phases: BTreeMap<&str, usize> = BTreeMap::new();
    hidden
        .iter()
        .for_each(|view| *phases.entry(text::phase(view.snapshot.phase)).or_default() += 1);
    let counts: Vec<String> = phases
        .iter()
        .map(|(phase, count)| format!("{count} {phase}"))
        .collect();
    format!("and {} more: {}", hidden.len(), counts.join(", "))
}

/// How a row's columns are divided. It changes with the terminal, and when a status needs more room
/// than any before, but not with every number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    columns: usize,
    words: usize,
    pub(super) name: usize,
    /// 0: there is no bar.
    pub(super) bar: usize,
    pub(super) message: usize,
}

impl Layout {
    /// Divides rows whose status needs up to `words` columns. Names become shorter for it first,
    /// then bars.
    pub(super) fn adapt(&mut self, columns: usize, words: usize) {
        let words = if columns == self.columns {
            words.max(self.words)
        } else {
            words
        };
        (self.columns, self.words) = (columns, words);
        // A column is left free on the right, as some terminals wrap at once; spaces stand between
        // the parts.
        let room = columns.saturating_sub(words + 3);
        self.name = room.saturating_sub(BAR).clamp(LEAST_NAME, NAME);
        self.bar = Some(room.saturating_sub(self.name).min(BAR))
            .filter(|&bar| bar >= LEAST_BAR)
            .unwrap_or(0);
        if self.bar == 0 {
            self.name = columns.saturating_sub(words + 2).clamp(LEAST_NAME, NAME);
        }
        let before = self.name + 1 + if self.bar == 0 { 0 } else { self.bar + 1 };
        self.message = columns.saturating_sub(before + 1);
    }
}

/// Columns that a text takes. Characters outside of ASCII count as two: none is wider.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

/// A text without parts, cut to so many columns.
pub(super) fn shortened(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    format!("{}…", start(text, columns.saturating_sub(1)))
}

/// The beginning of a text, as much as so many columns hold.
fn start(text: &str, columns: usize) -> &str {
    let mut left = columns;
    let end = text.char_indices().find(|(_, c)| {
        let wide = if c.is_ascii() { 1 } else { 2 };
        left.checked_sub(wide).map(|rest| left = rest).is_none()
    });
    end.and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

/// As many of the parts as fit, from the first on; then as much of the hint, at whose end whole
/// words may be missing.
pub(super) fn within(parts: &[String], hint: &str, columns: usize) -> String {
    let mut line = String::new();
    for part in parts {
        let comma = if line.is_empty() { "" } else { ", " };
        if !line.is_empty() && width(&line) + width(comma) + width(part) > columns {
            return fitting(line, columns);
        }
        line = line + comma + part;
    }
    if width(&line) > columns {
        return cut_at_word(&line, columns);
    }
    let left = columns.saturating_sub(width(&line) + 2);
    match hint {
        "" => line,
        _ if width(hint) <= left => format!("{line}; {hint}"),
        _ if left < WORTH_SHOWING => line,
        _ => format!("{line}; {}", cut_at_word(hint, left)),
    }
}

/// The text, or where it is too long the whole words of it that fit.
fn fitting(text: String, columns: usize) -> String {
    if width(&text) > columns {
        cut_at_word(&text, columns)
    } else {
        text
    }
}

/// The whole words that fit, and a sign that there were more.
fn cut_at_word(text: &str, columns: usize) -> String {
    let start = start(text, columns.saturating_sub(2));
    let whole = start
        .rfind(' ')
        .and_then(|at| start.get(..at))
        .unwrap_or(start);
    format!("{}…", whole.trim_end_matches([',', ';', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Vec<String> {
        [
            "45 % of 700.0 MiB",
            "10.5 MiB/s",
            "59 min 30 s left",
            "1 peer",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    #[test]
    fn in_eighty_columns_there_is_room_for_all_that_counts() {
        let words = width("45 % of 1023.9 MiB, 1023.9 MiB/s, 59 min 59 s left, 80 peers");
        let mut layout = Layout::default();
        layout.adapt(80, words);
        assert!(layout.message >= words, "{layout:?}");
        layout.adapt(80, 20);
        assert!(
            layout.message >= words,
            "the columns stay where they are: {layout:?}"
        );
        layout.adapt(120, 20);
        assert_eq!((layout.name, layout.bar), (NAME, BAR));
        for columns in 0..200 {
            layout.adapt(columns, words);
            let used = layout.name + layout.bar + layout.message;
            assert!(columns < 20 || used < columns, "{columns}: {layout:?}");
        }
    }

    #[test]
    fn words_are_shown_whole_or_not_at_all() {
        let hint = "asked 2 trackers: 1 answered, 1 failed; DHT: 12 nodes";
        assert_eq!(
            within(&parts(), "", 80),
            "45 % of 700.0 MiB, 10.5 MiB/s, 59 min 30 s left, 1 peer"
        );
        assert_eq!(
            within(&parts(), "", 54),
            "45 % of 700.0 MiB, 10.5 MiB/s, 59 min 30 s left",
            "not `1 pee`"
        );
        assert_eq!(
            within(&parts()[..1], hint, 50),
            "45 % of 700.0 MiB; asked 2 trackers: 1…"
        );
        let known: Vec<String> = parts()
            .iter()
            .flat_map(|part| part.split(' ').map(str::to_owned).collect::<Vec<_>>())
            .collect();
        for columns in 1..120 {
            let line = within(&parts(), hint, columns);
            assert!(columns < 10 || width(&line) <= columns, "{columns}: {line}");
            let words = line
                .trim_end_matches('…')
                .split([' ', ',', ';'])
                .filter(|word| !word.is_empty());
            let whole = |word: &&str| {
                known.iter().any(|known| known == word)
                    || hint.split([' ', ',', ';']).any(|known| known == *word)
            };
            assert!(
                columns < 10 || words.into_iter().all(|word| whole(&word)),
                "{columns}: {line}"
            );
        }
    }

    #[test]
    fn names_are_cut_by_columns_and_marked() {
        assert_eq!(shortened("short", 8), "short");
        assert_eq!(shortened("longer than that", 8), "longer …");
        assert_eq!(shortened("世界世界世界", 8), "世界世…");
    }
}
