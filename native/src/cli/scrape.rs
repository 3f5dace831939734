//! `aqueduct show --scrape`: how many seeds and leeches each tracker knows of, asked without
//! joining the swarm (BEP 48).

use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::discovery::{Amounts, Key, Swarm, TrackerState, TrackerStatus};
use aqueduct_core::types::{InfoHash, PeerId, visible};
use aqueduct_native::discovery::{self, Options};
use aqueduct_native::net::{Outbound, OwnUser};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::ui::failure::{Class, Failure};

/// The longest wait for all trackers together.
const LIMIT: Duration = Duration::from_secs(20);

/// Asks every tracker; returns their states with the answers.
pub(crate) async fn ask(
    info_hash: &InfoHash,
    trackers: Vec<Vec<String>>,
) -> Result<Vec<TrackerStatus>, Failure> {
    if trackers.iter().all(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let options = Options {
        config: Default::default(),
        policy: Arc::new(OwnUser),
        outbound: Outbound::default(),
        dht: None,
    };
    let handle = discovery::spawn(options).map_err(|error| cannot(&error))?;
    // A scrape contains neither id nor port nor amounts.
    let swarm = Swarm {
        trackers,
        peer_id: PeerId::ours([0; 12]),
        port: 0,
        amounts: Amounts::default(),
        private: false,
    };
    let (membership, mut news) = handle
        .join(
            Key {
                info_hash: info_hash.wire(),
                owner: 0,
            },
            swarm,
        )
        .map_err(|error| cannot(&error))?;
    membership.scrape();
    let all = async { while !is_over(&membership.trackers()) && news.recv().await.is_some() {} };
    // Trackers that have not answered are shown as such.
    let _ = timeout(LIMIT, all).await;
    Ok(membership.trackers())
}

fn is_over(statuses: &[TrackerStatus]) -> bool {
    !statuses.is_empty()
        && statuses
            .iter()
            .all(|status| !status.asking && status.state != TrackerState::Idle)
}

fn cannot(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Class::Failure,
        format!("the trackers cannot be asked: {error}"),
    )
}

/// For `--json`.
pub(crate) fn objects(statuses: &[TrackerStatus]) -> Value {
    statuses.iter().map(object).collect()
}

fn object(status: &TrackerStatus) -> Value {
    let (seeders, leechers) = match status.state {
        TrackerState::Ok {
            seeders, leechers, ..
        } => (seeders, leechers),
        TrackerState::Idle | TrackerState::Failed(_) => (None, None),
    };
    json!({ "url": status.url, "seeders": seeders, "leechers": leechers, "error": error(status) })
}

fn error(status: &TrackerStatus) -> Option<String> {
    match &status.state {
        TrackerState::Ok { .. } => None,
        TrackerState::Idle => Some("the tracker has not answered".to_owned()),
        TrackerState::Failed(error) => Some(error.to_string()),
    }
}

/// One tracker in readable form.
pub(crate) fn line(status: &TrackerStatus) -> String {
    let what = match &status.state {
        TrackerState::Ok {
            seeders, leechers, ..
        } => format!("{}, {}", count(*seeders, "seed"), count(*leechers, "leech")),
        _ => error(status).unwrap_or_default(),
    };
    format!("{}: {what}", visible(&status.url))
}

fn count(number: Option<u32>, one: &str) -> String {
    let many = if one.ends_with('h') { "es" } else { "s" };
    match number {
        None => format!("unknown {one}{many}"),
        Some(1) => format!("1 {one}"),
        Some(number) => format!("{number} {one}{many}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_as_words() {
        let state = TrackerState::Ok {
            seeders: Some(1),
            leechers: Some(2),
            peers: 0,
        };
        let status = TrackerStatus {
            tier: 0,
            url: "http://t/announce".to_owned(),
            state,
            asking: false,
            next: None,
            warning: None,
        };
        assert_eq!(line(&status), "http://t/announce: 1 seed, 2 leeches");
        let silent = TrackerStatus {
            state: TrackerState::Idle,
            ..status
        };
        assert_eq!(
            line(&silent),
            "http://t/announce: the tracker has not answered"
        );
        assert_eq!(object(&silent)["error"], "the tracker has not answered");
    }
}
