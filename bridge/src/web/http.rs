//! The addresses that the bridge answers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aqueduct_core::tunnel::{Refusal, SUBPROTOCOL};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderMap, HeaderName,
    HeaderValue,
};
use hyper::header::{
    SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    STRICT_TRANSPORT_SECURITY, UPGRADE,
};
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::bridge::Bridge;
use crate::session::inflow::Inflow;
use crate::session::tab_socket::Outlet;
use crate::session::{Visitor, serve};
use crate::web::assets;
use crate::web::origin::{Verdict, client_of, judge};
use crate::web::server::Alive;

type Answer = Response<Full<Bytes>>;

/// Longest message from a tab, and its only frame: 1 MiB, as the tunnel says.
const MAX_MESSAGE: usize = aqueduct_core::tunnel::frame::MAX_MESSAGE;
/// Bytes of the library's own frames and of last messages that may wait for a tab; the others do
/// not pass through its buffer.
const MAX_UNSENT: usize = 1024 * 1024;
/// Small, because ten thousand idle tabs have one each; long messages get buffers of their own.
const READ_BUFFER: usize = 8 * 1024;

/// The page's policy, with what it may connect to.
macro_rules! policy {
    ($connect:literal) => {
        concat!(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src ",
            $connect,
            "; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    };
}

const POLICY: &str = policy!("'self'");
/// What starts the page's worker.
const WORKER: &str = "/worker_loader.js";
/// The worker has no document and nothing to draw. It alone fetches .torrent files at the addresses
/// that the user gives, where their sites allow it.
const WORKER_POLICY: &str = policy!("'self' http: https:");
const SECURITY: [(HeaderName, &str); 5] = [
    (hyper::header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (hyper::header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=()",
    ),
];

/// A year, for the bridge's own name alone (RFC 6797).
const ONLY_HTTPS: &str = "max-age=31536000";

/// Answers one request. `alive` is held as long as a session lives.
pub(crate) async fn answer(
    request: Request<Incoming>,
    remote: SocketAddr,
    bridge: Arc<Bridge>,
    alive: Arc<Alive>,
) -> Result<Answer, Infallible> {
    let policy = if request.uri().path() == WORKER {
        WORKER_POLICY
    } else {
        POLICY
    };
    let mut answer = match (request.uri().path(), request.method()) {
        _ if !names_its_host(&request) => refuse(
            StatusCode::BAD_REQUEST,
            "A request names its host once, with the field Host.\n",
            &[(CONNECTION, "close")],
        ),
        ("/v1/session", &Method::GET) => open_session(request, remote, &bridge, alive),
        ("/announce" | "/scrape", &Method::GET) => track(&request, remote, &bridge),
        (_, &Method::GET | &Method::HEAD) => get(&request, &bridge),
        _ => refuse(
            StatusCode::METHOD_NOT_ALLOWED,
            "GET is all there is.\n",
            &[(ALLOW, "GET, HEAD")],
        ),
    };
    let fields = SECURITY
        .into_iter()
        .map(|(name, value)| (name, HeaderValue::from_static(value)));
    answer.headers_mut().extend(fields);
    answer.headers_mut().extend(bridge.is_https().then_some((
        STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static(ONLY_HTTPS),
    )));
    answer
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    Ok(answer)
}

/// RFC 9112, 3.2: a request of HTTP/1.1 has exactly one `Host`, or is answered with 400. Two
/// parsers may choose different ones of several.
fn names_its_host(request: &Request<Incoming>) -> bool {
    match request.headers().get_all(HOST).iter().count() {
        0 => request.version() < Version::HTTP_11,
        count => count == 1,
    }
}

fn get(request: &Request<Incoming>, bridge: &Bridge) -> Answer {
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" if bridge.is_draining() => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        "/readyz" if bridge.is_full() => text(StatusCode::SERVICE_UNAVAILABLE, "full\n"),
        "/readyz" => text(StatusCode::OK, "ready\n"),
        "/metrics" => numbers(bridge),
        path => assets::get(path, request.headers())
            .unwrap_or_else(|| text(StatusCode::NOT_FOUND, "There is nothing here.\n")),
    }
}

/// What [`crate::tracker::http`] left over: announces through a proxy, and unusual ones.
fn track(request: &Request<Incoming>, remote: SocketAddr, bridge: &Bridge) -> Answer {
    let from = client_of(remote, request.headers(), &bridge.config.trusted_proxies);
    let body = bridge.tracking.as_ref().and_then(|tracking| {
        tracking.body(
            request.uri().path(),
            request.uri().query().unwrap_or_default(),
            from,
        )
    });
    body.map_or_else(
        || text(StatusCode::NOT_FOUND, "There is no tracker here.\n"),
        |body| text(StatusCode::OK, body),
    )
}

fn text(status: StatusCode, body: impl Into<Full<Bytes>>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    answer
}

/// Prometheus' text format, by its own name.
fn numbers(bridge: &Bridge) -> Answer {
    bridge.metrics.sockets.set(
        bridge
            .all_sockets
            .saturating_sub(bridge.sockets.available_permits()),
    );
    let mut answer = text(StatusCode::OK, bridge.metrics.print());
    answer.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    answer
}

fn refuse(status: StatusCode, body: &'static str, fields: &[(HeaderName, &'static str)]) -> Answer {
    let mut answer = text(status, body);
    answer.headers_mut().extend(
        fields
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value))),
    );
    answer
}

/// Upgrades to a WebSocket (RFC 6455, 4.2). Whoever is not welcome is told so inside it, because
/// pages cannot read the status of an upgrade.
fn open_session(
    mut request: Request<Incoming>,
    remote: SocketAddr,
    bridge: &Arc<Bridge>,
    alive: Arc<Alive>,
) -> Answer {
    let headers = request.headers();
    let Some(key) = headers
        .get(SEC_WEBSOCKET_KEY)
        .filter(|_| is_websocket(headers))
    else {
        let fields = [(UPGRADE, "websocket"), (SEC_WEBSOCKET_VERSION, "13")];
        return refuse(
            StatusCode::UPGRADE_REQUIRED,
            "This is a WebSocket; open it with the page at /.\n",
            &fields,
        );
    };
    let accept = derive_accept_key(key.as_bytes());
    let offered = lists(headers, &SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    let visitor = admit(headers, remote, offered, bridge);
    let (bridge, upgrade) = (Arc::clone(bridge), hyper::upgrade::on(&mut request));
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let inflow = Inflow::new(&bridge.config.limits, bridge.memory.enter());
            let socket = WebSocketStream::from_raw_socket(
                Outlet::new(TokioIo::new(upgraded), inflow),
                Role::Server,
                Some(websocket_config()),
            )
            .await;
            serve(bridge, socket, visitor, next_number()).await;
        }
        drop(alive);
    });
    let mut answer = refuse(
        StatusCode::SWITCHING_PROTOCOLS,
        "",
        &[(CONNECTION, "upgrade"), (UPGRADE, "websocket")],
    );
    answer.headers_mut().remove(CONTENT_TYPE);
    answer.headers_mut().extend(
        HeaderValue::from_str(&accept)
            .ok()
            .map(|accept| (SEC_WEBSOCKET_ACCEPT, accept)),
    );
    answer.headers_mut().extend(offered.then(|| {
        (
            SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static(SUBPROTOCOL),
        )
    }));
    answer
}

/// Sessions are numbered for logs, and discovery counts budgets by it.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn admit(headers: &HeaderMap, remote: SocketAddr, offered: bool, bridge: &Bridge) -> Visitor {
    let ip = client_of(remote, headers, &bridge.config.trusted_proxies);
    let verdict = judge(headers, &bridge.config);
    let admission = if !offered {
        Err(Refusal::Subprotocol)
    } else if verdict == Verdict::Foreign {
        Err(Refusal::Origin)
    } else if bridge.is_draining() {
        Err(Refusal::Draining)
    } else if bridge.is_full() {
        Err(Refusal::Full)
    } else {
        bridge.clients.enter(ip)
    };
    Visitor {
        ip,
        needs_token: verdict == Verdict::Unknown,
        admission,
    }
}

fn is_websocket(headers: &HeaderMap) -> bool {
    lists(headers, &CONNECTION, "upgrade")
        && lists(headers, &UPGRADE, "websocket")
        && lists(headers, &SEC_WEBSOCKET_VERSION, "13")
}

/// Whether a comma-separated field names `word`, in either case.
fn lists(headers: &HeaderMap, field: &HeaderName, word: &str) -> bool {
    let lines = headers
        .get_all(field)
        .iter()
        .filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .any(|entry| entry.trim().eq_ignore_ascii_case(word))
}

fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_UNSENT)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}
