//! What the views of an opened torrent cost its download: each is open during one, beside one whose
//! torrent is closed.

use std::net::SocketAddrV4;

use anyhow::{Context, Result};

use super::Measurement;
use super::browser::{Pauses, Watched};

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

/// The visits of one browser, by their names. The third is what the second is compared with: both have
/// the compiled program, and the machine's speed changes little from one to the other.
const VISITS: [&str; 3] = ["first visit", "again", "beside it, closed"];

/// What was measured of one visit.
#[derive(Clone, Copy)]
struct Figures {
    /// MiB/s.
    speed: f64,
    /// Seconds of processor time that the whole browser used per GiB.
    browser: f64,
    /// Those of the thread that draws the page.
    page: f64,
    pauses: Pauses,
}

/// Prints a row per visit of each browser, the medians of all runs, and each view beside a closed
/// torrent.
pub(super) async fn measure(measured: &Measurement, seed: SocketAddrV4, runs: u32) -> Result<()> {
    let mut all = VIEWS.map(|view| (view, Vec::new()));
    print_head();
    for _ in 0..runs {
        for (view, runs) in &mut all {
            let visits = measured
                .visits(seed, &[*view, *view, View::Closed])
                .await
                .with_context(|| format!("a download with the view {:?}", view.name()))?;
            let visits: Vec<Figures> = visits
                .iter()
                .map(|visit| figures(measured, visit))
                .collect();
            for (name, visit) in VISITS.iter().zip(&visits) {
                visit.print(*view, name);
            }
            runs.push(visits);
        }
    }
    println!("\nmedians of {runs} runs");
    print_head();
    for (view, runs) in &all {
        for (number, name) in VISITS.iter().enumerate() {
            medians(runs, number).print(*view, name);
        }
    }
    print_costs(&all);
    Ok(())
}

/// Prints what each view costs, beside a closed torrent in the same browser.
fn print_costs(all: &[(View, Vec<Vec<Figures>>)]) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "\nmedians of what an open view costs beside a closed torrent in the same browser: its share of the time of {cores} cores, from the thread that draws the page; speed; processor time"
    );
    println!("{:<14} {:>8} {:>8} {:>8}", "", "share %", "speed", "CPU-s");
    #[expect(clippy::cast_precision_loss, reason = "no computer has 2^53 cores")]
    let cores = cores as f64;
    for (view, runs) in all {
        let cost = |of: &dyn Fn(&Figures, &Figures) -> f64| {
            median(runs, |visits| Some(of(visits.get(1)?, visits.get(2)?)))
        };
        let share = cost(&|open, closed| (open.page - closed.page) * open.speed / 1024.0 / cores);
        let speed = cost(&|open, closed| open.speed / closed.speed);
        let cpu = cost(&|open, closed| open.browser / closed.browser);
        println!(
            "{:<14} {:>8.1} {speed:>8.3} {cpu:>8.3}",
            view.name(),
            share * 100.0
        );
    }
}

fn figures(measured: &Measurement, visit: &Watched) -> Figures {
    let size = f64::from(measured.size.get());
    let (before, after) = (&visit.before, &visit.after);
    let per_gib = |seconds: f64| seconds * 1024.0 / size;
    Figures {
        speed: size / visit.wall.as_secs_f64(),
        browser: per_gib(after.spent(before, "renderer") + after.spent(before, "browser")),
        page: per_gib(after.spent_on_pages(before)),
        pauses: visit.pauses,
    }
}

fn medians(runs: &[Vec<Figures>], visit: usize) -> Figures {
    let of = |figure: fn(&Figures) -> f64| median(runs, |visits| Some(figure(visits.get(visit)?)));
    Figures {
        speed: of(|visit| visit.speed),
        browser: of(|visit| visit.browser),
        page: of(|visit| visit.page),
        pauses: Pauses {
            gap: of(|visit| visit.pauses.gap),
            frames: of(|visit| visit.pauses.frames),
            frame: of(|visit| visit.pauses.frame),
            later: of(|visit| visit.pauses.later),
        },
    }
}

fn print_head() {
    println!(
        "{:<32} {:>8} {:>10} {:>9} {:>8} {:>13} {:>11} {:>21}",
        "",
        "MiB/s",
        "CPU-s/GiB",
        "for page",
        "gap ms",
        "frames >50 ms",
        "longest ms",
        "after one second, ms"
    );
}

impl Figures {
    fn print(&self, view: View, visit: &str) {
        let Self {
            speed,
            browser,
            page,
            pauses,
        } = self;
        let Pauses {
            gap,
            frames,
            frame,
            later,
        } = pauses;
        println!(
            "{:<32} {speed:>8.1} {browser:>10.2} {page:>9.2} {gap:>8.0} {frames:>13.0} {frame:>11.0} {later:>21.0}",
            format!("{}: {visit}", view.name())
        );
    }
}

fn median(runs: &[Vec<Figures>], of: impl Fn(&Vec<Figures>) -> Option<f64>) -> f64 {
    let mut figures: Vec<f64> = runs.iter().filter_map(of).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
