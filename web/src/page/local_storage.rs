//! Values that the page stores for later visits, as JSON, in the origin's local storage.

use serde::Serialize;
use serde::de::DeserializeOwned;
use web_sys::Storage;

/// The key of the user's settings.
pub(crate) const SETTINGS: &str = "aqueduct.settings";

/// The value stored under this key; the default if there is none, or if the browser stores nothing
/// for the page.
pub(crate) fn read<T: DeserializeOwned + Default>(key: &str) -> T {
    let text = storage().and_then(|storage| storage.get_item(key).ok().flatten());
    text.and_then(|text| serde_json::from_slice(text.as_bytes()).ok())
        .unwrap_or_default()
}

/// Stores a value, unless the browser stores nothing for the page.
pub(crate) fn write(key: &str, value: &impl Serialize) {
    if let (Some(storage), Ok(text)) = (storage(), serde_json::to_string(value)) {
        drop(storage.set_item(key, &text));
    }
}

fn storage() -> Option<Storage> {
    web_sys::window()?.local_storage().ok().flatten()
}
