//! One torrent: name, progress, what it is doing, its buttons.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen_futures::JsFuture;

use super::files::Files;
use super::undo::Undo;
use crate::format::{count, duration, part, percent, rate};
use crate::link::to_share;
use crate::message::{Phase, ToWorker, Torrent};
use crate::page::words;
use crate::page::{Entry, Model};

/// Reasons for one and the same status follow each other at this distance: many come and go within
/// a second while peers are looked for.
const SPOKEN_EVERY: Duration = Duration::from_secs(3);

/// All torrents, newest first; what was removed a moment ago can be taken back where it stood.
#[component]
pub fn TorrentList() -> impl IntoView {
    let model = expect_context::<Model>();
    view! {
        <div class="list">
            <Undo/>
            <ul class="torrents" role="list" aria-label="Torrents">
                <For each=move || model.torrents.get() key=|entry| entry.id let:entry>
                    <Card entry/>
                </For>
            </ul>
        </div>
    }
}

#[component]
fn Card(entry: Entry) -> impl IntoView {
    let model = expect_context::<Model>();
    let place = move || {
        model
            .torrents
            .with(|all| all.iter().position(|other| other.id == entry.id))
            .map(|place| (2 * place + 1).to_string())
    };
    let view = entry.view;
    let heading = format!("torrent-{}", entry.id);
    let name = Memo::new(move |_| view.with(|t| t.name.clone()));
    let phase = Memo::new(move |_| view.with(|t| t.phase));
    view! {
        <li class="card" style:order=place class:trouble=move || phase.get() == Phase::Error>
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
        (Phase::Checking | Phase::Copying, Some(total)) => percent(torrent.checked, total),
        _ => percent(torrent.done, torrent.wanted),
    }
}

#[component]
fn Progress(entry: Entry) -> impl IntoView {
    let now = Memo::new(move |_| entry.view.with(progress));
    let label = Memo::new(move |_| entry.view.with(|t| format!("Progress of {}", t.name)));
    let still = Memo::new(move |_| {
        entry
            .view
            .with(|t| matches!(t.phase, Phase::Paused | Phase::Error) && !t.is_complete())
    });
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

/// The status word and why nothing moves. Screen readers speak it when it changes, so it changes
/// seldom, and countdowns stand beside it.
#[component]
fn Status(entry: Entry) -> impl IntoView {
    let model = expect_context::<Model>();
    let told = move |t: &Torrent| {
        (
            words::status(t.phase),
            model.bridge.with(|line| words::sentence(t, line)),
        )
    };
    let spoken = seldom(Memo::new(move |_| entry.view.with(told)));
    let passing = Memo::new(move |_| {
        entry
            .view
            .with(|t| model.bridge.with(|line| words::passing(t, line)))
    });
    view! {
        <div class="status">
            <div role="status">
                <strong>{move || spoken.with(|(word, _)| *word)}</strong>
                <span>{move || spoken.with(|(_, why)| (!why.is_empty()).then(|| format!(" \u{2013} {why}")))}</span>
            </div>
            <span>{move || passing.get()}</span>
        </div>
    }
}

type Spoken = (&'static str, String);

/// Follows `latest`: a new word at once, a new reason for the same word a while after the one
/// before.
fn seldom(latest: Memo<Spoken>) -> RwSignal<Spoken> {
    let (spoken, waits) = (
        RwSignal::new(latest.get_untracked()),
        StoredValue::new(false),
    );
    Effect::new(move |_| {
        let is_new_word = latest.with(|new| spoken.with_untracked(|old| old.0 != new.0));
        if is_new_word || !waits.get_value() {
            speak(latest, spoken, waits);
        }
    });
    spoken
}

/// Speaks what is new, and later what is new then. A torrent that is gone meanwhile has nothing to
/// say.
fn speak(latest: Memo<Spoken>, spoken: RwSignal<Spoken>, waits: StoredValue<bool>) {
    let Some(new) = latest
        .try_get_untracked()
        .filter(|new| spoken.try_with_untracked(|old| old != new) == Some(true))
    else {
        return;
    };
    spoken.set(new);
    if !waits.get_value() {
        waits.set_value(true);
        let again = move || {
            waits.try_update_value(|waits| *waits = false);
            speak(latest, spoken, waits);
        };
        set_timeout(again, SPOKEN_EVERY);
    }
}

/// Progress, rates, peers, time to go: as far as they mean something now.
fn numbers(torrent: &Torrent) -> Vec<(&'static str, String)> {
    let mut shown = Vec::new();
    let moving = !matches!(
        torrent.phase,
        Phase::Paused | Phase::Error | Phase::Checking | Phase::Copying
    );
    if torrent.total.is_some() {
        shown.push(("Size", part(torrent.done, torrent.wanted)));
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
    let value = move |label: &'static str| {
        move || {
            all.with(|all| {
                all.iter()
                    .find(|(l, _)| *l == label)
                    .map(|(_, v)| v.clone())
            })
        }
    };
    let labels =
        Memo::new(move |_| all.with(|all| all.iter().map(|(label, _)| *label).collect::<Vec<_>>()));
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
    let stopped = Memo::new(move |_| {
        entry
            .view
            .with(|t| matches!(t.phase, Phase::Paused | Phase::Error))
    });
    let toggle = move |_| {
        model.send(&if stopped.get_untracked() {
            ToWorker::Resume(id)
        } else {
            ToWorker::Pause(id)
        })
    };
    let remove = move |_| model.send(&ToWorker::Remove(id));
    view! {
        <div class="buttons">
            <button type="button" aria-describedby=heading.clone() disabled=move || making.get() on:click=toggle>{move || if stopped.get() { "Resume" } else { "Pause" }}</button>
            <button type="button" aria-describedby=heading.clone() disabled=move || making.get() on:click=move |_| share(model, entry)>"Share"</button>
            <button type="button" class="quiet" aria-describedby=heading on:click=remove>"Remove"</button>
        </div>
    }
}

/// Copies a link to this page with the torrent's magnet; where the browser withholds the clipboard,
/// shows it.
fn share(model: Model, entry: Entry) {
    let place = window().location();
    let page = place.origin().unwrap_or_default() + &place.pathname().unwrap_or_default();
    let Some(link) = entry
        .view
        .with_untracked(|t| t.magnet.as_ref().map(|magnet| to_share(&page, magnet)))
    else {
        return;
    };
    if !window().is_secure_context() {
        model.link.set(Some(link));
        return;
    }
    let copied = window().navigator().clipboard().write_text(&link);
    spawn_local(async move {
        match JsFuture::from(copied).await {
            Ok(_) => model
                .note("Link copied. Send it to anyone who should have this torrent.".to_owned()),
            Err(_) => model.link.set(Some(link)),
        }
    });
}
