//! Where peers are looked for: trackers, the DHT, the bridge.

use leptos::prelude::*;

use super::details::Rows;
use crate::message::TrackerRow;
use crate::page::model::{Entry, Model};
use crate::page::words;
use crate::texts::opened as texts;

/// What the search for peers has found, in words, and the trackers that the torrent names, each with
/// its answer.
#[component]
pub fn Trackers(entry: Entry) -> impl IntoView {
    let model = expect_context::<Model>();
    let answers = Memo::new(move |_| {
        let (bridge, link) = (model.bridge.get(), model.link.get());
        entry.torrent.with(|t| words::answers(t, &bridge, &link))
    });
    // The URLs do not change with the answers, so that their elements stay.
    let tiers = Memo::new(move |_| entry.trackers.with(|tiers| urls(tiers)));
    let shown = move || {
        let all = tiers.get();
        let several = all.len() > 1;
        let tier = |(number, urls): (usize, Vec<String>)| {
            let label = several.then(|| texts::tier(number + 1));
            let url = |(at, url)| view! { <Tracker entry place=(number, at) url/> };
            view! {
                <li>
                    {label.map(|label| view! { <span class="soft">{label}</span> })}
                    <ul>{urls.into_iter().enumerate().map(url).collect_view()}</ul>
                </li>
            }
        };
        all.into_iter().enumerate().map(tier).collect_view()
    };
    view! {
        <Rows rows=answers/>
        <Show when=move || tiers.with(|all| !all.is_empty())>
            <h3>{texts::trackers_of_torrent()}</h3>
            <ul class="trackers">{shown}</ul>
        </Show>
    }
}

fn urls(tiers: &[Vec<TrackerRow>]) -> Vec<Vec<String>> {
    let of_tier = |tier: &Vec<TrackerRow>| tier.iter().map(|row| row.url.clone()).collect();
    tiers.iter().map(of_tier).collect()
}

/// A tracker at its place: the number of its tier, and its number in that.
#[component]
fn Tracker(entry: Entry, place: (usize, usize), url: String) -> impl IntoView {
    let (tier, at) = place;
    let told = Memo::new(move |_| {
        entry.trackers.with(|tiers| {
            let row = tiers.get(tier).and_then(|tier| tier.get(at));
            row.map(words::tracker)
        })
    });
    view! {
        <li>
            {url}
            <p class="soft">{move || told.get()}</p>
        </li>
    }
}
