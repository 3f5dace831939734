//! Long lists are built a few rows at a time.

use leptos::prelude::*;

/// Rows that are built per frame.
const BATCH: usize = 8;

/// How many of the rows of a list are to be built now. The number reaches `all` by [`BATCH`] rows per
/// task: a hundred rows in one task would delay the page by several frames.
pub(super) fn gradually(all: impl Fn() -> usize + Send + Sync + 'static) -> RwSignal<usize> {
    let all = Memo::new(move |_| all());
    let built = RwSignal::new(0);
    Effect::new(move |_| {
        let (all, now) = (all.get(), built.get());
        if now > all {
            built.set(all);
        } else if now < all {
            let grow = move || {
                // If the list is gone by then, there is nothing to build.
                built.try_set(all.min(now + BATCH));
            };
            request_animation_frame(grow);
        }
    });
    built
}
