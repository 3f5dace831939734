//! Both state machines connected in memory.
#![allow(clippy::cast_possible_truncation, reason = "test sizes fit every type")]

mod joins;
mod offers;
mod paths;
mod sessions;
mod streams;

use std::collections::{BTreeMap, VecDeque};

use bytes::{BufMut, Bytes};
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use super::*;
use crate::connection::{Encrypted, Line, Transport};
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
        line: Line {
            transport: Transport::Utp,
            encrypted: Encrypted::Everything,
        },
    }
}

/// The byte at this offset of a stream.
fn byte(stream: u32, offset: u64) -> u8 {
    (offset.wrapping_mul(31).wrapping_add(u64::from(stream)) % 251) as u8
}

/// The state of one direction of a stream at one end.
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
    /// A world whose windows do not grow.
    fn new(windows: Windows, streams: u16) -> Self {
        let config = ClientConfig {
            windows,
            widest: windows.stream,
            ..ClientConfig::default()
        };
        Self::with(config, streams)
    }

    fn with(config: ClientConfig, streams: u16) -> Self {
        let limits = Limits {
            joins: 2,
            streams,
            offers: 0,
            reads: 0,
        };
        Self::with_limits(config, limits)
    }

    fn with_limits(config: ClientConfig, limits: Limits) -> Self {
        let (windows, streams) = (config.windows, limits.streams);
        let mut client = Client::new(config, T0);
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

    /// Delivers messages until both sides are idle.
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

    /// The maximum number of unconsumed bytes of any stream, and the total.
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
