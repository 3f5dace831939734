//! A thousand tabs, and a bridge that is restarted while they are connected.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use aqueduct_core::tunnel::{Backoff, ClientConfig, Event, Refusal};
use aqueduct_native::descriptors;
use futures_util::StreamExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::program;
use crate::tab::Tab;

const TABS: u32 = 1000;
/// The limit until all tabs are connected again.
const BACK: Duration = Duration::from_secs(30);

/// What the tabs report, by their numbers.
#[derive(Clone)]
struct Reports {
    welcomed: mpsc::UnboundedSender<u32>,
    /// They were told that the bridge shuts down.
    drained: mpsc::UnboundedSender<u32>,
}

/// Runs one session from its welcome to its end. `None` if there was no welcome.
async fn session(addr: SocketAddr, reports: &Reports, number: u32) -> Option<()> {
    let (host, origin) = (addr.to_string(), format!("http://{addr}"));
    let stream = TcpStream::connect(addr).await.ok()?;
    let mut tab = Tab::try_over(
        stream,
        &host,
        &[("origin", &origin)],
        ClientConfig::default(),
    )
    .await
    .ok()?;
    matches!(tab.next().await, Ok(Event::Welcome(_))).then_some(())?;
    reports.welcomed.send(number).ok()?;
    while let Some(Ok(message)) = tab.socket.next().await {
        if matches!(message, Message::Close(Some(frame)) if u16::from(frame.code) == Refusal::Draining.close_code())
        {
            reports.drained.send(number).ok()?;
        }
    }
    Some(())
}

/// A tab that reconnects as the page does.
async fn come_back(addr: SocketAddr, reports: Reports, number: u32) {
    let mut backoff = Backoff::default();
    loop {
        if session(addr, &reports, number).await.is_some() {
            backoff.greeted();
        }
        let spread = number
            .wrapping_mul(0x9e37_79b9)
            .wrapping_add(backoff.tries() << 30);
        sleep(backoff.failed(f64::from(spread) / f64::from(u32::MAX))).await;
    }
}

/// Waits until every tab has reported.
async fn all(reported: &mut mpsc::UnboundedReceiver<u32>) {
    let mut missing: std::collections::BTreeSet<u32> = (0..TABS).collect();
    let waiting = async {
        while let Some(number) = reported.recv().await {
            missing.remove(&number);
            if missing.is_empty() {
                return;
            }
        }
    };
    let in_time = timeout(BACK, waiting).await.is_ok();
    assert!(in_time, "{} tabs are missing after {BACK:?}", missing.len());
}

#[tokio::test]
async fn a_thousand_tabs_reconnect_within_thirty_seconds_of_a_restart() {
    descriptors::raise_limit();
    // The configuration file is read again at the restart.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        format!("[limits]\nsessions-per-address = {TABS}\nnew-sessions-per-address = {TABS}\nconnections-per-address = 5000\n"),
    )
    .unwrap();
    let mut bridge = program::start(&["--config", file.path().to_str().unwrap()]);
    let addr = bridge.addr;
    let (sender, mut welcomed) = mpsc::unbounded_channel();
    let (drained_sender, mut drained) = mpsc::unbounded_channel();
    let reports = Reports {
        welcomed: sender,
        drained: drained_sender,
    };
    let mut tabs = JoinSet::new();
    (0..TABS).for_each(|number| drop(tabs.spawn(come_back(addr, reports.clone(), number))));
    all(&mut welcomed).await;
    bridge.program.signal("TERM");
    assert_eq!(bridge.program.ended().await.code(), Some(0));
    all(&mut drained).await;
    let begun = Instant::now();
    bridge.revive();
    all(&mut welcomed).await;
    assert!(begun.elapsed() < BACK, "{:?}", begun.elapsed());
}
