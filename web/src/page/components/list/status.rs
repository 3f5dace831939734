//! The status of a torrent: a word, and why there is no progress.

use std::time::Duration;

use leptos::prelude::*;

use crate::message::Torrent;
use crate::page::list_view::ListView;
use crate::page::model::{Entry, Model};
use crate::page::words;

/// The minimum time between two reasons for the same status: while peers are looked for, many
/// connect and disconnect within a second.
const REASON_INTERVAL: Duration = Duration::from_secs(3);

/// The status. Screen readers read that of the opened torrent, or of the only one, when it changes,
/// so it changes rarely, and countdowns are outside of it.
#[component]
pub fn Status(entry: Entry) -> impl IntoView {
    let (model, list) = (expect_context::<Model>(), expect_context::<ListView>());
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
    let is_read = Memo::new(move |_| list.is_opened(entry.id) || !list.has_several());
    let live = move || if is_read.get() { "polite" } else { "off" };
    view! {
        <div class="status">
            <div role="status" aria-live=live>
                <strong>{move || spoken.with(|(word, _)| *word)}</strong>
                <span>{move || spoken.with(|(_, why)| (!why.is_empty()).then(|| format!(" \u{2013} {why}")))}</span>
            </div>
            <span>{move || countdown.get()}</span>
        </div>
    }
}

/// A status word and a reason.
type Spoken = (&'static str, String);

/// Follows `latest`: a new word immediately, and so that there is no reason any more; a new reason for
/// the same word only after [`REASON_INTERVAL`] has passed.
fn throttled(latest: Memo<Spoken>) -> RwSignal<Spoken> {
    let (spoken, waits) = (
        RwSignal::new(latest.get_untracked()),
        StoredValue::new(false),
    );
    Effect::new(move |_| {
        let is_urgent = latest
            .with(|(word, why)| why.is_empty() || spoken.with_untracked(|(old, _)| old != word));
        if is_urgent || !waits.get_value() {
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
