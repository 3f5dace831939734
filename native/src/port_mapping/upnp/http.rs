//! One HTTP request to the gateway: no names, no redirects, no TLS; bounds on everything.

use std::future::pending;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};

use super::Place;
use crate::port_mapping::access::Access;
use crate::port_mapping::failure::Failure;

/// The maximum length of a body in bytes. Descriptions have 2 to 20 KiB.
pub(super) const MAX_BODY: usize = 64 << 10;
/// The maximum length of an answer's head in bytes; hyper needs 8 KiB at least.
const MAX_HEAD: usize = 16 << 10;

/// Fetches a document.
///
/// # Errors
/// The gateway cannot be connected to, answers with another status than 200, with more than
/// [`MAX_BODY`] bytes, or not by the deadline.
pub(super) async fn get(
    access: &Access,
    place: &Place,
    deadline: Instant,
) -> Result<Bytes, Failure> {
    let request = head(access, place, Method::GET).body(Full::default());
    let (status, body) = exchange(access, place, request, deadline).await?;
    match status {
        StatusCode::OK => Ok(body),
        status => Err(Failure::Invalid(format!("HTTP status {}", status.as_u16()))),
    }
}

/// Sends a SOAP call. Returns whether it succeeded, with the body; a failed one contains the reason.
///
/// # Errors
/// As for [`get`], except that status 500 is an answer, too.
pub(super) async fn post(
    access: &Access,
    place: &Place,
    action: &str,
    body: String,
    deadline: Instant,
) -> Result<(bool, Bytes), Failure> {
    let request = head(access, place, Method::POST)
        .header(header::CONTENT_TYPE, "text/xml; charset=\"utf-8\"")
        .header("soapaction", action)
        .body(Full::from(body));
    match exchange(access, place, request, deadline).await? {
        (StatusCode::OK, body) => Ok((true, body)),
        (StatusCode::INTERNAL_SERVER_ERROR, body) => Ok((false, body)),
        (status, _) => Err(Failure::Invalid(format!("HTTP status {}", status.as_u16()))),
    }
}

fn head(access: &Access, place: &Place, method: Method) -> hyper::http::request::Builder {
    let host = SocketAddr::new(access.gateway.ip(), place.port);
    Request::builder()
        .method(method)
        .uri(&place.path)
        .header(header::HOST, host.to_string())
        .header(
            header::USER_AGENT,
            concat!("Aqueduct/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::CONNECTION, "close")
}

async fn exchange(
    access: &Access,
    place: &Place,
    request: Result<Request<Full<Bytes>>, hyper::http::Error>,
    deadline: Instant,
) -> Result<(StatusCode, Bytes), Failure> {
    let request = request.map_err(|_| Failure::invalid("the address of a service"))?;
    let all = async {
        let stream = access.gateway.connect(access.bind, place.port).await?;
        let handshake = http1::Builder::new()
            .max_buf_size(MAX_HEAD)
            .title_case_headers(true)
            .handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.map_err(broken)?;
        let asking = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            read(response).await
        };
        // The connection reads and writes; its errors reach `asking`, too.
        let serving = async {
            let _ = connection.await;
            pending().await
        };
        tokio::select! { answer = asking => answer, () = serving => Err(Failure::Silent) }
    };
    timeout_at(deadline, all)
        .await
        .unwrap_or(Err(Failure::Silent))
}

async fn read(response: Response<Incoming>) -> Result<(StatusCode, Bytes), Failure> {
    let status = response.status();
    let mut body = response.into_body();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken)?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > MAX_BODY {
            return Err(Failure::TooLong(MAX_BODY));
        }
        whole.extend_from_slice(&data);
    }
    Ok((status, whole.freeze()))
}

fn broken(error: hyper::Error) -> Failure {
    Failure::invalid(&error.to_string())
}
