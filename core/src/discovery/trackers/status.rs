//! The status of trackers, for display and error messages.

use std::fmt;
use std::time::Duration;

use crate::discovery::url::{Url, UrlError};
use crate::types::{Instant, visible};

/// The maximum number of trackers whose failures are listed by name.
const MAX_REASONS: usize = 3;

/// The status of one tracker of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackerStatus {
    /// Its tier, starting at 0 (BEP 12).
    pub tier: usize,
    /// The URL as in the torrent. It is untrusted text and must be escaped for display.
    pub url: String,
    /// The result of the last completed announce.
    pub state: TrackerState,
    /// Whether an announce is in progress.
    pub asking: bool,
    /// When it is asked next; `None`: now, or only when others fail.
    pub next: Option<Instant>,
    /// The tracker's warning for the user (`warning message`), escaped, at most 255 bytes.
    pub warning: Option<String>,
}

/// The result of the last announce.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TrackerState {
    /// Not asked, or no answer yet.
    #[default]
    Idle,
    /// It answered.
    Ok {
        /// The number of complete peers, if given.
        seeders: Option<u32>,
        /// The number of incomplete peers, if given.
        leechers: Option<u32>,
        /// The number of addresses in the answer.
        peers: usize,
    },
    /// It did not answer, or the answer was invalid.
    Failed(TrackerError),
}

/// Why an announce failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrackerError {
    /// The torrent's URL for it cannot be used.
    #[error("its address cannot be used: {0}")]
    Url(#[from] UrlError),
    /// The tracker refused (`failure reason`, BEP 3; action 3, BEP 15): its text, escaped, at most
    /// 255 bytes.
    #[error("the tracker refuses: {0}")]
    Failure(String),
    /// The tracker refused with a retry delay (`retry in`, BEP 31).
    #[error("the tracker refuses: {reason}; it wants to be asked again after {} min", .wait.as_secs() / 60)]
    Later {
        /// The text, as in [`TrackerError::Failure`].
        reason: String,
        /// The minimum delay, which is bounded when it is stored.
        wait: Duration,
    },
    /// The tracker refused permanently.
    #[error("the tracker refuses: {0}; it does not want to be asked again")]
    Never(String),
    /// The first of a torrent's trackers beyond [`super::Config::max_trackers`].
    #[error(
        "this one and those after it, {more} in all, are not asked: {limit} trackers of a torrent are the limit"
    )]
    TooMany {
        /// The limit.
        limit: usize,
        /// The number of trackers beyond it.
        more: usize,
    },
    /// A scrape was requested, and BEP 48 defines no URL for it.
    #[error("the tracker cannot be asked for counts alone: its path does not end in /announce")]
    NoScrape,
    /// There was no answer.
    #[error("the tracker did not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The name cannot be resolved, or the connection failed.
    #[error("the tracker cannot be reached: {0}")]
    Unreachable(String),
    /// The address policy does not permit dialling the address.
    #[error("the tracker is not asked: {0}")]
    Refused(String),
    /// It was not asked this time, because it receives too many requests from others. This is not a
    /// failure of the tracker.
    #[error("too many ask the tracker at a time; it is asked again in {} s", .0.as_secs())]
    Busy(Duration),
    /// The HTTP status is not 200.
    #[error(
        "the tracker answered with HTTP status {0}; it may have moved, or ask for another address"
    )]
    HttpStatus(u16),
    /// The HTTP response is invalid, or there were more than three redirects.
    #[error("the tracker broke HTTP: {0}")]
    Http(String),
    /// The answer is longer than permitted.
    #[error("the tracker's answer is too long: more than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: u64,
    },
    /// The answer is a web page.
    #[error(
        "the tracker answered with a web page instead of a list of peers; is its address right?"
    )]
    Html,
    /// The answer is not of the form of BEP 3.
    #[error("the tracker's answer is malformed: {0}")]
    Malformed(String),
    /// The answer is not of the form of BEP 15.
    #[error("the tracker's datagram is malformed: {expected} bytes expected, {received} came")]
    Datagram {
        /// The minimum length of an answer to this action.
        expected: usize,
        /// The received length.
        received: usize,
    },
}

impl TrackerError {
    /// The tracker's own text, if it gave a reason: escaped.
    #[must_use]
    pub fn own_words(&self) -> Option<&str> {
        match self {
            Self::Failure(reason) | Self::Later { reason, .. } | Self::Never(reason) => {
                Some(reason)
            }
            _ => None,
        }
    }

    /// A short form for lists; the tracker's own text is quoted.
    fn brief(&self) -> String {
        match self {
            Self::Failure(reason) | Self::Later { reason, .. } | Self::Never(reason) => {
                format!("says \"{reason}\"")
            }
            Self::HttpStatus(status) => format!("HTTP status {status}"),
            Self::Timeout(_) => "does not answer".to_owned(),
            Self::Html => "answers with a web page".to_owned(),
            other => other
                .to_string()
                .trim_start_matches("the tracker ")
                .to_owned(),
        }
    }
}

impl TrackerStatus {
    /// Its URL for display and logs: escaped, without user and password.
    #[must_use]
    pub fn shown_url(&self) -> String {
        let secret = Url::parse(&self.url)
            .ok()
            .filter(|url| !url.user_prefix().is_empty());
        secret.map_or_else(|| visible(&self.url).into_owned(), |url| url.to_string())
    }

    /// Why its last announce failed, as a sentence without the address that its URL contains already;
    /// `None`: it did not.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let TrackerState::Failed(error) = &self.state else {
            return None;
        };
        Some(self.without_address(&error.to_string()))
    }

    /// Text without the address of the URL, if it is part of it.
    fn without_address(&self, text: &str) -> String {
        match Url::parse(&self.url) {
            Ok(url) => text.replacen(&format!("{}:{}: ", url.host, url.port), "", 1),
            Err(_) => text.to_owned(),
        }
    }

    /// Its host for display, or the whole URL if that is invalid.
    fn shown_host(&self) -> String {
        Url::parse(&self.url)
            .map_or_else(|_| visible(&self.url).into_owned(), |url| url.authority())
    }
}

/// A summary of failures, with at most `MAX_REASONS` trackers by name: `t.example says
/// "unregistered torrent"; u.example: HTTP status 404`. Empty if none did.
#[must_use]
pub fn failures<'a>(statuses: impl IntoIterator<Item = &'a TrackerStatus>) -> String {
    let failed = |status: &'a TrackerStatus| {
        if let TrackerState::Failed(error) = &status.state {
            Some((status, error))
        } else {
            None
        }
    };
    let mut failed: Vec<_> = statuses.into_iter().filter_map(failed).collect();
    // A tracker's own text is the most useful.
    failed.sort_by_key(|(_, error)| error.own_words().is_none());
    let one = |(status, error): &(&TrackerStatus, &TrackerError)| {
        let colon = if error.own_words().is_some() { "" } else { ":" };
        let brief = status.without_address(&error.brief());
        format!("{}{colon} {brief}", status.shown_host())
    };
    let mut reasons: Vec<String> = failed.iter().take(MAX_REASONS).map(one).collect();
    let more = failed.len().saturating_sub(MAX_REASONS);
    reasons.extend((more > 0).then(|| format!("{more} more")));
    reasons.join("; ")
}

/// Counts over the trackers of a torrent. Its `Display` form is, for example, "asked 3 trackers: 2
/// failed, 1 knows no peers".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The number of trackers that answered, failed, or have not answered yet.
    pub asked: usize,
    /// The number of these that failed.
    pub failed: usize,
    /// The number of these that answered without peers.
    pub empty: usize,
    /// The number of these that answered with peers.
    pub useful: usize,
    /// The number of addresses in all last answers.
    pub peers: usize,
}

impl Summary {
    /// Computes the counts.
    pub fn of<'a>(statuses: impl IntoIterator<Item = &'a TrackerStatus>) -> Self {
        statuses.into_iter().fold(Self::default(), Self::count)
    }

    fn count(mut self, status: &TrackerStatus) -> Self {
        match status.state {
            TrackerState::Idle if !status.asking => return self,
            TrackerState::Idle => {}
            TrackerState::Failed(_) => self.failed += 1,
            TrackerState::Ok { peers: 0, .. } => self.empty += 1,
            TrackerState::Ok { peers, .. } => {
                self.useful += 1;
                self.peers += peers;
            }
        }
        self.asked += 1;
        self
    }

    /// The number of trackers that have not answered yet.
    #[must_use]
    pub const fn silent(&self) -> usize {
        self.asked - self.failed - self.empty - self.useful
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.asked == 0 {
            return f.write_str("asked no trackers");
        }
        write!(
            f,
            "asked {} tracker{}",
            self.asked,
            if self.asked == 1 { "" } else { "s" }
        )?;
        let mut separator = ": ";
        for (count, one, many) in [
            (self.failed, "failed", "failed"),
            (self.empty, "knows no peers", "know no peers"),
            (self.silent(), "has not answered", "have not answered"),
            (self.useful, "knows peers", "know peers"),
        ] {
            if count > 0 {
                write!(
                    f,
                    "{separator}{count} {}",
                    if count == 1 { one } else { many }
                )?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: TrackerState, asking: bool) -> TrackerStatus {
        TrackerStatus {
            tier: 0,
            url: String::new(),
            state,
            asking,
            next: None,
            warning: None,
        }
    }

    fn ok(peers: usize) -> TrackerState {
        TrackerState::Ok {
            seeders: None,
            leechers: None,
            peers,
        }
    }

    #[test]
    fn a_summary_reads_as_a_sentence() {
        let failed = || status(TrackerState::Failed(TrackerError::Html), false);
        let summary = Summary::of(&[failed(), failed(), status(ok(0), true)]);
        assert_eq!(
            summary.to_string(),
            "asked 3 trackers: 2 failed, 1 knows no peers"
        );
        let summary = Summary::of(&[
            status(ok(7), false),
            status(TrackerState::Idle, true),
            status(TrackerState::Idle, false),
        ]);
        assert_eq!(
            summary.to_string(),
            "asked 2 trackers: 1 has not answered, 1 knows peers"
        );
        assert_eq!(summary.peers, 7);
        assert_eq!(Summary::of(&[]).to_string(), "asked no trackers");
    }

    #[test]
    fn failures_are_told_with_host_and_reason_and_foreign_words_first() {
        let failed = |url: &str, error| TrackerStatus {
            url: url.to_owned(),
            ..status(TrackerState::Failed(error), false)
        };
        let list = [
            failed(
                "http://me:secret@a.example:81/announce",
                TrackerError::HttpStatus(404),
            ),
            failed(
                "udp://b.example:1",
                TrackerError::Failure("unregistered torrent".to_owned()),
            ),
            failed("wss://c\u{1b}", TrackerError::Url(UrlError::Scheme)),
            failed(
                "http://d/",
                TrackerError::Unreachable("connection refused".to_owned()),
            ),
        ];
        assert_eq!(
            failures(&list),
            "b.example:1 says \"unregistered torrent\"; a.example:81: HTTP status 404; \
             wss://c\\u{1b}: its address cannot be used: only http, https and udp are understood; 1 more"
        );
        assert_eq!(list[0].shown_url(), "http://a.example:81/announce");
        assert_eq!(failures(&[status(ok(0), false)]), "");
    }

    #[test]
    fn an_address_that_the_url_contains_is_not_told_twice() {
        let failed = |url: &str, reason: &str| {
            let state = TrackerState::Failed(TrackerError::Unreachable(reason.to_owned()));
            TrackerStatus {
                url: url.to_owned(),
                ..status(state, false)
            }
        };
        let literal = failed(
            "http://127.0.0.1/announce",
            "127.0.0.1:80: connection refused",
        );
        assert_eq!(
            literal.failure().unwrap(),
            "the tracker cannot be reached: connection refused"
        );
        assert_eq!(
            failures([&literal]),
            "127.0.0.1: cannot be reached: connection refused"
        );
        let v6 = failed("udp://[::1]:6969", "[::1]:6969: connection refused");
        assert_eq!(
            failures([&v6]),
            "[::1]:6969: cannot be reached: connection refused"
        );
        let named = failed("udp://t.example:6969", "192.0.2.1:6969: connection refused");
        assert_eq!(
            failures([&named]),
            "t.example:6969: cannot be reached: 192.0.2.1:6969: connection refused"
        );
    }
}
