//! What the first torrent needs is compiled before there is one.

use std::time::Duration;

use leptos::prelude::*;

use super::list::Row;
use super::opened::{Panel, RowOfFile};
use crate::message::{FileRow, Torrent};
use crate::page::model::{Entry, Model};

/// How long an empty page waits, so that whoever is about to type or press something comes first.
const DELAY: Duration = Duration::from_millis(200);

/// Builds a row, a panel and the row of a file where nobody sees them. Browsers compile each function
/// of the program when it is called for the first time, and most of the time that the first ones take
/// is spent on that: together with the work of a download that begins, it delays the page by several
/// frames.
#[component]
pub fn CompileEarly() -> impl IntoView {
    let model = expect_context::<Model>();
    let owner = Owner::current();
    let is_idle = Memo::new(move |_| model.has_state.get() && model.torrents.with(Vec::is_empty));
    let is_done = StoredValue::new(false);
    Effect::new(move |_| {
        let is_due = is_idle.get() && !is_done.get_value();
        if let Some(owner) = owner.clone().filter(|_| is_due) {
            is_done.set_value(true);
            set_timeout(move || build_apart(&owner.child()), DELAY);
        }
    });
}

fn build_apart(owner: &Owner) {
    owner.with(|| {
        let torrent = Torrent {
            // A single file has no order.
            files: 2,
            ..Torrent::default()
        };
        let (entry, row) = (Entry::new(torrent), FileRow::default());
        let view = view! { <Row entry/><Panel entry/><RowOfFile entry at=0 row/> };
        drop(view.into_any().build());
    });
    owner.cleanup();
}
