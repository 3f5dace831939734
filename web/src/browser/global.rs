//! The global object, and as what the browser runs this program.

use wasm_bindgen::JsCast;
use web_sys::DedicatedWorkerGlobalScope;

/// As what the browser runs this program.
pub(crate) enum Role {
    /// In the document.
    Page,
    /// In a dedicated worker of this name.
    Worker(String),
}

/// The role of this instance of the program.
pub(crate) fn role() -> Role {
    match js_sys::global().dyn_into::<DedicatedWorkerGlobalScope>() {
        Ok(scope) => Role::Worker(scope.name()),
        Err(_) => Role::Page,
    }
}

/// The worker's global object. Only code that runs in the worker may call this.
pub(crate) fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Random bytes from the browser's cryptographic source.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Fails only without a crypto object, which secure contexts always have, or above 64 KiB.
    if let Ok(crypto) = scope().crypto() {
        drop(crypto.get_random_values_with_u8_array(&mut bytes));
    }
    bytes
}
