//! The HTTP client: bodies, redirects, the address policy, TLS.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_core::discovery::url::UrlError;
use aqueduct_native::net::http::{Client, Fetch};
use aqueduct_native::net::{NetError, Outbound, OwnUser, Policy, Purpose, Refusal, Target};
use aqueduct_testkit::http::{Reply, Request, Server, ok, redirect, response};
use aqueduct_testkit::{closed_port, soon};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::one_peer;

/// A policy that allows only 127.0.0.1.
#[derive(Debug)]
struct One;

impl Policy for One {
    fn check(&self, target: &Target<'_>) -> Result<(), Refusal> {
        if target.addr.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
            Ok(())
        } else {
            Err(Refusal {
                addr: target.addr,
                why: "not this one".into(),
            })
        }
    }
}

fn zlib(body: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::default());
    packer.write_all(body).unwrap();
    packer.finish().unwrap()
}

fn gzipped(body: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(body).unwrap();
    packer.finish().unwrap()
}

fn gzip(body: &[u8]) -> Reply {
    response("200 OK", "Content-Encoding: gzip\r\n", &gzipped(body))
}

fn client() -> Client {
    Client::new(Arc::new(One), Outbound::default())
}

async fn get(server: &Server, path: &str) -> Result<Vec<u8>, NetError> {
    soon(
        "an answer",
        client().get(&server.url(path), Fetch::ANNOUNCE),
    )
    .await
    .map(Vec::from)
}

#[tokio::test]
async fn a_body_is_fetched_plain_chunked_and_packed() {
    let script = |request: &Request| {
        match request.target() {
        "/chunked" => Reply::Bytes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n".to_vec()),
        "/packed" => gzip(b"abcde"),
        "/zlib" => response("200 OK", "Content-Encoding: deflate\r\n", &zlib(b"abcde")),
        "/deflate" => response("200 OK", "Content-Encoding: deflate\r\n", &zlib(b"abcde")[2..]),
        "/packed-in-silence" => ok(gzipped(b"abcde")),
        "/zlib-in-silence" => ok(zlib(b"abcde")),
        "/until-the-end" => Reply::Bytes(b"HTTP/1.0 200 OK\r\n\r\nabcde".to_vec()),
        _ => ok("abcde"),
    }
    };
    let server = Server::start(script);
    for path in [
        "/plain",
        "/chunked",
        "/packed",
        "/until-the-end",
        "/zlib",
        "/deflate",
        "/packed-in-silence",
        "/zlib-in-silence",
    ] {
        assert_eq!(get(&server, path).await, Ok(b"abcde".to_vec()), "{path}");
    }
}

#[tokio::test]
async fn a_body_has_a_bound_before_and_after_unpacking() {
    let script = |request: &Request| match request.target() {
        "/bomb" => gzip(&vec![0; 4 << 20]),
        "/just-so" => gzip(&vec![0; 1 << 20]),
        "/endless" => {
            Reply::Bytes([&b"HTTP/1.1 200 OK\r\n\r\n"[..], &vec![0; (1 << 20) + 1]].concat())
        }
        _ => response("200 OK", "Content-Encoding: gzip\r\n", b"no gzip"),
    };
    let server = Server::start(script);
    let too_long = Err(NetError::TooLong { limit: 1 << 20 });
    assert_eq!(get(&server, "/bomb").await, too_long);
    assert_eq!(get(&server, "/endless").await, too_long);
    assert_eq!(get(&server, "/just-so").await.unwrap().len(), 1 << 20);
    assert_eq!(
        get(&server, "/broken").await,
        Err(NetError::Http("broken gzip".to_owned()))
    );
}

#[tokio::test]
async fn three_redirects_are_followed_and_a_loop_ends() {
    let script = |request: &Request| match request.target() {
        "/1" => redirect("2"),
        "/2" => redirect("/3"),
        "/3" => redirect("?4"),
        "/3?4" => ok("here"),
        "/magnet" => redirect("Magnet:?xt=urn:btih:1"),
        "/none" => response("301 Moved", "", b""),
        other => redirect(other),
    };
    let server = Server::start(script);
    assert_eq!(get(&server, "/1").await, Ok(b"here".to_vec()));
    assert_eq!(get(&server, "/loop").await, Err(NetError::Redirects(3)));
    assert_eq!(
        get(&server, "/magnet").await,
        Err(NetError::Magnet("Magnet:?xt=urn:btih:1".to_owned()))
    );
    assert!(matches!(
        get(&server, "/none").await,
        Err(NetError::Http(_))
    ));
}

#[tokio::test]
async fn a_redirect_never_leads_where_the_policy_forbids() {
    let mut forbidden = Server::start_at("127.0.0.2", |_| one_peer());
    let away = forbidden.url("/announce");
    let server = Server::start(move |request| {
        redirect(if request.target() == "/announce" {
            &away
        } else {
            "udp://127.0.0.1:1/"
        })
    });
    let refused = get(&server, "/announce").await;
    let Err(NetError::Redirected { to, error }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(to, forbidden.url("/announce"));
    assert!(matches!(*error, NetError::Refused(refusal) if refusal.addr == forbidden.addr));
    let expected = NetError::Redirected {
        to: "udp://127.0.0.1:1/".to_owned(),
        error: Box::new(NetError::Url(UrlError::Scheme)),
    };
    assert_eq!(get(&server, "/udp").await, Err(expected));
    assert!(forbidden.requests().is_empty(), "it was dialled");
}

#[tokio::test]
async fn the_policy_checks_the_addresses_of_a_name() {
    #[derive(Debug)]
    struct Nobody;
    impl Policy for Nobody {
        fn check(&self, target: &Target<'_>) -> Result<(), Refusal> {
            Err(Refusal {
                addr: target.addr,
                why: "nobody".into(),
            })
        }
    }
    let mut server = Server::start(|_| ok(""));
    let url = format!("http://localhost:{}/announce", server.addr.port());
    let refused = soon(
        "an answer",
        Client::new(Arc::new(Nobody), Outbound::default()).get(&url, Fetch::ANNOUNCE),
    )
    .await;
    assert!(matches!(refused, Err(NetError::Refused(_))), "{refused:?}");
    assert!(server.requests().is_empty());
    assert!(
        soon("an answer", client().get(&url, Fetch::ANNOUNCE))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn the_terminals_policy_allows_local_addresses_for_announces_and_torrents_only() {
    let server = Server::start(|_| ok("x"));
    let client = Client::new(Arc::new(OwnUser), Outbound::default());
    assert!(
        soon(
            "an answer",
            client.get(&server.url("/announce?a=1"), Fetch::ANNOUNCE)
        )
        .await
        .is_ok()
    );
    assert!(
        soon(
            "an answer",
            client.get(&server.url("/a.torrent"), Fetch::TORRENT)
        )
        .await
        .is_ok()
    );
    let refused = soon(
        "an answer",
        client.get(&server.url("/admin?reboot"), Fetch::ANNOUNCE),
    )
    .await;
    assert!(matches!(refused, Err(NetError::Refused(_))));
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_at_the_deadline() {
    let server = Server::start(|_| Reply::Hang);
    let deadline = Duration::from_millis(200);
    let fetch = Fetch {
        purpose: Purpose::HttpTracker,
        limit: 1,
        deadline,
        family: None,
        owner: 0,
    };
    let start = Instant::now();
    assert_eq!(
        soon("an answer", client().get(&server.url("/"), fetch)).await,
        Err(NetError::Timeout(deadline))
    );
    assert!(start.elapsed() >= deadline);
}

#[tokio::test]
async fn broken_answers_and_closed_ports_have_errors_of_their_own() {
    let script = |request: &Request| match request.target() {
        "/404" => response("404 Not Found", "", b"gone"),
        "/br" => response("200 OK", "Content-Encoding: br\r\n", b"x"),
        "/short" => Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".to_vec()),
        _ => Reply::Bytes(b"SSH-2.0-OpenSSH\r\n".to_vec()),
    };
    let server = Server::start(script);
    assert_eq!(get(&server, "/404").await, Err(NetError::Status(404)));
    assert_eq!(get(&server, "/short").await, Err(NetError::Closed));
    for path in ["/br", "/ssh"] {
        assert!(
            matches!(get(&server, path).await, Err(NetError::Http(_))),
            "{path}"
        );
    }
    let free = closed_port();
    let refused = soon(
        "an answer",
        client().get(&format!("http://{free}/"), Fetch::ANNOUNCE),
    )
    .await;
    assert!(matches!(refused, Err(NetError::Connect { addr, .. }) if addr == free));
}

#[tokio::test]
async fn numeric_hosts_other_than_dotted_quads_are_refused() {
    for host in ["0x7f.1", "2130706433", "127.1", "0177.0.0.1"] {
        let result = soon(
            "an answer",
            client().get(&format!("http://{host}:1/announce"), Fetch::ANNOUNCE),
        )
        .await;
        assert_eq!(result, Err(NetError::Url(UrlError::Host)), "{host}");
    }
}

#[tokio::test]
async fn https_does_not_fall_back_to_http() {
    let hasty = |mut stream: TcpStream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nx").await.unwrap();
        None::<TcpStream>
    };
    let server = Server::start_behind("127.0.0.1", hasty, |_| ok("x"));
    let result = soon(
        "an answer",
        client().get(&format!("https://{}/", server.addr), Fetch::ANNOUNCE),
    )
    .await;
    assert!(matches!(result, Err(NetError::Tls { .. })), "{result:?}");
}

#[tokio::test]
async fn https_needs_a_certificate_of_a_trusted_authority_for_that_name() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let builder =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap();
    let config = builder
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let handshake = move |stream| {
        let accepting = acceptor.accept(stream);
        async move { accepting.await.ok() }
    };
    let server = Server::start_behind("127.0.0.1", handshake, |_| ok("secret"));
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let trusting = Client::with_roots(Arc::new(One), Outbound::default(), roots);
    let url = |host: &str| format!("https://{host}:{}/announce", server.addr.port());

    assert_eq!(
        soon(
            "an answer",
            trusting.get(&url("localhost"), Fetch::ANNOUNCE)
        )
        .await
        .unwrap(),
        "secret"
    );
    assert!(
        matches!(
            soon(
                "an answer",
                trusting.get(&url("127.0.0.1"), Fetch::ANNOUNCE)
            )
            .await,
            Err(NetError::Tls { .. })
        ),
        "another name"
    );
    assert!(
        matches!(
            soon(
                "an answer",
                client().get(&url("localhost"), Fetch::ANNOUNCE)
            )
            .await,
            Err(NetError::Tls { .. })
        ),
        "unknown authority"
    );
}
