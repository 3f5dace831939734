//! `aqueduct get` and `aqueduct seed`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use aqueduct_core::meta::{Info, Magnet, Metainfo};
use aqueduct_core::types::visible;
use aqueduct_core::{Command, Config, TorrentId};
use aqueduct_native::descriptors;
use aqueduct_native::discovery::{DhtOptions, PUBLIC_NODES};
use aqueduct_native::driver::{Driver, Settings};
use aqueduct_native::net::Bind;
use aqueduct_native::storage::state;
use tokio::net::lookup_host;

use super::failure::{Class, Failure};
use super::files::{Files, Opened};
use super::flags::{GetFlags, SeedFlags, SwarmFlags};
use super::losses::Losses;
use super::place::{self, Root};
use super::save;
use super::session::{Job, Purpose, Session};
use super::source::{self, Source};
use crate::ui::Screen;

pub(crate) async fn get(flags: GetFlags) -> Result<(), Failure> {
    let bind = flags.swarm.bind.map_or_else(Bind::default, Bind::from);
    let mut losses = Losses::among(flags.sources.len(), flags.swarm.json);
    let mut sources = Vec::new();
    for text in &flags.sources {
        match source::load(text, bind).await {
            Ok(source) => sources.push(source),
            Err(failure) => losses.take(failure)?,
        }
    }
    check_distinct(&sources)?;
    check_saving(&flags.swarm, &sources)?;
    if flags.swarm.list {
        sources.retain(|source| !is_listed(source, flags.swarm.json));
    }
    if sources.is_empty() {
        return losses.conclude();
    }
    let private = sources.iter().all(|source| matches!(source, Source::Torrent(metainfo) if metainfo.info.private));
    let mut session = start(flags.swarm, Purpose::Get, bind, private, losses)?;
    let peers = peers(&session.flags).await?;
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
    let bind = flags.swarm.bind.map_or_else(Bind::default, Bind::from);
    let metainfo = source::load_torrent(&flags.torrent).await?;
    if flags.swarm.list {
        super::show::list(&metainfo.info, flags.swarm.json);
        return Ok(());
    }
    let path = flags.path.unwrap_or_else(|| flags.swarm.output.clone());
    let (root, info) = place::locate(&metainfo.info, &path)?;
    let losses = Losses::among(1, flags.swarm.json);
    let mut session = start(flags.swarm, Purpose::Seed, bind, info.private, losses)?;
    let peers = peers(&session.flags).await?;
    session.add(Metainfo { info, ..metainfo }, Some(root), &peers)?;
    session.run().await
}

/// The same torrent twice would be two writers of one download.
fn check_distinct(sources: &[Source]) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    match sources.iter().map(Source::info_hash).find(|hash| !seen.insert(hash.wire())) {
        None => Ok(()),
        Some(hash) => Err(Failure::new(Class::Usage, format!("two of the {} sources are the same torrent, {hash}; name it once", sources.len()))),
    }
}

/// `--save-torrent` names one file, for one torrent that has none yet.
fn check_saving(flags: &SwarmFlags, sources: &[Source]) -> Result<(), Failure> {
    match (&flags.save_torrent, sources) {
        (None, _) => Ok(()),
        (Some(path), [Source::Magnet(magnet)]) => save::check(path, &magnet.info_hash),
        _ => Err(Failure::new(Class::Usage, "--save-torrent goes with one magnet link or info-hash; get each torrent by itself, or leave it out")),
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

/// `private`: with private torrents alone there is nobody to be told that we are here, not even that our DHT node is (BEP 27).
fn start(flags: SwarmFlags, purpose: Purpose, bind: Bind, private: bool, losses: Losses) -> Result<Session, Failure> {
    let mut config = Config { pex: !flags.no_pex, ..Config::default() };
    if let Some(max_peers) = flags.max_peers {
        config.max_peers = max_peers.into();
        config.max_peers_total = config.max_peers_total.max(config.max_peers);
    }
    descriptors::raise_limit();
    let files = Files::new(purpose, flags.output.clone())?;
    let (dht, lsd) = (dht(&flags).filter(|_| !private), !flags.no_lsd && !private);
    let settings = Settings { config, bind, port: flags.port, trackers: !flags.no_trackers, dht, lsd };
    let driver = Driver::start(settings).map_err(|error| not_listening(flags.port, &error))?;
    driver.command(Command::Limits { download: flags.download_limit, upload: flags.upload_limit })?;
    let screen = Screen::new(flags.json, flags.quiet, flags.verbose > 0);
    Session::new(driver, screen, purpose, flags, files, losses)
}

/// Nodes that the user names replace the public ones, and are ordinary nodes of a network that may be as small as that.
fn dht(flags: &SwarmFlags) -> Option<DhtOptions> {
    let own = flags.dht_bootstrap.iter().map(|node| (bracketed(&node.host), node.port));
    let public = PUBLIC_NODES.map(|(host, port)| (host.to_owned(), port));
    let keep_bootstrap = !flags.dht_bootstrap.is_empty();
    let bootstrap = if keep_bootstrap { own.collect() } else { public.to_vec() };
    let state = state::folder().ok().map(|folder| folder.join("dht"));
    (!flags.no_dht).then_some(DhtOptions { bootstrap, keep_bootstrap, read_only: false, port: 0, state })
}

/// An IPv6 address as URLs have it.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn not_listening(port: Option<u16>, error: &std::io::Error) -> Failure {
    let what = port.map_or_else(|| "for peers".to_owned(), |port| format!("on port {port}"));
    Failure::new(Class::Failure, format!("could not listen {what}: {error}; choose another with --port and --bind, or --port 0 for any"))
}

/// `--peer`, resolved.
async fn peers(flags: &SwarmFlags) -> Result<Vec<SocketAddr>, Failure> {
    let mut addrs = Vec::new();
    for peer in &flags.peer {
        let found = lookup_host((peer.host.as_str(), peer.port)).await;
        addrs.extend(found.map_err(|error| {
            Failure::new(Class::Failure, format!("could not find --peer {}: {error}; name a host that is there, or its address", visible(&peer.host)))
        })?);
    }
    Ok(addrs)
}

impl Session {
    fn add(&mut self, metainfo: Metainfo, root: Option<Root>, peers: &[SocketAddr]) -> Result<(), Failure> {
        self.screen.metadata(&metainfo.info);
        let opened = self.files.open(&metainfo.info, root, self.flags.choice(None))?;
        self.add_opened(&metainfo.info, opened, metainfo.trackers, peers)
    }

    fn add_opened(&mut self, info: &Arc<Info>, opened: Opened, trackers: Vec<Vec<String>>, peers: &[SocketAddr]) -> Result<(), Failure> {
        let Opened { stored, resumed, wanted } = opened;
        let trackers = self.with_own(trackers);
        let id = self.driver.add(Arc::clone(info), Arc::clone(&stored), resumed, wanted, trackers)?;
        let mut job = job();
        job.open(Arc::clone(info), stored);
        self.join(id, job, peers)
    }

    fn add_magnet(&mut self, magnet: Magnet, peers: &[SocketAddr]) -> Result<(), Failure> {
        let trackers: Vec<_> = magnet.trackers.iter().map(|url| vec![url.clone()]).collect();
        if let Some(info) = self.files.open_magnet(&magnet.info_hash)? {
            self.screen.metadata(&info);
            if let Some(path) = &self.flags.save_torrent {
                save::save(path, &info, &magnet)?;
            }
            if self.flags.list {
                super::show::list(&info, self.flags.json);
                return Ok(());
            }
            let opened = self.files.open_fetched(&info, self.flags.choice(magnet.select.as_deref()))?;
            // BEP 27: of a private torrent's peers a link knows nothing.
            let linked = if info.private { &[][..] } else { &magnet.peers };
            return self.add_opened(&info, opened, trackers, &[peers, linked].concat());
        }
        let name = magnet.name.as_deref().map_or_else(|| magnet.info_hash.to_string(), |name| visible(name).into_owned());
        let link = Some(magnet.clone());
        let id = self.driver.add_magnet(magnet, self.with_own(trackers))?;
        self.join(id, Job { name, link, ..job() }, peers)
    }

    fn join(&mut self, id: TorrentId, job: Job, peers: &[SocketAddr]) -> Result<(), Failure> {
        self.jobs.insert(id, job);
        if self.flags.sequential {
            self.driver.command(Command::Sequential(id, true))?;
        }
        self.driver.add_peers(id, peers.to_vec());
        Ok(())
    }

    /// The user's trackers are asked first.
    fn with_own(&self, theirs: Vec<Vec<String>>) -> Vec<Vec<String>> {
        self.flags.tracker.iter().map(|url| vec![url.clone()]).chain(theirs).collect()
    }
}

fn job() -> Job {
    Job { name: String::new(), info: None, stored: None, started: Instant::now(), finished: None, failed: false, link: None }
}
