//! Long lists are built a few rows at a time.

use leptos::prelude::*;

/// Rows that are built per frame.
const BATCH: usize = 8;

/// How many of the rows of a list are to be built now. The number reaches `all` by [`BATCH`] rows per
/// frame: a hundred rows at once would delay the page by several frames, and so would several batches
/// between two frames of a browser that is busy.
pub(super) fn gradually(all: impl Fn() -> usize + Send + Sync + 'static) -> RwSignal<usize> {
    let all = Memo::new(move |_| all());
    let built = RwSignal::new(0);
    Effect::new(move |_| {
        let (end, now) = (all.get(), built.get());
        if now > end {
            built.set(end);
        } else if now < end {
            request_animation_frame(move || grow(built, now, all));
        }
    });
    built
}

/// Builds the next rows after `now` ones. If the list was changed meanwhile, another call was scheduled,
/// and two of them would build twice as many.
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
