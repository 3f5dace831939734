//! Saving all files of a torrent: at once, or by itself when they are complete.

use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::{FileSystemDirectoryHandle, HtmlInputElement};

use crate::format::percent;
use crate::message::{FileRow, ToWorker};
use crate::page::model::{Entry, Model};
use crate::page::saving::{
    Archived, SaveList, Saving, archive, can_choose_folder, choose_folder, save, save_into,
};
use crate::page::words;
use crate::texts::{common, opened as texts};

/// Carries out the saving of each torrent, whether it is opened or not.
#[component]
pub fn Savings() -> impl IntoView {
    let model = expect_context::<Model>();
    view! {
        <For each=move || model.torrents.get() key=|entry| entry.id let:entry>
            {
                save_when_finished(entry, is_complete(entry));
                save_when_listed(model, entry);
            }
        </For>
    }
}

fn is_complete(entry: Entry) -> Memo<bool> {
    Memo::new(move |_| entry.torrent.with(|t| t.is_complete() && t.files > 0))
}

/// "Save all" once everything that is wanted is complete, and before that "Save when finished".
#[component]
pub fn SaveAll(entry: Entry) -> impl IntoView {
    let model = expect_context::<Model>();
    let saving = entry.saving;
    let complete = is_complete(entry);
    let several = Memo::new(move |_| entry.torrent.with(|t| t.files > 1));
    let busy = move || saving.get() != Saving::Idle;
    view! {
        <div class="save-all">
            <Show when=move || complete.get() && several.get()>
                <button type="button" aria-describedby=format!("torrent-{}", entry.id) title=texts::as_archive() disabled=busy on:click=move |_| saving.set(Saving::Requested)>{texts::save_all()}</button>
                {can_choose_folder().then(|| view! {
                    <button type="button" aria-describedby=format!("torrent-{}", entry.id) disabled=busy on:click=move |_| ask_for_folder(model, entry)>{texts::save_into_folder()}</button>
                })}
            </Show>
            <Show when=move || !complete.get()><WhenFinished entry/></Show>
            <Show when=move || matches!(saving.get(), Saving::Preparing { .. } | Saving::Copying { .. })><Running saving/></Show>
        </div>
    }
}

/// A choice for this torrent, which outlives a reload.
#[component]
fn WhenFinished(entry: Entry) -> impl IntoView {
    let folder = entry.torrent.with_untracked(|t| t.folder.clone());
    let is_listed = {
        let folder = folder.clone();
        move || SaveList::read().contains(&folder)
    };
    let chosen = RwSignal::new(is_listed());
    // Another tab may change it.
    let listener = window_event_listener(ev::storage, move |_| chosen.set(is_listed()));
    on_cleanup(move || listener.remove());
    let change = move |event| {
        let is_chosen = event_target::<HtmlInputElement>(&event).checked();
        SaveList::read().set(&folder, is_chosen);
        chosen.set(is_chosen);
    };
    view! {
        <label class="want">
            <input type="checkbox" prop:checked=move || chosen.get() on:change=change/>
            <span>{texts::save_when_finished()}</span>
        </label>
    }
}

/// Lets the user choose a folder, and requests saving into it.
fn ask_for_folder(model: Model, entry: Entry) {
    spawn_local(async move {
        match choose_folder().await {
            Ok(Some(chosen)) => {
                entry.save_into.set(Some(chosen));
                entry.saving.set(Saving::Requested);
            }
            Ok(None) => {}
            Err(why) => model.notices.show_error(why),
        }
    });
}

#[component]
fn Running(saving: RwSignal<Saving>) -> impl IntoView {
    let shown = Memo::new(move |_| match saving.get() {
        Saving::Copying { written, total } => {
            (texts::saving_into_folder(), percent(written, total))
        }
        Saving::Preparing { read, total } => (texts::preparing_archive(), percent(read, total)),
        Saving::Idle | Saving::Requested | Saving::Listing => ("", 0),
    });
    let done = move || shown.get().1;
    view! {
        <span>{move || texts::saving_progress(shown.get().0, done())}</span>
        <div
            class="bar" role="progressbar" aria-label=move || shown.get().0
            aria-valuemin="0" aria-valuemax="100" aria-valuenow=move || done().to_string()
        >
            <div class="fill" style:width=move || format!("{}%", done())></div>
        </div>
        <button type="button" on:click=move |_| saving.set(Saving::Idle)>{common::cancel()}</button>
    }
}

/// Requests saving when the torrent becomes complete and the user has chosen that.
fn save_when_finished(entry: Entry, complete: Memo<bool>) {
    Effect::new(move |_| {
        if !complete.get() {
            return;
        }
        let folder = entry.torrent.with_untracked(|t| t.folder.clone());
        let mut list = SaveList::read();
        if list.contains(&folder) {
            list.set(&folder, false);
            entry.saving.set(Saving::Requested);
        }
    });
}

/// Carries out a request as soon as the worker has sent which files are complete.
fn save_when_listed(model: Model, entry: Entry) {
    let saving = entry.saving;
    Effect::new(move |_| match saving.get() {
        // What is known of the files may be old.
        Saving::Requested => {
            entry.files_done.set(Vec::new());
            saving.set(Saving::Listing);
            model.send(&ToWorker::ListFiles(entry.id));
        }
        Saving::Listing if entry.files_done.with(|done| !done.is_empty()) => {
            let rows = complete_files(entry);
            let total = rows.iter().map(|row| row.size).sum();
            let chosen = entry.save_into.try_update(Option::take).flatten();
            saving.set(match chosen {
                Some(_) => Saving::Copying { written: 0, total },
                None => Saving::Preparing { read: 0, total },
            });
            spawn_local(async move {
                let saved = match chosen {
                    Some(chosen) => copy_complete_files(entry, &chosen, &rows, total).await,
                    None => save_complete_files(entry, &rows, total).await,
                };
                match saved {
                    Ok(notice) => notice.into_iter().for_each(|text| model.notices.show(text)),
                    Err(why) => model.notices.show_error(why),
                }
                saving.try_set(Saving::Idle);
            });
        }
        Saving::Idle | Saving::Listing | Saving::Preparing { .. } | Saving::Copying { .. } => {}
    });
}

/// Saves the files of a torrent that are complete, of so many bytes in all. Returns a message for
/// the user.
async fn save_complete_files(
    entry: Entry,
    rows: &[FileRow],
    total: u64,
) -> Result<Option<String>, String> {
    let saving = entry.saving;
    let (name, folder, several) = entry
        .torrent
        .with_untracked(|t| (t.name.clone(), t.folder.clone(), t.files > 1));
    if let (false, [row]) = (several, rows) {
        return save(&folder, row).await;
    }
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
    let archived = archive(&name, &folder, rows, proceed).await?;
    Ok(match archived {
        Archived::Saving => Some(texts::browser_saves_archive(name)),
        Archived::Cancelled => None,
    })
}

/// Saves the files of a torrent that are complete, of so many bytes in all, in a folder that the user
/// chose. Returns a message for the user.
async fn copy_complete_files(
    entry: Entry,
    chosen: &FileSystemDirectoryHandle,
    rows: &[FileRow],
    total: u64,
) -> Result<Option<String>, String> {
    let saving = entry.saving;
    let (name, folder) = entry
        .torrent
        .with_untracked(|t| (t.name.clone(), t.folder.clone()));
    let proceed = |written| {
        let goes_on = saving
            .try_with_untracked(|now| matches!(now, Saving::Copying { .. }))
            .unwrap_or(false);
        if goes_on {
            saving.set(Saving::Copying { written, total });
        }
        goes_on
    };
    let copied = save_into(chosen, &name, &folder, rows, proceed).await?;
    Ok(Some(words::copied(&copied, rows.len())))
}

/// The files that are complete, as far as they are listed.
pub(super) fn complete_files(entry: Entry) -> Vec<FileRow> {
    let done = entry.files_done.get_untracked();
    entry.files.with_untracked(|rows| {
        rows.iter()
            .zip(done)
            .filter(|(row, done)| *done >= row.size)
            .map(|(row, _)| row.clone())
            .collect()
    })
}
