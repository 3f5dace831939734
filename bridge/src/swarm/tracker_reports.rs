//! What a tab is told of its trackers.
//!
//! A tab chooses the trackers, and so what the bridge connects to. Were it told how and when each
//! attempt failed, it could tell open ports from closed ones, and names that exist in the bridge's
//! network from those that do not. So whatever gives no tracker's answer is told alike: as being
//! asked, for longer than any attempt may take, and from then on as having failed.

use std::time::Duration;

use aqueduct_core::discovery::url::{Host, Url};
use aqueduct_core::discovery::{TrackerError, TrackerState, TrackerStatus};
use aqueduct_core::tunnel::{TrackerCounts, TrackerFailure};
use aqueduct_native::net::{Policy, Purpose, Target};
use tokio::time::Instant;

use crate::bridge::Bridge;
use crate::limits::policy::Filter;

/// Since when each tracker of a join was asked in vain.
#[derive(Debug, Default)]
pub(crate) struct TrackerReports {
    in_vain_since: Vec<Option<Instant>>,
}

/// What one tracker is told as.
enum Told {
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
    /// What the tab may know now.
    pub(crate) fn count(&mut self, statuses: &[TrackerStatus], bridge: &Bridge) -> TrackerCounts {
        let after = bridge.config.limits.failures_told_after.0;
        self.in_vain_since.resize(statuses.len(), None);
        let mut counts = TrackerCounts {
            total: u16::try_from(statuses.len()).unwrap_or(u16::MAX),
            ..TrackerCounts::default()
        };
        for (status, since) in statuses.iter().zip(&mut self.in_vain_since) {
            match told(status, since, after, &bridge.filter) {
                Told::Idle => {}
                Told::Asking => counts.asking += 1,
                Told::Answered {
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
                Told::Failed(failure) => {
                    counts.failed += 1;
                    counts.failure = Some(failure);
                }
            }
        }
        let answered = statuses
            .iter()
            .filter(|status| matches!(status.state, TrackerState::Ok { .. }));
        let next = answered.filter_map(|status| status.next).min();
        counts.next = next.map(|next| {
            whole_seconds(
                bridge
                    .instant(next)
                    .saturating_duration_since(Instant::now()),
            )
        });
        counts
    }

    /// When time alone changes what is told.
    pub(crate) fn next_change(&self, bridge: &Bridge) -> Option<Instant> {
        let after = bridge.config.limits.failures_told_after.0;
        let changes = self
            .in_vain_since
            .iter()
            .flatten()
            .map(|since| *since + after);
        changes.filter(|at| *at > Instant::now()).min()
    }
}

fn told(
    status: &TrackerStatus,
    since: &mut Option<Instant>,
    after: Duration,
    filter: &Filter,
) -> Told {
    match &status.state {
        TrackerState::Ok {
            seeders,
            leechers,
            peers,
        } => {
            *since = None;
            Told::Answered {
                seeders: seeders.unwrap_or(0),
                leechers: leechers.unwrap_or(0),
                peers: *peers,
            }
        }
        TrackerState::Failed(TrackerError::Url(_)) => Told::Failed(TrackerFailure::Url),
        TrackerState::Failed(
            TrackerError::Failure(_) | TrackerError::Later { .. } | TrackerError::Never(_),
        ) => Told::Failed(TrackerFailure::Refused),
        TrackerState::Failed(TrackerError::TooMany { .. }) => {
            Told::Failed(TrackerFailure::Forbidden)
        }
        TrackerState::Failed(_) if is_refused(&status.url, filter) => {
            Told::Failed(TrackerFailure::Forbidden)
        }
        TrackerState::Idle if !status.asking && since.is_none() => Told::Idle,
        TrackerState::Idle | TrackerState::Failed(_) => {
            let passed = since.get_or_insert_with(Instant::now).elapsed();
            if passed < after {
                Told::Asking
            } else {
                Told::Failed(TrackerFailure::NoAnswer)
            }
        }
    }
}

/// Whether the filter refuses the very address that the tab named: that is no secret. What a name
/// or a redirect leads to may be one.
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

    /// What is told of a tracker, and of a tracker that fails so, over the time.
    async fn told_of(statuses: &[TrackerStatus]) -> Vec<String> {
        let (filter, mut since, mut told_so_far) = (Filter::default(), None, Vec::new());
        for status in statuses {
            told_so_far.push(match told(status, &mut since, AFTER, &filter) {
                Told::Idle => "idle".to_owned(),
                Told::Asking => "asking".to_owned(),
                Told::Answered { .. } => "answered".to_owned(),
                Told::Failed(failure) => failure.to_string(),
            });
            tokio::time::advance(Duration::from_secs(20)).await;
        }
        told_so_far
    }

    #[tokio::test(start_paused = true)]
    async fn open_closed_and_silent_ports_and_names_of_all_kinds_are_told_alike() {
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
            let told = told_of(&[
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
        let told = told_of(&[asking.clone(), asking.clone(), asking]).await;
        assert_eq!(
            told,
            ["asking", "asking", "it gave no usable answer"],
            "silence"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_tab_could_know_is_told_at_once() {
        let refused = || TrackerError::Refused("private".to_owned());
        assert_eq!(
            told_of(&[failed("http://10.0.0.1/announce", refused())]).await,
            ["the bridge does not ask trackers at such an address"]
        );
        assert_eq!(
            told_of(&[failed("http://8.8.8.8/announce", refused())]).await,
            ["asking"],
            "it redirected"
        );
        assert_eq!(
            told_of(&[failed("gopher://a/", TrackerError::Url(UrlError::Scheme))]).await,
            ["its address cannot be used"]
        );
        assert_eq!(
            told_of(&[failed(
                "http://a/announce",
                TrackerError::Failure("no".to_owned())
            )])
            .await,
            ["it refused the request"]
        );
    }
}
