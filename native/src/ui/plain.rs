//! Lines for logs and pipes: one per torrent every few seconds, if something changed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use aqueduct_core::meta::Info;
use aqueduct_core::types::{InfoHash, visible};
use aqueduct_core::{Phase, TorrentSnapshot};
use aqueduct_native::storage::shown_path;

use super::print::line;
use super::view::View;
use super::{layout, text};

#[derive(Debug, Default)]
pub(crate) struct Plain {
    said: BTreeMap<InfoHash, String>,
}

impl Plain {
    pub(super) fn metadata(&self, info: &Info) {
        let files = text::count(
            info.files.iter().filter(|file| !file.pad).count(),
            "file",
            "files",
        );
        line(&format!(
            "{}: {}, {files}",
            visible(&info.name),
            text::bytes(info.size())
        ));
    }

    pub(super) fn checked(&self, info: &Info, read: u64, have: u32) {
        if read > 0 {
            let verb = if info.lengths.pieces() == 1 {
                "is"
            } else {
                "are"
            };
            line(&format!(
                "{}: checked {}, {} {verb} there",
                visible(&info.name),
                text::bytes(read),
                text::of_pieces(have as usize, info)
            ));
        }
    }

    pub(super) fn progress(&mut self, views: &[View]) {
        for View {
            name,
            snapshot,
            hint,
        } in views
        {
            let status = Status::of(snapshot, hint).to_string();
            if self.said.get(&snapshot.info_hash) != Some(&status) {
                line(&format!("{name}: {status}"));
                self.said.insert(snapshot.info_hash, status);
            }
        }
    }

    pub(super) fn finished(&self, name: &str, path: &Path, took: Duration) {
        line(&format!(
            "{name}: finished in {}, saved to {}",
            text::span(took),
            shown_path(path)
        ));
    }
}

/// The status of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    /// The most important first.
    parts: Vec<String>,
    /// Why nothing is received, if nothing is.
    hint: String,
}

impl Status {
    pub(super) fn of(snapshot: &TorrentSnapshot, hint: &str) -> Self {
        if let Some(failure) = &snapshot.failure {
            return Self {
                parts: vec![format!("stopped: {failure}")],
                hint: String::new(),
            };
        }
        let TorrentSnapshot {
            done,
            wanted,
            down_rate,
            up_rate,
            ..
        } = *snapshot;
        let peers = text::count(snapshot.peers, "peer", "peers");
        let (mut parts, hint) = match snapshot.phase {
            Phase::Downloading => {
                let eta = snapshot.eta.map(|eta| format!("{} left", text::span(eta)));
                let share = format!(
                    "{} % of {}",
                    text::percent(done, wanted),
                    text::bytes(wanted)
                );
                (
                    [share, text::rate(down_rate)]
                        .into_iter()
                        .chain(eta)
                        .collect(),
                    hint,
                )
            }
            Phase::Seeding => (vec!["seeding".to_owned(), text::rate(up_rate)], hint),
            phase => (vec![text::phase(phase).to_owned()], hint),
        };
        parts.push(peers);
        Self {
            parts,
            hint: hint.to_owned(),
        }
    }

    /// Columns that the parts need. An error, which may be longer than any line, needs none: it is
    /// cut.
    pub(super) fn width(&self) -> usize {
        if self.parts.len() > 1 {
            layout::width(&self.parts.join(", "))
        } else {
            0
        }
    }

    /// One line of at most `columns` columns.
    pub(super) fn within(&self, columns: usize) -> String {
        layout::within(&self.parts, &self.hint, columns)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.hint.is_empty() { "" } else { "; " };
        write!(f, "{}{end}{}", self.parts.join(", "), self.hint)
    }
}
