//! The server side of BEP 15: connect, announce, scrape (BEP 48).
//!
//! Options after an announce (BEP 41) are ignored: there is one tracker, whatever the path in the
//! client's URL.

use std::net::{IpAddr, SocketAddr};

use super::machine::Tracker;
use super::request::{Admission, Announce, Event};
use crate::discovery::trackers::udp::{ANNOUNCE, CONNECT, ERROR, MAGIC, SCRAPE};
use crate::types::{InfoHashV1, Instant};

/// The maximum length of an answer in bytes. It fits into every IPv6 path's MTU without
/// fragmentation.
pub const MAX_ANSWER: usize = 1232;
/// The maximum number of swarms in one scrape (BEP 15).
pub const MAX_SCRAPED: usize = 74;

/// The length of an announce's answer without peers, in bytes.
const HEAD: usize = 20;

/// A parsed datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// A request for a connection id.
    Connect,
    /// An announce, preceded by its connection id.
    Announce(u64, Announce),
    /// A scrape: the connection id and the info-hashes, 20 bytes each.
    Scrape(u64, &'a [[u8; 20]]),
}

impl<'a> Request<'a> {
    /// Parses a datagram. Also returns the transaction id for the answer. `None` if it is not of
    /// BEP 15; such a datagram is best ignored.
    #[must_use]
    pub fn parse(datagram: &'a [u8]) -> Option<(u32, Self)> {
        let (head, body) = datagram.split_first_chunk::<16>()?;
        let (connection, action, transaction) = (be64(head, 0)?, be32(head, 8)?, be32(head, 12)?);
        let request = match action {
            CONNECT if connection == MAGIC => Self::Connect,
            ANNOUNCE => Self::Announce(connection, announce(body.first_chunk()?)?),
            SCRAPE => Self::Scrape(
                connection,
                body.as_chunks()
                    .0
                    .get(..MAX_SCRAPED.min(body.len() / 20))
                    .filter(|list| !list.is_empty())?,
            ),
            _ => return None,
        };
        Some((transaction, request))
    }
}

fn announce(body: &[u8; 82]) -> Option<Announce> {
    let info_hash = InfoHashV1(*body.first_chunk()?);
    let event = match be32(body, 64)? {
        1 => Event::Completed,
        3 => Event::Stopped,
        _ => Event::Present,
    };
    // -1 leaves the choice to the tracker.
    let num_want = be32(body, 76)
        .filter(|want| *want != u32::MAX)
        .and_then(|want| usize::try_from(want).ok());
    let port = u16::from_be_bytes(*body.last_chunk()?);
    Some(Announce {
        info_hash,
        port,
        seed: be64(body, 48)? == 0,
        event,
        num_want,
    })
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

impl Tracker {
    /// Answers a datagram. `out` is cleared first and stays empty if there is no answer. An address
    /// that has not shown a valid connection id receives no answer that is longer than its request.
    ///
    /// `admit` decides how an address is treated; it is called for announces only.
    pub fn answer_udp(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        admit: &dyn Fn(SocketAddr) -> Admission,
        out: &mut Vec<u8>,
    ) {
        out.clear();
        let Some((transaction, request)) = Request::parse(datagram) else {
            return;
        };
        let ip = from.ip().to_canonical();
        match request {
            Request::Connect => {
                head(out, CONNECT, transaction);
                out.extend_from_slice(&self.connections.make(now, ip).to_be_bytes());
            }
            Request::Announce(connection, _) | Request::Scrape(connection, _)
                if !self.connections.knows(now, ip, connection) =>
            {
                refuse(out, transaction, "expired connection id");
            }
            Request::Announce(_, announce) if self.afford_announce(now, ip, &announce) => {
                self.udp_announce(now, transaction, announce, ip, admit, out);
            }
            Request::Scrape(_, swarms) if self.afford(now, ip, 1) => {
                self.udp_scrape(transaction, swarms, out)
            }
            // Above the rate limit: no answer.
            Request::Announce(..) | Request::Scrape(..) => {}
        }
    }

    fn udp_announce(
        &mut self,
        now: Instant,
        transaction: u32,
        mut announce: Announce,
        ip: IpAddr,
        admit: &dyn Fn(SocketAddr) -> Admission,
        out: &mut Vec<u8>,
    ) {
        let size = if ip.is_ipv4() { 6 } else { 18 };
        let most = (MAX_ANSWER - HEAD) / size;
        announce.num_want = Some(announce.num_want.unwrap_or(self.config.num_want).min(most));
        // The counts are written after the peers have been chosen.
        out.resize(HEAD, 0);
        match self.announce(
            now,
            &announce,
            ip,
            admit(SocketAddr::new(ip, announce.port)),
            out,
        ) {
            Ok(told) => {
                let interval = u32::try_from(told.interval.as_secs()).unwrap_or(u32::MAX);
                let words = [
                    ANNOUNCE,
                    transaction,
                    interval,
                    told.counts.leechers,
                    told.counts.seeders,
                ];
                out[..HEAD].copy_from_slice(words.map(u32::to_be_bytes).as_flattened());
            }
            Err(refusal) => {
                out.clear();
                refuse(out, transaction, &refusal.to_string());
            }
        }
    }

    fn udp_scrape(&self, transaction: u32, swarms: &[[u8; 20]], out: &mut Vec<u8>) {
        head(out, SCRAPE, transaction);
        for info_hash in swarms {
            let counts = self.scrape(&InfoHashV1(*info_hash));
            out.extend_from_slice(
                [counts.seeders, counts.downloads, counts.leechers]
                    .map(u32::to_be_bytes)
                    .as_flattened(),
            );
        }
    }
}

fn head(out: &mut Vec<u8>, action: u32, transaction: u32) {
    out.extend_from_slice([action, transaction].map(u32::to_be_bytes).as_flattened());
}

fn refuse(out: &mut Vec<u8>, transaction: u32, why: &str) {
    head(out, ERROR, transaction);
    out.extend_from_slice(why.as_bytes());
}
