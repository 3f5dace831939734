//! A download by a tab through the bridge, from each seed in turn: its speed, its processor time
//! and memory, and how long the page was unresponsive.
//!
//! Some browser drivers slow a tab's network by a factor of several. Plain chromedriver, without
//! BiDi and with an ordinary profile, does not.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU32;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aqueduct_tests::process::{cpu, cpu_by_thread, peak as peak_memory};
use aqueduct_tests::programs::free_port;
use aqueduct_tests::tracker::Tracker;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::clients::{self, Line, Seed};
use crate::download::wait_for;
use crate::payload::{self, Payload};
use crate::process::{self, Background};

const LIMIT: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(200);
/// The number of threads of the tab that are printed.
const THREADS: usize = 4;
const BROWSER: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// Records the gaps between the page's timer callbacks (scheduled every ten milliseconds) and the
/// times at which the torrent's status changes.
const PROBE: &str = r#"
    let last = performance.now();
    window.probe = { gap: 0 };
    setInterval(() => {
        const now = performance.now();
        window.probe.gap = Math.max(window.probe.gap, now - last);
        last = now;
    }, 10);
"#;
const STATE: &str = r#"
    const status = document.querySelector('[role="listitem"] [role="status"], li [role="status"]');
    const alert = document.querySelector('[role="alert"]');
    return { gap: window.probe.gap, status: status ? status.textContent : '', alert: alert ? alert.textContent : '' };
"#;

/// Prints one row per seed and run.
pub(crate) fn measure(size: NonZeroU32, runs: u32) -> Result<()> {
    let seed = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port());
    let tracker = Tracker::naming(&[seed.into()]);
    let payload = Payload::create(size, &tracker.http())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    println!(
        "\nA tab downloads {size} MiB through the bridge, Chromium with plain chromedriver, ordinary profile"
    );
    println!(
        "{:<12} {:>8} {:>9}   {:<44} {:>9} {:>11}",
        "from", "wall s", "MiB/s", "CPU-s: tab, browser, bridge, seed", "tab MiB", "longest gap"
    );
    for _ in 0..runs {
        for kind in [Seed::Libtorrent, Seed::Aqueduct] {
            let world = World::start(kind, &payload, seed)?;
            let run = runtime
                .block_on(world.download(&payload))
                .with_context(|| format!("a tab's download from {kind:?}"))?;
            run.print(kind, size);
        }
    }
    Ok(())
}

/// All programs that run during the measurement.
struct World {
    seed: Background,
    bridge: Background,
    driver: Background,
    page: SocketAddrV4,
    webdriver: SocketAddrV4,
    profile: TempDir,
}

impl World {
    fn start(kind: Seed, payload: &Payload, at: SocketAddrV4) -> Result<Self> {
        let seed = Background::start(&mut kind.serve(payload, at.port(), Line::Tcp)?)?;
        let page = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port());
        let mut bridge = Command::new(clients::program("AQUEDUCT_BRIDGE_BIN")?);
        bridge.args([
            "--listen",
            &page.to_string(),
            "--allow",
            "127.0.0.0/8",
            "--peer-port",
            "0",
            "--no-dht",
        ]);
        let bridge = Background::start(&mut bridge)?;
        let webdriver = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port());
        let driver = Background::start(
            Command::new("chromedriver").arg(format!("--port={}", webdriver.port())),
        )?;
        [at, page, webdriver].into_iter().try_for_each(wait_for)?;
        Ok(Self {
            seed,
            bridge,
            driver,
            page,
            webdriver,
            profile: payload::in_memory()?,
        })
    }

    async fn download(&self, payload: &Payload) -> Result<Run> {
        let client = self.open().await?;
        let outcome = self.watch(&client, payload).await;
        client.close().await?;
        outcome
    }

    async fn open(&self) -> Result<Client> {
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let arguments: Vec<&str> = BROWSER.into_iter().chain([profile.as_str()]).collect();
        let mut capabilities = Capabilities::new();
        capabilities.insert(
            "goog:chromeOptions".to_owned(),
            json!({ "args": arguments }),
        );
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder
            .capabilities(capabilities)
            .connect(&format!("http://{}", self.webdriver))
            .await?;
        client.goto(&format!("http://{}/", self.page)).await?;
        Ok(client)
    }

    async fn watch(&self, client: &Client, payload: &Payload) -> Result<Run> {
        let input = client
            .wait()
            .for_element(Locator::Css("input[type=file]"))
            .await?;
        client.execute(PROBE, Vec::new()).await?;
        let before = self.processes();
        let start = Instant::now();
        input
            .send_keys(&payload.torrent().to_string_lossy())
            .await?;
        loop {
            let state = client.execute(STATE, Vec::new()).await?;
            let text = |name: &str| state.get(name).and_then(Value::as_str).unwrap_or_default();
            ensure!(text("alert").is_empty(), "the page says: {}", text("alert"));
            if ["Finished", "Seeding"]
                .iter()
                .any(|end| text("status").starts_with(end))
            {
                let gap = state.get("gap").and_then(Value::as_f64).unwrap_or_default();
                return Ok(Run {
                    wall: start.elapsed(),
                    before,
                    after: self.processes(),
                    gap,
                });
            }
            if start.elapsed() > LIMIT {
                bail!(
                    "not finished after {} s; the page says: {}",
                    LIMIT.as_secs(),
                    text("status")
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn processes(&self) -> Processes {
        let mut processes = Processes::default();
        processes.add("bridge", self.bridge.id());
        processes.add("seed", self.seed.id());
        for (id, line) in process::descendants(self.driver.id()) {
            let is_tab = line.contains("--type=renderer");
            processes.add(if is_tab { "tab" } else { "browser" }, id);
            if is_tab {
                processes.add_threads(id);
            }
        }
        processes
    }
}

/// Processor time and peak memory by role. The browser has several processes per role; all its
/// renderers but one are idle.
#[derive(Default)]
struct Processes {
    cpu: BTreeMap<&'static str, Duration>,
    peak: BTreeMap<&'static str, u64>,
    /// Processor time of the tab's threads by name.
    threads: BTreeMap<String, Duration>,
}

impl Processes {
    fn add_threads(&mut self, tab: u32) {
        for (name, cpu) in cpu_by_thread(tab) {
            *self.threads.entry(name).or_default() += cpu;
        }
    }

    /// Seconds of processor time per thread since then, the busiest first.
    fn busiest_threads(&self, then: &Self) -> String {
        let mut spent: Vec<(Duration, &str)> = self
            .threads
            .iter()
            .map(|(name, cpu)| {
                let before = then.threads.get(name).copied().unwrap_or_default();
                (cpu.saturating_sub(before), name.as_str())
            })
            .collect();
        spent.sort_unstable();
        let named = spent.iter().rev().take(THREADS);
        named
            .map(|(cpu, name)| format!("{name} {:.2}", cpu.as_secs_f64()))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn add(&mut self, role: &'static str, id: u32) {
        *self.cpu.entry(role).or_default() += cpu(id);
        let peak = self.peak.entry(role).or_default();
        *peak = peak_memory(id).max(*peak);
    }
}

/// The measurements of one download.
struct Run {
    wall: Duration,
    before: Processes,
    after: Processes,
    /// The longest gap between the page's timer callbacks, in milliseconds.
    gap: f64,
}

impl Run {
    fn print(&self, kind: Seed, size: NonZeroU32) {
        let wall = self.wall.as_secs_f64();
        let spent = |role: &str| {
            let at = |processes: &Processes| {
                processes
                    .cpu
                    .get(role)
                    .copied()
                    .unwrap_or_default()
                    .as_secs_f64()
            };
            at(&self.after) - at(&self.before)
        };
        let cpu = ["tab", "browser", "bridge", "seed"]
            .map(|role| format!("{:.2}", spent(role)))
            .join(", ");
        let memory = self.after.peak.get("tab").copied().unwrap_or_default() >> 20;
        let rate = f64::from(size.get()) / wall;
        println!(
            "{:<12} {wall:>8.2} {rate:>9.1}   {cpu:<44} {memory:>9} {:>8.0} ms",
            format!("{kind:?}").to_lowercase(),
            self.gap
        );
        let threads = self.after.busiest_threads(&self.before);
        println!("{:<12} threads of the tab, CPU-s: {threads}", "");
    }
}
