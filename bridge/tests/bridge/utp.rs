//! uTP (BEP 29) with peers: dialled, at the peer port, and where it is off.

use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_bridge::{Config, Limits, Seconds};
use aqueduct_core::connection::{Encrypted, Encryption, Line, Transport};
use aqueduct_core::utp::{Header, Kind, Packet};
use aqueduct_native::transport::{ByteStream as _, PeerStream};
use aqueduct_testkit::peer::Listener;
use aqueduct_testkit::soon;
use bytes::BytesMut;
use tokio::io::Interest;
use tokio::net::{TcpListener, UdpSocket};
use tokio::time::timeout;

use crate::remote::{Remote, utp};
use crate::support::{Bridge, TAB_ID, config};
use crate::tab::{Tab, counts, request};

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_reaches_a_peer_over_utp_alone_whether_it_encrypts_or_not() {
    for (encryption, encrypted) in [
        (Encryption::Allow, Encrypted::Nothing),
        (Encryption::Require, Encrypted::Everything),
    ] {
        let bridge = Bridge::start(config()).await;
        let (endpoint, ..) = utp();
        let addr = SocketAddr::from(([127, 0, 0, 1], endpoint.port()));
        let (mut tab, _tracker, _) = Tab::member(&bridge, &[addr]).await;
        let mut remote = None;
        while remote.is_none() {
            remote = Remote::accept_utp(&endpoint, encryption).await;
        }
        let (stream, line) = tab.stream_and_line().await;
        remote.unwrap().talk(&mut tab, stream).await;
        let transport = Transport::Utp;
        assert_eq!(
            line,
            Line {
                transport,
                encrypted
            }
        );
        assert_eq!(bridge.counted("utp_streams_total").await, 1);
        let counted = bridge.counted("encrypted_streams_total").await;
        assert_eq!(counted, u64::from(encrypted == Encrypted::Everything));
    }
}

/// Clients whose TCP is off may still accept connections, and close them.
#[tokio::test]
async fn a_peer_that_closes_connections_over_tcp_is_reached_over_utp() {
    let bridge = Bridge::start(config()).await;
    let (endpoint, ..) = utp();
    let addr = SocketAddr::from(([127, 0, 0, 1], endpoint.port()));
    let listener = TcpListener::bind(addr).await.unwrap();
    let closing = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let (mut tab, _tracker, _) = Tab::member(&bridge, &[addr]).await;
    let mut remote = None;
    // An attempt may arrive that was given up because TCP was faster.
    while remote.is_none() {
        remote = Remote::accept_utp(&endpoint, Encryption::Allow).await;
    }
    let stream = tab.stream().await;
    remote.unwrap().talk(&mut tab, stream).await;
    closing.abort();
}

#[tokio::test]
async fn a_peer_that_dials_in_over_utp_finds_a_tab() {
    for encryption in [Encryption::Off, Encryption::Require] {
        let (bridge, port) = Bridge::start_with_peers(config()).await;
        let mut tab = Tab::alone(&bridge, &request(TAB_ID)).await;
        let (_endpoint, ways, _rest) = utp();
        let remote = Remote::dial(port, ways, encryption);
        let (mut remote, stream) = tokio::join!(remote, tab.stream());
        remote.talk(&mut tab, stream).await;
        assert_eq!(bridge.counted("utp_streams_total").await, 1);
    }
}

/// Reads from a stream of uTP until it ends, and returns how it did.
async fn end_of(stream: &PeerStream) -> std::io::ErrorKind {
    let mut input = BytesMut::new();
    let ending = async {
        loop {
            input.reserve(1000);
            match stream.try_read(&mut input) {
                Ok(0) => return std::io::ErrorKind::UnexpectedEof,
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => {
                    return error.kind();
                }
                Ok(_) | Err(_) => drop(stream.ready(Interest::READABLE).await),
            }
        }
    };
    soon("the end", ending).await
}

#[tokio::test]
async fn silent_peers_over_utp_have_a_share_and_a_deadline_and_leave_nothing_behind() {
    let limits = Limits {
        incoming_half_open_per_address: 2,
        handshake_timeout: Seconds(Duration::from_secs(1)),
        utp_connections: 3,
        ..Limits::default()
    };
    let (bridge, port) = Bridge::start_with_peers(Config { limits, ..config() }).await;
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    let (_endpoint, ways, _rest) = utp();
    let connect = async || {
        let stream = soon("a connection", ways.connect(addr)).await.unwrap();
        // Only the first byte creates the connection at the other side.
        let first = [std::io::IoSlice::new(&[19])];
        stream.try_write_vectored(&first).unwrap();
        stream
    };
    let mut ends = Vec::new();
    // More connections, one after the other, than there may be at a time.
    for round in 0..3 {
        let silent = [connect().await, connect().await];
        while bridge.counted("incoming_total").await < 2 * (round + 1) {}
        ends.push(end_of(&connect().await).await);
        for stream in silent {
            ends.push(end_of(&stream).await);
        }
    }
    assert_eq!(ends, [std::io::ErrorKind::ConnectionReset; 9]);
    assert_eq!(bridge.counted("refused_incoming_total").await, 3);
}

#[tokio::test]
async fn a_connection_over_utp_that_the_tab_closes_leaves_nothing_behind() {
    let limits = Limits {
        utp_connections: 1,
        ..Limits::default()
    };
    let (bridge, port) = Bridge::start_with_peers(Config { limits, ..config() }).await;
    let mut tab = Tab::alone(&bridge, &request(TAB_ID)).await;
    for _ in 0..2 {
        let (_endpoint, ways, _rest) = utp();
        let remote = Remote::dial(port, ways, Encryption::Off);
        let (mut remote, stream) = tokio::join!(remote, tab.stream());
        tab.client.close(stream);
        tab.flush().await;
        remote.closed().await;
    }
}

/// A tab chooses where the bridge dials, and uTP repeats what is not answered.
#[tokio::test]
async fn a_host_receives_no_more_datagrams_that_open_connections_than_it_may() {
    let received = async |datagrams: u32| {
        let limits = Limits {
            dht_datagrams_per_target: datagrams,
            ..Limits::default()
        };
        let bridge = Bridge::start(Config { limits, ..config() }).await;
        let peer = Listener::start().await;
        let socket = UdpSocket::bind(peer.addr).await.unwrap();
        // Over TCP it does not answer either.
        let (mut tab, _tracker, _) = Tab::member(&bridge, &[peer.addr]).await;
        let _connection = peer.accept().await;
        counts(&mut tab, "a failure", |counts| counts.failed > 0).await;
        let (mut count, mut datagram) = (0, [0; 1500]);
        while let Ok((length, _)) = socket.try_recv_from(&mut datagram) {
            let header = Packet::parse(&datagram[..length]).unwrap().header;
            assert_eq!((length, header.kind), (Header::LENGTH, Kind::Syn));
            count += 1;
        }
        count
    };
    let (none, some) = tokio::join!(received(0), received(10));
    assert_eq!(none, 0);
    assert!((1..=3).contains(&some), "{some}");
}

#[tokio::test]
async fn utp_and_the_node_of_the_dht_share_the_peer_port() {
    let node = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let nodes = vec![node.local_addr().unwrap().to_string().parse().unwrap()];
    let anywhere = aqueduct_bridge::listen_for_peers([0; 4].into(), Some(0)).unwrap();
    let (bridge, port) = Bridge::start_at(
        anywhere,
        Config {
            no_dht: false,
            dht_bootstrap: nodes,
            ..config()
        },
    )
    .await;
    let mut tab = Tab::alone(&bridge, &request(TAB_ID)).await;
    let (_endpoint, ways, _rest) = utp();
    let remote = Remote::dial(port, ways, Encryption::Off);
    let (mut remote, stream) = tokio::join!(remote, tab.stream());
    remote.talk(&mut tab, stream).await;
    let mut query = [0; 1500];
    let (_, from) = soon("a query", node.recv_from(&mut query)).await.unwrap();
    assert_eq!(from.port(), port);
}

/// BEP 29. Other clients learn the peer port, and many try uTP there first.
#[tokio::test]
async fn where_utp_is_off_it_is_rejected_with_and_without_the_dht() {
    for no_dht in [false, true] {
        let nodes = vec!["127.0.0.1:9".parse().unwrap()];
        let (_bridge, port) = Bridge::start_with_peers(Config {
            no_utp: true,
            no_dht,
            dht_bootstrap: if no_dht { Vec::new() } else { nodes },
            ..config()
        })
        .await;
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let syn = Header {
            kind: Kind::Syn,
            connection_id: 77,
            timestamp: 1,
            timestamp_difference: 0,
            window: 1 << 20,
            sequence: 4711,
            acknowledgement: 0,
        };
        let mut answer = [0; 1500];
        // Datagrams may be lost, and the bridge may not have bound its port yet.
        let length = soon("a reset", async {
            loop {
                peer.send_to(b"neither uTP nor of the DHT", ("127.0.0.1", port))
                    .await
                    .unwrap();
                peer.send_to(&syn.encode(), ("127.0.0.1", port))
                    .await
                    .unwrap();
                if let Ok(length) =
                    timeout(Duration::from_millis(250), peer.recv(&mut answer)).await
                {
                    return length.unwrap();
                }
            }
        })
        .await;
        let reset = Packet::parse(&answer[..length]).unwrap().header;
        assert_eq!(
            (
                length,
                reset.kind,
                reset.connection_id,
                reset.acknowledgement
            ),
            (Header::LENGTH, Kind::Reset, 77, 4711)
        );
    }
}
