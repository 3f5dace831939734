//! The last packets of a burst are lost: no later one shows it.

use std::collections::VecDeque;

use super::*;

/// The delay of each direction in milliseconds.
const DELAY: u64 = 20;

/// Two sockets with a connection from the first to the second, and the path between them.
struct World {
    sockets: [Socket; 2],
    ids: [Option<ConnectionId>; 2],
    /// What is under way to each, with the time of its arrival.
    lines: [VecDeque<(u64, Vec<u8>)>; 2],
    now: u64,
    /// The number of datagrams from the first that the path loses from now on.
    lose: usize,
    received: usize,
}

impl World {
    fn new() -> Self {
        let (mut a, b) = pair();
        let ours = a.connect(at(0), addr(1)).unwrap();
        Self {
            sockets: [a, b],
            ids: [Some(ours), None],
            lines: Default::default(),
            now: 0,
            lose: 0,
            received: 0,
        }
    }

    fn write(&mut self, bytes: usize) {
        let id = self.ids[0].unwrap();
        assert_eq!(self.sockets[0].write(id, &vec![1; bytes]), Ok(bytes));
    }

    /// A millisecond passes.
    fn step(&mut self) {
        for host in [0, 1] {
            let (now, socket) = (at(self.now), &mut self.sockets[host]);
            let from = u8::try_from(1 - host).unwrap();
            socket.handle_timeout(now);
            while self.lines[host]
                .front()
                .is_some_and(|(due, _)| *due <= self.now)
            {
                let (_, datagram) = self.lines[host].pop_front().unwrap();
                socket.handle_datagram(now, addr(from), &datagram);
            }
            for event in events(socket) {
                if let Event::Incoming(id, _) = event {
                    self.ids[host] = Some(id);
                }
            }
            if let Some(id) = self.ids[host] {
                while let Ok(Read::Bytes(bytes)) = socket.read(id, 1 << 20) {
                    self.received += bytes.len();
                }
            }
            for datagram in sent(socket, now) {
                if host == 0 && self.lose > 0 {
                    self.lose -= 1;
                } else {
                    self.lines[1 - host].push_back((self.now + DELAY, datagram));
                }
            }
        }
        self.now += 1;
    }

    /// Waits until so much has arrived; returns the milliseconds that it took.
    fn wait(&mut self, received: usize) -> u64 {
        let start = self.now;
        while self.received < received {
            self.step();
            assert!(self.now < start + 10_000, "{} bytes arrived", self.received);
        }
        self.now - start
    }

    fn rest(&mut self, millis: u64) {
        (0..millis).for_each(|_| self.step());
    }
}

#[test]
fn packets_lost_at_the_end_of_a_burst_are_repaired_long_before_the_timeout_of_500_ms() {
    let mut world = World::new();
    world.write(1500);
    world.wait(1500);
    world.rest(200);
    // Three packets, all of them lost; a probe shows it after two round trips.
    world.lose = 3;
    world.write(1500);
    let took = world.wait(3000);
    assert!((80..260).contains(&took), "{took} ms");
}

#[test]
fn a_single_lost_packet_is_repaired_before_the_timeout_too() {
    let mut world = World::new();
    world.write(100);
    world.wait(100);
    world.rest(200);
    world.lose = 1;
    world.write(100);
    let took = world.wait(200);
    assert!((180..300).contains(&took), "{took} ms");
}
