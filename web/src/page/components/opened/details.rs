//! Hashes, sizes, amounts and links of a torrent, and the user's choices for it.

use leptos::prelude::*;

use super::options::Options;
use crate::page::model::Entry;
use crate::page::{page_address, words};

/// The details, as far as they are known, and the options.
#[component]
pub fn Details(entry: Entry) -> impl IntoView {
    let rows = Memo::new(move |_| {
        let page = page_address();
        entry
            .details
            .with(|details| entry.torrent.with(|t| words::details(t, details, &page)))
    });
    let is_known = Memo::new(move |_| entry.details.with(|d| d.v1.is_some() || d.v2.is_some()));
    view! {
        <Rows rows/>
        <Show when=move || is_known.get()>
            <Options entry/>
        </Show>
    }
}

/// Names and values.
#[component]
pub fn Rows(rows: Memo<Vec<(&'static str, String)>>) -> impl IntoView {
    let names = move || rows.with(|rows| rows.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let value = move |name: &'static str| {
        move || {
            rows.with(|rows| {
                rows.iter()
                    .find(|(other, _)| *other == name)
                    .map(|(_, value)| value.clone())
            })
        }
    };
    view! {
        <dl class="facts">
            <For each=names key=|name| *name let:name>
                <div>
                    <dt>{name}</dt>
                    <dd>{value(name)}</dd>
                </div>
            </For>
        </dl>
    }
}
