//! .torrent files at web addresses. The worker downloads them itself, since a bridge that did so
//! for tabs would be a proxy. A browser lets a page read another site only if the site permits it
//! (CORS).

use std::fmt;

use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::Response;

use crate::browser::clock::sleep;
use crate::browser::global::scope;
use crate::texts::errors as texts;

/// The maximum size of a .torrent file in bytes; the parser has the same limit.
const MAX_BYTES: usize = 10_000_000;
/// The timeout for the whole file.
const TIMEOUT_MS: i32 = 30_000;

/// Why a file could not be downloaded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FetchError {
    /// The site refuses or does not answer; the browser does not reveal which.
    Refused(String),
    /// A page that was loaded over https must not read over http.
    Insecure(String),
    /// The status is not 200.
    Status {
        /// The address of the file.
        address: String,
        /// The status.
        status: u16,
    },
    /// The file is too large for a .torrent file.
    TooLong(String),
    /// The deadline has passed.
    TooSlow(String),
}

impl fmt::Display for FetchError {
    /// Sentences for the user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Refused(address) => texts::site_refuses(address),
            Self::Insecure(address) => texts::insecure_address(address),
            Self::Status { address, status } => texts::http_status(address, status),
            Self::TooLong(address) => texts::too_many_bytes(address, MAX_BYTES),
            Self::TooSlow(address) => texts::too_slow(address, TIMEOUT_MS / 1000),
        })
    }
}

/// The name of a file at this address.
pub(crate) fn file_name(address: &str) -> &str {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/')
        .find(|part| !part.is_empty())
        .unwrap_or(address)
}

/// Fetches a file of at most [`MAX_BYTES`].
pub(crate) async fn fetch(address: &str) -> Result<Vec<u8>, FetchError> {
    if scope().location().protocol() == "https:"
        && address.to_ascii_lowercase().starts_with("http:")
    {
        return Err(FetchError::Insecure(address.to_owned()));
    }
    let late = Promise::new(&mut |resolve, _| {
        spawn_local(async move {
            sleep(TIMEOUT_MS).await;
            drop(resolve.call1(&JsValue::NULL, &JsValue::NULL));
        });
    });
    let asked = race(&scope().fetch_with_str(address), &late).await;
    let Some(response) = asked.map_err(|_| FetchError::Refused(address.to_owned()))? else {
        return Err(FetchError::TooSlow(address.to_owned()));
    };
    let response: Response = response.unchecked_into();
    match response.status() {
        200 => body(address, &response, &late).await,
        status => Err(FetchError::Status {
            address: address.to_owned(),
            status,
        }),
    }
}

/// The promise's result; `None` if `late` settles first.
async fn race(promise: &Promise, late: &Promise) -> Result<Option<JsValue>, JsValue> {
    let first = JsFuture::from(Promise::race(&Array::of2(promise, late))).await?;
    Ok(Some(first).filter(|value| !value.is_null()))
}

/// Reads the body in parts, so that an endless one is detected.
async fn body(address: &str, response: &Response, late: &Promise) -> Result<Vec<u8>, FetchError> {
    let refused = |_| FetchError::Refused(address.to_owned());
    let reader = Reflect::get(response, &"body".into())
        .and_then(|body| call(&body, "getReader"))
        .map_err(refused)?;
    let mut bytes = Vec::new();
    loop {
        let next: Promise = call(&reader, "read")
            .and_then(JsCast::dyn_into)
            .map_err(refused)?;
        let Some(part) = race(&next, late).await.map_err(refused)? else {
            drop(call(&reader, "cancel"));
            return Err(FetchError::TooSlow(address.to_owned()));
        };
        let get = |key: &str| Reflect::get(&part, &key.into()).map_err(refused);
        if get("done")?.is_truthy() {
            return Ok(bytes);
        }
        bytes.extend(
            get("value")?
                .dyn_into::<Uint8Array>()
                .map_err(refused)?
                .to_vec(),
        );
        if bytes.len() > MAX_BYTES {
            drop(call(&reader, "cancel"));
            return Err(FetchError::TooLong(address.to_owned()));
        }
    }
}

fn call(object: &JsValue, method: &str) -> Result<JsValue, JsValue> {
    Reflect::get(object, &method.into())?
        .dyn_into::<Function>()?
        .call0(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_the_last_part_of_its_address() {
        assert_eq!(
            file_name("https://example.org/files/a.torrent?key=1#x"),
            "a.torrent"
        );
        assert_eq!(file_name("https://example.org/"), "example.org");
    }
}
