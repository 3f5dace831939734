//! A small plot of the rates of the last ten minutes.

use leptos::prelude::*;

use crate::page::rates::{HEIGHT, Rates, WIDTH};

/// The plot of a torrent, or of all.
#[component]
pub fn Plot(of: Option<u32>) -> impl IntoView {
    let rates = expect_context::<Rates>();
    let history = Memo::new(move |_| rates.of(of));
    let lines = Memo::new(move |_| history.with(|history| history.lines()));
    let text = Memo::new(move |_| history.with(|history| history.text()));
    view! {
        <div class="plot">
            <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") preserveAspectRatio="none" aria-hidden="true">
                <path class="up" d=move || lines.with(|(_, up)| up.clone())></path>
                <path class="down" d=move || lines.with(|(down, _)| down.clone())></path>
            </svg>
            <span>{move || text.get()}</span>
        </div>
    }
}
