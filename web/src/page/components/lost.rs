//! Torrents of an earlier visit whose data the browser has deleted, and the offer to download them
//! again.

use leptos::prelude::*;

use crate::page::model::{Model, Remembered};
use crate::texts::{common, notices as texts};

/// A warning with two buttons, while there are lost torrents.
#[component]
pub fn Lost() -> impl IntoView {
    let model = expect_context::<Model>();
    view! {
        <Show when=move || model.lost.with(|lost| !lost.is_empty())>
            <div class="notice warning lost">
                <p id="lost" role="alert">{move || model.lost.with(|lost| text(lost))}</p>
                <div class="buttons">
                    <button type="button" aria-describedby="lost" on:click=move |_| model.settle_lost(true)>{texts::fetch_again()}</button>
                    <button type="button" class="quiet" aria-describedby="lost" on:click=move |_| model.settle_lost(false)>{common::dismiss()}</button>
                </div>
            </div>
        </Show>
    }
}

fn text(lost: &[Remembered]) -> String {
    let names: Vec<&str> = lost.iter().map(|torrent| torrent.name.as_str()).collect();
    texts::lost(names.join(", "))
}
