//! Single lines on standard output and standard error.

use std::io::{self, Write as _};
use std::process;

use serde_json::{Value, json};

use super::failure::{Class, Failure};

/// Prints one line on standard output. Ends the program when it cannot be written.
pub(crate) fn line(text: &str) {
    print(format!("{text}\n").as_bytes());
}

/// Prints bytes on standard output. Ends the program when they cannot be written, with a message
/// unless it is only that the reader closed the pipe.
pub(crate) fn print(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let Err(error) = out.write_all(bytes).and_then(|()| out.flush()) else {
        return;
    };
    if error.kind() != io::ErrorKind::BrokenPipe {
        note(&format!("could not write to standard output: {error}"));
    }
    process::exit(Class::Failure as i32);
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
