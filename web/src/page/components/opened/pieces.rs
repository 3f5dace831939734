//! The map of a torrent's pieces, on a canvas.

use leptos::html::Canvas;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

use crate::message::PieceMap;
use crate::page::model::Entry;
use crate::page::piece_map::{shares, text};
use crate::texts::opened as texts;

/// The width and height of a cell, and the space that separates it from the next one, in pixels.
const CELL: u32 = 10;
const GAP: u32 = 1;
/// The most rows of cells. In a torrent with more pieces, a cell stands for several.
const MAX_ROWS: u32 = 40;
/// Shades of a cell whose pieces are partly complete.
const SHADES: u32 = 8;

/// The map, and the same in words.
#[component]
pub fn Pieces(entry: Entry) -> impl IntoView {
    let canvas = NodeRef::<Canvas>::new();
    let width = RwSignal::new(0u32);
    let measure = move || {
        if let Some(canvas) = canvas.get_untracked() {
            let wide = canvas
                .parent_element()
                .map_or(0, |around| around.client_width());
            width.set(u32::try_from(wide).unwrap_or(0));
        }
    };
    Effect::new(move |_| {
        if canvas.get().is_some() {
            measure();
        }
    });
    let resized = window_event_listener(leptos::ev::resize, move |_| measure());
    on_cleanup(move || resized.remove());
    // Drawn once per change, before the next frame.
    Effect::new(move |_| {
        let columns = (width.get() / CELL).max(1);
        entry.pieces.with(|map| {
            if let Some(canvas) = canvas.get() {
                draw(&canvas, map, columns);
            }
        });
    });
    let words = Memo::new(move |_| entry.pieces.with(text));
    view! {
        <p id="pieces-text">{move || words.get()}</p>
        <div class="map">
            <canvas node_ref=canvas role="img" aria-label=texts::piece_map() aria-describedby="pieces-text"></canvas>
        </div>
    }
}

/// Draws the map in rows of so many cells. Does nothing if the browser cannot draw.
fn draw(canvas: &HtmlCanvasElement, map: &PieceMap, columns: u32) {
    let shares = shares(map, (columns * MAX_ROWS) as usize);
    let rows = u32::try_from(shares.len()).unwrap_or(0).div_ceil(columns);
    canvas.set_width(columns * CELL);
    canvas.set_height(rows.max(1) * CELL);
    let context = canvas.get_context("2d").ok().flatten();
    let Some(context) = context.and_then(|found| found.dyn_into::<CanvasRenderingContext2d>().ok())
    else {
        return;
    };
    let (empty, full) = (
        colour(canvas, "--map-missing"),
        colour(canvas, "--map-complete"),
    );
    let cells = |shade: u32| {
        shares
            .iter()
            .zip(0u32..)
            .filter(move |(share, _)| shade_of(**share) == shade)
            .map(move |(_, at)| (at % columns * CELL, at / columns * CELL))
    };
    let side = f64::from(CELL - GAP);
    for shade in 0..=SHADES {
        context.set_global_alpha(1.0);
        context.set_fill_style_str(&empty);
        for (x, y) in cells(shade).filter(|_| shade < SHADES) {
            context.fill_rect(x.into(), y.into(), side, side);
        }
        context.set_global_alpha(f64::from(shade) / f64::from(SHADES));
        context.set_fill_style_str(&full);
        for (x, y) in cells(shade).filter(|_| shade > 0) {
            context.fill_rect(x.into(), y.into(), side, side);
        }
    }
}

/// The shade of a share: only none is 0, only all is [`SHADES`].
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is from 0 to 1"
)]
fn shade_of(share: f64) -> u32 {
    match share {
        s if s <= 0.0 => 0,
        s if s >= 1.0 => SHADES,
        s => 1 + (s * f64::from(SHADES - 1)) as u32,
    }
}

/// A colour of the style sheet, which differs between light and dark.
fn colour(canvas: &HtmlCanvasElement, property: &str) -> String {
    window()
        .get_computed_style(canvas)
        .ok()
        .flatten()
        .and_then(|style| style.get_property_value(property).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cell_without_gaps_looks_complete() {
        assert_eq!(shade_of(0.0), 0);
        assert_eq!((shade_of(0.001), shade_of(0.999)), (1, SHADES - 1));
        assert_eq!(shade_of(1.0), SHADES);
    }
}
