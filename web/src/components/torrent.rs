//! One torrent: name, progress, what it is doing, its buttons.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen_futures::JsFuture;

use super::files::Files;
use crate::app::{Entry, Model};
use crate::format::{count, duration, percent, rate, size};
use crate::link::to_share;
use crate::message::{Phase, ToWorker, Torrent};
use crate::words;

/// All torrents, newest first.
#[component]
pub fn TorrentList() -> impl IntoView {
    let model = expect_context::<Model>();
    view! {
        <ul class="torrents" role="list" aria-label="Torrents">
            <For each=move || model.torrents.get() key=|entry| entry.id let:entry>
                <Card entry/>
            </For>
        </ul>
    }
}

#[component]
fn Card(entry: Entry) -> impl IntoView {
    let view = entry.view;
    let heading = format!("torrent-{}", entry.id);
    let name = Memo::new(move |_| view.with(|t| t.name.clone()));
    let phase = Memo::new(move |_| view.with(|t| t.phase));
    view! {
        <li class="card" class:trouble=move || phase.get() == Phase::Error>
            <h2 id=heading.clone()>{move || name.get()}</h2>
            <Progress entry/>
            <Status entry/>
            <Numbers entry/>
            <Buttons entry heading/>
            <Files entry/>
        </li>
    }
}

/// How much of what is wanted is there; while checking, how much was checked.
fn progress(torrent: &Torrent) -> u8 {
    match (torrent.phase, torrent.total) {
        (_, None) => 0,
        (Phase::Checking, Some(total)) => percent(torrent.checked, total),
        _ => percent(torrent.done, torrent.wanted),
    }
}

#[component]
fn Progress(entry: Entry) -> impl IntoView {
    let now = Memo::new(move |_| entry.view.with(progress));
    let label = Memo::new(move |_| entry.view.with(|t| format!("Progress of {}", t.name)));
    let still = Memo::new(move |_| entry.view.with(|t| matches!(t.phase, Phase::Paused | Phase::Error)));
    view! {
        <div
            class="bar" class:full=move || now.get() == 100 class:still=move || still.get()
            role="progressbar" aria-label=move || label.get()
            aria-valuemin="0" aria-valuemax="100" aria-valuenow=move || now.get().to_string()
        >
            <div class="fill" style:width=move || format!("{}%", now.get())></div>
        </div>
    }
}

/// The status word and why nothing moves; spoken by screen readers when it changes, so the numbers stand elsewhere.
#[component]
fn Status(entry: Entry) -> impl IntoView {
    let model = expect_context::<Model>();
    let word = Memo::new(move |_| entry.view.with(|t| words::status(t.phase)));
    let why = Memo::new(move |_| entry.view.with(|t| model.bridge.with(|line| words::sentence(t, line))));
    view! {
        <div class="status" role="status">
            <strong>{move || word.get()}</strong>
            <span>{move || Some(why.get()).filter(|text| !text.is_empty()).map(|text| format!(" \u{2013} {text}"))}</span>
        </div>
    }
}

/// Progress, rates, peers, time to go: as far as they mean something now.
fn numbers(torrent: &Torrent) -> Vec<(&'static str, String)> {
    let mut shown = Vec::new();
    let moving = !matches!(torrent.phase, Phase::Paused | Phase::Error | Phase::Checking);
    if torrent.total.is_some() {
        let part = if torrent.done < torrent.wanted { format!("{} of {}", size(torrent.done), size(torrent.wanted)) } else { size(torrent.done) };
        shown.push(("Size", part));
    }
    if moving && torrent.phase == Phase::Downloading {
        shown.push(("Down", rate(torrent.down)));
    }
    if moving && torrent.total.is_some() {
        shown.push(("Up", rate(torrent.up)));
    }
    if moving {
        shown.push(("Peers", peers(torrent)));
    }
    if let (Phase::Downloading, Some(eta)) = (torrent.phase, torrent.eta) {
        shown.push(("Time left", duration(eta)));
    }
    shown
}

fn peers(torrent: &Torrent) -> String {
    match torrent.seeds {
        0 => torrent.peers.to_string(),
        seeds => format!("{} ({})", torrent.peers, count(seeds, "seed")),
    }
}

#[component]
fn Numbers(entry: Entry) -> impl IntoView {
    let all = Memo::new(move |_| entry.view.with(numbers));
    let value = move |label: &'static str| move || all.with(|all| all.iter().find(|(l, _)| *l == label).map(|(_, v)| v.clone()));
    let labels = Memo::new(move |_| all.with(|all| all.iter().map(|(label, _)| *label).collect::<Vec<_>>()));
    view! {
        <dl class="numbers">
            <For each=move || labels.get() key=|label| *label let:label>
                <div>
                    <dt>{label}</dt>
                    <dd>{value(label)}</dd>
                </div>
            </For>
        </dl>
    }
}

#[component]
fn Buttons(entry: Entry, heading: String) -> impl IntoView {
    let model = expect_context::<Model>();
    let id = entry.id;
    let making = Memo::new(move |_| entry.view.with(|t| t.magnet.is_none()));
    let stopped = Memo::new(move |_| entry.view.with(|t| matches!(t.phase, Phase::Paused | Phase::Error)));
    let toggle = move |_| model.send(&if stopped.get_untracked() { ToWorker::Resume(id) } else { ToWorker::Pause(id) });
    let remove = move |_| model.send(&ToWorker::Remove(id));
    view! {
        <div class="buttons">
            <button type="button" aria-describedby=heading.clone() disabled=move || making.get() on:click=toggle>{move || if stopped.get() { "Resume" } else { "Pause" }}</button>
            <button type="button" aria-describedby=heading.clone() disabled=move || making.get() on:click=move |_| share(model, entry)>"Share"</button>
            <button type="button" class="quiet" aria-describedby=heading on:click=remove>"Remove"</button>
        </div>
    }
}

/// Copies a link to this page with the torrent's magnet; where the browser withholds the clipboard, shows it.
fn share(model: Model, entry: Entry) {
    let place = window().location();
    let page = place.origin().unwrap_or_default() + &place.pathname().unwrap_or_default();
    let Some(link) = entry.view.with_untracked(|t| t.magnet.as_ref().map(|magnet| to_share(&page, magnet))) else { return };
    if !window().is_secure_context() {
        model.link.set(Some(link));
        return;
    }
    let copied = window().navigator().clipboard().write_text(&link);
    spawn_local(async move {
        match JsFuture::from(copied).await {
            Ok(_) => model.note("Link copied. Whoever opens it finds this torrent filled in.".to_owned()),
            Err(_) => model.link.set(Some(link)),
        }
    });
}
