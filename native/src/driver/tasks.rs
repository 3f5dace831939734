//! The tasks that run as long as the driver: each waits for one thing and passes it to the router.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::Input;
use aqueduct_core::discovery::lsd::MAX_DATAGRAM;
use tokio::sync::{Notify, Semaphore};
use tokio::task::spawn_local;
use tokio::time::interval;

use super::listen::{self, Listener};
use super::neighbours::Neighbours;
use super::router::Router;
use crate::discovery::lsd::Groups;
use crate::storage::pool::Outcome;
use crate::until::until;

/// How often up to 256 files of each torrent are compared with how they were left. One comparison
/// takes a few microseconds.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// How often discovery is given the progress of torrents.
const AMOUNTS_INTERVAL: Duration = Duration::from_secs(10);

/// Starts them all.
pub(super) fn spawn(router: &Rc<Router>, listeners: Vec<Listener>, max_half_open: usize) {
    spawn_local(wake_engine(Rc::clone(router)));
    spawn_local(collect_outcomes(Rc::clone(router)));
    spawn_local(report_amounts(Rc::clone(router)));
    spawn_local(look_around(Rc::clone(router)));
    spawn_local(follow_mapping(Rc::clone(router)));
    let changed = router.state().neighbours.as_ref().map(Neighbours::changed);
    if let Some(changed) = changed {
        spawn_local(announce_locally(Rc::clone(router), changed));
    }
    let half_open = Arc::new(Semaphore::new(max_half_open));
    for listener in listeners {
        let router = Rc::clone(router);
        let accept = move |stream, addr| Rc::clone(&router).accept(stream, addr);
        spawn_local(listen::accept(listener, Arc::clone(&half_open), accept));
    }
}

/// Wakes the engine when it asked for it; once at the start, which arms the timer.
async fn wake_engine(router: Rc<Router>) {
    loop {
        router.handle(Input::Timeout);
        router.timer.fired().await;
    }
}

/// Passes on the results of the storage threads.
async fn collect_outcomes(router: Rc<Router>) {
    let mut outcomes = Vec::new();
    loop {
        router.storage.finished(&mut outcomes).await;
        router.turn(|state, now| {
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

/// Starts comparisons of files that are neither read nor written at the moment, since other
/// programs may change them too.
async fn look_around(router: Rc<Router>) {
    let mut ticks = interval(LOOK_INTERVAL);
    loop {
        ticks.tick().await;
        let state = router.state();
        let stored = state
            .torrents
            .ids()
            .filter_map(|id| state.torrents.stored(id));
        stored.for_each(|(id, stored)| router.storage.look_around(id, stored));
    }
}

async fn report_amounts(router: Rc<Router>) {
    let mut ticks = interval(AMOUNTS_INTERVAL);
    loop {
        ticks.tick().await;
        router.state().update_amounts();
    }
}

/// Announces the port that the gateway maps to ours.
async fn follow_mapping(router: Rc<Router>) {
    while let Some(port) = router.reach.port_changed().await {
        router.turn(|state, _| state.set_port(port));
    }
}

/// Announces torrents to the multicast groups of local discovery (BEP 14), and listens there.
async fn announce_locally(router: Rc<Router>, changed: Rc<Notify>) {
    let mut groups = Groups::new(router.bind);
    // One byte more than an announce may have, so that a longer one is not taken for a whole one.
    let mut buffer = [0; MAX_DATAGRAM + 1];
    loop {
        let due = router.state().neighbours_due();
        tokio::select! {
            () = until(due) => {
                groups.refresh();
                let announce = router.turn(|state, now| state.poll_local_announce(now));
                announce.into_iter().for_each(|announce| groups.send(&announce));
            }
            (from, length) = groups.receive(&mut buffer) => {
                let datagram = buffer.get(..length).unwrap_or_default();
                router.turn(|state, now| state.handle_neighbour(now, from, datagram));
            }
            () = changed.notified() => {}
        }
    }
}
