//! Long lists are built a few rows at a time.

use std::time::Duration;

use leptos::prelude::*;

/// Rows that are built in one task.
const BATCH: usize = 8;

/// How many of the rows of a list are to be built now. The number reaches `all` by [`BATCH`] rows per
/// task: a hundred rows in one task would delay the page by several frames.
pub(super) fn gradually(all: impl Fn() -> usize + Send + Sync + 'static) -> RwSignal<usize> {
    let all = Memo::new(move |_| all());
    let built = RwSignal::new(0);
    Effect::new(move |_| {
        let (end, now) = (all.get(), built.get());
        if now > end {
            built.set(end);
        } else if now < end {
            set_timeout(move || grow(built, now, all), Duration::ZERO);
        }
    });
    built
}

/// Builds the next rows after `now` ones. If the list was changed meanwhile, another task was set, and
/// two of them would build twice as many.
fn grow(built: RwSignal<usize>, now: usize, all: Memo<usize>) {
    // If the list is gone by then, there is nothing to build.
    let all = all.try_get_untracked().unwrap_or(0);
    built.try_maybe_update(|built| {
        let is_due = *built == now;
        if is_due {
            *built = all.min(now + BATCH);
        }
        (is_due, ())
    });
}
