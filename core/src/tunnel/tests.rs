//! Both machines against each other over a wire in memory.
#![allow(clippy::cast_possible_truncation, reason = "test sizes fit every type")]

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use bytes::{BufMut, Bytes};
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use super::*;
use crate::types::{InfoHashV1, Instant, PeerId};
use crate::wire::Reserved;

const HASH: InfoHashV1 = InfoHashV1([7; 20]);
const T0: Instant = Instant::ZERO;

fn request() -> JoinRequest {
    let trackers = vec![
        vec![
            "http://a.example/announce".to_owned(),
            "udp://b.example:6969".to_owned(),
        ],
        vec!["http://c.example/announce".to_owned()],
    ];
    let amounts = Amounts {
        uploaded: 1,
        downloaded: 2,
        left: Some(3),
    };
    JoinRequest {
        info_hash: HASH,
        other_hash: Some(InfoHashV1([8; 20])),
        peer_id: PeerId([1; 20]),
        private: false,
        amounts,
        want: 40,
        trackers,
    }
}

fn opened(join: u32) -> Opened {
    Opened {
        join,
        addr: ([192, 0, 2, 1], 6881).into(),
        dialled: true,
        peer_id: PeerId([2; 20]),
        reserved: Reserved::OURS,
    }
}

/// The byte at this offset of a stream.
fn byte(stream: u32, offset: u64) -> u8 {
    (offset.wrapping_mul(31).wrapping_add(u64::from(stream)) % 251) as u8
}

/// What one end knows of one direction of one stream.
#[derive(Default)]
struct Pipe {
    sent: u64,
    received: u64,
    consumed: u64,
}

struct World {
    client: Client,
    server: Server,
    up: VecDeque<Bytes>,
    down: VecDeque<Bytes>,
    streams: Vec<u32>,
    uploads: BTreeMap<u32, Pipe>,
    downloads: BTreeMap<u32, Pipe>,
    news: Vec<String>,
}

impl World {
    fn new(windows: Windows, streams: u16) -> Self {
        let mut client = Client::new(
            ClientConfig {
                windows,
                ..ClientConfig::default()
            },
            T0,
        );
        let limits = Limits { joins: 2, streams };
        let server = Server::new(
            ServerConfig {
                windows,
                limits,
                ..ServerConfig::default()
            },
            T0,
        );
        let join = client.join(&request());
        let (up, down) = (VecDeque::new(), VecDeque::new());
        let (uploads, downloads) = (BTreeMap::new(), BTreeMap::new());
        let mut world = Self {
            client,
            server,
            up,
            down,
            streams: Vec::new(),
            uploads,
            downloads,
            news: Vec::new(),
        };
        world.settle();
        for _ in 0..streams {
            let stream = world.server.open(&opened(join)).unwrap();
            world.streams.push(stream);
        }
        world.settle();
        world
    }

    fn upload(&mut self, stream: u32, bytes: u64) {
        let pipe = self.uploads.entry(stream).or_default();
        let data: Vec<u8> = (pipe.sent..pipe.sent + bytes)
            .map(|at| byte(stream, at))
            .collect();
        if self.client.send(stream, data.into()).is_ok() {
            pipe.sent += bytes;
        }
    }

    fn download(&mut self, stream: u32, bytes: usize) {
        let pipe = self.downloads.entry(stream).or_default();
        let filled = self.server.fill(stream, |out| {
            let end = pipe.sent + bytes.min(out.remaining_mut()) as u64;
            (pipe.sent..end).for_each(|at| out.put_u8(byte(stream, at)));
        });
        pipe.sent += filled.map_or(0, |(bytes, ())| bytes as u64);
    }

    fn deliver_up(&mut self) {
        self.up.extend(self.client.poll_message());
        if let Some(message) = self.up.pop_front() {
            assert!(message.len() <= frame::TARGET_MESSAGE + frame::HEADER + frame::MAX_PAYLOAD);
            self.server.handle_message(T0, message).unwrap();
        }
        while let Some(event) = self.server.poll_event() {
            match event {
                ServerEvent::Hello { .. } => {
                    self.server.welcome("127.0.0.1:1".parse().unwrap(), 6881)
                }
                ServerEvent::Data { stream, bytes } => check(&mut self.uploads, stream, &bytes),
                ServerEvent::JoinBeyondLimit { join } => {
                    self.server.refuse_join(join, JoinRefusal::NoPlace)
                }
                other => self.news.push(format!("{other:?}")),
            }
        }
    }

    fn deliver_down(&mut self) {
        self.down.extend(self.server.poll_message());
        if let Some(message) = self.down.pop_front() {
            self.client.handle_message(T0, message).unwrap();
        }
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Data { stream, bytes } => check(&mut self.downloads, stream, &bytes),
                Event::Sent { .. } => {}
                other => self.news.push(format!("{other:?}")),
            }
        }
    }

    /// Delivers until neither side has anything to say.
    fn settle(&mut self) {
        loop {
            self.deliver_up();
            self.deliver_down();
            self.up.extend(self.client.poll_message());
            self.down.extend(self.server.poll_message());
            if self.up.is_empty() && self.down.is_empty() {
                return;
            }
        }
    }

    fn consume(&mut self, stream: u32, bytes: u64, upload: bool) {
        let pipe = if upload {
            self.uploads.entry(stream)
        } else {
            self.downloads.entry(stream)
        }
        .or_default();
        let bytes = bytes.min(pipe.received - pipe.consumed);
        pipe.consumed += bytes;
        if upload {
            self.server.consumed(stream, bytes as usize)
        } else {
            self.client.consumed(stream, bytes as usize)
        }
    }

    fn consume_all(&mut self) {
        for stream in self.streams.clone() {
            self.consume(stream, u64::MAX, true);
            self.consume(stream, u64::MAX, false);
        }
    }

    /// Most bytes any stream holds unconsumed, and all of them.
    fn held(pipes: &BTreeMap<u32, Pipe>) -> (u64, u64) {
        let held = pipes.values().map(|pipe| pipe.received - pipe.consumed);
        (held.clone().max().unwrap_or(0), held.sum())
    }
}

fn check(pipes: &mut BTreeMap<u32, Pipe>, stream: u32, bytes: &Bytes) {
    let pipe = pipes.entry(stream).or_default();
    for &received in bytes {
        assert_eq!(
            received,
            byte(stream, pipe.received),
            "stream {stream} at {}",
            pipe.received
        );
        pipe.received += 1;
    }
}

#[derive(Clone, Debug)]
enum Step {
    Upload(usize, u64),
    Download(usize, usize),
    Consume(usize, u64, bool),
    Up,
    Down,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0usize..5, 1u64..30_000).prop_map(|(stream, n)| Step::Upload(stream, n)),
        (0usize..5, 1usize..30_000).prop_map(|(stream, n)| Step::Download(stream, n)),
        (0usize..5, 1u64..30_000, any::<bool>())
            .prop_map(|(stream, n, up)| Step::Consume(stream, n, up)),
        Just(Step::Up),
        Just(Step::Down),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_byte_arrives_in_order_and_credit_is_never_exceeded(steps in proptest::collection::vec(step(), 0..100), stream in 16u32..64, session in 1u32..4) {
        let windows = Windows { stream: stream * 1024, session: stream * 1024 * session };
        let mut world = World::new(windows, 5);
        for step in steps {
            match step {
                Step::Upload(at, n) => world.upload(world.streams[at], n),
                Step::Download(at, n) => world.download(world.streams[at], n),
                Step::Consume(at, n, up) => world.consume(world.streams[at], n, up),
                Step::Up => world.deliver_up(),
                Step::Down => world.deliver_down(),
            }
            for pipes in [&world.uploads, &world.downloads] {
                let (most, all) = World::held(pipes);
                prop_assert!(most <= u64::from(windows.stream) && all <= u64::from(windows.session), "{most} {all}");
            }
        }
        world.settle();
        while World::held(&world.uploads).1 + World::held(&world.downloads).1 > 0 {
            world.consume_all();
            world.settle();
        }
        for pipe in world.uploads.values().chain(world.downloads.values()) {
            prop_assert_eq!(pipe.sent, pipe.received);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..6)) {
        let mut world = World::new(Windows::default(), 3);
        for message in messages {
            let _ = world.server.handle_message(T0, message.clone().into());
            let _ = world.client.handle_message(T0, message.into());
            while world.client.poll_message().is_some() || world.server.poll_message().is_some() {}
        }
    }

    #[test]
    fn frames_with_arbitrary_contents_never_panic(frames in proptest::collection::vec((1u8..40, 0u32..5, proptest::collection::vec(any::<u8>(), 0..80)), 1..30)) {
        let mut world = World::new(Windows::default(), 3);
        for (kind, id, payload) in frames {
            let message = raw(kind, id, &payload);
            let _ = world.server.handle_message(T0, message.clone());
            let _ = world.client.handle_message(T0, message);
        }
    }
}

fn raw(kind: u8, id: u32, payload: &[u8]) -> Bytes {
    let mut out = Vec::new();
    out.put_u8(kind);
    out.put_u32(id);
    out.put_u32(payload.len() as u32);
    out.put_slice(payload);
    out.into()
}

#[test]
fn a_join_arrives_as_it_was_sent() {
    let mut client = Client::new(
        ClientConfig {
            token: "secret".to_owned(),
            ..ClientConfig::default()
        },
        T0,
    );
    let mut server = Server::new(ServerConfig::default(), T0);
    let join = client.join(&request());
    server
        .handle_message(T0, client.poll_message().unwrap())
        .unwrap();
    assert!(matches!(server.poll_event(), Some(ServerEvent::Hello { token }) if token == "secret"));
    let Some(ServerEvent::Join {
        join: at,
        request: received,
    }) = server.poll_event()
    else {
        panic!("no join")
    };
    assert_eq!((at, received), (join, request()));
}

#[test]
fn a_stream_tells_who_answered() {
    let mut world = World::new(Windows::default(), 1);
    assert!(world.news[1].starts_with("Welcome("), "{:?}", world.news);
    let opened = &world.news[2];
    assert!(
        opened
            .starts_with("StreamOpened { stream: 1, join: 1, addr: 192.0.2.1:6881, dialled: true"),
        "{opened}"
    );
    assert!(
        world.server.open(&self::opened(1)).is_none(),
        "one stream was agreed"
    );
}

#[test]
fn streams_that_stall_do_not_block_another() {
    let mut world = World::new(
        Windows {
            stream: 32 * 1024,
            session: 64 * 1024,
        },
        4,
    );
    for round in 0..200 {
        for stream in world.streams.clone() {
            world.download(stream, 40_000);
            world.upload(stream, 1000);
        }
        world.settle();
        // Only the last stream is ever consumed.
        world.consume(4, u64::MAX, true);
        world.consume(4, u64::MAX, false);
        world.settle();
        let expected = (round + 1) * 1000;
        assert_eq!(world.uploads[&4].received, expected, "round {round}");
        assert!(
            world.downloads[&4].received >= (round + 1) * 8 * 1024,
            "round {round}"
        );
    }
}

#[test]
fn a_late_frame_of_a_closed_stream_is_no_fault() {
    let mut world = World::new(Windows::default(), 2);
    world.upload(1, 1000);
    let late = world.client.poll_message().unwrap();
    world.server.close(1, StreamClose::Peer);
    world.server.handle_message(T0, late).unwrap();
    assert!(world.server.poll_event().is_none());
    world.settle();
    assert_eq!(
        world.news.last().unwrap(),
        "StreamClosed { stream: 1, reason: Peer }"
    );
    assert_eq!(
        world.client.send(1, Bytes::from_static(b"x")),
        Err(SendError::Closed(1))
    );
}

#[test]
fn a_stream_for_a_join_that_was_left_is_closed_at_once() {
    let mut world = World::new(Windows::default(), 2);
    world.client.close(2);
    world.settle();
    world.client.leave(1);
    world.server.open(&opened(1)).unwrap();
    world.news.clear();
    world.settle();
    assert_eq!(
        world.news,
        ["Leave { join: 1 }", "StreamClosed { stream: 3 }"]
    );
}

#[test]
fn joins_beyond_the_limit_are_refused() {
    let mut world = World::new(Windows::default(), 1);
    world.client.join(&request());
    world.client.join(&request());
    world.settle();
    assert_eq!(
        world.news.last().unwrap(),
        "JoinRefused { join: 3, refusal: NoPlace }"
    );
}

#[test]
fn a_refused_join_tells_why_and_when_to_try_again() {
    let wait = std::time::Duration::from_millis(1900);
    for refusal in [
        JoinRefusal::NoPlace,
        JoinRefusal::TooFast { retry_after: wait },
        JoinRefusal::Duplicate,
        JoinRefusal::Draining,
    ] {
        let mut world = World::new(Windows::default(), 1);
        world.server.refuse_join(1, refusal);
        world.settle();
        assert_eq!(
            *world.news.last().unwrap(),
            format!("{:?}", Event::JoinRefused { join: 1, refusal })
        );
    }
}

#[test]
fn a_tab_that_asks_without_reading_is_cut_off() {
    let mut server = Server::new(
        ServerConfig {
            limits: Limits {
                joins: 0,
                streams: 1,
            },
            ..ServerConfig::default()
        },
        T0,
    );
    let mut client = Client::new(ClientConfig::default(), T0);
    let few = JoinRequest {
        trackers: Vec::new(),
        ..request()
    };
    let fault = std::iter::repeat_with(|| {
        (0..1000).for_each(|_| {
            let _ = client.join(&few);
        });
        while let Some(message) = client.poll_message() {
            server.handle_message(T0, message)?;
        }
        while let Some(event) = server.poll_event() {
            if let ServerEvent::JoinBeyondLimit { join } = event {
                server.refuse_join(join, JoinRefusal::NoPlace);
            }
        }
        Ok(())
    });
    let error = fault
        .take(1000)
        .find_map(Result::err)
        .expect("memory does not grow for ever");
    assert!(
        matches!(
            error,
            TunnelError {
                by: Side::Tab,
                fault: Fault::Backlog { .. }
            }
        ),
        "{error}"
    );
}

#[test]
fn a_refused_session_tells_why() {
    let mut client = Client::new(ClientConfig::default(), T0);
    let mut server = Server::new(ServerConfig::default(), T0);
    server.refuse(Refusal::Token);
    client
        .handle_message(T0, server.poll_message().unwrap())
        .unwrap();
    assert!(matches!(
        client.poll_event(),
        Some(Event::Refused(Refusal::Token))
    ));
    assert!(matches!(
        server.poll_event(),
        Some(ServerEvent::Ended(Refusal::Token))
    ));
}

#[test]
fn what_came_with_a_hello_that_is_refused_is_void() {
    let (mut client, mut server) = (
        Client::new(ClientConfig::default(), T0),
        Server::new(ServerConfig::default(), T0),
    );
    client.join(&request());
    server
        .handle_message(T0, client.poll_message().unwrap())
        .unwrap();
    assert!(matches!(
        server.poll_event(),
        Some(ServerEvent::Hello { .. })
    ));
    server.refuse(Refusal::Token);
    assert!(matches!(
        server.poll_event(),
        Some(ServerEvent::Ended(Refusal::Token))
    ));
    assert!(
        server.poll_event().is_none(),
        "whoever has no token joined a swarm"
    );
}

#[test]
fn each_violation_names_its_side_and_its_fault() {
    let fault_of = |message: Bytes| {
        let mut world = World::new(
            Windows {
                stream: 16 * 1024,
                session: 16 * 1024,
            },
            1,
        );
        world.server.handle_message(T0, message).unwrap_err()
    };
    let tab = |fault| TunnelError {
        by: Side::Tab,
        fault,
    };
    assert_eq!(
        fault_of(raw(32, 2, b"x")),
        tab(Fault::UnknownStream {
            newest: 1,
            received: 2
        })
    );
    assert_eq!(
        fault_of(raw(32, 1, b"")),
        tab(Fault::Malformed(frame::Kind::Data))
    );
    assert_eq!(
        fault_of(raw(32, 1, &[0; 16_385])),
        tab(Fault::Overdrawn {
            stream: 1,
            credit: 16_384,
            received: 16_385
        })
    );
    assert_eq!(
        fault_of(raw(33, 1, &[0, 0, 0, 1])),
        tab(Fault::Overgranted {
            stream: 1,
            outstanding: 0,
            received: 1
        })
    );
    assert_eq!(
        fault_of(raw(16, 0, b"")),
        tab(Fault::OutOfTurn(frame::Kind::Welcome))
    );
    assert_eq!(fault_of(raw(99, 0, b"")), tab(Fault::UnknownKind(99)));
    assert_eq!(fault_of(Bytes::new()), tab(Fault::EmptyMessage));
    let mut early = Server::new(ServerConfig::default(), T0);
    assert_eq!(
        early.handle_message(T0, raw(4, 1, b"")),
        Err(tab(Fault::OutOfTurn(frame::Kind::Leave)))
    );
    let mut client = Client::new(ClientConfig::default(), T0);
    let bridge = client.handle_message(T0, raw(32, 1, b"x")).unwrap_err();
    assert_eq!(
        bridge,
        TunnelError {
            by: Side::Bridge,
            fault: Fault::OutOfTurn(frame::Kind::Data)
        }
    );
}

#[test]
fn silence_ends_the_session_on_both_sides() {
    let mut world = World::new(Windows::default(), 1);
    let ping_at = world.server.poll_timeout();
    assert_eq!(ping_at, Instant::from_micros(30_000_000));
    world.server.handle_timeout(ping_at);
    world.settle();
    let gone = Instant::from_micros(90_000_000);
    world.server.handle_timeout(gone);
    assert!(matches!(
        world.server.poll_event(),
        Some(ServerEvent::Ended(Refusal::Silent))
    ));
    assert_eq!(world.client.poll_timeout(), gone);
    world.client.handle_timeout(gone);
    assert!(matches!(world.client.poll_event(), Some(Event::Silent)));
}

#[test]
fn a_tab_that_never_says_hello_is_refused() {
    let mut server = Server::new(ServerConfig::default(), T0);
    let deadline = server.poll_timeout();
    assert_eq!(deadline, Instant::from_micros(30_000_000));
    server.handle_timeout(deadline);
    assert!(matches!(
        server.poll_event(),
        Some(ServerEvent::Ended(Refusal::Silent))
    ));
}

#[test]
fn trackers_that_do_not_fit_are_left_out() {
    let long = format!("http://{}.example/announce", "x".repeat(1900));
    let many = JoinRequest {
        trackers: vec![vec![long.clone(); 100], vec!["y".repeat(3000)]],
        ..request()
    };
    let mut client = Client::new(ClientConfig::default(), T0);
    let mut server = Server::new(ServerConfig::default(), T0);
    client.join(&many);
    server
        .handle_message(T0, client.poll_message().unwrap())
        .unwrap();
    server.poll_event();
    let Some(ServerEvent::Join { request, .. }) = server.poll_event() else {
        panic!("no join")
    };
    assert_eq!(request.trackers, [vec![long; 33]]);
}

#[test]
fn hints_arrive_up_to_fifty_and_only_for_a_swarm_that_was_joined() {
    let mut world = World::new(Windows::default(), 1);
    let addrs: Vec<SocketAddr> = (0..60)
        .map(|n| {
            if n % 2 == 0 {
                ([1, 2, 3, n], 6881).into()
            } else {
                ([0x2001, 0, 0, 0, 0, 0, 0, n.into()], 1).into()
            }
        })
        .collect();
    world.client.hint(1, &addrs);
    world.client.hint(1, &[]);
    world.client.hint(2, &addrs);
    world.news.clear();
    world.settle();
    assert_eq!(
        world.news,
        [format!(
            "Hint {{ join: 1, addrs: {:?} }}",
            &addrs[..MAX_HINTS]
        )]
    );
    let too_many = [
        &51u16.to_be_bytes()[..],
        &[4, 1, 2, 3, 4, 26, 225].repeat(51),
    ]
    .concat();
    let fault = world
        .server
        .handle_message(T0, raw(6, 1, &too_many))
        .unwrap_err();
    assert_eq!(
        fault,
        TunnelError {
            by: Side::Tab,
            fault: Fault::Malformed(frame::Kind::Hint)
        }
    );
}

#[test]
fn a_tab_learns_how_the_dht_was_asked() {
    let mut world = World::new(Windows::default(), 1);
    world.server.dht(
        1,
        &DhtCounts {
            nodes: 214,
            peers: 3,
            asking: true,
        },
    );
    world.server.dht(2, &DhtCounts::default());
    world.news.clear();
    world.settle();
    assert_eq!(
        world.news,
        ["Dht { join: 1, counts: DhtCounts { nodes: 214, peers: 3, asking: true } }"]
    );
}
