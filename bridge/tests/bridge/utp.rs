//! uTP packets at the peer port. The bridge does not support uTP.

use std::time::Duration;

use aqueduct_bridge::Config;
use aqueduct_core::utp::{Header, Kind, Packet};
use aqueduct_testkit::soon;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::support::{Bridge, config};

/// BEP 29. Other clients learn the peer port, and many try uTP there first.
#[tokio::test]
async fn utp_at_the_peer_port_is_rejected_with_and_without_the_dht() {
    for no_dht in [false, true] {
        let nodes = vec!["127.0.0.1:9".parse().unwrap()];
        let (_bridge, port) = Bridge::start_with_peers(Config {
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
