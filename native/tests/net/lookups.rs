//! What is told of a name that leads nowhere.

use std::net::SocketAddr;

use aqueduct_core::discovery::url::Host;
use aqueduct_native::net::resolve::Resolver;
use aqueduct_native::net::{OwnUser, Purpose, Target};
use tokio::net::UdpSocket;

/// Answers every query as it came, with these flags and response code (RFC 1035, 4.1.1).
async fn name_server(code: u8) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            (query[2], query[3]) = (0x81, 0x80 | code);
            let _ = socket.send_to(&query[..length], from).await;
        }
    });
    addr
}

async fn failure(servers: Vec<SocketAddr>) -> String {
    let host = Host::parse("tracker.example").unwrap();
    let target = Target::new(Purpose::HttpTracker, SocketAddr::from(([0, 0, 0, 0], 80)));
    let resolver = Resolver::asking(servers);
    let looked_up = resolver.resolve(&host, 80, &OwnUser, &target).await;
    looked_up.unwrap_err().to_string()
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_told_in_words() {
    const NO_ERROR: u8 = 0;
    const NAME_ERROR: u8 = 3;
    for (code, expected) in [
        (NAME_ERROR, "it does not exist"),
        (NO_ERROR, "its name servers know no address of it"),
    ] {
        let told = failure(vec![name_server(code).await]).await;
        assert_eq!(
            told,
            format!("the name tracker.example cannot be resolved: {expected}")
        );
    }
}
