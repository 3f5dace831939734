//! The offer to share what the user chose or dropped.

use aqueduct_core::types::visible;
use leptos::ev::SubmitEvent;
use leptos::html::Button;
use leptos::prelude::*;

use super::fields::{AddressesField, LimitField, WhenCompleteFields};
use crate::format::size;
use crate::message::Sharing;
use crate::page::input;
use crate::page::model::Model;
use crate::page::offer::Offer;
use crate::page::preferences::Preferences;
use crate::texts::{common, fields, sharing as texts};

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
    let is_nameless = offer.has_default_name;
    let name = RwSignal::new(offer.name);
    let preferences = expect_context::<Preferences>();
    let sharing = RwSignal::new(Sharing {
        trackers: preferences.settings.with_untracked(|s| s.trackers.clone()),
        ..Sharing::default()
    });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        model.share_offer(name.get_untracked().trim(), sharing.get_untracked());
    };
    // The card is what the user deals with next, by mouse or keyboard.
    let button = NodeRef::<Button>::new();
    Effect::new(move |_| drop(button.get().map(|button| button.focus())));
    view! {
        <form class="card offer" aria-labelledby="offer" on:submit=submit>
            <h2 id="offer">{move || texts::share_what(visible(&name.get()))}</h2>
            <Show when=move || is_nameless>
                <label class="label" for="offer-name">{texts::name()}</label>
                <input
                    id="offer-name" type="text" autocomplete="off" required maxlength="200"
                    prop:value=move || name.get() on:input=move |event| name.set(event_target_value(&event))
                />
            </Show>
            <p>{contents}</p>
            {left_out.map(|text| view! { <p>{text}</p> })}
            <p class="soft">{texts::what_happens()}</p>
            <SharingOptions sharing/>
            <div class="buttons">
                <button class="primary" type="submit" node_ref=button>{common::share()}</button>
                <button type="button" on:click=move |_| model.offer.set(None)>{common::cancel()}</button>
            </div>
        </form>
    }
}

/// Trackers, web seeds and limits of what is shared; initially closed.
#[component]
fn SharingOptions(sharing: RwSignal<Sharing>) -> impl IntoView {
    let trackers = Signal::derive(move || sharing.with(|s| s.trackers.clone()));
    let set_trackers = Callback::new(move |urls| sharing.update(|s| s.trackers = urls));
    let web_seeds = Signal::derive(move || sharing.with(|s| s.web_seeds.clone()));
    let set_web_seeds = Callback::new(move |urls| sharing.update(|s| s.web_seeds = urls));
    let limit = Signal::derive(move || sharing.with(|s| s.options.limits.up));
    let set_limit = Callback::new(move |up| sharing.update(|s| s.options.limits.up = up));
    let rule =
        Signal::derive(move || Some(sharing.with(|s| s.options.when_complete.unwrap_or_default())));
    let set_rule = Callback::new(move |rule| {
        sharing.update(|sharing| sharing.options.when_complete = rule);
    });
    view! {
        <details class="more">
            <summary>{texts::options()}</summary>
            <div class="fields">
                <AddressesField
                    id="share-trackers" label=texts::trackers() hint=texts::trackers_hint()
                    schemes=input::TRACKERS addresses=trackers set=set_trackers
                />
                <AddressesField
                    id="share-web-seeds" label=texts::web_seeds() hint=texts::web_seeds_hint()
                    schemes=input::WEB addresses=web_seeds set=set_web_seeds
                />
                <LimitField id="share-up" label=fields::upload_limit() limit set=set_limit/>
                <WhenCompleteFields ids=["share-complete", "share-ratio"] label=texts::when_complete() value=rule set=set_rule/>
            </div>
        </details>
    }
}

fn contents(offer: &Offer) -> String {
    texts::contents(offer.files.len(), size(offer.size()))
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
    let listed = listed.join(", ");
    match names.len() {
        0 => None,
        1..=MAX_LISTED => Some(texts::left_out(listed)),
        _ => Some(texts::left_out_and_others(listed)),
    }
}
