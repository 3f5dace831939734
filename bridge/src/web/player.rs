//! Answers to media players on the bridge's own machine.

use std::net::SocketAddr;

use aqueduct_core::media::Head;
use aqueduct_core::tunnel::{OfferedFile, PLAYER_PATH, PlayerToken};
use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_DISPOSITION, HeaderName, HeaderValue, IF_RANGE, RANGE, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};

use crate::player::addresses::Unread;
use crate::player::body::Body;
use crate::web::connection_guard::ConnectionGuard;
use crate::web::context::WebContext;
use crate::web::plain::{refuse, text};

/// Answers a GET or a HEAD of a file that a tab offers.
pub(super) async fn answer(
    request: &Request<Incoming>,
    remote: SocketAddr,
    context: &WebContext,
    guard: &ConnectionGuard,
) -> Response<Either<Full<Bytes>, Body>> {
    let missing = || {
        let body = "No tab offers a file here any more. Copy the address from the page again.\n";
        text(StatusCode::NOT_FOUND, body).map(Either::Left)
    };
    if !context.is_this_machine(remote, request.headers()) {
        let body = "Only players on the bridge's own machine are answered here.\n";
        return text(StatusCode::FORBIDDEN, body).map(Either::Left);
    }
    let token = token(request.uri().path());
    let addresses = context.sessions.players.as_ref();
    let Some((addresses, token)) = addresses.zip(token) else {
        return missing();
    };
    let Some(offered) = addresses.find(token) else {
        return missing();
    };
    let head = head_of(request, &offered.file);
    let bytes = head.body.clone();
    if request.method() == Method::HEAD || bytes.is_empty() {
        return response(head, Either::Left(Full::default()));
    }
    let connection = guard.time.extend();
    match addresses.read((token, &offered), bytes, connection).await {
        Ok(body) => response(head, Either::Right(body)),
        Err(Unread::Withdrawn) => missing(),
        Err(Unread::Busy) => refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "The tab is asked for as much as it may be; close other players.\n",
            &[(RETRY_AFTER, "1")],
        )
        .map(Either::Left),
    }
}

/// The token of a path, which the name of the file may follow.
fn token(path: &str) -> Option<PlayerToken> {
    let rest = path.strip_prefix(PLAYER_PATH)?;
    PlayerToken::parse(rest.split('/').next()?)
}

/// RFC 9110: only a GET has a range (14.2), and one that depends on a validator is ignored, as there
/// are none (13.1.5).
fn head_of(request: &Request<Incoming>, file: &OfferedFile) -> Head {
    let headers = request.headers();
    let range = headers.get(RANGE).and_then(|range| range.to_str().ok());
    let applies = request.method() == Method::GET && !headers.contains_key(IF_RANGE);
    Head::new(&file.media_type, file.size, range.filter(|_| applies))
}

/// A browser that opens the address saves the file.
fn response<B>(head: Head, body: B) -> Response<B> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let fields = response.headers_mut();
    for (name, value) in head.fields {
        let value = HeaderValue::try_from(value).ok();
        fields.extend(value.map(|value| (HeaderName::from_static(name), value)));
    }
    fields.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_behind_a_token_means_nothing() {
        let digits = "00112233445566778899aabbccddeeff";
        for rest in ["", "/", "/film.mkv", "/a/../../etc/passwd", "/%2e%2e"] {
            let found = token(&format!("/v1/play/{digits}{rest}"));
            assert_eq!(found, PlayerToken::parse(digits), "{rest}");
            assert!(found.is_some());
        }
        for path in ["/v1/play/", "/v1/play//x", "/v1/play/0011/x", "/play/x"] {
            assert_eq!(token(path), None, "{path}");
        }
    }
}
