//! `ut_holepunch` (BEP 55): a peer that is connected to two others tells each the other's address,
//! so that both open a uTP connection at the same time and each one's NAT lets the other's datagrams
//! in.
//!
//! Here are the messages and the role of the relaying peer. Whom a swarm asks for introductions, and
//! which it follows, is decided in `swarm/holepunch.rs`.

mod message;

use std::net::SocketAddr;

pub use message::{Holepunch, HolepunchError};

use super::registry::{Effect, Extension, RemoteIds, View};
use crate::net::{Limit, TokenBucket, disclosure, is_usable};
use crate::types::{ConnId, Instant, PeerAddr};
use crate::wire::Message;

/// The rate limit for introductions per requesting peer, and the burst; more requests are ignored.
/// Each request causes work for another peer.
const MAX_REQUESTED: u64 = 20;
/// The rate limit for introductions that we request from one peer, and the burst. It is half of
/// what we allow others.
const MAX_REQUESTS: u64 = 10;

/// The introductions between us and one peer.
#[derive(Debug)]
pub(super) struct Introductions {
    /// Those that the peer may still request from us.
    requested: TokenBucket,
    /// Those that we may still request from the peer.
    requests: TokenBucket,
}

impl Default for Introductions {
    fn default() -> Self {
        Self {
            requested: TokenBucket::new(Limit::per_minute(MAX_REQUESTED)),
            requests: TokenBucket::new(Limit::per_minute(MAX_REQUESTS)),
        }
    }
}

/// Handles a message. Messages are ignored if the peer does not offer the extension itself, since it
/// could not be answered (BEP 55), or if we do not offer it.
pub(super) fn handle(
    introductions: &mut Introductions,
    ids: &RemoteIds,
    view: &View<'_>,
    payload: &[u8],
) -> Effect {
    if ids.get(Extension::Holepunch).is_none() || !view.introduces {
        return Effect::Nothing;
    }
    match Holepunch::decode(payload) {
        Some(Holepunch::Rendezvous(target)) => {
            if introductions.requested.take(view.now, 1).is_err() {
                return Effect::Nothing;
            }
            Effect::Send(introduce(ids, view, target))
        }
        Some(Holepunch::Connect(addr)) => Effect::Introduced(addr),
        Some(Holepunch::Error(addr, _)) => Effect::NotIntroduced(addr),
        None => Effect::Nothing,
    }
}

/// A request for an introduction to the peer at `target`. `None` if the peer does not offer the
/// extension, or was asked too often already.
pub(super) fn request(
    introductions: &mut Introductions,
    ids: &RemoteIds,
    now: Instant,
    target: SocketAddr,
) -> Option<Message> {
    let request = message(ids, Holepunch::Rendezvous(target))?;
    introductions.requests.take(now, 1).ok()?;
    Some(request)
}

/// The messages that introduce the requesting peer and the one at `target` to each other, or tell
/// the requesting peer why this is impossible.
fn introduce(ids: &RemoteIds, view: &View<'_>, target: SocketAddr) -> Vec<(ConnId, Message)> {
    let ours = |answer| (view.from.0, message(ids, answer));
    let messages = match find(view, target) {
        Ok(Pair {
            initiator,
            target,
            conn,
            ids,
        }) => vec![
            ours(Holepunch::Connect(target)),
            (conn, message(&ids, Holepunch::Connect(initiator))),
        ],
        Err(error) => vec![ours(Holepunch::Error(target, error))],
    };
    let messages = messages.into_iter();
    messages
        .filter_map(|(conn, message)| Some((conn, message?)))
        .collect()
}

/// Two peers that can be introduced to each other.
struct Pair {
    initiator: SocketAddr,
    target: SocketAddr,
    /// The target's connection.
    conn: ConnId,
    ids: RemoteIds,
}

/// The requesting peer and the one at `target`, unless either must not learn the other's address.
fn find(view: &View<'_>, target: SocketAddr) -> Result<Pair, HolepunchError> {
    if !is_usable(target) {
        return Err(HolepunchError::NoSuchPeer);
    }
    let (from, initiator) = view.from;
    let target = PeerAddr::from(target);
    if target == initiator {
        return Err(HolepunchError::NoSelf);
    }
    // Whether a peer that must not be disclosed is connected is not disclosed either.
    disclosure::to_peer(initiator, target).ok_or(HolepunchError::NotConnected)?;
    let (conn, target, ids) = (view.peer_at)(target).ok_or(HolepunchError::NotConnected)?;
    if conn == from {
        return Err(HolepunchError::NoSelf);
    }
    ids.get(Extension::Holepunch)
        .ok_or(HolepunchError::NoSupport)?;
    let disclosed = |to, of| disclosure::to_peer(to, of).ok_or(HolepunchError::NotConnected);
    Ok(Pair {
        initiator: disclosed(target, initiator)?,
        target: disclosed(initiator, target)?,
        conn,
        ids,
    })
}

fn message(ids: &RemoteIds, message: Holepunch) -> Option<Message> {
    ids.message(Extension::Holepunch, message.encode())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

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

    /// The effect of a message from the initiator, whose id for the extension is `ours`, with one
    /// other peer connected. That one listens at 45.0.0.2:6881, its NAT maps its UDP port to 50123,
    /// and its id for the extension is `theirs`.
    fn heard(
        introductions: &mut Introductions,
        (ours, theirs): (u8, u8),
        (introduces, message): (bool, Holepunch),
    ) -> Effect {
        let peer_at = |at: PeerAddr| {
            let contact = addr("45.0.0.2:50123").into();
            let is_there = at == contact || at == addr("45.0.0.2:6881").into();
            is_there.then_some((ConnId::dialled(2), contact, ids(theirs)))
        };
        let view = View {
            now: Instant::ZERO,
            from: (INITIATOR.0, addr(INITIATOR.1).into()),
            peer_at: &peer_at,
            metadata: None,
            exchanges: true,
            introduces,
            complete: false,
            has_room: true,
        };
        handle(introductions, &ids(ours), &view, &message.encode())
    }

    fn asked(introductions: &mut Introductions, theirs: u8, target: &str) -> Effect {
        let request = Holepunch::Rendezvous(addr(target));
        heard(introductions, (7, theirs), (true, request))
    }

    fn sent(id: u8, message: Holepunch) -> Message {
        Message::Extended {
            id,
            payload: message.encode(),
        }
    }

    #[test]
    fn two_connected_peers_are_told_where_the_other_ones_nat_maps_it() {
        let connect = |at: &str| Holepunch::Connect(addr(at));
        let expected = vec![
            (INITIATOR.0, sent(7, connect("45.0.0.2:50123"))),
            (ConnId::dialled(2), sent(9, connect(INITIATOR.1))),
        ];
        for target in ["45.0.0.2:6881", "45.0.0.2:50123"] {
            let effect = asked(&mut Introductions::default(), 9, target);
            assert_eq!(effect, Effect::Send(expected.clone()), "{target}");
        }
    }

    #[test]
    fn a_peer_that_requests_without_end_is_not_answered_without_end() {
        let mut introductions = Introductions::default();
        let answers = (0..100).map(|_| asked(&mut introductions, 9, "45.0.0.2:6881"));
        assert_eq!(
            answers.filter(|answer| *answer != Effect::Nothing).count() as u64,
            MAX_REQUESTED
        );
        let later = Instant::ZERO + Duration::from_secs(3);
        assert!(introductions.requested.take(later, 1).is_ok());
    }

    #[test]
    fn no_peer_is_asked_without_end() {
        let (mut introductions, target) = (Introductions::default(), addr("45.0.0.2:6881"));
        let mut asks = || request(&mut introductions, &ids(7), Instant::ZERO, target);
        assert_eq!(asks(), Some(sent(7, Holepunch::Rendezvous(target))));
        let more = (0..100).filter_map(|_| asks()).count() as u64;
        assert_eq!(more, MAX_REQUESTS - 1);
    }

    #[test]
    fn an_introduction_that_cannot_be_made_is_answered_with_the_reason() {
        let answer = |target: &str, error| {
            let error = Holepunch::Error(addr(target), error);
            Effect::Send(vec![(INITIATOR.0, sent(7, error))])
        };
        for (theirs, target, error) in [
            (9, "45.0.0.2:0", HolepunchError::NoSuchPeer),
            (9, "224.0.0.1:6881", HolepunchError::NoSuchPeer),
            (9, "45.0.0.3:6881", HolepunchError::NotConnected),
            (9, "192.168.0.3:6881", HolepunchError::NotConnected),
            (0, "45.0.0.2:6881", HolepunchError::NoSupport),
            (9, INITIATOR.1, HolepunchError::NoSelf),
        ] {
            let effect = asked(&mut Introductions::default(), theirs, target);
            assert_eq!(effect, answer(target, error), "{target}");
        }
    }

    #[test]
    fn nothing_is_answered_where_either_side_does_not_offer_the_extension() {
        let target = addr("45.0.0.2:6881");
        for message in [Holepunch::Rendezvous(target), Holepunch::Connect(target)] {
            for (ours, introduces) in [(0, true), (7, false)] {
                let mut introductions = Introductions::default();
                let effect = heard(&mut introductions, (ours, 9), (introduces, message));
                assert_eq!(effect, Effect::Nothing);
            }
        }
    }

    #[test]
    fn what_a_relaying_peer_answers_is_passed_on() {
        let at = addr("45.0.0.3:6881");
        let heard = |message| {
            let mut introductions = Introductions::default();
            heard(&mut introductions, (7, 9), (true, message))
        };
        assert_eq!(heard(Holepunch::Connect(at)), Effect::Introduced(at));
        let error = Holepunch::Error(at, HolepunchError::NotConnected);
        assert_eq!(heard(error), Effect::NotIntroduced(at));
    }
}
