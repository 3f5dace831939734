//! SHA-1 by the browser.
//!
//! In Chromium the digest runs on the thread of the worker that asks for it, and not every build uses
//! the processor's instructions for it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use aqueduct_core::OpError;
use aqueduct_core::io::Rope;
use aqueduct_core::types::Sha1Digest;
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::scratch::Scratch;
use crate::browser::error::reason;
use crate::browser::global::scope;

/// The maximum number of digests that run at the same time: the browser copies the data, so each
/// costs the memory of a piece.
const MAX_RUNNING: usize = 3;

type Callback = Box<dyn FnOnce(Result<Sha1Digest, OpError>)>;

/// Bounds how many digests run at a time. Clones share the bound.
#[derive(Clone, Default)]
pub(crate) struct Digester(Rc<Inner>);

#[derive(Default)]
struct Inner {
    running: Cell<usize>,
    waiting: RefCell<VecDeque<(Rope, Callback)>>,
    scratch: RefCell<Scratch>,
}

impl Digester {
    /// Digests `data` when its turn comes, then calls `done`, never before this call has returned.
    pub(crate) fn digest(
        &self,
        data: Rope,
        done: impl FnOnce(Result<Sha1Digest, OpError>) + 'static,
    ) {
        self.0
            .waiting
            .borrow_mut()
            .push_back((data, Box::new(done)));
        self.start_next();
    }

    fn start_next(&self) {
        if self.0.running.get() >= MAX_RUNNING {
            return;
        }
        let Some((data, done)) = self.0.waiting.borrow_mut().pop_front() else {
            return;
        };
        self.0.running.set(self.0.running.get() + 1);
        let started = start(self.0.scratch.borrow_mut().contiguous(&data));
        let digester = self.clone();
        spawn_local(async move {
            let result = finish(started).await;
            digester
                .0
                .running
                .set(digester.0.running.get().saturating_sub(1));
            digester.start_next();
            done(result);
        });
    }
}

/// The browser copies `bytes` before this returns.
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
