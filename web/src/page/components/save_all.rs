//! Saving all files of a torrent: at once, or by itself when they are complete.

use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::HtmlInputElement;

use crate::format::percent;
use crate::message::{FileRow, ToWorker};
use crate::page::model::{Entry, Model};
use crate::page::saving::{Archived, SaveList, archive, save};

/// What this torrent's saving does at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saving {
    /// Nothing.
    Idle,
    /// It waits for the list of files.
    Requested,
    /// The archive is being prepared. So many of all bytes are read.
    Preparing { read: u64, total: u64 },
}

/// "Save all" once everything that is wanted is complete, and before that "Save when finished".
#[component]
pub fn SaveAll(entry: Entry) -> impl IntoView {
    let model = expect_context::<Model>();
    let saving = RwSignal::new(Saving::Idle);
    let complete = Memo::new(move |_| entry.torrent.with(|t| t.is_complete() && t.files > 0));
    let several = Memo::new(move |_| entry.torrent.with(|t| t.files > 1));
    save_when_finished(entry, complete, saving);
    save_when_listed(model, entry, saving);
    let busy = move || saving.get() != Saving::Idle;
    view! {
        <div class="save-all">
            <Show when=move || complete.get() && several.get()>
                <button type="button" aria-describedby=format!("torrent-{}", entry.id) title="As one ZIP file" disabled=busy on:click=move |_| saving.set(Saving::Requested)>"Save all"</button>
            </Show>
            <Show when=move || !complete.get()><WhenFinished entry/></Show>
            <Show when=move || matches!(saving.get(), Saving::Preparing { .. })><Preparing saving/></Show>
        </div>
    }
}

/// A choice for this torrent, which outlives a reload.
#[component]
fn WhenFinished(entry: Entry) -> impl IntoView {
    let folder = entry.torrent.with_untracked(|t| t.folder.clone());
    let chosen = SaveList::read().contains(&folder);
    let change = move |event| {
        let mut list = SaveList::read();
        list.set(&folder, event_target::<HtmlInputElement>(&event).checked());
    };
    view! {
        <label class="want">
            <input type="checkbox" prop:checked=chosen on:change=change/>
            <span>"Save when finished"</span>
        </label>
    }
}

#[component]
fn Preparing(saving: RwSignal<Saving>) -> impl IntoView {
    let done = Memo::new(move |_| match saving.get() {
        Saving::Preparing { read, total } => percent(read, total),
        Saving::Idle | Saving::Requested => 0,
    });
    view! {
        <span>{move || format!("Preparing the ZIP file: {} %", done.get())}</span>
        <div
            class="bar" role="progressbar" aria-label="Preparing the ZIP file"
            aria-valuemin="0" aria-valuemax="100" aria-valuenow=move || done.get().to_string()
        >
            <div class="fill" style:width=move || format!("{}%", done.get())></div>
        </div>
        <button type="button" on:click=move |_| saving.set(Saving::Idle)>"Cancel"</button>
    }
}

/// Requests saving when the torrent becomes complete and the user has chosen that.
fn save_when_finished(entry: Entry, complete: Memo<bool>, saving: RwSignal<Saving>) {
    Effect::new(move |_| {
        if !complete.get() {
            return;
        }
        let folder = entry.torrent.with_untracked(|t| t.folder.clone());
        let mut list = SaveList::read();
        if list.contains(&folder) {
            list.set(&folder, false);
            saving.set(Saving::Requested);
        }
    });
}

/// Carries out a request as soon as the worker has sent which files are complete.
fn save_when_listed(model: Model, entry: Entry, saving: RwSignal<Saving>) {
    Effect::new(move |_| {
        if saving.get() != Saving::Requested {
            return;
        }
        if entry.files_done.with(Vec::is_empty) {
            let (id, shown) = (entry.id, true);
            model.send(&ToWorker::ShowFiles { id, shown });
            return;
        }
        spawn_local(async move {
            match save_complete_files(entry, saving).await {
                Ok(notice) => notice.into_iter().for_each(|text| model.show_notice(text)),
                Err(why) => model.show_error(why),
            }
            saving.try_set(Saving::Idle);
        });
    });
}

/// Saves the files of a torrent that are complete. Returns a message for the user.
async fn save_complete_files(
    entry: Entry,
    saving: RwSignal<Saving>,
) -> Result<Option<String>, String> {
    let rows = complete_files(entry);
    let (name, folder, several) = entry
        .torrent
        .with_untracked(|t| (t.name.clone(), t.folder.clone(), t.files > 1));
    if let (false, [row]) = (several, &rows[..]) {
        return save(&folder, row).await;
    }
    let total = rows.iter().map(|row| row.size).sum();
    saving.set(Saving::Preparing { read: 0, total });
    // "Cancel" has set another state by the next call. A page without this torrent has none.
    let proceed = |read| {
        let goes_on = saving
            .try_with_untracked(|now| matches!(now, Saving::Preparing { .. }))
            .unwrap_or(false);
        if goes_on {
            saving.set(Saving::Preparing { read, total });
        }
        goes_on
    };
    let archived = archive(&name, &folder, &rows, proceed).await?;
    Ok(match archived {
        Archived::Saving => Some(format!("Your browser saves {name}.zip now.")),
        Archived::Cancelled => None,
    })
}

fn complete_files(entry: Entry) -> Vec<FileRow> {
    let done = entry.files_done.get_untracked();
    entry.files.with_untracked(|rows| {
        rows.iter()
            .zip(done)
            .filter(|(row, done)| *done >= row.size)
            .map(|(row, _)| row.clone())
            .collect()
    })
}
