//! What the views of an opened torrent cost its download: each is open during one, beside one whose
//! torrent is closed.

use std::net::SocketAddrV4;

use anyhow::{Context, Result};

use super::Measurement;
use super::browser::Pauses;

/// What the page shows of the torrent while it is downloaded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// What it opens by itself: the files.
    AsOpened,
    /// Nothing but its row in the list.
    Closed,
    /// The tab of this name.
    Tab(&'static str),
    /// All tabs in turn, each for half a second.
    EachInTurn,
}

/// The views, the one first with which the others are compared.
const VIEWS: [View; 7] = [
    View::Closed,
    View::Tab("Files"),
    View::Tab("Peers"),
    View::Tab("Pieces"),
    View::Tab("Trackers"),
    View::Tab("Details"),
    View::EachInTurn,
];

impl View {
    fn name(self) -> &'static str {
        match self {
            Self::AsOpened => "as opened",
            Self::Closed => "closed",
            Self::Tab(name) => name,
            Self::EachInTurn => "each in turn",
        }
    }

    /// A script that opens the view as soon as the page has it.
    pub(super) fn script(self) -> String {
        let every_half_second = |code: &str| format!("setInterval(() => {{ {code} }}, 500);");
        match self {
            Self::AsOpened => String::new(),
            Self::Closed => once_found(".opened-head button"),
            Self::Tab(name) => once_found(&format!("#tab-{name}")),
            Self::EachInTurn => every_half_second(
                "const tabs = [...document.querySelectorAll('[role=tab]')];
                 const at = tabs.findIndex(tab => tab.ariaSelected === 'true');
                 tabs[(at + 1) % tabs.length]?.click();",
            ),
        }
    }
}

/// Presses an element as soon as it exists.
fn once_found(selector: &str) -> String {
    format!(
        "const looking = setInterval(() => {{
            const found = document.querySelector('{selector}');
            if (found) {{ clearInterval(looking); found.click(); }}
        }}, 10);"
    )
}

/// What was measured of one visit: MiB/s, and the page's pauses.
type Visit = (f64, Pauses);

/// Prints two rows per view and run, of a browser's first visit and its second, and the medians of
/// each.
pub(super) async fn measure(measured: &Measurement, seed: SocketAddrV4, runs: u32) -> Result<()> {
    println!(
        "{:<22} {:>8} {:>8} {:>13} {:>11} {:>21}",
        "view, visit", "MiB/s", "gap ms", "frames >50 ms", "longest ms", "after one second, ms"
    );
    let mut figures = VIEWS.map(|view| (view, [Vec::new(), Vec::new()]));
    for _ in 0..runs {
        for (view, figures) in &mut figures {
            let visits = measured
                .tab_twice(seed, *view)
                .await
                .with_context(|| format!("a download with the view {:?}", view.name()))?;
            for (number, (visit, figures)) in visits.into_iter().zip(figures).enumerate() {
                let speed = f64::from(measured.size.get()) / visit.wall.as_secs_f64();
                print(*view, number, (speed, visit.pauses));
                println!();
                figures.push((speed, visit.pauses));
            }
        }
    }
    println!("\nmedians; beside the first view's speed");
    let closed = figures
        .first()
        .map(|(_, visits)| visits.each_ref().map(|runs| median(runs, |visit| visit.0)));
    let closed = closed.unwrap_or([f64::NAN; 2]);
    for (view, visits) in &figures {
        for (number, (runs, closed)) in visits.iter().zip(closed).enumerate() {
            let pauses = Pauses {
                gap: median(runs, |visit| visit.1.gap),
                frames: median(runs, |visit| visit.1.frames),
                frame: median(runs, |visit| visit.1.frame),
                later: median(runs, |visit| visit.1.later),
            };
            let speed = median(runs, |visit| visit.0);
            print(*view, number, (speed, pauses));
            println!(" {:>8.2}", speed / closed);
        }
    }
    Ok(())
}

fn print(view: View, number: usize, (speed, pauses): Visit) {
    let Pauses {
        gap,
        frames,
        frame,
        later,
    } = pauses;
    print!(
        "{:<22} {speed:>8.1} {gap:>8.0} {frames:>13.0} {frame:>11.0} {later:>21.0}",
        format!("{}, {}", view.name(), number + 1)
    );
}

fn median(runs: &[Visit], of: impl Fn(&Visit) -> f64) -> f64 {
    let mut figures: Vec<f64> = runs.iter().map(of).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
