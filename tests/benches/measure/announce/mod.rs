//! Announces answered per second, compared with opentracker. Each server runs in turn on its own
//! processor, with the same load from another one.

mod http;
mod load;
mod servers;
mod udp;

use std::time::{Duration, Instant};

use anyhow::Result;
use aqueduct_tests::process;

use load::Load;
use servers::Server;

/// How long each server is measured.
const MEASURED: Duration = Duration::from_secs(5);

/// A way to send announces: it runs until the given time and counts answers and peers.
type Ask = fn(&Server, &mut Load, Instant) -> Result<Answers>;

/// Counts of answers.
#[derive(Clone, Copy, Default)]
struct Answers {
    count: u64,
    peers: u64,
}

/// Prints one row per server and protocol.
pub(crate) fn measure(runs: u32) -> Result<()> {
    load::keep_off(servers::PROCESSOR)?;
    let ways: [(&str, Ask); 3] = [
        ("UDP", udp::ask),
        ("HTTP, connection each", http::ask_once),
        ("HTTP, connection kept", http::ask_again),
    ];
    println!(
        "\nAnnounces of {} swarms, 50 peers wanted, server on one processor",
        load::SWARMS
    );
    println!(
        "{:<24} {:<16} {:>10} {:>12} {:>12} {:>9}",
        "", "", "answers/s", "per CPU-s", "peers each", "peak MiB"
    );
    for _ in 0..runs {
        for (way, ask) in ways {
            for start in [servers::aqueduct, servers::opentracker] {
                row(way, &start()?, ask)?;
            }
        }
    }
    Ok(())
}

fn row(way: &str, server: &Server, ask: Ask) -> Result<()> {
    let mut load = Load::new();
    udp::fill(server, &mut load)?;
    let (start, before) = (Instant::now(), process::cpu(server.id()));
    let answers = ask(server, &mut load, start + MEASURED)?;
    if answers.count == 0 {
        println!("{way:<24} {:<16} {:>10}", server.name, "not spoken");
        return Ok(());
    }
    let (wall, cpu) = (start.elapsed(), process::cpu(server.id()) - before);
    // An `f64` represents the count exactly.
    let count = answers.count as f64;
    let (per_second, per_cpu, peers) = (
        count / wall.as_secs_f64(),
        count / cpu.as_secs_f64(),
        answers.peers as f64 / count,
    );
    let peak = process::peak(server.id()) >> 20;
    println!(
        "{way:<24} {:<16} {per_second:>10.0} {per_cpu:>12.0} {peers:>12.1} {peak:>9}",
        server.name
    );
    Ok(())
}
