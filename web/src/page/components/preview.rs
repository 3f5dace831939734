//! Shows a complete file in its row: pictures, sound, film and plain text, nothing else.

use aqueduct_core::types::visible;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, Url};

use crate::engine::errors::reason;
use crate::message::FileRow;
use crate::page::media::{Kind, kind};
use crate::page::{Entry, Model, data};

/// Of a text, so much is shown (bytes).
const MAX_TEXT: f64 = 256.0 * 1024.0;

/// What is on show.
#[derive(Clone)]
enum Shown {
    /// The address of a picture, sound or film.
    Address(String),
    /// The text itself.
    Text(String),
}

/// A button that shows the file and hides it again; absent for types that are not shown.
#[component]
pub fn Preview(entry: Entry, row: StoredValue<FileRow>) -> impl IntoView {
    let (name, shown_as) = row.with_value(|row| {
        (
            visible(&row.name).into_owned(),
            kind(&row.name).filter(|_| row.size > 0),
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
        if let Some(Shown::Address(address)) = shown.try_update(Option::take).flatten() {
            drop(Url::revoke_object_url(&address));
        }
    };
    on_cleanup(hide);
    let toggle = move |_| {
        if shown.with_untracked(Option::is_some) {
            hide();
            return;
        }
        let folder = entry.view.with_untracked(|t| t.folder.clone());
        let row = row.get_value();
        spawn_local(async move {
            match load(&folder, &row, kind, media_type).await {
                Ok(loaded) => shown.set(Some(loaded)),
                Err(why) => model.complain(why),
            }
        });
    };
    let label = format!("{} {name}", kind.verb());
    view! {
        <button type="button" aria-label=label aria-expanded=move || shown.with(Option::is_some).to_string() on:click=toggle>{kind.verb()}</button>
        {move || shown.get().map(|shown| stage(shown, kind, &name))}
    }
}

async fn load(folder: &str, row: &FileRow, kind: Kind, media_type: &str) -> Result<Shown, String> {
    let data = data(folder, row).await?;
    let shown = if kind == Kind::Text {
        text(&data).await
    } else {
        address(&data, media_type)
    };
    shown.map_err(|error| format!("{} cannot be read: {}.", visible(&row.name), reason(&error)))
}

async fn text(data: &Blob) -> Result<Shown, JsValue> {
    let beginning = data.slice_with_f64_and_f64(0.0, MAX_TEXT)?;
    let text = JsFuture::from(beginning.text()).await?;
    Ok(Shown::Text(text.as_string().unwrap_or_default()))
}

/// The data under a media type of our choice, whatever they are.
fn address(data: &Blob, media_type: &str) -> Result<Shown, JsValue> {
    let typed = data.slice_with_f64_and_f64_and_content_type(0.0, data.size(), media_type)?;
    Url::create_object_url_with_blob(&typed).map(Shown::Address)
}

fn stage(shown: Shown, kind: Kind, name: &str) -> AnyView {
    let label = name.to_owned();
    match (shown, kind) {
        (Shown::Text(text), _) => {
            view! { <pre class="stage" tabindex="0" aria-label=label>{text}</pre> }.into_any()
        }
        (Shown::Address(address), Kind::Audio) => {
            view! { <audio class="stage" controls src=address aria-label=label></audio> }.into_any()
        }
        (Shown::Address(address), Kind::Video) => {
            view! { <video class="stage" controls src=address aria-label=label></video> }.into_any()
        }
        (Shown::Address(address), Kind::Image | Kind::Text) => {
            view! { <img class="stage" src=address alt=label/> }.into_any()
        }
    }
}
