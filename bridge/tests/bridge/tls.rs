//! The bridge with its own certificate.

use std::path::Path;
use std::sync::Arc;

use aqueduct_bridge::{Config, StartError, run};
use aqueduct_core::tunnel::{ClientConfig, Event};
use aqueduct_testkit::http::get;
use aqueduct_testkit::soon;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig as TlsConfig, RootCertStore};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::process::Command;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::program::{self, PATH};
use crate::support::{Bridge, config};
use crate::tab::Tab;

/// A configuration with a certificate for `localhost` and its key in files below `folder`, and a
/// client that trusts it.
fn certificate(folder: &Path) -> (Config, TlsConnector) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (chain, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&chain, pem("CERTIFICATE", cert.der())).unwrap();
    std::fs::write(&key, pem("PRIVATE KEY", &signing_key.serialize_der())).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let builder = TlsConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let trusting = builder.with_root_certificates(roots).with_no_client_auth();
    (
        Config {
            tls_cert: Some(chain),
            tls_key: Some(key),
            ..config()
        },
        TlsConnector::from(Arc::new(trusting)),
    )
}

/// PEM encoding (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |group: &[u8]| {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | u32::from(group.get(at).copied().unwrap_or(0))
        });
        let letter = |at: usize| {
            if at <= group.len() {
                char::from(ALPHABET[(bits >> (18 - 6 * at)) as usize & 63])
            } else {
                '='
            }
        };
        (0..4).map(letter).collect::<String>()
    };
    let lines: Vec<String> = der
        .chunks(48)
        .map(|line| line.chunks(3).map(encode).collect())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

async fn dial(bridge: &Bridge, connector: &TlsConnector) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(bridge.addr).await.unwrap();
    soon(
        "a TLS handshake",
        connector.connect(ServerName::try_from("localhost").unwrap(), stream),
    )
    .await
    .unwrap()
}

#[tokio::test]
async fn page_tracker_and_session_are_served_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (config, connector) = certificate(folder.path());
    let bridge = Bridge::start(config).await;
    let host = format!("localhost:{}", bridge.addr.port());
    let (head, _) = get(dial(&bridge, &connector).await, &host, "/", "").await;
    assert!(
        head.contains("content-security-policy") && head.contains("strict-transport-security"),
        "{head}"
    );
    let (head, body) = get(dial(&bridge, &connector).await, &host, "/announce", "").await;
    assert!(
        head.starts_with("HTTP/1.1 200") && body.starts_with(b"d14:failure reason"),
        "{head}"
    );
    let origin = format!("https://{host}");
    let mut tab = Tab::over(
        dial(&bridge, &connector).await,
        &host,
        &[("origin", &origin)],
        ClientConfig::default(),
    )
    .await;
    assert!(matches!(tab.next().await, Ok(Event::Welcome(_))));
}

#[tokio::test]
async fn plain_http_at_a_tls_port_is_closed_and_others_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let (config, connector) = certificate(folder.path());
    let bridge = Bridge::start(config).await;
    let mut plain = TcpStream::connect(bridge.addr).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"GET / HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = soon(
        "the end",
        tokio::io::AsyncReadExt::read_to_end(&mut plain, &mut answer),
    )
    .await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert!(
        get(dial(&bridge, &connector).await, "localhost", "/healthz", "")
            .await
            .0
            .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn a_broken_certificate_is_named_and_the_program_exits_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (good, _) = certificate(folder.path());
    let (chain, key) = (good.tls_cert.unwrap(), good.tls_key.unwrap());
    let other = tempfile::tempdir().unwrap();
    let stranger = certificate(other.path()).0.tls_key.unwrap();
    let text = folder.path().join("text.pem");
    std::fs::write(&text, "no certificate\n").unwrap();
    let missing = folder.path().join("missing.pem");
    for (chain, key, word) in [
        (&text, &key, "text.pem"),
        (&chain, &text, "text.pem holds no private key"),
        (&chain, &chain, "holds no private key"),
        (&missing, &key, "missing.pem"),
        (&chain, &stranger, "cannot be used with the key"),
    ] {
        let flags = [
            "--listen",
            "127.0.0.1:0",
            "--peer-port",
            "0",
            "--no-dht",
            "--no-tracker",
        ];
        let output = Command::new(PATH)
            .args(flags)
            .arg("--tls-cert")
            .arg(chain)
            .arg("--tls-key")
            .arg(key)
            .output();
        let output = soon("the end", output).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(1) && said.contains(word),
            "{word}: {} {said}",
            output.status
        );
        assert!(!said.contains("serving"), "it says that it serves: {said}");
    }
}

#[tokio::test]
async fn sighup_reloads_the_certificate_and_keeps_the_old_one_if_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let (old, trusts_old) = certificate(folder.path());
    let [chain, key] =
        [old.tls_cert.unwrap(), old.tls_key.unwrap()].map(|path| path.to_str().unwrap().to_owned());
    let mut bridge = program::start(&["--tls-cert", &chain, "--tls-key", &key]);
    let shake = async |connector: &TlsConnector, addr| {
        let stream = TcpStream::connect(addr).await.unwrap();
        soon(
            "a TLS handshake",
            connector.connect(ServerName::try_from("localhost").unwrap(), stream),
        )
        .await
        .is_ok()
    };
    assert!(shake(&trusts_old, bridge.addr).await);
    let (_, trusts_new) = certificate(folder.path());
    bridge.program.signal("HUP");
    bridge.program.line("the certificate was read anew").await;
    assert!(shake(&trusts_new, bridge.addr).await && !shake(&trusts_old, bridge.addr).await);
    std::fs::write(&key, "half a fi").unwrap();
    bridge.program.signal("HUP");
    bridge.program.line("the certificate stays as it was").await;
    assert!(shake(&trusts_new, bridge.addr).await);
}

#[tokio::test]
async fn tls_handshakes_per_address_are_limited_and_others_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let (mut config, connector) = certificate(folder.path());
    config.limits.tls_handshakes_per_address = 1;
    let bridge = Bridge::start(config).await;
    let shake = async |from: &str| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        let stream = socket.connect(bridge.addr).await.unwrap();
        soon(
            "a TLS handshake or its refusal",
            connector.connect(ServerName::try_from("localhost").unwrap(), stream),
        )
        .await
        .ok()
    };
    let (mut granted, begun) = (0, std::time::Instant::now());
    for _ in 0..50 {
        granted += usize::from(shake("127.0.0.2").await.is_some());
    }
    let most = 6 + begun.elapsed().as_secs() as usize;
    assert!(
        (5..=most).contains(&granted),
        "{granted} handshakes, where at most {most} were to be"
    );
    let socket = shake("127.0.0.3")
        .await
        .expect("another address is not concerned");
    let (_, metrics) = get(socket, "localhost", "/metrics", "").await;
    let refused = format!(
        "\naqueduct_bridge_refused_handshakes_total {}\n",
        50 - granted
    );
    assert!(
        String::from_utf8(metrics).unwrap().contains(&refused),
        "an operator would not see it"
    );
}

#[tokio::test]
async fn half_a_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        tls_key: None,
        ..certificate(folder.path()).0
    };
    let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert!(matches!(
        run(web, config, std::future::pending()).await,
        Err(StartError::Config(_))
    ));
}
