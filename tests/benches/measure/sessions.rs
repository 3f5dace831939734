//! The cost of idle tabs for a bridge, and of clients that never finish a request.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::num::NonZeroU32;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aqueduct_core::tunnel::{Amounts, Client, ClientConfig, Event, JoinRequest, SUBPROTOCOL};
use aqueduct_core::types::{self, InfoHashV1, PeerId};
use aqueduct_tests::process;
use aqueduct_tests::programs::free_port;
use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::http::Request;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::clients;
use crate::download::wait_for;
use crate::process::Background;

/// The number of tabs that one address may open per second.
const PER_ADDRESS: u32 = 4;
/// The number of tabs that are opened at the same time.
const AT_ONCE: usize = 64;
/// The duration of the idle measurement: two rounds of pings.
const IDLE: Duration = Duration::from_secs(60);
/// The number of clients that send a request byte by byte.
const SLOW: u32 = 500;
const SLOW_FOR: Duration = Duration::from_secs(15);
const BYTE: Duration = Duration::from_secs(1);

/// Prints one row for this many idle tabs, one for what they cost with this many joined torrents each,
/// and one for the slow clients.
pub(crate) fn measure(tabs: NonZeroU32, joins: u16) -> Result<()> {
    let runtime = crate::runtime()?;
    println!("\nThe bridge and those who ask nothing of it");
    println!(
        "{:<38} {:>10} {:>14} {:>16}",
        "", "MiB", "% of a core", "opened a second"
    );
    let page = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port());
    let mut bridge = Command::new(clients::program("AQUEDUCT_BRIDGE_BIN")?);
    bridge
        .args([
            "--listen",
            &page.to_string(),
            "--peer-port",
            "0",
            "--no-dht",
        ])
        .env("RUST_LOG", "error");
    let bridge = Background::start(&mut bridge)?;
    wait_for(page)?;
    let before = process::resident(bridge.id());
    row("no tab", before, None, "");
    runtime.block_on(idle_tabs(&bridge, page, (tabs.get(), joins)))?;
    runtime.block_on(slow_clients(&bridge, page))
}

fn row(what: &str, resident: u64, share: Option<f64>, rate: &str) {
    let share = share.map_or_else(String::new, |share| format!("{share:.2}"));
    println!(
        "{what:<38} {:>10.1} {share:>14} {rate:>16}",
        mebibytes(resident)
    );
}

#[expect(clippy::cast_precision_loss, reason = "for a table")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Processor time of the bridge while `future` runs, as a percentage of one core.
async fn share<T>(bridge: &Background, future: impl Future<Output = T>) -> f64 {
    let (start, before) = (Instant::now(), process::cpu(bridge.id()));
    future.await;
    let used = process::cpu(bridge.id()).saturating_sub(before);
    used.as_secs_f64() * 100.0 / start.elapsed().as_secs_f64()
}

async fn idle_tabs(
    bridge: &Background,
    page: SocketAddrV4,
    (tabs, joins): (u32, u16),
) -> Result<()> {
    let start = Instant::now();
    let (welcome, mut welcomed) = mpsc::channel(AT_ONCE);
    let (join, joining) = watch::channel(0);
    let mut opening = JoinSet::new();
    let mut open = JoinSet::new();
    let mut left = 0..tabs;
    let mut ready = 0;
    while ready < tabs {
        while let Some(number) = (opening.len() < AT_ONCE).then(|| left.next()).flatten() {
            // The bridge limits how many torrents the tabs of one address join.
            let number = if joins > 0 {
                number * PER_ADDRESS
            } else {
                number
            };
            opening.spawn(connect(page.into(), number));
        }
        tokio::select! {
            Some(opened) = opening.join_next() => {
                let socket = opened?.context("opening a tab's session")?;
                open.spawn(stay(socket, welcome.clone(), joining.clone()));
            }
            Some(()) = welcomed.recv() => ready += 1,
            Some(ended) = open.join_next() => ended?.context("a tab's session ended")?,
        }
    }
    let rate = format!("{:.0}", f64::from(tabs) / start.elapsed().as_secs_f64());
    let resident = process::resident(bridge.id());
    let share = share(bridge, sleep(IDLE)).await;
    ensure!(
        open.try_join_next().is_none(),
        "a tab's session ended while it was idle"
    );
    row(
        &format!("{tabs} idle tabs, for {} s", IDLE.as_secs()),
        resident.max(process::resident(bridge.id())),
        Some(share),
        &rate,
    );
    if joins > 0 {
        join.send(joins)?;
        let before = resident;
        let share = self::share(bridge, sleep(IDLE)).await;
        ensure!(
            open.try_join_next().is_none(),
            "a tab's session ended after it joined"
        );
        let resident = process::resident(bridge.id());
        let each = resident.saturating_sub(before) / u64::from(tabs * u32::from(joins));
        let what = format!("and {joins} torrents each, {each} bytes a torrent");
        row(&what, resident, Some(share), "");
    }
    Ok(())
}

/// Loopback addresses in rotation, so that none exceeds the bridge's limit on tabs.
const fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(127, 0, 1, 1).to_bits() + number)
}

async fn dial(from: Ipv4Addr, to: SocketAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    Ok(socket.connect(to).await?)
}

/// Opens the WebSocket of a tab with this number.
pub(crate) async fn connect(page: SocketAddr, number: u32) -> Result<WebSocketStream<TcpStream>> {
    let stream = dial(address(number / PER_ADDRESS), page).await?;
    let request = Request::builder()
        .uri(format!("ws://{page}/v1/session"))
        .header("host", page.to_string())
        .header("connection", "upgrade");
    let request = request
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", generate_key());
    let request = request
        .header("sec-websocket-protocol", SUBPROTOCOL)
        .header("origin", format!("http://{page}"));
    let (socket, _) = client_async(request.body(())?, stream).await?;
    Ok(socket)
}

/// One tab: sends a hello, answers pings, and joins as many torrents as `joining` says, of its own.
/// Returns an error if the bridge closes the session or refuses a torrent.
async fn stay(
    mut socket: WebSocketStream<TcpStream>,
    welcome: mpsc::Sender<()>,
    mut joining: watch::Receiver<u16>,
) -> Result<()> {
    let start = tokio::time::Instant::now();
    let now = || types::Instant::ZERO + start.elapsed();
    let mut client = Client::new(ClientConfig::default(), now());
    loop {
        while let Some(message) = client.poll_message() {
            socket.send(Message::Binary(message)).await?;
        }
        while let Some(event) = client.poll_event() {
            match event {
                Event::Welcome(_) => welcome.send(()).await?,
                Event::JoinRefused { refusal, .. } => {
                    bail!("the bridge refuses a torrent: {refusal:?}")
                }
                _ => {}
            }
        }
        tokio::select! {
            message = socket.next() => match message.context("the bridge hung up")?? {
                Message::Binary(message) => client.handle_message(now(), message)?,
                Message::Close(frame) => bail!("the bridge closed the session: {frame:?}"),
                _ => {}
            },
            Ok(()) = joining.changed() => for _ in 0..*joining.borrow_and_update() {
                client.join(&random_torrent());
            },
            () = sleep_until(start + client.poll_timeout().since(types::Instant::ZERO)) => client.handle_timeout(now()),
        }
    }
}

/// A torrent that no other tab joins, without trackers.
fn random_torrent() -> JoinRequest {
    JoinRequest {
        info_hash: InfoHashV1(rand::random()),
        other_hash: None,
        peer_id: PeerId(rand::random()),
        private: false,
        amounts: Amounts::default(),
        want: 50,
        trackers: Vec::new(),
    }
}

async fn slow_clients(bridge: &Background, page: SocketAddrV4) -> Result<()> {
    let mut clients = JoinSet::new();
    (0..SLOW).for_each(|number| drop(clients.spawn(dawdle(page, number))));
    let share = share(bridge, sleep(SLOW_FOR)).await;
    row(
        &format!("{SLOW} clients that send a byte a second"),
        process::resident(bridge.id()),
        Some(share),
        "",
    );
    Ok(())
}

/// Repeatedly sends a request that never ends.
async fn dawdle(page: SocketAddrV4, number: u32) {
    loop {
        let Ok(mut stream) = dial(address(number), page.into()).await else {
            continue;
        };
        for byte in b"GET / HTTP/1.1\r\nhost: " {
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(BYTE).await;
        }
    }
}
