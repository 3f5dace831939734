//! Modifies the messages of the honest engine inside a bad peer.

use aqueduct_core::extensions::Holepunch;
use aqueduct_core::wire::{Message, RawBlock};
use bytes::Bytes;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// An extended handshake (BEP 10) that announces sixteen megabytes of metadata.
const FORGED: &[u8] = b"d1:md11:ut_metadatai1ee13:metadata_sizei16000000ee";

/// How a host misbehaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehavior {
    /// It does not.
    None,
    /// One of this many blocks has a flipped bit; 1 means every block.
    Corrupt(u32),
    /// After this many blocks it sends no more, but stays connected and unchoked.
    Stall(u32),
    /// It downloads and never uploads: requests are rejected.
    FreeRide,
    /// It announces a wrong metadata size, and sends wrong metadata (BEP 9).
    ForgeMetadata,
    /// It answers each request for an introduction (BEP 55), and introduces peers, with an address
    /// that is not the peer's.
    Misdirect,
    /// It answers no request for an introduction (BEP 55).
    Ignore,
    /// Ten times per second it announces peers that do not exist (BEP 11).
    InventedPeers,
    /// Ten times per second it sends invalid messages: indices out of range, unrequested blocks,
    /// requests for ranges that do not exist.
    InvalidMessages,
    /// It sends 3,000 messages per second that change nothing.
    IdleMessages,
}

impl Misbehavior {
    /// The messages that are sent in place of `message`. `sent` is the number of blocks sent
    /// before.
    pub(super) fn twist(
        self,
        message: Message,
        sent: u32,
        rng: &mut ChaCha8Rng,
    ) -> Option<Message> {
        match (self, message) {
            (Self::Corrupt(every), Message::Piece { index, begin, data })
                if rng.random_range(0..every) == 0 =>
            {
                Some(Message::Piece {
                    index,
                    begin,
                    data: flipped(&data, rng),
                })
            }
            (Self::Stall(after), Message::Piece { .. }) if sent >= after => None,
            (Self::FreeRide, Message::Piece { index, begin, data }) => {
                Some(Message::Reject(RawBlock {
                    index,
                    begin,
                    length: u32::try_from(data.len()).unwrap(),
                }))
            }
            (Self::ForgeMetadata, Message::Extended { id: 0, .. }) => Some(Message::Extended {
                id: 0,
                payload: Bytes::from_static(FORGED),
            }),
            (Self::ForgeMetadata, Message::Extended { id, payload }) => Some(Message::Extended {
                id,
                payload: flipped(&payload, rng),
            }),
            (Self::Misdirect, Message::Extended { id, payload }) => Some(Message::Extended {
                id,
                payload: misdirected(payload, rng),
            }),
            (Self::Ignore, Message::Extended { id: 4, .. }) => None,
            (_, message) => Some(message),
        }
    }

    /// Whether it sends messages unprompted.
    pub(super) const fn is_talkative(self) -> bool {
        matches!(
            self,
            Self::InvalidMessages | Self::InventedPeers | Self::IdleMessages
        )
    }

    /// Additional messages, sent ten times per second.
    pub(super) fn unprompted(self, rng: &mut ChaCha8Rng) -> Vec<Message> {
        match self {
            Self::InvalidMessages => vec![Self::nonsense(rng)],
            Self::InventedPeers => vec![Self::gossip(rng)],
            Self::IdleMessages => (0..300).map(|_| Self::idle(rng)).collect(),
            _ => Vec::new(),
        }
    }

    /// A valid message that changes nothing.
    fn idle(rng: &mut ChaCha8Rng) -> Message {
        match rng.random_range(0..5) {
            0 => Message::KeepAlive,
            1 => Message::Have(0),
            2 => Message::NotInterested,
            3 => Message::Port(6881),
            _ => Message::Extended {
                id: 99,
                payload: Bytes::from_static(b"de"),
            },
        }
    }

    /// A hundred invented addresses.
    fn gossip(rng: &mut ChaCha8Rng) -> Message {
        let peers: Vec<u8> = (0..100)
            .flat_map(|_| [46, rng.random(), rng.random(), rng.random(), 26, 225])
            .collect();
        let payload = [b"d5:added600:", &peers[..], b"e"].concat();
        Message::Extended {
            id: 2,
            payload: Bytes::from(payload),
        }
    }

    /// An invalid message.
    fn nonsense(rng: &mut ChaCha8Rng) -> Message {
        let raw = RawBlock {
            index: rng.random(),
            begin: rng.random(),
            length: rng.random(),
        };
        match rng.random_range(0..9) {
            0 => Message::Have(rng.random()),
            1 => Message::Request(raw),
            2 => Message::Cancel(raw),
            3 => Message::Reject(raw),
            4 => Message::Suggest(rng.random()),
            5 => Message::AllowedFast(rng.random()),
            6 => Message::Piece {
                index: rng.random_range(0..64),
                begin: 0,
                data: Bytes::from_static(&[0; 1024]),
            },
            7 => Message::Extended {
                id: rng.random(),
                payload: Bytes::from_static(b"d1:md11:ut_metadatai-7eee"),
            },
            _ => Message::Bitfield(Bytes::from_static(&[0xff; 3])),
        }
    }
}

/// An introduction to an invented address in place of one; everything else as it is.
fn misdirected(payload: Bytes, rng: &mut ChaCha8Rng) -> Bytes {
    match Holepunch::decode(&payload) {
        Some(Holepunch::Connect(_)) => {
            let victim = ([46, rng.random(), rng.random(), rng.random()], 6881);
            Holepunch::Connect(victim.into()).encode()
        }
        _ => payload,
    }
}

fn flipped(data: &Bytes, rng: &mut ChaCha8Rng) -> Bytes {
    let mut bytes = data.to_vec();
    let at = rng.random_range(0..bytes.len());
    bytes[at] ^= 1 << rng.random_range(0..8);
    Bytes::from(bytes)
}
