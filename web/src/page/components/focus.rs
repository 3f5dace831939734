//! The keyboard's focus, when an element that had it is gone.

use leptos::prelude::document;

/// Whether no element has the focus, so that a keyboard user would start again at the top.
pub(super) fn is_lost() -> bool {
    let active = document().active_element();
    active.is_none_or(|active| active.tag_name() == "BODY")
}
