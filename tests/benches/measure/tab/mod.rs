//! A download by a tab through the bridge, from each seed in turn, beside bare workers in the same
//! browser: speed, processor time and memory, and how long the page was unresponsive.

mod bare;
mod browser;
mod hidden;
mod load;
mod playing;
mod processes;
mod saving;
mod views;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU32;
use std::process::Command;

use anyhow::{Context, Result};
use aqueduct_tests::programs::free_port;
use aqueduct_tests::tracker::Tracker;

use self::bare::{Bare, Workers};
use self::browser::{Browser, Watched};
use self::views::View;
use crate::clients::{self, Line, Seed};
use crate::download::{wait_for, wait_for_peer};
use crate::payload::{Layout, Payload};
use crate::process::{Background, Priority};

/// Prints a row per bare worker or pair, and one per seed, in each run.
pub(crate) fn measure(size: NonZeroU32, layout: Layout, runs: u32) -> Result<()> {
    let seed = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port());
    let tracker = Tracker::naming(&[seed.into()]);
    let measured = Measurement::new(size, layout, &tracker)?;
    let runtime = crate::runtime()?;
    println!(
        "\nA tab downloads {} through the bridge, Chromium with plain chromedriver, ordinary profile; CPU-s per GiB",
        measured.described(layout)
    );
    println!(
        "{:<24} {:>8} {:>8} {:>9} {:>9} {:>9} {:>8} {:>8}   threads of the renderer",
        "", "MiB/s", "gap ms", "peak MiB", "renderer", "browser", "bridge", "seed"
    );
    for _ in 0..runs {
        let mut limits = Vec::new();
        for workers in [Workers::One, Workers::Pair] {
            let run = runtime
                .block_on(measured.bare(workers))
                .with_context(|| format!("the {}", workers.name()))?;
            measured.print(workers.name(), &run);
            limits.push((workers.name(), run));
        }
        for kind in [Seed::Libtorrent, Seed::Aqueduct] {
            let run = runtime
                .block_on(measured.tab(kind, seed, View::AsOpened))
                .with_context(|| format!("a tab's download from {kind:?}"))?;
            measured.print(&format!("from {}", kind.name()), &run);
            for (name, limit) in &limits {
                let ratio = limit.wall.as_secs_f64() / run.wall.as_secs_f64();
                println!("{:<24} {ratio:.2} times the speed of the {name}", "");
            }
        }
    }
    Ok(())
}

/// Prints the speed of a tab's downloads with each view of the torrent open, and how long the page did
/// not respond.
pub(crate) fn measure_views(
    size: NonZeroU32,
    layout: Layout,
    upload_limit: Option<NonZeroU32>,
    runs: u32,
) -> Result<()> {
    let seed = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port());
    let tracker = Tracker::naming(&[seed.into()]);
    let mut measured = Measurement::new(size, layout, &tracker)?;
    measured.upload_limit = upload_limit.map(bytes);
    println!(
        "\nA tab downloads {} from an Aqueduct seed that sends {}, with each view of the torrent open",
        measured.described(layout),
        upload_limit.map_or("all it can".to_owned(), |limit| format!(
            "at most {limit} MiB/s"
        ))
    );
    crate::runtime()?.block_on(views::measure(&measured, seed, runs))
}

/// `mebibytes` in bytes.
fn bytes(mebibytes: NonZeroU32) -> u64 {
    u64::from(mebibytes.get()) << 20
}

/// Prints how long a sound takes to play after "Play" was pressed, and after each of some seeks, from
/// slow seeds.
pub(crate) fn measure_playing() -> Result<()> {
    let seed = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port());
    let tracker = Tracker::naming(&[seed.into()]);
    let mut measured = Measurement {
        size: playing::SIZE,
        payload: Payload::sound(playing::SIZE, &tracker.http())?,
        upload_limit: None,
    };
    crate::runtime()?.block_on(playing::measure(&mut measured, seed))
}

/// Prints what a hidden tab downloads in each of so many minutes, and how soon it goes on after the
/// browser has frozen it.
pub(crate) fn measure_hidden(
    upload_limit: Option<NonZeroU32>,
    layout: Layout,
    minutes: NonZeroU32,
) -> Result<()> {
    let limit = upload_limit.unwrap_or(hidden::LIMIT);
    // It must not be complete before the end.
    let size = limit.saturating_mul(hidden::seconds_at_most(minutes));
    let seed = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port());
    let tracker = Tracker::naming(&[seed.into()]);
    let mut measured = Measurement::new(size, layout, &tracker)?;
    measured.upload_limit = Some(bytes(limit));
    println!(
        "\nA hidden tab downloads from a seed that sends at most {limit} MiB/s, for {minutes} minutes; then it is frozen"
    );
    crate::runtime()?.block_on(hidden::measure(&measured, seed, minutes))
}

/// Prints the speed of saving what a tab has downloaded, and the browser's memory meanwhile. Needs
/// room for three times the size below the system's folder for temporary files.
pub(crate) fn measure_saving(size: NonZeroU32, layout: Layout) -> Result<()> {
    let seed = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port());
    let tracker = Tracker::naming(&[seed.into()]);
    let payload = Payload::laid_out_in(tempfile::tempdir()?, size, layout, &tracker.http())?;
    let measured = Measurement {
        size,
        payload,
        upload_limit: None,
    };
    println!("\nA tab saves {}", measured.described(layout));
    crate::runtime()?.block_on(saving::measure(&measured, seed))
}

/// Prints how long the page takes to load from a bridge on this machine.
pub(crate) fn measure_loading(runs: u32) -> Result<()> {
    let page = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port());
    let _bridge = start_bridge(page, Priority::Usual)?;
    let runtime = crate::runtime()?;
    println!(
        "\nA line of text and the page are loaded from a bridge on this machine, each in a new browser, and the page again when it is stored: medians in ms, then {runs} runs"
    );
    runtime.block_on(load::measure(&format!("http://{page}/"), runs))
}

fn start_bridge(page: SocketAddrV4, priority: Priority) -> Result<Background> {
    let mut bridge = Command::new(clients::program("AQUEDUCT_BRIDGE_BIN")?);
    bridge.args(["--listen", &page.to_string(), "--no-dht"]);
    bridge.args(["--allow", "127.0.0.0/8", "--peer-port", "0"]);
    let bridge = Background::start(&mut priority.apply(bridge))?;
    wait_for(page)?;
    Ok(bridge)
}

/// A seed, and a bridge that serves the page.
struct Served {
    seed: Background,
    bridge: Background,
    page: SocketAddrV4,
}

impl Served {
    fn url(&self) -> String {
        format!("http://{}/", self.page)
    }
}

/// What is the same in all runs.
struct Measurement {
    size: NonZeroU32,
    payload: Payload,
    /// What the seed sends at most, in bytes per second.
    upload_limit: Option<u64>,
}

impl Measurement {
    fn new(size: NonZeroU32, layout: Layout, tracker: &Tracker) -> Result<Self> {
        let payload = Payload::laid_out(size, layout, &tracker.http())?;
        Ok(Self {
            size,
            payload,
            upload_limit: None,
        })
    }

    fn described(&self, layout: Layout) -> String {
        let files = match layout.files.get() {
            1 => "one file".to_owned(),
            files => format!("{files} files"),
        };
        let (size, piece_length) = (self.size, layout.piece_length);
        format!("{size} MiB in {files}, pieces of {piece_length} KiB")
    }

    async fn bare(&self, workers: Workers) -> Result<Watched> {
        let bare = Bare::start(workers, self.size)?;
        let browser = Browser::start()?;
        // Any file: choosing one is the start.
        let file = self.payload.torrent();
        browser
            .download(&bare.url(), &file, &[], View::AsOpened)
            .await
    }

    async fn tab(&self, kind: Seed, at: SocketAddrV4, view: View) -> Result<Watched> {
        let served = self.serve(kind, at, Priority::Usual)?;
        let browser = Browser::start()?;
        let others = [("bridge", served.bridge.id()), ("seed", served.seed.id())];
        let torrent = self.payload.torrent();
        browser
            .download(&served.url(), &torrent, &others, view)
            .await
    }

    /// Visits of one browser with these views, from an Aqueduct seed. Seed and bridge, which are not on
    /// the user's computer elsewhere, give way to the browser.
    async fn visits(&self, at: SocketAddrV4, views: &[View]) -> Result<Vec<Watched>> {
        let served = self.serve(Seed::Aqueduct, at, Priority::Low)?;
        let browser = Browser::start()?;
        let torrent = self.payload.torrent();
        browser
            .download_with_each(&served.url(), &torrent, views)
            .await
    }

    /// Starts a seed and a bridge.
    fn serve(&self, kind: Seed, at: SocketAddrV4, priority: Priority) -> Result<Served> {
        let mut seed = kind.serve(&self.payload, at.port(), Line::Tcp)?;
        if let Some(limit) = self.upload_limit {
            seed.arg(kind.upload_limit(limit));
        }
        let seed = Background::start(&mut priority.apply(seed))?;
        // Until it listens, its port counts as free.
        wait_for_peer(at, &self.payload.torrent())?;
        let page = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port());
        let bridge = start_bridge(page, priority)?;
        Ok(Served { seed, bridge, page })
    }

    fn print(&self, name: &str, run: &Watched) {
        let size = f64::from(self.size.get());
        let (before, after) = (&run.before, &run.after);
        let per_gib = |seconds: f64| seconds * 1024.0 / size;
        let [renderer, browser, bridge, seed] = ["renderer", "browser", "bridge", "seed"]
            .map(|role| per_gib(after.spent(before, role)));
        let threads = after.busiest_threads(before).into_iter();
        let threads: Vec<String> = threads
            .map(|(name, seconds)| format!("{name} {:.2}", per_gib(seconds)))
            .collect();
        println!(
            "{name:<24} {:>8.1} {:>8.0} {:>9} {renderer:>9.2} {browser:>9.2} {bridge:>8.2} {seed:>8.2}   {}",
            size / run.wall.as_secs_f64(),
            run.pauses.gap,
            after.peak("renderer"),
            threads.join(", "),
        );
    }
}
