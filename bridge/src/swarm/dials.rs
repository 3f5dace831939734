//! The dials of one session.
//!
//! A tab chooses where the bridge dials. If it could observe how or when a dial failed, it could
//! distinguish closed ports from silent ones and from open ones that are not peers. A failed dial
//! therefore looks the same whatever happened: it occupies a slot among the session's dials for
//! [`Limits::failed_dials_told_after`](crate::Limits::failed_dials_told_after), and is then
//! reported as failed. Its socket and its permit at the target stay in use for the whole
//! [`Limits::handshake_timeout`](crate::Limits::handshake_timeout), or until a newer dial needs the
//! room. A dial that succeeds after it was reported as failed is still reported as connected.
//!
//! The attempts of one dial (see [`Dial`]) count as one for the session and the metrics, since their
//! number depends on what the port does.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::net::Limit;
use aqueduct_core::types::{PeerAddr, TabId};
use aqueduct_core::wire::Handshake;
use aqueduct_native::net::{Denied, Place};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::limits::bucket::Bucket;
use crate::limits::descriptors::SocketPermit;
use crate::limits::network::{Network, Networks, network_of};
use crate::limits::targets::{OwnerRecord, Permit, Start};
use crate::swarm::candidates::Outcome;
use crate::swarm::connected::Connected;
use crate::swarm::context::SwarmContext;
use crate::swarm::dial::Dial;
use crate::swarm::tab_dial::{TabDial, TabDialError};

/// The delay before a host is tried again if another dial of the session already waits for its turn
/// there.
const QUEUED_RETRY: Duration = Duration::from_millis(250);
/// The delay before a host is tried again if all sockets are in use.
const NO_SOCKET_RETRY: Duration = Duration::from_secs(1);

/// The result of a dial.
pub(crate) struct DialEvent {
    pub(crate) join: u32,
    pub(crate) addr: PeerAddr,
    pub(crate) result: DialResult,
}

pub(crate) enum DialResult {
    Connected(Connected),
    /// It was reported as failed before.
    ConnectedLate(Connected),
    Failed(Outcome),
}

/// A dial that is not made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostBusy {
    /// The time before which no address of its host may be dialled.
    pub(crate) until: Instant,
}

/// All dials of one session.
pub(crate) struct Dials {
    context: Arc<SwarmContext>,
    rate: Bucket,
    tasks: JoinSet<(u64, Step)>,
    /// Attempts that started to connect earlier come first.
    attempts: Vec<Attempt>,
    last_number: u64,
    client: Network,
    _owner: OwnerRecord,
}

/// One dial and its task.
struct Attempt {
    number: u64,
    join: u32,
    addr: PeerAddr,
    state: State,
    task: AbortHandle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waits for its turn at the target, to send this handshake.
    Queued(SocketAddr, Handshake),
    /// Started to connect at this time. It may have failed already, which its task does not report.
    Connecting(Instant),
    /// Started to connect to another tab at this time.
    ConnectingToTab(Instant),
    /// Was reported as failed, and has no slot any more.
    GivenUp,
}

/// The result of a step of a task.
enum Step {
    /// The dial may start, or was denied.
    Turn(Result<Permit, Denied>, SocketPermit),
    /// Its time has passed, or it has connected.
    Ended(Option<Connected>),
    Tab(Result<Connected, TabDialError>),
}

impl Dials {
    /// The dials of the session of this number, whose client has this address.
    pub(crate) fn new(context: &Arc<SwarmContext>, session: u64, ip: IpAddr) -> Self {
        Self {
            rate: Bucket::new(
                Limit::per_second(context.limits.dials_per_session.into()),
                Instant::now(),
            ),
            tasks: JoinSet::new(),
            attempts: Vec::new(),
            last_number: 0,
            client: Networks::of(ip).site(),
            _owner: context.targets.record_owner(session, ip),
            context: Arc::clone(context),
        }
    }

    /// The number of dials with a slot, including those that wait for their turn.
    pub(crate) fn count(&self) -> usize {
        let holds_place = |attempt: &&Attempt| attempt.state != State::GivenUp;
        self.attempts.iter().filter(holds_place).count()
    }

    /// Whether there is a slot for another one.
    pub(crate) fn has_room(&self) -> bool {
        self.count() < self.context.limits.half_open_per_session
    }

    /// When the rate limit permits the next one; `None`: now.
    pub(crate) fn next_at(&mut self, now: Instant) -> Option<Instant> {
        self.rate.check(now).err()
    }

    /// The next event. Waits forever if there is no dial. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> DialEvent {
        loop {
            let told_at = self.next_told_at();
            let event = tokio::select! {
                Some(joined) = self.tasks.join_next() => {
                    joined.ok().and_then(|(number, step)| self.handle_step(number, step))
                }
                () = sleep_until(told_at.unwrap_or_else(Instant::now)), if told_at.is_some() => {
                    self.give_up(Instant::now())
                }
                else => std::future::pending().await,
            };
            if let Some(event) = event {
                return event;
            }
        }
    }

    pub(crate) fn abort_all(&mut self) {
        self.attempts.clear();
        self.tasks.abort_all();
    }

    /// Connects to another tab.
    pub(crate) fn start_tab(&mut self, join: u32, tab: TabId, dial: TabDial) {
        let now = Instant::now();
        let limit = self.context.limits.handshake_timeout.0;
        let addr = PeerAddr::Tab(tab);
        self.prepare(join, addr, now);
        let connect = async move { Step::Tab(dial.connect(limit).await) };
        self.spawn(join, addr, State::ConnectingToTab(now), connect);
    }

    /// Dials, or waits for its turn.
    pub(crate) fn start(
        &mut self,
        join: u32,
        addr: SocketAddr,
        handshake: Handshake,
    ) -> Result<(), HostBusy> {
        let now = Instant::now();
        let busy = |wait: Duration| HostBusy { until: now + wait };
        // One waiting dial per host is enough; more would not be served sooner.
        if self.is_queued_at(addr) {
            return Err(busy(QUEUED_RETRY));
        }
        let context = Arc::clone(&self.context);
        let socket = context.sockets.try_acquire();
        let socket = socket.ok_or_else(|| busy(NO_SOCKET_RETRY))?;
        match context.targets.start(Place::Addr(addr), self.client) {
            Start::Now(permit) => {
                self.prepare(join, addr.into(), now);
                let connect = self.connect(addr, handshake, Some(permit), socket);
                self.spawn(join, addr.into(), State::Connecting(now), connect);
            }
            Start::Queued => {
                self.prepare(join, addr.into(), now);
                let client = self.client;
                let wait = async move {
                    let permit = context.targets.wait(Place::Addr(addr), client).await;
                    Step::Turn(permit, socket)
                };
                self.spawn(join, addr.into(), State::Queued(addr, handshake), wait);
            }
            // A resting address must look like any other.
            Start::Denied(Denied::Resting(_)) => {
                self.prepare(join, addr.into(), now);
                let connect = self.connect(addr, handshake, None, socket);
                self.spawn(join, addr.into(), State::Connecting(now), connect);
            }
            Start::Denied(Denied::Busy(wait)) => return Err(busy(wait)),
        }
        Ok(())
    }

    /// Charges a dial to the rate limit, and makes room for another task.
    fn prepare(&mut self, join: u32, addr: PeerAddr, now: Instant) {
        let _ = self.rate.take(now);
        self.remove_given_up(|attempt| (attempt.join, attempt.addr) == (join, addr));
        if self.attempts.len() >= self.context.limits.half_open_per_session {
            self.remove_given_up(|_| true);
        }
    }

    /// Removes the oldest attempt that was given up and for which `is_meant` is true.
    fn remove_given_up(&mut self, is_meant: impl Fn(&Attempt) -> bool) {
        let is_meant = |attempt: &Attempt| attempt.state == State::GivenUp && is_meant(attempt);
        if let Some(place) = self.attempts.iter().position(is_meant) {
            self.attempts.remove(place).task.abort();
        }
    }

    fn spawn(
        &mut self,
        join: u32,
        addr: PeerAddr,
        state: State,
        step: impl Future<Output = Step> + Send + 'static,
    ) {
        self.last_number += 1;
        let number = self.last_number;
        let task = self.tasks.spawn(async move { (number, step.await) });
        self.attempts.push(Attempt {
            number,
            join,
            addr,
            state,
            task,
        });
    }

    /// Connects. Without a permit it only lasts as long as a dial that fails.
    fn connect(
        &self,
        addr: SocketAddr,
        handshake: Handshake,
        permit: Option<Permit>,
        socket: SocketPermit,
    ) -> impl Future<Output = Step> + Send + 'static {
        self.context.metrics.peers.dials_total.add(1);
        let end = Instant::now() + self.context.limits.handshake_timeout.0;
        let dial = Dial {
            context: Arc::clone(&self.context),
            addr,
            ours: handshake,
            end,
        };
        async move {
            let mut permit = permit;
            if let Some(permit) = &mut permit {
                match dial.run(permit).await {
                    Ok((half_open, theirs)) => {
                        return Step::Ended(Some(Connected::new(half_open, theirs, Some(socket))));
                    }
                    Err(error) => tracing::debug!(%error, "a dial led to no peer"),
                }
            }
            sleep_until(end).await;
            drop((permit, socket));
            Step::Ended(None)
        }
    }

    fn is_queued_at(&self, addr: SocketAddr) -> bool {
        let host = network_of(addr.ip());
        self.attempts.iter().any(|attempt| {
            matches!(attempt.state, State::Queued(queued, _) if network_of(queued.ip()) == host)
        })
    }

    /// When a dial without a peer is reported as failed.
    fn told_after(&self) -> Duration {
        let limits = &self.context.limits;
        limits
            .failed_dials_told_after
            .0
            .min(limits.handshake_timeout.0)
    }

    fn next_told_at(&self) -> Option<Instant> {
        let begun = self
            .attempts
            .iter()
            .find_map(|attempt| match attempt.state {
                State::Connecting(begun) => Some(begun),
                _ => None,
            });
        begun.map(|begun| begun + self.told_after())
    }

    /// Gives up the first dial whose time is over.
    fn give_up(&mut self, now: Instant) -> Option<DialEvent> {
        let told_after = self.told_after();
        self.attempts
            .iter_mut()
            .find_map(|attempt| match attempt.state {
                State::Connecting(begun) if begun + told_after <= now => {
                    attempt.state = State::GivenUp;
                    Some(attempt.event(DialResult::Failed(Outcome::Failed(begun))))
                }
                _ => None,
            })
    }

    fn handle_step(&mut self, number: u64, step: Step) -> Option<DialEvent> {
        let place = self
            .attempts
            .iter()
            .position(|attempt| attempt.number == number)?;
        let attempt = self.attempts.remove(place);
        let result = match (step, attempt.state) {
            (Step::Turn(Err(Denied::Busy(wait)), _), _) => {
                DialResult::Failed(Outcome::NotNow(Instant::now() + wait))
            }
            (Step::Turn(permit, socket), State::Queued(addr, handshake)) => {
                let connect = self.connect(addr, handshake, permit.ok(), socket);
                let state = State::Connecting(Instant::now());
                self.spawn(attempt.join, attempt.addr, state, connect);
                return None;
            }
            (Step::Ended(Some(connected)), State::GivenUp) => DialResult::ConnectedLate(connected),
            (Step::Ended(Some(connected)) | Step::Tab(Ok(connected)), _) => {
                DialResult::Connected(connected)
            }
            (Step::Tab(Err(TabDialError::Gone)), _) => DialResult::Failed(Outcome::Gone),
            (
                Step::Ended(None) | Step::Tab(Err(TabDialError::Declined)),
                State::Connecting(begun) | State::ConnectingToTab(begun),
            ) => DialResult::Failed(Outcome::Failed(begun)),
            _ => return None,
        };
        Some(attempt.event(result))
    }
}

impl Attempt {
    const fn event(&self, result: DialResult) -> DialEvent {
        DialEvent {
            join: self.join,
            addr: self.addr,
            result,
        }
    }
}
