//! One connection to the page's port: TLS, then the tracker's requests, then HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use crate::limits::connection_time::MAX_DURATION;
use crate::tracker;
use crate::tracker::http::{OtherRequest, Timeouts};
use crate::web::connection_guard::ConnectionGuard;
use crate::web::context::WebContext;
use crate::web::http;
use crate::web::prefixed::Prefixed;

/// The maximum length of a request's head: 16 KiB.
const MAX_HEAD: usize = 16 * 1024;

/// Serves a connection of which `read` has been read already.
pub(crate) async fn serve(
    mut socket: TcpStream,
    read: Vec<u8>,
    remote: SocketAddr,
    context: Arc<WebContext>,
    guard: Arc<ConnectionGuard>,
) {
    if let Some(tls) = &context.tls {
        if !context.proxies.are_at(remote.ip()) && !tls.admits(remote.ip()) {
            let refused = &context
                .swarms()
                .metrics
                .connections
                .refused_handshakes_total;
            refused.add(1);
            return;
        }
        let tls = tls.acceptor();
        return Box::pin(serve_tls(socket, remote, tls, context, guard)).await;
    }
    if let Some(other) = serve_tracker(&mut socket, read, remote, &context).await {
        let _ = socket.set_nodelay(true);
        // Boxed, so that the many connections that only announce need no space for it.
        Box::pin(serve_http(socket, other, remote, context, guard)).await;
    }
}

async fn serve_tls(
    socket: TcpStream,
    remote: SocketAddr,
    tls: TlsAcceptor,
    context: Arc<WebContext>,
    guard: Arc<ConnectionGuard>,
) {
    let _ = socket.set_nodelay(true);
    let limit = context.swarms().limits.upgrade_timeout.0;
    let Ok(Ok(mut socket)) = timeout(limit, tls.accept(socket)).await else {
        return;
    };
    if let Some(other) = serve_tracker(&mut socket, Vec::new(), remote, &context).await {
        serve_http(socket, other, remote, context, guard).await;
    }
}

/// Answers requests for the tracker; returns the first request that is not.
async fn serve_tracker<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut S,
    read: Vec<u8>,
    remote: SocketAddr,
    context: &WebContext,
) -> Option<OtherRequest> {
    let (now, head) = (Instant::now(), context.swarms().limits.upgrade_timeout.0);
    let Some(tracker) = context.tracker_for_direct(remote) else {
        return Some(OtherRequest {
            read,
            head_by: now + head,
        });
    };
    let timeouts = Timeouts {
        head,
        end: now + MAX_DURATION,
    };
    tracker::http::serve(socket, read, remote.ip(), tracker, timeouts).await
}

/// Serves HTTP until the connection is idle for too long, broken, or upgraded.
async fn serve_http<S>(
    socket: S,
    first: OtherRequest,
    remote: SocketAddr,
    context: Arc<WebContext>,
    guard: Arc<ConnectionGuard>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    // The remaining time of the first head, so that a client which was slow with it gets no more
    // for the next.
    let head_timeout = first.head_by.saturating_duration_since(Instant::now());
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(MAX_HEAD);
    let service = service_fn(|request| {
        http::answer(request, remote, Arc::clone(&context), Arc::clone(&guard))
    });
    let connection = builder
        .serve_connection(TokioIo::new(Prefixed::new(first.read, socket)), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = guard.time.wait_for_end() => Ok(()),
        () = context.sessions.wait_for_draining() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
