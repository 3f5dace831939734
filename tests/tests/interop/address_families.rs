//! A tracker whose name has addresses of both families (BEP 7), asked over real sockets on
//! 127.0.0.1 and ::1.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use aqueduct_tests::programs::{self, Program, START, system};
use aqueduct_tests::torrent::Recipe;

use super::Table;

const HOMES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// An event, and where it was told.
type Told = (SocketAddr, &'static str);

/// A port that is free in both families, bound in both.
fn bound_twice<T>(
    bind: impl Fn(SocketAddr) -> std::io::Result<T>,
    port: impl Fn(&T) -> u16,
) -> (u16, [T; 2]) {
    for _ in 0..100 {
        let first = bind(SocketAddr::new(HOMES[0], 0)).unwrap();
        let port = port(&first);
        if let Ok(second) = bind(SocketAddr::new(HOMES[1], port)) {
            return (port, [first, second]);
        }
    }
    panic!(
        "no port is free on 127.0.0.1 and ::1 alike: this test needs IPv6 on the loopback device"
    )
}

/// Trackers over HTTP on one port of both families.
fn http_trackers(told: &Sender<Told>) -> u16 {
    let (port, listeners) = bound_twice(TcpListener::bind, |listener| {
        listener.local_addr().unwrap().port()
    });
    for listener in listeners {
        let told = told.clone();
        thread::spawn(move || {
            listener
                .incoming()
                .flatten()
                .for_each(|stream| answer_http(stream, &told))
        });
    }
    port
}

fn answer_http(mut stream: TcpStream, told: &Sender<Told>) {
    let head: Vec<String> = BufReader::new(&stream)
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let event = ["started", "stopped"]
        .into_iter()
        .find(|event| head[0].contains(&format!("event={event}")))
        .unwrap_or("none");
    told.send((stream.local_addr().unwrap(), event)).ok();
    let body = "d8:intervali1800e5:peers0:e";
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .ok();
}

/// Trackers over UDP on one port of both families.
fn udp_trackers(told: &Sender<Told>) -> u16 {
    let (port, sockets) = bound_twice(UdpSocket::bind, |socket| {
        socket.local_addr().unwrap().port()
    });
    for socket in sockets {
        let told = told.clone();
        thread::spawn(move || answer_udp(&socket, &told));
    }
    port
}

fn answer_udp(socket: &UdpSocket, told: &Sender<Told>) {
    let mut request = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut request) {
        // Action and transaction change places on the way back (BEP 15).
        let head = &request[8..16];
        let body: &[u8] = if length == 16 {
            &[7; 8]
        } else {
            &[0, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]
        };
        if length >= 98 {
            let event = ["none", "completed", "started", "stopped"][usize::from(request[83])];
            told.send((socket.local_addr().unwrap(), event)).ok();
        }
        socket.send_to(&[head, body].concat(), from).unwrap();
    }
}

/// The program, in a world where `both.test` is 127.0.0.1 and ::1.
fn with_hosts(folder: &Path, program: &Path) -> Command {
    let hosts = folder.join("hosts");
    fs::write(&hosts, "127.0.0.1 localhost both.test\n::1 both.test\n").unwrap();
    let mut unshare = Command::new(system("unshare", "util-linux"));
    // Root of a user namespace may mount where nobody else may.
    let script = r#"mount --bind "$0" /etc/hosts && exec "$@""#;
    unshare
        .args(["--map-root-user", "--mount", "--", "sh", "-c", script])
        .arg(hosts)
        .arg(program);
    unshare
}

/// Waits until an event has been told to all four.
fn wait_for(told: &Receiver<Told>, event: &str, mut missing: Vec<SocketAddr>, program: &Program) {
    while !missing.is_empty() {
        let (place, what) = told
            .recv_timeout(START)
            .unwrap_or_else(|_| panic!("{event} was not told to {missing:?}{}", program.told()));
        missing.retain(|addr| what != event || *addr != place);
    }
}

#[test]
fn a_tracker_reached_over_ipv4_and_ipv6_is_told_over_both_by_http_and_udp() {
    let table = Table::set(Recipe::single("both.bin", 71, 1 << 20, 64 * 1024));
    let (tell, told) = channel();
    let (http, udp) = (http_trackers(&tell), udp_trackers(&tell));
    let trackers = [
        format!("http://both.test:{http}/announce"),
        format!("udp://both.test:{udp}/announce"),
    ];
    fs::write(&table.file, table.torrent.metainfo(&trackers)).unwrap();
    let places: Vec<SocketAddr> = HOMES
        .into_iter()
        .flat_map(|ip| [SocketAddr::new(ip, http), SocketAddr::new(ip, udp)])
        .collect();
    let mut get = with_hosts(table.folder.path(), &programs::aqueduct());
    get.args(["get", "--port", "0", "--no-dht", "--no-lsd"])
        .arg(&table.file)
        .arg("-o")
        .arg(table.place("out"));
    let mut get = Program::start(get.env("XDG_STATE_HOME", table.place("state")));
    wait_for(&told, "started", places.clone(), &get);
    get.signal("INT");
    wait_for(&told, "stopped", places, &get);
    assert_eq!(get.wait(START).code(), Some(130), "{}", get.told());
}
