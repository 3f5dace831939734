//! What a tab downloads that cannot be seen, and that the browser freezes.

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::Measurement;
use super::browser::{Browser, devtools, file_input};
use crate::clients::Seed;
use crate::process::Priority;

/// What the seed sends at most, in MiB/s, unless the user chose another limit.
pub(super) const LIMIT: NonZeroU32 = NonZeroU32::new(2).unwrap();
/// For how long the tab is frozen.
const FROZEN: Duration = Duration::from_secs(20);
/// The limit for the first new data.
const GOES_ON: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
/// Bytes to the tab that cannot be remains of what was requested before.
const NEWS: u64 = 1 << 20;
const BYTES: &str = "\naqueduct_bridge_down_bytes_total ";

/// Seconds that a measurement of so many minutes takes at most.
pub(super) const fn seconds_at_most(minutes: NonZeroU32) -> NonZeroU32 {
    const SIXTY: NonZeroU32 = NonZeroU32::new(60).unwrap();
    minutes.saturating_add(3).saturating_mul(SIXTY)
}

/// Prints a line per minute, and one about the freezing.
pub(super) async fn measure(
    measured: &Measurement,
    seed: SocketAddrV4,
    minutes: NonZeroU32,
) -> Result<()> {
    let served = measured.serve(Seed::Aqueduct, seed, Priority::Usual)?;
    let browser = Browser::start()?;
    let client = browser.open(&served.url()).await?;
    let torrent = measured.payload.torrent();
    let input = file_input(&client).await?;
    input.send_keys(&torrent.to_string_lossy()).await?;
    client.minimize_window().await?;
    let is_hidden = client.execute("return document.hidden", Vec::new());
    ensure!(is_hidden.await? == true, "the browser shows the page");
    let start = Instant::now();
    let mut before = received(served.page)?;
    for minute in 1..=minutes.get() {
        let end = start + Duration::from_secs(60) * minute;
        tokio::time::sleep_until(end.into()).await;
        let now = received(served.page)?;
        println!("minute {minute:>2}: {:>6} MiB", (now - before) >> 20);
        before = now;
    }
    let set_state = async |state| {
        let state = json!({ "state": state });
        devtools(&client, "Page.setWebLifecycleState", state).await
    };
    set_state("frozen").await?;
    tokio::time::sleep(FROZEN).await;
    let before = received(served.page)?;
    set_state("active").await?;
    let start = Instant::now();
    while received(served.page)? < before + NEWS {
        if start.elapsed() > GOES_ON {
            bail!("no new data within {} s", GOES_ON.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
    println!(
        "frozen for {} s; {} MiB more {:.1} s after that",
        FROZEN.as_secs(),
        NEWS >> 20,
        start.elapsed().as_secs_f64()
    );
    client.close().await?;
    Ok(())
}

/// Bytes that the bridge has sent to its tabs.
fn received(bridge: SocketAddrV4) -> Result<u64> {
    let mut stream = TcpStream::connect(bridge)?;
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: {bridge}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let found = answer.split_once(BYTES);
    let digits = found.and_then(|(_, rest)| rest.lines().next());
    let digits = digits.with_context(|| format!("no metrics: {answer}"))?;
    Ok(digits.parse()?)
}
