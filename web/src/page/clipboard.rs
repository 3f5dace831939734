//! Copying texts for the user.

use leptos::prelude::window;
use wasm_bindgen_futures::JsFuture;

/// Copies a text to the clipboard. Returns whether the browser permitted it. It must be called in
/// answer to an action of the user.
pub(super) async fn copy(text: &str) -> bool {
    if !window().is_secure_context() {
        return false;
    }
    let copied = window().navigator().clipboard().write_text(text);
    JsFuture::from(copied).await.is_ok()
}
