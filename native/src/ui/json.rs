//! One JSON object per line on standard output, in bytes, bytes per second, seconds.

use std::path::Path;
use std::time::Duration;

use aqueduct_core::discovery::{TrackerState, TrackerStatus};
use aqueduct_core::meta::{File, Info};
use aqueduct_core::net::blocklist::Summary;
use aqueduct_core::types::{InfoHash, PeerAddr};
use aqueduct_core::{CloseReason, FileChange, PeerFailure, Rechecked};
use aqueduct_native::port_mapping::Reachability;
use aqueduct_native::storage::Renamed;
use serde_json::json;

use super::failure::Failure;
use super::print::object;
use super::text;
use super::view::View;

#[derive(Debug)]
pub(crate) struct Json;

impl Json {
    pub(super) fn listening(&self, port: u16) {
        object(&json!({ "event": "listening", "port": port }));
    }

    pub(super) fn metadata(&self, info: &Info) {
        object(&json!({
            "event": "metadata",
            "info_hash": info.info_hash.to_string(),
            "name": info.name,
            "total": info.size(),
            "pieces": info.lengths.pieces(),
            "files": info.files.iter().filter(|file| !file.pad).count(),
        }));
    }

    pub(super) fn checked(&self, info: &Info, read: u64, have: u32) {
        object(
            &json!({ "event": "checked", "info_hash": info.info_hash.to_string(), "read": read, "have": have, "pieces": info.lengths.pieces() }),
        );
    }

    pub(super) fn file_changed(&self, info: &Info, file: &File, change: FileChange, pieces: usize) {
        let problem = match change {
            FileChange::Missing => "missing",
            FileChange::Replaced => "replaced",
            FileChange::Size => "size",
            FileChange::Written => "content",
        };
        object(
            &json!({ "event": "changed", "info_hash": info.info_hash.to_string(), "path": file.path, "problem": problem, "pieces": pieces }),
        );
    }

    pub(super) fn rechecked(&self, info: &Info, outcome: &Rechecked) {
        object(&json!({
            "event": "rechecked",
            "info_hash": info.info_hash.to_string(),
            "pieces": outcome.read,
            "wrong": outcome.wrong,
            "unreadable": outcome.unreadable,
            "message": outcome.error.as_ref().map(ToString::to_string),
        }));
    }

    pub(super) fn progress(&self, views: &[View]) {
        for View { snapshot, .. } in views {
            object(&json!({
                "event": "progress",
                "info_hash": snapshot.info_hash.to_string(),
                "phase": text::phase_name(snapshot.phase),
                "done": snapshot.done,
                "total": snapshot.wanted,
                "down": snapshot.down_rate,
                "up": snapshot.up_rate,
                "peers": snapshot.peers,
                "eta": snapshot.eta.map(|eta| eta.as_secs()),
                "downloaded": snapshot.downloaded,
                "uploaded": snapshot.uploaded,
                "wasted": snapshot.wasted,
            }));
        }
    }

    pub(super) fn renamed(&self, info: &Info, renamed: &[Renamed]) {
        for Renamed { own, written } in renamed {
            object(
                &json!({ "event": "renamed", "info_hash": info.info_hash.to_string(), "path": own, "written": written }),
            );
        }
    }

    pub(super) fn tracker(&self, info_hash: &InfoHash, status: &TrackerStatus) {
        let (seeders, leechers, peers) = match status.state {
            TrackerState::Ok {
                seeders,
                leechers,
                peers,
            } => (seeders, leechers, Some(peers)),
            TrackerState::Idle | TrackerState::Failed(_) => (None, None, None),
        };
        let (result, message) = match &status.state {
            _ if status.asking => (
                "failed",
                Some(
                    "the tracker has not answered yet; it is asked again, ever more rarely"
                        .to_owned(),
                ),
            ),
            TrackerState::Failed(_) => ("failed", status.failure()),
            TrackerState::Ok { .. } | TrackerState::Idle if status.warning.is_some() => {
                ("warning", status.warning.clone())
            }
            TrackerState::Ok { .. } | TrackerState::Idle => ("ok", None),
        };
        object(&json!({
            "event": "tracker",
            "info_hash": info_hash.to_string(),
            "url": status.shown_url(),
            "result": result,
            "seeders": seeders,
            "leechers": leechers,
            "peers": peers,
            "message": message,
        }));
    }

    pub(super) fn peer(
        &self,
        info_hash: &InfoHash,
        addr: PeerAddr,
        (failure, reason): (PeerFailure, &CloseReason),
        omitted: u64,
    ) {
        object(&json!({
            "event": "peer",
            "info_hash": info_hash.to_string(),
            "address": addr.to_string(),
            "result": "failed",
            "reason": failure.name(),
            "message": reason.to_string(),
            "omitted": omitted,
        }));
    }

    pub(super) fn reachability(&self, reachability: &Reachability) {
        let mapping = reachability.mapping();
        object(&json!({
            "event": "reachability",
            "reachable": reachability.is_reachable(),
            "incoming": reachability.incoming,
            "local": reachability.has_local,
            "port": reachability.wanted.port,
            "external_port": mapping.map(|mapping| mapping.external),
            "protocol": mapping.map(|mapping| mapping.protocol.to_string()),
            "message": reachability.to_string(),
        }));
    }

    pub(super) fn waiting(&self, failure: &Failure) {
        object(
            &json!({ "event": "waiting", "class": failure.class.name(), "message": failure.message }),
        );
    }

    pub(super) fn blocklist(&self, ranges: usize, summary: &Summary) {
        let first = summary.first_malformed.as_ref().map(ToString::to_string);
        object(
            &json!({ "event": "blocklist", "ranges": ranges, "malformed": summary.malformed, "first_malformed": first }),
        );
    }

    pub(super) fn refused(&self, not_dialled: usize, refused: u64) {
        object(&json!({ "event": "blocked", "peers": not_dialled, "connections": refused }));
    }

    pub(super) fn note(&self, text: &str) {
        object(&json!({ "event": "note", "message": text }));
    }

    pub(super) fn finished(&self, info_hash: &InfoHash, path: &Path, took: Duration) {
        let path = path.display().to_string();
        object(
            &json!({ "event": "finished", "info_hash": info_hash.to_string(), "path": path, "seconds": took.as_secs_f64() }),
        );
    }
}
