//! The page, embedded in the program.

use std::borrow::Cow;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue,
    IF_NONE_MATCH, VARY,
};
use hyper::{Response, StatusCode};
use rust_embed::Embed;

/// The files that trunk built, with a Brotli copy beside each file that compresses well.
#[derive(Embed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct Page;

const NOT_BUILT: &str = "This bridge was built without its page.\n\nBuild both with `cargo xtask build`, then start target/release/aqueduct-bridge.\n";

/// Answers a GET of the page or one of its files; `None` if there is no such file.
pub(crate) fn get(path: &str, headers: &HeaderMap) -> Option<Response<Full<Bytes>>> {
    let name = if path == "/" {
        "index.html"
    } else {
        path.strip_prefix('/')?
    };
    match Page::get(name) {
        Some(file) => Some(serve(name, &file, headers)),
        None if path == "/" => Some(not_built()),
        None => None,
    }
}

fn serve(
    name: &str,
    file: &rust_embed::EmbeddedFile,
    headers: &HeaderMap,
) -> Response<Full<Bytes>> {
    let small = Page::get(&format!("{name}.br")).filter(|_| takes_brotli(headers));
    let digest = file.metadata.sha256_hash();
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    // RFC 9110, 8.8.3: a file and its compressed form are not the same bytes.
    let form = small.as_ref().map_or("", |_| "-br");
    let etag = format!("\"{digest}{form}\"");
    let mut response = Response::new(Full::default());
    let fields = response.headers_mut();
    // Names do not change with contents (the worker's must not), so browsers always revalidate. An
    // answer that nothing changed takes only a few bytes.
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(mime_of(name)));
    fields.insert(VARY, HeaderValue::from_static("accept-encoding"));
    fields.extend(HeaderValue::from_str(&etag).ok().map(|etag| (ETAG, etag)));
    if headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .any(|tags| names_tag(tags, &etag))
    {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    match small {
        Some(small) => {
            response
                .headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static("br"));
            *response.body_mut() = body(small.data);
        }
        None => *response.body_mut() = body(file.data.clone()),
    }
    response
}

fn body(data: Cow<'static, [u8]>) -> Full<Bytes> {
    Full::new(match data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => Bytes::from(data),
    })
}

fn not_built() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(NOT_BUILT));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

/// Whether a list of tags (RFC 9110, 13.1.2) has this one; weak ones compare equal.
fn names_tag(tags: &HeaderValue, etag: &str) -> bool {
    tags.to_str().is_ok_and(|tags| {
        tags.split(',')
            .any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == etag)
    })
}

/// Whether Brotli is among the encodings taken, and not with a weight of 0.
fn takes_brotli(headers: &HeaderMap) -> bool {
    let lists = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|entry| {
        let (coding, weight) = entry
            .split_once(';')
            .map_or((entry, ""), |(coding, weight)| (coding, weight.trim()));
        coding.trim().eq_ignore_ascii_case("br")
            && !matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

/// WebAssembly streams only with its own type; `nosniff` makes the others matter, too.
fn mime_of(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: hyper::header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn brotli_is_sent_only_to_those_who_take_it() {
        for (list, takes) in [
            ("gzip, deflate, br, zstd", true),
            ("br;q=0.5", true),
            ("gzip", false),
            ("br;q=0", false),
            ("", false),
        ] {
            assert_eq!(
                takes_brotli(&headers(ACCEPT_ENCODING, list)),
                takes,
                "{list}"
            );
        }
    }

    #[test]
    fn a_file_that_is_known_already_is_not_sent_again() {
        let file = rust_embed::EmbeddedFile {
            data: Cow::Borrowed(b"x"),
            metadata: rust_embed::Metadata::__rust_embed_new([7; 32], None, None),
        };
        let first = serve("app.wasm", &file, &HeaderMap::new());
        assert_eq!(first.headers()[CONTENT_TYPE], "application/wasm");
        let etag = first.headers()[ETAG].clone();
        let again = serve(
            "app.wasm",
            &file,
            &HeaderMap::from_iter([(IF_NONE_MATCH, etag)]),
        );
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(
            serve("app.wasm", &file, &headers(IF_NONE_MATCH, "\"old\"")).status(),
            StatusCode::OK
        );
    }

    #[test]
    fn nothing_outside_the_page_is_served() {
        for path in [
            "/../Cargo.toml",
            "/..%2fCargo.toml",
            "//etc/passwd",
            "/nothing",
        ] {
            assert!(get(path, &HeaderMap::new()).is_none(), "{path}");
        }
    }
}
