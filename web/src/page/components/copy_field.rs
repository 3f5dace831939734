//! A text that the user copies.

use leptos::ev::FocusEvent;
use leptos::html::Input;
use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::HtmlInputElement;

use crate::page::clipboard::copy;
use crate::texts::common as texts;

/// A text in a field, and a button that copies it. If the browser does not permit that, the text is
/// selected. `copied` is called when it was copied.
#[component]
pub fn CopyField(
    id: &'static str,
    label: &'static str,
    text: Signal<String>,
    copied: Callback<()>,
) -> impl IntoView {
    let field = NodeRef::<Input>::new();
    let copy_it = move |_| {
        let text = text.get_untracked();
        spawn_local(async move {
            if copy(&text).await {
                copied.run(());
            } else if let Some(field) = field.get_untracked() {
                field.select();
            }
        });
    };
    let select = |event: FocusEvent| event_target::<HtmlInputElement>(&event).select();
    view! {
        <label for=id>{label}</label>
        <div class="add-row">
            <input id=id node_ref=field type="text" readonly prop:value=move || text.get() on:focus=select/>
            <button type="button" aria-describedby=id on:click=copy_it>{texts::copy()}</button>
        </div>
    }
}
