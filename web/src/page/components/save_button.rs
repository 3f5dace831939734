//! Saving one file.

use aqueduct_core::types::visible;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::message::FileRow;
use crate::page::model::{Entry, Model};
use crate::page::saving::save;
use crate::texts::opened as texts;

/// Saves a complete file.
#[component]
pub fn SaveButton(entry: Entry, row: StoredValue<FileRow>) -> impl IntoView {
    let model = expect_context::<Model>();
    let label = row.with_value(|row| texts::save_file(visible(&row.name)));
    let click = move |_| {
        let folder = entry.torrent.with_untracked(|t| t.folder.clone());
        let row = row.get_value();
        spawn_local(async move {
            match save(&folder, &row).await {
                Ok(notice) => notice.into_iter().for_each(|text| model.notices.show(text)),
                Err(why) => model.notices.show_error(why),
            }
        });
    };
    view! { <button type="button" aria-label=label on:click=click>{texts::save()}</button> }
}
