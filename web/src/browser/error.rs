//! Exceptions of the browser in terms for users.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::DomException;

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
        .unwrap_or_else(|| "the browser does not say why".to_owned())
}

/// The meaning of an exception's name, as a clause.
fn exception_reason(name: &str) -> String {
    let clause = match name {
        "SecurityError" | "NotAllowedError" => "the browser does not allow this page to do that",
        "NoModificationAllowedError" => "another tab is still using it",
        "NotFoundError" => "it is not there any more",
        "NotReadableError" => "it was changed or moved, or another program is using it",
        "QuotaExceededError" => "no space is left",
        "InvalidStateError" => "the browser has closed it",
        "AbortError" => "the browser cancelled it",
        "" | "Error" | "UnknownError" => "the browser does not say why",
        other => return format!("the browser calls it {other}"),
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
