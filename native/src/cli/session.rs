//! One run of `get` or `seed`: torrents come in, news come out, until all goals are reached,
//! nothing comes any more, or the user interrupts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_core::discovery::{self, Summary};
use aqueduct_core::meta::{Info, Magnet};
use aqueduct_core::types::visible;
use aqueduct_core::{
    Command, Event, Failure as TorrentFailure, FileChange, OpError, Phase, PriorityRange,
    TorrentId, TorrentSnapshot,
};
use aqueduct_native::driver::Driver;
use aqueduct_native::storage::stored::Stored;
use tokio::time::{interval, timeout};

use super::failure::{Class, Failure};
use super::files::Files;
use super::flags::SwarmFlags;
use super::lookups::{Found, Lookups};
use super::losses::Losses;
use super::reports::Reports;
use super::save;
use super::signals::Signals;
use crate::ui::{Screen, View, text};

/// How often goals and deadlines are looked at. Screens that want less are told less.
const TICK: Duration = Duration::from_millis(250);
/// Longest wait for everything to be written out at the end.
const SAVING: Duration = Duration::from_secs(60);
/// Longest wait for trackers to hear that we leave.
const LEAVING: Duration = Duration::from_secs(3);

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Get,
    Seed,
}

/// A torrent of this session.
#[derive(Debug)]
pub(crate) struct Job {
    /// Escaped.
    pub(crate) name: String,
    pub(crate) info: Option<Arc<Info>>,
    pub(crate) stored: Option<Arc<Stored>>,
    pub(crate) started: Instant,
    pub(crate) finished: Option<Instant>,
    pub(crate) failed: bool,
    /// The magnet link that it came from.
    pub(crate) link: Option<Magnet>,
}

pub(crate) struct Session {
    pub(crate) driver: Driver,
    pub(crate) screen: Screen,
    pub(crate) purpose: Purpose,
    pub(crate) flags: SwarmFlags,
    pub(crate) files: Files,
    pub(crate) jobs: BTreeMap<TorrentId, Job>,
    pub(crate) losses: Losses,
    lookups: Lookups,
    pub(crate) reports: Reports,
    signals: Signals,
    shown: Option<Instant>,
    received: u64,
    received_at: Instant,
}

impl Session {
    pub(crate) fn new(
        driver: Driver,
        screen: Screen,
        purpose: Purpose,
        flags: SwarmFlags,
        files: Files,
        losses: Losses,
        lookups: Lookups,
    ) -> Result<Self, Failure> {
        let signals = Signals::new().map_err(|error| {
            Failure::new(
                Class::Failure,
                format!("could not listen for interrupts: {error}"),
            )
        })?;
        let (jobs, reports) = (BTreeMap::new(), Reports::new(&screen, flags.verbose));
        Ok(Self {
            driver,
            screen,
            purpose,
            flags,
            files,
            jobs,
            losses,
            reports,
            lookups,
            signals,
            shown: None,
            received: 0,
            received_at: Instant::now(),
        })
    }

    /// Runs to the end, whatever it is, and writes everything out.
    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        self.screen.listening(self.driver.port());
        let outcome = self.work().await;
        self.screen.close();
        let interrupted = matches!(&outcome, Err(failure) if failure.class == Class::Interrupted);
        if interrupted {
            self.screen.note("saving; interrupt again to leave at once");
        }
        self.save().await?;
        outcome
    }

    async fn work(&mut self) -> Result<(), Failure> {
        let mut ticks = interval(TICK);
        loop {
            let over = tokio::select! {
                event = self.driver.event() => self.on_event(event)?,
                report = self.driver.report() => {
                    self.on_report(&report);
                    false
                }
                _ = ticks.tick() => self.on_tick()?,
                found = self.lookups.next() => self.on_found(found),
                () = self.signals.come() => return Err(interrupted()),
            };
            if over {
                return Ok(());
            }
        }
    }

    /// Flush, records, good-byes. A second interrupt ends all patience.
    async fn save(&mut self) -> Result<(), Failure> {
        let Self {
            driver, signals, ..
        } = self;
        let all = async {
            if driver.command(Command::ShutDown).is_ok() {
                let saved = async { while driver.event().await != Event::ShutDown {} };
                timeout(SAVING, saved).await.map_err(|_| {
                    Failure::new(
                        Class::Storage,
                        "the disk did not answer; some of the work is not saved",
                    )
                })?;
            }
            driver.leave(LEAVING).await;
            Ok(())
        };
        tokio::select! {
            result = all => result,
            () = signals.come() => process::exit(Class::Interrupted as i32),
        }
    }

    /// Returns whether the session is over.
    fn on_event(&mut self, event: Event) -> Result<bool, Failure> {
        match event {
            Event::Metadata(id, info) => self.on_metadata(id, &info),
            Event::Checked(id, have) => self.on_checked(id, have),
            Event::Finished(id) => self.on_finished(id),
            Event::Failed(id, failure) => self.on_failed(id, &failure),
            Event::FileChanged(id, file, change) => {
                self.on_file_changed(id, file, change);
                Ok(false)
            }
            Event::Rechecked {
                torrent,
                read,
                wrong,
            } => {
                self.on_rechecked(torrent, read, wrong);
                Ok(false)
            }
            Event::Piece(..)
            | Event::Corrupt(..)
            | Event::Banned(..)
            | Event::PeerFailed(..)
            | Event::PeerConnected(..)
            | Event::ShutDown => Ok(false),
        }
    }

    /// A `--peer` has been looked up: it may be a peer of every torrent.
    fn on_found(&mut self, found: Found) -> bool {
        match found {
            Found::Addrs(addrs) => self
                .jobs
                .keys()
                .for_each(|id| self.driver.add_peers(*id, addrs.clone())),
            Found::Nothing { host, error } => {
                let text = format!(
                    "could not find --peer {}: {error}; going on without it",
                    visible(&host)
                );
                self.screen.note(&text);
            }
        }
        false
    }

    fn on_metadata(&mut self, id: TorrentId, info: &Arc<Info>) -> Result<bool, Failure> {
        self.screen.metadata(info);
        if let Err(failure) = self.save_torrent(id, info) {
            self.driver.command(Command::Remove(id))?;
            return self.lose(id, failure);
        }
        if self.flags.list {
            super::show::list(info, self.flags.json);
            self.jobs.remove(&id);
            self.driver.command(Command::Remove(id))?;
            return self.conclude();
        }
        match self.open_fetched(id, info) {
            Ok(()) => Ok(false),
            Err(failure) => {
                self.driver.command(Command::Remove(id))?;
                self.lose(id, failure)
            }
        }
    }

    /// A magnet's torrent gets its files.
    fn open_fetched(&mut self, id: TorrentId, info: &Arc<Info>) -> Result<(), Failure> {
        let link = self.jobs.get(&id).and_then(|job| job.link.as_ref());
        let opened = self.files.open_fetched(
            info,
            self.flags
                .choice(link.and_then(|link| link.select.as_deref())),
        )?;
        if let Some(wanted) = opened.wanted {
            self.driver.command(Command::Want(id, wanted))?;
        }
        self.driver
            .attach(id, Arc::clone(&opened.stored), opened.resumed)?;
        if self.flags.sequential {
            self.driver
                .command(Command::Prioritise(id, PriorityRange::sequential(info)))?;
        }
        if let Some(job) = self.jobs.get_mut(&id) {
            job.open(Arc::clone(info), opened.stored);
        }
        Ok(())
    }

    /// `--save-torrent`
    fn save_torrent(&self, id: TorrentId, info: &Arc<Info>) -> Result<(), Failure> {
        match (
            &self.flags.save_torrent,
            self.jobs.get(&id).and_then(|job| job.link.as_ref()),
        ) {
            (Some(path), Some(link)) => save::save(path, info, link),
            _ => Ok(()),
        }
    }

    /// One torrent came to nothing.
    fn lose(&mut self, id: TorrentId, failure: Failure) -> Result<bool, Failure> {
        let Some(job) = self.jobs.get_mut(&id) else {
            return Err(failure);
        };
        job.failed = true;
        self.losses.take(if self.losses.is_alone() {
            failure
        } else {
            failure.about(&job.name)
        })?;
        self.conclude()
    }

    fn on_checked(&mut self, id: TorrentId, have: u32) -> Result<bool, Failure> {
        let Some(Job {
            info: Some(info),
            stored: Some(stored),
            ..
        }) = self.jobs.get(&id)
        else {
            return Ok(false);
        };
        self.screen.checked(info, stored.checked_bytes(), have);
        let pieces = info.lengths.pieces();
        if self.purpose == Purpose::Seed && have < pieces {
            let message = format!(
                "the data do not match: {} of {pieces} pieces wrong; aqueduct get fetches them",
                pieces - have
            );
            return Err(Failure::new(Class::Mismatch, message));
        }
        let snapshot = self.driver.snapshot_of(id);
        match snapshot.map_or(Ok(()), |snapshot| {
            stored.storage.admit_missing(&snapshot.have)
        }) {
            Ok(()) => Ok(false),
            Err(error) => {
                self.driver.command(Command::Remove(id))?;
                self.lose(id, error.into())
            }
        }
    }

    fn on_file_changed(&mut self, id: TorrentId, index: u32, change: FileChange) {
        let Some(Job {
            info: Some(info), ..
        }) = self.jobs.get(&id)
        else {
            return;
        };
        let Some(file) = info.files.get(index as usize).filter(|file| file.size > 0) else {
            return;
        };
        self.screen.file_changed(info, file, change);
    }

    fn on_rechecked(&mut self, id: TorrentId, read: u32, wrong: u32) {
        let Some(Job {
            info: Some(info),
            finished,
            ..
        }) = self.jobs.get(&id)
        else {
            return;
        };
        let fetched = self.purpose == Purpose::Get && finished.is_none();
        self.screen.rechecked(info, read, wrong, fetched);
    }

    fn on_finished(&mut self, id: TorrentId) -> Result<bool, Failure> {
        if !matches!(self.screen, Screen::Plain(_)) {
            self.show();
        }
        self.tell_names();
        let snapshot = self.driver.snapshot_of(id);
        if let (Some(job), Some(snapshot)) = (
            self.jobs.get_mut(&id).filter(|job| job.finished.is_none()),
            snapshot,
        ) {
            job.finished = Some(Instant::now());
            if self.purpose == Purpose::Get {
                self.screen.finished(
                    &job.name,
                    &snapshot.info_hash,
                    &job.path(),
                    job.started.elapsed(),
                );
                // From here on the data are their user's: what changes is not put back.
                self.driver.command(Command::SeedOnly(id))?;
            }
        }
        self.conclude()
    }

    /// Names that the file system did not take.
    fn tell_names(&self) {
        for (job, stored) in self
            .jobs
            .values()
            .filter_map(|job| Some((job, job.stored.as_ref()?)))
        {
            let renamed = stored.storage.take_renamed();
            if !renamed.is_empty() {
                self.screen
                    .renamed(&job.name, stored.storage.info(), &renamed);
            }
        }
    }

    /// A full disk may have room again later: the engine tries again by itself. Anything else ends
    /// the torrent's job.
    fn on_failed(&mut self, id: TorrentId, failure: &TorrentFailure) -> Result<bool, Failure> {
        let is_full = matches!(
            failure,
            TorrentFailure::Storage(OpError::Storage { full: true, .. })
        );
        let failure = failure_of(failure);
        let Some(job) = self.jobs.get(&id) else {
            return Err(failure);
        };
        let began = job
            .stored
            .as_ref()
            .is_some_and(|stored| stored.storage.has_room());
        if is_full && began {
            self.screen.waiting(&job.name, &failure);
            return Ok(false);
        }
        self.lose(id, failure)
    }

    fn on_tick(&mut self) -> Result<bool, Failure> {
        self.tell_names();
        if self
            .shown
            .is_none_or(|shown| shown.elapsed() >= self.screen.interval())
        {
            self.show();
        }
        self.check_progress()?;
        self.conclude()
    }

    /// Whether the session is over, and whether that is well.
    fn conclude(&self) -> Result<bool, Failure> {
        if self.is_over() {
            self.losses.conclude().map(|()| true)
        } else {
            Ok(false)
        }
    }

    /// `--timeout`: has anything been received lately?
    fn check_progress(&mut self) -> Result<(), Failure> {
        let snapshots = self.driver.snapshot().torrents;
        let received = snapshots.iter().map(|snapshot| snapshot.downloaded).sum();
        let busy = snapshots
            .iter()
            .any(|snapshot| snapshot.phase == Phase::Checking);
        if received != self.received || busy || self.jobs.values().all(|job| job.finished.is_some())
        {
            self.received = received;
            self.received_at = Instant::now();
        }
        match self
            .flags
            .timeout
            .filter(|limit| self.received_at.elapsed() >= *limit)
        {
            Some(limit) => Err(self.no_progress(&snapshots, limit)),
            None => Ok(()),
        }
    }

    fn no_progress(&self, snapshots: &[TorrentSnapshot], limit: Duration) -> Failure {
        let failed = snapshots
            .iter()
            .find_map(|snapshot| snapshot.failure.as_ref());
        if let Some(failure) = failed {
            return failure_of(failure);
        }
        let unfinished = snapshots.iter().filter(|snapshot| {
            self.jobs
                .get(&snapshot.torrent)
                .is_some_and(|job| job.finished.is_none())
        });
        let reason = |snapshot: &TorrentSnapshot| {
            let peers = text::count(snapshot.peers, "peer", "peers");
            Some(self.hint(snapshot))
                .filter(|hint| !hint.is_empty())
                .map_or(peers.clone(), |hint| format!("{peers}, {hint}"))
        };
        let reasons: Vec<String> = unfinished.map(reason).collect();
        Failure::new(
            Class::NoPeers,
            format!(
                "nothing was received for {}: {}",
                text::span(limit),
                reasons.join("; ")
            ),
        )
    }

    /// Why nothing comes.
    fn hint(&self, snapshot: &TorrentSnapshot) -> String {
        if snapshot.down_rate > 0
            || matches!(
                snapshot.phase,
                Phase::Seeding | Phase::Checking | Phase::Paused | Phase::Error
            )
        {
            return String::new();
        }
        if snapshot.peers > 0 {
            return match (snapshot.interesting, snapshot.unchoking_us) {
                _ if snapshot.phase == Phase::FetchingMetadata => {
                    "no connected peer has sent what the torrent contains yet".to_owned()
                }
                (0, _) => "no connected peer has what is missing".to_owned(),
                (_, 0) => "no connected peer lets us download yet".to_owned(),
                _ => "waiting for the connected peers".to_owned(),
            };
        }
        let known = text::count(
            snapshot.candidates + snapshot.dialling,
            "address",
            "addresses",
        );
        let dials = format!("{known} known, {} being dialled", snapshot.dialling);
        let trackers = (!self.flags.no_trackers).then(|| self.tracker_hint(snapshot.torrent));
        let failures = self.driver.peer_failures(snapshot.torrent);
        let banned = Some(self.driver.banned(snapshot.torrent)).filter(|banned| *banned > 0);
        let banned = banned.map(|banned| {
            format!(
                "{} shut out for wrong data",
                text::count(banned, "peer", "peers")
            )
        });
        let alone = self.asks_nobody().then(|| {
            "nobody is asked: name a --peer, or leave out --no-trackers, --no-dht or --no-lsd"
                .to_owned()
        });
        trackers
            .into_iter()
            .chain(self.dht(snapshot.torrent))
            .chain([dials])
            .chain(failures)
            .chain(banned)
            .chain(alone)
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// What trackers said, above all those that failed.
    fn tracker_hint(&self, torrent: TorrentId) -> String {
        let statuses = self.driver.trackers(torrent);
        let (summary, failures) = (
            Summary::of(&statuses).to_string(),
            discovery::failures(&statuses),
        );
        if failures.is_empty() {
            summary
        } else {
            format!("{summary} ({failures})")
        }
    }

    /// Whether all ways to find peers are switched off, so that only who is told of us can come.
    fn asks_nobody(&self) -> bool {
        let SwarmFlags {
            no_trackers,
            no_dht,
            no_lsd,
            peer,
            ..
        } = &self.flags;
        *no_trackers && *no_dht && *no_lsd && peer.is_empty()
    }

    /// What the DHT knows; `None`: the user does not want it.
    fn dht(&self, torrent: TorrentId) -> Option<String> {
        let private = self
            .jobs
            .get(&torrent)
            .and_then(|job| job.info.as_ref())
            .is_some_and(|info| info.private);
        match self.driver.dht(torrent) {
            _ if self.flags.no_dht => None,
            None if private => Some("DHT: off (private torrent)".to_owned()),
            counts => counts.map(|counts| counts.to_string()),
        }
    }

    fn show(&mut self) {
        let snapshots = self.driver.snapshot().torrents;
        let views = snapshots.into_iter().filter_map(|snapshot| {
            let name = self.jobs.get(&snapshot.torrent)?.name.clone();
            Some(View {
                name,
                hint: self.hint(&snapshot),
                snapshot,
            })
        });
        let views: Vec<_> = views.collect();
        self.screen.progress(&views);
        self.shown = Some(Instant::now());
    }

    /// Whether every torrent is complete (or failed) and served as long as was asked for.
    fn is_over(&self) -> bool {
        let over = |(id, job): (&TorrentId, &Job)| {
            job.failed || job.finished.is_some_and(|since| self.is_served(*id, since))
        };
        self.jobs.iter().all(over)
    }

    fn is_served(&self, id: TorrentId, since: Instant) -> bool {
        let SwarmFlags {
            ratio,
            seed_time,
            seed,
            ..
        } = self.flags;
        if ratio.is_none() && seed_time.is_none() {
            return self.purpose == Purpose::Get && !seed;
        }
        seed_time.is_some_and(|span| since.elapsed() >= span)
            || ratio.is_some_and(|ratio| self.is_shared(id, ratio))
    }

    /// Whether `ratio` times the torrent's size was sent, in all runs together.
    fn is_shared(&self, id: TorrentId, ratio: f64) -> bool {
        let total = self
            .jobs
            .get(&id)
            .and_then(|job| job.info.as_ref())
            .map_or(0, |info| info.size());
        let sent = self
            .driver
            .snapshot_of(id)
            .map_or(0, |snapshot| snapshot.uploaded);
        #[expect(clippy::cast_precision_loss, reason = "a ratio is no exact thing")]
        let reached = sent as f64 >= ratio * total as f64;
        reached
    }
}

impl Job {
    pub(crate) fn open(&mut self, info: Arc<Info>, stored: Arc<Stored>) {
        self.name = visible(&info.name).into_owned();
        self.info = Some(info);
        self.stored = Some(stored);
    }

    /// The file or folder that it is saved to.
    fn path(&self) -> PathBuf {
        self.stored
            .as_ref()
            .map(|stored| stored.storage.top())
            .unwrap_or_default()
    }
}

fn failure_of(failure: &TorrentFailure) -> Failure {
    let class = match failure {
        TorrentFailure::Storage(_) => Class::Storage,
        TorrentFailure::Metadata(_) => Class::InvalidTorrent,
    };
    Failure::new(class, failure.to_string())
}

fn interrupted() -> Failure {
    Failure::new(
        Class::Interrupted,
        "interrupted; the state is saved, start the same command again to go on",
    )
}
