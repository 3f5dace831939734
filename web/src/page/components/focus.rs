//! The keyboard's focus: whether an element that had it is gone, and where it goes.

use leptos::prelude::document;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

/// Whether no element has the focus, so that a keyboard user would start again at the top.
pub(super) fn is_lost() -> bool {
    let active = document().active_element();
    active.is_none_or(|active| active.tag_name() == "BODY")
}

/// Gives the focus to the element with this id, if there is one.
pub(super) fn focus_on(id: &str) {
    let element = document().get_element_by_id(id);
    if let Some(element) = element.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        // If the browser refuses, the focus stays where it is.
        drop(element.focus());
    }
}
