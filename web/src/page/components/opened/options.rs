//! The user's choices for one torrent.

use leptos::prelude::*;

use crate::message::{ToWorker, TorrentOptions};
use crate::page::components::fields::{Check, LimitFields, WhenCompleteFields};
use crate::page::model::{Entry, Model};
use crate::texts::opened as texts;

/// Limits, the order of downloading, and what happens when it is complete.
#[component]
pub fn Options(entry: Entry) -> impl IntoView {
    let model = expect_context::<Model>();
    let options = Memo::new(move |_| entry.details.with(|details| details.options));
    let change = move |change: &dyn Fn(&mut TorrentOptions)| {
        let mut options = options.get_untracked();
        change(&mut options);
        // Shown at once, since the worker answers later.
        entry.details.update(|details| details.options = options);
        let id = entry.id;
        model.send(&ToWorker::SetOptions { id, options });
    };
    let limits = Signal::derive(move || options.get().limits);
    let set_limits = Callback::new(move |limits| change(&|options| options.limits = limits));
    let when_complete = Signal::derive(move || options.get().when_complete);
    let set_when_complete =
        Callback::new(move |rule| change(&|options| options.when_complete = rule));
    let sequential = Signal::derive(move || options.get().sequential);
    let set_sequential =
        Callback::new(move |is_chosen| change(&|options| options.sequential = is_chosen));
    view! {
        <section class="fields" aria-labelledby="options">
            <h3 id="options">{texts::options()}</h3>
            <LimitFields ids=["options-down", "options-up"] limits set=set_limits/>
            <WhenCompleteFields
                ids=["options-complete", "options-ratio"] label=texts::when_complete() value=when_complete set=set_when_complete inherits=true
            />
            <Check checked=sequential set=set_sequential>
                <span>{texts::sequential()} <span class="soft">" "{texts::sequential_hint()}</span></span>
            </Check>
        </section>
    }
}
