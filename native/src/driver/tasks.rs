//! The tasks that run as long as the driver: each waits for one thing and passes it to the router.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::{Input, discovery};
use if_addrs::{Interface, get_if_addrs};
use tokio::task::spawn_local;
use tokio::time::{Instant, interval, sleep};

use super::listen::{self, Listener};
use super::network::NetworkTask;
use super::outage::Outage;
use super::router::Router;
use crate::half_open::HalfOpenPeers;
use crate::net::{Bind, RECHECK};
use crate::storage::pool::Outcome;

/// How often up to 256 files of each torrent are compared with how they were left. One comparison
/// takes a few microseconds.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Starts them all.
pub(super) fn spawn(
    router: &Rc<Router>,
    network: NetworkTask,
    listeners: Vec<Listener>,
    max_half_open: usize,
    bind: Bind,
) {
    spawn_local(wake_session(Rc::clone(router)));
    spawn_local(network.run(Rc::clone(router)));
    spawn_local(collect_outcomes(Rc::clone(router)));
    spawn_local(look_around(Rc::clone(router)));
    spawn_local(follow_mapping(Rc::clone(router)));
    spawn_local(follow_interface(Rc::clone(router), bind));
    let half_open = HalfOpenPeers::new(max_half_open);
    for listener in listeners {
        let router = Rc::clone(router);
        let accept = move |stream, addr| Rc::clone(&router).accept(stream, addr);
        spawn_local(listen::accept(listener, Arc::clone(&half_open), accept));
    }
}

/// Wakes the session when it asked for it; once at the start, which arms the timer.
async fn wake_session(router: Rc<Router>) {
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
                state.session.handle(now, input);
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

/// Announces the port that the gateway maps to ours.
async fn follow_mapping(router: Rc<Router>) {
    while let Some(port) = router.reach.port_changed().await {
        router.turn(|state, now| state.session.set_port(now, port));
    }
}

/// Follows the interface that we are bound to: ends connections whose interface was removed, or lost
/// its address, once another one can be used instead, since they would be silent for minutes; and
/// has trackers and the DHT asked again, which failed meanwhile.
async fn follow_interface(router: Rc<Router>, bind: Bind) {
    let mut outage = Outage::default();
    while bind.is_specific() {
        sleep(RECHECK).await;
        let Ok(interfaces) = get_if_addrs() else {
            continue;
        };
        let is_usable = bind.trouble().is_none();
        let sources = [true, false].map(|is_v4| bind.source(is_v4).ok());
        let has_returned = outage.has_returned(is_usable.then_some(sources), Instant::now());
        if !is_usable {
            continue;
        }
        if has_returned {
            let returned = discovery::Input::NetworkReturned;
            router.turn(|state, now| state.session.handle_net(now, returned));
        }
        let present: Vec<IpAddr> = interfaces.iter().map(Interface::ip).collect();
        let orphaned = router.state().connections.orphaned(&present);
        if !orphaned.is_empty() {
            router.turn(|state, now| state.fail_all(now, &orphaned));
        }
    }
}
