//! The bridge's DHT node: which swarms it looks up and announces.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aqueduct_bridge::{Config, Limits, Seconds};
use aqueduct_core::tunnel::{Event, JoinRequest, JoinUpdate};
use aqueduct_core::types::InfoHashV1;
use aqueduct_testkit::soon;
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::support::{AMOUNTS, Bridge, TAB_ID, config};
use crate::tab::{Tab, request};
use crate::tracker_limits::{open_house, unlike_any};

const PRIVATE: InfoHashV1 = InfoHashV1([0xb1; 20]);
const PUBLIC: InfoHashV1 = InfoHashV1([0xb2; 20]);
const NODE_ID: &[u8] = b"the id of one node..";

/// The only node of a DHT. It knows no other nodes and records the queries it receives.
struct Node {
    addr: SocketAddr,
    heard: Arc<Heard>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Heard {
    packets: Mutex<Vec<Vec<u8>>>,
    news: Notify,
}

impl Node {
    async fn start() -> Self {
        Self::naming(&[]).await
    }

    /// Starts a node that answers every query with these nodes.
    async fn naming(others: &[SocketAddr]) -> Self {
        let nodes = contacts(others);
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (addr, heard) = (socket.local_addr().unwrap(), Arc::<Heard>::default());
        let keeps = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            let mut packet = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                let _ = socket
                    .send_to(&answer(&packet[..length], &nodes), from)
                    .await;
                keeps
                    .packets
                    .lock()
                    .unwrap()
                    .push(packet[..length].to_vec());
                keeps.news.notify_one();
            }
        });
        Self { addr, heard, task }
    }

    /// Whether any packet so far contained these bytes.
    fn heard_of(&self, bytes: &[u8]) -> bool {
        self.heard
            .packets
            .lock()
            .unwrap()
            .iter()
            .any(|packet| packet.windows(bytes.len()).any(|window| window == bytes))
    }

    async fn wait_for(&self, what: &str, bytes: &[u8]) {
        soon(what, async {
            while !self.heard_of(bytes) {
                self.heard.news.notified().await;
            }
        })
        .await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Compact node info (BEP 5) with ids that differ in all bits.
fn contacts(nodes: &[SocketAddr]) -> Vec<u8> {
    let contact = |(number, addr): (usize, &SocketAddr)| {
        let SocketAddr::V4(v4) = addr else {
            panic!("only IPv4 here")
        };
        let id: [u8; 20] = std::array::from_fn(|at| (number * 37 + at * 11) as u8);
        [&id[..], &v4.ip().octets(), &v4.port().to_be_bytes()].concat()
    };
    nodes.iter().enumerate().flat_map(contact).collect()
}

/// An answer that is valid for every query (BEP 5): an id, nodes, and a token.
fn answer(question: &[u8], nodes: &[u8]) -> Vec<u8> {
    let at = question
        .windows(4)
        .position(|window| window == b"1:t2" || window == b"1:t4")
        .expect("a transaction id of two or four bytes");
    let length = usize::from(question[at + 3] - b'0');
    let transaction = &question[at + 3..at + 5 + length];
    [
        b"d1:rd2:id20:",
        NODE_ID,
        format!("5:nodes{}:", nodes.len()).as_bytes(),
        nodes,
        b"5:token2:ok",
        b"e1:t",
        transaction,
        b"1:y1:re",
    ]
    .concat()
}

fn asking(node: &Node) -> Config {
    Config {
        no_dht: false,
        dht_bootstrap: vec![node.addr.to_string().parse().unwrap()],
        ..config()
    }
}

#[tokio::test]
async fn a_public_swarm_is_looked_up_and_a_private_one_never() {
    let node = Node::start().await;
    let bridge = Bridge::start(asking(&node)).await;
    let mut tab = Tab::open(&bridge).await;
    tab.client.join(&JoinRequest {
        info_hash: PRIVATE,
        private: true,
        ..request(TAB_ID)
    });
    tab.client.join(&JoinRequest {
        info_hash: PUBLIC,
        ..request(TAB_ID)
    });
    tab.flush().await;
    node.wait_for("a look-up", &PUBLIC.0).await;
    node.wait_for("an announce", b"13:announce_peer").await;
    assert!(
        !node.heard_of(&PRIVATE.0),
        "the private swarm was named to a stranger"
    );
    assert!(
        node.heard_of(b"2:roi1e"),
        "BEP 43: it says that it answers nobody"
    );
    let counts = tab.until("the DHT's counts", |event| {
        if let Event::Dht { join, counts } = event {
            Some((join, counts))
        } else {
            None
        }
    });
    let (join, counts) = counts.await;
    assert_eq!((join, counts.peers), (2, 0));
}

#[tokio::test]
async fn lookups_beyond_a_sessions_limit_wait_without_being_refused() {
    let node = Node::start().await;
    let limits = Limits {
        lookups_per_session: 1,
        lookup_interval: Seconds(Duration::from_secs(3600)),
        ..Limits::default()
    };
    let bridge = Bridge::start(Config {
        limits,
        ..asking(&node)
    })
    .await;
    let [first, second, others] = [1, 2, 3].map(|n| InfoHashV1([0xc0 + n; 20]));
    let mut tab = Tab::open(&bridge).await;
    tab.client.join(&JoinRequest {
        info_hash: first,
        ..request(TAB_ID)
    });
    let waiting = tab.client.join(&JoinRequest {
        info_hash: second,
        ..request(TAB_ID)
    });
    tab.flush().await;
    node.wait_for("the first look-up", &first.0).await;
    let mut other = Tab::open(&bridge).await;
    other.client.join(&JoinRequest {
        info_hash: others,
        ..request(TAB_ID)
    });
    other.flush().await;
    node.wait_for("another session's look-up", &others.0).await;
    assert!(
        !node.heard_of(&second.0),
        "the second look-up of one session did not wait"
    );
    let counts = tab.until("word of the second", |event| match event {
        Event::Dht { join, counts } if join == waiting => Some(counts),
        Event::JoinRefused { .. } => panic!("it was refused"),
        _ => None,
    });
    assert!(!counts.await.asking);
}

#[tokio::test]
async fn a_swarm_that_turns_out_to_be_private_leaves_the_dht() {
    let node = Node::start().await;
    let bridge = Bridge::start(asking(&node)).await;
    let mut tab = Tab::open(&bridge).await;
    let join = tab.client.join(&JoinRequest {
        info_hash: PRIVATE,
        ..request(TAB_ID)
    });
    tab.client.update(
        join,
        &JoinUpdate {
            amounts: AMOUNTS,
            want: 40,
            private: true,
            completed: false,
            more: true,
        },
    );
    tab.client.join(&JoinRequest {
        info_hash: PUBLIC,
        ..request(TAB_ID)
    });
    tab.flush().await;
    node.wait_for("a look-up", &PUBLIC.0).await;
    assert!(
        !node.heard_of(&PRIVATE.0),
        "the private swarm was named to a stranger"
    );
}

/// A tab can run DHT nodes that return any host as the address of further nodes.
#[tokio::test]
async fn nodes_that_name_one_host_at_many_ports_bring_it_no_more_datagrams_than_one_host_may_get() {
    let mut sockets = Vec::new();
    for _ in 0..100 {
        sockets.push(UdpSocket::bind("127.0.0.2:0").await.unwrap());
    }
    let victims: Vec<SocketAddr> = sockets
        .iter()
        .map(|socket| socket.local_addr().unwrap())
        .collect();
    let node = Node::naming(&victims).await;
    let bridge = Bridge::start(Config {
        no_dht: false,
        dht_bootstrap: asking(&node).dht_bootstrap,
        ..open_house()
    })
    .await;
    let begun = std::time::Instant::now();
    let mut tabs = Vec::new();
    for number in 0..6 {
        let mut tab = Tab::open(&bridge).await;
        for join in 0..8 {
            let (hash, id) = unlike_any(number * 8 + join);
            tab.client.join(&JoinRequest {
                info_hash: InfoHashV1(hash),
                ..request(id)
            });
        }
        tab.flush().await;
        tabs.push(tab);
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut packet = [0; 2048];
    let received: usize = sockets
        .iter()
        .map(|socket| std::iter::from_fn(|| socket.try_recv(&mut packet).ok()).count())
        .sum();
    let seconds = begun.elapsed().as_secs() as usize;
    println!("{received} datagrams to one host in {seconds} s");
    assert!((1..=100 + 10 * (seconds + 1)).contains(&received));
}
