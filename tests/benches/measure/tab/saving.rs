//! What saving a complete torrent costs: "Save all" as one archive, with everything on the disk.

use std::fs;
use std::net::SocketAddrV4;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use aqueduct_tests::process::{peak, resident};
use fantoccini::{Client, Locator};
use serde_json::json;

use super::Measurement;
use super::browser::{Browser, devtools};
use super::views::View;
use crate::clients::Seed;
use crate::payload::NAME;
use crate::process::{Priority, descendants};

const LIMIT: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(100);
const SAVE_ALL: &str = "//button[normalize-space()='Save all']";

/// Downloads the torrent, and prints the speed at which all of it is saved and what the browser's
/// processes hold meanwhile.
pub(super) async fn measure(measured: &Measurement, seed: SocketAddrV4) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let served = measured.serve(Seed::Aqueduct, seed, Priority::Usual)?;
    let browser = Browser::start_in(folder.path())?;
    let client = browser.open(&served.url()).await?;
    let downloaded = browser
        .watch(&client, &measured.payload.torrent(), &[], View::AsOpened)
        .await?;
    let size = f64::from(measured.size.get());
    let speed = size / downloaded.wall.as_secs_f64();
    println!("downloaded at {speed:.1} MiB/s");
    let downloads = folder.path().join("downloads");
    fs::create_dir(&downloads)?;
    let allowed = json!({ "behavior": "allow", "downloadPath": downloads });
    devtools(&client, "Browser.setDownloadBehavior", allowed).await?;
    let before = Memory::now(&browser);
    forget_peaks(&browser)?;
    let start = Instant::now();
    save(&client, &downloads, u64::from(measured.size.get()) << 20).await?;
    let seconds = start.elapsed().as_secs_f64();
    let after = Memory::now(&browser);
    println!("saved at {:.1} MiB/s", size / seconds);
    println!("{:<10} {:>14} {:>14}", "MiB", "before", "peak meanwhile");
    for (name, before, after) in [
        ("renderer", before.renderer, after.renderer),
        ("browser", before.browser, after.browser),
    ] {
        println!("{name:<10} {:>14} {:>14}", before.resident, after.peak);
    }
    client.close().await?;
    Ok(())
}

/// Presses "Save all", and waits until the archive is there with all of its bytes.
async fn save(client: &Client, downloads: &Path, least: u64) -> Result<()> {
    let button = client.wait().for_element(Locator::XPath(SAVE_ALL)).await?;
    button.click().await?;
    let (archive, start) = (downloads.join(format!("{NAME}.zip")), Instant::now());
    // Browsers give a download its name when it is complete.
    while fs::metadata(&archive).map_or(0, |found| found.len()) < least {
        if start.elapsed() > LIMIT {
            bail!("not saved after {} s", LIMIT.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// The memory of the largest process of a kind, in MiB.
#[derive(Clone, Copy, Default)]
struct Held {
    resident: u64,
    peak: u64,
}

/// The memory of a browser.
#[derive(Default)]
struct Memory {
    renderer: Held,
    browser: Held,
}

impl Memory {
    fn now(browser: &Browser) -> Self {
        let mut memory = Self::default();
        for (id, line) in descendants(browser.driver_id()) {
            let held = if line.contains("--type=renderer") {
                &mut memory.renderer
            } else {
                &mut memory.browser
            };
            held.resident = held.resident.max(resident(id) >> 20);
            held.peak = held.peak.max(peak(id) >> 20);
        }
        memory
    }
}

/// Lets the peak of each process begin anew: 5 resets `VmHWM` (proc_pid_clear_refs(5)).
fn forget_peaks(browser: &Browser) -> Result<()> {
    for (id, _) in descendants(browser.driver_id()) {
        let path = format!("/proc/{id}/clear_refs");
        fs::write(&path, "5").with_context(|| format!("writing {path}"))?;
    }
    Ok(())
}
