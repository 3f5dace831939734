//! Lines for logs and pipes: one a torrent every few seconds, and only if it says something new.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use aqueduct_core::meta::Info;
use aqueduct_core::types::{InfoHash, visible};
use aqueduct_core::{Phase, TorrentSnapshot};

use super::{View, line, text};

#[derive(Debug, Default)]
pub(crate) struct Plain {
    said: BTreeMap<InfoHash, String>,
}

impl Plain {
    pub(super) fn metadata(&self, info: &Info) {
        let files = text::count(info.files.iter().filter(|file| !file.pad).count(), "file", "files");
        line(&format!("{}: {}, {files}", visible(&info.name), text::bytes(info.size())));
    }

    pub(super) fn checked(&self, info: &Info, read: u64, have: u32) {
        if read > 0 {
            let pieces = info.lengths.pieces();
            line(&format!("{}: checked {}, {have} of {pieces} pieces are there", visible(&info.name), text::bytes(read)));
        }
    }

    pub(super) fn progress(&mut self, views: &[View]) {
        for View { name, snapshot, hint } in views {
            let status = status(snapshot, hint);
            if self.said.get(&snapshot.info_hash) != Some(&status) {
                line(&format!("{name}: {status}"));
                self.said.insert(snapshot.info_hash, status);
            }
        }
    }

    pub(super) fn finished(&self, name: &str, path: &Path, took: Duration) {
        line(&format!("{name}: finished in {}, saved to {}", text::span(took), path.display()));
    }
}

/// One line on how a torrent is doing.
pub(super) fn status(snapshot: &TorrentSnapshot, hint: &str) -> String {
    if let Some(failure) = &snapshot.failure {
        return format!("stopped: {failure}");
    }
    let TorrentSnapshot { done, wanted, down_rate, up_rate, .. } = *snapshot;
    let peers = text::count(snapshot.peers, "peer", "peers");
    match snapshot.phase {
        Phase::Downloading => {
            let eta = snapshot.eta.map(|eta| format!(", {} left", text::span(eta))).unwrap_or_default();
            let share = text::percent(done, wanted);
            format!("{share} % of {}, {}{eta}, {peers}{}", text::bytes(wanted), text::rate(down_rate), trailing(hint))
        }
        Phase::Seeding => format!("seeding, {}, {peers}", text::rate(up_rate)),
        phase => format!("{}, {peers}{}", text::phase(phase), trailing(hint)),
    }
}

fn trailing(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!("; {hint}") }
}
