//! Speed and memory over paths with bandwidth and delay, in simulated time.

use std::time::Duration;

use super::*;

/// 200 Mbit/s.
const RATE: u64 = 25_000_000;

/// One direction of a path: a message is sent after the previous one, and arrives after a delay.
struct Link {
    /// Bytes per second.
    rate: u64,
    delay: Duration,
    free_at: Instant,
    on_the_way: VecDeque<(Instant, Bytes)>,
}

impl Link {
    fn new(rate: u64, delay: Duration) -> Self {
        Self {
            rate,
            delay,
            free_at: T0,
            on_the_way: VecDeque::new(),
        }
    }

    fn send(&mut self, now: Instant, message: Bytes) {
        let time = Duration::from_micros(message.len() as u64 * 1_000_000 / self.rate);
        self.free_at = self.free_at.max(now) + time;
        self.on_the_way
            .push_back((self.free_at + self.delay, message));
    }

    fn receive(&mut self, now: Instant) -> Option<Bytes> {
        let arrived = self.on_the_way.front()?.0 <= now;
        arrived
            .then(|| self.on_the_way.pop_front())?
            .map(|(_, m)| m)
    }
}

/// A bridge whose peers always have data, and a tab.
struct Route {
    world: World,
    down: Link,
    up: Link,
    now: Instant,
    /// What the tab does with received bytes.
    tab: Tab,
    received: BTreeMap<u32, u64>,
    held: u64,
    most_held: u64,
    /// `Widen` frames from the tab.
    widened: usize,
}

enum Tab {
    /// It consumes them, but for those of streams below this number.
    Consumes(u32),
    /// It consumes them as fast as its storage stores them.
    Stores(Link),
}

impl Route {
    /// Streams over a path with this delay, there and back.
    fn new(streams: u16, rate: u64, delay: Duration, tab: Tab) -> Self {
        Self {
            world: World::with(ClientConfig::default(), streams),
            down: Link::new(rate, delay / 2),
            up: Link::new(rate, delay / 2),
            now: T0,
            tab,
            received: BTreeMap::new(),
            held: 0,
            most_held: 0,
            widened: 0,
        }
    }

    /// Lets this much time pass. Returns how many bytes of each stream arrived meanwhile.
    fn run(&mut self, span: Duration) -> BTreeMap<u32, u64> {
        let end = self.now + span;
        self.received.clear();
        while self.now < end {
            self.at_bridge();
            self.at_tab();
            self.now = self.next_event().min(end);
        }
        self.received.clone()
    }

    fn next_event(&self) -> Instant {
        let mut links = vec![&self.down, &self.up];
        if let Tab::Stores(storage) = &self.tab {
            links.push(storage);
        }
        let arrivals = links.iter().filter_map(|link| link.on_the_way.front());
        let free = Some(self.down.free_at).filter(|at| *at > self.now);
        let next = arrivals.map(|(at, _)| *at).chain(free).min();
        next.expect("nothing happens any more")
    }

    /// The bridge reads from peers, in turn, when the path takes a message.
    fn at_bridge(&mut self) {
        while let Some(message) = self.up.receive(self.now) {
            let mut frames = message.clone();
            while let Some(frame) = frame::next(&mut frames).unwrap() {
                self.widened += usize::from(frame.kind == frame::Kind::Widen);
            }
            self.world.server.handle_message(T0, message).unwrap();
        }
        while self.down.free_at <= self.now {
            for stream in &self.world.streams {
                self.world.server.fill(*stream, |out| {
                    out.put_bytes(0, out.remaining_mut().min(16 * 1024));
                });
            }
            match self.world.server.poll_message() {
                Some(message) => self.down.send(self.now, message),
                None => return,
            }
        }
    }

    fn at_tab(&mut self) {
        while let Some(message) = self.down.receive(self.now) {
            self.world.client.handle_message(T0, message).unwrap();
        }
        while let Some(event) = self.world.client.poll_event() {
            if let Event::Data { stream, bytes } = event {
                self.take(stream, bytes);
            }
        }
        self.most_held = self.most_held.max(self.held);
        if let Tab::Stores(storage) = &mut self.tab {
            while let Some(stored) = storage.receive(self.now) {
                let stream = u32::from(stored[0]);
                self.held -= stored.len() as u64;
                self.world.client.consumed(stream, stored.len());
            }
        }
        while let Some(message) = self.world.client.poll_message() {
            self.up.send(self.now, message);
        }
    }

    fn take(&mut self, stream: u32, bytes: Bytes) {
        *self.received.entry(stream).or_default() += bytes.len() as u64;
        match &mut self.tab {
            Tab::Consumes(first) if stream >= *first => {
                self.world.client.consumed(stream, bytes.len());
            }
            Tab::Consumes(_) => self.held += bytes.len() as u64,
            Tab::Stores(storage) => {
                self.held += bytes.len() as u64;
                storage.send(self.now, vec![stream as u8; bytes.len()].into());
            }
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_path_of_200_megabits_is_filled_by_one_peer_whatever_its_delay() {
    for delay in [1, 10, 50, 100, 200, 300] {
        let delay = Duration::from_millis(delay);
        let mut route = Route::new(1, RATE, delay, Tab::Consumes(0));
        route.run(delay * 6);
        let received = route.run(SECOND)[&1];
        assert!(received >= RATE * 9 / 10, "{delay:?}: {received}");
    }
}

#[test]
fn a_window_stays_small_where_the_path_needs_no_wider_one() {
    // 1.25 MB/s, of which 100 ms are 125 KB.
    let delay = Duration::from_millis(100);
    let mut route = Route::new(1, 1_250_000, delay, Tab::Consumes(0));
    let received = route.run(SECOND * 4)[&1];
    assert!(received >= 4_500_000, "{received}");
    assert_eq!(route.widened, 0);
}

#[test]
fn streams_share_a_path_and_none_starves_another() {
    let delay = Duration::from_millis(100);
    let mut route = Route::new(8, RATE, delay, Tab::Consumes(0));
    route.run(SECOND);
    for (stream, received) in route.run(SECOND) {
        assert!(received >= RATE / 10, "stream {stream}: {received}");
    }
    // The data of all but the last stream are never consumed.
    let mut route = Route::new(8, RATE, delay, Tab::Consumes(8));
    route.run(SECOND);
    let received = route.run(SECOND)[&8];
    assert!(received >= RATE * 9 / 10, "{received}");
    assert_eq!(
        route.held,
        7 * (512 << 10),
        "stalled streams have their first window"
    );
}

#[test]
fn a_slow_storage_slows_the_streams_down_at_bounded_memory() {
    const STORAGE: u64 = 5_000_000;
    let storage = Tab::Stores(Link::new(STORAGE, Duration::ZERO));
    let mut route = Route::new(4, RATE, Duration::from_millis(100), storage);
    route.run(SECOND * 2);
    let received: u64 = route.run(SECOND * 2).values().sum();
    assert!(received.abs_diff(STORAGE * 2) < STORAGE / 5, "{received}");
    assert!(
        route.most_held <= 4 << 20,
        "{} bytes are held",
        route.most_held
    );
}

#[test]
fn a_small_message_leaves_at_once_and_a_backlog_in_large_ones() {
    let mut world = World::new(Windows::default(), 1);
    world.download(1, 100);
    let lone = world
        .server
        .poll_message()
        .expect("it does not wait for more");
    assert_eq!(lone.len(), frame::HEADER + 100);
    for _ in 0..16 {
        world.download(1, 16 * 1024);
    }
    let packed = world.server.poll_message().unwrap().len();
    assert!(packed > 250 * 1024 - 100, "{packed}");
}
