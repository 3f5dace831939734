//! Media players on the bridge's machine, which read files of a tab over HTTP.

use aqueduct_bridge::{Config, Limits};
use aqueduct_core::media::MediaType;
use aqueduct_core::tunnel::{
    ClientConfig, Event, OfferedFile, Refusal, StreamClose, Welcome, player_path,
};
use aqueduct_testkit::soon;
use futures_util::SinkExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Bridge, config};
use crate::tab::Tab;

/// The bytes of a file.
fn film(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 251) as u8).collect()
}

/// A tab that can queue any file.
async fn tab_at(bridge: &Bridge) -> Tab {
    let origin = format!("http://{}", bridge.addr);
    let config = ClientConfig {
        max_queued: 1 << 30,
        ..ClientConfig::default()
    };
    Tab::open_as(bridge, &[("origin", &origin)], config).await
}

async fn welcome(tab: &mut Tab) -> Welcome {
    tab.until("a welcome", |event| match event {
        Event::Welcome(welcome) => Some(welcome),
        _ => None,
    })
    .await
}

/// What a tab tells of a file of this size.
fn film_of(size: usize) -> OfferedFile {
    OfferedFile {
        size: size as u64,
        media_type: MediaType::parse("video/x-matroska").unwrap(),
    }
}

/// Offers a file of this size. Returns the offer and the path of its address.
pub(crate) async fn offer(tab: &mut Tab, size: usize) -> (u32, String) {
    let made = tab
        .client
        .offer(&film_of(size))
        .expect("the bridge permits it");
    let is_token = |event| match event {
        Event::Offered { offer, token } if offer == made => Some(token),
        _ => None,
    };
    let token = tab.until("a token", is_token).await;
    (made, player_path(token, "A film's <name>.mkv"))
}

/// A bridge, and a tab that offers a file of this size. Also returns the path of its address.
async fn offering(limits: Limits, size: usize) -> (Bridge, Tab, String) {
    let bridge = Bridge::start(Config { limits, ..config() }).await;
    let mut tab = tab_at(&bridge).await;
    welcome(&mut tab).await;
    let (_, path) = offer(&mut tab, size).await;
    (bridge, tab, path)
}

/// Sends what players read of a file.
async fn serve(tab: &mut Tab, content: &[u8]) {
    loop {
        if let Event::Read { stream, bytes, .. } = tab.next().await.unwrap() {
            let bytes = &content[bytes.start as usize..bytes.end as usize];
            tab.client.send(stream, bytes.to_vec().into()).unwrap();
        }
    }
}

/// Waits for a read. Returns its stream.
async fn read_of(tab: &mut Tab) -> u32 {
    tab.until("a read", |event| match event {
        Event::Read { stream, .. } => Some(stream),
        _ => None,
    })
    .await
}

/// Waits until a stream has ended.
async fn closed(tab: &mut Tab, stream: u32) -> StreamClose {
    tab.until("the end of a stream", |event| match event {
        Event::StreamClosed { stream: of, reason } if of == stream => Some(reason),
        _ => None,
    })
    .await
}

/// A request of a player.
struct Player(TcpStream);

impl Player {
    async fn request(bridge: &Bridge, method: &str, path: &str, fields: &str) -> Self {
        Self::naming(bridge, &bridge.addr.to_string(), method, path, fields).await
    }

    async fn naming(bridge: &Bridge, host: &str, method: &str, path: &str, fields: &str) -> Self {
        let mut socket = TcpStream::connect(bridge.addr).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{fields}\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        Self(socket)
    }

    /// The head of the answer.
    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = soon("an answer", self.0.read_u8()).await.unwrap();
            head.push(byte);
        }
        String::from_utf8(head).unwrap()
    }

    /// All that follows the head.
    async fn body(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        soon("a body", self.0.read_to_end(&mut body)).await.unwrap();
        body
    }

    /// The status, the head and the body.
    async fn answer(mut self) -> (u16, String, Vec<u8>) {
        let head = self.head().await;
        let status = head[9..12].parse().unwrap();
        (status, head, self.body().await)
    }
}

/// The answer to a request while the tab sends what is read.
async fn answer(
    (bridge, tab, content): (&Bridge, &mut Tab, &[u8]),
    method: &str,
    path: &str,
    fields: &str,
) -> (u16, String, Vec<u8>) {
    let player = Player::request(bridge, method, path, fields).await;
    tokio::select! {
        answer = player.answer() => answer,
        () = serve(tab, content) => unreachable!("it ends never"),
    }
}

#[tokio::test]
async fn a_player_gets_the_bytes_that_it_requests() {
    let content = film(1000);
    let (bridge, mut tab, path) = offering(Limits::default(), 1000).await;
    let at = (&bridge, &mut tab, &content[..]);
    let (status, head, body) = answer(at, "GET", &path, "").await;
    assert_eq!((status, &body), (200, &content));
    for field in [
        "content-type: video/x-matroska\r\n",
        "content-length: 1000\r\n",
        "accept-ranges: bytes\r\n",
        "cache-control: no-store\r\n",
        "content-disposition: attachment\r\n",
        "x-content-type-options: nosniff\r\n",
        "cross-origin-resource-policy: same-origin\r\n",
        "content-security-policy: default-src 'none'; sandbox\r\n",
    ] {
        assert_eq!(head.matches(field).count(), 1, "{field} in\n{head}");
    }
    assert!(!head.contains("access-control"), "{head}");

    for (range, part) in [
        ("0-1", 0..2),
        ("0-0", 0..1),
        ("-100", 900..1000),
        ("999-", 999..1000),
        ("500-5000", 500..1000),
        ("-5000", 0..1000),
    ] {
        let at = (&bridge, &mut tab, &content[..]);
        let (status, head, body) =
            answer(at, "GET", &path, &format!("range: bytes={range}\r\n")).await;
        assert_eq!(
            (status, &body[..]),
            (206, &content[part.clone()]),
            "{range}"
        );
        let field = format!(
            "content-range: bytes {}-{}/1000\r\n",
            part.start,
            part.end - 1
        );
        assert!(head.contains(&field), "{field} in\n{head}");
        assert!(head.contains(&format!("content-length: {}\r\n", part.len())));
    }
}

#[tokio::test]
async fn a_request_without_bytes_reads_nothing_from_the_tab() {
    let (bridge, _tab, path) = offering(Limits::default(), 1000).await;
    let get = async |method, fields| {
        let player = Player::request(&bridge, method, &path, fields).await;
        player.answer().await
    };
    let (status, head, body) = get("GET", "range: bytes=1000-\r\n").await;
    assert_eq!((status, body.len()), (416, 0));
    assert!(head.contains("content-range: bytes */1000\r\n"), "{head}");
    let (status, head, body) = get("HEAD", "range: bytes=0-1\r\n").await;
    assert_eq!((status, body.len()), (200, 0));
    assert!(head.contains("content-length: 1000\r\n"), "{head}");
    assert!(
        head.contains("content-type: video/x-matroska\r\n"),
        "{head}"
    );
    assert_eq!(get("POST", "").await.0, 405);
    assert_eq!(bridge.counted("player_reads_total").await, 0);
}

#[tokio::test]
async fn a_range_that_depends_on_a_validator_is_ignored_as_there_are_none() {
    let content = film(10);
    let (bridge, mut tab, path) = offering(Limits::default(), 10).await;
    let at = (&bridge, &mut tab, &content[..]);
    let fields = "range: bytes=0-1\r\nif-range: \"a\"\r\n";
    assert_eq!(answer(at, "GET", &path, fields).await.0, 200);
}

#[tokio::test]
async fn an_address_is_only_for_programs_of_the_same_machine_and_who_knows_the_token() {
    let (bridge, mut tab, path) = offering(Limits::default(), 1000).await;
    let status = async |host: &str, path: &str, fields: &str| {
        let player = Player::naming(&bridge, host, "GET", path, fields).await;
        player.answer().await.0
    };
    let host = bridge.addr.to_string();
    let port = bridge.addr.port();
    for other in [
        format!("rebound.example:{port}"),
        format!("192.0.2.1:{port}"),
        "localhost.example".to_owned(),
    ] {
        assert_eq!(status(&other, &path, "").await, 403, "{other}");
    }
    for field in ["x-forwarded-for: 192.0.2.1\r\n", "via: 1.1 proxy\r\n"] {
        assert_eq!(status(&host, &path, field).await, 403, "{field}");
    }
    let digits = path.len() - "/A%20film%27s%20%3Cname%3E.mkv".len();
    let last = if path[..digits].ends_with('0') {
        "1"
    } else {
        "0"
    };
    for wrong in [
        format!("{}{last}/x.mkv", &path[..digits - 1]),
        path[..digits - 1].to_owned(),
        path[..digits].to_uppercase(),
        "/v1/play/".to_owned(),
        "/v1/play//".to_owned(),
    ] {
        assert_eq!(status(&host, &wrong, "").await, 404, "{wrong}");
    }
    // The name is not looked at.
    let other_name = format!("{}/../../etc/passwd", &path[..digits]);
    let range = "range: bytes=1000-\r\n";
    assert_eq!(
        status(&format!("localhost:{port}"), &other_name, range).await,
        416
    );

    // Whatever becomes of the offer or its session, the address is gone with it.
    let (withdrawn, path_of_withdrawn) = offer(&mut tab, 5).await;
    tab.client.withdraw(withdrawn);
    offer(&mut tab, 5).await;
    assert_eq!(status(&host, &path_of_withdrawn, range).await, 404);
    assert_eq!(bridge.counted("player_addresses").await, 2);
    tab.socket.close(None).await.unwrap();
    tab.closed().await;
    assert_eq!(bridge.counted("player_addresses").await, 0);
    assert_eq!(status(&host, &path, range).await, 404);
}

#[tokio::test]
async fn only_a_tab_on_the_same_machine_may_offer_files() {
    let own = Bridge::start(config()).await;
    let origin = format!("http://{}", own.addr);
    let permitted = async |bridge: &Bridge, fields: &[(&str, &str)]| {
        let mut tab = Tab::open_as(bridge, fields, ClientConfig::default()).await;
        let limits = welcome(&mut tab).await.limits;
        assert_eq!(limits.offers == 0, limits.reads == 0);
        limits.offers
    };
    assert_eq!(permitted(&own, &[("origin", &origin)]).await, 64);
    let forwarded = [("origin", &origin[..]), ("x-forwarded-for", "192.0.2.1")];
    assert_eq!(permitted(&own, &forwarded).await, 0);

    let text = |text: &str| Some(text.to_owned());
    let public = Config {
        public_url: text("https://aqueduct.example"),
        ..config()
    };
    let private = Config {
        no_player_addresses: true,
        ..config()
    };
    let proxied = Config {
        trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
        ..config()
    };
    let shared = Config {
        origin: vec!["https://aqueduct.example".to_owned()],
        ..config()
    };
    for (config, origin) in [
        (public, text("https://aqueduct.example")),
        (private, None),
        (proxied, None),
        (shared, None),
    ] {
        let bridge = Bridge::start(config).await;
        let origin = origin.unwrap_or_else(|| format!("http://{}", bridge.addr));
        let offers = permitted(&bridge, &[("origin", &origin)]).await;
        assert_eq!(offers, 0, "{origin}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_may_not_offer_files() {
    let bridge = Bridge::start(Config {
        origin: vec!["http://localhost:3000".to_owned()],
        ..config()
    })
    .await;
    let fields = [("origin", "http://localhost:3000")];
    let mut tab = Tab::open_as(&bridge, &fields, ClientConfig::default()).await;
    assert_eq!(welcome(&mut tab).await.limits.offers, 0);
}

#[tokio::test]
async fn an_answer_that_the_tab_does_not_complete_is_cut_and_never_looks_complete() {
    let (bridge, mut tab, path) = offering(Limits::default(), 1000).await;
    // The tab says that it cannot go on.
    let mut player = Player::request(&bridge, "GET", &path, "").await;
    let stream = read_of(&mut tab).await;
    tab.client.send(stream, film(300).into()).unwrap();
    tab.flush().await;
    assert!(player.head().await.contains("content-length: 1000\r\n"));
    let mut first = vec![0; 300];
    soon("bytes", player.0.read_exact(&mut first))
        .await
        .unwrap();
    tab.client.close(stream);
    tab.flush().await;
    assert_eq!(player.body().await.len(), 0);

    // The tab is gone.
    let mut player = Player::request(&bridge, "GET", &path, "").await;
    let stream = read_of(&mut tab).await;
    tab.client.send(stream, film(300).into()).unwrap();
    tab.flush().await;
    assert!(player.head().await.contains("content-length: 1000\r\n"));
    soon("bytes", player.0.read_exact(&mut first))
        .await
        .unwrap();
    drop(tab);
    assert_eq!(player.body().await.len(), 0);
}

#[tokio::test]
async fn a_tab_that_sends_more_than_was_read_does_not_extend_the_answer() {
    let (bridge, mut tab, path) = offering(Limits::default(), 1000).await;
    let player = Player::request(&bridge, "GET", &path, "range: bytes=0-9\r\n").await;
    let stream = read_of(&mut tab).await;
    tab.client.send(stream, film(500).into()).unwrap();
    tab.flush().await;
    let (status, _, body) = player.answer().await;
    assert!(status == 206 && body.len() <= 10, "{} bytes", body.len());
    assert_eq!(closed(&mut tab, stream).await, StreamClose::Broken);
}

#[tokio::test]
async fn a_player_that_hangs_up_ends_its_read() {
    let (bridge, mut tab, path) = offering(Limits::default(), 1000).await;
    let player = Player::request(&bridge, "GET", &path, "").await;
    let stream = read_of(&mut tab).await;
    drop(player);
    assert_eq!(closed(&mut tab, stream).await, StreamClose::Player);
}

#[tokio::test]
async fn a_player_that_does_not_read_stops_the_tab_and_no_other_player() {
    let size = 48 << 20;
    let content = film(size);
    let (bridge, mut tab, path) = offering(Limits::default(), size).await;
    let mut slow = Player::request(&bridge, "GET", &path, "").await;
    let stalled = read_of(&mut tab).await;
    tab.client.send(stalled, content.clone().into()).unwrap();
    slow.head().await;
    let mut sent = 0;
    let quick = Player::request(&bridge, "GET", &path, "").await;
    let serve = async {
        loop {
            match tab.next().await.unwrap() {
                Event::Read { stream, .. } => {
                    tab.client.send(stream, content.clone().into()).unwrap();
                }
                Event::Sent { stream, bytes } if stream == stalled => sent += bytes,
                _ => {}
            }
        }
    };
    let (status, _, body) = tokio::select! {
        answer = quick.answer() => answer,
        () = serve => unreachable!("it ends never"),
    };
    assert!(status == 200 && body == content);
    // The system's buffers of both sockets, and the window of one stream.
    assert!(
        sent < 24 << 20,
        "{sent} bytes were sent to one that reads none"
    );
}

#[tokio::test]
async fn reads_beyond_the_limits_are_refused_until_others_have_ended() {
    let per_session = Limits {
        player_reads_per_session: 1,
        ..Limits::default()
    };
    let in_total = Limits {
        player_reads: 1,
        ..Limits::default()
    };
    for limits in [per_session, in_total] {
        let (bridge, mut tab, path) = offering(limits, 1000).await;
        let first = Player::request(&bridge, "GET", &path, "").await;
        let stream = read_of(&mut tab).await;
        let second = Player::request(&bridge, "GET", &path, "").await;
        let refused = tokio::select! {
            answer = second.answer() => answer,
            _ = tab.next() => unreachable!("nothing is read"),
        };
        assert_eq!(refused.0, 503, "{}", refused.1);
        assert_eq!(bridge.counted("refused_player_reads_total").await, 1);
        drop(first);
        closed(&mut tab, stream).await;
        let content = film(1000);
        let at = (&bridge, &mut tab, &content[..]);
        assert_eq!(answer(at, "GET", &path, "").await.0, 200);
    }
}

#[tokio::test]
async fn a_tab_that_offers_more_than_it_may_is_sent_away() {
    let limits = Limits {
        player_addresses_per_session: 1,
        ..Limits::default()
    };
    let (_bridge, mut tab, _) = offering(limits, 1000).await;
    assert_eq!(tab.client.offer(&film_of(1000)), None);
    // A second offer, as our own tab would not make it.
    let payload = [&1000u64.to_be_bytes()[..], &[0, 10], b"audio/mpeg"].concat();
    let head = [&[7, 0, 0, 0, 2, 0, 0, 0][..], &[payload.len() as u8]].concat();
    let message = Message::Binary([head, payload].concat().into());
    tab.socket.send(message).await.unwrap();
    assert_eq!(tab.closed().await.1, Refusal::Protocol.close_code());
}
