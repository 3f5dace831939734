//! Sends files to players while they are downloaded.

use aqueduct_core::types::{Piece, TorrentId};
use aqueduct_core::{Command, OpError};
use bytes::Bytes;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::MessagePort;

use super::{Driver, enter};
use crate::browser::clock::now;
use crate::engine::playback::{Port, Read, StreamEvent, StreamId};
use crate::message::Priority;
use crate::texts::storage;

impl Driver {
    /// Answers a request for a file. `port` is the end of a channel to the service worker.
    pub(super) fn play(&mut self, folder: &str, file: u32, range: Option<&str>, port: &JsValue) {
        let Some(port) = port.dyn_ref::<MessagePort>() else {
            return;
        };
        let (me, id) = (self.me.clone(), self.playback.new_id());
        let port = Port::open(port.clone(), move |event| {
            enter(&me, |driver| driver.handle_stream(id, event));
        });
        let torrents = &self.library.torrents;
        let torrent = torrents
            .iter()
            .find(|torrent| torrent.folder == folder && torrent.delete_at.is_none());
        let is_unwanted = torrent.is_some_and(|torrent| !torrent.wants(file as usize));
        let found = torrent.and_then(|torrent| Some((torrent.id, torrent.info.clone()?)));
        let of_torrent = found.as_ref().map(|(torrent, info)| (*torrent, &**info));
        self.playback.open(id, of_torrent, file, range, port);
        if let Some((torrent, _)) = found {
            self.want_played(torrent, file, is_unwanted);
        }
    }

    /// Downloads what is played first. A file that is played is wanted.
    pub(super) fn want_played(&mut self, torrent: TorrentId, file: u32, is_unwanted: bool) {
        if is_unwanted {
            // Refused only for a torrent that is not in the engine.
            drop(self.set_priority(torrent, file, Priority::Normal));
        }
        prioritise(self, torrent);
    }

    pub(super) fn handle_stream(&mut self, id: StreamId, event: StreamEvent) {
        let Some(torrent) = self.playback.torrent(id) else {
            return;
        };
        self.playback.handle(id, event);
        match event {
            StreamEvent::Pull => {
                self.advance(id, torrent);
                if self.playback.compete(torrent) {
                    prioritise(self, torrent);
                }
            }
            StreamEvent::Cancel => prioritise(self, torrent),
        }
    }

    /// Continues the answers that wait for this piece.
    pub(super) fn handle_playable(&mut self, torrent: TorrentId, piece: Piece) {
        let torrents = &self.library.torrents;
        let info = torrents
            .get(torrent)
            .and_then(|torrent| torrent.info.as_ref());
        let waiting = info.map(|info| self.playback.waiting_for(torrent, &info.lengths, piece));
        for id in waiting.unwrap_or_default() {
            self.advance(id, torrent);
        }
    }

    /// Reads the next chunk of a stream, if it was requested and is there.
    pub(super) fn advance(&mut self, id: StreamId, torrent: TorrentId) {
        let Some(place) = self.library.torrents.get(torrent).and_then(|t| t.place()) else {
            return;
        };
        let Some(snapshot) = self.engine.snapshot_of(torrent) else {
            return;
        };
        let lengths = &place.info.lengths;
        let Some(Read { offset, length }) = self.playback.next_read(id, lengths, &snapshot.have)
        else {
            return;
        };
        let me = self.me.clone();
        self.storage.read(&place, offset, length, move |read| {
            enter(&me, |driver| driver.handle_read(id, torrent, read));
        });
    }

    fn handle_read(
        &mut self,
        id: StreamId,
        torrent: TorrentId,
        read: Result<Option<Bytes>, OpError>,
    ) {
        let chunk = match read {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(storage::data_missing().to_owned()),
            Err(error) => Err(error.to_string()),
        };
        if self.playback.handle_read(id, chunk) || self.playback.compete(torrent) {
            prioritise(self, torrent);
        }
    }

    /// Tells the engine of torrents whose metadata became known what of them is played first.
    pub(super) fn prioritise_new(&mut self) {
        let torrents = self.library.torrents.iter();
        let known = torrents.filter(|torrent| torrent.info.is_some());
        for torrent in self.playback.take_new(known.map(|torrent| torrent.id)) {
            prioritise(self, torrent);
        }
    }
}

/// Tells the engine what of a torrent is downloaded first: what is played next, then what the user
/// chose.
pub(super) fn prioritise(driver: &mut Driver, id: TorrentId) {
    let torrent = driver.library.torrents.get(id);
    let known = torrent.and_then(|torrent| Some((torrent, torrent.info.as_ref()?)));
    if let Some((torrent, info)) = known {
        let mut ranges = driver.playback.ranges(id, info);
        ranges.extend(torrent.order());
        let command = Command::Prioritise(id, ranges);
        // Refused only for a torrent that is not in the engine.
        drop(driver.engine.command(now(), command));
    }
}
