//! Where peers are looked for: trackers, the DHT, the bridge.

use leptos::prelude::*;

use super::details::Rows;
use crate::page::model::{Entry, Model};
use crate::page::words;

/// What the search for peers has found, in words, and the trackers that the torrent names.
#[component]
pub fn Trackers(entry: Entry) -> impl IntoView {
    let model = expect_context::<Model>();
    let answers = Memo::new(move |_| {
        model
            .bridge
            .with(|bridge| entry.torrent.with(|t| words::answers(t, bridge)))
    });
    let tiers = Memo::new(move |_| entry.details.with(|details| details.trackers.clone()));
    let shown = move || {
        let all = tiers.get();
        let several = all.len() > 1;
        let tier = |(number, urls): (usize, Vec<String>)| {
            let label = several.then(|| format!("Tier {}", number + 1));
            view! {
                <li>
                    {label.map(|label| view! { <span class="soft">{label}</span> })}
                    <ul>{urls.into_iter().map(|url| view! { <li>{url}</li> }).collect_view()}</ul>
                </li>
            }
        };
        all.into_iter().enumerate().map(tier).collect_view()
    };
    view! {
        <Rows rows=answers/>
        <Show when=move || tiers.with(|all| !all.is_empty())>
            <h3>"Trackers of this torrent"</h3>
            <ul class="trackers">{shown}</ul>
        </Show>
    }
}
