//! The torrents of a session, with the parts that open, drive and describe them.

use std::net::SocketAddr;
use std::sync::Arc;

use aqueduct_core::meta::{Info, Magnet, Metainfo};
use aqueduct_core::{Command, PriorityRange, TorrentId, TorrentSnapshot};
use aqueduct_native::driver::Driver;

use super::hint::hint;
use super::job::{Job, Jobs};
use crate::cli::files::{Files, Opened};
use crate::cli::place::Root;
use crate::cli::plan::{Plan, Purpose};
use crate::cli::{save, show};
use crate::ui::failure::Failure;
use crate::ui::{Screen, View, text};

/// The torrents, the engine that runs them, and the plan.
#[derive(Debug)]
pub(super) struct Torrents {
    pub(super) driver: Driver,
    pub(super) jobs: Jobs,
    pub(super) plan: Plan,
    files: Files,
}

impl Torrents {
    pub(super) const fn new(driver: Driver, files: Files, plan: Plan) -> Self {
        Self {
            driver,
            jobs: Jobs::new(),
            plan,
            files,
        }
    }

    /// Permits replacing existing files that do not belong to their torrent.
    pub(super) const fn overwrite(&mut self) {
        self.files.overwrite();
    }

    /// Adds a torrent whose data are in `root`, or are downloaded.
    pub(super) fn add(
        &mut self,
        metainfo: Metainfo,
        root: Option<Root>,
        peers: &[SocketAddr],
    ) -> Result<(), Failure> {
        let choice = self.plan.choice(None);
        let opened = self.files.open(&metainfo.info, root, choice)?;
        let named = (metainfo.trackers, !metainfo.web_seeds.is_empty());
        self.add_opened(&metainfo.info, opened, named, peers)
    }

    /// Adds a magnet link's torrent.
    pub(super) fn add_magnet(
        &mut self,
        magnet: Magnet,
        peers: &[SocketAddr],
        screen: &Screen,
    ) -> Result<(), Failure> {
        let trackers = magnet
            .trackers
            .iter()
            .map(|url| vec![url.clone()])
            .collect();
        if let Some(info) = self.files.open_magnet(&magnet.info_hash)? {
            screen.metadata(&info);
            return self.add_known_magnet(&magnet, &info, trackers, peers);
        }
        let trackers = self.plan.with_own_trackers(trackers);
        let id = self.driver.add_magnet(magnet.clone(), trackers)?;
        self.join(id, Job::of_link(magnet), peers)
    }

    /// Adds a magnet link whose metadata an earlier run downloaded.
    fn add_known_magnet(
        &mut self,
        magnet: &Magnet,
        info: &Arc<Info>,
        trackers: Vec<Vec<String>>,
        peers: &[SocketAddr],
    ) -> Result<(), Failure> {
        if let Some(path) = &self.plan.save_torrent {
            save::save(path, info, magnet)?;
        }
        if self.plan.list {
            show::list(info, self.plan.json);
            return Ok(());
        }
        let choice = self.plan.choice(magnet.select.as_deref());
        let opened = self.files.open_fetched(info, choice)?;
        // BEP 27: a link must not provide peers of a private torrent.
        let linked = if info.private { &[][..] } else { &magnet.peers };
        let named = (trackers, !magnet.web_seeds.is_empty());
        self.add_opened(info, opened, named, &[peers, linked].concat())
    }

    fn add_opened(
        &mut self,
        info: &Arc<Info>,
        opened: Opened,
        (trackers, has_web_seeds): (Vec<Vec<String>>, bool),
        peers: &[SocketAddr],
    ) -> Result<(), Failure> {
        let Opened {
            stored,
            resumed,
            wanted,
        } = opened;
        let trackers = self.plan.with_own_trackers(trackers);
        let (info, files) = (Arc::clone(info), Arc::clone(&stored));
        let id = self
            .driver
            .add(Arc::clone(&info), files, resumed, wanted, trackers)?;
        if self.plan.purpose == Purpose::Seed {
            // The user may change the data, so changes are not reverted.
            self.driver.command(Command::SeedOnly(id))?;
        }
        self.prioritise(id, &info)?;
        let mut job = Job::opened(info, stored);
        job.has_web_seeds = has_web_seeds;
        self.join(id, job, peers)
    }

    fn join(&mut self, id: TorrentId, job: Job, peers: &[SocketAddr]) -> Result<(), Failure> {
        self.jobs.insert(id, job);
        self.driver.add_peers(id, peers.to_vec());
        Ok(())
    }

    /// `--sequential`
    fn prioritise(&self, id: TorrentId, info: &Info) -> Result<(), Failure> {
        if self.plan.sequential {
            let ranges = PriorityRange::sequential(info);
            self.driver.command(Command::Prioritise(id, ranges))?;
        }
        Ok(())
    }

    /// Opens the files of a magnet link's torrent.
    pub(super) fn open_fetched(&mut self, id: TorrentId, info: &Arc<Info>) -> Result<(), Failure> {
        let Some(job) = self.jobs.get_mut(&id) else {
            return Ok(());
        };
        let opened = self
            .files
            .open_fetched(info, self.plan.choice(job.linked()))?;
        if let Some(wanted) = opened.wanted {
            self.driver.command(Command::Want(id, wanted))?;
        }
        let files = Arc::clone(&opened.stored);
        self.driver.attach(id, files, opened.resumed)?;
        job.open(Arc::clone(info), opened.stored);
        self.prioritise(id, info)
    }

    /// `--save-torrent`: writes the .torrent file for a magnet link.
    pub(super) fn save(&self, id: TorrentId, info: &Arc<Info>) -> Result<(), Failure> {
        let link = self.jobs.get(&id).and_then(|job| job.link.as_ref());
        match (&self.plan.save_torrent, link) {
            (Some(path), Some(link)) => save::save(path, info, link),
            _ => Ok(()),
        }
    }

    pub(super) fn are_complete(&self) -> bool {
        self.jobs.values().all(Job::is_complete)
    }

    /// Whether every torrent has failed or reached its goal.
    pub(super) fn are_over(&self) -> bool {
        let mut jobs = self.jobs.iter();
        jobs.all(|(id, job)| job.has_failed() || self.has_reached_goal(*id, job))
    }

    fn has_reached_goal(&self, id: TorrentId, job: &Job) -> bool {
        let Some(served) = job.served() else {
            return false;
        };
        let snapshot = self.driver.snapshot_of(id);
        let sent = snapshot.map_or(0, |snapshot| snapshot.uploaded);
        let size = job.info.as_ref().map_or(0, |info| info.size());
        self.plan.goal.is_reached(served, sent, size)
    }

    /// The views for display.
    pub(super) fn views(&self) -> Vec<View> {
        let snapshots = self.driver.snapshot().torrents.into_iter();
        let view = |snapshot: TorrentSnapshot| {
            let job = self.jobs.get(&snapshot.torrent)?;
            Some(View {
                name: job.name.clone(),
                hint: hint(&self.driver, &snapshot, job, self.plan.sources),
                snapshot,
            })
        };
        snapshots.filter_map(view).collect()
    }

    /// Why nothing is received for torrents that are not complete.
    pub(super) fn reasons(&self, snapshots: &[TorrentSnapshot]) -> String {
        let reason = |snapshot: &TorrentSnapshot| {
            let job = self.jobs.get(&snapshot.torrent)?;
            let peers = text::count(snapshot.peers, "peer", "peers");
            let hint = hint(&self.driver, snapshot, job, self.plan.sources);
            let reason = if hint.is_empty() {
                peers
            } else {
                format!("{peers}, {hint}")
            };
            (!job.is_complete()).then_some(reason)
        };
        let reasons: Vec<String> = snapshots.iter().filter_map(reason).collect();
        reasons.join("; ")
    }
}
