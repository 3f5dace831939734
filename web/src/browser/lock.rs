//! Locks of an origin, built on the Web Locks API. A worker holds them until it ends.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::global::scope;

/// Makes one tab of an origin the leader: two engines on the same files would corrupt them.
pub(crate) const LEADER: Lock = Lock("aqueduct");
/// Held by the storage worker, so that two of them never have files open at the same time.
pub(crate) const STORAGE: Lock = Lock("aqueduct-storage");

/// A lock, by its name.
#[derive(Clone, Copy)]
pub(crate) struct Lock(&'static str);

/// How long a granted lock is held.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hold {
    UntilWorkerEnds,
    Not,
}

impl Lock {
    /// Takes the lock if it is free, and returns whether it was.
    pub(crate) async fn try_acquire(self) -> Result<bool, JsValue> {
        let options = Object::new();
        Reflect::set(&options, &"ifAvailable".into(), &JsValue::TRUE)?;
        self.request(&options, Hold::UntilWorkerEnds).await
    }

    /// Takes the lock as soon as its holder ends.
    pub(crate) async fn acquire(self) -> Result<(), JsValue> {
        self.request(&Object::new(), Hold::UntilWorkerEnds)
            .await
            .map(drop)
    }

    /// Waits until its holder has ended, without taking the lock.
    pub(crate) async fn wait_until_free(self) -> Result<(), JsValue> {
        self.request(&Object::new(), Hold::Not).await.map(drop)
    }

    /// The browser calls back with the lock, or with null if it was not free, and holds the lock
    /// until the returned promise settles.
    async fn request(self, options: &Object, hold: Hold) -> Result<bool, JsValue> {
        let locks = Reflect::get(&scope().navigator(), &"locks".into())?;
        let method: Function = Reflect::get(&locks, &"request".into())?.dyn_into()?;
        let mut failure = None;
        let granted = Promise::new(&mut |resolve, reject| {
            let on_answer = Closure::once_into_js(move |lock: JsValue| {
                drop(resolve.call1(&JsValue::NULL, &JsValue::from_bool(!lock.is_null())));
                if lock.is_null() || hold == Hold::Not {
                    Promise::resolve(&JsValue::NULL)
                } else {
                    Promise::new(&mut |_, _| {})
                }
            });
            match method.call3(&locks, &self.0.into(), options, &on_answer) {
                Ok(held) => spawn_local(forward_failure(held.unchecked_into(), reject)),
                Err(error) => failure = Some(error),
            }
        });
        match failure {
            Some(error) => Err(error),
            None => Ok(JsFuture::from(granted).await?.is_truthy()),
        }
    }
}

/// The promise of the whole request settles when the worker ends, or immediately with an error if
/// the browser refuses locks.
async fn forward_failure(held: Promise, reject: Function) {
    if let Err(error) = JsFuture::from(held).await {
        drop(reject.call1(&JsValue::NULL, &error));
    }
}
