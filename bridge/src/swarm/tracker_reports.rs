//! The reports on its trackers that a tab receives.
//!
//! A tab chooses the trackers, and so what the bridge connects to. If it learned how and when each
//! attempt failed, it could distinguish open ports from closed ones, and names that exist in the
//! bridge's network from those that do not. Every failure without a tracker's answer is therefore
//! reported in the same way: as being asked, for longer than any attempt may take, and from then on
//! as failed.

use std::time::Duration;

use aqueduct_core::discovery::url::{Host, Url};
use aqueduct_core::discovery::{TrackerError, TrackerState, TrackerStatus};
use aqueduct_core::tunnel::{TrackerCounts, TrackerFailure};
use aqueduct_native::net::{Policy, Purpose, Target};
use tokio::time::Instant;

use crate::limits::policy::Filter;
use crate::swarm::context::SwarmContext;

/// Since when each tracker of a join has been asked without an answer.
#[derive(Debug, Default)]
pub(crate) struct TrackerReports {
    failing_since: Vec<Option<Instant>>,
}

/// How one tracker is reported.
enum ReportedState {
    Idle,
    Asking,
    Answered {
        seeders: u32,
        leechers: u32,
        peers: usize,
    },
    Failed(TrackerFailure),
}

impl TrackerReports {
    /// The counts that may be reported now.
    pub(crate) fn count(
        &mut self,
        statuses: &[TrackerStatus],
        context: &SwarmContext,
    ) -> TrackerCounts {
        let after = context.limits.failures_told_after.0;
        self.failing_since.resize(statuses.len(), None);
        let mut counts = TrackerCounts {
            total: u16::try_from(statuses.len()).unwrap_or(u16::MAX),
            ..TrackerCounts::default()
        };
        for (status, since) in statuses.iter().zip(&mut self.failing_since) {
            match reported(status, since, after, &context.filter) {
                ReportedState::Idle => {}
                ReportedState::Asking => counts.asking += 1,
                ReportedState::Answered {
                    seeders,
                    leechers,
                    peers,
                } => {
                    counts.asking += u16::from(status.asking);
                    counts.answered += 1;
                    counts.empty += u16::from(peers == 0);
                    counts.seeders = counts.seeders.max(seeders);
                    counts.leechers = counts.leechers.max(leechers);
                }
                ReportedState::Failed(failure) => {
                    counts.failed += 1;
                    // Waiting does not help there, unlike with most other failures.
                    if counts.failure != Some(TrackerFailure::NotRegistered) {
                        counts.failure = Some(failure);
                    }
                }
            }
        }
        let answered = statuses
            .iter()
            .filter(|status| matches!(status.state, TrackerState::Ok { .. }));
        let next = answered.filter_map(|status| status.next).min();
        counts.next = next.map(|next| {
            whole_seconds(
                context
                    .clock
                    .instant(next)
                    .saturating_duration_since(Instant::now()),
            )
        });
        counts
    }

    /// When the passing of time changes the report.
    pub(crate) fn next_change(&self, context: &SwarmContext) -> Option<Instant> {
        let after = context.limits.failures_told_after.0;
        let changes = self
            .failing_since
            .iter()
            .flatten()
            .map(|since| *since + after);
        changes.filter(|at| *at > Instant::now()).min()
    }
}

fn reported(
    status: &TrackerStatus,
    since: &mut Option<Instant>,
    after: Duration,
    filter: &Filter,
) -> ReportedState {
    match &status.state {
        TrackerState::Ok {
            seeders,
            leechers,
            peers,
        } => {
            *since = None;
            ReportedState::Answered {
                seeders: seeders.unwrap_or(0),
                leechers: leechers.unwrap_or(0),
                peers: *peers,
            }
        }
        TrackerState::Failed(TrackerError::Url(_)) => ReportedState::Failed(TrackerFailure::Url),
        TrackerState::Failed(
            TrackerError::Failure(reason)
            | TrackerError::Later { reason, .. }
            | TrackerError::Never(reason),
        ) => ReportedState::Failed(refusal(reason)),
        TrackerState::Failed(TrackerError::TooMany { .. }) => {
            ReportedState::Failed(TrackerFailure::Forbidden)
        }
        TrackerState::Failed(_) if is_refused(&status.url, filter) => {
            ReportedState::Failed(TrackerFailure::Forbidden)
        }
        TrackerState::Idle if !status.asking && since.is_none() => ReportedState::Idle,
        TrackerState::Idle | TrackerState::Failed(_) => {
            let passed = since.get_or_insert_with(Instant::now).elapsed();
            if passed < after {
                ReportedState::Asking
            } else {
                ReportedState::Failed(TrackerFailure::NoAnswer)
            }
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

fn whole_seconds(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs())
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
        let (filter, mut since, mut reports) = (Filter::default(), None, Vec::new());
        for status in statuses {
            reports.push(match reported(status, &mut since, AFTER, &filter) {
                ReportedState::Idle => "idle".to_owned(),
                ReportedState::Asking => "asking".to_owned(),
                ReportedState::Answered { .. } => "answered".to_owned(),
                ReportedState::Failed(failure) => failure.to_string(),
            });
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
