//! One connection to the page's port: TLS, then the tracker's requests, then HTTP.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::{Body, Incoming};
use hyper::rt::{Read, Write};
use hyper::server::conn::http1::{self, UpgradeableConnection};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use crate::limits::connection_time::{ConnectionTime, MAX_DURATION};
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
    let draining = context.sessions.wait_for_draining();
    if let Err(error) = serve_in_time(connection, &guard.time, draining).await {
        tracing::debug!(%error, "a connection broke");
    }
}

/// Serves a connection for as long as it may last. If a player read on it, what is on its way to the
/// player arrives, however slowly the player takes it.
async fn serve_in_time<I, S, B>(
    connection: UpgradeableConnection<I, S>,
    time: &ConnectionTime,
    draining: impl Future<Output = ()>,
) -> hyper::Result<()>
where
    I: Read + Write + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    tokio::pin!(connection);
    tokio::select! {
        ended = &mut connection => return ended,
        () = time.wait_for_end() => {
            if !time.was_extended() {
                return Ok(());
            }
        }
        () = draining => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;

    use bytes::Bytes;
    use http_body_util::Full;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::advance;

    use super::*;

    /// Longer than what the connection takes while nothing is read.
    const LENGTH: usize = 1000;

    /// The bytes of a body that arrive at a client which does not read it until the connection's time is over.
    async fn received_late(is_player: bool) -> usize {
        let (near, mut far) = duplex(64);
        let time = ConnectionTime::default();
        let service = service_fn(|_: Request<Incoming>| {
            // As for a player: until the whole body is taken, which is before it is sent.
            drop(is_player.then(|| time.extend()));
            let body = Full::new(Bytes::from(vec![0; LENGTH]));
            async { Ok::<_, Infallible>(Response::new(body)) }
        });
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(near), service)
            .with_upgrades();
        let served = serve_in_time(connection, &time, pending());
        let client = async {
            far.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await?;
            // The answer has begun.
            far.read_u8().await?;
            advance(MAX_DURATION * 2).await;
            read(&mut far).await
        };
        let (_, received) = tokio::join!(served, client);
        received.unwrap()
    }

    async fn read(far: &mut DuplexStream) -> std::io::Result<usize> {
        let mut answer = Vec::new();
        far.read_to_end(&mut answer).await?;
        Ok(answer.iter().filter(|byte| **byte == 0).count())
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_player_requested_arrives_however_late_it_is_read() {
        assert_eq!(received_late(true).await, LENGTH);
        assert!(received_late(false).await < LENGTH);
    }
}
