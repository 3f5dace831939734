//! Plays an audio or video file in a dialog, also while it is downloaded.

use aqueduct_core::types::visible;
use leptos::ev;
use leptos::html::Dialog;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use web_sys::{HtmlMediaElement, MediaError, Url};

use crate::browser::error::reason;
use crate::format::{part, rate};
use crate::media::{Kind, kind};
use crate::message::{FileRow, Phase};
use crate::page::model::{Entry, Model};
use crate::page::saving::{data, object_url};
use crate::page::streaming::Streaming;

/// A file in the player.
#[derive(Clone, PartialEq, Eq)]
struct Playing {
    entry: Entry,
    row: FileRow,
    kind: Kind,
    /// The element's source.
    address: String,
}

/// The file that is played, if any. Copies share it.
#[derive(Clone, Copy)]
pub struct Player(RwSignal<Option<Playing>>);

impl Player {
    /// A player without a file.
    pub fn new() -> Self {
        Self(RwSignal::new(None))
    }

    fn close(self) {
        let closed = self.0.try_update(Option::take).flatten();
        if let Some(playing) = closed.filter(|playing| playing.address.starts_with("blob:")) {
            drop(Url::revoke_object_url(&playing.address));
        }
    }
}

/// "Play" for an audio or video file that is complete, or that can be played while it is
/// downloaded. Absent for other files.
#[component]
pub fn Play(entry: Entry, row: StoredValue<FileRow>, complete: Memo<bool>) -> impl IntoView {
    let (model, player, streaming) = (
        expect_context::<Model>(),
        expect_context::<Player>(),
        expect_context::<Streaming>(),
    );
    let found = row.with_value(|row| {
        kind(&row.name)
            .filter(|(kind, _)| row.size > 0 && matches!(kind, Kind::Audio | Kind::Video))
    });
    found.map(|(kind, media_type)| {
        let label = row.with_value(|row| format!("Play {}", visible(&row.name)));
        let click = move |_| {
            let row = row.get_value();
            spawn_local(async move {
                match address(entry, &row, streaming, media_type).await {
                    Ok(address) => player.0.set(Some(Playing {
                        entry,
                        row,
                        kind,
                        address,
                    })),
                    Err(why) => model.show_error(why),
                }
            });
        };
        view! {
            <Show when=move || complete.get() || streaming.is_ready()>
                <button type="button" aria-label=label.clone() on:click=click>"Play"</button>
            </Show>
        }
    })
}

/// The service worker's address of a file, or without a service worker one of the stored data.
async fn address(
    entry: Entry,
    row: &FileRow,
    streaming: Streaming,
    media_type: &str,
) -> Result<String, String> {
    let folder = entry.torrent.with_untracked(|t| t.folder.clone());
    if let Some(address) = streaming.address(&folder, row) {
        return Ok(address);
    }
    let data = data(&folder, row).await?;
    object_url(&data, media_type).map_err(|error| {
        format!(
            "{} cannot be played: {}.",
            visible(&row.name),
            reason(&error)
        )
    })
}

/// The dialog. It exists while a file is played.
#[component]
pub fn PlayerDialog() -> impl IntoView {
    let player = expect_context::<Player>();
    move || {
        player
            .0
            .get()
            .map(|playing| view! { <Open playing player/> })
    }
}

/// What the media element does.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Playback {
    Waiting,
    Playing,
    Failed(&'static str),
}

#[component]
fn Open(playing: Playing, player: Player) -> impl IntoView {
    let (dialog, state) = (NodeRef::<Dialog>::new(), RwSignal::new(Playback::Waiting));
    Streaming::keep_alive();
    Effect::new(move |_| {
        if let Some(dialog) = dialog.get() {
            // Refused only for an element that is not in the document.
            drop(dialog.show_modal());
        }
    });
    let name = visible(&playing.row.name).into_owned();
    let (label, heading) = (name.clone(), name);
    let progress = progress(&playing, state);
    let media = media(&playing, state);
    view! {
        <dialog node_ref=dialog class="player" aria-label=label on:close=move |_| player.close()>
            <div class="player-head">
                <h2>{heading}</h2>
                <form method="dialog"><button>"Close"</button></form>
            </div>
            {media}
            <p class="soft" role="status">{progress}</p>
        </dialog>
    }
}

fn media(playing: &Playing, state: RwSignal<Playback>) -> AnyView {
    let address = playing.address.clone();
    let waits = move |_: ev::Event| state.set(Playback::Waiting);
    let plays = move |_: ev::Event| state.set(Playback::Playing);
    let fails = move |event: ev::ErrorEvent| {
        let element = event
            .target()
            .and_then(|e| e.dyn_into::<HtmlMediaElement>().ok());
        state.set(Playback::Failed(failure(element.and_then(|e| e.error()))));
    };
    if playing.kind == Kind::Audio {
        view! { <audio controls autoplay src=address on:waiting=waits on:playing=plays on:loadeddata=plays on:error=fails></audio> }.into_any()
    } else {
        view! { <video controls autoplay playsinline src=address on:waiting=waits on:playing=plays on:loadeddata=plays on:error=fails></video> }.into_any()
    }
}

/// What to say of an error of a media element.
fn failure(error: Option<MediaError>) -> &'static str {
    match error.map(|error| error.code()) {
        Some(MediaError::MEDIA_ERR_NETWORK) => {
            "The data stopped arriving. Close the player and press Play again."
        }
        _ => {
            "This browser cannot play this file. Save it when it is complete, and open it with another program."
        }
    }
}

/// Whether it plays, and how much of the file is there while it is incomplete.
fn progress(playing: &Playing, state: RwSignal<Playback>) -> Memo<String> {
    let (entry, total, index) = (playing.entry, playing.row.size, playing.row.index);
    Memo::new(move |_| {
        let done = entry.files.with(|rows| {
            let at = rows.iter().position(|row| row.index == index);
            at.and_then(|at| entry.files_done.with(|done| done.get(at).copied()))
        });
        let there = done
            .filter(|done| *done < total)
            .map(|done| format!("{} are here", part(done, total)));
        let (phase, down) = entry.torrent.with(|t| (t.phase, t.traffic.down));
        let arriving = match phase {
            Phase::Downloading => Some(format!("{} arriving", rate(down))),
            Phase::Paused => Some("paused; press Resume to download the rest".to_owned()),
            _ => None,
        };
        let words = match state.get() {
            Playback::Failed(why) => return why.to_owned(),
            Playback::Waiting if there.is_some() => Some("Waiting for data".to_owned()),
            Playback::Waiting | Playback::Playing => None,
        };
        let arriving = arriving.filter(|_| there.is_some());
        [words, there, arriving]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; ")
    })
}
