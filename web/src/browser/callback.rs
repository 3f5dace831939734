//! Callbacks as futures.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

/// Calls `begin` with a callback and waits for the callback's argument; `None` if the callback was
/// dropped without being called.
pub(crate) async fn wait_for<T: 'static>(begin: impl FnOnce(Box<dyn FnOnce(T)>)) -> Option<T> {
    let result = Rc::new(Cell::new(None));
    let mut resolve = None;
    let promise = Promise::new(&mut |resolve_promise, _| resolve = Some(resolve_promise));
    let slot = Rc::clone(&result);
    begin(Box::new(move |value| {
        slot.set(Some(value));
        // Calling a promise's resolve function does not fail.
        drop(resolve.map(|resolve| resolve.call0(&JsValue::NULL)));
    }));
    drop(JsFuture::from(promise).await);
    result.take()
}
