//! SHA-1 by the browser or by this program, whichever is faster.
//!
//! Chromium computes digests on the thread of the worker that asks for them, and not every build of
//! it uses the processor's instructions for SHA-1; Firefox computes them on threads of its own. Both
//! ways are measured on the first pieces.

use std::cell::{Cell, RefCell};

use aqueduct_core::OpError;
use aqueduct_core::types::Sha1Digest;
use js_sys::Uint8Array;
use sha1::{Digest, Sha1};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use crate::browser::clock::now;
use crate::browser::error::reason;
use crate::browser::global::scope;

/// The minimum length of a piece on which both ways are measured, in bytes: the browser's costs as
/// much as several KiB just for being called.
const MEASURED_LENGTH: u32 = 64 << 10;
/// The number of pieces on which both are measured.
const TRIALS: u32 = 3;
/// Bytes that the program digests at a time: they stay in the processor's cache.
const CHUNK: u32 = 64 << 10;

/// Digests pieces.
#[derive(Default)]
pub(super) struct Digester {
    choice: RefCell<Choice>,
    is_measuring: Cell<bool>,
    chunk: RefCell<Vec<u8>>,
}

impl Digester {
    /// The digest of `bytes`.
    pub(super) async fn digest(&self, bytes: &Uint8Array) -> Result<Sha1Digest, OpError> {
        let choice = *self.choice.borrow();
        match choice {
            Choice::Program => Ok(self.by_program(bytes)),
            Choice::Undecided(trials)
                if bytes.length() >= MEASURED_LENGTH && !self.is_measuring.replace(true) =>
            {
                self.by_both(bytes, trials).await
            }
            Choice::Browser | Choice::Undecided(_) => by_browser(bytes).await,
        }
    }

    async fn by_both(&self, bytes: &Uint8Array, mut trials: Trials) -> Result<Sha1Digest, OpError> {
        let start = now();
        let _ = self.by_program(bytes);
        let by_program = now().since(start).as_secs_f64();
        let start = now();
        let digest = by_browser(bytes).await;
        let by_browser = now().since(start).as_secs_f64();
        trials.add(f64::from(bytes.length()), by_program, by_browser);
        self.choice.replace(trials.choice());
        self.is_measuring.set(false);
        digest
    }

    fn by_program(&self, bytes: &Uint8Array) -> Sha1Digest {
        let mut chunk = self.chunk.borrow_mut();
        chunk.resize(CHUNK as usize, 0);
        let (length, mut at, mut digest) = (bytes.length(), 0, Sha1::new());
        while at < length {
            let end = length.min(at + CHUNK);
            if let Some(part) = chunk.get_mut(..(end - at) as usize) {
                bytes.subarray(at, end).copy_to(part);
                digest.update(part);
            }
            at = end;
        }
        digest.finalize().into()
    }
}

async fn by_browser(bytes: &Uint8Array) -> Result<Sha1Digest, OpError> {
    let failed = |error: JsValue| OpError::Storage {
        full: false,
        message: format!("The browser could not check the data: {}.", reason(&error)),
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

/// Who digests.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Choice {
    Undecided(Trials),
    Browser,
    Program,
}

impl Default for Choice {
    fn default() -> Self {
        Self::Undecided(Trials::default())
    }
}

/// The best rate of each way in bytes per second. The best counts, since other work may have
/// interrupted a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Trials {
    count: u32,
    program: f64,
    browser: f64,
}

impl Trials {
    fn add(&mut self, bytes: f64, by_program: f64, by_browser: f64) {
        self.count += 1;
        self.program = self.program.max(rate(bytes, by_program));
        self.browser = self.browser.max(rate(bytes, by_browser));
    }

    fn choice(self) -> Choice {
        if self.count < TRIALS {
            Choice::Undecided(self)
        } else if self.program > self.browser {
            Choice::Program
        } else {
            Choice::Browser
        }
    }
}

/// Browsers round times, so that a short one may be 0.
fn rate(bytes: f64, seconds: f64) -> f64 {
    bytes / seconds.max(1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_faster_way_is_chosen_by_its_best_trial() {
        let mut trials = Trials::default();
        trials.add(1e6, 0.002, 0.001);
        assert_eq!(trials.choice(), Choice::Undecided(trials));
        trials.add(1e6, 0.002, 0.050);
        trials.add(1e6, 0.003, 0.050);
        assert_eq!(trials.choice(), Choice::Browser);
        trials.add(1e6, 0.0005, 0.001);
        assert_eq!(trials.choice(), Choice::Program);
    }
}
