//! SHA-1 by the browser, on threads of its own and with the processor's instructions for it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use aqueduct_core::io::{OpError, Rope};
use aqueduct_core::types::Sha1Digest;
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::browser::clock::scope;
use crate::engine::errors::reason;
use crate::storage::scratch::Scratch;

/// Digests under way at a time: the browser copies what it digests, so each costs a piece of
/// memory.
const AT_ONCE: usize = 3;

type Answer = Box<dyn FnOnce(Result<Sha1Digest, OpError>)>;

/// Bounds how many digests are under way. Clones share the bound.
#[derive(Clone, Default)]
pub(crate) struct Digester(Rc<Inner>);

#[derive(Default)]
struct Inner {
    busy: Cell<usize>,
    waiting: RefCell<VecDeque<(Rope, Answer)>>,
    scratch: RefCell<Scratch>,
}

impl Digester {
    /// Digests `data` when its turn comes, and tells `done`, never before this call has returned.
    pub(crate) fn digest(
        &self,
        data: Rope,
        done: impl FnOnce(Result<Sha1Digest, OpError>) + 'static,
    ) {
        self.0
            .waiting
            .borrow_mut()
            .push_back((data, Box::new(done)));
        self.next();
    }

    fn next(&self) {
        if self.0.busy.get() >= AT_ONCE {
            return;
        }
        let Some((data, done)) = self.0.waiting.borrow_mut().pop_front() else {
            return;
        };
        self.0.busy.set(self.0.busy.get() + 1);
        let started = start(self.0.scratch.borrow_mut().contiguous(&data));
        let digester = self.clone();
        spawn_local(async move {
            let result = finish(started).await;
            digester.0.busy.set(digester.0.busy.get().saturating_sub(1));
            digester.next();
            done(result);
        });
    }
}

/// The browser takes its own copy of `bytes` before this returns.
fn start(bytes: &[u8]) -> Result<JsFuture, JsValue> {
    let subtle = scope().crypto()?.subtle();
    subtle
        .digest_with_str_and_u8_array("SHA-1", bytes)
        .map(JsFuture::from)
}

async fn finish(started: Result<JsFuture, JsValue>) -> Result<Sha1Digest, OpError> {
    let failed = |error: JsValue| OpError::Storage {
        full: false,
        message: format!("The browser could not check the data: {}.", reason(&error)),
    };
    let buffer = started.map_err(failed)?.await.map_err(failed)?;
    let mut digest = [0; 20];
    Uint8Array::new(&buffer).copy_to(&mut digest);
    Ok(digest)
}
