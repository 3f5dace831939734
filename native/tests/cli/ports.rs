//! The TCP and UDP ports of the program have one number, which is all that other peers learn.

use std::net::{TcpListener, UdpSocket};

use super::world::World;

/// The first port that is tried if the user names none.
const FIRST: u16 = 6881;

/// The port at which a seed listens with these arguments, and whether that is free over TCP and over
/// UDP for another program.
fn listens(ip: &str, more: &[&str]) -> (u16, [bool; 2]) {
    let world = World::new();
    world.shared();
    let args = ["seed", "data.torrent", "data", "--no-lsd", "--bind", ip];
    let args = [&args[..], &["--no-trackers"], more].concat();
    let mut seed = world.start(&args);
    let listening = seed.wait_for(|event| event["event"] == "listening");
    let port = u16::try_from(listening["port"].as_u64().unwrap()).unwrap();
    let tcp = TcpListener::bind((ip, port)).is_ok();
    let udp = UdpSocket::bind((ip, port)).is_ok();
    (port, [tcp, udp])
}

#[test]
fn a_number_whose_udp_port_another_program_uses_is_passed_over() {
    let ip = "127.0.0.61";
    let _other = UdpSocket::bind((ip, FIRST)).unwrap();
    let node = ["--dht-bootstrap", "127.0.0.1:9"];
    for more in [
        &["--no-dht"][..],
        &["--no-dht", "--no-tcp"],
        &[&node[..], &["--no-utp"]].concat(),
    ] {
        let (port, free) = listens(ip, more);
        assert_eq!(port, FIRST + 1, "{more:?}");
        let takes_tcp = !more.contains(&"--no-tcp");
        assert_eq!(free, [!takes_tcp, false], "{more:?}");
    }
}

#[test]
fn a_number_that_the_user_gives_is_used_for_tcp_alone_if_its_udp_port_is_taken() {
    let ip = "127.0.0.62";
    let _other = UdpSocket::bind((ip, FIRST)).unwrap();
    let wanted = ["--no-dht", "--port", "6881"];
    assert_eq!(listens(ip, &wanted), (FIRST, [false, false]));
}
