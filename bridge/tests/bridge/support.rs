//! A bridge inside the test process.

use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_bridge::{Config, Listeners, StartError, listen, listen_for_peers, run};
use aqueduct_core::discovery::Amounts;
use aqueduct_core::types::{InfoHashV1, PeerId};
use aqueduct_testkit::bridge::counter;
use aqueduct_testkit::http::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const HASH: InfoHashV1 = InfoHashV1([0x5a; 20]);
pub(crate) const TAB_ID: PeerId = PeerId(*b"-AQ0100-the tab's id");
pub(crate) const PEER_ID: PeerId = PeerId(*b"-XX0001-a real peer.");

/// Initial amounts for every tab.
pub(crate) const AMOUNTS: Amounts = Amounts {
    uploaded: 0,
    downloaded: 0,
    left: Some(1),
};

/// Sends `bytes` repeatedly, once per `each`, until the other side closes the connection.
pub(crate) async fn trickle(mut socket: TcpStream, bytes: &[u8], each: Duration) {
    let (mut read, mut write) = socket.split();
    let mut every = tokio::time::interval(each);
    let mut answer = Vec::new();
    loop {
        tokio::select! {
            end = read.read_buf(&mut answer) => if end.unwrap_or(0) == 0 { return },
            _ = every.tick() => drop(write.write_all(bytes).await),
        }
    }
}

/// A configuration that dials loopback only.
pub(crate) fn config() -> Config {
    Config {
        allow: vec!["127.0.0.1/32".parse().unwrap()],
        no_dht: true,
        ..Config::default()
    }
}

pub(crate) struct Bridge {
    pub(crate) addr: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), StartError>>,
}

impl Bridge {
    pub(crate) async fn start(config: Config) -> Self {
        Self::start_with_peers(config).await.0
    }

    /// Also returns the peer port.
    pub(crate) async fn start_with_peers(config: Config) -> (Self, u16) {
        let peers = listen_for_peers([127, 0, 0, 1].into(), Some(0)).unwrap();
        Self::start_at(peers, config).await
    }

    /// As [`Bridge::start_with_peers`], at this peer port.
    pub(crate) async fn start_at(peers: TcpListener, config: Config) -> (Self, u16) {
        let web = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let (addr, port) = (
            web.local_addr().unwrap(),
            peers.local_addr().unwrap().port(),
        );
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(run(
            Listeners {
                web,
                peers: Some(peers),
            },
            config,
            async move {
                let _ = stopped.await;
            },
        ));
        (Self { addr, stop, task }, port)
    }

    /// Asks the bridge to stop. The task ends when it has stopped.
    pub(crate) fn stop(self) -> JoinHandle<Result<(), StartError>> {
        let _ = self.stop.send(());
        self.task
    }

    /// The value of a counter.
    pub(crate) async fn counted(&self, name: &str) -> u64 {
        let (_, metrics) = self.get("/metrics", "").await;
        counter(&String::from_utf8(metrics).unwrap(), name)
    }

    /// Performs one HTTP exchange. Returns head and body.
    pub(crate) async fn get(&self, path: &str, fields: &str) -> (String, Vec<u8>) {
        get(
            TcpStream::connect(self.addr).await.unwrap(),
            &self.addr.to_string(),
            path,
            fields,
        )
        .await
    }
}
