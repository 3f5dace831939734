//! A small HTTP/1.1 client: one GET, one connection, bounds on everything.

use std::future::pending;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::discovery::Fetched;
use aqueduct_core::discovery::dht::Family;
use aqueduct_core::discovery::url::{Host, Scheme, Url, UrlError};
use aqueduct_core::socks::Destination;
use aqueduct_core::types::visible;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::error::{NetError, connect_words};
use super::outbound::Outbound;
use super::packing::Packing;
use super::permit::{Metered, Place, Unlimited, is_remote_fault};
use super::policy::{Policy, Purpose, Target, stand_in};
use super::proxy::Proxy;

/// The maximum number of redirects.
pub const MAX_REDIRECTS: usize = 3;

/// The timeout for connecting to one address, after which the name's next one is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a tracker's answer that the system receives before they are read, so that what comes
/// beyond the bound is not received at all.
const TRACKER_WINDOW: u32 = 64 << 10;

/// The maximum length of a response's head in bytes.
const MAX_HEAD: usize = 64 << 10;

/// Bounds of one GET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// What the policy is asked with.
    pub purpose: Purpose,
    /// Most bytes of the body, before and after decompression.
    pub limit: u64,
    /// The deadline for everything: lookup, connections, redirects, body.
    pub deadline: Duration,
    /// The family of the addresses to connect to; `None`: both.
    pub family: Option<Family>,
    /// On whose behalf; see [`Target::owner`].
    pub owner: u64,
}

impl Fetch {
    /// An announce: 1 MiB, 30 s.
    pub const ANNOUNCE: Self = Self {
        purpose: Purpose::HttpTracker,
        limit: 1 << 20,
        deadline: Duration::from_secs(30),
        family: None,
        owner: 0,
    };
    /// A .torrent file: 10 MB, 30 s.
    pub const TORRENT: Self = Self {
        purpose: Purpose::TorrentFile,
        limit: 10_000_000,
        deadline: Duration::from_secs(30),
        family: None,
        owner: 0,
    };
}

/// Fetches over http and https what its policy allows. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    policy: Arc<dyn Policy>,
    outbound: Outbound,
    roots: Arc<RootCertStore>,
}

/// A connection to a server, and what is known of the server.
struct Reached {
    stream: Metered<TcpStream>,
    /// Its address; behind a proxy [`UNKNOWN`].
    by: IpAddr,
    /// Whether its name has addresses of both families.
    dual: bool,
}

/// Stands for the address of a server that a proxy resolved. No server has it, and it does not
/// count as local.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::BROADCAST);

impl Client {
    /// A client that trusts Mozilla's certificate authorities.
    #[must_use]
    pub fn new(policy: Arc<dyn Policy>, outbound: Outbound) -> Self {
        Self::with_roots(
            policy,
            outbound,
            RootCertStore {
                roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
            },
        )
    }

    /// A client that trusts `roots` alone.
    #[must_use]
    pub fn with_roots(policy: Arc<dyn Policy>, outbound: Outbound, roots: RootCertStore) -> Self {
        Self {
            policy,
            outbound,
            roots: Arc::new(roots),
        }
    }

    /// The body of a 200 response, decompressed if necessary.
    ///
    /// # Errors
    /// See [`NetError`]; every redirect is checked like the first address.
    pub async fn get(&self, url: &str, fetch: Fetch) -> Result<Bytes, NetError> {
        Ok(self.fetch(url, fetch).await?.body)
    }

    /// As [`Client::get`], with the address that answered.
    ///
    /// # Errors
    /// As for [`Client::get`].
    pub async fn fetch(&self, url: &str, fetch: Fetch) -> Result<Fetched, NetError> {
        let following = self.follow(Url::parse(url)?, fetch);
        timeout(fetch.deadline, following)
            .await
            .map_err(|_| NetError::Timeout(fetch.deadline))?
    }

    async fn follow(&self, mut url: Url, fetch: Fetch) -> Result<Fetched, NetError> {
        let mut redirected_by = None;
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.get_once(&url, fetch, redirected_by).await;
            match answer.map_err(|error| {
                if redirected_by.is_some() {
                    redirected(&url.to_string(), error)
                } else {
                    error
                }
            })? {
                (Answer::Body(body), from, dual) => return Ok(Fetched { body, from, dual }),
                (Answer::Redirect(to), ..) if is_magnet(&to) => return Err(NetError::Magnet(to)),
                (Answer::Redirect(to), by, _) => {
                    url = url
                        .join(&to)
                        .map_err(|error| redirected(&to, error.into()))?;
                    redirected_by = Some(by);
                }
            }
        }
        Err(NetError::Redirects(MAX_REDIRECTS))
    }

    async fn get_once(
        &self,
        url: &Url,
        fetch: Fetch,
        redirected_by: Option<IpAddr>,
    ) -> Result<(Answer, IpAddr, bool), NetError> {
        if url.scheme == Scheme::Udp {
            return Err(UrlError::Scheme.into());
        }
        let Reached { stream, by, dual } = match self.outbound.proxy() {
            Some(proxy) => self.reach_through(proxy, url, fetch, redirected_by).await?,
            None => self.reach(url, fetch, redirected_by).await?,
        };
        let answer = if url.scheme == Scheme::Https {
            exchange(self.secure(stream, &url.host).await?, url, fetch.limit).await
        } else {
            exchange(stream, url, fetch.limit).await
        };
        Ok((answer?, by, dual))
    }

    /// Connects directly.
    async fn reach(
        &self,
        url: &Url,
        fetch: Fetch,
        redirected_by: Option<IpAddr>,
    ) -> Result<Reached, NetError> {
        let addrs = self.look_up(url, fetch, redirected_by).await?;
        let dual = addrs.iter().any(SocketAddr::is_ipv4) && addrs.iter().any(SocketAddr::is_ipv6);
        let wanted = addrs
            .into_iter()
            .filter(|addr| fetch.family.is_none_or(|family| Family::of(addr) == family));
        let (stream, by) = self.connect(url, wanted, fetch).await?;
        Ok(Reached { stream, by, dual })
    }

    /// Connects through the proxy, which resolves names. The policy checks addresses that are
    /// written as such, and names of machines in the proxy's own network as if they were local
    /// addresses; where other names lead, only the proxy knows.
    async fn reach_through(
        &self,
        proxy: &Proxy,
        url: &Url,
        fetch: Fetch,
        redirected_by: Option<IpAddr>,
    ) -> Result<Reached, NetError> {
        let checked = SocketAddr::new(stand_in(&url.host).unwrap_or(UNKNOWN), url.port);
        if checked.ip() != UNKNOWN {
            self.policy.check(&Target {
                addr: checked,
                ..target(url, fetch, redirected_by)
            })?;
        }
        let (to, by) = match &url.host {
            Host::Addr(ip) => (SocketAddr::new(*ip, url.port).into(), *ip),
            Host::Name(name) => (name_of(name, url.port)?, checked.ip()),
        };
        let stream = proxy.connect(&to).await?;
        Ok(Reached {
            stream: Metered::new(stream, Box::new(Unlimited)),
            by,
            dual: false,
        })
    }

    async fn look_up(
        &self,
        url: &Url,
        fetch: Fetch,
        redirected_by: Option<IpAddr>,
    ) -> Result<Vec<SocketAddr>, NetError> {
        let target = target(url, fetch, redirected_by);
        self.outbound
            .resolver()
            .resolve(&url.host, url.port, &*self.policy, &target)
            .await
    }

    async fn connect(
        &self,
        url: &Url,
        addrs: impl Iterator<Item = SocketAddr>,
        fetch: Fetch,
    ) -> Result<(Metered<TcpStream>, IpAddr), NetError> {
        let mut failure = NetError::Lookup {
            host: url.host.to_string(),
            message: "it has no address".to_owned(),
        };
        for addr in addrs {
            match self.connect_to(addr, fetch).await {
                Ok(stream) => return Ok((stream, addr.ip())),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn connect_to(
        &self,
        addr: SocketAddr,
        fetch: Fetch,
    ) -> Result<Metered<TcpStream>, NetError> {
        let mut permit = self
            .policy
            .admit(Place::Addr(addr), fetch.owner)
            .granted()
            .await?;
        let bind = self.outbound.bind();
        let connecting = bind.connect_with(addr, |socket| match fetch.purpose {
            Purpose::HttpTracker => socket.set_recv_buffer_size(TRACKER_WINDOW),
            _ => Ok(()),
        });
        let connected = timeout(CONNECT_TIMEOUT, connecting)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if connected.as_ref().is_err_and(is_remote_fault) {
            permit.failed();
        }
        let unreachable = |error: io::Error| NetError::Connect {
            addr,
            message: connect_words(&error),
        };
        let stream = connected.map_err(unreachable)?;
        let actual = stream.peer_addr().map_err(unreachable)?;
        if actual != addr {
            return Err(NetError::Elsewhere {
                expected: addr,
                actual,
            });
        }
        permit.reached();
        Ok(Metered::new(stream, permit))
    }

    async fn secure(
        &self,
        stream: Metered<TcpStream>,
        host: &Host,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + use<>, NetError> {
        let tls_error = |message: String| NetError::Tls {
            host: host.to_string(),
            message,
        };
        let name = match host {
            Host::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|error| tls_error(error.to_string()))?
            }
            Host::Addr(ip) => ServerName::from(*ip),
        };
        let config = self
            .tls_config()
            .map_err(|error| tls_error(error.to_string()))?;
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .map_err(|error| tls_error(error.to_string()))
    }

    /// The provider is named, because a program that links two of them lacks a default.
    fn tls_config(&self) -> Result<ClientConfig, rustls::Error> {
        let builder =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        Ok(builder
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth())
    }
}

/// What the policy is asked with; the address is filled in.
fn target(url: &Url, fetch: Fetch, redirected_by: Option<IpAddr>) -> Target<'_> {
    Target {
        addr: SocketAddr::from(([0, 0, 0, 0], url.port)),
        purpose: fetch.purpose,
        path_and_query: &url.path_and_query,
        redirected_by,
        owner: fetch.owner,
    }
}

fn name_of(name: &str, port: u16) -> Result<Destination, NetError> {
    Destination::name(name, port).map_err(|error| NetError::Lookup {
        host: name.to_owned(),
        message: error.to_string(),
    })
}

/// Names where a redirect leads, in errors about the address. What a server there answers needs no
/// such explanation.
fn redirected(to: &str, error: NetError) -> NetError {
    match error {
        NetError::Url(_)
        | NetError::Refused(_)
        | NetError::Lookup { .. }
        | NetError::Connect { .. }
        | NetError::Proxy(_)
        | NetError::Tls { .. } => NetError::Redirected {
            to: visible(to).into_owned(),
            error: Box::new(error),
        },
        other => other,
    }
}

enum Answer {
    Body(Bytes),
    Redirect(String),
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    url: &Url,
    limit: u64,
) -> Result<Answer, NetError> {
    let handshake = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(NetError::from)?;
    let asking = async {
        let response = sender
            .send_request(request(url)?)
            .await
            .map_err(NetError::from)?;
        read_answer(response, limit).await
    };
    // The connection reads and writes; its errors reach `asking`, too.
    let serving = async {
        let _ = connection.await;
        pending().await
    };
    tokio::select! { answer = asking => answer, () = serving => Err(NetError::Closed) }
}

fn request(url: &Url) -> Result<Request<Empty<Bytes>>, NetError> {
    let request = Request::get(&url.path_and_query)
        .header(header::HOST, url.authority())
        .header(
            header::USER_AGENT,
            concat!("Aqueduct/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::ACCEPT_ENCODING, "gzip, deflate")
        .header(header::CONNECTION, "close");
    let request = url
        .authorization()
        .into_iter()
        .fold(request, |request, value| {
            request.header(header::AUTHORIZATION, value)
        });
    // The URL's characters were checked; hyper is stricter about a few of them (such as `"`, `<`
    // and `>` in some places).
    request
        .body(Empty::new())
        .map_err(|_| UrlError::Character.into())
}

/// Torrent search engines redirect to a magnet link if they have no .torrent file.
fn is_magnet(reference: &str) -> bool {
    reference
        .get(..7)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("magnet:"))
}

async fn read_answer(response: Response<Incoming>, limit: u64) -> Result<Answer, NetError> {
    let status = response.status();
    if matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        let location = response
            .headers()
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok());
        let to = location
            .ok_or_else(|| NetError::Http("a redirect without an address".to_owned()))?
            .to_owned();
        return Ok(Answer::Redirect(to));
    }
    if status != StatusCode::OK {
        return Err(NetError::Status(status.as_u16()));
    }
    let encoding = response
        .headers()
        .get(header::CONTENT_ENCODING)
        .map(|value| value.as_bytes().to_ascii_lowercase());
    let body = read_body(response.into_body(), limit).await?;
    let packing = match encoding.as_deref() {
        None | Some(b"" | b"identity") => Packing::of(&body),
        Some(b"gzip" | b"x-gzip") => Some(Packing::Gzip),
        // RFC 9110 means zlib's format; some servers send raw deflate.
        Some(b"deflate") => Some(Packing::of(&body).unwrap_or(Packing::Deflate)),
        Some(_) => {
            return Err(NetError::Http(
                "an encoding that was not asked for".to_owned(),
            ));
        }
    };
    packing
        .map_or(Ok(body.clone()), |packing| packing.unpack(&body, limit))
        .map(Answer::Body)
}

async fn read_body(mut body: Incoming, limit: u64) -> Result<Bytes, NetError> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(NetError::from)?.into_data() else {
            continue;
        };
        if (whole.len() + data.len()) as u64 > limit {
            return Err(NetError::TooLong { limit });
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
