//! Short answers in plain text.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

/// An answer that is complete.
pub(super) type Answer = Response<Full<Bytes>>;

pub(super) fn text(status: StatusCode, body: impl Into<Full<Bytes>>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    // It is true only now.
    let fields = answer.headers_mut();
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// As [`text`], with more fields.
pub(super) fn refuse(
    status: StatusCode,
    body: &'static str,
    fields: &[(HeaderName, &'static str)],
) -> Answer {
    let mut answer = text(status, body);
    answer.headers_mut().extend(
        fields
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value))),
    );
    answer
}
