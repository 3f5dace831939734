//! The files of a torrent: which are wanted, the progress of each, and saving the complete ones.

use aqueduct_core::types::visible;
use leptos::html::Ul;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{HtmlInputElement, HtmlSelectElement};

use super::preview::Preview;
use crate::format::{percent, size};
use crate::message::{FileRow, Priority, ToWorker};
use crate::page::components::focus::is_lost;
use crate::page::components::gradual::gradually;
use crate::page::components::player::Play;
use crate::page::components::save_all::SaveAll;
use crate::page::components::save_button::SaveButton;
use crate::page::model::{Entry, Model};
use crate::texts::opened as texts;

/// Rows shown at first, and added by each "Show more".
const STEP: usize = 100;

/// The list of files, once the metadata are known.
#[component]
pub fn Files(entry: Entry) -> impl IntoView {
    let is_known = Memo::new(move |_| entry.torrent.with(|t| t.progress.total.is_some()));
    let unknown = || {
        view! { <p class="soft">{texts::unknown_files()}</p> }
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
    let built = gradually(move || entry.files.with(|all| all.len().min(shown.get())));
    let rows = move || {
        entry.files.with(|all| {
            all.iter()
                .take(built.get())
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
    let list = NodeRef::<Ul>::new();
    // The number of rows when the user wanted more, until the next one is built.
    let before = StoredValue::new(None::<usize>);
    let show_more = move |_| {
        before.set_value(Some(shown.get_untracked()));
        shown.update(|n| *n += STEP);
    };
    Effect::new(move |_| {
        let built = built.get();
        let next = before.get_value().filter(|before| built > *before);
        if let Some(next) = next {
            before.set_value(None);
            request_animation_frame(move || take_lost_focus(list, next));
        }
    });
    view! {
        <ul class="files" role="list" aria-label=texts::files() node_ref=list>
            <For each=rows key=|(_, row)| row.index let:item>
                <RowOfFile entry at=item.0 row=item.1/>
            </For>
        </ul>
        <Show when=move || { rest() > 0 }>
            <button type="button" class="quiet" on:click=show_more>
                {move || texts::show_more(rest().min(STEP))}
            </button>
        </Show>
    }
}

/// Moves the focus to a row. The button that showed it is gone with the last rows, and the focus with
/// the button.
fn take_lost_focus(list: NodeRef<Ul>, row: usize) {
    // The list may be gone by now.
    let list = list.try_get_untracked().flatten();
    let found = list.filter(|_| is_lost()).and_then(|list| {
        let row = u32::try_from(row).ok()?;
        list.children().item(row)?.query_selector("input").ok()?
    });
    if let Some(Ok(input)) = found.map(JsCast::dyn_into::<HtmlInputElement>) {
        // If the browser refuses, the focus stays where it is.
        drop(input.focus());
    }
}

/// A file, which is the one at this index of [`Entry::files`].
#[component]
pub fn RowOfFile(entry: Entry, at: usize, row: FileRow) -> impl IntoView {
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
            texts::percent_of(percent(done.get(), total), size(total))
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

const PRIORITIES: [Priority; 3] = [Priority::Skip, Priority::Normal, Priority::High];

/// The name of a priority.
fn priority_word(priority: Priority) -> &'static str {
    match priority {
        Priority::Skip => texts::skip(),
        Priority::Normal => texts::normal(),
        Priority::High => texts::high(),
    }
}

#[component]
fn PriorityChoice(
    row: StoredValue<FileRow>,
    priority: Memo<Priority>,
    set: Callback<Priority>,
) -> impl IntoView {
    let label = row.with_value(|row| texts::priority_of(visible(&row.name)));
    let change = move |event| {
        let index = event_target::<HtmlSelectElement>(&event).selected_index();
        let chosen = usize::try_from(index)
            .ok()
            .and_then(|at| PRIORITIES.get(at));
        set.run(chosen.copied().unwrap_or_default());
    };
    let options = PRIORITIES.map(|value| {
        let name = priority_word(value);
        view! { <option value=name prop:selected=move || priority.get() == value>{name}</option> }
    });
    view! { <select aria-label=label on:change=change>{options.collect_view()}</select> }
}
