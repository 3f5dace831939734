//! Lets players outside the browser read files, through a bridge on this machine.

use std::ops::Range;

use aqueduct_core::tunnel::OfferedFile;
use aqueduct_core::types::TorrentId;

use super::Driver;
use super::playback::prioritise;
use crate::browser::clock::now;
use crate::engine::bridge::PlayerEvent;
use crate::engine::playback::{StreamEvent, ToPlayer, file_of};
use crate::media::media_type;
use crate::message::Players;

/// Offers a file to players. Nothing happens if it is no audio or video, or is offered already.
pub(super) fn make_address(driver: &mut Driver, torrent: TorrentId, file: u32) {
    if !driver.players.are_possible() || driver.players.have(torrent, file) {
        return;
    }
    let Some((name, offered)) = offered_file(driver, torrent, file) else {
        return;
    };
    if let Some(oldest) = driver.players.take_excess() {
        driver.network.bridge.withdraw(oldest);
    }
    if let Some(offer) = driver.network.bridge.offer(&offered) {
        driver.players.add(offer, torrent, file, name);
    }
}

fn offered_file(driver: &Driver, torrent: TorrentId, file: u32) -> Option<(String, OfferedFile)> {
    let torrent = driver.library.torrents.get(torrent)?;
    let info = torrent
        .info
        .as_ref()
        .filter(|_| torrent.delete_at.is_none())?;
    let file = file_of(info, file)?;
    let name = file.path.last()?;
    let (size, media_type) = (file.size, media_type(name)?);
    Some((name.clone(), OfferedFile { size, media_type }))
}

pub(super) fn handle(driver: &mut Driver, event: PlayerEvent) {
    match event {
        PlayerEvent::Started { offers } => driver.players.start_session(offers),
        PlayerEvent::Offered { offer, token } => driver.players.set_token(offer, token),
        PlayerEvent::Read {
            stream,
            offer,
            bytes,
        } => {
            if !start_read(driver, stream, offer, bytes) {
                driver.network.bridge.close_read(stream);
            }
        }
        PlayerEvent::Sent(stream) => {
            if let Some(id) = driver.playback.for_player(stream) {
                driver.handle_stream(id, StreamEvent::Pull);
            }
            return;
        }
        PlayerEvent::Closed(stream) => {
            if let Some(id) = driver.playback.for_player(stream) {
                driver.handle_stream(id, StreamEvent::Cancel);
            }
        }
    }
    driver.updates.update_soon(now());
}

/// Starts to send bytes of an offered file. Returns whether there are such bytes.
fn start_read(driver: &mut Driver, stream: u32, offer: u32, bytes: Range<u64>) -> bool {
    let Some((id, file)) = driver.players.file_of(offer) else {
        return false;
    };
    let torrent = driver.library.torrents.get(id);
    let known = torrent.and_then(|torrent| Some((torrent, torrent.info.clone()?)));
    let Some((torrent, info)) = known else {
        return false;
    };
    let is_unwanted = !torrent.wants(file as usize);
    let opened = driver
        .playback
        .open_for_player((id, &info), file, bytes, stream);
    let Some(opened) = opened else {
        return false;
    };
    driver.want_played(id, file, is_unwanted);
    driver.advance(opened, id);
    true
}

/// Passes chunks for players to the bridge.
pub(super) fn send(driver: &mut Driver) {
    while let Some(next) = driver.playback.poll_player() {
        match next {
            ToPlayer::Chunk(stream, bytes) => driver.network.bridge.send_to_player(stream, bytes),
            ToPlayer::Failed(stream) => driver.network.bridge.close_read(stream),
        }
    }
}

/// Withdraws the offers of a torrent.
pub(super) fn withdraw(driver: &mut Driver, torrent: TorrentId) {
    for offer in driver.players.remove(torrent) {
        driver.network.bridge.withdraw(offer);
    }
}

/// The session with the bridge is over, and with it every offer and stream.
pub(super) fn end_session(driver: &mut Driver) {
    driver.players.start_session(0);
    for torrent in driver.playback.end_session() {
        prioritise(driver, torrent);
    }
    driver.updates.update_soon(now());
}

/// For the pages.
pub(super) fn state(driver: &Driver) -> Players {
    Players {
        are_possible: driver.players.are_possible(),
        addresses: driver.players.addresses(),
        are_reading: driver.network.bridge.is_read(),
    }
}
