//! The reports on its trackers that a tab receives.
//!
//! A tab chooses the trackers, and so what the bridge connects to. If it learned how and when each
//! attempt failed, it could distinguish open ports from closed ones, and names that exist in the
//! bridge's network from those that do not. Every failure without a tracker's answer is therefore
//! reported in the same way: as being asked, for longer than any attempt may take, and from then on
//! as failed. A tracker's own text is passed on, since it comes only from an answer in a tracker's
//! protocol.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use aqueduct_core::discovery::url::{Host, Url};
use aqueduct_core::discovery::{TrackerError, TrackerState, TrackerStatus};
use aqueduct_core::tunnel::{TrackerAnswer, TrackerCounts, TrackerFailure, TrackerReport};
use aqueduct_core::types;
use aqueduct_native::net::{Policy, Purpose, Target};
use tokio::time::Instant;

use crate::limits::policy::Filter;
use crate::swarm::context::SwarmContext;
use crate::tracker::Listing;

/// What was reported of each tracker of a join.
#[derive(Debug, Default)]
pub(crate) struct TrackerReports {
    told: Vec<Told>,
    /// The answer of the bridge's own tracker.
    own: Option<TrackerAnswer>,
    /// Whether changes were held back.
    is_behind: bool,
}

/// What was reported of one tracker.
#[derive(Debug, Default)]
struct Told {
    /// Since when it has been asked without an answer.
    failing_since: Option<Instant>,
    /// Its last answer, which counts until it may be told that there is no new one.
    answered: TrackerAnswer,
    /// Stands for the last report; 0: none. Reports contain URLs and text, of which ten thousand
    /// sessions would keep many.
    hash: u64,
}

/// How one tracker is reported.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Reported<'a> {
    answer: TrackerAnswer,
    asking: bool,
    /// Its own text.
    text: Option<&'a str>,
    /// When it is asked next.
    next: Option<types::Instant>,
}

impl TrackerReports {
    /// What may be reported now: counts, and every tracker that changed. Without `may_tell`, changes
    /// are held back.
    pub(crate) fn update(
        &mut self,
        statuses: &[TrackerStatus],
        context: &SwarmContext,
        may_tell: bool,
    ) -> (TrackerCounts, Vec<TrackerReport>) {
        self.is_behind = false;
        let after = context.limits.failures_told_after.0;
        let (mut changes, mut next) = (Vec::new(), None);
        self.told.resize_with(statuses.len(), Told::default);
        let mut counts = TrackerCounts {
            total: u16::try_from(statuses.len()).unwrap_or(u16::MAX),
            ..TrackerCounts::default()
        };
        for (status, told) in statuses.iter().zip(&mut self.told) {
            let reported = told.report(status, after, &context.filter);
            count(&reported, &mut counts);
            if matches!(reported.answer, TrackerAnswer::Peers { .. }) {
                next = next.into_iter().chain(reported.next).min();
            }
            let hash = hash(&reported);
            if told.hash == hash {
                continue;
            }
            if may_tell {
                told.hash = hash;
                changes.push(reported.report(&status.url, context));
            } else {
                self.is_behind = true;
            }
        }
        counts.next = next.map(|next| seconds_until(next, context));
        (counts, changes)
    }

    /// The bridge's own tracker under each of its URLs, if its answer has changed. `may_tell` as in
    /// [`TrackerReports::update`].
    pub(crate) fn update_own(&mut self, listing: &Listing, may_tell: bool) -> Vec<TrackerReport> {
        let (swarm, found) = listing.counts();
        let answer = TrackerAnswer::Peers {
            named: u32::try_from(found).unwrap_or(u32::MAX),
            seeders: Some(swarm.seeders),
            leechers: Some(swarm.leechers),
        };
        if self.own == Some(answer) {
            return Vec::new();
        }
        if !may_tell {
            self.is_behind = true;
            return Vec::new();
        }
        self.own = Some(answer);
        let report = |url: &String| TrackerReport {
            url: url.clone(),
            answer,
            asking: false,
            text: None,
            next: None,
        };
        listing.urls().iter().map(report).collect()
    }

    /// When the passing of time changes the report, or what was held back is tried again.
    pub(crate) fn next_change(&self, context: &SwarmContext) -> Option<Instant> {
        let (after, now) = (context.limits.failures_told_after.0, Instant::now());
        let changes = self
            .told
            .iter()
            .filter_map(|told| Some(told.failing_since? + after));
        let again = self.is_behind.then(|| now + Duration::from_secs(1));
        changes.filter(|at| *at > now).chain(again).min()
    }
}

impl Reported<'_> {
    /// Without an answer that may be told.
    const fn new(answer: TrackerAnswer) -> Self {
        Self {
            answer,
            asking: false,
            text: None,
            next: None,
        }
    }

    const fn failed(failure: TrackerFailure) -> Self {
        Self::new(TrackerAnswer::Failed(failure))
    }

    fn report(&self, url: &str, context: &SwarmContext) -> TrackerReport {
        TrackerReport {
            url: url.to_owned(),
            answer: self.answer,
            asking: self.asking,
            text: self.text.map(str::to_owned),
            next: self.next.map(|next| seconds_until(next, context)),
        }
    }
}

/// Adds a tracker to the counts.
fn count(reported: &Reported<'_>, counts: &mut TrackerCounts) {
    counts.asking += u16::from(reported.asking);
    match reported.answer {
        TrackerAnswer::None => {}
        TrackerAnswer::Peers {
            named,
            seeders,
            leechers,
        } => {
            counts.answered += 1;
            counts.empty += u16::from(named == 0);
            counts.seeders = counts.seeders.max(seeders.unwrap_or(0));
            counts.leechers = counts.leechers.max(leechers.unwrap_or(0));
        }
        TrackerAnswer::Failed(failure) => {
            counts.failed += 1;
            // Waiting does not help there, unlike with most other failures.
            if counts.failure != Some(TrackerFailure::NotRegistered) {
                counts.failure = Some(failure);
            }
        }
    }
}

/// A number that stands for a report; never 0.
fn hash(reported: &Reported<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    reported.hash(&mut hasher);
    hasher.finish().max(1)
}

impl Told {
    fn report<'a>(
        &mut self,
        status: &'a TrackerStatus,
        after: Duration,
        filter: &Filter,
    ) -> Reported<'a> {
        match &status.state {
            TrackerState::Ok {
                seeders,
                leechers,
                peers,
            } => self.answer(Reported {
                text: status.warning.as_deref(),
                next: status.next,
                asking: status.asking,
                answer: TrackerAnswer::Peers {
                    named: u32::try_from(*peers).unwrap_or(u32::MAX),
                    seeders: *seeders,
                    leechers: *leechers,
                },
            }),
            TrackerState::Failed(TrackerError::Url(_)) => Reported::failed(TrackerFailure::Url),
            // The tracker has answered, so that nothing is disclosed by its text or the next attempt.
            TrackerState::Failed(
                TrackerError::Failure(reason)
                | TrackerError::Later { reason, .. }
                | TrackerError::Never(reason),
            ) => self.answer(Reported {
                text: Some(reason),
                next: status.next,
                asking: status.asking,
                answer: TrackerAnswer::Failed(refusal(reason)),
            }),
            TrackerState::Failed(TrackerError::TooMany { .. }) => {
                Reported::failed(TrackerFailure::Forbidden)
            }
            TrackerState::Failed(_) if is_refused(&status.url, filter) => {
                Reported::failed(TrackerFailure::Forbidden)
            }
            TrackerState::Idle if !status.asking && self.failing_since.is_none() => {
                Reported::new(TrackerAnswer::None)
            }
            TrackerState::Idle | TrackerState::Failed(_) => {
                let passed = self
                    .failing_since
                    .get_or_insert_with(Instant::now)
                    .elapsed();
                if passed < after {
                    self.asking()
                } else {
                    Reported::failed(TrackerFailure::NoAnswer)
                }
            }
        }
    }

    /// An answer. While the tracker is asked again it is reported as it is after a failure, so that
    /// nobody sees when that failed.
    fn answer<'a>(&mut self, reported: Reported<'a>) -> Reported<'a> {
        self.answered = reported.answer;
        if reported.asking {
            self.failing_since.get_or_insert_with(Instant::now);
            return self.asking();
        }
        self.failing_since = None;
        reported
    }

    const fn asking(&self) -> Reported<'static> {
        Reported {
            asking: true,
            ..Reported::new(self.answered)
        }
    }
}

/// What a tracker's own text says. Trackers word it differently, so this looks for the common ways to
/// say that the torrent is unknown: XBT's and Ocelot's "not registered", opentracker's "not
/// authorized", and others.
fn refusal(reason: &str) -> TrackerFailure {
    const UNKNOWN: [&str; 6] = [
        "not registered",
        "unregistered",
        "not authorized",
        "not found",
        "not exist",
        "unknown torrent",
    ];
    let reason = reason.to_ascii_lowercase();
    if UNKNOWN.iter().any(|words| reason.contains(words)) {
        TrackerFailure::NotRegistered
    } else {
        TrackerFailure::Refused
    }
}

/// Whether the filter refuses the address that the tab itself named, which is not a secret. The
/// address of a name or a redirect may be one.
fn is_refused(url: &str, filter: &Filter) -> bool {
    let Ok(Url {
        host: Host::Addr(ip),
        port,
        ..
    }) = Url::parse(url)
    else {
        return false;
    };
    filter
        .check(&Target::new(Purpose::HttpTracker, (ip, port).into()))
        .is_err()
}

/// Whole seconds until a time of core's machines.
fn seconds_until(at: types::Instant, context: &SwarmContext) -> Duration {
    let left = context
        .clock
        .instant(at)
        .saturating_duration_since(Instant::now());
    Duration::from_secs(left.as_secs())
}

#[cfg(test)]
mod tests {
    use aqueduct_core::discovery::url::UrlError;

    use super::*;

    const AFTER: Duration = Duration::from_secs(35);

    fn failed(url: &str, error: TrackerError) -> TrackerStatus {
        TrackerStatus {
            tier: 0,
            url: url.to_owned(),
            state: TrackerState::Failed(error),
            asking: false,
            next: None,
            warning: None,
        }
    }

    /// How a tracker with these states, 20 s apart, is reported.
    async fn reports_of(statuses: &[TrackerStatus]) -> Vec<String> {
        let (filter, mut told, mut reports) = (Filter::default(), Told::default(), Vec::new());
        for status in statuses {
            let reported = told.report(status, AFTER, &filter);
            reports.push(match reported.answer {
                TrackerAnswer::None if reported.asking => "asking".to_owned(),
                TrackerAnswer::None => "idle".to_owned(),
                TrackerAnswer::Peers { .. } => "answered".to_owned(),
                TrackerAnswer::Failed(failure) => failure.to_string(),
            });
            let is_silent = reported.answer == TrackerAnswer::Failed(TrackerFailure::NoAnswer);
            assert!(
                !is_silent || (reported.text, reported.next) == (None, None),
                "{reported:?}"
            );
            tokio::time::advance(Duration::from_secs(20)).await;
        }
        reports
    }

    #[tokio::test(start_paused = true)]
    async fn open_closed_and_silent_ports_and_names_of_all_kinds_are_reported_alike() {
        let url = "http://internal.example/announce";
        let asking = TrackerStatus {
            state: TrackerState::Idle,
            asking: true,
            ..failed(url, TrackerError::Html)
        };
        let errors = [
            TrackerError::Unreachable("connection refused".to_owned()),
            TrackerError::Unreachable("the name has no address".to_owned()),
            TrackerError::Refused("it is not a public IPv4 address".to_owned()),
            TrackerError::Timeout(Duration::from_secs(30)),
            TrackerError::HttpStatus(404),
            TrackerError::Http("invalid version".to_owned()),
            TrackerError::Html,
        ];
        for error in errors {
            let at_once = failed(url, error.clone());
            let told = reports_of(&[
                asking.clone(),
                at_once.clone(),
                at_once.clone(),
                asking.clone(),
                at_once,
            ])
            .await;
            assert_eq!(
                told,
                [
                    "asking",
                    "asking",
                    "it gave no usable answer",
                    "it gave no usable answer",
                    "it gave no usable answer"
                ],
                "{error}"
            );
        }
        let told = reports_of(&[asking.clone(), asking.clone(), asking]).await;
        assert_eq!(
            told,
            ["asking", "asking", "it gave no usable answer"],
            "silence"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn when_a_tracker_that_had_answered_fails_is_not_told() {
        let url = "http://own.example/announce";
        let answered = |asking| TrackerStatus {
            state: TrackerState::Ok {
                seeders: None,
                leechers: None,
                peers: 1,
            },
            asking,
            ..failed(url, TrackerError::Html)
        };
        let silent = || failed(url, TrackerError::Timeout(Duration::from_secs(30)));
        let refusal = |asking| TrackerStatus {
            asking,
            ..failed(url, TrackerError::Failure("no".to_owned()))
        };
        let told = [answered(false), answered(true), silent(), silent()];
        assert_eq!(
            reports_of(&told).await,
            [
                "answered",
                "answered",
                "answered",
                "it gave no usable answer"
            ]
        );
        let told = [silent(), refusal(false), refusal(true), silent(), silent()];
        assert_eq!(
            reports_of(&told).await,
            [
                "asking",
                "it refused the request",
                "it refused the request",
                "it refused the request",
                "it gave no usable answer"
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_tab_could_know_is_reported_at_once() {
        let refused = || TrackerError::Refused("private".to_owned());
        assert_eq!(
            reports_of(&[failed("http://10.0.0.1/announce", refused())]).await,
            ["the bridge does not ask trackers at such an address"]
        );
        assert_eq!(
            reports_of(&[failed("http://8.8.8.8/announce", refused())]).await,
            ["asking"],
            "it redirected"
        );
        assert_eq!(
            reports_of(&[failed("gopher://a/", TrackerError::Url(UrlError::Scheme))]).await,
            ["its address cannot be used"]
        );
        assert_eq!(
            reports_of(&[failed(
                "http://a/announce",
                TrackerError::Failure("no".to_owned())
            )])
            .await,
            ["it refused the request"]
        );
        for reason in [
            "Torrent not registered with this tracker.",
            "unregistered torrent",
            "Requested download is not authorized for use with this tracker.",
        ] {
            let error = TrackerError::Failure(reason.to_owned());
            assert_eq!(
                reports_of(&[failed("http://a/announce", error)]).await,
                ["it answers that this torrent is not registered there"]
            );
        }
    }
}
