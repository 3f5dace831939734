//! SHA-1 by the browser or by this program, whichever is faster.
//!
//! Chromium computes digests on the thread of the worker that asks for them, and not every build of
//! it uses the processor's instructions for SHA-1; Firefox computes them on threads of its own. The
//! program digests up to four pieces at a time, and is faster if several wait. Both ways are
//! measured on the first pieces.

mod sha1_lanes;
mod trials;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use aqueduct_core::OpError;
use aqueduct_core::types::Sha1Digest;
use js_sys::Uint8Array;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::MessageChannel;

use self::sha1_lanes::{BLOCK, LANES, Sha1Lanes};
use self::trials::Trials;
use crate::browser::clock::now;
use crate::browser::error::reason;
use crate::browser::global::scope;
use crate::texts::storage as texts;

/// The minimum length of a piece on which both ways are measured, in bytes. The program digests
/// shorter ones, of which many arrive together: the browser's way is a call, and a task, for each.
const MEASURED_LENGTH: u32 = 64 << 10;
/// How much is digested before the digests are reported, in bytes, unless a single batch is more.
const REPORTED: u32 = 256 << 10;
/// Bytes per piece that the program digests at a time, a multiple of [`BLOCK`]: all of them stay in
/// the processor's cache.
const CHUNK: u32 = 8 << 10;
const _: () = assert!((CHUNK as usize).is_multiple_of(BLOCK));

type Done = Box<dyn FnOnce(Result<Sha1Digest, OpError>)>;

/// Digests pieces. Clones share the queue.
#[derive(Clone)]
pub(super) struct Digester(Rc<Inner>);

struct Inner {
    waiting: RefCell<VecDeque<(Uint8Array, Done)>>,
    /// Whether pieces are being digested, or will be in a task of their own.
    is_busy: Cell<bool>,
    trials: Cell<Trials>,
    chunks: RefCell<[Vec<u8>; LANES]>,
    tasks: MessageChannel,
}

impl Digester {
    pub(super) fn new() -> Result<Self, JsValue> {
        let digester = Self(Rc::new(Inner {
            waiting: RefCell::default(),
            is_busy: Cell::new(false),
            trials: Cell::default(),
            chunks: RefCell::default(),
            tasks: MessageChannel::new()?,
        }));
        let handle = digester.clone();
        let run = Closure::<dyn FnMut()>::new(move || {
            let digester = handle.clone();
            spawn_local(async move { digester.run().await });
        });
        let port = digester.0.tasks.port1();
        port.set_onmessage(Some(run.into_js_value().unchecked_ref()));
        Ok(digester)
    }

    /// Passes the digest of `bytes` to `done`, never before this has returned.
    pub(super) fn digest(
        &self,
        bytes: Uint8Array,
        done: impl FnOnce(Result<Sha1Digest, OpError>) + 'static,
    ) {
        self.0
            .waiting
            .borrow_mut()
            .push_back((bytes, Box::new(done)));
        if !self.0.is_busy.replace(true) {
            self.run_soon();
        }
    }

    /// The task is behind the requests that have arrived, so that pieces which wait already are
    /// digested together.
    fn run_soon(&self) {
        // Fails only for values that cannot be cloned.
        drop(self.0.tasks.port2().post_message(&JsValue::NULL));
    }

    async fn run(&self) {
        let mut digested: u32 = 0;
        while digested < REPORTED && !self.0.waiting.borrow().is_empty() {
            let batch = self.next_batch();
            let lengths = batch.iter().map(|(bytes, _)| bytes.length());
            digested = lengths.fold(digested, u32::saturating_add);
            self.digest_batch(batch).await;
        }
        if self.0.waiting.borrow().is_empty() {
            self.0.is_busy.set(false);
        } else {
            self.run_soon();
        }
    }

    async fn digest_batch(&self, batch: Vec<(Uint8Array, Done)>) {
        let length = batch.first().map_or(0, |(bytes, _)| bytes.length());
        if length < MEASURED_LENGTH {
            return self.by_lanes(batch, length);
        }
        let mut trials = self.0.trials.get();
        if trials.are_open() {
            self.measure(&mut trials, &batch).await;
            self.0.trials.set(trials);
        }
        let pieces = u32::try_from(batch.len()).unwrap_or(u32::MAX);
        if trials.are_lanes_faster(pieces) {
            self.by_lanes(batch, length);
        } else {
            for (bytes, done) in batch {
                done(by_browser(&bytes).await);
            }
        }
    }

    /// The next pieces, as far as they have one length.
    fn next_batch(&self) -> Vec<(Uint8Array, Done)> {
        let mut waiting = self.0.waiting.borrow_mut();
        let length = waiting.front().map_or(0, |(bytes, _)| bytes.length());
        let equal = waiting.iter().take(LANES);
        let count = equal
            .take_while(|(bytes, _)| bytes.length() == length)
            .count();
        waiting.drain(..count).collect()
    }

    /// Digests the first piece of a batch both ways.
    async fn measure(&self, trials: &mut Trials, batch: &[(Uint8Array, Done)]) {
        let Some((bytes, _)) = batch.first() else {
            return;
        };
        let start = now();
        let _ = self.in_lanes([Some(bytes), None, None, None], bytes.length());
        let lane = now().since(start).as_secs_f64();
        let start = now();
        let _ = by_browser(bytes).await;
        let browser = now().since(start).as_secs_f64();
        trials.add(bytes.length().into(), lane, browser);
    }

    fn by_lanes(&self, batch: Vec<(Uint8Array, Done)>, length: u32) {
        let pieces = std::array::from_fn(|lane| batch.get(lane).map(|(bytes, _)| bytes));
        let digests = self.in_lanes(pieces, length);
        for ((_, done), digest) in batch.into_iter().zip(digests) {
            done(Ok(digest));
        }
    }

    /// The digests of pieces of this length. Lanes without a piece cost as much as the others.
    fn in_lanes(&self, pieces: [Option<&Uint8Array>; LANES], length: u32) -> [Sha1Digest; LANES] {
        let mut chunks = self.0.chunks.borrow_mut();
        let (mut lanes, mut at) = (Sha1Lanes::new(), 0);
        loop {
            let end = length.min(at + CHUNK);
            for (chunk, piece) in chunks.iter_mut().zip(pieces) {
                chunk.resize((end - at) as usize, 0);
                if let Some(piece) = piece {
                    piece.subarray(at, end).copy_to(chunk);
                }
            }
            let parts = chunks.each_ref().map(|chunk| &chunk[..]);
            lanes.update(parts);
            if end == length {
                let whole = (end - at) as usize / BLOCK * BLOCK;
                let rest = parts.map(|part| part.get(whole..).unwrap_or_default());
                return lanes.finish(rest, length.into());
            }
            at = end;
        }
    }
}

async fn by_browser(bytes: &Uint8Array) -> Result<Sha1Digest, OpError> {
    let failed = |error: JsValue| OpError::Storage {
        full: false,
        message: texts::not_hashed(reason(&error)),
    };
    let subtle = scope().crypto().map_err(failed)?.subtle();
    let started = subtle.digest_with_str_and_js_u8_array("SHA-1", bytes);
    let buffer = JsFuture::from(started.map_err(failed)?)
        .await
        .map_err(failed)?;
    let mut digest = [0; 20];
    Uint8Array::new(&buffer).copy_to(&mut digest);
    Ok(digest)
}
