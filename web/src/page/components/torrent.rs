//! One torrent: name, progress, status, buttons.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen_futures::JsFuture;

use super::files::Files;
use super::undo::Undo;
use crate::format::{count, duration, part, percent, rate};
use crate::link::to_share;
use crate::message::{Peers, Phase, ToWorker, Torrent};
use crate::page::model::{Entry, Model};
use crate::page::words;

/// The minimum time between two reasons for the same status: while peers are looked for, many
/// connect and disconnect within a second.
const REASON_INTERVAL: Duration = Duration::from_secs(3);

/// All torrents, newest first. A removed one can be restored at its position.
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
    let position = move || {
        model
            .torrents
            .with(|all| all.iter().position(|other| other.id == entry.id))
            .map(|position| (2 * position + 1).to_string())
    };
    let torrent = entry.torrent;
    let heading = format!("torrent-{}", entry.id);
    let name = Memo::new(move |_| torrent.with(|t| t.name.clone()));
    let phase = Memo::new(move |_| torrent.with(|t| t.phase));
    view! {
        <li class="card" style:order=position class:failed=move || phase.get() == Phase::Error>
            <h2 id=heading.clone()>{move || name.get()}</h2>
            <Progress entry/>
            <Status entry/>
            <Numbers entry/>
            <Buttons entry heading/>
            <Files entry/>
        </li>
    }
}

/// The percentage of the wanted data that is complete or, while checking, that is checked.
fn progress(torrent: &Torrent) -> u8 {
    let progress = &torrent.progress;
    match (torrent.phase, progress.total) {
        (_, None) => 0,
        (Phase::Checking | Phase::Copying, Some(total)) => percent(progress.checked, total),
        _ => percent(progress.done, progress.wanted),
    }
}

#[component]
fn Progress(entry: Entry) -> impl IntoView {
    let now = Memo::new(move |_| entry.torrent.with(progress));
    let label = Memo::new(move |_| entry.torrent.with(|t| format!("Progress of {}", t.name)));
    let still = Memo::new(move |_| {
        entry
            .torrent
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

/// The status word, and why there is no progress. Screen readers read it when it changes, so it
/// changes rarely, and countdowns are outside of it.
#[component]
fn Status(entry: Entry) -> impl IntoView {
    let model = expect_context::<Model>();
    let status = move |t: &Torrent| {
        (
            words::status(t.phase),
            model.bridge.with(|bridge| words::reason(t, bridge)),
        )
    };
    let spoken = throttled(Memo::new(move |_| entry.torrent.with(status)));
    let countdown = Memo::new(move |_| {
        entry
            .torrent
            .with(|t| model.bridge.with(|bridge| words::countdown(t, bridge)))
    });
    view! {
        <div class="status">
            <div role="status">
                <strong>{move || spoken.with(|(word, _)| *word)}</strong>
                <span>{move || spoken.with(|(_, why)| (!why.is_empty()).then(|| format!(" \u{2013} {why}")))}</span>
            </div>
            <span>{move || countdown.get()}</span>
        </div>
    }
}

/// A status word and a reason.
type Spoken = (&'static str, String);

/// Follows `latest`: a new word immediately, a new reason for the same word only after
/// [`REASON_INTERVAL`] has passed.
fn throttled(latest: Memo<Spoken>) -> RwSignal<Spoken> {
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

/// Shows the latest status if it is new, and again after the interval. A torrent that has been
/// removed by then has no status.
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
        set_timeout(again, REASON_INTERVAL);
    }
}

/// Size, rates, peers, time left: those that apply in this phase.
fn numbers(torrent: &Torrent) -> Vec<(&'static str, String)> {
    let Torrent {
        progress, traffic, ..
    } = torrent;
    let mut shown = Vec::new();
    let moving = !matches!(
        torrent.phase,
        Phase::Paused | Phase::Error | Phase::Checking | Phase::Copying
    );
    if progress.total.is_some() {
        shown.push(("Size", part(progress.done, progress.wanted)));
    }
    if moving && torrent.phase == Phase::Downloading {
        shown.push(("Down", rate(traffic.down)));
    }
    if moving && progress.total.is_some() {
        shown.push(("Up", rate(traffic.up)));
    }
    if moving {
        shown.push(("Peers", peers(torrent)));
    }
    if let (Phase::Downloading, Some(eta)) = (torrent.phase, progress.eta) {
        shown.push(("Time left", duration(eta)));
    }
    shown
}

fn peers(torrent: &Torrent) -> String {
    let Peers {
        connected, seeds, ..
    } = torrent.peers;
    match seeds {
        0 => connected.to_string(),
        seeds => format!("{connected} ({})", count(seeds, "seed")),
    }
}

#[component]
fn Numbers(entry: Entry) -> impl IntoView {
    let all = Memo::new(move |_| entry.torrent.with(numbers));
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
    let is_copying = Memo::new(move |_| entry.torrent.with(|t| t.magnet.is_none()));
    let stopped = Memo::new(move |_| {
        entry
            .torrent
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
            <button type="button" aria-describedby=heading.clone() disabled=move || is_copying.get() on:click=toggle>{move || if stopped.get() { "Resume" } else { "Pause" }}</button>
            <button type="button" aria-describedby=heading.clone() disabled=move || is_copying.get() on:click=move |_| share(model, entry)>"Share"</button>
            <button type="button" class="quiet" aria-describedby=heading on:click=remove>"Remove"</button>
        </div>
    }
}

/// Copies a link to this page with the torrent's magnet link, or shows it if the browser withholds
/// the clipboard.
fn share(model: Model, entry: Entry) {
    let location = window().location();
    let page = location.origin().unwrap_or_default() + &location.pathname().unwrap_or_default();
    let Some(link) = entry
        .torrent
        .with_untracked(|t| t.magnet.as_ref().map(|magnet| to_share(&page, magnet)))
    else {
        return;
    };
    if !window().is_secure_context() {
        model.link_to_copy.set(Some(link));
        return;
    }
    let copied = window().navigator().clipboard().write_text(&link);
    spawn_local(async move {
        match JsFuture::from(copied).await {
            Ok(_) => model.show_notice(
                "Link copied. Send it to anyone who should have this torrent.".to_owned(),
            ),
            Err(_) => model.link_to_copy.set(Some(link)),
        }
    });
}
