//! The opened torrent, with tabs.

mod details;
mod files;
mod options;
mod peers;
mod pieces;
mod preview;
mod tabs;
mod trackers;

use std::time::Duration;

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

pub(super) use self::files::RowOfFile;
use self::tabs::Tabs;
use super::gradual::before_next_frame;
use super::plot::Plot;
use crate::page::list_view::ListView;
use crate::page::model::{Entry, Model};
use crate::texts::common as texts;

/// The opened torrent, if there is one. It is built in another frame than its row, since both together
/// would delay the page by more than a frame or two.
#[component]
pub fn Opened() -> impl IntoView {
    let (model, list) = (expect_context::<Model>(), expect_context::<ListView>());
    let opened = RwSignal::new(None);
    Effect::new(move |_| {
        list.opened();
        let show = move || opened.set(untrack(|| list.opened()));
        // A new row is built before the next frame.
        set_timeout(
            move || before_next_frame(move || before_next_frame(show)),
            Duration::ZERO,
        );
    });
    move || {
        let entry = opened.get().and_then(|id| model.entry(id));
        entry.map(|entry| view! { <Panel entry/> })
    }
}

/// A torrent's plot and tabs.
#[component]
pub fn Panel(entry: Entry) -> impl IntoView {
    let list = expect_context::<ListView>();
    let name = Memo::new(move |_| entry.torrent.with(|t| t.name.clone()));
    let close = move |event: KeyboardEvent| {
        if event.key() == "Escape" && list.has_several() {
            list.close();
            super::list::focus(entry.id, "open");
        }
    };
    view! {
        <section
            class="opened-torrent" aria-label=move || name.get()
            on:focusin=move |_| list.keep_open(entry) on:keydown=close
        >
            <div class="opened-head">
                <h2>{move || name.get()}</h2>
                <button type="button" on:click=move |_| close_from(list, entry)>{texts::close()}</button>
            </div>
            <Plot of=Some(entry.id)/>
            <Tabs entry/>
        </section>
    }
}

/// Closes the opened torrent; the focus returns to its row.
fn close_from(list: ListView, entry: Entry) {
    list.close();
    super::list::focus(entry.id, "open");
}
