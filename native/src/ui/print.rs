//! Single lines on standard output and standard error.

use std::io::{self, Write as _};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::failure::{Class, Failure};

/// Whether the program has something to save when standard output cannot be written any more.
static SAVES: AtomicBool = AtomicBool::new(false);
/// Whether standard output could not be written.
static IS_LOST: AtomicBool = AtomicBool::new(false);

/// From now on, a standard output that cannot be written does not end the program. [`is_lost`] is to
/// be asked instead, and the state to be saved.
pub(crate) fn save_when_lost() {
    SAVES.store(true, Ordering::Relaxed);
}

/// Whether standard output cannot be written any more, after [`save_when_lost`]: its reader ended,
/// or the disk is full.
pub(crate) fn is_lost() -> bool {
    IS_LOST.load(Ordering::Relaxed)
}

/// Prints one line on standard output, as [`print()`].
pub(crate) fn line(text: &str) {
    print(format!("{text}\n").as_bytes());
}

/// Prints bytes on standard output. When they cannot be written, this ends the program or is
/// remembered, see [`save_when_lost`]; with a message unless it is only that the reader closed the
/// pipe.
pub(crate) fn print(bytes: &[u8]) {
    if is_lost() {
        return;
    }
    let mut out = io::stdout().lock();
    let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) else {
        return;
    };
    if error.kind() != io::ErrorKind::BrokenPipe {
        note(&format!("could not write to standard output: {error}"));
    }
    if !SAVES.load(Ordering::Relaxed) {
        process::exit(Class::Failure as i32);
    }
    IS_LOST.store(true, Ordering::Relaxed);
}

/// Prints one JSON object as a line on standard output.
pub(crate) fn object(value: &Value) {
    line(&value.to_string());
}

/// Prints a failure: a sentence on standard error, or an event.
pub(crate) fn failure(failure: &Failure, json: bool) {
    if json {
        object(&json!({
            "event": "error",
            "class": failure.class.name(),
            "message": failure.message,
        }));
    } else {
        note(&failure.to_string());
    }
}

/// Prints a sentence on standard error.
pub(crate) fn note(text: &str) {
    // There is no other place to report that this failed.
    let _ = writeln!(io::stderr().lock(), "aqueduct: {text}");
}

/// Ends a line on standard error that something else began.
pub(crate) fn end_line() {
    // As in `note`.
    let _ = writeln!(io::stderr().lock());
}
