//! Callbacks as something to wait for.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

/// Begins something that answers a callback, and waits for the answer; `None` if the callback was
/// dropped without one.
pub(crate) async fn told<T: 'static>(begin: impl FnOnce(Box<dyn FnOnce(T)>)) -> Option<T> {
    let answer = Rc::new(Cell::new(None));
    let mut resolve = None;
    let promise = Promise::new(&mut |when_told, _| resolve = Some(when_told));
    let slot = Rc::clone(&answer);
    begin(Box::new(move |told| {
        slot.set(Some(told));
        // Calling what settles a promise does not fail.
        drop(resolve.map(|resolve| resolve.call0(&JsValue::NULL)));
    }));
    drop(JsFuture::from(promise).await);
    answer.take()
}
