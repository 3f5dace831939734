//! Messages about the whole page: what prevents it from working, errors, and short confirmations.

use leptos::prelude::*;

use super::copy_field::CopyField;
use super::explain::{Explain, bridge};
use crate::link::to_share;
use crate::message::BridgeStatus;
use crate::page::model::Model;
use crate::page::{page_address, words};
use crate::texts::{about, common, notices as texts};

/// All of them, the most serious first.
#[component]
pub fn Notices() -> impl IntoView {
    let model = expect_context::<Model>();
    let blocked = move || model.blocked.with(|why| why.as_ref().map(words::blocked));
    view! {
        {move || blocked().map(|text| view! { <p class="notice warning" role="alert">{text}</p> })}
        <Errors/>
        <BridgeNotice/>
        {move || model.notices.suspended.get().map(|seconds| view! { <Suspended seconds/> })}
        <Show when=move || model.notices.link_to_copy.with(Option::is_some)>
            <LinkNotice/>
        </Show>
    }
}

/// The errors that the user has not dismissed.
#[component]
pub fn Errors() -> impl IntoView {
    let model = expect_context::<Model>();
    view! {
        <For each=move || model.notices.errors.get() key=Clone::clone let:text>
            <Error text/>
        </For>
    }
}

/// An error, shown until the user dismisses it.
#[component]
fn Error(text: String) -> impl IntoView {
    let model = expect_context::<Model>();
    let shown = text.clone();
    let dismiss = move |_| {
        model
            .notices
            .errors
            .update(|all| all.retain(|other| *other != text))
    };
    view! {
        <div class="notice error row">
            <p role="alert">{shown}</p>
            <button type="button" class="quiet" on:click=dismiss>{common::dismiss()}</button>
        </div>
    }
}

/// That the tab did nothing for a while, until the user dismisses it.
#[component]
fn Suspended(seconds: u32) -> impl IntoView {
    let model = expect_context::<Model>();
    view! {
        <div class="notice row">
            <p role="status">{words::suspended(seconds)}</p>
            <button type="button" class="quiet" on:click=move |_| model.notices.suspended.set(None)>{common::dismiss()}</button>
        </div>
    }
}

/// The problem with the connection to the bridge, if there is one. Screen readers do not read the
/// seconds of the countdown.
#[component]
fn BridgeNotice() -> impl IntoView {
    let model = expect_context::<Model>();
    let text = Memo::new(move |_| model.bridge.with(words::bridge));
    let retry = Memo::new(move |_| model.bridge.with(words::bridge_retry));
    let has_failed = move || {
        model.blocked.with(Option::is_none)
            && model.bridge.with(|bridge| {
                matches!(
                    bridge,
                    BridgeStatus::Waiting { .. } | BridgeStatus::Refused(_)
                )
            })
    };
    view! {
        <Show when=has_failed>
            <div class="notice">
                <p class="status"><span role="status">{move || text.get()}</span><span>{move || retry.get()}</span></p>
                <Explain question=about::what_is_the_bridge()>{bridge()}</Explain>
            </div>
        </Show>
    }
}

/// The two links that lead others to a torrent.
#[component]
fn LinkNotice() -> impl IntoView {
    let model = expect_context::<Model>();
    let magnet = Signal::derive(move || model.notices.link_to_copy.get().unwrap_or_default());
    let page = Signal::derive(move || to_share(&page_address(), &magnet.get()));
    let copied = Callback::new(move |()| model.notices.show(common::link_copied().to_owned()));
    view! {
        <section class="notice links" aria-labelledby="links">
            <div class="row">
                <h2 id="links">{texts::send_link()}</h2>
                <button type="button" class="quiet" on:click=move |_| model.notices.link_to_copy.set(None)>{common::dismiss()}</button>
            </div>
            <CopyField id="link-page" label=texts::copy_link() text=page copied/>
            <CopyField id="link-magnet" label=texts::or_magnet_link() text=magnet copied/>
        </section>
    }
}

/// A confirmation, shown for some seconds at the foot of the window, whatever the scroll position.
#[component]
pub fn Toast() -> impl IntoView {
    let model = expect_context::<Model>();
    view! { <p class="toast" aria-live="polite">{move || model.notices.confirmation.get()}</p> }
}
