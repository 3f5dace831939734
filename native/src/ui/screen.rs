//! How a session is shown: which of the screens it is, and what each shows of what happens.

use std::env;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::Duration;

use aqueduct_core::discovery::TrackerStatus;
use aqueduct_core::meta::{File, Info};
use aqueduct_core::net::blocklist::Summary;
use aqueduct_core::types::{InfoHash, PeerAddr, visible};
use aqueduct_core::{CloseReason, FileChange, PeerFailure, Rechecked};
use aqueduct_native::port_mapping::Reachability;
use aqueduct_native::storage::Renamed;

use super::bars::Bars;
use super::failure::Failure;
use super::json::Json;
use super::plain::Plain;
use super::print::note;
use super::text;
use super::view::View;

/// Whether standard output is a terminal on which lines can be overwritten. One without a name, or
/// with the name `dumb`, cannot do it.
fn can_draw() -> bool {
    let named = env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    named && io::stdout().is_terminal()
}

/// How a session is shown.
#[derive(Debug)]
pub(crate) enum Screen {
    Bars(Bars),
    Plain(Plain),
    Json(Json),
    Quiet,
}

impl Screen {
    /// Bars only where they can be drawn, and not together with log lines.
    pub(crate) fn new(json: bool, quiet: bool, logs: bool) -> Self {
        match (json, quiet) {
            (true, _) => Self::Json(Json),
            (_, true) => Self::Quiet,
            _ if can_draw() && !logs => Self::Bars(Bars::default()),
            _ => Self::Plain(Plain::default()),
        }
    }

    /// How often [`Screen::progress`] is to be called.
    pub(crate) fn interval(&self) -> Duration {
        match self {
            Self::Bars(_) => Duration::from_millis(250),
            Self::Json(_) => Duration::from_secs(1),
            Self::Plain(_) | Self::Quiet => Duration::from_secs(5),
        }
    }

    /// The session listens for peers; not if the port is 0.
    pub(crate) fn listening(&self, port: u16) {
        if let (Self::Json(json), 1..) = (self, port) {
            json.listening(port);
        }
    }

    /// The metadata of a torrent are known.
    pub(crate) fn metadata(&self, info: &Info) {
        match self {
            Self::Json(json) => json.metadata(info),
            Self::Plain(plain) => plain.metadata(info),
            Self::Bars(_) | Self::Quiet => {}
        }
    }

    /// Data on disk were checked; `read` bytes of them were read, `have` pieces match.
    pub(crate) fn checked(&self, info: &Info, read: u64, have: u32) {
        match self {
            Self::Json(json) => json.checked(info, read, have),
            Self::Plain(plain) => plain.checked(info, read, have),
            Self::Bars(_) | Self::Quiet => {}
        }
    }

    /// Another program changed a file; its pieces will be checked again.
    pub(crate) fn file_changed(&self, info: &Info, file: &File, change: FileChange) {
        let pieces = info.lengths.pieces_of(file.offset, file.size).count();
        let what = match change {
            FileChange::Missing => "is missing now",
            FileChange::Replaced => "was replaced by another file",
            FileChange::Size => "has another length now",
            FileChange::Written => "was changed by another program",
        };
        let pieces_text = text::count(pieces, "piece is", "pieces are");
        self.remark(
            &format!(
                "{} {what}; its {pieces_text} checked again",
                text::path(file)
            ),
            |json| json.file_changed(info, file, change, pieces),
        );
    }

    /// Pieces that may have changed were checked again. `fetched`: wrong ones are fetched again.
    pub(crate) fn rechecked(&self, info: &Info, outcome: &Rechecked, fetched: bool) {
        let name = visible(&info.name);
        let text = format!("{name}: {}", text::rechecked(outcome, fetched));
        self.remark(&text, |json| json.rechecked(info, outcome));
    }

    /// A note that is printed with `--quiet`, too.
    fn remark(&self, text: &str, print: impl FnOnce(&Json)) {
        match self {
            Self::Bars(bars) => bars.note(text),
            Self::Plain(_) | Self::Quiet => note(text),
            Self::Json(json) => print(json),
        }
    }

    /// The progress of all torrents.
    pub(crate) fn progress(&mut self, views: &[View]) {
        match self {
            Self::Bars(bars) => bars.progress(views),
            Self::Plain(plain) => plain.progress(views),
            Self::Json(json) => json.progress(views),
            Self::Quiet => {}
        }
    }

    /// A torrent is complete.
    pub(crate) fn finished(
        &mut self,
        name: &str,
        info_hash: &InfoHash,
        path: &Path,
        took: Duration,
    ) {
        match self {
            Self::Bars(bars) => bars.finished(name, path, took),
            Self::Plain(plain) => plain.finished(name, path, took),
            Self::Json(json) => json.finished(info_hash, path, took),
            Self::Quiet => {}
        }
    }

    /// Files have other names than their torrent says: the file system refuses those, or the files
    /// were found so.
    pub(crate) fn renamed(&self, name: &str, info: &Info, renamed: &[Renamed]) {
        let text = || format!("{name}: {}", text::renamed(renamed));
        match self {
            Self::Bars(bars) => bars.note(&text()),
            Self::Plain(_) => note(&text()),
            Self::Json(json) => json.renamed(info, renamed),
            Self::Quiet => {}
        }
    }

    /// An announce is over.
    pub(crate) fn tracker(&self, name: &str, info_hash: &InfoHash, status: &TrackerStatus) {
        match self {
            Self::Json(json) => json.tracker(info_hash, status),
            Self::Bars(_) | Self::Plain(_) | Self::Quiet => {
                self.note(&format!("{name}: {}", text::tracker(status)))
            }
        }
    }

    /// A peer failed; the failures of `omitted` others were not shown.
    pub(crate) fn peer(
        &self,
        name: &str,
        info_hash: &InfoHash,
        addr: PeerAddr,
        why: (PeerFailure, &CloseReason),
        omitted: u64,
    ) {
        match self {
            Self::Json(json) => json.peer(info_hash, addr, why, omitted),
            Self::Bars(_) | Self::Plain(_) | Self::Quiet => {
                let others = if omitted > 0 {
                    format!(" (and {omitted} more peers that failed)")
                } else {
                    String::new()
                };
                self.note(&format!("{name}: peer {addr}: {}{others}", why.1));
            }
        }
    }

    /// A blocklist was read: the number of its ranges after merging, and what was read besides.
    pub(crate) fn blocklist(&self, ranges: usize, summary: &Summary) {
        if let Self::Json(json) = self {
            return json.blocklist(ranges, summary);
        }
        self.note(&format!(
            "the blocklist has {}",
            text::count(ranges, "range", "ranges")
        ));
        if let Some(first) = &summary.first_malformed {
            let lines = usize::try_from(summary.malformed).unwrap_or(usize::MAX);
            let lines = text::count(lines, "line was", "lines were");
            self.note(&format!("{lines} ignored; the first is {first}"));
        }
    }

    /// At the end: the number of addresses that were not dialled because they are on the blocklist,
    /// and of connections that were refused.
    pub(crate) fn refused(&self, not_dialled: usize, refused: u64) {
        if let Self::Json(json) = self {
            return json.refused(not_dialled, refused);
        }
        let peers = text::count(not_dialled, "peer", "peers");
        let refused = usize::try_from(refused).unwrap_or(usize::MAX);
        let refused = text::count(refused, "connection", "connections");
        self.note(&format!(
            "the blocklist kept {peers} from being used, and refused {refused}"
        ));
    }

    /// Whether peers on the internet can connect to us has changed. `all`: whether the user wants to
    /// read it apart from the torrents' own lines.
    pub(crate) fn reachability(&self, reachability: &Reachability, all: bool) {
        match self {
            Self::Json(json) => json.reachability(reachability),
            _ if all => self.note(&reachability.to_string()),
            Self::Bars(_) | Self::Plain(_) | Self::Quiet => {}
        }
    }

    /// Something the user should read.
    pub(crate) fn note(&self, text: &str) {
        match self {
            Self::Bars(bars) => bars.note(text),
            Self::Plain(_) => note(text),
            Self::Json(json) => json.note(text),
            Self::Quiet => {}
        }
    }

    /// A torrent waits, and will continue on its own once the cause is removed.
    pub(crate) fn waiting(&self, name: &str, failure: &Failure) {
        self.remark(
            &format!("{name}: {failure}; it continues on its own then"),
            |json| json.waiting(failure),
        );
    }

    /// Nothing more will be shown.
    pub(crate) fn close(&mut self) {
        if let Self::Bars(bars) = self {
            bars.close();
        }
    }
}
