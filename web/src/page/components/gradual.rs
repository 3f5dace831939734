//! Long lists are built a few rows at a time.

use std::time::Duration;

use leptos::prelude::*;

/// Rows that are built for one frame.
const BATCH: usize = 4;
/// Rows that are built at once, frame by frame: about as many as can be seen.
const SEEN: usize = 16;
/// How long the others wait for each next batch. They are needed when the user scrolls.
const PAUSE: Duration = Duration::from_millis(50);
/// How long the first of them wait in a new list: what appears together with it begins first, such as
/// a download.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// How many of the rows of a list are to be built now. The number reaches `all` by [`BATCH`] rows per
/// frame: a hundred rows at once would delay the page by several frames. So would tasks without
/// regard to frames, since a browser may run many of them before it draws.
pub(super) fn gradually(all: impl Fn() -> usize + Send + Sync + 'static) -> RwSignal<usize> {
    let all = Memo::new(move |_| all());
    let built = RwSignal::new(0);
    // The end, and where the list had ended before.
    Effect::new(move |before: Option<(usize, usize)>| {
        let (end, now) = (all.get(), built.get());
        let begun = match before {
            Some((same, begun)) if same == end => begun.min(now),
            _ => now,
        };
        if now > end {
            built.set(end);
        } else if now < end {
            let pause = match now - begun {
                ..SEEN => Duration::ZERO,
                SEEN if begun == 0 => FIRST_PAUSE,
                _ => PAUSE,
            };
            set_timeout(
                move || before_next_frame(move || grow(built, now, all)),
                pause,
            );
        }
        (end, begun)
    });
    built
}

/// Calls `then` before the next frame is drawn; now, if the page is hidden and none will be.
pub(super) fn before_next_frame(then: impl FnOnce() + 'static) {
    if document().hidden() {
        then();
    } else {
        request_animation_frame(then);
    }
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
