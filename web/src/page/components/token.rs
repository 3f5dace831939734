//! Asks for the token that the bridge requires.

use leptos::ev::SubmitEvent;
use leptos::prelude::*;

use super::explain::{Explain, bridge};
use crate::message::{BridgeStatus, ToWorker};
use crate::page::model::Model;
use crate::page::words;
use crate::texts::{about, notices as texts};

/// A form with one field, while the bridge requires a token. The token is only sent to the bridge,
/// and never becomes part of an address.
#[component]
pub fn TokenForm() -> impl IntoView {
    let model = expect_context::<Model>();
    let wanted = Memo::new(move |_| {
        model
            .bridge
            .with(|bridge| matches!(bridge, BridgeStatus::WantsToken { .. }))
    });
    view! {
        <Show when=move || wanted.get()>
            <Form/>
        </Show>
    }
}

#[component]
fn Form() -> impl IntoView {
    let model = expect_context::<Model>();
    let typed = RwSignal::new(String::new());
    let text = Memo::new(move |_| model.bridge.with(words::bridge));
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let token = typed.get_untracked().trim().to_owned();
        if !token.is_empty() {
            model.send(&ToWorker::Token(token));
        }
    };
    view! {
        <form class="notice warning token" on:submit=submit>
            <p id="token-why" role="alert">{move || text.get()}</p>
            <Explain question=about::what_is_the_bridge()>{bridge()}</Explain>
            <label class="label" for="token">{texts::access_token()}</label>
            <div class="add-row">
                <input
                    id="token" type="password" name="token" autocomplete="off" maxlength="256" aria-describedby="token-why"
                    prop:value=move || typed.get()
                    on:input=move |event| typed.set(event_target_value(&event))
                />
                <button type="submit">{texts::connect()}</button>
            </div>
        </form>
    }
}
