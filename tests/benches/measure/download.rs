//! Downloads of one torrent from one seed by each client in turn.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aqueduct_core::meta::Metainfo;
use aqueduct_core::types::PeerId;
use aqueduct_core::utp::{Header, Kind};
use aqueduct_tests::peer::handshake;
use aqueduct_tests::tracker::{Options, ReturnedPeers, Tracker};

use crate::Arguments;
use crate::clients::{Client, Line, Seed};
use crate::measured::{self, Measured};
use crate::namespaces::{self, Namespaces};
use crate::payload::{self, Payload};
use crate::process::{self, Background};

const TRACKER: u16 = 6969;

/// Prints one row per client and run.
pub(crate) fn measure(arguments: &Arguments) -> Result<()> {
    let payload = Payload::create(arguments.size, &announce_address())?;
    let hosts = Namespaces::create()?;
    let _seed = start(&hosts, arguments.seed, &payload, Line::Tcp)?;
    measured::head(&format!(
        "Download {} MiB from {:?}, pieces of 1 MiB, two network namespaces",
        arguments.size, arguments.seed
    ));
    for _ in 0..arguments.runs {
        // The client that was named first.
        let mut rival: Option<(&str, Measured)> = None;
        for client in &arguments.clients {
            let measured = one(&hosts, *client, &payload, Line::Tcp)
                .with_context(|| format!("measuring {client:?}"))?;
            let note = rival.map(|(name, rival)| measured.beside(name, &rival));
            let note = note.unwrap_or_default();
            measured::row(client.name(), arguments.size.get(), &measured, &note);
            rival = rival.or(Some((client.name(), measured)));
        }
    }
    Ok(())
}

/// The address of the tracker that [`start`] starts.
pub(crate) fn announce_address() -> String {
    format!("http://{}:{TRACKER}/announce", namespaces::SEED.ip())
}

/// Starts the seed and the tracker on the seed's host, and waits until both accept connections.
pub(crate) fn start(
    hosts: &Namespaces,
    seed: Seed,
    payload: &Payload,
    line: Line,
) -> Result<(Background, Tracker)> {
    let serve = seed.serve(payload, namespaces::SEED.port(), line)?;
    let running = Background::start(&mut hosts.on_seed(&serve))?;
    let ready = |hosts: &Namespaces| -> Result<Tracker> {
        hosts.enter_seed()?;
        let tracker = Tracker::with(Options {
            ips: vec![(*namespaces::SEED.ip()).into()],
            port: TRACKER,
            knows: ReturnedPeers::Only(vec![namespaces::SEED.into()]),
            ..Options::default()
        });
        if line.is_utp() {
            wait_for_utp(namespaces::SEED)?;
        } else {
            wait_for(namespaces::SEED)?;
        }
        Ok(tracker)
    };
    // In a separate thread, since a thread that entered the other namespace stays there, as do the
    // threads that it starts (the tracker's).
    let tracker = thread::scope(|scope| scope.spawn(|| ready(hosts)).join())
        .map_err(|_| anyhow::anyhow!("the thread on the seed's host died"))??;
    Ok((running, tracker))
}

/// Waits until this address accepts connections.
pub(crate) fn wait_for(address: std::net::SocketAddrV4) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect_timeout(&address.into(), Duration::from_secs(1)).is_err() {
        if Instant::now() > deadline {
            bail!("nobody listens on {address} after 20 s");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Waits until a peer at this address answers a handshake for a torrent. While it still checks its
/// data, it refuses, and a client that dialled it tries again seconds later.
pub(crate) fn wait_for_peer(address: std::net::SocketAddrV4, torrent: &Path) -> Result<()> {
    let metainfo = Metainfo::parse(&fs::read(torrent)?)?;
    let hello = handshake(
        PeerId(*b"-XX0001-asks.if.open"),
        metainfo.info.info_hash.wire(),
    );
    let deadline = Instant::now() + Duration::from_secs(60);
    while !answers(address, &hello.encode()) {
        if Instant::now() > deadline {
            bail!("the peer at {address} does not answer handshakes after 60 s");
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn answers(address: std::net::SocketAddrV4, hello: &[u8]) -> bool {
    let limit = Duration::from_secs(1);
    let ask = || {
        let mut stream = TcpStream::connect_timeout(&address.into(), limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(hello)?;
        stream.read_exact(&mut vec![0; hello.len()])
    };
    ask().is_ok()
}

/// Waits until this address answers attempts to connect over uTP.
fn wait_for_utp(address: std::net::SocketAddrV4) -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    let syn = Header {
        kind: Kind::Syn,
        connection_id: 1,
        timestamp: 0,
        timestamp_difference: 0,
        window: 0,
        sequence: 1,
        acknowledgement: 0,
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        // Refused while nothing listens there.
        let _ = socket.send_to(&syn.encode(), address);
        if socket.recv(&mut [0; 100]).is_ok() {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("nobody answers over uTP at {address} after 20 s");
        }
    }
}

/// One download by `client` over `line`, compared with the seeded data.
pub(crate) fn one(
    hosts: &Namespaces,
    client: Client,
    payload: &Payload,
    line: Line,
) -> Result<Measured> {
    let folder = payload::in_memory()?;
    let command = client.download(&payload.torrent(), folder.path(), line)?;
    let measured = process::measure(&mut hosts.on_leech(&command))?;
    ensure!(
        payload.is_equal_to(&folder.path().join(payload::NAME))?,
        "{client:?} left other bytes than were seeded"
    );
    Ok(measured)
}
