//! How trackers are doing, for screens and error messages.

use std::fmt;
use std::time::Duration;

use crate::discovery::url::{Url, UrlError};
use crate::types::{Instant, visible};

/// Trackers whose failures are told together by name.
const MAX_REASONS: usize = 3;

/// One tracker of one torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackerStatus {
    /// Its tier, from 0 (BEP 12).
    pub tier: usize,
    /// As the torrent has it: foreign text, to be escaped on screens.
    pub url: String,
    /// What came of the last announce that is over.
    pub state: TrackerState,
    /// Whether an announce is under way.
    pub asking: bool,
    /// When it is asked next; `None`: now, or only when others fail.
    pub next: Option<Instant>,
    /// What it wants the user to know (`warning message`), escaped, at most 255 bytes of it.
    pub warning: Option<String>,
}

/// What came of the last announce.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TrackerState {
    /// Not asked, or no answer yet.
    #[default]
    Idle,
    /// It answered.
    Ok {
        /// Complete peers it knows, if it says.
        seeders: Option<u32>,
        /// Other peers it knows, if it says.
        leechers: Option<u32>,
        /// Addresses it gave us.
        peers: usize,
    },
    /// It did not answer, or not well.
    Failed(TrackerError),
}

/// Why an announce failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrackerError {
    /// The torrent names it in a way that cannot be asked.
    #[error("its address cannot be used: {0}")]
    Url(#[from] UrlError),
    /// It said so (`failure reason`, BEP 3; action 3, BEP 15): escaped, at most 255 bytes of it.
    #[error("the tracker refuses: {0}")]
    Failure(String),
    /// The same, with the wait that it wants (`retry in`, BEP 31).
    #[error("the tracker refuses: {reason}; it wants to be asked again after {} min", .wait.as_secs() / 60)]
    Later {
        /// As in [`TrackerError::Failure`].
        reason: String,
        /// At least so long; it is bounded before it is kept.
        wait: Duration,
    },
    /// The same, for good.
    #[error("the tracker refuses: {0}; it does not want to be asked again")]
    Never(String),
    /// One of a torrent's trackers beyond [`super::Config::max_trackers`].
    #[error(
        "this one and those after it, {more} in all, are not asked: {limit} trackers of a torrent are the limit"
    )]
    TooMany {
        /// Our bound.
        limit: usize,
        /// Trackers beyond it.
        more: usize,
    },
    /// A scrape was wanted, and BEP 48 finds no address for it.
    #[error("the tracker cannot be asked for counts alone: its path does not end in /announce")]
    NoScrape,
    /// Nothing came.
    #[error("the tracker did not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The name is unknown, or nobody listens there.
    #[error("the tracker cannot be reached: {0}")]
    Unreachable(String),
    /// The address is one that must not be dialled.
    #[error("the tracker is not asked: {0}")]
    Refused(String),
    /// It was not asked this time: too many others ask it. No failure of its own.
    #[error("too many ask the tracker at a time; it is asked again in {} s", .0.as_secs())]
    Busy(Duration),
    /// Not a 200.
    #[error(
        "the tracker answered with HTTP status {0}; it may have moved, or ask for another address"
    )]
    HttpStatus(u16),
    /// HTTP was broken, or had more than three redirects.
    #[error("the tracker broke HTTP: {0}")]
    Http(String),
    /// More than an announce needs.
    #[error("the tracker's answer is too long: more than {limit} bytes")]
    TooLong {
        /// Our bound.
        limit: u64,
    },
    /// A page for people.
    #[error(
        "the tracker answered with a web page instead of a list of peers; is its address right?"
    )]
    Html,
    /// Not what BEP 3 says.
    #[error("the tracker's answer is malformed: {0}")]
    Malformed(String),
    /// Not what BEP 15 says.
    #[error("the tracker's datagram is malformed: {expected} bytes expected, {received} came")]
    Datagram {
        /// Least length of an answer of its action.
        expected: usize,
        /// What came.
        received: usize,
    },
}

impl TrackerError {
    /// The tracker's own words, if it said why it refuses: escaped.
    #[must_use]
    pub fn own_words(&self) -> Option<&str> {
        match self {
            Self::Failure(reason) | Self::Later { reason, .. } | Self::Never(reason) => {
                Some(reason)
            }
            _ => None,
        }
    }

    /// In a few words, for a list of several; the tracker's own ones in quotes.
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
    /// Its address for screens and logs: escaped, without user and password.
    #[must_use]
    pub fn shown_url(&self) -> String {
        let secret = Url::parse(&self.url)
            .ok()
            .filter(|url| !url.user_prefix().is_empty());
        secret.map_or_else(|| visible(&self.url).into_owned(), |url| url.to_string())
    }

    /// Its host for screens, or all of its address if that makes no sense.
    fn shown_host(&self) -> String {
        Url::parse(&self.url)
            .map_or_else(|_| visible(&self.url).into_owned(), |url| url.authority())
    }
}

/// Why trackers failed, at most `MAX_REASONS` of them by name: `t.example says "unregistered
/// torrent"; u.example: HTTP status 404`. Empty if none did.
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
    // What a tracker says in its own words is worth most.
    failed.sort_by_key(|(_, error)| error.own_words().is_none());
    let one = |(status, error): &(&TrackerStatus, &TrackerError)| {
        let colon = if error.own_words().is_some() { "" } else { ":" };
        format!("{}{colon} {}", status.shown_host(), error.brief())
    };
    let mut told: Vec<String> = failed.iter().take(MAX_REASONS).map(one).collect();
    let more = failed.len().saturating_sub(MAX_REASONS);
    told.extend((more > 0).then(|| format!("{more} more")));
    told.join("; ")
}

/// Counts over the trackers of a torrent. Prints as "asked 3 trackers: 2 failed, 1 knows no peers".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Trackers that answered, failed, or have not answered yet.
    pub asked: usize,
    /// Of these: failed.
    pub failed: usize,
    /// Of these: answered without a peer.
    pub empty: usize,
    /// Of these: answered with peers.
    pub useful: usize,
    /// Addresses in all last answers.
    pub peers: usize,
}

impl Summary {
    /// Counts.
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

    /// Trackers that have not answered yet.
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
}
