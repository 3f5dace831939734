//! The datagrams of BEP 15, including scrapes, and the option of BEP 41 that contains the URL's
//! path.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::announce::{Announce, AnnounceEvent, Answer, PeerList, words};
use super::status::TrackerError;
use crate::types::InfoHashV1;

/// The magic constant of a connect request.
pub(crate) const MAGIC: u64 = 0x0417_2710_1980;

pub(crate) const CONNECT: u32 = 0;
pub(crate) const ANNOUNCE: u32 = 1;
pub(crate) const SCRAPE: u32 = 2;
pub(crate) const ERROR: u32 = 3;

/// The option "URL data" (BEP 41).
const URL_DATA: u8 = 2;

/// An answer. Its body must be parsed according to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The transaction id.
    pub transaction: u32,
    action: u32,
    body: &'a [u8],
}

/// Encodes a request for a connection id.
#[must_use]
pub fn connect(transaction: u32) -> Bytes {
    let mut bytes = BytesMut::with_capacity(16);
    bytes.put_u64(MAGIC);
    bytes.put_u32(CONNECT);
    bytes.put_u32(transaction);
    bytes.freeze()
}

/// Encodes an announce. `path_and_query` is that of the tracker's URL; `/` alone is omitted.
#[must_use]
pub fn announce(
    connection: u64,
    transaction: u32,
    announce: &Announce,
    path_and_query: &str,
) -> Bytes {
    let mut bytes = BytesMut::with_capacity(128);
    bytes.put_u64(connection);
    bytes.put_u32(ANNOUNCE);
    bytes.put_u32(transaction);
    bytes.put_slice(&announce.info_hash.0);
    bytes.put_slice(&announce.peer_id.0);
    bytes.put_u64(announce.amounts.downloaded);
    bytes.put_u64(announce.left());
    bytes.put_u64(announce.amounts.uploaded);
    bytes.put_u32(event_number(announce.event));
    // The IP address field: 0 means the source address.
    bytes.put_u32(0);
    bytes.put_u32(announce.key);
    bytes.put_u32(announce.num_want);
    bytes.put_u16(announce.port);
    put_url_data(&mut bytes, path_and_query);
    bytes.freeze()
}

/// Encodes a scrape of one swarm.
#[must_use]
pub fn scrape(connection: u64, transaction: u32, info_hash: &InfoHashV1) -> Bytes {
    let mut bytes = BytesMut::with_capacity(36);
    bytes.put_u64(connection);
    bytes.put_u32(SCRAPE);
    bytes.put_u32(transaction);
    bytes.put_slice(&info_hash.0);
    bytes.freeze()
}

const fn event_number(event: AnnounceEvent) -> u32 {
    match event {
        AnnounceEvent::None => 0,
        AnnounceEvent::Completed => 1,
        AnnounceEvent::Started => 2,
        AnnounceEvent::Stopped => 3,
    }
}

/// BEP 41: an option has at most 255 bytes, so longer text is split into several.
fn put_url_data(bytes: &mut BytesMut, path_and_query: &str) {
    if path_and_query == "/" {
        return;
    }
    for part in path_and_query.as_bytes().chunks(255) {
        bytes.put_u8(URL_DATA);
        bytes.put_u8(u8::try_from(part.len()).unwrap_or(u8::MAX));
        bytes.put_slice(part);
    }
}

impl<'a> Response<'a> {
    /// Parses the action and transaction id, with which every answer begins; `None` if it is
    /// shorter.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (action, rest) = bytes.split_first_chunk()?;
        let (transaction, body) = rest.split_first_chunk()?;
        Some(Self {
            transaction: u32::from_be_bytes(*transaction),
            action: u32::from_be_bytes(*action),
            body,
        })
    }

    /// The tracker's error, whatever was requested.
    #[must_use]
    pub fn as_error(&self) -> Option<TrackerError> {
        (self.action == ERROR).then(|| TrackerError::Failure(words(self.body)))
    }

    /// The connection id; `None` if this is an answer to another request.
    ///
    /// # Errors
    /// The answer is too short.
    pub fn as_connection(&self) -> Result<Option<u64>, TrackerError> {
        if self.action != CONNECT {
            return Ok(None);
        }
        let (id, _) = self
            .body
            .split_first_chunk()
            .ok_or_else(|| self.too_short(16))?;
        Ok(Some(u64::from_be_bytes(*id)))
    }

    /// The answer to an announce; `None` if this is an answer to another request. `v6`: the tracker
    /// was asked over IPv6, so peers have 18 bytes each.
    ///
    /// # Errors
    /// The answer is too short.
    pub fn as_answer(&self, v6: bool) -> Result<Option<Answer>, TrackerError> {
        if self.action != ANNOUNCE {
            return Ok(None);
        }
        let (head, compact) = self
            .body
            .split_first_chunk::<12>()
            .ok_or_else(|| self.too_short(20))?;
        let [interval, leechers, seeders] = [0, 4, 8]
            .map(|at| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
        let mut peers = PeerList::default();
        if v6 {
            peers.add_v6(compact)
        } else {
            peers.add_v4(compact)
        }
        let interval = Some(Duration::from_secs(interval.into()));
        Ok(Some(Answer {
            interval,
            seeders: Some(seeders),
            leechers: Some(leechers),
            peers: peers.list,
            ..Answer::default()
        }))
    }

    /// The answer to a scrape of one swarm; `None` if this is an answer to another request.
    ///
    /// # Errors
    /// The answer is too short.
    pub fn as_scrape(&self) -> Result<Option<Answer>, TrackerError> {
        if self.action != SCRAPE {
            return Ok(None);
        }
        let (counts, _) = self
            .body
            .split_first_chunk::<12>()
            .ok_or_else(|| self.too_short(20))?;
        let [seeders, _downloads, leechers] = [0, 4, 8].map(|at| {
            u32::from_be_bytes([counts[at], counts[at + 1], counts[at + 2], counts[at + 3]])
        });
        Ok(Some(Answer {
            seeders: Some(seeders),
            leechers: Some(leechers),
            ..Answer::default()
        }))
    }

    const fn too_short(&self, expected: usize) -> TrackerError {
        TrackerError::Datagram {
            expected,
            received: self.body.len() + 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{ProptestConfig, any, proptest};

    use super::*;
    use crate::discovery::Amounts;
    use crate::types::{InfoHashV1, PeerId};

    fn sample() -> Announce {
        let amounts = Amounts {
            uploaded: 3,
            downloaded: 1,
            left: Some(2),
        };
        Announce {
            info_hash: InfoHashV1([0xaa; 20]),
            peer_id: PeerId([0xbb; 20]),
            port: 0x1ae1,
            amounts,
            event: AnnounceEvent::Started,
            key: 7,
            num_want: 200,
        }
    }

    #[test]
    fn requests_have_the_shape_of_bep_15() {
        assert_eq!(
            connect(0x0102_0304)[..],
            [
                0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 1, 2, 3, 4
            ]
        );
        let bytes = announce(5, 6, &sample(), "/");
        assert_eq!(bytes.len(), 98);
        assert_eq!(
            bytes[..16],
            [0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 6]
        );
        assert_eq!(bytes[16..56], [[0xaa; 20], [0xbb; 20]].concat());
        assert_eq!(
            [
                bytes[63], bytes[71], bytes[79], bytes[83], bytes[87], bytes[91], bytes[95]
            ],
            [1, 2, 3, 2, 0, 7, 200]
        );
        assert_eq!(bytes[96..], [0x1a, 0xe1]);
    }

    #[test]
    fn the_path_follows_in_options_of_at_most_255_bytes() {
        let path = format!("/{}", "x".repeat(299));
        let bytes = announce(5, 6, &sample(), &path);
        assert_eq!(bytes[98..100], [2, 255]);
        assert_eq!(bytes[100 + 255..102 + 255], [2, 45]);
        assert_eq!(bytes.len(), 98 + 2 + 255 + 2 + 45);
    }

    #[test]
    fn answers_are_read_by_the_family_they_came_over() {
        let head = [0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 7, 8, 0, 0, 0, 2, 0, 0, 0, 3];
        let v4 = [&head[..], &[1, 2, 3, 4, 0, 80, 9, 9]].concat();
        let answer = Response::parse(&v4)
            .unwrap()
            .as_answer(false)
            .unwrap()
            .unwrap();
        assert_eq!(
            (answer.interval, answer.leechers, answer.seeders),
            (Some(Duration::from_secs(1800)), Some(2), Some(3))
        );
        assert_eq!(answer.peers, ["1.2.3.4:80".parse().unwrap()]);
        let v6 = [
            &head[..],
            &[0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80],
        ]
        .concat();
        assert_eq!(
            Response::parse(&v6)
                .unwrap()
                .as_answer(true)
                .unwrap()
                .unwrap()
                .peers,
            ["[2000::1]:80".parse().unwrap()]
        );
    }

    #[test]
    fn a_scrape_names_a_swarm_and_is_answered_with_counts() {
        let bytes = scrape(5, 6, &InfoHashV1([0xaa; 20]));
        assert_eq!(
            bytes[..16],
            [0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 6]
        );
        assert_eq!(bytes[16..], [0xaa; 20]);
        let answer = Response::parse(&[0, 0, 0, 2, 0, 0, 0, 6, 0, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0, 4])
            .unwrap()
            .as_scrape()
            .unwrap()
            .unwrap();
        assert_eq!((answer.seeders, answer.leechers), (Some(3), Some(4)));
        assert_eq!(
            Response::parse(&[0, 0, 0, 2, 0, 0, 0, 6])
                .unwrap()
                .as_scrape(),
            Err(TrackerError::Datagram {
                expected: 20,
                received: 8
            })
        );
    }

    #[test]
    fn refusals_and_short_datagrams_have_their_names() {
        let error = Response::parse(b"\0\0\0\x03\0\0\0\x09go\naway").unwrap();
        assert_eq!(
            (error.transaction, error.as_error()),
            (9, Some(TrackerError::Failure("go\\naway".to_owned())))
        );
        assert_eq!(Response::parse(&[0; 7]), None);
        assert_eq!(
            Response::parse(&[0; 12]).unwrap().as_connection(),
            Err(TrackerError::Datagram {
                expected: 16,
                received: 12
            })
        );
        let short = Response::parse(&[0, 0, 0, 1, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!(
            short.as_answer(false),
            Err(TrackerError::Datagram {
                expected: 20,
                received: 9
            })
        );
        assert_eq!(short.as_connection(), Ok(None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn any_datagram_is_read_or_refused(bytes in vec(any::<u8>(), 0..100), action in 0u8..4, v6 in any::<bool>()) {
            for bytes in [bytes.clone(), [&[0, 0, 0, action][..], &bytes].concat()] {
                if let Some(response) = Response::parse(&bytes) {
                    let _ = (response.as_error(), response.as_connection(), response.as_answer(v6));
                }
            }
        }
    }
}
