//! The lock that makes one tab of an origin the leader: two engines on the same files would corrupt
//! them. Built on the Web Locks API.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::global::scope;

const NAME: &str = "aqueduct";

/// Takes the lock if it is free, and returns whether it was. It is held until the worker ends.
pub(crate) async fn try_acquire() -> Result<bool, JsValue> {
    let options = Object::new();
    Reflect::set(&options, &"ifAvailable".into(), &JsValue::TRUE)?;
    request(&options).await
}

/// Takes the lock as soon as the tab that holds it is closed.
pub(crate) async fn acquire() -> Result<(), JsValue> {
    request(&Object::new()).await.map(drop)
}

/// The browser calls back with the lock, or with null if it was not free, and holds the lock until
/// the returned promise settles.
async fn request(options: &Object) -> Result<bool, JsValue> {
    let locks = Reflect::get(&scope().navigator(), &"locks".into())?;
    let method: Function = Reflect::get(&locks, &"request".into())?.dyn_into()?;
    let mut failure = None;
    let granted = Promise::new(&mut |resolve, reject| {
        let on_answer = Closure::once_into_js(move |lock: JsValue| {
            drop(resolve.call1(&JsValue::NULL, &JsValue::from_bool(!lock.is_null())));
            if lock.is_null() {
                Promise::resolve(&JsValue::NULL)
            } else {
                Promise::new(&mut |_, _| {})
            }
        });
        match method.call3(&locks, &NAME.into(), options, &on_answer) {
            Ok(held) => spawn_local(forward_failure(held.unchecked_into(), reject)),
            Err(error) => failure = Some(error),
        }
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(JsFuture::from(granted).await?.is_truthy()),
    }
}

/// The promise of the whole request settles when the worker ends, or immediately with an error if
/// the browser refuses locks.
async fn forward_failure(held: Promise, reject: Function) {
    if let Err(error) = JsFuture::from(held).await {
        drop(reject.call1(&JsValue::NULL, &error));
    }
}
