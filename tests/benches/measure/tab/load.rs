//! How long the page takes to load: until something is painted, until it takes input, and until its
//! worker runs.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use fantoccini::Client;
use serde_json::{Value, json};

use super::browser::{Browser, devtools};

const LIMIT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

/// Runs in each document before anything else. The form appears with its event handlers; the hint
/// for an empty list appears when the worker has sent its first state.
const PROBE: &str = r#"
    const seen = window.seen = {};
    const look = () => {
        for (const [what, selector] of [['interactive', 'main form'], ['worker', '.empty']])
            if (document.querySelector(selector)) seen[what] ??= performance.now();
    };
    new MutationObserver(look).observe(document, { childList: true, subtree: true });
"#;
const SEEN: &str = r#"
    const paint = performance.getEntriesByName('first-paint')[0]?.startTime;
    const loaded = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    const kilobytes = loaded.reduce((sum, entry) => sum + entry.transferSize, 0) / 1000;
    return { paint, kilobytes, ...window.seen };
"#;
/// Waits until the service worker has stored the page.
const STORED: &str = "navigator.serviceWorker.ready.then(arguments[0])";

/// What is measured, in milliseconds since the navigation began; last, what was transferred for the
/// document, in kB (the files that workers load themselves are not in it).
const COLUMNS: [&str; 4] = ["paint", "interactive", "worker", "kilobytes"];

/// What the bridge answers with a line of text, and when it is painted: no page can be faster in this
/// browser.
const LINE: &str = "healthz";
const PAINTED: &str = "return performance.getEntriesByName('first-paint')[0]?.startTime";

/// Loads a line of text in a new browser, the page in another new one, and once more when its service
/// worker has stored it. Prints the medians, and the figures of all runs.
pub(super) async fn measure(url: &str, runs: u32) -> Result<()> {
    let mut loads = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..runs {
        loads[0].push(vec![paint(&format!("{url}{LINE}")).await?]);
        let browser = Browser::start()?;
        let client = browser.open("about:blank").await?;
        let script = json!({ "source": PROBE });
        devtools(&client, "Page.addScriptToEvaluateOnNewDocument", script).await?;
        loads[1].push(load(&client, url).await?);
        client.execute_async(STORED, Vec::new()).await?;
        client.goto("about:blank").await?;
        loads[2].push(load(&client, url).await?);
        client.close().await?;
    }
    println!(
        "{:<10}{}",
        "",
        COLUMNS.map(|name| format!("{name:>14}")).concat()
    );
    for (name, loads) in ["a line", "cold", "stored"].into_iter().zip(&loads) {
        let columns = (0..loads.first().map_or(0, Vec::len)).map(|column| {
            let mut figures: Vec<f64> = loads.iter().map(|load| load[column]).collect();
            figures.sort_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied().unwrap_or_default()
        });
        let medians: Vec<f64> = columns.collect();
        println!("{name:<10}{}", row(&medians));
        loads
            .iter()
            .for_each(|load| println!("{:<10}{}", "", row(load)));
    }
    Ok(())
}

fn row(figures: &[f64]) -> String {
    figures
        .iter()
        .map(|figure| format!("{figure:>14.0}"))
        .collect()
}

/// Opens a document in a new browser, and returns when something of it was painted.
async fn paint(url: &str) -> Result<f64> {
    let browser = Browser::start()?;
    let client = browser.open("about:blank").await?;
    client.goto(url).await?;
    let start = Instant::now();
    loop {
        if let Some(painted) = client.execute(PAINTED, Vec::new()).await?.as_f64() {
            client.close().await?;
            return Ok(painted);
        }
        ensure!(start.elapsed() < LIMIT, "nothing is painted");
        tokio::time::sleep(LOOK).await;
    }
}

/// Opens the page, and waits until its worker runs.
async fn load(client: &Client, url: &str) -> Result<Vec<f64>> {
    client.goto(url).await?;
    let start = Instant::now();
    loop {
        let seen = client.execute(SEEN, Vec::new()).await?;
        let figures: Option<Vec<f64>> = COLUMNS
            .iter()
            .map(|column| seen.get(column).and_then(Value::as_f64))
            .collect();
        if let Some(figures) = figures {
            return Ok(figures);
        }
        ensure!(start.elapsed() < LIMIT, "the page does not load: {seen}");
        tokio::time::sleep(LOOK).await;
    }
}
