//! The page over HTTP: files, headers, health and metrics.

use aqueduct_core::tunnel::{ClientConfig, Event, Refusal};
use aqueduct_testkit::soon;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Bridge, config};
use crate::tab::Tab;

#[tokio::test]
async fn the_page_is_served_with_its_policy_or_says_how_to_build_it() {
    let bridge = Bridge::start(config()).await;
    let (head, body) = bridge.get("/", "").await;
    let built = head.starts_with("HTTP/1.1 200");
    assert!(built || head.starts_with("HTTP/1.1 503"), "{head}");
    assert!(built || String::from_utf8_lossy(&body).contains("cargo xtask build"));
    for field in [
        "content-security-policy: default-src 'none'; script-src 'self' 'wasm-unsafe-eval';",
        "x-content-type-options: nosniff",
    ] {
        assert!(head.contains(field), "{field} is missing in\n{head}");
    }
}

#[tokio::test]
async fn hsts_is_sent_when_the_page_is_reached_over_https() {
    let public_url = Some("https://a.example".to_owned());
    let behind_a_proxy = Bridge::start(aqueduct_bridge::Config {
        public_url,
        ..config()
    })
    .await;
    let (head, _) = behind_a_proxy.get("/", "").await;
    assert!(
        head.contains("strict-transport-security: max-age=31536000"),
        "{head}"
    );
    let plain = Bridge::start(config()).await;
    let (head, _) = plain.get("/", "").await;
    assert!(!head.contains("strict-transport-security"), "{head}");
}

#[tokio::test]
async fn only_the_worker_may_connect_to_other_sites() {
    let bridge = Bridge::start(config()).await;
    for (path, connect) in [
        ("/", "connect-src 'self';"),
        ("/nothing", "connect-src 'self';"),
        ("/worker.js", "connect-src 'self' http: https:;"),
        ("/storage_worker.js", "connect-src 'self';"),
    ] {
        let (head, _) = bridge.get(path, "").await;
        assert!(head.contains(connect), "{path}: {head}");
    }
}

#[tokio::test]
async fn health_and_metrics_are_served() {
    let bridge = Bridge::start(config()).await;
    assert!(
        bridge
            .get("/healthz", "")
            .await
            .0
            .starts_with("HTTP/1.1 200")
    );
    assert!(
        bridge
            .get("/readyz", "")
            .await
            .0
            .starts_with("HTTP/1.1 200")
    );
    let mut tab = Tab::open(&bridge).await;
    tab.next().await.unwrap();
    let (_, body) = bridge.get("/metrics", "").await;
    let text = String::from_utf8(body).unwrap();
    assert!(text.contains("\naqueduct_bridge_sessions 1\n"), "{text}");
}

#[tokio::test]
async fn missing_paths_and_invalid_upgrades_get_a_status() {
    let bridge = Bridge::start(config()).await;
    assert!(
        bridge
            .get("/nothing", "")
            .await
            .0
            .starts_with("HTTP/1.1 404")
    );
    assert!(
        bridge
            .get("/v1/session", "")
            .await
            .0
            .starts_with("HTTP/1.1 426")
    );
}

#[tokio::test]
async fn without_the_subprotocol_the_session_is_refused_inside_the_websocket() {
    let bridge = Bridge::start(config()).await;
    let fields = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let (head, body) = bridge.get("/v1/session", fields).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(
        head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        "{head}"
    );
    let code = 4004u16.to_be_bytes();
    assert!(
        body.windows(2).any(|window| window == code),
        "no close code 4004 in {body:?}"
    );
}

#[tokio::test]
async fn behind_a_trusted_proxy_clients_are_counted_by_the_address_that_it_adds() {
    let mut config = config();
    config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    config.limits.sessions_per_address = 1;
    let bridge = Bridge::start(config).await;
    let origin = format!("http://{}", bridge.addr);
    let mut tabs = Vec::new();
    for (forwarded, welcome) in [
        ("9.9.9.9", true),
        ("9.9.9.9, 8.8.8.8", true),
        ("7.7.7.7, 9.9.9.9", false),
    ] {
        let mut tab = Tab::open_as(
            &bridge,
            &[("origin", &origin), ("x-forwarded-for", forwarded)],
            ClientConfig::default(),
        )
        .await;
        match tab.next().await {
            Ok(Event::Welcome(said)) => assert!(
                welcome && forwarded.ends_with(&said.observed.ip().to_string()),
                "{forwarded}: {said:?}"
            ),
            other => assert!(
                !welcome && matches!(other, Ok(Event::Refused(Refusal::Address))),
                "{forwarded}: {other:?}"
            ),
        }
        tabs.push(tab);
    }
}

#[tokio::test]
async fn websocket_compression_is_not_negotiated() {
    let bridge = Bridge::start(config()).await;
    let fields = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                  sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n";
    let (head, _) = bridge.get("/v1/session", fields).await;
    assert!(
        head.starts_with("HTTP/1.1 101") && !head.to_lowercase().contains("extensions"),
        "{head}"
    );
}

/// Sends the first line of a request, with these fields. Returns the head and the body of its
/// answer.
async fn ask(bridge: &Bridge, line: &str, fields: &str) -> (String, Vec<u8>) {
    let mut socket = TcpStream::connect(bridge.addr).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{fields}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A request that is refused before it is read ends with a reset.
    let _ = soon("an answer", socket.read_to_end(&mut answer)).await;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let body = answer.split_off(end.expect("a head") + 4);
    (String::from_utf8(answer).unwrap().to_lowercase(), body)
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let start = format!("{name}: ");
    head.lines().find_map(|line| line.strip_prefix(&start))
}

#[tokio::test]
async fn every_address_answers_head_as_get_without_the_body_and_other_methods_with_those_allowed() {
    let bridge = Bridge::start(config()).await;
    for path in [
        "/",
        "/healthz",
        "/readyz",
        "/nothing",
        "/v1/session",
        "/announce",
        "/announce?info_hash=x",
        "/scrape",
        "/scrape?info_hash=x",
    ] {
        let (got, body) = ask(&bridge, &format!("GET {path}"), "").await;
        let length = body.len().to_string();
        let declared = field(&got, "content-length").map(str::trim);
        assert_eq!(declared, Some(&*length), "{path}: {got}");
        let (head, body) = ask(&bridge, &format!("HEAD {path}"), "").await;
        assert!(body.is_empty(), "{path}");
        assert_eq!(head.lines().next(), got.lines().next(), "{path}");
        let declared = field(&head, "content-length").map(str::trim);
        assert_eq!(declared, Some(&*length), "{path}: {head}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            let (head, _) = ask(&bridge, &format!("{method} {path}"), "").await;
            assert!(head.starts_with("http/1.1 405"), "{method} {path}: {head}");
            assert_eq!(field(&head, "allow"), Some("get, head"), "{method} {path}");
        }
    }
    let (head, body) = ask(&bridge, "HEAD /metrics", "").await;
    assert!(
        head.starts_with("http/1.1 200") && body.is_empty(),
        "{head}"
    );
    assert_eq!(field(&head, "cache-control"), Some("no-store"));
}

#[tokio::test]
async fn a_request_for_no_websocket_or_a_wrong_one_is_told_which_is_spoken() {
    let bridge = Bridge::start(config()).await;
    let upgrade = "upgrade: websocket\r\nconnection: upgrade\r\n";
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let other = format!("{upgrade}{key}sec-websocket-version: 8\r\n");
    for (line, fields) in [
        ("GET /v1/session", ""),
        ("HEAD /v1/session", &*other),
        ("GET /v1/session", &*other),
    ] {
        let (head, _) = ask(&bridge, line, fields).await;
        assert!(head.starts_with("http/1.1 426"), "{head}");
        assert_eq!(field(&head, "upgrade"), Some("websocket"), "{head}");
        assert_eq!(field(&head, "sec-websocket-version"), Some("13"), "{head}");
        let connection = field(&head, "connection");
        assert!(
            connection.is_some_and(|it| it.contains("upgrade")),
            "{head}"
        );
    }
    for key in ["", "sec-websocket-key: short\r\n"] {
        let fields = format!("{upgrade}{key}sec-websocket-version: 13\r\n");
        let (head, _) = ask(&bridge, "GET /v1/session", &fields).await;
        assert!(head.starts_with("http/1.1 400"), "{head}");
    }
}

#[tokio::test]
async fn a_request_that_is_too_long_is_refused_with_the_reason() {
    let bridge = Bridge::start(config()).await;
    let long = "x".repeat(20 * 1024);
    for (line, fields) in [
        (format!("GET /{long}"), String::new()),
        (format!("GET /announce?{long}"), String::new()),
        ("GET /healthz".to_owned(), format!("cookie: {long}\r\n")),
        ("GET /healthz".to_owned(), "a: b\r\n".repeat(1000)),
    ] {
        let (head, _) = ask(&bridge, &line, &fields).await;
        let refused = ["http/1.1 414", "http/1.1 431"];
        assert!(
            refused.iter().any(|status| head.starts_with(status)),
            "{head}"
        );
    }
}
