//! Modal dialogs.

use leptos::ev::{self, Event};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::fields::Mistakes;
use super::focus::focus_on;
use super::notices::Errors;
use crate::texts::common as texts;

/// A modal dialog with a heading and a button that closes it, as the Escape key does. It is open
/// while the component exists; `close` is called when the user has closed it. The browser returns
/// the focus to the element that had it before. A dialog with a field whose text cannot apply stays open
/// once, at that field. Errors of the page are also shown in the dialog, which covers them.
#[component]
pub fn Dialog(
    class: &'static str,
    heading: String,
    close: Callback<()>,
    children: Children,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        if let Some(dialog) = dialog.get() {
            // Refused only for an element that is not in the document.
            drop(dialog.show_modal());
        }
    });
    let mistakes = Mistakes::new();
    provide_context(mistakes);
    let closes = move |event: Event| {
        // What was typed applies when the field is left.
        leave_field();
        if let Some(id) = mistakes.take_first() {
            event.prevent_default();
            focus_on(id);
        }
    };
    let submits = move |event: ev::SubmitEvent| closes(event.into());
    let label = heading.clone();
    view! {
        <dialog
            node_ref=dialog class=format!("dialog {class}") aria-label=label
            on:cancel=closes on:close=move |_| close.run(())
        >
            <div class="dialog-head">
                <h2>{heading}</h2>
                <form method="dialog" on:submit=submits><button>{texts::close()}</button></form>
            </div>
            <Errors/>
            {children()}
        </dialog>
    }
}

fn leave_field() {
    let active = document().active_element().map(JsCast::dyn_into);
    if let Some(Ok::<HtmlElement, _>(active)) = active {
        // Fails only for an element that is not in the document.
        drop(active.blur());
    }
}
