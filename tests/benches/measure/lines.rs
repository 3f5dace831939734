//! Aqueduct and libtorrent download from each other and from themselves, over TCP and uTP, in the
//! clear and with RC4.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::Arguments;
use crate::clients::{Client, Line, Seed};
use crate::download;
use crate::namespaces::Namespaces;
use crate::payload::Payload;

const SEEDS: [Seed; 2] = [Seed::Libtorrent, Seed::Aqueduct];
const LEECHES: [Client; 2] = [Client::Aqueduct, Client::Libtorrent];

/// Who downloaded from whom, and what it took.
struct Run {
    line: Line,
    seed: Seed,
    leech: Client,
    cost: Cost,
}

#[derive(Clone, Copy)]
struct Cost {
    /// From the downloader's start to its exit.
    wall: Duration,
    /// Processor time of the downloader.
    leech: Duration,
    /// Processor time of the seed meanwhile.
    seed: Duration,
}

/// Prints one row per download, and a table of the medians in Markdown. The pairs of clients
/// alternate, so that whatever else the machine does affects all of them.
pub(crate) fn measure(arguments: &Arguments) -> Result<()> {
    let payload = Payload::create(arguments.size, &download::announce_address())?;
    let hosts = Namespaces::create()?;
    let size = arguments.size.get();
    // A seed without a record hashes the file first, and serves nobody meanwhile.
    from_one_seed(&hosts, &payload, Line::Tcp, Seed::Aqueduct)?;
    println!(
        "\nDownload {size} MiB over each line, pieces of 1 MiB, two network namespaces\n{}",
        HEAD.join(" ")
    );
    let mut runs = Vec::new();
    for line in &arguments.lines {
        for _ in 0..arguments.runs {
            for seed in SEEDS {
                for run in from_one_seed(&hosts, &payload, *line, seed)? {
                    println!("{}", run.cells(size).join(" "));
                    runs.push(run);
                }
            }
        }
    }
    print_medians(&runs, arguments);
    Ok(())
}

/// Each client downloads from this seed.
fn from_one_seed(
    hosts: &Namespaces,
    payload: &Payload,
    line: Line,
    seed: Seed,
) -> Result<Vec<Run>> {
    let (serving, _tracker) = download::start(hosts, seed, payload, line)?;
    let run = |leech: Client| {
        let before = serving.cpu();
        let measured = download::one(hosts, leech, payload, line)
            .with_context(|| format!("measuring {leech:?} from {seed:?} over {line:?}"))?;
        let cost = Cost {
            wall: measured.wall,
            leech: measured.cpu,
            seed: serving.cpu().saturating_sub(before),
        };
        Ok(Run {
            line,
            seed,
            leech,
            cost,
        })
    };
    LEECHES.into_iter().map(run).collect()
}

const HEAD: [&str; 7] = [
    "line    ",
    "seed      ",
    "leech     ",
    " wall s",
    "  MiB/s",
    "leech CPU-s/GiB",
    "seed CPU-s/GiB",
];

impl Run {
    /// Its row of the table. `size`: MiB.
    fn cells(&self, size: u32) -> [String; 7] {
        let Cost { wall, leech, seed } = self.cost;
        let (wall, size) = (wall.as_secs_f64(), f64::from(size));
        let per_gibibyte = |cpu: Duration| cpu.as_secs_f64() * 1024.0 / size;
        [
            format!("{:<8}", self.line.name()),
            format!("{:<10}", self.seed.name()),
            format!("{:<10}", self.leech.name()),
            format!("{wall:>7.2}"),
            format!("{:>7.1}", size / wall),
            format!("{:>15.2}", per_gibibyte(leech)),
            format!("{:>14.2}", per_gibibyte(seed)),
        ]
    }
}

fn print_medians(runs: &[Run], arguments: &Arguments) {
    println!(
        "\nMedians of {}\n\n| {} |",
        arguments.runs,
        HEAD.join(" | ")
    );
    println!("|{}", "---|".repeat(HEAD.len()));
    for line in &arguments.lines {
        for seed in SEEDS {
            for leech in LEECHES {
                let pair = |run: &&Run| (run.line, run.seed, run.leech) == (*line, seed, leech);
                if let Some(cost) = median(runs.iter().filter(pair).map(|run| run.cost).collect()) {
                    let run = Run {
                        line: *line,
                        seed,
                        leech,
                        cost,
                    };
                    println!("| {} |", run.cells(arguments.size.get()).join(" | "));
                }
            }
        }
    }
}

/// The median of each figure.
fn median(costs: Vec<Cost>) -> Option<Cost> {
    let middle = |figure: fn(&Cost) -> Duration| {
        let mut sorted: Vec<_> = costs.iter().map(figure).collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    };
    Some(Cost {
        wall: middle(|cost| cost.wall)?,
        leech: middle(|cost| cost.leech)?,
        seed: middle(|cost| cost.seed)?,
    })
}
