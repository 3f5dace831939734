//! When it is worth saying whether peers can connect to us.

use aqueduct_native::port_mapping::{Reachability, Status};

/// What was said last.
#[derive(Debug, Default)]
pub(super) struct Reach {
    said: Option<(Option<bool>, Option<Status>)>,
    incoming: usize,
}

impl Reach {
    /// Whether this is news: the verdict or a mapping changed, or twice as many peers connected.
    /// While the gateway is being asked, there is none.
    pub(super) fn is_news(&mut self, now: &Reachability) -> bool {
        let state = (now.is_reachable(), now.status.clone());
        let is_first_word = self.said.is_none() && now.status.is_none() && now.incoming == 0;
        let has_grown = now.incoming >= 2 * self.incoming.max(1);
        let is_news = !now.is_pending()
            && !is_first_word
            && (self.said.as_ref() != Some(&state) || has_grown);
        if is_news {
            self.said = Some(state);
            self.incoming = now.incoming;
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use aqueduct_native::port_mapping::{State, Wanted};

    use super::*;

    fn now(incoming: usize, v4: Option<State>) -> Reachability {
        Reachability {
            wanted: Wanted {
                port: 6881,
                tcp: true,
                udp: true,
            },
            incoming,
            has_local: false,
            status: v4.map(|v4| Status {
                v4,
                v6: State::Unused,
            }),
        }
    }

    #[test]
    fn news_are_a_change_of_the_mapping_and_ever_more_peers() {
        let mut reach = Reach::default();
        let news: Vec<bool> = [
            now(0, Some(State::Asking)),
            now(0, Some(State::NoGateway)),
            now(0, Some(State::NoGateway)),
            now(1, Some(State::NoGateway)),
            now(1, Some(State::Asking)),
            now(2, Some(State::Asking)),
            now(3, Some(State::Asking)),
        ]
        .iter()
        .map(|now| reach.is_news(now))
        .collect();
        assert_eq!(news, [false, true, false, true, true, true, false]);
    }

    #[test]
    fn without_port_mapping_only_peers_that_connect_are_news() {
        let mut reach = Reach::default();
        let news = [now(0, None), now(0, None), now(1, None), now(1, None)];
        assert_eq!(
            news.map(|now| reach.is_news(&now)),
            [false, false, true, false]
        );
    }
}
