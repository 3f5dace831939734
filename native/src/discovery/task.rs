//! The task that runs the state machine for members on any thread.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use aqueduct_core::DiscoverRequest;
use aqueduct_core::discovery::dht::Dht;
use aqueduct_core::discovery::{self, Discovery, Input, Key, Output, Swarm, TrackerStatus};
use aqueduct_core::types;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::inbox::{Changes, MemberChanges, Shared, Wanted};
use super::network::Network;
use super::node_file::NodeFile;
use super::{MAX_NEWS, News, Options, Parts};
use crate::net::utp::Rest;
use crate::until::until;

/// A torrent that was joined.
struct Member {
    membership: discovery::Membership,
    news: mpsc::Sender<News>,
}

pub(super) struct Task {
    machine: Discovery,
    network: Network,
    node_file: Option<NodeFile>,
    shared: Arc<Shared>,
    members: BTreeMap<Key, Member>,
    start: Instant,
}

impl Task {
    pub(super) fn new(
        options: Options,
        port: Option<Rest>,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        let Parts {
            machine,
            network,
            node_file,
        } = Parts::open(options, port)?;
        Ok(Self {
            machine,
            network,
            node_file,
            shared,
            members: BTreeMap::new(),
            start: Instant::now(),
        })
    }

    pub(super) async fn run(mut self) {
        loop {
            let end = self.take_inbox();
            self.drain();
            if end.is_some_and(|end| self.machine.is_empty() || Instant::now() >= end) {
                return self.keep_node_state();
            }
            self.wait(end).await;
        }
    }

    async fn wait(&mut self, end: Option<Instant>) {
        let machine = &self.machine;
        let due = machine.poll_timeout();
        let due = due.map(|(due, _)| self.start + due.since(types::Instant::ZERO));
        let input = tokio::select! {
            () = self.shared.wake.notified() => return,
            () = until(end) => return,
            () = until(self.node_file.as_ref().map(NodeFile::due)) => {
                return self.keep_node_state();
            }
            () = until(due) => Input::Timeout,
            input = self.network.input(|id| machine.is_open(id)) => input,
        };
        self.handle(input);
    }

    fn keep_node_state(&mut self) {
        if let (Some(file), Some(dht)) = (&mut self.node_file, self.machine.dht()) {
            file.keep(&dht.state());
        }
    }

    fn handle(&mut self, input: Input) {
        // Amounts do not wake the task; they must be current before an announce.
        let changes = self.shared.lock().take_changes();
        self.apply_all(changes);
        self.machine.handle(self.now(), input);
    }

    /// Applies what members requested. Returns the deadline for ending, if that was requested.
    fn take_inbox(&mut self) -> Option<Instant> {
        let (changes, end) = {
            let mut inbox = self.shared.lock();
            let abandoned = inbox.is_abandoned().then(Instant::now);
            (inbox.take_changes(), inbox.end.or(abandoned))
        };
        self.apply_all(changes);
        if end.is_some() {
            for member in std::mem::take(&mut self.members).into_values() {
                self.machine.remove(self.now(), member.membership);
            }
        }
        end
    }

    fn apply_all(&mut self, changes: Changes) {
        changes.for_each(|(key, member)| self.apply(key, member));
    }

    fn apply(&mut self, key: Key, member: MemberChanges) {
        let MemberChanges {
            leaves,
            joins,
            private,
            scrape,
            wanted,
        } = member;
        if let Some(last) = leaves {
            self.leave(key, &last);
        }
        if let Some((swarm, news)) = joins {
            self.join(key, swarm, news);
        }
        let now = self.now();
        let Some(Member { membership, .. }) = self.members.get(&key) else {
            return;
        };
        if private {
            self.machine.set_private(now, membership);
        }
        if scrape {
            self.machine.scrape(now, membership);
        }
        if let Some(wanted) = wanted {
            request(&mut self.machine, now, membership, &wanted);
        }
        if private {
            self.publish_counts(key);
        }
    }

    fn join(&mut self, key: Key, swarm: Swarm, news: mpsc::Sender<News>) {
        if let Ok(membership) = self.machine.add(self.now(), key, swarm) {
            self.members.insert(key, Member { membership, news });
            self.publish(key);
            self.publish_counts(key);
        }
    }

    /// Leaves a swarm with the last amounts. Of the member's earlier requests, only `Completed`
    /// still matters.
    fn leave(&mut self, key: Key, last: &Wanted) {
        let Some(Member { membership, .. }) = self.members.remove(&key) else {
            return;
        };
        let now = self.now();
        if let Some(amounts) = last.amounts {
            self.machine.update(&membership, amounts);
        }
        let mut requests = last.requests();
        if requests.any(|request| request == DiscoverRequest::Completed) {
            self.machine
                .request(now, &membership, DiscoverRequest::Completed);
        }
        self.machine.remove(now, membership);
    }

    fn publish(&self, key: Key) {
        let statuses = self.machine.tracker_status(key);
        if let Some(shown) = self.shared.lock().statuses.get_mut(&key) {
            *shown = statuses;
        }
    }

    /// Publishes the DHT's counts for a member.
    fn publish_counts(&self, key: Key) {
        let counts = self.machine.dht_counts(key);
        self.shared.lock().show_dht(key, counts);
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            self.carry_out(output);
        }
        let nodes = self.machine.dht().map_or(0, Dht::nodes);
        self.shared.lock().nodes = nodes;
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Net(request) => self.network.carry_out(request),
            Output::Peers { key, source, addrs } => {
                self.send_news(key, News::Peers { source, addrs })
            }
            Output::Tracker {
                key,
                index,
                status,
                ended,
            } => {
                self.show(key, index, &status);
                self.send_news(
                    key,
                    News::Tracker {
                        index,
                        status,
                        ended,
                    },
                );
            }
            Output::DhtChanged(key) => {
                self.publish_counts(key);
                self.send_news(key, News::Dht);
            }
            Output::DhtLookupEnded { key, effort } => {
                tracing::debug!(info_hash = %key.info_hash, ?effort, "DHT lookup");
            }
            Output::ExternalIp { .. } | Output::Left(_) => {}
        }
    }

    fn show(&self, key: Key, index: usize, status: &TrackerStatus) {
        if let Some(shown) = self
            .shared
            .lock()
            .statuses
            .get_mut(&key)
            .and_then(|shown| shown.get_mut(index))
        {
            shown.clone_from(status);
        }
    }

    fn send_news(&self, key: Key, news: News) {
        if let Some(Member { news: member, .. }) = self.members.get(&key) {
            // A member that does not read loses news, and no other member waits for it; see
            // `MAX_NEWS`. Peers are dropped last, since they cannot be looked up again.
            if matches!(news, News::Peers { .. }) || member.capacity() > MAX_NEWS / 2 {
                let _ = member.try_send(news);
            }
        }
    }

    fn now(&self) -> types::Instant {
        types::Instant::ZERO + self.start.elapsed()
    }
}

/// Makes a member's requests, with the amounts that the next announce reports.
fn request(
    machine: &mut Discovery,
    now: types::Instant,
    membership: &discovery::Membership,
    wanted: &Wanted,
) {
    if let Some(amounts) = wanted.amounts {
        machine.update(membership, amounts);
    }
    for request in wanted.requests() {
        machine.request(now, membership, request);
    }
}
