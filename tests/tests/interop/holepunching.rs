//! Peers behind real NATs meet through a third peer (BEP 55): network namespaces with masquerading by
//! nftables, which maps the same for every endpoint and lets datagrams pass from where some were
//! sent. Requires root.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aqueduct_tests::clients::libtorrent_with;
use aqueduct_tests::programs::{self, Program, START, system};
use aqueduct_tests::torrent::{Computed, Recipe};
use tempfile::TempDir;

use super::network_namespace::Namespace;
use super::{full_place, place};

/// The address of the relaying peer, which is reserved for documentation, so not local (RFC 5737).
const RELAY: &str = "203.0.113.1";
/// A rate at which the relaying peer cannot serve the torrent within [`MEETING`].
const CRAWL: &str = "20480";
/// Time for peer exchange, a dial that fails, an introduction and the download; libtorrent sends
/// peer exchange once a minute.
const MEETING: Duration = Duration::from_secs(150);

/// What home routers do: they translate, and drop what comes from outside uncalled for.
const MASQUERADE: &str = "
    table ip home {
        chain nat { type nat hook postrouting priority srcnat; oifname wan masquerade; }
        chain input {
            type filter hook input priority filter; iifname wan ct state new drop;
        }
        chain forward {
            type filter hook forward priority filter; iifname wan ct state new drop;
        }
    }";

/// A network with a relaying peer, and two homes behind NATs.
struct Internet {
    public: Namespace,
    homes: [Home; 2],
    torrent: Arc<Computed>,
    folder: TempDir,
}

/// A host behind a NAT. Both are removed when this is dropped.
struct Home {
    host: Namespace,
    _nat: Namespace,
    address: String,
}

impl Home {
    fn create(name: &str, number: u8, public: &Namespace) -> Self {
        let nat = Namespace::create(&format!("{name}-nat{number}"), &[]);
        let host = Namespace::create(&format!("{name}-host{number}"), &[]);
        let outside = public.name();
        nat.ip(&format!(
            "link add wan type veth peer name home{number} netns {outside}"
        ));
        public.ip(&format!("link set home{number} master street up"));
        nat.ip(&format!("addr add 203.0.113.1{number}/24 dev wan"));
        nat.ip("link set wan up");
        let inside = nat.name();
        host.ip(&format!(
            "link add eth0 type veth peer name lan netns {inside}"
        ));
        nat.ip(&format!("addr add 10.0.{number}.1/24 dev lan"));
        nat.ip("link set lan up");
        let address = format!("10.0.{number}.2");
        host.ip(&format!("addr add {address}/24 dev eth0"));
        host.ip("link set eth0 up");
        host.ip(&format!("route add default via 10.0.{number}.1"));
        nat.within(masquerade);
        Self {
            host,
            _nat: nat,
            address,
        }
    }
}

/// Makes a NAT of the namespace in which this is called.
fn masquerade() {
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    let mut nft = Command::new(system("nft", "nftables"));
    let mut nft = nft.args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut rules = nft.stdin.take().unwrap();
    rules.write_all(MASQUERADE.as_bytes()).unwrap();
    drop(rules);
    assert!(nft.wait().unwrap().success());
}

impl Internet {
    fn new(name: &str, seed: u64) -> Self {
        let lines = [
            "link add street type bridge",
            "addr add 203.0.113.1/24 dev street",
            "link set street up",
        ];
        let public = Namespace::create(&format!("{name}-public"), &lines);
        let homes = [1, 2].map(|number| Home::create(name, number, &public));
        let recipe = Recipe::single("punched.bin", seed, (8 << 20) + 1, 128 * 1024);
        let (torrent, folder) = (Arc::new(recipe.build()), TempDir::new().unwrap());
        std::fs::write(folder.path().join("test.torrent"), torrent.metainfo(&[])).unwrap();
        Self {
            public,
            homes,
            torrent,
            folder,
        }
    }

    fn source(&self) -> String {
        let path = self.folder.path().join("test.torrent");
        path.to_str().unwrap().to_owned()
    }

    /// Our program, which knows only the given peers.
    fn ours(&self, subcommand: &str, name: &str) -> Command {
        let mut ours = Command::new(programs::aqueduct());
        ours.arg(subcommand)
            .arg(self.source())
            .args(["--json", "--no-dht", "--no-lsd", "--no-trackers"])
            .args(["--no-port-mapping", "--port", "6881"])
            .env(
                "XDG_STATE_HOME",
                place(&self.folder, &format!("{name} state")),
            );
        ours
    }

    /// Starts our relaying peer.
    fn our_relay(&self) -> (Program, String) {
        let mut relay = self.ours("get", "relay");
        relay
            .args(["--download-limit", CRAWL, "--upload-limit", CRAWL, "-o"])
            .arg(place(&self.folder, "relay"));
        let mut relay = self.public.within(|| Program::start(&mut relay));
        relay.wait_for_line("\"listening\"", START);
        (relay, format!("{RELAY}:6881"))
    }

    /// Starts libtorrent as the relaying peer. It introduces only peers whose connections come from
    /// the port at which they listen, so those over uTP.
    fn libtorrents_relay(&self) -> (Program, String) {
        let place = place(&self.folder, "relay");
        let more = ["--listen", RELAY, "--no-tcp", "--download-limit", CRAWL];
        let start = || libtorrent_with(&self.source(), &place, &more);
        let (relay, port) = self.public.within(start);
        (relay, format!("{RELAY}:{port}"))
    }

    /// Starts our seed in the first home.
    fn our_seed(&self, relay: &str) -> Program {
        let mut seed = self.ours("seed", "seed");
        seed.arg(full_place(&self.folder, "seed", &self.torrent))
            .args(["--peer", relay]);
        self.homes[0].host.within(|| Program::start(&mut seed))
    }

    /// Starts libtorrent as a seed in the first home.
    fn libtorrents_seed(&self, relay: &str) -> Program {
        let place = full_place(&self.folder, "seed", &self.torrent);
        let home = &self.homes[0];
        let more = ["--listen", &home.address, "--no-tcp", "--peer", relay];
        let start = || libtorrent_with(&self.source(), &place, &more).0;
        home.host.within(start)
    }

    /// Our program downloads in the second home.
    fn get(&self, relay: &str) {
        let place = place(&self.folder, "leech");
        let mut get = self.ours("get", "leech");
        get.args(["--peer", relay, "-o"]).arg(&place);
        let mut get = self.homes[1].host.within(|| Program::start(&mut get));
        get.wait_for_success(MEETING);
        self.torrent.verify(&place).unwrap();
    }
}

#[test]
fn two_of_us_behind_nats_meet_through_a_third() {
    let internet = Internet::new("hp-a", 71);
    let (_relay, relay) = internet.our_relay();
    let _seed = internet.our_seed(&relay);
    internet.get(&relay);
}

#[test]
fn two_of_us_behind_nats_meet_through_libtorrent() {
    let internet = Internet::new("hp-b", 72);
    let (_relay, relay) = internet.libtorrents_relay();
    let _seed = internet.our_seed(&relay);
    internet.get(&relay);
}

#[test]
fn we_meet_libtorrent_behind_another_nat_through_one_of_us() {
    let internet = Internet::new("hp-c", 73);
    let (_relay, relay) = internet.our_relay();
    let _seed = internet.libtorrents_seed(&relay);
    internet.get(&relay);
}
