//! Text that users paste, and text from other parties.

use aqueduct_core::discovery::url::Url;
use aqueduct_core::meta::Magnet;
use aqueduct_core::types::{is_hidden, visible};

/// A parsed magnet link is the same after formatting and parsing, and is safe to display.
pub(super) fn magnet(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(magnet) = Magnet::parse(text) else {
        return;
    };
    let link = magnet.to_string();
    assert!(link.bytes().all(|b| b.is_ascii_graphic()), "{link:?}");
    if link.len() <= 64 * 1024 {
        assert_eq!(Magnet::parse(&link).as_ref(), Ok(&magnet));
    }
}

/// A parsed URL is the same after formatting and parsing, directly and as the target of a redirect.
pub(super) fn url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (first, second) = text.split_once('\n').unwrap_or((text, "/"));
    let Ok(url) = Url::parse(first) else { return };
    let text = written(&url);
    assert_eq!(Url::parse(&text).as_ref(), Ok(&url), "{text:?}");
    assert_eq!(url.join(&text).as_ref(), Ok(&url), "{text:?}");
    if let Ok(joined) = url.join(second) {
        assert_eq!(Url::parse(&written(&joined)).as_ref(), Ok(&joined));
    }
}

/// The complete URL. Its `Display` form omits user and password.
fn written(url: &Url) -> String {
    url.to_string()
        .replacen("://", &format!("://{}", url.user_prefix()), 1)
}

/// No characters that control a terminal remain.
pub(super) fn text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let shown = visible(&text);
    assert!(!shown.contains(is_hidden), "{shown:?}");
    assert!(text.contains(is_hidden) || shown == text);
}
