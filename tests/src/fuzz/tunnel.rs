//! The tunnel between tab and bridge, with arbitrary messages to each side.

use aqueduct_core::Instant;
use aqueduct_core::connection::{Line, Transport};
use aqueduct_core::media::MediaType;
use aqueduct_core::tunnel::frame::{self, HEADER, MAX_MESSAGE, MAX_PAYLOAD};
use aqueduct_core::tunnel::{
    Amounts, Client, ClientConfig, Event, JoinRefusal, JoinRequest, Limits, MAX_HINTS, OfferedFile,
    Opened, PlayerToken, SendError, Server, ServerConfig, ServerEvent, StreamClose,
};
use aqueduct_core::types::{InfoHashV1, PeerId};
use aqueduct_core::wire::Reserved;
use bytes::{BufMut as _, Bytes};

use super::switch;

/// One message: its frames cover all of its bytes.
pub(super) fn frames(data: &[u8]) {
    let mut message = Bytes::copy_from_slice(data);
    let mut read = 0;
    while let Ok(Some(frame)) = frame::next(&mut message) {
        assert!(frame.payload.len() <= MAX_PAYLOAD);
        read += HEADER + frame.payload.len();
        assert_eq!(read + message.len(), data.len());
    }
}

/// The messages in `data`, each preceded by its length in two bytes.
fn messages(mut data: &[u8]) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(move || {
        let (length, rest) = data.split_first_chunk()?;
        let (message, rest) =
            rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        data = rest;
        Some(Bytes::copy_from_slice(message))
    })
}

/// A message that a state machine sends is well-formed.
fn is_well_formed(mut message: Bytes) {
    assert!((1..=MAX_MESSAGE).contains(&message.len()));
    while frame::next(&mut message)
        .expect("our own frames are right")
        .is_some()
    {}
}

fn join_request() -> JoinRequest {
    JoinRequest {
        info_hash: InfoHashV1([1; 20]),
        other_hash: None,
        peer_id: PeerId([2; 20]),
        private: false,
        amounts: Amounts::default(),
        want: 10,
        trackers: Vec::new(),
    }
}

/// A bridge that permits everything.
fn bridge() -> Server {
    let config = ServerConfig::default();
    let limits = Limits {
        offers: 3,
        reads: 2,
        ..config.limits
    };
    Server::new(ServerConfig { limits, ..config }, Instant::ZERO)
}

/// The bridge's side, with arbitrary messages from a tab. The first byte selects whether the
/// session starts with a valid handshake.
pub(super) fn server(mut data: &[u8]) {
    let mut server = bridge();
    if switch(&mut data).is_multiple_of(2) {
        let mut tab = Client::new(ClientConfig::default(), Instant::ZERO);
        tab.join(&join_request());
        while let Some(message) = tab.poll_message() {
            server
                .handle_message(Instant::ZERO, message)
                .expect("our own tab keeps the rules");
        }
    }
    for message in messages(data) {
        let fault = server.handle_message(Instant::ZERO, message).is_err();
        while let Some(event) = server.poll_event() {
            answer_tab(&mut server, event);
        }
        while let Some(message) = server.poll_message() {
            is_well_formed(message);
        }
        if fault {
            return;
        }
    }
}

/// Acts as a bridge would: opens streams, sends on them, consumes half of the received data.
fn answer_tab(server: &mut Server, event: ServerEvent) {
    match event {
        ServerEvent::Hello { .. } => server.welcome(([127, 0, 0, 1], 1).into(), 6881),
        ServerEvent::Join { join, .. } => {
            let addr = ([1, 2, 3, 4], 5).into();
            let opened = Opened {
                join,
                addr,
                dialled: true,
                peer_id: PeerId([3; 20]),
                reserved: Reserved::OURS,
                line: Line::clear(Transport::Tcp),
            };
            if let Some(stream) = server.open(&opened) {
                server.fill(stream, |out| out.put_slice(b"from a peer"));
            }
        }
        ServerEvent::Offer { offer, file } => {
            server.offered(offer, PlayerToken([4; 16]));
            // All of it, and bytes that it lacks.
            let read = server.read(offer, 0..file.size);
            assert!(read.is_none() || file.size > 0);
            assert_eq!(server.read(offer, file.size..u64::MAX), None);
        }
        ServerEvent::Withdrawn { offer } => assert_eq!(server.read(offer, 0..1), None),
        ServerEvent::Data { stream, bytes } => {
            assert!(!bytes.is_empty());
            server.consumed(stream, bytes.len().div_ceil(2));
        }
        ServerEvent::Hint { addrs, .. } => assert!(addrs.len() <= MAX_HINTS),
        ServerEvent::Leave { .. } => server.close(1, StreamClose::Left),
        ServerEvent::JoinBeyondLimit { join } => server.refuse_join(join, JoinRefusal::NoPlace),
        ServerEvent::Update { .. } | ServerEvent::StreamClosed { .. } | ServerEvent::Ended(_) => {}
    }
}

/// The tab's side, with arbitrary messages from a bridge.
pub(super) fn client(data: &[u8]) {
    let mut client = Client::new(ClientConfig::default(), Instant::ZERO);
    client.join(&join_request());
    for message in messages(data) {
        let fault = client.handle_message(Instant::ZERO, message).is_err();
        while let Some(event) = client.poll_event() {
            answer_bridge(&mut client, event);
        }
        while let Some(message) = client.poll_message() {
            is_well_formed(message);
        }
        if fault {
            return;
        }
    }
}

fn answer_bridge(client: &mut Client, event: Event) {
    match event {
        Event::Welcome(welcome) => {
            let media_type = MediaType::parse("audio/mpeg").expect("it is one");
            let size = 1000;
            let offer = client.offer(&OfferedFile { size, media_type });
            assert_eq!(offer.is_some(), welcome.limits.offers > 0);
        }
        Event::Read { stream, bytes, .. } => {
            assert!(bytes.start < bytes.end && bytes.end <= 1000);
            let sent = client.send(stream, Bytes::from_static(b"to a player"));
            assert!(
                matches!(sent, Ok(()) | Err(SendError::Closed(_))),
                "{sent:?}"
            );
        }
        Event::StreamOpened { stream, .. } => {
            // The same message may have closed the stream already.
            let sent = client.send(stream, Bytes::from_static(b"to a peer"));
            assert!(
                matches!(sent, Ok(()) | Err(SendError::Closed(_))),
                "{sent:?}"
            );
        }
        Event::Data { stream, bytes } => {
            assert!(!bytes.is_empty());
            client.consumed(stream, bytes.len());
        }
        _ => {}
    }
}
