//! `aqueduct get` and `aqueduct seed`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use aqueduct_core::meta::{Info, Magnet, Metainfo};
use aqueduct_core::types::visible;
use aqueduct_core::{Command, Config, PriorityRange, TorrentId};
use aqueduct_native::descriptors::{self, Shares};
use aqueduct_native::discovery::{DhtOptions, PUBLIC_NODES};
use aqueduct_native::driver::{Driver, Settings};
use aqueduct_native::net::Bind;
use aqueduct_native::storage::StateFolder;

use super::failure::{Class, Failure};
use super::files::{Files, Opened};
use super::flags::{GetFlags, SeedFlags, SwarmFlags};
use super::lookups::Lookups;
use super::losses::Losses;
use super::place::{self, Root};
use super::save;
use super::session::{Job, Purpose, Session};
use super::source::{self, Source};
use crate::ui::Screen;

pub(crate) async fn get(flags: GetFlags) -> Result<(), Failure> {
    let GetFlags {
        sources: texts,
        overwrite,
        swarm: flags,
    } = flags;
    let bind = flags.bind.map_or_else(Bind::default, Bind::from);
    let screen = Screen::new(flags.json, flags.quiet, flags.verbose > 0);
    let mut losses = Losses::among(texts.len(), flags.json);
    let mut sources = Sources::default();
    for text in &texts {
        match source::load(text, bind).await {
            Ok(source) => sources
                .add(&text.to_string_lossy(), source)
                .into_iter()
                .for_each(|note| screen.note(&note)),
            Err(failure) => losses.take(failure)?,
        }
    }
    let mut sources = sources.into_list();
    check_saving(&flags, &sources)?;
    if flags.list {
        sources.retain(|source| !is_listed(source, flags.json));
    }
    if sources.is_empty() {
        return losses.conclude();
    }
    let private = sources
        .iter()
        .all(|source| matches!(source, Source::Torrent(metainfo) if metainfo.info.private));
    let (mut session, peers) = start(
        flags,
        Purpose::Get,
        screen,
        Torrents {
            count: sources.len(),
            private,
        },
        losses,
    )?;
    if overwrite {
        session.files.overwrite();
    }
    for source in sources {
        let added = match source {
            Source::Torrent(metainfo) => session.add(*metainfo, None, &peers),
            Source::Magnet(magnet) => session.add_magnet(magnet, &peers),
        };
        added.or_else(|failure| session.losses.take(failure))?;
    }
    session.run().await
}

pub(crate) async fn seed(flags: SeedFlags) -> Result<(), Failure> {
    let metainfo = source::load_torrent(&flags.torrent).await?;
    if flags.swarm.list {
        super::show::list(&metainfo.info, flags.swarm.json);
        return Ok(());
    }
    let (root, info) = place::find(
        &metainfo.info,
        &flags.torrent,
        flags.path.as_deref(),
        &flags.swarm.output,
        Class::Storage,
    )?;
    let losses = Losses::among(1, flags.swarm.json);
    let screen = Screen::new(flags.swarm.json, flags.swarm.quiet, flags.swarm.verbose > 0);
    let (mut session, peers) = start(
        flags.swarm,
        Purpose::Seed,
        screen,
        Torrents {
            count: 1,
            private: info.private,
        },
        losses,
    )?;
    session.add(Metainfo { info, ..metainfo }, Some(root), &peers)?;
    session.run().await
}

/// What was named, each torrent once: two writers of one download would destroy each other's data.
#[derive(Default)]
struct Sources(Vec<(String, Source)>);

impl Sources {
    /// Returns what to tell if the torrent was named before. Of a link and a .torrent the latter
    /// says more, and counts.
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

/// `--save-torrent` names one file, for one torrent that has none yet.
fn check_saving(flags: &SwarmFlags, sources: &[Source]) -> Result<(), Failure> {
    match (&flags.save_torrent, sources) {
        (None, _) => Ok(()),
        (Some(path), [Source::Magnet(magnet)]) => save::check(path, &magnet.info_hash),
        _ => Err(Failure::new(
            Class::Usage,
            "--save-torrent goes with one magnet link or info-hash; get each torrent by itself, or leave it out",
        )),
    }
}

/// Lists the files of a torrent; a link's come from peers.
fn is_listed(source: &Source, json: bool) -> bool {
    match source {
        Source::Torrent(metainfo) => {
            super::show::list(&metainfo.info, json);
            true
        }
        Source::Magnet(_) => false,
    }
}

/// What a session is about.
#[derive(Clone, Copy)]
struct Torrents {
    count: usize,
    /// With private torrents alone there is nobody to be told that we are here, not even that our
    /// DHT node is (BEP 27).
    private: bool,
}

/// Starts a session without torrents, and says which peers the user named by their address.
fn start(
    flags: SwarmFlags,
    purpose: Purpose,
    screen: Screen,
    torrents: Torrents,
    losses: Losses,
) -> Result<(Session, Vec<SocketAddr>), Failure> {
    let bind = flags.bind.map_or_else(Bind::default, Bind::from);
    let state = StateFolder::find(&flags.output)?;
    if let Some(reason) = &state.instead {
        let place = visible(&state.path.to_string_lossy()).into_owned();
        screen.note(&format!("{}, so {place} keeps how far downloads are; set XDG_STATE_HOME to choose another folder", visible(reason)));
    }
    descriptors::raise_limit();
    let (config, shares) = limits(&flags, torrents.count);
    let files = Files::new(
        purpose,
        flags.output.clone(),
        state.path.clone(),
        shares.files,
    );
    let dht = dht(&flags, &state.path).filter(|_| !torrents.private);
    let lsd = !flags.no_lsd && !torrents.private;
    let (trackers, typed_trackers) = (!flags.no_trackers, flags.tracker.clone());
    let settings = Settings {
        config,
        bind,
        port: flags.port,
        trackers,
        typed_trackers,
        dht,
        lsd,
        half_open: shares.half_open,
    };
    let driver = Driver::start(settings).map_err(|error| not_listening(flags.port, &error))?;
    driver.command(Command::Limits {
        download: flags.download_limit,
        upload: flags.upload_limit,
    })?;
    let (peers, lookups) = Lookups::start(&flags.peer);
    Ok((
        Session::new(driver, screen, purpose, flags, files, losses, lookups)?,
        peers,
    ))
}

/// The engine's limits, and what the system allows of them.
fn limits(flags: &SwarmFlags, torrents: usize) -> (Config, Shares) {
    let usual = Config::default();
    let max_peers = flags.max_peers.map_or(usual.max_peers, usize::from);
    let shares = Shares::of_limit(torrents, usual.max_peers_total.max(max_peers));
    let config = Config {
        pex: !flags.no_pex,
        max_peers,
        max_peers_total: shares.peers,
        max_dialling: shares.dialling,
        ..usual
    };
    (config, shares)
}

/// Nodes that the user names replace the public ones, and are ordinary nodes of a network that may
/// be as small as that.
fn dht(flags: &SwarmFlags, state: &Path) -> Option<DhtOptions> {
    let own = flags
        .dht_bootstrap
        .iter()
        .map(|node| (bracketed(&node.host), node.port));
    let public = PUBLIC_NODES.map(|(host, port)| (host.to_owned(), port));
    let keep_bootstrap = !flags.dht_bootstrap.is_empty();
    let bootstrap = if keep_bootstrap {
        own.collect()
    } else {
        public.to_vec()
    };
    let state = Some(state.join("dht"));
    (!flags.no_dht).then_some(DhtOptions {
        bootstrap,
        keep_bootstrap,
        read_only: false,
        port: 0,
        state,
    })
}

/// An IPv6 address as URLs have it.
fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
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

impl Session {
    fn add(
        &mut self,
        metainfo: Metainfo,
        root: Option<Root>,
        peers: &[SocketAddr],
    ) -> Result<(), Failure> {
        self.screen.metadata(&metainfo.info);
        let opened = self
            .files
            .open(&metainfo.info, root, self.flags.choice(None))?;
        self.add_opened(&metainfo.info, opened, metainfo.trackers, peers)
    }

    fn add_opened(
        &mut self,
        info: &Arc<Info>,
        opened: Opened,
        trackers: Vec<Vec<String>>,
        peers: &[SocketAddr],
    ) -> Result<(), Failure> {
        let Opened {
            stored,
            resumed,
            wanted,
        } = opened;
        let trackers = self.with_own(trackers);
        let id = self.driver.add(
            Arc::clone(info),
            Arc::clone(&stored),
            resumed,
            wanted,
            trackers,
        )?;
        if self.purpose == Purpose::Seed {
            // The data are their user's: what changes is not put back.
            self.driver.command(Command::SeedOnly(id))?;
        }
        let mut job = job();
        job.open(Arc::clone(info), stored);
        self.join(id, job, peers)
    }

    fn add_magnet(&mut self, magnet: Magnet, peers: &[SocketAddr]) -> Result<(), Failure> {
        let trackers: Vec<_> = magnet
            .trackers
            .iter()
            .map(|url| vec![url.clone()])
            .collect();
        if let Some(info) = self.files.open_magnet(&magnet.info_hash)? {
            self.screen.metadata(&info);
            if let Some(path) = &self.flags.save_torrent {
                save::save(path, &info, &magnet)?;
            }
            if self.flags.list {
                super::show::list(&info, self.flags.json);
                return Ok(());
            }
            let opened = self
                .files
                .open_fetched(&info, self.flags.choice(magnet.select.as_deref()))?;
            // BEP 27: of a private torrent's peers a link knows nothing.
            let linked = if info.private { &[][..] } else { &magnet.peers };
            return self.add_opened(&info, opened, trackers, &[peers, linked].concat());
        }
        let name = magnet.name.as_deref().map_or_else(
            || magnet.info_hash.to_string(),
            |name| visible(name).into_owned(),
        );
        let link = Some(magnet.clone());
        let id = self.driver.add_magnet(magnet, self.with_own(trackers))?;
        self.join(
            id,
            Job {
                name,
                link,
                ..job()
            },
            peers,
        )
    }

    fn join(&mut self, id: TorrentId, job: Job, peers: &[SocketAddr]) -> Result<(), Failure> {
        let info = job.info.clone();
        self.jobs.insert(id, job);
        if let Some(info) = info.filter(|_| self.flags.sequential) {
            self.driver
                .command(Command::Prioritise(id, PriorityRange::sequential(&info)))?;
        }
        self.driver.add_peers(id, peers.to_vec());
        Ok(())
    }

    /// The user's trackers are asked first.
    fn with_own(&self, theirs: Vec<Vec<String>>) -> Vec<Vec<String>> {
        self.flags
            .tracker
            .iter()
            .map(|url| vec![url.clone()])
            .chain(theirs)
            .collect()
    }
}

fn job() -> Job {
    Job {
        name: String::new(),
        info: None,
        stored: None,
        started: Instant::now(),
        finished: None,
        failed: false,
        link: None,
    }
}
