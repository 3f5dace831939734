//! `ut_holepunch` (BEP 55): a peer that is connected to two others tells each the other's address,
//! so that both can open a connection through their NATs at the same time.
//!
//! Only the role of the relaying peer is supported. Opening such a connection requires uTP.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};

use super::registry::{Effect, Extension, RemoteIds, View};
use crate::net::{Limit, TokenBucket, compact, disclosure, is_usable};
use crate::types::{ConnId, Instant, PeerAddr};

/// The rate limit for introductions per requesting peer, and the burst; more requests are ignored.
/// Each request causes work for another peer.
const MAX_PER_MINUTE: u64 = 20;

/// The introductions that a peer may still request.
#[derive(Debug)]
pub(super) struct Requests(TokenBucket);

impl Default for Requests {
    fn default() -> Self {
        Self(TokenBucket::new(Limit::per_minute(MAX_PER_MINUTE)))
    }
}

impl Requests {
    /// Counts a request. Returns whether it should be answered.
    fn count(&mut self, now: Instant) -> bool {
        self.0.take(now, 1).is_ok()
    }
}

/// The address families on the wire.
const IPV4: u8 = 0;
const IPV6: u8 = 1;

/// A message of the extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holepunch {
    /// Type 0: requests an introduction to the peer at this address.
    Rendezvous(SocketAddr),
    /// Type 1: the peer at this address is ready; connect to it now.
    Connect(SocketAddr),
    /// Type 2: the introduction to the peer at this address failed.
    Error(SocketAddr, Failure),
}

/// Why an introduction failed, with the error code on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum Failure {
    /// The address is not usable.
    NoSuchPeer = 1,
    /// We are not connected to that peer.
    NotConnected = 2,
    /// That peer does not support the extension.
    NoSupport = 3,
    /// That peer is the requesting one.
    NoSelf = 4,
}

/// Handles a message. Messages that only concern connections that we would open are ignored.
pub(super) fn handle(
    requests: &mut Requests,
    ids: &RemoteIds,
    view: &View<'_>,
    payload: &[u8],
) -> Effect {
    let target = match Holepunch::decode(payload) {
        Some(Holepunch::Rendezvous(target)) if requests.count(view.now) => target,
        _ => return Effect::Nothing,
    };
    let (conn, _) = view.from;
    let ours = |message: Holepunch| ids.message(Extension::Holepunch, message.encode());
    match introduce(view, target) {
        Ok((initiator, other, their_ids)) => {
            let to_target = Holepunch::Connect(initiator).encode();
            let to_target = their_ids.message(Extension::Holepunch, to_target);
            let to_initiator = ours(Holepunch::Connect(target));
            let both = [(conn, to_initiator), (other, to_target)];
            Effect::Send(
                both.into_iter()
                    .filter_map(|(conn, m)| Some((conn, m?)))
                    .collect(),
            )
        }
        Err(failure) => {
            let answer = ours(Holepunch::Error(target, failure));
            Effect::Send(answer.into_iter().map(|message| (conn, message)).collect())
        }
    }
}

/// The addresses of the initiator and of the requested peer, unless either must not learn the
/// other's address.
fn introduce(
    view: &View<'_>,
    target: SocketAddr,
) -> Result<(SocketAddr, ConnId, RemoteIds), Failure> {
    if !is_usable(target) {
        return Err(Failure::NoSuchPeer);
    }
    let (initiator, target) = (view.from.1, PeerAddr::from(target));
    if target == initiator {
        return Err(Failure::NoSelf);
    }
    disclosure::to_peer(initiator, target).ok_or(Failure::NotConnected)?;
    let initiator = disclosure::to_peer(target, initiator).ok_or(Failure::NotConnected)?;
    let (conn, ids) = (view.peer_at)(target).ok_or(Failure::NotConnected)?;
    ids.get(Extension::Holepunch).ok_or(Failure::NoSupport)?;
    Ok((initiator, conn, ids))
}

impl Holepunch {
    /// Decodes a payload. `None` if the type is unknown or the payload is too short. The error code
    /// may be absent from messages other than errors, and trailing bytes are ignored.
    fn decode(payload: &[u8]) -> Option<Self> {
        let [kind, family, rest @ ..] = payload else {
            return None;
        };
        let length = match *family {
            IPV4 => compact::LEN_V4,
            IPV6 => compact::LEN_V6,
            _ => return None,
        };
        let (addr, rest) = rest.split_at_checked(length)?;
        let addr = compact::read(addr)?;
        match kind {
            0 => Some(Self::Rendezvous(addr)),
            1 => Some(Self::Connect(addr)),
            2 => Some(Self::Error(addr, Failure::from_code(*rest.first_chunk()?)?)),
            _ => None,
        }
    }

    /// Encodes the payload. The error code is always included; 0 if there is none.
    fn encode(&self) -> Bytes {
        let (kind, addr, code) = match *self {
            Self::Rendezvous(addr) => (0, addr, 0),
            Self::Connect(addr) => (1, addr, 0),
            Self::Error(addr, failure) => (2, addr, failure as u32),
        };
        let mut out = BytesMut::new();
        out.put_u8(kind);
        out.put_u8(if addr.is_ipv4() { IPV4 } else { IPV6 });
        compact::write(&mut out, addr);
        out.put_u32(code);
        out.freeze()
    }
}

impl Failure {
    fn from_code(code: [u8; 4]) -> Option<Self> {
        let all = [
            Self::NoSuchPeer,
            Self::NotConnected,
            Self::NoSupport,
            Self::NoSelf,
        ];
        all.into_iter()
            .find(|failure| (*failure as u32).to_be_bytes() == code)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;
    use crate::wire::Message;

    const INITIATOR: (ConnId, &str) = (ConnId::dialled(1), "45.0.0.1:6881");

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// A peer's extension ids: this one with this number, if it supports it.
    fn ids(number: u8) -> RemoteIds {
        let mut ids = RemoteIds::default();
        ids.update(|name| (name == "ut_holepunch").then_some(number));
        ids
    }

    /// The effect of an initiator's request for `target`, with one peer connected, at
    /// 45.0.0.2:6881, whose id for the extension is `theirs`.
    fn asked(requests: &mut Requests, theirs: u8, target: &str) -> Effect {
        let peer_at = |at: PeerAddr| {
            (at == addr("45.0.0.2:6881").into()).then_some((ConnId::dialled(2), ids(theirs)))
        };
        let view = View {
            now: Instant::ZERO,
            from: (INITIATOR.0, addr(INITIATOR.1).into()),
            peer_at: &peer_at,
            metadata: None,
            exchanges: true,
            complete: false,
            has_room: true,
        };
        handle(
            requests,
            &ids(7),
            &view,
            &Holepunch::Rendezvous(addr(target)).encode(),
        )
    }

    fn message(id: u8, message: Holepunch) -> Message {
        Message::Extended {
            id,
            payload: message.encode(),
        }
    }

    #[test]
    fn two_connected_peers_are_told_of_each_other() {
        let connect = |at: &str| Holepunch::Connect(addr(at));
        let expected = vec![
            (INITIATOR.0, message(7, connect("45.0.0.2:6881"))),
            (ConnId::dialled(2), message(9, connect(INITIATOR.1))),
        ];
        let mut requests = Requests::default();
        assert_eq!(
            asked(&mut requests, 9, "45.0.0.2:6881"),
            Effect::Send(expected)
        );
    }

    #[test]
    fn who_asks_without_end_is_not_answered_without_end() {
        let mut requests = Requests::default();
        let answers = (0..100).map(|_| asked(&mut requests, 9, "45.0.0.2:6881"));
        assert_eq!(
            answers.filter(|answer| *answer != Effect::Nothing).count() as u64,
            MAX_PER_MINUTE
        );
        assert!(requests.count(Instant::ZERO + Duration::from_secs(3)));
    }

    #[test]
    fn an_introduction_that_cannot_be_made_is_answered_with_the_reason() {
        let error = |target: &str, failure| {
            let error = Holepunch::Error(addr(target), failure);
            Effect::Send(vec![(INITIATOR.0, message(7, error))])
        };
        for (theirs, target, failure) in [
            (9, "45.0.0.2:0", Failure::NoSuchPeer),
            (9, "224.0.0.1:6881", Failure::NoSuchPeer),
            (9, "45.0.0.3:6881", Failure::NotConnected),
            (0, "45.0.0.2:6881", Failure::NoSupport),
            (9, INITIATOR.1, Failure::NoSelf),
        ] {
            let answer = asked(&mut Requests::default(), theirs, target);
            assert_eq!(answer, error(target, failure), "{target}");
        }
    }

    #[test]
    fn the_wire_form_is_that_of_bep_55() {
        let error = Holepunch::Error(addr("1.2.3.4:258"), Failure::NoSupport);
        assert_eq!(error.encode()[..], [2, 0, 1, 2, 3, 4, 1, 2, 0, 0, 0, 3]);
        let six = Holepunch::Rendezvous(addr("[::5]:1"));
        assert_eq!(six.encode().len(), 2 + 16 + 2 + 4);
        for message in [error, six, Holepunch::Connect(addr("1.2.3.4:5"))] {
            assert_eq!(Holepunch::decode(&message.encode()), Some(message));
        }
        assert_eq!(
            Holepunch::decode(&[0, 0, 1, 2, 3, 4, 1, 2]),
            Some(Holepunch::Rendezvous(addr("1.2.3.4:258")))
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_mean_one_thing(
            bytes in proptest::collection::vec(any::<u8>(), 0..30),
        ) {
            if let Some(message) = Holepunch::decode(&bytes) {
                prop_assert_eq!(Holepunch::decode(&message.encode()), Some(message));
            }
        }
    }
}
