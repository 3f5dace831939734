//! The files of a torrent: which are wanted, the progress of each, and saving the complete ones.

use aqueduct_core::types::visible;
use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::HtmlInputElement;

use super::preview::Preview;
use crate::format::{percent, size};
use crate::message::{FileRow, ToWorker};
use crate::page::components::player::Play;
use crate::page::components::save_all::SaveAll;
use crate::page::model::{Entry, Model};
use crate::page::saving::save;

/// Rows shown at first, and added by each "Show more".
const STEP: usize = 100;

/// The list of files, once the metadata are known.
#[component]
pub fn Files(entry: Entry) -> impl IntoView {
    let is_known = Memo::new(move |_| entry.torrent.with(|t| t.progress.total.is_some()));
    let unknown = || {
        view! { <p class="soft">"The files are not known yet. They are listed as soon as a peer has sent the metadata."</p> }
    };
    view! {
        <Show when=move || is_known.get() fallback=unknown>
            <SaveAll entry/>
            <Rows entry/>
        </Show>
    }
}

#[component]
fn Rows(entry: Entry) -> impl IntoView {
    let shown = RwSignal::new(STEP);
    let rows = move || {
        entry.files.with(|all| {
            all.iter()
                .take(shown.get())
                .cloned()
                .enumerate()
                .collect::<Vec<_>>()
        })
    };
    let rest = move || {
        entry
            .files
            .with(|all| all.len().saturating_sub(shown.get()))
    };
    view! {
        <ul class="files" role="list" aria-label="Files">
            <For each=rows key=|(_, row)| row.index let:item>
                <Row entry at=item.0 row=item.1/>
            </For>
        </ul>
        <Show when=move || { rest() > 0 }>
            <button type="button" class="quiet" on:click=move |_| shown.update(|n| *n += STEP)>
                {move || format!("Show {} more", rest().min(STEP))}
            </button>
        </Show>
    }
}

#[component]
fn Row(entry: Entry, at: usize, row: FileRow) -> impl IntoView {
    let total = row.size;
    let done = Memo::new(move |_| {
        entry
            .files_done
            .with(|all| all.get(at).copied().unwrap_or(0))
    });
    let complete =
        Memo::new(move |_| entry.files_done.with(|all| !all.is_empty()) && done.get() >= total);
    let progress = move || {
        if complete.get() {
            size(total)
        } else {
            format!("{} of {}", percent_of(done.get(), total), size(total))
        }
    };
    let row = StoredValue::new(row);
    view! {
        <li>
            <Want entry row/>
            <span class="amount">{progress}</span>
            <Play entry row complete/>
            <Show when=move || complete.get()>
                <Preview entry row/>
                <SaveButton entry row/>
            </Show>
        </li>
    }
}

fn percent_of(done: u64, total: u64) -> String {
    format!("{} %", percent(done, total))
}

#[component]
fn Want(entry: Entry, row: StoredValue<FileRow>) -> impl IntoView {
    let model = expect_context::<Model>();
    let (file, path, wanted) =
        row.with_value(|row| (row.index, visible(&row.path).into_owned(), row.wanted));
    let change = move |event| {
        let wanted = event_target::<HtmlInputElement>(&event).checked();
        model.send(&ToWorker::Want {
            id: entry.id,
            file,
            wanted,
        });
    };
    view! {
        <label class="want">
            <input type="checkbox" prop:checked=wanted on:change=change/>
            <span>{path}</span>
        </label>
    }
}

#[component]
fn SaveButton(entry: Entry, row: StoredValue<FileRow>) -> impl IntoView {
    let model = expect_context::<Model>();
    let label = row.with_value(|row| format!("Save {}", visible(&row.name)));
    let click = move |_| {
        let folder = entry.torrent.with_untracked(|t| t.folder.clone());
        let row = row.get_value();
        spawn_local(async move {
            match save(&folder, &row).await {
                Ok(notice) => notice.into_iter().for_each(|text| model.show_notice(text)),
                Err(why) => model.show_error(why),
            }
        });
    };
    view! { <button type="button" aria-label=label on:click=click>"Save"</button> }
}
