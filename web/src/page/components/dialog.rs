//! Modal dialogs.

use leptos::html;
use leptos::prelude::*;

use crate::texts::common as texts;

/// A modal dialog with a heading and a button that closes it, as the Escape key does. It is open
/// while the component exists; `close` is called when the user has closed it. The browser returns
/// the focus to the element that had it before.
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
    let label = heading.clone();
    view! {
        <dialog node_ref=dialog class=format!("dialog {class}") aria-label=label on:close=move |_| close.run(())>
            <div class="dialog-head">
                <h2>{heading}</h2>
                <form method="dialog"><button>{texts::close()}</button></form>
            </div>
            {children()}
        </dialog>
    }
}
