//! The page's title and icon, which show the progress of what is being downloaded.

use std::time::Duration;

use js_sys::encode_uri_component;
use leptos::prelude::*;

use super::model::Model;
use crate::format::percent;
use crate::message::Phase;

/// The icon while nothing is downloaded. It is not fetched, since the bridge may be unreachable.
const PLAIN: &str = include_str!("../../icon.svg");
/// The icon is drawn anew in steps of this many percent.
const STEP: u8 = 4;
/// How long it may be out of date. A browser lays out each icon as a document of its own, which takes
/// about as long as an update of the whole page.
const PAUSE: Duration = Duration::from_secs(2);

/// Keeps title and icon up to date.
pub(super) fn show_progress(model: Model) {
    let progress = Memo::new(move |_| progress(model));
    Effect::new(move |_| document().set_title(&title(progress.get())));
    let step = Memo::new(move |_| progress.get().map(|percent| percent / STEP * STEP));
    let is_due = StoredValue::new(false);
    Effect::new(move |_| match step.get() {
        None => set_icon(PLAIN),
        Some(_) if is_due.get_value() => {}
        Some(_) => {
            is_due.set_value(true);
            let draw = move || {
                is_due.set_value(false);
                if let Some(percent) = step.get_untracked() {
                    set_icon(&ring(percent));
                }
            };
            set_timeout(draw, PAUSE);
        }
    });
}

/// The progress of all downloads in percent; `None` while there are none.
fn progress(model: Model) -> Option<u8> {
    let sums = model.torrents.with(|all| {
        let each = all.iter().filter_map(|entry| {
            entry.torrent.with(|t| {
                (t.phase == Phase::Downloading).then_some((t.progress.done, t.progress.wanted))
            })
        });
        each.reduce(|(done, wanted), (d, w)| (done + d, wanted + w))
    });
    sums.map(|(done, wanted)| percent(done, wanted))
}

fn title(progress: Option<u8>) -> String {
    match progress {
        Some(percent) => format!("{percent} % \u{b7} Aqueduct"),
        None => "Aqueduct".to_owned(),
    }
}

/// A ring that is closed as far as the download is, as SVG.
fn ring(percent: u8) -> String {
    let circle = |colour: &str, part: u8| {
        format!(
            "<circle cx=\"16\" cy=\"16\" r=\"12\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"7\" pathLength=\"100\" stroke-dasharray=\"{part} 100\" transform=\"rotate(-90 16 16)\"/>"
        )
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\">{}{}</svg>",
        circle("#9fb0b8", 100),
        circle("#0b6f7c", percent)
    )
}

/// Sets the icon to a URL that contains it: browsers load an icon some time after it was set, when a
/// temporary URL may be gone.
fn set_icon(svg: &str) {
    let url = format!("data:image/svg+xml,{}", encode_uri_component(svg));
    if let Ok(Some(link)) = document().query_selector("link[rel=icon]") {
        // Fails only for an invalid name.
        drop(link.set_attribute("href", &url));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_and_icon_show_the_progress() {
        assert_eq!(title(Some(42)), "42 % \u{b7} Aqueduct");
        assert_eq!(title(None), "Aqueduct");
        assert!(ring(40).contains("stroke-dasharray=\"40 100\""));
    }
}
