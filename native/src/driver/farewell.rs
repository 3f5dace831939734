//! How long to wait for trackers when leaving.

use std::collections::BTreeMap;
use std::time::Duration;

use aqueduct_core::discovery::trackers::{self, QueryId};
use aqueduct_core::discovery::{Input, NetRequest};
use tokio::time::Instant;

/// The minimum time without any answer after which the wait ends: enough for a connection to a
/// nearby tracker.
const LEAST: Duration = Duration::from_millis(500);
/// The same as a multiple of this run's slowest answer.
const TIMES: u32 = 3;

/// The request to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closing {
    pub(super) asked: Instant,
    /// The deadline for ending.
    pub(super) deadline: Instant,
}

/// The observed speed of trackers.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The HTTP requests in progress, with their start times.
    asked: BTreeMap<QueryId, Instant>,
    slowest: Duration,
    heard: Option<Instant>,
}

impl Pace {
    /// Records the start of a request, or its end without an answer.
    pub(super) fn note_request(&mut self, request: &NetRequest) {
        match request {
            NetRequest::Trackers(trackers::Request::HttpGet { id, .. }) => {
                self.asked.insert(*id, Instant::now());
            }
            NetRequest::Trackers(trackers::Request::Cancel(id)) => {
                self.asked.remove(id);
            }
            _ => {}
        }
    }

    /// Records an answer.
    pub(super) fn note_input(&mut self, input: &Input) {
        match input {
            Input::Trackers(trackers::Input::HttpResponse { id, result }) => {
                let asked = self.asked.remove(id);
                if result.is_ok() {
                    self.answered(asked);
                }
            }
            Input::Trackers(trackers::Input::UdpPacket { .. }) => self.answered(None),
            _ => {}
        }
    }

    /// Records an answer to a request that was sent at `asked`, if known.
    fn answered(&mut self, asked: Option<Instant>) {
        let now = Instant::now();
        self.slowest = self
            .slowest
            .max(asked.map_or(Duration::ZERO, |asked| now - asked));
        self.heard = Some(now);
    }

    /// When to end: at the deadline, or earlier, if no tracker seems to answer any more.
    pub(super) fn end(&self, closing: Closing) -> Instant {
        let patience = LEAST.max(self.slowest * TIMES);
        let heard = self.heard.unwrap_or(closing.asked).max(closing.asked);
        closing.deadline.min(heard + patience)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use aqueduct_core::discovery::Fetched;

    use super::*;

    fn ask(pace: &mut Pace, id: QueryId) {
        let get = trackers::Request::HttpGet {
            id,
            owner: 0,
            url: String::new(),
            family: None,
        };
        pace.note_request(&NetRequest::Trackers(get));
    }

    fn answer(pace: &mut Pace, id: QueryId) {
        let result = Ok(Fetched {
            body: Default::default(),
            from: IpAddr::from([9, 9, 9, 9]),
            dual: false,
        });
        let response = trackers::Input::HttpResponse { id, result };
        pace.note_input(&Input::Trackers(response));
    }

    #[tokio::test(start_paused = true)]
    async fn trackers_that_never_answered_are_waited_for_briefly_and_slow_ones_for_longer() {
        let wait = |pace: &Pace| {
            let asked = Instant::now();
            let deadline = asked + Duration::from_secs(3);
            pace.end(Closing { asked, deadline }) - asked
        };
        let mut pace = Pace::default();
        let [first, second] = [1, 2].map(QueryId);
        assert_eq!(wait(&pace), LEAST);
        ask(&mut pace, first);
        ask(&mut pace, second);
        tokio::time::advance(Duration::from_millis(400)).await;
        answer(&mut pace, first);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(wait(&pace), Duration::from_millis(1200));
        answer(&mut pace, second);
        let most = Duration::from_secs(3);
        assert_eq!(wait(&pace), most, "never longer than was asked for");
        assert!(pace.asked.is_empty());
    }
}
