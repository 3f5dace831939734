//! The Web Locks API: locks of an origin that a worker holds until it ends, and locks that are held
//! for a while.

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

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
        let (locks, method) = lock_manager()?;
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

/// `navigator.locks` of the page or the worker, and its `request`.
fn lock_manager() -> Result<(JsValue, Function), JsValue> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into())?;
    let locks = Reflect::get(&navigator, &"locks".into())?;
    let method = Reflect::get(&locks, &"request".into())?.dyn_into()?;
    Ok((locks, method))
}

/// A lock that is held, or waited for, until this is dropped.
pub(crate) struct HeldLock {
    release: Option<Function>,
}

/// Takes the lock of this name as soon as it is free, and calls `on_granted`.
pub(crate) fn hold(name: &str, on_granted: impl FnOnce() + 'static) -> Result<HeldLock, JsValue> {
    let mut release = None;
    let released = Promise::new(&mut |resolve, _| release = Some(resolve));
    let on_answer = Closure::once_into_js(move |_lock: JsValue| {
        on_granted();
        released
    });
    let (locks, method) = lock_manager()?;
    let request: Promise = method
        .call2(&locks, &name.into(), &on_answer)?
        .unchecked_into();
    // It fails if the browser refuses locks.
    spawn_local(async move { drop(JsFuture::from(request).await) });
    Ok(HeldLock { release })
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        // Calling a promise's resolve function does not fail.
        drop(
            self.release
                .take()
                .map(|release| release.call0(&JsValue::NULL)),
        );
    }
}
