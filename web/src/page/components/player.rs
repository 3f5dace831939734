//! Plays an audio or video file in a dialog, also while it is downloaded.

use aqueduct_core::types::{SortedSet, sort, visible};
use leptos::ev;
use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use web_sys::{HtmlMediaElement, MediaError, Url};

use super::dialog::Dialog;
use super::other_player::OtherPlayer;
use super::save_all::complete_files;
use super::save_button::SaveButton;
use crate::browser::error::reason;
use crate::format::{part, rate};
use crate::media::{Kind, kind};
use crate::message::{FileRow, Phase};
use crate::page::model::{Entry, Model};
use crate::page::saving::{data, object_url};
use crate::page::streaming::Streaming;
use crate::page::subtitles::{Subtitles, for_video, load};
use crate::texts::player as texts;

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
        let label = row.with_value(|row| texts::play_file(visible(&row.name)));
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
                    Err(why) => model.notices.show_error(why),
                }
            });
        };
        view! {
            <Show when=move || complete.get() || streaming.is_ready()>
                <button type="button" aria-label=label.clone() on:click=click>{texts::play()}</button>
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
    object_url(&data, media_type)
        .map_err(|error| texts::unplayable(visible(&row.name), reason(&error)))
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
    let state = RwSignal::new(Playback::Waiting);
    Streaming::keep_alive();
    let heading = visible(&playing.row.name).into_owned();
    let model = expect_context::<Model>();
    let progress = progress(model, &playing, state);
    let media = media(&playing, state);
    let file = playing.row.index;
    let (entry, row) = (playing.entry, StoredValue::new(playing.row.clone()));
    let torrent = Memo::new(move |_| entry.torrent.with(|t| t.id));
    let can_save = can_save(&playing, state);
    view! {
        <Dialog class="player" heading close=Callback::new(move |()| player.close())>
            {media}
            <p class="soft" role="status">{progress}</p>
            <Show when=move || can_save.get()>
                <div class="buttons"><SaveButton entry row/></div>
            </Show>
            <OtherPlayer torrent file/>
        </Dialog>
    }
}

/// The subtitles that are complete, as soon as they are loaded, in the order of the files.
fn subtitles(playing: &Playing) -> RwSignal<Vec<Subtitles>> {
    let loaded = RwSignal::new(Vec::<Subtitles>::new());
    let (entry, video) = (playing.entry, playing.row.name.clone());
    let begun = StoredValue::new(SortedSet::new());
    Effect::new(move |_| {
        entry.files_done.track();
        let folder = entry.torrent.with_untracked(|t| t.folder.clone());
        for (label, row) in for_video(&video, &complete_files(entry)) {
            if begun.try_update_value(|begun| begun.insert(row.index)) == Some(true) {
                spawn_local(add_subtitles(loaded, folder.clone(), label, row));
            }
        }
    });
    on_cleanup(move || loaded.get_untracked().iter().for_each(Subtitles::revoke));
    loaded
}

async fn add_subtitles(
    loaded: RwSignal<Vec<Subtitles>>,
    folder: String,
    label: String,
    row: FileRow,
) {
    // A player without them is better than none.
    let Some(subtitles) = load(&folder, label, &row).await else {
        return;
    };
    let url = subtitles.clone();
    let added = loaded.try_update(|all| {
        all.push(subtitles);
        sort::sort_by_key(all, |one| one.index);
    });
    if added.is_none() {
        // The player was closed in the meantime.
        url.revoke();
    }
}

fn media(playing: &Playing, state: RwSignal<Playback>) -> AnyView {
    let address = playing.address.clone();
    // An element that failed still says that it waits when the user seeks.
    let becomes = move |next: Playback| {
        state.update(|state| {
            if !matches!(state, Playback::Failed(_)) {
                *state = next;
            }
        });
    };
    let waits = move |_: ev::Event| becomes(Playback::Waiting);
    let plays = move |_: ev::Event| becomes(Playback::Playing);
    let fails = move |event: ev::ErrorEvent| {
        let element = event
            .target()
            .and_then(|e| e.dyn_into::<HtmlMediaElement>().ok());
        state.set(Playback::Failed(failure(element.and_then(|e| e.error()))));
    };
    if playing.kind == Kind::Audio {
        view! { <audio controls autoplay src=address on:waiting=waits on:playing=plays on:loadeddata=plays on:error=fails></audio> }.into_any()
    } else {
        let tracks = subtitles(playing);
        view! {
            <video controls autoplay playsinline src=address on:waiting=waits on:playing=plays on:loadeddata=plays on:error=fails>
                <For each=move || tracks.get() key=|track| track.url.clone() let:track>
                    <track kind="subtitles" label=visible(&track.label).into_owned() src=track.url/>
                </For>
            </video>
        }
        .into_any()
    }
}

/// What to say of an error of a media element.
fn failure(error: Option<MediaError>) -> &'static str {
    match error.map(|error| error.code()) {
        Some(MediaError::MEDIA_ERR_DECODE) => texts::stopped(),
        Some(MediaError::MEDIA_ERR_NETWORK) => texts::data_stopped(),
        _ => texts::unsupported(),
    }
}

/// Whether the player offers to save the file: if the browser cannot play it, and it is complete.
fn can_save(playing: &Playing, state: RwSignal<Playback>) -> Memo<bool> {
    let (entry, total, index) = (playing.entry, playing.row.size, playing.row.index);
    Memo::new(move |_| {
        let failed = state.with(|state| matches!(state, Playback::Failed(_)));
        failed && done(entry, index).is_some_and(|done| done >= total)
    })
}

/// The verified bytes of a file, if its torrent's files are listed.
fn done(entry: Entry, index: u32) -> Option<u64> {
    let at = entry
        .files
        .with(|rows| rows.iter().position(|row| row.index == index))?;
    entry.files_done.with(|done| done.get(at).copied())
}

/// Whether it plays, and how much of the file is there while it is incomplete.
fn progress(model: Model, playing: &Playing, state: RwSignal<Playback>) -> Memo<String> {
    let (entry, total, index) = (playing.entry, playing.row.size, playing.row.index);
    Memo::new(move |_| {
        if model.is_gone(entry) {
            return texts::removed().to_owned();
        }
        let there = done(entry, index)
            .filter(|done| *done < total)
            .map(|done| texts::are_here(part(done, total)));
        let (phase, down) = entry.torrent.with(|t| (t.phase, t.traffic.down));
        let arriving = match phase {
            Phase::Downloading => Some(texts::arriving(rate(down))),
            Phase::Paused => Some(texts::paused().to_owned()),
            _ => None,
        };
        let words = match state.get() {
            Playback::Failed(why) => return why.to_owned(),
            Playback::Waiting if there.is_some() => Some(texts::waiting().to_owned()),
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
