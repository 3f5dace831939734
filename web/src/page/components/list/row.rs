//! The row of a torrent: name, progress, status, numbers, buttons.

use leptos::ev::MouseEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;
use web_sys::HtmlInputElement;

use super::status::Status;
use crate::link::to_share;
use crate::message::{Phase, ToWorker};
use crate::page::clipboard::copy;
use crate::page::list_view::ListView;
use crate::page::model::{Entry, Model};
use crate::page::page_address;
use crate::page::words::{Number, progress};
use crate::texts::{common, list as texts};

/// The row of a torrent. Its name opens and closes the torrent.
#[component]
pub fn Row(entry: Entry) -> impl IntoView {
    let list = expect_context::<ListView>();
    let id = entry.id;
    // Between the rows there are removed torrents, which have the even positions.
    let position = move || list.position(id).map(|at| (2 * at + 1).to_string());
    let heading = format!("torrent-{id}");
    let has_failed = Memo::new(move |_| entry.torrent.with(|t| t.phase == Phase::Error));
    let is_opened = Memo::new(move |_| list.is_opened(id));
    let is_selected = Memo::new(move |_| list.is_selected(id));
    let selector = heading.clone();
    view! {
        <li
            id=format!("row-{id}") class="torrent" style:order=position
            class:failed=move || has_failed.get() class:opened=move || is_opened.get() class:selected=move || is_selected.get()
            on:focusin=move |_| list.set_current(id)
        >
            <Show when=move || list.has_several()>
                <Select entry heading=selector.clone()/>
            </Show>
            <Name entry heading=heading.clone()/>
            <Progress entry/>
            <Status entry/>
            <Numbers entry/>
            <Buttons entry heading/>
        </li>
    }
}

/// `0` for controls that the Tab key reaches, `-1` for others.
fn tab_index(list: ListView, id: u32) -> impl Fn() -> &'static str + Copy + Send + Sync {
    let is_current = Memo::new(move |_| list.is_current(id));
    move || if is_current.get() { "0" } else { "-1" }
}

#[component]
fn Select(entry: Entry, heading: String) -> impl IntoView {
    let list = expect_context::<ListView>();
    let id = entry.id;
    let select = move |event: MouseEvent| {
        let is_selected = event_target::<HtmlInputElement>(&event).checked();
        list.select(id, is_selected, event.shift_key());
    };
    view! {
        <label class="select">
            <input
                type="checkbox" data-control="select" aria-label=texts::select() aria-describedby=heading
                tabindex=tab_index(list, id) prop:checked=move || list.is_selected(id) on:click=select
            />
        </label>
    }
}

#[component]
fn Name(entry: Entry, heading: String) -> impl IntoView {
    let list = expect_context::<ListView>();
    let id = entry.id;
    let name = Memo::new(move |_| entry.torrent.with(|t| t.name.clone()));
    let is_opened = Memo::new(move |_| list.is_opened(id));
    let toggle = move |_| {
        if is_opened.get_untracked() {
            list.close();
        } else {
            list.open(entry);
        }
    };
    view! {
        <h2 id=heading>
            <button
                type="button" class="open" data-control="open" tabindex=tab_index(list, id)
                aria-expanded=move || is_opened.get().to_string() on:click=toggle
            >
                {move || name.get()}
            </button>
        </h2>
    }
}

#[component]
fn Progress(entry: Entry) -> impl IntoView {
    let now = Memo::new(move |_| entry.torrent.with(progress));
    let label = Memo::new(move |_| entry.torrent.with(|t| texts::progress_of(&t.name)));
    let is_still = Memo::new(move |_| {
        entry
            .torrent
            .with(|t| matches!(t.phase, Phase::Paused | Phase::Error) && !t.is_complete())
    });
    view! {
        <div class="progress">
            <div
                class="bar" class:full=move || now.get() == 100 class:still=move || is_still.get()
                role="progressbar" aria-label=move || label.get()
                aria-valuemin="0" aria-valuemax="100" aria-valuenow=move || now.get().to_string()
            >
                <div class="fill" style:width=move || format!("{}%", now.get())></div>
            </div>
            <span class="percent" aria-hidden="true">{move || format!("{} %", now.get())}</span>
        </div>
    }
}

/// Those numbers that apply in the torrent's phase.
#[component]
fn Numbers(entry: Entry) -> impl IntoView {
    let all = Memo::new(move |_| {
        entry
            .torrent
            .with(|t| Number::ALL.map(|number| number.of(t)))
    });
    let shown = Memo::new(move |_| {
        let texts = all.get();
        let known = Number::ALL.into_iter().zip(texts);
        known
            .filter_map(|(number, text)| text.map(|_| number))
            .collect::<Vec<_>>()
    });
    let text = move |number: Number| all.with(|texts| texts[number as usize].clone());
    view! {
        <dl class="numbers">
            <For each=move || shown.get() key=|number| *number as u8 let:number>
                <div class=number.class()>
                    <dt>{number.label()}</dt>
                    <dd data-after=(number == Number::TimeLeft).then(texts::left)>{move || text(number)}</dd>
                </div>
            </For>
        </dl>
    }
}

#[component]
fn Buttons(entry: Entry, heading: String) -> impl IntoView {
    let (model, list) = (expect_context::<Model>(), expect_context::<ListView>());
    let id = entry.id;
    let is_copying = Memo::new(move |_| entry.torrent.with(|t| t.magnet.is_none()));
    let is_stopped = Memo::new(move |_| {
        entry
            .torrent
            .with(|t| matches!(t.phase, Phase::Paused | Phase::Error))
    });
    let toggle = move |_| {
        model.send(&if is_stopped.get_untracked() {
            ToWorker::Resume(id)
        } else {
            ToWorker::Pause(id)
        });
    };
    let remove = move |_| model.send(&ToWorker::Remove(id));
    let stop = tab_index(list, id);
    view! {
        <div class="buttons">
            <button
                type="button" data-control="pause" tabindex=stop aria-describedby=heading.clone()
                disabled=move || is_copying.get() on:click=toggle
            >
                {move || if is_stopped.get() { texts::resume() } else { texts::pause() }}
            </button>
            <button
                type="button" data-control="share" tabindex=stop aria-describedby=heading.clone()
                disabled=move || is_copying.get() on:click=move |_| share(model, entry)
            >
                {common::share()}
            </button>
            <button type="button" class="quiet" data-control="remove" tabindex=stop aria-describedby=heading on:click=remove>{texts::remove()}</button>
        </div>
    }
}

/// Copies a link to this page with the torrent's magnet link, or shows it if the browser withholds
/// the clipboard.
fn share(model: Model, entry: Entry) {
    let Some(magnet) = entry.torrent.with_untracked(|t| t.magnet.clone()) else {
        return;
    };
    spawn_local(async move {
        if copy(&to_share(&page_address(), &magnet)).await {
            model.notices.show(texts::link_copied().to_owned());
        } else {
            model.notices.link_to_copy.set(Some(magnet));
        }
    });
}
