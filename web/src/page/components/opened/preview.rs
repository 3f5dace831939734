//! Shows a complete image or text in its row.

use aqueduct_core::types::visible;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsValue;
use web_sys::{Blob, Url};

use crate::browser::error::reason;
use crate::media::{Kind, kind};
use crate::message::FileRow;
use crate::page::model::{Entry, Model};
use crate::page::saving::{data, object_url};
use crate::page::text_file::decode;
use crate::texts::{common, opened as texts};

/// The maximum number of bytes of a text that are shown.
const MAX_TEXT: f64 = 256.0 * 1024.0;

/// The content that is shown.
#[derive(Clone)]
enum Shown {
    /// The URL of an image.
    Url(String),
    /// The beginning of a text.
    Text(String),
}

/// A button that shows and hides the file; absent for other types.
#[component]
pub fn Preview(entry: Entry, row: StoredValue<FileRow>) -> impl IntoView {
    let (name, shown_as) = row.with_value(|row| {
        (
            visible(&row.name).into_owned(),
            kind(&row.name)
                .filter(|(kind, _)| row.size > 0 && matches!(kind, Kind::Image | Kind::Text)),
        )
    });
    shown_as.map(|(kind, media_type)| view! { <Viewer entry row name kind media_type/> })
}

#[component]
fn Viewer(
    entry: Entry,
    row: StoredValue<FileRow>,
    name: String,
    kind: Kind,
    media_type: &'static str,
) -> impl IntoView {
    let model = expect_context::<Model>();
    let shown = RwSignal::new(None::<Shown>);
    let hide = move || {
        if let Some(Shown::Url(url)) = shown.try_update(Option::take).flatten() {
            drop(Url::revoke_object_url(&url));
        }
    };
    on_cleanup(hide);
    let toggle = move |_| {
        if shown.with_untracked(Option::is_some) {
            hide();
            return;
        }
        let folder = entry.torrent.with_untracked(|t| t.folder.clone());
        let row = row.get_value();
        spawn_local(async move {
            match load(&folder, &row, kind, media_type).await {
                Ok(loaded) => shown.set(Some(loaded)),
                Err(why) => model.notices.show_error(why),
            }
        });
    };
    let label = texts::preview_of(&name);
    view! {
        <button type="button" aria-label=label aria-expanded=move || shown.with(Option::is_some).to_string() on:click=toggle>{texts::preview()}</button>
        {move || shown.get().map(|shown| stage(shown, &name))}
    }
}

async fn load(folder: &str, row: &FileRow, kind: Kind, media_type: &str) -> Result<Shown, String> {
    let data = data(folder, row).await?;
    let shown = if kind == Kind::Text {
        text(&data).await
    } else {
        object_url(&data, media_type).map(Shown::Url)
    };
    shown.map_err(|error| common::unreadable(visible(&row.name), reason(&error)))
}

async fn text(data: &Blob) -> Result<Shown, JsValue> {
    let beginning = data.slice_with_f64_and_f64(0.0, MAX_TEXT)?;
    decode(&beginning).await.map(Shown::Text)
}

fn stage(shown: Shown, name: &str) -> AnyView {
    let label = name.to_owned();
    match shown {
        Shown::Text(text) => {
            view! { <pre class="stage" tabindex="0" aria-label=label>{text}</pre> }.into_any()
        }
        Shown::Url(url) => view! { <img class="stage" src=url alt=label/> }.into_any(),
    }
}
