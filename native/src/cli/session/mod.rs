//! One run of `get` or `seed`: torrents are added and events are handled until all goals are
//! reached, the timeout passes, or the user interrupts.

mod hint;
mod job;
mod reach;
mod stall;
mod torrents;
mod trouble;

use std::net::SocketAddr;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_core::meta::{Info, Magnet, Metainfo};
use aqueduct_core::types::visible;
use aqueduct_core::{
    Command, Event, Failure as EngineFailure, FileChange, OpError, Phase, Rechecked, TorrentId,
    TorrentSnapshot,
};
use aqueduct_native::driver::{Driver, Report};
use aqueduct_native::net::Outbound;
use tokio::time::{interval, timeout};

use self::job::Job;
use self::reach::Reach;
use self::stall::Stall;
use self::torrents::Torrents;
use self::trouble::Trouble;
use super::files::Files;
use super::lookups::{Found, Lookups};
use super::place::Root;
use super::plan::{Plan, Purpose};
use super::reports::Reports;
use super::signals::Signals;
use super::torrent_failures::TorrentFailures;
use crate::ui::failure::{Class, Failure};
use crate::ui::{self, Screen, text};

/// The interval at which goals and deadlines are checked. Screens have their own interval.
const TICK: Duration = Duration::from_millis(250);
/// The timeout for writing everything at the end.
const SAVING: Duration = Duration::from_secs(60);
/// The timeout for removing the port mapping, while everything is written.
const UNMAPPING: Duration = Duration::from_millis(1500);
/// The timeout for the last announces.
const LEAVING: Duration = Duration::from_secs(3);

/// The torrents of one command, and their context.
pub(crate) struct Session {
    torrents: Torrents,
    screen: Screen,
    failures: TorrentFailures,
    lookups: Lookups,
    reports: Reports,
    signals: Signals,
    stall: Stall,
    trouble: Trouble,
    reach: Reach,
    /// When progress was last displayed.
    shown: Option<Instant>,
}

/// The parts of a session.
pub(crate) struct Parts {
    pub(crate) driver: Driver,
    pub(crate) screen: Screen,
    pub(crate) plan: Plan,
    pub(crate) files: Files,
    pub(crate) failures: TorrentFailures,
    pub(crate) lookups: Lookups,
    pub(crate) outbound: Outbound,
    pub(crate) reports: Reports,
    pub(crate) signals: Signals,
}

impl Session {
    /// A session without torrents.
    pub(crate) fn new(parts: Parts) -> Self {
        ui::save_when_lost();
        let Parts {
            driver,
            screen,
            plan,
            files,
            failures,
            lookups,
            outbound,
            reports,
            signals,
        } = parts;
        Self {
            trouble: Trouble::new(outbound),
            stall: Stall::new(plan.timeout, Instant::now()),
            torrents: Torrents::new(driver, files, plan),
            screen,
            failures,
            lookups,
            reports,
            signals,
            reach: Reach::default(),
            shown: None,
        }
    }

    /// Permits replacing existing files that do not belong to their torrent.
    pub(crate) const fn overwrite(&mut self) {
        self.torrents.overwrite();
    }

    /// Adds a torrent whose data are in `root`, or are downloaded.
    ///
    /// # Errors
    /// It cannot be added, and is the only one.
    pub(crate) fn add(
        &mut self,
        metainfo: Metainfo,
        root: Option<Root>,
        peers: &[SocketAddr],
    ) -> Result<(), Failure> {
        self.screen.metadata(&metainfo.info);
        let added = self.torrents.add(metainfo, root, peers);
        added.or_else(|failure| self.failures.report(failure))
    }

    /// Adds a magnet link's torrent.
    ///
    /// # Errors
    /// It cannot be added, and is the only one.
    pub(crate) fn add_magnet(
        &mut self,
        magnet: Magnet,
        peers: &[SocketAddr],
    ) -> Result<(), Failure> {
        let added = self.torrents.add_magnet(magnet, peers, &self.screen);
        added.or_else(|failure| self.failures.report(failure))
    }

    /// Runs until the session ends, and saves everything.
    pub(crate) async fn run(mut self) -> Result<(), Failure> {
        self.screen.listening(self.torrents.driver.port());
        let outcome = self.work().await;
        self.screen.close();
        self.report_refused();
        let interrupted = matches!(&outcome, Err(failure) if failure.class == Class::Interrupted);
        if interrupted {
            self.screen.note("saving; interrupt again to leave at once");
        }
        self.save().await?;
        if interrupted && let Some(failure) = self.unsaved() {
            return Err(failure);
        }
        if outcome.is_ok() && ui::is_lost() {
            process::exit(Class::Failure as i32);
        }
        outcome
    }

    /// Why not everything was saved, if so.
    fn unsaved(&self) -> Option<Failure> {
        let torrents = self.torrents.driver.snapshot().torrents;
        let failure = torrents.iter().find_map(|torrent| torrent.failure.as_ref());
        let message = format!("interrupted; not everything is saved: {}", failure?);
        Some(Failure::new(Class::Interrupted, message))
    }

    /// Tells how many peers the blocklist kept away.
    fn report_refused(&self) {
        let driver = &self.torrents.driver;
        let torrents = driver.snapshot().torrents;
        let not_dialled: usize = torrents.iter().map(|torrent| torrent.blocked).sum();
        let refused = driver.refused_by_blocklist();
        if not_dialled > 0 || refused > 0 {
            self.screen.refused(not_dialled, refused);
        }
    }

    async fn work(&mut self) -> Result<(), Failure> {
        let mut ticks = interval(TICK);
        loop {
            let over = tokio::select! {
                event = self.torrents.driver.event() => self.handle_event(event)?,
                report = self.torrents.driver.report() => {
                    self.handle_report(&report);
                    false
                }
                _ = ticks.tick() => self.handle_tick()?,
                found = self.lookups.next() => self.handle_found(found),
                () = self.signals.come() => return Err(interrupted()),
            };
            if over {
                return Ok(());
            }
        }
    }

    /// Flushes, writes records and leaves the swarms. A second interrupt ends the program
    /// immediately.
    async fn save(&mut self) -> Result<(), Failure> {
        let (driver, signals) = (&self.torrents.driver, &mut self.signals);
        let saving = async {
            if driver.command(Command::ShutDown).is_ok() {
                let saved = async { while driver.event().await != Event::ShutDown {} };
                timeout(SAVING, saved).await.map_err(|_| {
                    Failure::new(
                        Class::Storage,
                        "the disk did not answer; some of the work is not saved",
                    )
                })?;
            }
            Ok::<(), Failure>(())
        };
        let all = async {
            let (saved, ()) = tokio::join!(saving, driver.unmap(UNMAPPING));
            saved?;
            driver.leave(LEAVING).await;
            Ok(())
        };
        tokio::select! {
            result = all => result,
            () = signals.come() => process::exit(Class::Interrupted as i32),
        }
    }

    /// Handles an event. Returns whether the session is over.
    fn handle_event(&mut self, event: Event) -> Result<bool, Failure> {
        match event {
            Event::Metadata(id, info) => self.handle_metadata(id, &info),
            Event::Checked(id, have) => self.handle_checked(id, have),
            Event::Finished(id) => self.handle_finished(id),
            Event::Failed(id, failure) => self.handle_failed(id, &failure),
            Event::FileChanged(id, file, change) => {
                self.handle_file_changed(id, file, change);
                Ok(false)
            }
            Event::Rechecked(id, outcome) => {
                self.handle_rechecked(id, &outcome);
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

    /// Handles a tracker's answer or a peer's failure.
    fn handle_report(&mut self, report: &Report) {
        let (Report::Tracker { torrent, .. } | Report::Peer { torrent, .. }) = report;
        let snapshot = self.torrents.driver.snapshot_of(*torrent);
        if let (Some(job), Some(snapshot)) = (self.torrents.jobs.get(torrent), snapshot) {
            self.reports
                .handle(report, &job.name, snapshot.info_hash, &self.screen);
        }
    }

    /// Handles a resolved `--peer`, which may be a peer of every torrent.
    fn handle_found(&mut self, found: Found) -> bool {
        match found {
            Found::Addrs(addrs) => self
                .torrents
                .jobs
                .keys()
                .for_each(|id| self.torrents.driver.add_peers(*id, addrs.clone())),
            Found::NotFound { host, error } => {
                let text = format!(
                    "could not find --peer {}: {error}; continuing without it",
                    visible(&host)
                );
                self.screen.note(&text);
            }
        }
        false
    }

    fn handle_metadata(&mut self, id: TorrentId, info: &Arc<Info>) -> Result<bool, Failure> {
        self.screen.metadata(info);
        if let Err(failure) = self.torrents.save(id, info) {
            self.torrents.driver.command(Command::Remove(id))?;
            return self.fail_torrent(id, failure);
        }
        if self.torrents.plan.list {
            super::show::list(info, self.torrents.plan.json);
            self.torrents.jobs.remove(&id);
            self.torrents.driver.command(Command::Remove(id))?;
            return self.conclude();
        }
        match self.torrents.open_fetched(id, info) {
            Ok(()) => Ok(false),
            Err(failure) => {
                self.torrents.driver.command(Command::Remove(id))?;
                self.fail_torrent(id, failure)
            }
        }
    }

    /// Handles the failure of one torrent.
    fn fail_torrent(&mut self, id: TorrentId, failure: Failure) -> Result<bool, Failure> {
        let Some(job) = self.torrents.jobs.get_mut(&id) else {
            return Err(failure);
        };
        job.fail();
        self.failures.report(if self.failures.is_single() {
            failure
        } else {
            failure.about(&job.name)
        })?;
        self.conclude()
    }

    fn handle_checked(&mut self, id: TorrentId, have: u32) -> Result<bool, Failure> {
        let Some(Job {
            info: Some(info),
            stored: Some(stored),
            ..
        }) = self.torrents.jobs.get(&id)
        else {
            return Ok(false);
        };
        self.screen.checked(info, stored.checked_bytes(), have);
        let pieces = info.lengths.pieces();
        if self.torrents.plan.purpose == Purpose::Seed && have < pieces {
            let message = format!(
                "the data do not match: {} wrong; aqueduct get fetches them",
                text::of_pieces((pieces - have) as usize, info)
            );
            return Err(Failure::new(Class::Mismatch, message));
        }
        let snapshot = self.torrents.driver.snapshot_of(id);
        match snapshot.map_or(Ok(()), |snapshot| {
            stored.storage.admit_missing(&snapshot.have)
        }) {
            Ok(()) => Ok(false),
            Err(error) => {
                self.torrents.driver.command(Command::Remove(id))?;
                self.fail_torrent(id, error.into())
            }
        }
    }

    fn handle_file_changed(&mut self, id: TorrentId, index: u32, change: FileChange) {
        let Some(job) = self.torrents.jobs.get_mut(&id) else {
            return;
        };
        job.tell_change();
        if let Some((info, file)) = job.file(index) {
            self.screen.file_changed(info, file, change);
        }
    }

    fn handle_rechecked(&mut self, id: TorrentId, outcome: &Rechecked) {
        let Some(job) = self.torrents.jobs.get_mut(&id) else {
            return;
        };
        if !job.tells_recheck(outcome) {
            return;
        }
        if let Some(info) = &job.info {
            let fetched = self.torrents.plan.purpose == Purpose::Get && !job.is_complete();
            self.screen.rechecked(info, outcome, fetched);
        }
    }

    fn handle_finished(&mut self, id: TorrentId) -> Result<bool, Failure> {
        if !matches!(self.screen, Screen::Plain(_)) {
            self.show();
        }
        self.report_renamed();
        let snapshot = self.torrents.driver.snapshot_of(id);
        if let (Some(job), Some(snapshot)) = (self.torrents.jobs.get_mut(&id), snapshot)
            && let Some(took) = job.complete()
            && self.torrents.plan.purpose == Purpose::Get
        {
            let path = job.path();
            self.screen
                .finished(&job.name, &snapshot.info_hash, &path, took);
            // From here on the user may change the data, so changes are not reverted.
            self.torrents.driver.command(Command::SeedOnly(id))?;
        }
        self.conclude()
    }

    /// Reports names that the file system refused.
    fn report_renamed(&self) {
        for (job, stored) in self
            .torrents
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

    /// Handles an engine failure. If the disk is full, the engine tries again later. Any other
    /// failure ends the torrent's job.
    fn handle_failed(&mut self, id: TorrentId, failure: &EngineFailure) -> Result<bool, Failure> {
        let is_full = matches!(
            failure,
            EngineFailure::Storage(OpError::Storage { full: true, .. })
        );
        let failure = failure_of(failure);
        let Some(job) = self.torrents.jobs.get(&id) else {
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
        self.fail_torrent(id, failure)
    }

    fn handle_tick(&mut self) -> Result<bool, Failure> {
        if ui::is_lost() {
            return Ok(true);
        }
        self.report_renamed();
        if let Some(trouble) = self.trouble.check(Instant::now()) {
            self.screen.note(&trouble);
        }
        let reachability = self.torrents.driver.reachability();
        if self.reach.is_news(&reachability) {
            self.screen
                .reachability(&reachability, self.reports.are_all_shown());
        }
        if self
            .shown
            .is_none_or(|shown| shown.elapsed() >= self.screen.interval())
        {
            self.show();
        }
        self.check_progress()?;
        self.conclude()
    }

    /// Whether the session is over; an error if it failed.
    fn conclude(&self) -> Result<bool, Failure> {
        if self.torrents.are_over() {
            self.failures.conclude().map(|()| true)
        } else {
            Ok(false)
        }
    }

    /// `--timeout`
    fn check_progress(&mut self) -> Result<(), Failure> {
        let snapshots = self.torrents.driver.snapshot().torrents;
        let received = snapshots.iter().map(|snapshot| snapshot.downloaded).sum();
        let is_checking = |snapshot: &TorrentSnapshot| snapshot.phase == Phase::Checking;
        let busy = snapshots.iter().any(is_checking) || self.torrents.are_complete();
        let Some(limit) = self.stall.check(Instant::now(), received, busy) else {
            return Ok(());
        };
        let mut failures = snapshots.iter().map(|snapshot| &snapshot.failure);
        Err(failures.find_map(Option::as_ref).map_or_else(
            || {
                let (limit, reasons) = (text::span(limit), self.torrents.reasons(&snapshots));
                let trouble = self.trouble.current().map(|trouble| format!("{trouble}; "));
                let trouble = trouble.unwrap_or_default();
                let message = format!("nothing was received for {limit}: {trouble}{reasons}");
                Failure::new(Class::NoPeers, message)
            },
            failure_of,
        ))
    }

    fn show(&mut self) {
        self.screen.progress(&self.torrents.views());
        self.shown = Some(Instant::now());
    }
}

fn failure_of(failure: &EngineFailure) -> Failure {
    let class = match failure {
        EngineFailure::Storage(_) => Class::Storage,
        EngineFailure::Metadata(_) => Class::InvalidTorrent,
    };
    Failure::new(class, failure.to_string())
}

fn interrupted() -> Failure {
    let message = "interrupted; the state is saved, start the same command again to continue";
    Failure::new(Class::Interrupted, message)
}
