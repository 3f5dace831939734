//! uTP over simulated paths: every byte arrives in order whatever the path does, an otherwise idle
//! line is filled, and a concurrent TCP connection gets the line.

use std::time::Duration;

use aqueduct_core::utp::Config;
use aqueduct_tests::sim::utp::{Path, UtpWorld};
use aqueduct_tests::sim::{Growth, Tcp};

use super::{millis, secs};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Both hosts send this many bytes at the same time. Returns the duration and the trace.
fn exchange(path: Path, bytes: (u64, u64), seed: u64) -> (Duration, u64) {
    let mut world = UtpWorld::new(path, bytes, seed);
    world.dial();
    world.run(secs(3600));
    assert!(
        world.is_done(),
        "seed {seed}, {path:?}: {:?} bytes within an hour",
        world.delivered()
    );
    (world.now(), world.trace())
}

#[test]
fn all_bytes_arrive_in_order_on_every_path() {
    for loss in [0, 10, 50, 100] {
        for delay in [1, 30, 300] {
            for (what, jitter, duplicates) in [
                ("in order", 0, 0),
                ("reordered", 20, 0),
                ("reordered and duplicated", 20, 50),
            ] {
                let path = Path {
                    loss,
                    delay: millis(delay),
                    jitter: millis(jitter),
                    duplicates,
                    ..Path::clean()
                };
                let bytes = (500 * KIB, 100 * KIB);
                let seed = u64::from(loss) * 1000 + delay + jitter;
                let (took, _) = exchange(path, bytes, seed);
                let rate = bytes.0 as f64 / 1024.0 / took.as_secs_f64();
                println!(
                    "loss {:>4} %, delay {delay:>3} ms, {what:<24}: 500 KiB in {:>7.2} s, {rate:>6.0} KiB/s",
                    f64::from(loss) / 10.0,
                    took.as_secs_f64(),
                );
            }
        }
    }
}

/// How long 8 MiB take over a path without loss whose datagrams may be late by so many
/// milliseconds.
fn late(delay: u64, jitter: u64) -> Duration {
    let path = Path {
        delay: millis(delay),
        jitter: millis(jitter),
        ..Path::clean()
    };
    exchange(path, (8 * MIB, 0), delay + jitter).0
}

#[test]
fn jitter_of_20_ms_slows_a_long_path_by_a_quarter_at_most() {
    for delay in [30, 150, 300] {
        let (even, uneven) = (late(delay, 0), late(delay, 20));
        println!("delay {delay} ms each way: {even:.1?}, with jitter of 20 ms {uneven:.1?}");
        assert!(
            uneven < even * 5 / 4,
            "{delay} ms: {uneven:?} instead of {even:?}"
        );
    }
}

#[test]
fn the_same_seed_sends_the_same_datagrams_at_the_same_times() {
    let path = Path {
        loss: 50,
        jitter: millis(30),
        duplicates: 20,
        ..Path::clean()
    };
    let run = |seed| exchange(path, (300 * KIB, 300 * KIB), seed);
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_flood_of_forged_syns_delays_no_dial() {
    let mut world = UtpWorld::new(Path::clean(), (MIB, 0), 7);
    world.flood(20_000);
    world.run(secs(2));
    world.dial();
    world.run(secs(3));
    assert!(world.is_connected());
    world.run(secs(10));
    assert!(world.is_done(), "{:?}", world.delivered());
}

/// From the fifth second on, since the duration of the start depends only on the round trip.
#[test]
fn alone_on_a_line_it_fills_nine_tenths() {
    let mut worst = 1.0_f64;
    for (mbit, delay, queue) in [
        (1, 20, 500),
        (10, 1, 100),
        (10, 20, 300),
        (10, 20, 50),
        (10, 100, 300),
        (50, 10, 100),
    ] {
        let rate = mbit * 125_000;
        let path = Path {
            rate,
            delay: millis(delay),
            queue: (rate * queue / 1000).max(10_000),
            ..Path::clean()
        };
        let mut world = UtpWorld::new(path, (u64::MAX / 2, 0), mbit);
        world.dial();
        world.run(secs(5));
        let begun = world.delivered().0;
        world.run(secs(15));
        let share = (world.delivered().0 - begun) as f64 / (rate * 10) as f64;
        println!(
            "alone: {mbit:>3} Mbit/s, round trip {:>3} ms, queue {queue:>3} ms: {:>5.1} % of the line, {} ms queued at the end",
            2 * delay,
            share * 100.0,
            world.queued().as_millis()
        );
        worst = worst.min(share);
    }
    assert!(worst >= 0.9, "{worst}");
}

/// The share of uTP in the delivered data beside a TCP connection with unlimited data, from 10 s
/// after both have started.
fn share(path: Path, growth: Growth, utp_first: bool, seed: u64) -> f64 {
    let mut world = UtpWorld::new(path, (u64::MAX / 2, 0), seed);
    if utp_first {
        world.dial();
        world.start_tcp(secs(10), Tcp::new(growth));
        world.run(secs(20));
    } else {
        world.start_tcp(secs(0), Tcp::new(growth));
        world.run(secs(10));
        world.dial();
        world.run(secs(20));
    }
    let before = world.delivered();
    world.run(secs(70));
    let after = world.delivered();
    let (utp, tcp) = (after.0 - before.0, after.1 - before.1);
    utp as f64 / (utp + tcp) as f64
}

#[test]
fn beside_a_tcp_that_wants_all_it_takes_at_most_15_percent() {
    let mut worst = 0.0_f64;
    for growth in [Growth::Reno, Growth::Cubic] {
        for (mbit, delay, queue) in [(10, 20, 300), (10, 20, 100), (4, 50, 400), (2, 20, 500)] {
            for utp_first in [true, false] {
                let rate = mbit * 125_000;
                let path = Path {
                    rate,
                    delay: millis(delay),
                    queue: rate * queue / 1000,
                    ..Path::clean()
                };
                let share = share(path, growth, utp_first, mbit);
                println!(
                    "beside {growth:?}: {mbit:>2} Mbit/s, round trip {:>3} ms, queue {queue} ms, {} first: {:>4.1} %",
                    2 * delay,
                    if utp_first { "uTP" } else { "TCP" },
                    share * 100.0
                );
                worst = worst.max(share);
            }
        }
    }
    assert!(worst <= 0.15, "{worst}");
}

#[test]
fn a_reader_that_pauses_stops_the_sender_and_goes_on_where_it_was() {
    let config = Config {
        receive_buffer: 64 << 10,
        ..Config::default()
    };
    let mut world = UtpWorld::with(Path::clean(), (MIB, 0), 5, &config);
    world.pause_reader(secs(100));
    world.dial();
    world.run(secs(99));
    let sent = world.datagrams;
    assert!(
        sent < 400,
        "{sent} datagrams for a reader that takes nothing"
    );
    world.run(secs(200));
    assert!(world.is_done(), "{:?}", world.delivered());
    println!(
        "a pause of 100 s: {sent} datagrams, done at {:?}",
        world.now()
    );
}

#[test]
fn a_path_with_short_datagrams_carries_everything() {
    for max_datagram in [548, 1000, 1400, 1472] {
        let path = Path {
            max_datagram,
            ..Path::clean()
        };
        let (took, _) = exchange(path, (2 * MIB, 0), 3);
        println!("datagrams of {max_datagram}: 2 MiB in {took:?}");
        assert!(took < secs(10), "{took:?}");
    }
}
