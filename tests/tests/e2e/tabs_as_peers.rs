//! Tabs as peers of each other and of other clients.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use aqueduct_core::extensions::ExtendedHandshake;
use aqueduct_core::types::PeerId;
use aqueduct_core::wire::Message;
use aqueduct_tests::bridge::Bridge;
use aqueduct_tests::clients::{aria2, libtorrent, transmission_at};
use aqueduct_tests::closed_port;
use aqueduct_tests::http::{Reply, Server};
use aqueduct_tests::namespace::ran_inside;
use aqueduct_tests::page::SOON;
use aqueduct_tests::peer::{Manner, Peer, ScriptedSeed, listener};
use aqueduct_tests::programs::START;
use aqueduct_tests::torrent::Computed;
use aqueduct_tests::tracker::Tracker;

use super::{DOWNLOAD, Setup, save_and_verify, single};

/// The address of bridge and tracker, and that of Transmission, which dials no loopback address.
const HOSTS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1)),
    IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2)),
];

impl Setup {
    /// Lets the tab complete a torrent from a seed that is then stopped.
    async fn fill_tab(&self, torrent: &Computed, file: &Path) {
        let seed = libtorrent(file.to_str().unwrap(), &self.full_place("seed", torrent));
        self.tracker
            .wait_for("a seed", START, |said| said.left == 0);
        self.browser.add_file(file).await;
        self.browser.wait_until_complete(DOWNLOAD).await;
        drop(seed);
    }
}

#[tokio::test]
async fn two_tabs_of_one_bridge_exchange_pieces() {
    let setup = Setup::start().await;
    let torrent = single("exchange.bin", 31, 16);
    let seed = setup.seed(&torrent, Manner::Slow(1024));
    let other = setup.another("other", &setup.bridge).await;
    let file = setup.file(&torrent);
    setup.browser.add_file(&file).await;
    other.add_file(&file).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    other.wait_until_complete(DOWNLOAD).await;
    let (sent, one) = (
        u64::from(seed.blocks_sent()),
        torrent.lengths().total() / 16384,
    );
    assert!(
        sent < one + one / 2,
        "the seed sent {sent} blocks to two tabs that need {one} each: they exchanged little"
    );
    assert!(
        setup.bridge.counted("meetings_total") >= 1,
        "they met elsewhere"
    );
    setup.save_and_verify(&torrent).await;
    save_and_verify(&other, &torrent).await;
    other.close().await;
    setup.browser.close().await;
}

#[tokio::test]
async fn tabs_of_two_bridges_find_each_other_through_a_tracker() {
    let setup = Setup::start().await;
    let (torrent, bridge) = (single("bridges.bin", 32, 4), Bridge::start());
    let file = setup.file(&torrent);
    setup.fill_tab(&torrent, &file).await;
    let other = setup.another("other", &bridge).await;
    other.add_file(&file).await;
    other.wait_until_complete(DOWNLOAD).await;
    assert_eq!(
        (
            bridge.counted("meetings_total"),
            setup.bridge.counted("meetings_total")
        ),
        (0, 0)
    );
    save_and_verify(&other, &torrent).await;
    other.close().await;
    setup.browser.close().await;
}

/// The tracker is one bridge's own. It lists that bridge's tabs at the bridge's peer port.
#[tokio::test]
async fn tabs_of_two_bridges_find_each_other_through_the_tracker_of_one() {
    let (setup, bridge) = (Setup::start().await, Bridge::start());
    let torrent = single("own-tracker.bin", 37, 4);
    let seed = ScriptedSeed::start(Arc::clone(&torrent), Manner::Honest);
    let magnet = torrent.magnet(&[format!("{}announce", setup.bridge.url())]);
    setup
        .browser
        .add_link(&format!("{magnet}&x.pe={}", seed.addr))
        .await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup
        .another_fetches_from_tabs(&bridge, &magnet, &torrent, &seed)
        .await;
    setup.browser.close().await;
}

#[tokio::test]
async fn libtorrent_and_aria2_download_what_only_a_tab_has() {
    let setup = Setup::start().await;
    let torrent = single("tab-only.bin", 33, 4);
    let file = setup.file(&torrent);
    setup.fill_tab(&torrent, &file).await;
    let places = ["libtorrent", "aria2"].map(|name| setup.place(name));
    let mut first = libtorrent(file.to_str().unwrap(), &places[0]);
    let mut second = aria2(&file, &places[1], false);
    first.wait_for_line("\"seeding\"", DOWNLOAD);
    second.wait_for_success(DOWNLOAD);
    places
        .iter()
        .for_each(|place| torrent.verify(place).unwrap());
    setup.browser.close().await;
}

/// The bridge must not dial Transmission, whose address is private, so Transmission must dial the
/// bridge's peer port.
#[tokio::test]
async fn transmission_downloads_what_only_a_tab_has_through_the_bridges_peer_port() {
    if ran_inside(
        "tabs_as_peers::transmission_downloads_what_only_a_tab_has_through_the_bridges_peer_port",
        &HOSTS,
        DOWNLOAD * 2,
    ) {
        return;
    }
    let [here, there] = HOSTS;
    let own = format!("{here}/32");
    let bridge = Bridge::start_with(&[
        "--peer-bind",
        &here.to_string(),
        "--allow",
        "127.0.0.0/8",
        "--allow",
        &own,
        "--no-dht",
    ]);
    let setup = Setup::start_with(bridge, Tracker::start_at(here)).await;
    let torrent = single("tab-only.bin", 34, 4);
    let file = setup.file(&torrent);
    setup.fill_tab(&torrent, &file).await;
    let place = setup.place("transmission");
    let mut leech = transmission_at(Some(there), &file, &place, &setup.place("settings"));
    leech.wait_for_line("Seeding", DOWNLOAD);
    torrent
        .verify(&place)
        .unwrap_or_else(|wrong| panic!("{wrong}{}", leech.told()));
    assert!(
        setup.bridge.counted("incoming_total") >= 1,
        "nobody dialled the peer port"
    );
    setup.browser.close().await;
}

#[tokio::test]
async fn a_peer_named_only_by_the_link_is_dialled_by_the_bridge() {
    let setup = Setup::start().await;
    let torrent = single("link.bin", 36, 1);
    let seed = ScriptedSeed::start(Arc::clone(&torrent), Manner::Honest);
    setup
        .browser
        .add_link(&format!("{}&x.pe={}", torrent.magnet(&[]), seed.addr))
        .await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.close().await;
}

/// Accepts the bridge's connection, reads the tab's extended handshake, and sends it the address of
/// a peer (BEP 11).
fn tell_of_a_peer(listener: &TcpListener, addr: SocketAddr) -> Peer {
    let mut peer = Peer::accept(listener, PeerId(*b"-XX0001-a real peer."));
    let hello = peer.expect_some("an extended handshake", |message| {
        matches!(message, Message::Extended { id: 0, .. })
    });
    let Message::Extended { payload, .. } = hello else {
        unreachable!("that was asked for")
    };
    let hello = ExtendedHandshake::decode(&payload).unwrap();
    let id = *hello.extensions.get("ut_pex").unwrap();
    let SocketAddr::V4(v4) = addr else {
        unreachable!("it is on 127.0.0.1")
    };
    let compact = [&v4.ip().octets()[..], &v4.port().to_be_bytes()].concat();
    let payload = [b"d5:added6:", &compact[..], b"7:added.f1:\0e"]
        .concat()
        .into();
    peer.send(&Message::Extended { id, payload });
    peer
}

#[tokio::test]
async fn a_peer_from_peer_exchange_is_dialled_by_the_bridge() {
    let setup = Setup::start().await;
    let torrent = single("exchanged.bin", 39, 1);
    let seed = ScriptedSeed::start(Arc::clone(&torrent), Manner::Honest);
    let (listener, addr) = listener();
    setup
        .tracker
        .introduce(torrent.info().info_hash.wire(), addr);
    setup.browser.add_file(&setup.file(&torrent)).await;
    let _teller = tokio::task::spawn_blocking(move || tell_of_a_peer(&listener, seed.addr))
        .await
        .unwrap();
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn a_peer_is_told_where_the_bridge_is_dialled_for_the_tab() {
    let setup = Setup::start().await;
    let torrent = single("port.bin", 38, 1);
    let (listener, addr) = listener();
    setup
        .tracker
        .introduce(torrent.info().info_hash.wire(), addr);
    setup.browser.add_file(&setup.file(&torrent)).await;
    let announced = setup
        .tracker
        .wait_for("the tab's announce", START, |_| true)
        .addr
        .port();
    let told = tokio::task::spawn_blocking(move || {
        let mut peer = Peer::accept(&listener, PeerId(*b"-XX0001-a real peer."));
        peer.expect_some("an extended handshake", |message| {
            matches!(message, Message::Extended { id: 0, .. })
        })
    });
    let Message::Extended { payload, .. } = told.await.unwrap() else {
        panic!("something else was expected")
    };
    assert_eq!(
        ExtendedHandshake::decode(&payload).unwrap().port,
        Some(announced)
    );
    setup.browser.close().await;
}

#[tokio::test]
async fn a_tab_reports_why_it_has_no_peers() {
    let setup = Setup::start().await;
    let torrent = single("nobody.bin", 35, 1);
    let hanging = Server::start(|_| Reply::Hang);
    let trackers = [
        setup.tracker.http(),
        format!("http://{}/announce", closed_port()),
        hanging.url("/announce"),
    ];
    setup.browser.add_link(&torrent.magnet(&trackers)).await;
    let says = |text: &'static str| {
        move |shown: &[aqueduct_tests::page::Shown]| shown.iter().any(|t| t.status.contains(text))
    };
    // The page does not reveal whether a port is closed or silent. It reports failures only when no
    // attempt can be in progress any more.
    setup
        .browser
        .wait_until(SOON, "the first answer", says("1 knows no peers"))
        .await;
    setup
        .browser
        .wait_until(
            SOON * 2,
            "the trackers' answers",
            says("2 failed (it gave no usable answer), 1 knows no peers"),
        )
        .await;
    setup.browser.close().await;
}
