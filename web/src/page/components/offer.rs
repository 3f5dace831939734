//! The offer to share what the user chose or dropped.

use aqueduct_core::types::visible;
use leptos::ev::SubmitEvent;
use leptos::html::Button;
use leptos::prelude::*;

use crate::format::{count, size};
use crate::page::model::Model;
use crate::page::offer::Offer;

/// A card that asks whether to share, while files are offered.
#[component]
pub fn OfferCard() -> impl IntoView {
    let model = expect_context::<Model>();
    view! { {move || model.offer.get().map(|offer| view! { <Card offer/> })} }
}

#[component]
fn Card(offer: Offer) -> impl IntoView {
    let model = expect_context::<Model>();
    let (contents, left_out) = (contents(&offer), left_out(&offer.left_out));
    let is_nameless = offer.has_default_name();
    let name = RwSignal::new(offer.name);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        model.share_offer(name.get_untracked().trim());
    };
    // The card is what the user deals with next, by mouse or keyboard.
    let button = NodeRef::<Button>::new();
    Effect::new(move |_| drop(button.get().map(|button| button.focus())));
    view! {
        <form class="card offer" aria-labelledby="offer" on:submit=submit>
            <h2 id="offer">{move || format!("Share {}?", visible(&name.get()))}</h2>
            <Show when=move || is_nameless>
                <label class="label" for="offer-name">"Name"</label>
                <input
                    id="offer-name" type="text" autocomplete="off" required maxlength="200"
                    prop:value=move || name.get() on:input=move |event| name.set(event_target_value(&event))
                />
            </Show>
            <p>{contents}</p>
            {left_out.map(|text| view! { <p>{text}</p> })}
            <p class="soft">
                "It is copied into this browser's storage, and whoever has the link can fetch it from you while this page is open."
            </p>
            <div class="buttons">
                <button class="primary" type="submit" node_ref=button>"Share"</button>
                <button type="button" on:click=move |_| model.offer.set(None)>"Cancel"</button>
            </div>
        </form>
    }
}

fn contents(offer: &Offer) -> String {
    let files = u32::try_from(offer.files.len()).unwrap_or(u32::MAX);
    format!("{}, {}", count(files, "file"), size(offer.size()))
}

/// Most names that are listed.
const MAX_LISTED: usize = 3;

/// The files that are left out; `None` if there are none.
fn left_out(names: &[String]) -> Option<String> {
    let listed: Vec<String> = names
        .iter()
        .take(MAX_LISTED)
        .map(|name| visible(name).into_owned())
        .collect();
    let more = if names.len() > MAX_LISTED {
        " and others"
    } else {
        ""
    };
    (!names.is_empty()).then(|| {
        format!(
            "Left out, because your system keeps such files for itself: {}{more}.",
            listed.join(", ")
        )
    })
}
