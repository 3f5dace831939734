//! The worker's clock and its one timer.

use aqueduct_core::Instant;
use js_sys::{Function, Promise};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::global::scope;

/// The maximum delay of the browser's timers in milliseconds; longer ones would fire immediately.
const LONGEST_MS: f64 = 2_147_483_647.0;

/// Monotonic time since the worker started.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "milliseconds since the start, never negative, far below 2^53"
)]
pub(crate) fn now() -> Instant {
    let ms = scope().performance().map_or(0.0, |clock| clock.now());
    Instant::from_micros((ms * 1000.0) as u64)
}

/// The date in milliseconds since 1970.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the browser's date is a whole number below 2^53"
)]
pub(crate) fn unix_millis() -> u64 {
    js_sys::Date::now().max(0.0) as u64
}

/// A timer that calls back once, at the armed time or earlier.
pub(crate) struct Timer {
    callback: Closure<dyn FnMut()>,
    armed: Option<(Instant, i32)>,
}

impl Timer {
    pub(crate) fn new(callback: impl FnMut() + 'static) -> Self {
        Self {
            callback: Closure::new(callback),
            armed: None,
        }
    }

    /// Requests a call at `at`. An earlier call that is already scheduled is kept: an early call is
    /// harmless, and setting timers costs time.
    pub(crate) fn arm(&mut self, at: Instant) {
        match self.armed {
            Some((earlier, _)) if earlier <= at => return,
            Some((_, id)) => scope().clear_timeout_with_handle(id),
            None => {}
        }
        self.armed = set_timeout(self.callback.as_ref().unchecked_ref(), millis_until(at))
            .ok()
            .map(|id| (at, id));
    }

    /// Must be called by the callback: no call is scheduled any more.
    pub(crate) fn fired(&mut self) {
        self.armed = None;
    }
}

fn set_timeout(callback: &Function, ms: i32) -> Result<i32, JsValue> {
    scope().set_timeout_with_callback_and_timeout_and_arguments_0(callback, ms)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "bounded by the line before"
)]
fn millis_until(at: Instant) -> i32 {
    let ms = at.since(now()).as_secs_f64() * 1000.0;
    ms.ceil().min(LONGEST_MS) as i32
}

/// Completes after `ms` milliseconds.
pub(crate) async fn sleep(ms: i32) {
    let promise = Promise::new(&mut |resolve, _| drop(set_timeout(&resolve, ms)));
    drop(JsFuture::from(promise).await);
}
