//! How soon a sound plays that is still being downloaded.

use std::net::SocketAddrV4;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use fantoccini::{Client, Locator};
use serde_json::Value;

use super::Measurement;
use super::browser::{Browser, file_input};
use crate::clients::Seed;
use crate::process::Priority;

/// The size of the sound in MiB: nine and a half minutes.
pub(super) const SIZE: NonZeroU32 = NonZeroU32::new(96).unwrap();
/// What the seeds send at most, in Mbit/s.
const RATES: [u64; 2] = [2, 20];
/// Where the sound is set to, in turn, as parts of its duration in percent: some times after it has
/// played for a while, and then in quick succession.
const SEEKS: [(u32, Duration); 7] = [
    (50, BETWEEN),
    (80, BETWEEN),
    (30, BETWEEN),
    (60, Duration::ZERO),
    (20, Duration::ZERO),
    (90, Duration::ZERO),
    (40, Duration::ZERO),
];
const BETWEEN: Duration = Duration::from_secs(4);
const LIMIT: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);
const PLAY: &str = "//button[normalize-space()='Play']";

/// Records how long the sound took, from now or from the next click, until it had moved on by 0.05 s
/// from where it began.
const WATCH: &str = "
    window.watch = from => {
        window.delay = null;
        const start = performance.now();
        const look = setInterval(() => {
            const sound = document.querySelector('audio');
            if (!sound || sound.seeking || sound.currentTime < from + 0.05) return;
            clearInterval(look);
            window.delay = (performance.now() - start) / 1000;
        }, 5);
    };
";
const WATCH_CLICK: &str =
    "document.addEventListener('click', () => window.watch(0), { capture: true, once: true });";

/// Prints a row per rate.
pub(super) async fn measure(measured: &mut Measurement, seed: SocketAddrV4) -> Result<()> {
    println!(
        "\nA sound of {SIZE} MiB plays in a tab, from one seed, and is set to parts of its duration, three times after 4 s and then at once: seconds until it has moved on by 0.05 s"
    );
    let seeks = SEEKS.map(|(percent, _)| format!("{:>8}", format!("{percent} %")));
    println!(
        "{:<24} {:>8} {}   downloaded by then",
        "",
        "\"Play\"",
        seeks.concat()
    );
    for (rate, kind) in RATES
        .iter()
        .flat_map(|rate| [(rate, Seed::Libtorrent), (rate, Seed::Aqueduct)])
    {
        measured.upload_limit = Some(rate * 1_000_000 / 8);
        let served = measured.serve(kind, seed, Priority::Usual)?;
        let browser = Browser::start()?;
        let client = browser.open(&served.url()).await?;
        let outcome = play(&client, measured).await;
        client.close().await?;
        let (delays, there) = outcome.with_context(|| format!("at {rate} Mbit/s"))?;
        let [play, seeks @ ..] = delays;
        let seeks = seeks.map(|delay| format!("{delay:>8.2}"));
        println!(
            "{:<24} {play:>8.2} {}   {there} %",
            format!("{} at {rate} Mbit/s", kind.name()),
            seeks.concat()
        );
    }
    Ok(())
}

/// Adds the torrent, and plays it. Returns the delays, and how many percent were there at the end.
async fn play(client: &Client, measured: &Measurement) -> Result<([f64; 1 + SEEKS.len()], u64)> {
    let torrent = measured.payload.torrent();
    let input = file_input(client).await?;
    input.send_keys(&torrent.to_string_lossy()).await?;
    let button = client.wait().for_element(Locator::XPath(PLAY)).await?;
    run(client, &format!("{WATCH} {WATCH_CLICK}")).await?;
    button.click().await?;
    let mut delays = [0.0; 1 + SEEKS.len()];
    let [play, seeks @ ..] = &mut delays;
    *play = delay(client).await.context("\"Play\"")?;
    for (delays, (percent, pause)) in seeks.iter_mut().zip(SEEKS) {
        tokio::time::sleep(pause).await;
        let seek = format!(
            "const sound = document.querySelector('audio');
            const to = sound.duration * {percent} / 100;
            window.watch(to);
            sound.currentTime = to;"
        );
        run(client, &seek).await?;
        *delays = delay(client)
            .await
            .with_context(|| format!("seek to {percent} %"))?;
    }
    let there = "return Number(document.querySelector('[role=progressbar]').ariaValueNow)";
    let there = run(client, there).await?;
    Ok((delays, there.as_u64().context("no progress is shown")?))
}

/// The delay, once the sound plays.
async fn delay(client: &Client) -> Result<f64> {
    let start = Instant::now();
    loop {
        if let Some(delay) = run(client, "return window.delay").await?.as_f64() {
            return Ok(delay);
        }
        if start.elapsed() > LIMIT {
            bail!("it does not play within {} s", LIMIT.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn run(client: &Client, script: &str) -> Result<Value> {
    Ok(client.execute(script, Vec::new()).await?)
}
