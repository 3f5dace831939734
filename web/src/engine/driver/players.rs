//! Lets players outside the browser read files, through a bridge on this machine.

use std::ops::Range;

use aqueduct_core::tunnel::OfferedFile;
use aqueduct_core::types::TorrentId;

use super::Driver;
use super::playback::prioritise;
use crate::browser::clock::now;
use crate::engine::bridge::PlayerEvent;
use crate::engine::playback::{StreamEvent, ToPlayer};
use crate::media::media_type;
use crate::message::Players;

impl Driver {
    /// Offers a file to players. Nothing happens if it is no audio or video, or is offered already.
    pub(super) fn make_address(&mut self, torrent: TorrentId, file: u32) {
        if !self.players.are_possible() || self.players.have(torrent, file) {
            return;
        }
        let Some((name, offered)) = self.offered_file(torrent, file) else {
            return;
        };
        if let Some(oldest) = self.players.take_excess() {
            self.network.bridge.withdraw(oldest);
        }
        if let Some(offer) = self.network.bridge.offer(&offered) {
            self.players.add(offer, torrent, file, name);
        }
    }

    fn offered_file(&self, torrent: TorrentId, file: u32) -> Option<(String, OfferedFile)> {
        let torrent = self.library.torrents.get(torrent)?;
        let info = torrent
            .info
            .as_ref()
            .filter(|_| torrent.delete_at.is_none())?;
        let file = info.files.get(file as usize).filter(|file| !file.pad)?;
        let name = file.path.last()?;
        let (size, media_type) = (file.size, media_type(name)?);
        Some((name.clone(), OfferedFile { size, media_type }))
    }

    pub(super) fn handle_player(&mut self, event: PlayerEvent) {
        match event {
            PlayerEvent::Started { offers } => self.players.start_session(offers),
            PlayerEvent::Offered { offer, token } => self.players.set_token(offer, token),
            PlayerEvent::Read {
                stream,
                offer,
                bytes,
            } => {
                if !self.start_read(stream, offer, bytes) {
                    self.network.bridge.close_read(stream);
                }
            }
            PlayerEvent::Sent(stream) => {
                if let Some(id) = self.playback.for_player(stream) {
                    self.handle_stream(id, StreamEvent::Pull);
                }
                return;
            }
            PlayerEvent::Closed(stream) => {
                if let Some(id) = self.playback.for_player(stream) {
                    self.handle_stream(id, StreamEvent::Cancel);
                }
            }
        }
        self.updates.update_soon(now());
    }

    /// Starts to send bytes of an offered file. Returns whether there are such bytes.
    fn start_read(&mut self, stream: u32, offer: u32, bytes: Range<u64>) -> bool {
        let Some((id, file)) = self.players.file_of(offer) else {
            return false;
        };
        let torrent = self.library.torrents.get(id);
        let known = torrent.and_then(|torrent| Some((torrent, torrent.info.clone()?)));
        let Some((torrent, info)) = known else {
            return false;
        };
        let is_unwanted = !torrent.wants(file as usize);
        let opened = self
            .playback
            .open_for_player((id, &info), file, bytes, stream);
        let Some(opened) = opened else {
            return false;
        };
        self.want_played(id, file, is_unwanted);
        self.advance(opened, id);
        true
    }

    /// Passes chunks for players to the bridge.
    pub(super) fn send_to_players(&mut self) {
        while let Some(next) = self.playback.poll_player() {
            match next {
                ToPlayer::Chunk(stream, bytes) => self.network.bridge.send_to_player(stream, bytes),
                ToPlayer::Failed(stream) => self.network.bridge.close_read(stream),
            }
        }
    }

    /// Withdraws the offers of a torrent.
    pub(super) fn withdraw_offers(&mut self, torrent: TorrentId) {
        for offer in self.players.remove(torrent) {
            self.network.bridge.withdraw(offer);
        }
    }

    /// The session with the bridge is over, and with it every offer and stream.
    pub(super) fn end_players(&mut self) {
        self.players.start_session(0);
        for torrent in self.playback.end_session() {
            prioritise(self, torrent);
        }
        self.updates.update_soon(now());
    }

    /// For the pages.
    pub(super) fn players_state(&self) -> Players {
        Players {
            are_possible: self.players.are_possible(),
            addresses: self.players.addresses(),
            are_reading: self.network.bridge.is_read(),
        }
    }
}
