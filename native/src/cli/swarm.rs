//! `aqueduct get` and `aqueduct seed`.

use std::net::SocketAddr;

use aqueduct_core::Command;
use aqueduct_core::meta::Metainfo;
use aqueduct_core::types::visible;
use aqueduct_native::driver::Driver;
use aqueduct_native::storage::{StateFolder, shown_path};

use super::files::Files;
use super::flags::{GetFlags, OutputFlags, SeedFlags, StorageFlags, SwarmFlags};
use super::lookups::Lookups;
use super::network::Network;
use super::place;
use super::plan::{Plan, Purpose};
use super::reports::Reports;
use super::save;
use super::session::{Parts, Session};
use super::settings::{Torrents, settings};
use super::signals::Signals;
use super::source::{self, Source};
use super::torrent_failures::TorrentFailures;
use crate::ui::Screen;
use crate::ui::failure::{Class, Failure};

pub(crate) async fn get(flags: GetFlags) -> Result<(), Failure> {
    let GetFlags {
        sources: texts,
        overwrite,
        swarm: flags,
    } = flags;
    let (screen, json) = (screen(flags.output), flags.output.json);
    let network = Network::new(&flags.network, |note| screen.note(note))?;
    let mut signals = Signals::listen()?;
    let mut failures = TorrentFailures::new(texts.len(), json);
    let mut sources = Sources::default();
    for text in &texts {
        let loaded = signals
            .interrupt(source::load(text, &network.outbound))
            .await;
        match loaded {
            Err(failure) if failure.class == Class::Interrupted => return Err(failure),
            Ok(source) => sources
                .add(&text.to_string_lossy(), source)
                .into_iter()
                .for_each(|note| screen.note(&note)),
            Err(failure) => failures.report(failure)?,
        }
    }
    let mut sources = sources.into_list();
    check_saving(&flags.storage, &sources)?;
    if flags.storage.list {
        sources.retain(|source| !is_listed(source, json));
    }
    if sources.is_empty() {
        return failures.conclude();
    }
    let torrents = Torrents {
        count: sources.len(),
        private: sources.iter().all(Source::is_private),
    };
    let shown = (screen, failures);
    let (mut session, peers) = start(&flags, network, Purpose::Get, shown, torrents, signals)?;
    if overwrite {
        session.overwrite();
    }
    for source in sources {
        match source {
            Source::Torrent(metainfo) => session.add(*metainfo, None, &peers)?,
            Source::Magnet(magnet) => session.add_magnet(magnet, &peers)?,
        }
    }
    session.run().await
}

pub(crate) async fn seed(flags: SeedFlags) -> Result<(), Failure> {
    let screen = screen(flags.swarm.output);
    let network = Network::new(&flags.swarm.network, |note| screen.note(note))?;
    let mut signals = Signals::listen()?;
    let metainfo = signals
        .interrupt(source::load_torrent(&flags.torrent, &network.outbound))
        .await?;
    let SwarmFlags {
        storage, output, ..
    } = &flags.swarm;
    if storage.list {
        super::show::list(&metainfo.info, output.json);
        return Ok(());
    }
    let (root, info) = place::find(
        &metainfo.info,
        &flags.torrent,
        flags.path.as_deref(),
        &storage.output,
        Class::Storage,
    )?;
    let torrents = Torrents {
        count: 1,
        private: info.private,
    };
    let shown = (screen, TorrentFailures::new(1, output.json));
    let (mut session, peers) = start(
        &flags.swarm,
        network,
        Purpose::Seed,
        shown,
        torrents,
        signals,
    )?;
    session.add(Metainfo { info, ..metainfo }, Some(root), &peers)?;
    session.run().await
}

fn screen(flags: OutputFlags) -> Screen {
    Screen::new(flags.json, flags.quiet, flags.verbose > 0)
}

/// The given sources, each torrent once, since two downloads of one torrent would destroy each
/// other's data.
#[derive(Default)]
struct Sources(Vec<(String, Source)>);

impl Sources {
    /// Adds a source. Returns a note if the torrent was given before. Of a link and a .torrent file
    /// the latter is kept, since it contains more.
    fn add(&mut self, text: &str, source: Source) -> Option<String> {
        let hash = source.info_hash().wire();
        let Some((earlier, kept)) = self
            .0
            .iter_mut()
            .find(|(_, kept)| kept.info_hash().wire() == hash)
        else {
            self.0.push((text.to_owned(), source));
            return None;
        };
        let (mut used, mut left_out) = (earlier.clone(), text.to_owned());
        if matches!((&*kept, &source), (Source::Magnet(_), Source::Torrent(_))) {
            std::mem::swap(&mut used, &mut left_out);
            (*earlier, *kept) = (text.to_owned(), source);
        }
        Some(format!(
            "{} is the same torrent as {}, and is left out",
            visible(&left_out),
            visible(&used)
        ))
    }

    fn into_list(self) -> Vec<Source> {
        self.0.into_iter().map(|(_, source)| source).collect()
    }
}

/// Checks `--save-torrent`, which names one file, for exactly one magnet link or info-hash.
fn check_saving(flags: &StorageFlags, sources: &[Source]) -> Result<(), Failure> {
    match (&flags.save_torrent, sources) {
        (None, _) => Ok(()),
        (Some(path), [Source::Magnet(magnet)]) => {
            save::check(path, &flags.output, &magnet.info_hash)
        }
        _ => Err(Failure::new(
            Class::Usage,
            "--save-torrent goes with one magnet link or info-hash; get each torrent with a command of its own, or leave it out",
        )),
    }
}

/// Lists the files of a torrent and returns true. The files of a link become known later, from
/// peers.
fn is_listed(source: &Source, json: bool) -> bool {
    match source {
        Source::Torrent(metainfo) => {
            super::show::list(&metainfo.info, json);
            true
        }
        Source::Magnet(_) => false,
    }
}

/// Starts a session without torrents. Also returns the peers that the user gave by address.
fn start(
    flags: &SwarmFlags,
    network: Network,
    purpose: Purpose,
    (screen, failures): (Screen, TorrentFailures),
    torrents: Torrents,
    signals: Signals,
) -> Result<(Session, Vec<SocketAddr>), Failure> {
    let output = &flags.storage.output;
    let state = StateFolder::find(output)?;
    if let Some(reason) = &state.instead {
        let place = shown_path(&state.path);
        screen.note(&format!("{}, so the progress of downloads is recorded in {place}; set XDG_STATE_HOME to choose another folder", visible(reason)));
    }
    network.report(&screen);
    let (settings, open_files) = settings(flags, &state.path, torrents, &network);
    let port = settings.port;
    let driver = Driver::start(settings).map_err(|error| not_listening(port, &error))?;
    driver.command(Command::Limits {
        download: flags.limits.download_limit,
        upload: flags.limits.upload_limit,
    })?;
    let (peers, lookups) = Lookups::start(&flags.discovery.peer, &network)?;
    let session = Session::new(Parts {
        driver,
        plan: Plan::new(purpose, flags),
        files: Files::new(purpose, output.clone(), state.path, open_files),
        failures,
        lookups,
        outbound: network.outbound,
        reports: Reports::new(&screen, flags.output.verbose),
        screen,
        signals,
    });
    Ok((session, peers))
}

fn not_listening(port: Option<u16>, error: &std::io::Error) -> Failure {
    let what = port.map_or_else(|| "for peers".to_owned(), |port| format!("on port {port}"));
    Failure::new(
        Class::Failure,
        format!(
            "could not listen {what}: {error}; choose another with --port and --bind, or --port 0 for any"
        ),
    )
}
