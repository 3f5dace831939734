//! What an operator relies on: settings, signals, the log, what happens when the system's means run
//! out.

use std::time::{Duration, Instant};

use aqueduct_core::tunnel::{ClientConfig, Event, JoinRequest, Refusal};
use aqueduct_core::types::InfoHashV1;
use aqueduct_testkit::bridge::Bridge as BridgeProgram;
use aqueduct_testkit::http::get;
use aqueduct_testkit::peer::Listener;
use aqueduct_testkit::soon;
use aqueduct_testkit::tracker::Tracker;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::program::{self, PATH};
use crate::support::{Bridge, HASH, TAB_ID, config, trickle};
use crate::tab::{Tab, counts, request};

/// What `--print-config` prints with these flags.
async fn printed(flags: &[&str]) -> String {
    let output = Command::new(PATH)
        .args(flags)
        .arg("--print-config")
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn every_flag_is_a_key_of_the_file_and_what_is_printed_is_read_back() {
    let flags = [
        ["--listen", "[::1]:9000"],
        ["--peer-port", "7000"],
        ["--peer-bind", "127.0.0.1"],
        ["--public-url", "https://aqueduct.example"],
        ["--origin", "https://a.example"],
        ["--origin", "https://b.example"],
        ["--token-file", "tokens"],
        ["--allow", "10.0.0.0/8"],
        ["--trusted-proxies", "10.0.0.1/32"],
        ["--dht-bootstrap", "node.example:6881"],
        ["--public-address", "9.9.9.9"],
        ["--tls-cert", "cert.pem"],
        ["--tls-key", "key.pem"],
    ];
    let mut flags = flags.concat();
    flags.extend(["--no-dht", "--no-tracker"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bridge.toml");
    for flags in [&flags[..], &[]] {
        let text = printed(flags).await;
        assert!(
            flags
                .iter()
                .filter_map(|flag| flag.strip_prefix("--"))
                .all(|key| text.contains(&format!("\n{key} = "))),
            "{text}"
        );
        std::fs::write(&file, &text).unwrap();
        assert_eq!(printed(&["--config", file.to_str().unwrap()]).await, text);
    }
}

#[tokio::test]
async fn a_mistake_in_the_file_is_told_with_its_place_and_the_program_fails() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[limits]\nsesions = 3\n").unwrap();
    let output = Command::new(PATH)
        .arg("--config")
        .arg(file.path())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("line 2") && said.contains("sesions") && said.contains("--print-config"),
        "{said}"
    );
}

#[tokio::test]
async fn two_bridges_at_one_port_are_one_too_many_and_the_second_says_what_to_do() {
    let first = program::start(&[]);
    let listen = first.addr.to_string();
    let output = Command::new(PATH)
        .args(["--listen", &listen, "--peer-port", "0", "--no-dht"])
        .output();
    let output = soon("the end", output).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&listen) && said.contains("--listen") && said.contains("in use"),
        "{said}"
    );
    assert!(
        get(
            TcpStream::connect(first.addr).await.unwrap(),
            "a",
            "/healthz",
            ""
        )
        .await
        .0
        .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn sighup_reads_the_tokens_anew_and_ends_nothing() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "old\n").unwrap();
    let mut bridge = program::start(&["--token-file", file.path().to_str().unwrap()]);
    let (host, origin) = (bridge.addr.to_string(), format!("http://{}", bridge.addr));
    let open = async |token: &str| {
        let config = ClientConfig {
            token: token.to_owned(),
            ..ClientConfig::default()
        };
        Tab::over(
            TcpStream::connect(&host).await.unwrap(),
            &host,
            &[("origin", &origin)],
            config,
        )
        .await
    };
    let mut early = open("old").await;
    assert!(matches!(early.next().await, Ok(Event::Welcome(_))));
    std::fs::write(file.path(), "new\n").unwrap();
    bridge.program.signal("HUP");
    bridge.program.line("the tokens were read anew").await;
    assert!(matches!(
        open("new").await.next().await,
        Ok(Event::Welcome(_))
    ));
    assert_eq!(
        open("old").await.closed().await.1,
        Refusal::Token.close_code()
    );
    std::fs::write(file.path(), "\n").unwrap();
    bridge.program.signal("HUP");
    bridge.program.line("the tokens stay as they were").await;
    assert!(
        matches!(open("new").await.next().await, Ok(Event::Welcome(_))),
        "an empty file shuts nobody out"
    );
    let tracker = Tracker::naming(&[]);
    early.join(&tracker);
    early.join(&tracker);
    early
        .until("an answer", |event| {
            matches!(event, Event::JoinRefused { .. }).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_bridge_whose_memory_is_full_takes_no_more_sessions_and_says_so() {
    let bridge = program::limited("memory = 1");
    let mut tab = Tab::open_at(bridge.addr).await;
    assert_eq!(tab.closed().await.1, Refusal::Full.close_code());
    let (head, body) = get(
        TcpStream::connect(bridge.addr).await.unwrap(),
        "a",
        "/readyz",
        "",
    )
    .await;
    assert!(
        head.starts_with("HTTP/1.1 503") && body == b"full\n",
        "{head}"
    );
    assert!(
        get(
            TcpStream::connect(bridge.addr).await.unwrap(),
            "a",
            "/healthz",
            ""
        )
        .await
        .0
        .starts_with("HTTP/1.1 200")
    );
}

#[tokio::test]
async fn sigterm_ends_it_with_0_within_ten_seconds_whatever_its_clients_do() {
    let mut bridge = program::start(&[]);
    let peer = Listener::start().await;
    let tracker = Tracker::naming(&[peer.addr]);
    // One is told and leaves; one has a peer and leaves nothing; one never reads; one trickles; one
    // says nothing.
    let mut polite = Tab::open_at(bridge.addr).await;
    assert!(matches!(polite.next().await, Ok(Event::Welcome(_))));
    let mut busy = Tab::open_at(bridge.addr).await;
    busy.join(&tracker);
    busy.flush().await;
    let _connection = peer.answer(HASH, b"").await;
    busy.stream().await;
    let _deaf = Tab::open_at(bridge.addr).await;
    let mut trickling = TcpStream::connect(bridge.addr).await.unwrap();
    trickling
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        .await
        .unwrap();
    let _silent = TcpStream::connect(bridge.addr).await.unwrap();
    let begun = Instant::now();
    bridge.program.signal("TERM");
    let (events, code) = polite.closed().await;
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Draining { .. })),
        "{events:?}"
    );
    assert_eq!(code, Refusal::Draining.close_code());
    assert_eq!(
        bridge.program.ended().await.code(),
        Some(0),
        "{:#?}",
        bridge.program.lines()
    );
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "it took {:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn without_descriptors_it_accepts_later_and_sessions_live_on() {
    // Fewer than the bridge would keep for itself: its own share of them does not hold, and the
    // system says no.
    let mut bridge = program::with_descriptors(48, &["--no-tracker"]);
    let mut tab = Tab::open_at(bridge.addr).await;
    assert!(matches!(tab.next().await, Ok(Event::Welcome(_))));
    let mut crowd = Vec::new();
    for _ in 0..64 {
        crowd.push(TcpStream::connect(bridge.addr).await.unwrap());
    }
    bridge.program.line("no connection can be accepted").await;
    // A session that is there is served: a second join of one swarm is refused.
    let tracker = Tracker::naming(&[]);
    tab.join(&tracker);
    tab.join(&tracker);
    tab.until("an answer", |event| {
        matches!(event, Event::JoinRefused { .. }).then_some(())
    })
    .await;
    drop(crowd);
    let (head, _) = get(
        TcpStream::connect(bridge.addr).await.unwrap(),
        "a",
        "/healthz",
        "",
    )
    .await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let (_, metrics) = get(
        TcpStream::connect(bridge.addr).await.unwrap(),
        "a",
        "/metrics",
        "",
    )
    .await;
    assert!(
        !String::from_utf8(metrics)
            .unwrap()
            .contains("\naqueduct_bridge_failed_accepts_total 0\n"),
        "an operator would not see it"
    );
    let warnings = bridge
        .program
        .lines()
        .iter()
        .filter(|line| line.contains("no connection can be accepted"))
        .count();
    assert!(warnings <= 10, "{warnings} lines of one trouble");
    bridge.program.signal("TERM");
    assert_eq!(bridge.program.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_bridge_that_has_no_descriptors_for_more_sessions_says_so() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        "[limits]\nsessions-per-address = 1000\nnew-sessions-per-address = 1000\n",
    )
    .unwrap();
    let bridge = program::with_descriptors(256, &["--config", file.path().to_str().unwrap()]);
    let mut tabs = Vec::new();
    let refused = loop {
        let mut tab = Tab::open_at(bridge.addr).await;
        match tab.next().await {
            Ok(Event::Welcome(_)) => tabs.push(tab),
            other => break other,
        }
    };
    assert!(
        matches!(refused, Ok(Event::Refused(Refusal::Full))),
        "{refused:?} after {} sessions",
        tabs.len()
    );
    assert!(
        (64..230).contains(&tabs.len()),
        "{} sessions with 256 descriptors",
        tabs.len()
    );
    let (head, _) = get(
        TcpStream::connect(bridge.addr).await.unwrap(),
        "a",
        "/readyz",
        "",
    )
    .await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
}

#[tokio::test]
async fn trackers_that_hang_leave_descriptors_for_clients() {
    const SESSIONS: u8 = 12;
    let file = tempfile::NamedTempFile::new().unwrap();
    let limits =
        "sessions-per-address = 1000\nnew-sessions-per-address = 1000\nlookups-per-session = 1000";
    std::fs::write(
        file.path(),
        format!("allow = [\"127.0.0.0/8\"]\n[limits]\n{limits}\n"),
    )
    .unwrap();
    let bridge = program::with_descriptors(256, &["--config", file.path().to_str().unwrap()]);
    let hanging = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = hanging.local_addr().unwrap().port();
    let mut tabs = Vec::new();
    for session in 0..SESSIONS {
        let mut tab = Tab::open_at(bridge.addr).await;
        assert!(matches!(tab.next().await, Ok(Event::Welcome(_))));
        // An announce to a host of its own for each torrent.
        for torrent in 0..20 {
            let trackers = vec![vec![format!(
                "http://127.1.{session}.{}:{port}/announce",
                torrent + 1
            )]];
            let info_hash = InfoHashV1([session * 20 + torrent; 20]);
            tab.join_as(&JoinRequest {
                info_hash,
                trackers,
                ..request(TAB_ID)
            });
        }
        tab.flush().await;
        tabs.push(tab);
    }
    // As many as there may be at a time; without a bound of their own they would take every
    // descriptor that is left.
    let mut held = Vec::new();
    while held.len() < 64 {
        held.push(soon("an announce", hanging.accept()).await.unwrap());
    }
    for _ in 0..20 {
        let (head, _) = get(
            TcpStream::connect(bridge.addr).await.unwrap(),
            "a",
            "/healthz",
            "",
        )
        .await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    }
    let (_, metrics) = get(
        TcpStream::connect(bridge.addr).await.unwrap(),
        "a",
        "/metrics",
        "",
    )
    .await;
    assert!(
        String::from_utf8(metrics)
            .unwrap()
            .contains("\naqueduct_bridge_failed_accepts_total 0\n"),
        "a connection could not be accepted"
    );
    let further = tokio::time::timeout(Duration::ZERO, hanging.accept()).await;
    assert!(further.is_err(), "a 65th announce is under way");
}

#[tokio::test]
async fn five_hundred_clients_that_trickle_hold_nobody_up_and_are_cut_off() {
    let bridge = program::limited("connections-per-address = 1000\nupgrade-timeout = 15");
    let mut trickling = JoinSet::new();
    for _ in 0..500 {
        let mut socket = TcpStream::connect(bridge.addr).await.unwrap();
        socket
            .write_all(b"GET /v1/session HTTP/1.1\r\nHost: a\r\nX-Slow: ")
            .await
            .unwrap();
        trickling.spawn(trickle(socket, b"x", Duration::from_millis(500)));
    }
    for _ in 0..20 {
        let (head, _) = get(
            TcpStream::connect(bridge.addr).await.unwrap(),
            "a",
            "/healthz",
            "",
        )
        .await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    }
    let mut tab = Tab::open_at(bridge.addr).await;
    assert!(matches!(tab.next().await, Ok(Event::Welcome(_))));
    assert!(
        trickling.try_join_next().is_none(),
        "twenty answers and a session came only when the first of the others was cut off"
    );
    while soon("the cut", trickling.join_next()).await.is_some() {}
}

#[tokio::test]
async fn a_connection_that_breaks_is_no_fault_of_the_tabs_in_the_log() {
    let mut bridge = program::start(&[]);
    let mut tab = Tab::open_at(bridge.addr).await;
    assert!(matches!(tab.next().await, Ok(Event::Welcome(_))));
    drop(tab);
    let line = bridge.program.line("a tab is gone").await;
    assert!(line.contains("end=Tab"), "{line}");
}

/// Every kind of event that a session can bring about, with a secret, a swarm and addresses in it.
async fn make_noise(bridge: &BridgeProgram, peer: &Listener, tracker: &Tracker, token: &str) {
    let (host, origin) = (bridge.addr.to_string(), format!("http://{}", bridge.addr));
    let fields = [("origin", origin.as_str())];
    let with = |token: &str| ClientConfig {
        token: token.to_owned(),
        ..ClientConfig::default()
    };
    let open = async || TcpStream::connect(bridge.addr).await.unwrap();
    let mut tab = Tab::over(open().await, &host, &fields, with(token)).await;
    tab.join(tracker);
    tab.join(tracker);
    tab.flush().await;
    let connection = peer.answer(HASH, b"").await;
    tab.stream().await;
    drop(connection);
    counts(&mut tab, "a lost peer", |counts| counts.connected == 0).await;
    let mut stranger = Tab::over(open().await, &host, &fields, with("a guess at the secret")).await;
    assert_eq!(stranger.closed().await.1, Refusal::Token.close_code());
    let malformed = tokio_tungstenite::tungstenite::Message::Binary(vec![99; 40].into());
    futures_util::SinkExt::send(&mut tab.socket, malformed)
        .await
        .unwrap();
    tab.closed().await;
}

#[tokio::test]
async fn the_log_pairs_no_address_with_a_swarm_holds_no_token_and_stays_short() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "open sesame\n").unwrap();
    let mut bridge = program::start(&["--token-file", file.path().to_str().unwrap()]);
    let peer = Listener::start().await;
    let tracker = Tracker::naming(&[peer.addr]);
    make_noise(&bridge, &peer, &tracker, "open sesame").await;
    bridge.program.signal("TERM");
    assert_eq!(bridge.program.ended().await.code(), Some(0));
    let swarm = HASH.to_string();
    for line in bridge.program.lines() {
        assert!(
            !line.contains("sesame") && !line.contains("guess"),
            "a token: {line}"
        );
        assert!(
            !line.contains(&swarm),
            "a swarm, and others name the client's address: {line}"
        );
        assert!(!line.contains(&peer.addr.to_string()), "a peer: {line}");
    }
    for session in 1..=2 {
        let lines = bridge
            .program
            .lines()
            .iter()
            .filter(|line| line.contains(&format!("session={session} ")))
            .count();
        assert!(
            (1..=10).contains(&lines),
            "session {session} has {lines} lines: {:#?}",
            bridge.program.lines()
        );
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_clients_are_counted_and_told_by_the_address_that_it_adds() {
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
async fn compression_is_not_agreed_to() {
    let bridge = Bridge::start(config()).await;
    let fields = "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                  sec-websocket-extensions: permessage-deflate; client_max_window_bits\r\n";
    let (head, _) = bridge.get("/v1/session", fields).await;
    assert!(
        head.starts_with("HTTP/1.1 101") && !head.to_lowercase().contains("extensions"),
        "{head}"
    );
}
