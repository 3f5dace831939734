//! A scripted SOCKS5 proxy (RFC 1928, 1929), which connects and relays datagrams.

mod relay;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

pub use self::relay::Relay;
use crate::PATIENCE;
use crate::journal::{Journal, Writer};

/// How the proxy answers.
#[derive(Clone, Debug, Default)]
pub enum Manner {
    /// Without a login, it connects to whatever is requested.
    #[default]
    Open,
    /// The same after a login with this user name and password.
    Login(&'static str, &'static str),
    /// It refuses every request with this code.
    Refuses(u8),
    /// It sends these bytes as its first answer, and closes the connection.
    Says(&'static [u8]),
    /// It closes the connection after a request.
    Hangs,
}

/// A proxy in its own threads; it accepts no more connections when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    /// Where the proxy listens.
    pub addr: SocketAddr,
    requests: Journal<String>,
    stopped: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Script {
    manner: Manner,
    names: BTreeMap<String, SocketAddr>,
    ip: IpAddr,
    relay: Relay,
    /// Associations whose connection was closed by the proxy.
    closed: AtomicUsize,
    requests: Writer<String>,
}

impl Proxy {
    /// Starts a proxy on a free port of 127.0.0.1.
    #[must_use]
    pub fn start(manner: Manner) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), manner, [])
    }

    /// Starts a proxy on a free port of 127.0.0.1 that connects to everything, and relays datagrams
    /// in this way. It alone knows the addresses of some names.
    #[must_use]
    pub fn relaying<const N: usize>(relay: Relay, names: [(&str, SocketAddr); N]) -> Self {
        Self::start_with(Ipv4Addr::LOCALHOST.into(), Manner::Open, names, relay)
    }

    /// Starts a proxy on a free port of `ip`, which alone knows the addresses of some names.
    ///
    /// # Panics
    /// It cannot listen there.
    #[must_use]
    pub fn start_at<const N: usize>(
        ip: IpAddr,
        manner: Manner,
        names: [(&str, SocketAddr); N],
    ) -> Self {
        Self::start_with(ip, manner, names, Relay::Honest)
    }

    fn start_with<const N: usize>(
        ip: IpAddr,
        manner: Manner,
        names: [(&str, SocketAddr); N],
        relay: Relay,
    ) -> Self {
        let listener = TcpListener::bind((ip, 0)).expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let (requests, writer) = Journal::new();
        let stopped = Arc::<AtomicBool>::default();
        let script = Arc::new(Script {
            manner,
            names: names.map(|(name, addr)| (name.to_owned(), addr)).into(),
            ip,
            relay,
            closed: AtomicUsize::new(0),
            requests: writer,
        });
        let stop = Arc::clone(&stopped);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let script = Arc::clone(&script);
                // A client that closes the connection is no failure of the test.
                thread::spawn(move || script.serve(stream).ok());
            }
        });
        Self {
            addr,
            requests,
            stopped,
        }
    }

    /// The value of `--proxy` for it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("socks5://{}", self.addr)
    }

    /// The destinations that were requested so far, each as `HOST:PORT`; associations as `udp`, and
    /// datagrams as `udp HOST:PORT`.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.requests.all()
    }

    /// Blocks until a destination was requested.
    ///
    /// # Panics
    /// It is not within [`PATIENCE`].
    pub fn wait_for(&self, destination: &str) {
        let found = self.requests.find(PATIENCE, |to| to == destination);
        assert!(
            found.is_ok(),
            "{destination} is not among {:?}",
            self.requests()
        );
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        TcpStream::connect(self.addr).ok();
    }
}

impl Script {
    fn serve(self: &Arc<Self>, mut client: TcpStream) -> io::Result<()> {
        let [version, methods] = read(&mut client)?;
        let mut offered = vec![0; methods.into()];
        client.read_exact(&mut offered)?;
        assert_eq!(version, 5, "the version of the first message");
        match self.manner {
            Manner::Says(bytes) => return client.write_all(bytes),
            Manner::Login(user, password) => {
                if !offered.contains(&2) {
                    return client.write_all(&[5, 0xff]);
                }
                client.write_all(&[5, 2])?;
                let [_version] = read(&mut client)?;
                let given = (text(&mut client)?, text(&mut client)?);
                let is_right = given == (user.to_owned(), password.to_owned());
                client.write_all(&[1, u8::from(!is_right)])?;
                if !is_right {
                    return Ok(());
                }
            }
            Manner::Open | Manner::Refuses(_) | Manner::Hangs => client.write_all(&[5, 0])?,
        }
        let (command, host, port) = request(&mut client)?;
        let is_association = command == 3;
        self.requests.push(if is_association {
            "udp".to_owned()
        } else {
            format!("{host}:{port}")
        });
        match self.manner {
            Manner::Hangs => Ok(()),
            Manner::Refuses(code) => answer(&mut client, code),
            _ if is_association => self.associate(client),
            _ => self.connect(client, &host, port),
        }
    }

    fn associate(self: &Arc<Self>, mut client: TcpStream) -> io::Result<()> {
        if let Relay::Refuses(code) = self.relay {
            return answer(&mut client, code);
        }
        let (socket, reply) = relay::open(self.ip, &self.relay);
        client.write_all(&reply)?;
        relay::serve(self, &self.relay, socket, client);
        Ok(())
    }

    /// Whether the association is closed instead of relaying a datagram.
    fn closes(&self, relay: &Relay) -> bool {
        match relay {
            Relay::Closes(most) => self.closed.fetch_add(1, Ordering::Relaxed) < *most,
            _ => false,
        }
    }

    fn find(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let known = self.names.get(host).copied();
        known.or_else(|| format!("{host}:{port}").parse().ok())
    }

    fn connect(&self, mut client: TcpStream, host: &str, port: u16) -> io::Result<()> {
        let addr = self.find(host, port);
        let Some(server) = addr.and_then(|addr| TcpStream::connect(addr).ok()) else {
            return answer(&mut client, if addr.is_some() { 5 } else { 4 });
        };
        answer(&mut client, 0)?;
        let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
        thread::spawn(move || relay(from_client, to_server));
        relay(server, client);
        Ok(())
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream) {
    io::copy(&mut from, &mut to).ok();
    to.shutdown(Shutdown::Write).ok();
}

fn read<const N: usize>(from: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn text(from: &mut TcpStream) -> io::Result<String> {
    let [length] = read(from)?;
    let mut bytes = vec![0; length.into()];
    from.read_exact(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Command, host and port of a request.
fn request(client: &mut TcpStream) -> io::Result<(u8, String, u16)> {
    let [version, command, _reserved, kind] = read(client)?;
    assert_eq!(version, 5, "the version of a request");
    assert!([1, 3].contains(&command), "the command {command}");
    let host = match kind {
        1 => Ipv4Addr::from(read::<4>(client)?).to_string(),
        4 => format!("[{}]", Ipv6Addr::from(read::<16>(client)?)),
        _ => text(client)?,
    };
    Ok((command, host, u16::from_be_bytes(read(client)?)))
}

fn answer(client: &mut TcpStream, code: u8) -> io::Result<()> {
    client.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0])
}
