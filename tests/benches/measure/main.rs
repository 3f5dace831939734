//! Compares Aqueduct with other clients: `cargo xtask bench
//! [download|lines|many|hash|relay|tab|views|play|hidden|save|load|sessions|tracker|all]`.
//!
//! All figures are from this machine and this run, so only their ratios are meaningful. Every
//! download is compared with the seeded data.

mod announce;
mod clients;
mod download;
mod hash;
mod lines;
mod many;
mod measured;
mod namespaces;
mod payload;
mod process;
mod relay;
mod sessions;
mod tab;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};

#[derive(Parser)]
#[command(
    name = "cargo xtask bench",
    about = "Measure downloads, hashing, the bridge, the tab and the tracker"
)]
struct Arguments {
    /// What to measure
    #[arg(default_value = "all")]
    what: What,
    /// The payload's size in MiB
    #[arg(long, default_value = "1024")]
    size: NonZeroU32,
    /// The number of files of what `tab`, `views` and `save` download
    #[arg(long, default_value = "1")]
    files: NonZeroU32,
    /// The piece length, in KiB, of what `tab`, `views` and `save` download
    #[arg(long, default_value = "1024")]
    piece_length: NonZeroU32,
    /// What the seed of `views` and `hidden` sends at most, in MiB/s; for `hidden` 2 if absent
    #[arg(long)]
    upload_limit: Option<NonZeroU32>,
    /// How long the tab of `hidden` is hidden
    #[arg(long, default_value = "11")]
    minutes: NonZeroU32,
    /// Idle tabs of one bridge
    #[arg(long, default_value = "10000")]
    tabs: NonZeroU32,
    /// Torrents that each of these tabs joins
    #[arg(long, default_value_t = 0)]
    joins: u16,
    /// How often each measurement is taken
    #[arg(long, default_value_t = 3)]
    runs: u32,
    /// The clients that download, by name; the others are compared with the first
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "libtorrent,aria2,transmission,aqueduct"
    )]
    clients: Vec<clients::Client>,
    /// Who serves the payload to downloading clients
    #[arg(long, default_value = "libtorrent")]
    seed: clients::Seed,
    /// The lines that `lines` measures
    #[arg(long, value_delimiter = ',', default_value = "tcp,tcp-rc4,utp,utp-rc4")]
    lines: Vec<clients::Line>,
    /// The swarms that `many` measures
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "pieces,files,torrents,seeds,leeches"
    )]
    swarms: Vec<many::Swarm>,
    /// The size in GiB of what `many --swarms large` writes to the disk
    #[arg(long, default_value = "16")]
    large: NonZeroU32,
    /// An earlier build of the bridge, for `relay` to measure in turn
    #[arg(long)]
    baseline: Option<PathBuf>,
    /// Be the bridge's rival: relay between a WebSocket at the first address and the second one
    #[arg(long, hide = true, num_args = 2)]
    splice: Vec<SocketAddr>,
    /// cargo's own sign that this is a benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Each client downloads from one seed, over a pair of network namespaces (as root)
    Download,
    /// Aqueduct and libtorrent download from each other and from themselves, over TCP and uTP, in the
    /// clear and with RC4 (as root)
    Lines,
    /// Swarms of extreme shapes: pieces, files, torrents, peers
    Many,
    /// `verify` and `create` beside the speed of SHA-1 itself
    Hash,
    /// Bytes through the bridge, beside a plain splice
    Relay,
    /// A tab downloads through the bridge, in Chromium
    Tab,
    /// The same with each view of the torrent open
    Views,
    /// A sound plays while it is downloaded, also after seeks
    Play,
    /// A tab downloads out of sight, and is frozen
    Hidden,
    /// A tab saves all files of a torrent, on the disk
    Save,
    /// The page loads, in Chromium
    Load,
    /// Idle tabs and slow clients of one bridge
    Sessions,
    /// Announces per second, beside opentracker
    Tracker,
    /// All of them
    All,
}

/// A runtime for what is measured from this thread.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("measure: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments = Arguments::parse();
    if let [listen, peer] = arguments.splice[..] {
        return relay::serve(listen, peer);
    }
    let wanted = |what| arguments.what == what || arguments.what == What::All;
    if wanted(What::Hash) {
        hash::measure(arguments.size, arguments.runs)?;
    }
    if wanted(What::Download) {
        download::measure(&arguments)?;
    }
    if wanted(What::Lines) {
        lines::measure(&arguments)?;
    }
    if wanted(What::Many) {
        many::measure(&arguments)?;
    }
    if wanted(What::Relay) {
        relay::measure(
            arguments.size,
            arguments.runs,
            arguments.baseline.as_deref(),
        )?;
    }
    let layout = payload::Layout {
        files: arguments.files,
        piece_length: arguments.piece_length,
    };
    if wanted(What::Views) {
        tab::measure_views(
            arguments.size,
            layout,
            arguments.upload_limit,
            arguments.runs,
        )?;
    }
    if wanted(What::Play) {
        tab::measure_playing()?;
    }
    if wanted(What::Hidden) {
        tab::measure_hidden(arguments.upload_limit, layout, arguments.minutes)?;
    }
    if wanted(What::Save) {
        tab::measure_saving(arguments.size, layout)?;
    }
    if wanted(What::Tab) {
        tab::measure(arguments.size, layout, arguments.runs)?;
    }
    if wanted(What::Load) {
        tab::measure_loading(arguments.runs)?;
    }
    if wanted(What::Sessions) {
        sessions::measure(arguments.tabs, arguments.joins)?;
    }
    if wanted(What::Tracker) {
        announce::measure(arguments.runs)?;
    }
    Ok(())
}
