//! Downloads of one torrent from one seed by each client in turn.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use aqueduct_tests::tracker::{Options, ReturnedPeers, Tracker};

use crate::Arguments;
use crate::clients::{Client, Seed};
use crate::measured;
use crate::namespaces::{self, Namespaces};
use crate::payload::{self, Payload};
use crate::process::{self, Background};

const TRACKER: u16 = 6969;

/// Prints one row per client and run.
pub(crate) fn measure(arguments: &Arguments) -> Result<()> {
    let host = namespaces::SEED.ip();
    let payload = Payload::create(arguments.size, &format!("http://{host}:{TRACKER}/announce"))?;
    let hosts = Namespaces::create()?;
    let _seed = start(&hosts, arguments.seed, &payload)?;
    measured::head(&format!(
        "Download {} MiB from {:?}, pieces of 1 MiB, two network namespaces",
        arguments.size, arguments.seed
    ));
    for _ in 0..arguments.runs {
        for client in &arguments.clients {
            one(&hosts, *client, &payload, arguments.size.get())
                .with_context(|| format!("measuring {client:?}"))?;
        }
    }
    Ok(())
}

/// Starts the seed and the tracker on the seed's host, and waits until both accept connections.
fn start(hosts: &Namespaces, seed: Seed, payload: &Payload) -> Result<(Background, Tracker)> {
    let running =
        Background::start(&mut hosts.on_seed(&seed.serve(payload, namespaces::SEED.port())?))?;
    let ready = |hosts: &Namespaces| -> Result<Tracker> {
        hosts.enter_seed()?;
        let tracker = Tracker::with(Options {
            ips: vec![(*namespaces::SEED.ip()).into()],
            port: TRACKER,
            knows: ReturnedPeers::Only(vec![namespaces::SEED.into()]),
            ..Options::default()
        });
        wait_for(namespaces::SEED)?;
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

fn one(hosts: &Namespaces, client: Client, payload: &Payload, size: u32) -> Result<()> {
    let folder = payload::in_memory()?;
    let command = client.download(&payload.torrent(), folder.path())?;
    let measured = process::measure(&mut hosts.on_leech(&command))?;
    ensure!(
        payload.is_equal_to(&folder.path().join(payload::NAME))?,
        "{client:?} left other bytes than were seeded"
    );
    measured::row(&format!("{client:?}").to_lowercase(), size, &measured, "");
    Ok(())
}
