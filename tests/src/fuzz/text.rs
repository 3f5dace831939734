//! Text that people paste, and text that others wrote.

use aqueduct_core::discovery::url::Url;
use aqueduct_core::meta::Magnet;
use aqueduct_core::types::{is_hidden, visible};

/// A magnet link that is understood is understood the same when it is shared again, and can be
/// shown anywhere.
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

/// A URL that is understood is written so that it is understood the same, alone and as a redirect.
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

/// The whole URL. Screens show it without user and password.
fn written(url: &Url) -> String {
    url.to_string()
        .replacen("://", &format!("://{}", url.user_prefix()), 1)
}

/// Nothing that acts on a terminal is left.
pub(super) fn text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let shown = visible(&text);
    assert!(!shown.contains(is_hidden), "{shown:?}");
    assert!(text.contains(is_hidden) || shown == text);
}
