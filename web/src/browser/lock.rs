//! One tab of a browser leads: two engines on the same files would ruin them. Web Locks decide
//! which.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::browser::clock::scope;

const NAME: &str = "aqueduct";

/// Takes the lock if it is free. It is held until the worker ends.
pub(crate) async fn try_lead() -> Result<bool, JsValue> {
    let options = Object::new();
    Reflect::set(&options, &"ifAvailable".into(), &JsValue::TRUE)?;
    request(&options).await
}

/// Waits until the tab that leads is closed.
pub(crate) async fn lead() -> Result<(), JsValue> {
    request(&Object::new()).await.map(drop)
}

/// The browser calls back with the lock, or with null when it was not free, and holds the lock
/// until the returned promise settles.
async fn request(options: &Object) -> Result<bool, JsValue> {
    let locks = Reflect::get(&scope().navigator(), &"locks".into())?;
    let method: Function = Reflect::get(&locks, &"request".into())?.dyn_into()?;
    let mut failure = None;
    let decided = Promise::new(&mut |decide, fail| {
        let granted = Closure::once_into_js(move |lock: JsValue| {
            drop(decide.call1(&JsValue::NULL, &JsValue::from_bool(!lock.is_null())));
            if lock.is_null() {
                Promise::resolve(&JsValue::NULL)
            } else {
                Promise::new(&mut |_, _| {})
            }
        });
        match method.call3(&locks, &NAME.into(), options, &granted) {
            Ok(answer) => spawn_local(pass_failure(answer.unchecked_into(), fail)),
            Err(error) => failure = Some(error),
        }
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(JsFuture::from(decided).await?.is_truthy()),
    }
}

/// The promise for the lock settles at the worker's end, or at once with an error if the browser
/// refuses locks.
async fn pass_failure(answer: Promise, fail: Function) {
    if let Err(error) = JsFuture::from(answer).await {
        drop(fail.call1(&JsValue::NULL, &error));
    }
}
