//! Port mapping by miniupnpd, which many home routers run: a host behind it is reached from the
//! outside by each protocol, with IPv6 through a pinhole, and nothing is left when it exits.
//! Requires root.

use std::io::Write as _;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use aqueduct_core::types::PeerId;
use aqueduct_testkit::namespace::INSIDE;
use aqueduct_testkit::peer::{Peer, handshake};
use aqueduct_tests::programs::{self, Program, START, command, system};
use aqueduct_tests::torrent::{Computed, Recipe};
use tempfile::TempDir;

use super::network_namespace::Namespace;
use super::{full_place, place};

/// The router's address on its outer side. It must look public: miniupnpd maps nothing behind an
/// address that is reserved.
const EXTERNAL: [u8; 4] = [11, 0, 0, 2];
/// The host's address with IPv6, which is not translated.
const HOST_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 2);
const PORT: u16 = 6881;

/// The chains that miniupnpd fills, and what home routers do: they drop what comes from outside
/// uncalled for.
const RULES: &str = "
    table inet filter {
        chain forward {
            type filter hook forward priority filter
            jump miniupnpd
            iifname wan ct state new drop
        }
        chain miniupnpd {
        }
        chain prerouting {
            type nat hook prerouting priority dstnat
            jump prerouting_miniupnpd
        }
        chain postrouting {
            type nat hook postrouting priority srcnat
            jump postrouting_miniupnpd
            oifname wan masquerade
        }
        chain prerouting_miniupnpd {
        }
        chain postrouting_miniupnpd {
        }
    }";

/// The version of PCP, and that of NAT-PMP: the first byte of every datagram to the same port.
const PCP: &str = "@th,64,8 2";
const NAT_PMP: &str = "@th,64,8 0";
const BOTH: &str = "";

/// A host behind a router, and somebody outside.
struct Home {
    router: Namespace,
    host: Namespace,
    outside: Namespace,
    folder: TempDir,
    torrent: Arc<Computed>,
}

impl Home {
    fn create(name: &str) -> Self {
        let [router, host, outside] = ["router", "host", "outside"]
            .map(|role| Namespace::create(&format!("{name}-{role}"), &[]));
        let inside = router.name();
        host.ip(&format!(
            "link add eth0 type veth peer name lan netns {inside}"
        ));
        outside.ip(&format!(
            "link add eth0 type veth peer name wan netns {inside}"
        ));
        for (namespace, device, address) in [
            (&router, "lan", "192.168.1.1/24"),
            (&router, "wan", "11.0.0.2/24"),
            (&host, "eth0", "192.168.1.2/24"),
            (&outside, "eth0", "11.0.0.3/24"),
        ] {
            namespace.ip(&format!("addr add {address} dev {device}"));
            namespace.ip(&format!("link set {device} up"));
        }
        host.ip("route add default via 192.168.1.1");
        let forward = || std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        router.within(forward);
        let torrent = Recipe::single("mapped.bin", 91, 100_000, 16 * 1024).build();
        let home = Self {
            router,
            host,
            outside,
            folder: TempDir::new().unwrap(),
            torrent: Arc::new(torrent),
        };
        home.add_rules(RULES);
        home
    }

    /// Replaces IPv4 by IPv6 on the host, where the router's link-local address is the default route.
    fn with_ipv6(self) -> Self {
        let forward = || std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
        self.router.within(forward);
        self.host.ip("addr flush dev eth0");
        for (namespace, device, addresses) in [
            (&self.router, "lan", ["fe80::1/64", "2001:db8:1::1/64"]),
            (&self.router, "wan", ["fe80::2/64", "2001:db8:2::1/64"]),
            (&self.host, "eth0", ["fe80::3/64", "2001:db8:1::2/64"]),
            (&self.outside, "eth0", ["fe80::4/64", "2001:db8:2::2/64"]),
        ] {
            for address in addresses {
                namespace.ip(&format!("addr add {address} dev {device} nodad"));
            }
        }
        self.host.ip("route add default via fe80::1 dev eth0");
        self.outside
            .ip("route add default via 2001:db8:2::1 dev eth0");
        self
    }

    fn add_rules(&self, rules: &str) {
        let start = || {
            let mut nft = Command::new(system("nft", "nftables"));
            nft.args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap()
        };
        let mut nft = self.router.within(start);
        let mut input = nft.stdin.take().unwrap();
        input.write_all(rules.as_bytes()).unwrap();
        drop(input);
        assert!(nft.wait().unwrap().success(), "nft refused {rules}");
    }

    /// The router does not hear datagrams of PCP and NAT-PMP that match.
    fn drop_datagrams(&self, matching: &str) {
        self.add_rules(&format!(
            "table inet deaf {{
                chain input {{
                    type filter hook input priority filter
                    udp dport 5351 {matching} drop
                }}
            }}"
        ));
    }

    /// Starts miniupnpd on the router.
    fn start_miniupnpd(&self) -> Program {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let (settings, leases, pid) = (file("settings"), file("leases"), file("pid"));
        let text = format!(
            "ext_ifname=wan\nlistening_ip=lan\nenable_upnp=yes\nenable_natpmp=yes\n\
             lease_file={leases}\nuuid=00000000-0000-0000-0000-000000000001\n\
             allow 1024-65535 192.168.1.0/24 1024-65535\n"
        );
        std::fs::write(&settings, text).unwrap();
        let program = system("miniupnpd", "miniupnpd-nftables");
        let mut program = command(program, ["-d", "-f", &settings, "-P", &pid]);
        let mut miniupnpd = self.router.within(|| Program::start(&mut program));
        miniupnpd.wait_for_line("Listening for NAT-PMP/PCP traffic", START);
        miniupnpd
    }

    /// Starts our seed on the host.
    fn seed(&self) -> Program {
        let file = self.folder.path().join("test.torrent");
        std::fs::write(&file, self.torrent.metainfo(&[])).unwrap();
        let mut seed = Command::new(programs::aqueduct());
        seed.args([Path::new("seed"), &file])
            .arg(full_place(&self.folder, "seed", &self.torrent))
            .args(["--json", "--no-dht", "--no-lsd", "--no-trackers"])
            .args(["--port", &PORT.to_string()])
            .env("XDG_STATE_HOME", place(&self.folder, "state"))
            .env(INSIDE, "1");
        self.host.within(|| Program::start(&mut seed))
    }

    /// The router's rules.
    fn rules(&self) -> String {
        let list = || {
            let nft = system("nft", "nftables");
            command(nft, ["list", "ruleset"]).output().unwrap()
        };
        let rules = self.router.within(list).stdout;
        String::from_utf8_lossy(&rules).into_owned()
    }
}

/// A seed says that it is `mapped`, which adds a rule with `target` to the router, and somebody
/// outside connects to `addr`.
fn is_reached_at(home: &Home, addr: SocketAddr, mapped: &str, target: &str) {
    let _miniupnpd = home.start_miniupnpd();
    let mut seed = home.seed();
    seed.wait_for_line(mapped, START);
    assert!(home.rules().contains(target), "{}", home.rules());

    let ours = handshake(PeerId([7; 20]), home.torrent.info().info_hash.wire());
    let _peer = home.outside.within(|| Peer::dial(addr, ours));
    let reached = seed.wait_for_line("reachable: 1 peer connected to us", START);
    assert!(reached.contains("\"reachable\":true"), "{reached}");

    seed.signal("INT");
    assert_eq!(seed.wait(START).code(), Some(130));
    let rules = home.rules();
    assert!(!rules.contains(target), "left on the router: {rules}");
}

/// A seed asks a router that hears no datagrams of PCP and NAT-PMP which match, so that it maps by
/// `protocol`.
fn is_reached(protocol: &str, deaf_to: &str) {
    let home = Home::create(&protocol.to_lowercase());
    home.drop_datagrams(deaf_to);
    let mapped = format!("port {PORT} is mapped by the gateway ({protocol}), nobody connected yet");
    is_reached_at(&home, (EXTERNAL, PORT).into(), &mapped, "dnat");
}

/// The same with IPv6, where the router's firewall opens a pinhole.
fn is_reached_through_a_pinhole(protocol: &str, deaf_to: &str) {
    let home = Home::create(&format!("{}6", protocol.to_lowercase())).with_ipv6();
    home.drop_datagrams(deaf_to);
    let opened = format!(
        "port {PORT} is open for IPv6 in the gateway's firewall ({protocol}), nobody connected yet"
    );
    // The rules compare the raw bytes of the header.
    let target = format!("{:032x}", HOST_V6.to_bits());
    is_reached_at(&home, (HOST_V6, PORT).into(), &opened, &target);
}

#[test]
fn a_seed_behind_miniupnpd_is_reached_by_pcp() {
    is_reached("PCP", NAT_PMP);
}

#[test]
fn a_seed_behind_miniupnpd_is_reached_by_nat_pmp() {
    is_reached("NAT-PMP", PCP);
}

#[test]
fn a_seed_behind_miniupnpd_is_reached_by_upnp() {
    is_reached("UPnP", BOTH);
}

#[test]
fn a_seed_behind_miniupnpd_is_reached_over_ipv6_through_a_pinhole_by_pcp() {
    is_reached_through_a_pinhole("PCP", NAT_PMP);
}

#[test]
fn a_seed_behind_miniupnpd_is_reached_over_ipv6_through_a_pinhole_by_upnp() {
    is_reached_through_a_pinhole("UPnP", BOTH);
}
