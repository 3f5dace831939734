//! The driver's tasks: each waits for one thing in the world and tells the engine.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::types::{ConnId, InfoHashV1};
use aqueduct_core::wire::Handshake;
use aqueduct_core::{CloseReason, Input, TorrentId};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, spawn_local, yield_now};
use tokio::time::{interval, sleep_until};

use super::Driver;
use super::conn::{Conn, Socket};
use crate::dial::{self, Peer};
use crate::discovery::News;
use crate::storage::pool::Outcome;

/// How often some hundred files of each torrent are looked at, a look being a few microseconds.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// How often discovery hears how far torrents are.
const AMOUNTS_INTERVAL: Duration = Duration::from_secs(10);

impl Driver {
    pub(super) fn spawn_tasks(&self, listeners: Vec<TcpListener>, max_half_open: usize) {
        spawn_local(self.clone().keep_time());
        spawn_local(self.clone().collect_outcomes());
        spawn_local(self.clone().tell_amounts());
        spawn_local(self.clone().look_around());
        if self.0.state.borrow().neighbours.is_some() {
            spawn_local(self.clone().meet_neighbours());
        }
        let half_open = Arc::new(Semaphore::new(max_half_open));
        for listener in listeners {
            spawn_local(self.clone().accept(listener, Arc::clone(&half_open)));
        }
    }

    /// Wakes the engine when it asked for it.
    async fn keep_time(self) {
        loop {
            let deadline = self.arm();
            let sleeping = async {
                match deadline {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = sleeping => self.turn(|state, now| state.engine.handle(now, Input::Timeout)),
                () = self.0.earlier.notified() => {}
            }
        }
    }

    fn arm(&self) -> Option<tokio::time::Instant> {
        let mut state = self.0.state.borrow_mut();
        state.armed = state.engine.poll_timeout().map(|(at, _)| at);
        state.armed.map(|at| state.time_of(at).into())
    }

    /// Brings the answers of the storage threads.
    async fn collect_outcomes(self) {
        let mut outcomes = Vec::new();
        loop {
            self.0.pool.finished(&mut outcomes).await;
            self.turn(|state, now| {
                for outcome in outcomes.drain(..) {
                    let input = match outcome {
                        Outcome::Done(id, result) => Input::Done { id, result },
                        Outcome::FileChanged(torrent, file, change) => Input::FileChanged {
                            torrent,
                            file,
                            change,
                        },
                    };
                    state.engine.handle(now, input);
                }
            });
        }
    }

    /// Has files looked at that nobody reads or writes: something else may change them, too.
    async fn look_around(self) {
        let mut ticks = interval(LOOK_INTERVAL);
        loop {
            ticks.tick().await;
            let state = self.0.state.borrow();
            let stored = state
                .torrents
                .iter()
                .filter_map(|(id, torrent)| Some((*id, torrent.stored.clone()?)));
            stored.for_each(|(id, stored)| self.0.pool.look_around(id, stored));
        }
    }

    async fn tell_amounts(self) {
        let mut ticks = interval(AMOUNTS_INTERVAL);
        loop {
            ticks.tick().await;
            self.0.state.borrow().update_amounts();
        }
    }

    /// Brings peers from discovery until the torrent leaves.
    pub(super) async fn listen_to_discovery(
        self,
        torrent: TorrentId,
        mut news: mpsc::Receiver<News>,
    ) {
        while let Some(news) = news.recv().await {
            match news {
                News::Peers { source, addrs } => self.turn(|state, now| {
                    state.engine.handle(
                        now,
                        Input::Peers {
                            torrent,
                            source,
                            addrs,
                        },
                    )
                }),
                News::ExternalIp(ip) => {
                    self.turn(|state, now| state.engine.handle(now, Input::ExternalIp(ip)))
                }
                News::Dht => {}
                News::Tracker {
                    status,
                    ended: true,
                    ..
                } => self.report_tracker(torrent, status),
                News::Tracker { index, status, .. } => tracing::debug!(
                    torrent = torrent.0,
                    index,
                    asking = status.asking,
                    "tracker"
                ),
            }
        }
    }

    /// Dials for the engine.
    pub(super) async fn dial(self, conn: ConnId, addr: SocketAddr, ours: Handshake) {
        let result = dial::connect(addr, self.0.bind, ours).await;
        self.turn(|state, now| {
            state.dials.remove(&conn);
            match result {
                Ok(peer) => {
                    state.engine.handle(
                        now,
                        Input::Connected {
                            conn,
                            handshake: peer.handshake.clone(),
                        },
                    );
                    state.insert(now, conn, self.conn(conn, peer));
                }
                Err(reason) => state.engine.handle(now, Input::Closed { conn, reason }),
            }
        });
    }

    /// Shakes hands with somebody who connected, and tells the engine if it is for one of its
    /// torrents.
    pub(super) async fn welcome(self, stream: TcpStream, addr: SocketAddr) {
        let ours = |info_hash: InfoHashV1| {
            let state = self.0.state.borrow();
            state
                .routes
                .contains_key(&info_hash)
                .then(|| state.handshake(info_hash))
        };
        match dial::accept(stream, ours).await {
            Ok(peer) => self.accepted(peer, addr),
            Err(reason) => tracing::debug!(%addr, %reason, "refused"),
        }
    }

    fn accepted(&self, peer: Peer, addr: SocketAddr) {
        self.turn(|state, now| {
            let conn = ConnId::accepted(state.accepted);
            state.accepted += 1;
            state.engine.handle(
                now,
                Input::Accepted {
                    conn,
                    addr,
                    dialled: false,
                    handshake: peer.handshake.clone(),
                },
            );
            state.insert(now, conn, self.conn(conn, peer));
        });
    }

    fn conn(&self, id: ConnId, peer: Peer) -> Conn {
        Conn::new(peer, |socket| self.start_serving(id, socket))
    }

    fn start_serving(&self, id: ConnId, socket: Socket) -> AbortHandle {
        spawn_local(self.clone().serve(id, socket)).abort_handle()
    }

    /// One connection's life after the handshake.
    async fn serve(self, id: ConnId, socket: Socket) {
        loop {
            let interest = self.0.state.borrow().conns.get(&id).map(Conn::interest);
            let Some(interest) = interest else { return };
            let ready = tokio::select! {
                ready = socket.stream.ready(interest) => ready,
                () = socket.blocked.notified() => continue,
            };
            let Ok(ready) = ready else {
                return self.lost(id);
            };
            let more = self.turn(|state, now| {
                if ready.is_writable() {
                    state.unblock(id);
                }
                ready.is_readable() && state.read(now, id)
            });
            if more {
                yield_now().await;
            }
        }
    }

    fn lost(&self, id: ConnId) {
        let reason = CloseReason::Unreachable("the system's event queue failed".to_owned());
        self.turn(|state, now| state.fail(now, id, reason));
    }
}
