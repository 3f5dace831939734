//! Exceptions of the browser in terms for users.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::DomException;

use crate::texts::browser as texts;

/// Why the browser refused an operation, as a clause.
pub(crate) fn reason(error: &JsValue) -> String {
    if let Some(exception) = error.dyn_ref::<DomException>() {
        return exception_reason(&exception.name());
    }
    let message = error
        .dyn_ref::<js_sys::Error>()
        .map(|error| String::from(error.message()));
    message
        .filter(|message| !message.is_empty())
        .unwrap_or_else(|| texts::unexplained().to_owned())
}

/// The meaning of an exception's name, as a clause.
fn exception_reason(name: &str) -> String {
    let clause = match name {
        "SecurityError" | "NotAllowedError" => texts::not_allowed(),
        "NoModificationAllowedError" => texts::in_use(),
        "NotFoundError" => texts::gone(),
        "NotReadableError" => texts::changed(),
        "QuotaExceededError" => texts::no_space(),
        "InvalidStateError" => texts::closed(),
        "AbortError" => texts::cancelled(),
        "" | "Error" | "UnknownError" => texts::unexplained(),
        other => return texts::named(other),
    };
    clause.to_owned()
}

#[cfg(test)]
mod tests {
    use super::exception_reason;

    #[test]
    fn an_exceptions_name_never_reaches_the_page_where_a_clause_is_known() {
        for name in [
            "SecurityError",
            "NotAllowedError",
            "NoModificationAllowedError",
            "NotFoundError",
            "NotReadableError",
            "QuotaExceededError",
        ] {
            assert!(!exception_reason(name).contains("Error"), "{name}");
        }
        assert_eq!(
            exception_reason("UnknownError"),
            "the browser does not say why"
        );
    }
}
