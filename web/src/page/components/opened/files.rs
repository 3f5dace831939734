//! The files of a torrent: which are wanted, the progress of each, and saving the complete ones.

use aqueduct_core::types::visible;
use leptos::prelude::*;
use web_sys::HtmlInputElement;

use super::preview::Preview;
use crate::format::{percent, size};
use crate::message::{FileRow, Priority, ToWorker};
use crate::page::components::player::Play;
use crate::page::components::save_all::SaveAll;
use crate::page::components::save_button::SaveButton;
use crate::page::model::{Entry, Model};

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
    let (id, file) = (entry.id, row.index);
    let model = expect_context::<Model>();
    let priority = Memo::new(move |_| {
        let of_row = |rows: &Vec<FileRow>| rows.get(at).map(|row| row.priority);
        entry.files.with(of_row).unwrap_or_default()
    });
    let set_priority = Callback::new(move |priority| {
        model.send(&ToWorker::SetPriority { id, file, priority });
    });
    let has_order = Memo::new(move |_| !complete.get() && entry.torrent.with(|t| t.files > 1));
    let row = StoredValue::new(row);
    view! {
        <li>
            <Want row priority set=set_priority/>
            <span class="amount">{progress}</span>
            <Show when=move || has_order.get()>
                <PriorityChoice row priority set=set_priority/>
            </Show>
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
fn Want(
    row: StoredValue<FileRow>,
    priority: Memo<Priority>,
    set: Callback<Priority>,
) -> impl IntoView {
    let path = row.with_value(|row| visible(&row.path).into_owned());
    let change = move |event| {
        let is_wanted = event_target::<HtmlInputElement>(&event).checked();
        set.run(if is_wanted {
            Priority::Normal
        } else {
            Priority::Skip
        });
    };
    view! {
        <label class="want">
            <input type="checkbox" prop:checked=move || priority.get() != Priority::Skip on:change=change/>
            <span>{path}</span>
        </label>
    }
}

/// The priorities, with their names.
const PRIORITIES: [(Priority, &str); 3] = [
    (Priority::Skip, "Skip"),
    (Priority::Normal, "Normal"),
    (Priority::High, "High"),
];

#[component]
fn PriorityChoice(
    row: StoredValue<FileRow>,
    priority: Memo<Priority>,
    set: Callback<Priority>,
) -> impl IntoView {
    let label = row.with_value(|row| format!("Priority of {}", visible(&row.name)));
    let change = move |event| {
        let name = event_target_value(&event);
        let chosen = PRIORITIES.iter().find(|(_, other)| *other == name);
        set.run(chosen.map(|(priority, _)| *priority).unwrap_or_default());
    };
    let options = PRIORITIES.map(|(value, name)| {
        view! { <option value=name prop:selected=move || priority.get() == value>{name}</option> }
    });
    view! { <select aria-label=label on:change=change>{options.collect_view()}</select> }
}
