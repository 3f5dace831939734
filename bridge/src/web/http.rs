//! The paths that the bridge answers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aqueduct_core::media;
use aqueduct_core::tunnel::{PLAYER_PATH, Refusal, SUBPROTOCOL};
use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderMap,
    HeaderName, HeaderValue,
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

use crate::player;
use crate::session::inflow::Inflow;
use crate::session::tab_socket::TabSocket;
use crate::session::{WebSocketClient, serve};
use crate::web::assets;
use crate::web::connection_guard::ConnectionGuard;
use crate::web::context::WebContext;
use crate::web::origin::Verdict;
use crate::web::plain::{Answer, refuse, text};
use crate::web::player as player_answer;

/// The maximum length of a tab's message, and of its only frame: 1 MiB, as the tunnel defines.
const MAX_MESSAGE: usize = aqueduct_core::tunnel::frame::MAX_MESSAGE;
/// The maximum number of queued bytes of the library's own frames and of final messages. Other
/// messages do not pass through its buffer.
const MAX_UNSENT: usize = 1024 * 1024;
/// Small, since ten thousand idle tabs have one each; long messages get their own buffers.
const READ_BUFFER: usize = 8 * 1024;

/// The content security policy, with the sources that it may connect to and more directives.
macro_rules! policy {
    ($connect:literal, $more:literal) => {
        concat!(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src ",
            $connect,
            "; style-src 'self'; manifest-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            $more
        )
    };
}

const POLICY: &str = policy!(
    "'self'",
    "; require-trusted-types-for 'script'; trusted-types default"
);
/// The script that starts the page's worker.
const WORKER: &str = "/worker.js";
/// The worker has no document. Only it fetches .torrent files from web addresses that the user
/// enters, if their sites permit that.
const WORKER_POLICY: &str = policy!("'self' http: https:", "");
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

/// One year, for the bridge's own name only (RFC 6797).
const ONLY_HTTPS: &str = "max-age=31536000";

/// Answers one request. `guard` is held while a session exists.
pub(crate) async fn answer(
    request: Request<Incoming>,
    remote: SocketAddr,
    context: Arc<WebContext>,
    guard: Arc<ConnectionGuard>,
) -> Result<Response<Either<Full<Bytes>, player::body::Body>>, Infallible> {
    let path = request.uri().path();
    let is_for_player = path.starts_with(PLAYER_PATH);
    let policy = match path {
        WORKER => WORKER_POLICY,
        _ if is_for_player => media::POLICY,
        _ => POLICY,
    };
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut answer = if is_for_player && is_read && names_its_host(&request) {
        player_answer::answer(&request, remote, &context, &guard).await
    } else {
        answer_at_once(request, remote, &context, guard).map(Either::Left)
    };
    for (name, value) in SECURITY {
        let value = HeaderValue::from_static(value);
        answer.headers_mut().insert(name, value);
    }
    answer.headers_mut().extend(context.is_https().then_some((
        STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static(ONLY_HTTPS),
    )));
    answer
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    Ok(answer)
}

fn answer_at_once(
    request: Request<Incoming>,
    remote: SocketAddr,
    context: &Arc<WebContext>,
    guard: Arc<ConnectionGuard>,
) -> Answer {
    match (request.uri().path(), request.method()) {
        _ if !names_its_host(&request) => refuse(
            StatusCode::BAD_REQUEST,
            "A request names its host once, with the field Host.\n",
            &[(CONNECTION, "close")],
        ),
        ("/v1/session", &Method::GET | &Method::HEAD) => {
            open_session(request, remote, context, guard)
        }
        ("/announce" | "/scrape", &Method::GET | &Method::HEAD) => {
            answer_tracker(&request, remote, context)
        }
        (_, &Method::GET | &Method::HEAD) => get(&request, context),
        _ => refuse(
            StatusCode::METHOD_NOT_ALLOWED,
            "GET is all there is.\n",
            &[(ALLOW, "GET, HEAD")],
        ),
    }
}

/// RFC 9112, 3.2: a request of HTTP/1.1 has exactly one `Host`, or is answered with 400. Two
/// parsers may choose different ones of several.
fn names_its_host(request: &Request<Incoming>) -> bool {
    match request.headers().get_all(HOST).iter().count() {
        0 => request.version() < Version::HTTP_11,
        count => count == 1,
    }
}

fn get(request: &Request<Incoming>, context: &WebContext) -> Answer {
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "ok\n"),
        "/readyz" if context.sessions.is_draining() => {
            text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
        }
        "/readyz" if context.is_full() => text(StatusCode::SERVICE_UNAVAILABLE, "full\n"),
        "/readyz" => text(StatusCode::OK, "ready\n"),
        "/metrics" => metrics(context),
        path => assets::get(path, request.headers())
            .unwrap_or_else(|| text(StatusCode::NOT_FOUND, "There is nothing here.\n")),
    }
}

/// Answers requests to the tracker that [`crate::tracker::http`] does not: announces through a
/// proxy, and unusual ones.
fn answer_tracker(request: &Request<Incoming>, remote: SocketAddr, context: &WebContext) -> Answer {
    let from = context.proxies.client_of(remote, request.headers());
    let body = context.swarms().tracker.as_ref().and_then(|tracker| {
        tracker.body(
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

/// Prometheus' text format, with its own media type.
fn metrics(context: &WebContext) -> Answer {
    let swarms = context.swarms();
    let in_use = swarms.sockets.in_use();
    swarms.metrics.connections.sockets.set(in_use);
    let mut answer = text(StatusCode::OK, swarms.metrics.print());
    answer.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    answer
}

/// Upgrades to a WebSocket (RFC 6455, 4.2). A client is refused inside it, since pages cannot read
/// the status of an upgrade.
fn open_session(
    mut request: Request<Incoming>,
    remote: SocketAddr,
    context: &Arc<WebContext>,
    guard: Arc<ConnectionGuard>,
) -> Answer {
    let headers = request.headers();
    if !is_websocket(&request) {
        // RFC 9110, 7.8: `Upgrade` is an option of the connection.
        let fields = [
            (CONNECTION, "upgrade"),
            (UPGRADE, "websocket"),
            (SEC_WEBSOCKET_VERSION, "13"),
        ];
        return refuse(
            StatusCode::UPGRADE_REQUIRED,
            "This is a WebSocket; open it with the page at /.\n",
            &fields,
        );
    }
    let Some(key) = headers.get(SEC_WEBSOCKET_KEY).filter(|key| is_key(key)) else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "Sec-WebSocket-Key is not 16 bytes in base64.\n",
            &[],
        );
    };
    let accept = derive_accept_key(key.as_bytes());
    let offered = lists(headers, &SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    let client = admit(headers, remote, offered, context);
    let (context, upgrade) = (Arc::clone(context), hyper::upgrade::on(&mut request));
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let inflow = Inflow::new(&context.swarms().limits, context.memory.add_session());
            let socket = WebSocketStream::from_raw_socket(
                TabSocket::new(TokioIo::new(upgraded), inflow),
                Role::Server,
                Some(websocket_config()),
            )
            .await;
            serve(Arc::clone(&context.sessions), socket, client, next_number()).await;
        }
        drop(guard);
    });
    let mut answer = refuse(
        StatusCode::SWITCHING_PROTOCOLS,
        "",
        &[(CONNECTION, "upgrade"), (UPGRADE, "websocket")],
    );
    for field in [CONTENT_TYPE, CACHE_CONTROL] {
        answer.headers_mut().remove(field);
    }
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

/// A number for a session, which identifies it in logs and in the budgets of discovery.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn admit(
    headers: &HeaderMap,
    remote: SocketAddr,
    offered: bool,
    context: &WebContext,
) -> WebSocketClient {
    let ip = context.proxies.client_of(remote, headers);
    let verdict = context.origins.judge(headers);
    let admission = if !offered {
        Err(Refusal::Subprotocol)
    } else if verdict == Verdict::Foreign {
        Err(Refusal::Origin)
    } else if context.sessions.is_draining() {
        Err(Refusal::Draining)
    } else if context.is_full() {
        Err(Refusal::Full)
    } else {
        context.clients.admit(ip)
    };
    WebSocketClient {
        ip,
        needs_token: verdict == Verdict::Unknown,
        is_this_machine: context.is_this_machine(remote, headers)
            && context.origins.is_literal(headers),
        admission,
    }
}

/// Whether a request asks for a WebSocket of the version that is spoken here.
fn is_websocket(request: &Request<Incoming>) -> bool {
    let headers = request.headers();
    request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && lists(headers, &CONNECTION, "upgrade")
        && lists(headers, &UPGRADE, "websocket")
        && lists(headers, &SEC_WEBSOCKET_VERSION, "13")
}

/// Whether a key has the form of 16 bytes in base64 (RFC 6455, 4.2.1).
fn is_key(key: &HeaderValue) -> bool {
    let digits = key.as_bytes().strip_suffix(b"==").unwrap_or_default();
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    digits.len() == 22 && digits.iter().all(is_digit)
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
