//! What the user sees: bars on a terminal, plain lines elsewhere, JSON for programs.

mod bars;
mod json;
mod layout;
mod plain;
pub(crate) mod reading;
pub(crate) mod text;

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process;
use std::time::Duration;

use aqueduct_core::discovery::TrackerStatus;
use aqueduct_core::meta::{File, Info};
use aqueduct_core::types::{InfoHash, PeerAddr, visible};
use aqueduct_core::{CloseReason, FileChange, PeerFailure, TorrentSnapshot};
use aqueduct_native::storage::Renamed;

use self::bars::Bars;
use self::json::Json;
use self::plain::Plain;
use crate::cli::failure::{Class, Failure};

/// Prints one line on standard output. Leaves the program when it cannot be written.
pub(crate) fn line(text: &str) {
    print(format!("{text}\n").as_bytes());
}

/// Prints bytes on standard output. Leaves the program when they cannot be written, and says so
/// unless it is only that nobody reads any more.
pub(crate) fn print(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) else {
        return;
    };
    if error.kind() != io::ErrorKind::BrokenPipe {
        note(&format!("could not write to standard output: {error}"));
    }
    process::exit(Class::Failure as i32);
}

/// Prints one JSON object as a line on standard output.
pub(crate) fn object(value: &serde_json::Value) {
    line(&value.to_string());
}

/// Tells a failure: a sentence on standard error, or an event.
pub(crate) fn failure(failure: &Failure, json: bool) {
    if json {
        object(&json::error(failure));
    } else {
        note(&failure.to_string());
    }
}

/// A sentence on standard error.
pub(crate) fn note(text: &str) {
    // If even this cannot be said there is nobody to say it to.
    let _ = writeln!(io::stderr().lock(), "aqueduct: {text}");
}

/// One torrent at one moment.
#[derive(Clone, Debug)]
pub(crate) struct View {
    /// Escaped.
    pub(crate) name: String,
    pub(crate) snapshot: TorrentSnapshot,
    /// Why nothing comes, if nothing does: trackers, dials.
    pub(crate) hint: String,
}

/// Whether standard output is a terminal on which lines can be drawn over. One without a name, or
/// of the name `dumb`, writes from top to bottom.
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
    /// Bars only where they can be drawn, and not between log lines.
    pub(crate) fn new(json: bool, quiet: bool, logs: bool) -> Self {
        match (json, quiet) {
            (true, _) => Self::Json(Json),
            (_, true) => Self::Quiet,
            _ if can_draw() && !logs => Self::Bars(Bars::default()),
            _ => Self::Plain(Plain::default()),
        }
    }

    /// How often [`Screen::progress`] is of use.
    pub(crate) fn interval(&self) -> Duration {
        match self {
            Self::Bars(_) => Duration::from_millis(250),
            Self::Json(_) => Duration::from_secs(1),
            Self::Plain(_) | Self::Quiet => Duration::from_secs(5),
        }
    }

    /// The session listens for peers.
    pub(crate) fn listening(&self, port: u16) {
        if let Self::Json(json) = self {
            json.listening(port);
        }
    }

    /// What a torrent is became known.
    pub(crate) fn metadata(&self, info: &Info) {
        match self {
            Self::Json(json) => json.metadata(info),
            Self::Plain(plain) => plain.metadata(info),
            Self::Bars(_) | Self::Quiet => {}
        }
    }

    /// Data on disk were looked at; `read` bytes of them were read, `have` pieces are right.
    pub(crate) fn checked(&self, info: &Info, read: u64, have: u32) {
        match self {
            Self::Json(json) => json.checked(info, read, have),
            Self::Plain(plain) => plain.checked(info, read, have),
            Self::Bars(_) | Self::Quiet => {}
        }
    }

    /// Something else changed a file; its pieces are about to be checked again.
    pub(crate) fn file_changed(&self, info: &Info, file: &File, change: FileChange) {
        let pieces = info.lengths.pieces_of(file.offset, file.size).count();
        let what = match change {
            FileChange::Missing => "is gone",
            FileChange::Replaced => "was replaced by another file",
            FileChange::Size => "has another length than it had",
            FileChange::Written => "was changed by something else",
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

    /// What may have changed was checked again: of `read` pieces so many are wrong now, and are
    /// fetched again or not.
    pub(crate) fn rechecked(&self, info: &Info, read: u32, wrong: u32, fetched: bool) {
        let outcome = match (wrong, fetched) {
            (0, _) => "all that was there is as it was".to_owned(),
            (1, true) => "1 is wrong and is fetched again".to_owned(),
            (1, false) => "1 is wrong and is no longer served".to_owned(),
            (_, true) => format!("{wrong} are wrong and are fetched again"),
            (_, false) => format!("{wrong} are wrong and are no longer served"),
        };
        let pieces = text::count(read as usize, "piece", "pieces");
        self.remark(
            &format!("{}: checked {pieces} again, {outcome}", visible(&info.name)),
            |json| json.rechecked(info, read, wrong),
        );
    }

    /// A word on the side, also for those who want to hear little.
    fn remark(&self, text: &str, tell: impl FnOnce(&Json)) {
        match self {
            Self::Bars(bars) => bars.note(text),
            Self::Plain(_) | Self::Quiet => note(text),
            Self::Json(json) => tell(json),
        }
    }

    /// How far all torrents are.
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

    /// Files have other names than their torrent gives them: the file system does not take those,
    /// or they were found so.
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

    /// A peer came to nothing; `omitted` others were not told of.
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
                    format!(" (and {omitted} peers more that failed)")
                } else {
                    String::new()
                };
                self.note(&format!("{name}: peer {addr}: {}{others}", why.1));
            }
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

    /// A torrent stands still and will go on by itself once what is wrong has been put right.
    pub(crate) fn waiting(&self, name: &str, failure: &Failure) {
        self.remark(
            &format!("{name}: {failure}; it goes on by itself then"),
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
