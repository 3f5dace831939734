//! Names to addresses: each name is looked up once, each answer is checked, and the address that
//! was checked is dialled.
//!
//! The system's own resolver would block a thread per name until its servers answer. This one asks
//! the same servers (`/etc/resolv.conf`), knows the same hosts (`/etc/hosts`), blocks no thread,
//! and has a bound of its own. Its sockets are bound as all others are.

mod provider;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aqueduct_core::discovery::url::Host;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError as LookupError;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::{parse_resolv_conf, read_system_conf};
use hickory_resolver::{Hosts, Resolver as Hickory};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::provider::BoundProvider;
use super::bind::Bind;
use super::error::NetError;
use super::permit::Place;
use super::policy::{Policy, Target};

/// Longest wait for the name servers.
pub const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Names that are looked up at a time. Further ones are refused.
pub const MAX_LOOKUPS: usize = 1024;

/// Most addresses of one name that are used.
pub const MAX_ADDRS: usize = 8;

/// How long an answer is used at least, whatever its server says, so that not every announce causes
/// a lookup.
pub const LEAST_TTL: Duration = Duration::from_secs(60);
/// The same for the answer that the name does not exist.
const LEAST_NEGATIVE_TTL: Duration = Duration::from_secs(10);
const LONGEST_TTL: Duration = Duration::from_secs(3600);

/// Both are read again when they change.
const FILES: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// The name servers that systemd's own, which runs on this machine, asks.
const UPSTREAM: &str = "/run/systemd/resolve/resolv.conf";

/// Looks names up. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Resolver(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    servers: Vec<SocketAddr>,
    bind: Bind,
    /// A proxy resolves names, and no address is found here.
    is_off: bool,
    current: Mutex<Option<Current>>,
    lookups: Semaphore,
}

/// The contents of the files when they were last read.
#[derive(Clone, Debug)]
struct Current {
    changed: [Option<SystemTime>; 2],
    hosts: Arc<Hosts>,
    resolver: Hickory<BoundProvider>,
}

impl Default for Resolver {
    /// Asks the system's name servers.
    fn default() -> Self {
        Self::asking(Vec::new())
    }
}

impl Resolver {
    /// Asks these name servers; if there are none, those of the system.
    #[must_use]
    pub fn asking(servers: Vec<SocketAddr>) -> Self {
        Self::new(servers, Bind::default(), false)
    }

    /// Asks the system's name servers from our addresses. If those are on one interface, servers on
    /// this machine are not asked, since what they ask leaves on any.
    #[must_use]
    pub fn from_addresses(bind: Bind) -> Self {
        Self::new(Vec::new(), bind, false)
    }

    /// Finds no address, not even that of an address, because all connections pass through a proxy.
    #[must_use]
    pub fn off() -> Self {
        Self::new(Vec::new(), Bind::NONE, true)
    }

    fn new(servers: Vec<SocketAddr>, bind: Bind, is_off: bool) -> Self {
        Self(Arc::new(Inner {
            servers,
            bind,
            is_off,
            current: Mutex::default(),
            lookups: Semaphore::new(MAX_LOOKUPS),
        }))
    }

    /// The addresses of `host` that `policy` allows, IPv4 first. `target` is what the policy is
    /// asked with; its address is replaced by each answer.
    ///
    /// # Errors
    /// The name has none, its servers do not answer within 10 s, the policy permits no lookup, or
    /// it refuses every answer: then the first refusal. [`NetError::NotProxied`] with a proxy.
    pub async fn resolve(
        &self,
        host: &Host,
        port: u16,
        policy: &dyn Policy,
        target: &Target<'_>,
    ) -> Result<Vec<SocketAddr>, NetError> {
        if self.0.is_off {
            return Err(NetError::NotProxied);
        }
        let answers = match host {
            Host::Addr(ip) => vec![*ip],
            Host::Name(name) => {
                let _permit = policy
                    .admit(Place::Name(name), target.owner)
                    .granted()
                    .await?;
                self.look_up(name).await?
            }
        };
        let answers = answers.into_iter().map(|ip| SocketAddr::new(ip, port));
        let checked = answers.map(|addr| policy.check(&Target { addr, ..*target }).map(|()| addr));
        let (allowed, refused): (Vec<_>, Vec<_>) = checked.partition(Result::is_ok);
        let mut allowed: Vec<SocketAddr> = allowed.into_iter().flatten().collect();
        allowed.sort_by_key(SocketAddr::is_ipv6);
        allowed.dedup();
        allowed.truncate(MAX_ADDRS);
        match refused.into_iter().find_map(Result::err) {
            Some(refusal) if allowed.is_empty() => Err(refusal.into()),
            None if allowed.is_empty() => Err(lookup_error(host, "it has no address")),
            _ => Ok(allowed),
        }
    }

    async fn look_up(&self, host: &str) -> Result<Vec<IpAddr>, NetError> {
        let Current {
            hosts, resolver, ..
        } = self.current().map_err(|error| lookup_error(host, error))?;
        let _place = self
            .0
            .lookups
            .try_acquire()
            .map_err(|_| lookup_error(host, "too many names are being looked up"))?;
        // A name with a dot is complete. Others may be completed with the system's search domains.
        let dot = if host.contains('.') { "." } else { "" };
        let name =
            Name::from_ascii(format!("{host}{dot}")).map_err(|error| lookup_error(host, error))?;
        let known = [RecordType::A, RecordType::AAAA]
            .map(|kind| hosts.lookup_static_host(&Query::query(name.clone(), kind)));
        if known.iter().any(Option::is_some) {
            let known = known.into_iter().flatten();
            return Ok(known.flat_map(|lookup| addresses(&lookup)).collect());
        }
        let ask = |kind| timeout(LOOKUP_TIMEOUT, resolver.lookup(name.clone(), kind));
        let (v4, v6) = tokio::join!(ask(RecordType::A), ask(RecordType::AAAA));
        let found: Vec<IpAddr> = [&v4, &v6]
            .into_iter()
            .flatten()
            .flatten()
            .flat_map(addresses)
            .collect();
        match (v4, v6) {
            _ if !found.is_empty() => Ok(found),
            (Err(_), _) | (_, Err(_)) => Err(lookup_error(host, "its name servers do not answer")),
            (Ok(Err(error)), _) | (_, Ok(Err(error))) => Err(lookup_error(host, reason(&error))),
            (Ok(Ok(_)), Ok(Ok(_))) => Ok(found),
        }
    }

    /// Reads the files again if they changed: networks come and go while a program runs.
    fn current(&self) -> Result<Current, ConfigError> {
        let changed = FILES.map(|file| {
            Path::new(file)
                .metadata()
                .and_then(|metadata| metadata.modified())
                .ok()
        });
        let mut current = self
            .0
            .current
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match current
            .as_ref()
            .filter(|current| current.changed == changed)
        {
            Some(current) => Ok(current.clone()),
            None => Ok(current.insert(Current::read(&self.0, changed)?).clone()),
        }
    }
}

impl Current {
    fn read(inner: &Inner, changed: [Option<SystemTime>; 2]) -> Result<Self, ConfigError> {
        let hosts = Arc::new(Hosts::from_system().unwrap_or_default());
        let Inner { servers, bind, .. } = inner;
        let (config, options) = if servers.is_empty() {
            system_config(*bind)?
        } else {
            (
                ResolverConfig::from_name_servers(servers.iter().map(name_server).collect()),
                ResolverOpts::default(),
            )
        };
        let mut builder = Hickory::builder_with_config(config, BoundProvider::new(*bind));
        *builder.options_mut() = bounded(options);
        Ok(Self {
            changed,
            hosts,
            resolver: builder.build()?,
        })
    }
}

/// Why the name servers are not known.
#[derive(Debug, thiserror::Error)]
enum ConfigError {
    /// Only servers on this machine are configured, and sockets are bound to an interface.
    #[error(
        "the name server of this machine ({0}) asks others by any interface, so it is not used with --bind; name a server in /etc/resolv.conf, or write addresses instead of names"
    )]
    Local(IpAddr),
    /// The resolver refuses its configuration.
    #[error(transparent)]
    Resolver(#[from] LookupError),
}

/// The system's name servers that may be asked from our addresses.
fn system_config(bind: Bind) -> Result<(ResolverConfig, ResolverOpts), ConfigError> {
    // Without any name server the hosts file can still be used.
    let (config, options) = read_system_conf().unwrap_or_else(|_| {
        let config = ResolverConfig::from_name_servers(Vec::new());
        (config, ResolverOpts::default())
    });
    let Some(local) = local_server(&config).filter(|_| bind.is_specific()) else {
        return Ok((config, options));
    };
    let upstream = std::fs::read(UPSTREAM)
        .ok()
        .and_then(|text| parse_resolv_conf(text).ok());
    match upstream {
        Some(upstream) if local_server(&upstream.0).is_none() => Ok(upstream),
        _ => Err(ConfigError::Local(local)),
    }
}

/// A name server on this machine.
fn local_server(config: &ResolverConfig) -> Option<IpAddr> {
    let mut servers = config.name_servers().iter().map(|server| server.ip);
    servers.find(IpAddr::is_loopback)
}

fn bounded(mut options: ResolverOpts) -> ResolverOpts {
    // It is searched before each lookup, so that a name in it has the addresses from there alone.
    options.use_hosts_file = ResolveHosts::Never;
    (options.positive_min_ttl, options.positive_max_ttl) = (Some(LEAST_TTL), Some(LONGEST_TTL));
    (options.negative_min_ttl, options.negative_max_ttl) =
        (Some(LEAST_NEGATIVE_TTL), Some(LONGEST_TTL));
    // Each name is looked up in both families.
    options.max_active_requests = 2 * MAX_LOOKUPS;
    options
}

fn name_server(addr: &SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(addr.ip());
    server
        .connections
        .iter_mut()
        .for_each(|connection| connection.port = addr.port());
    server
}

fn addresses(lookup: &hickory_resolver::lookup::Lookup) -> Vec<IpAddr> {
    lookup
        .answers()
        .iter()
        .filter_map(|record| record.data.ip_addr())
        .collect()
}

/// What the resolver describes by names of its own types, in words.
fn reason(error: &LookupError) -> String {
    match error {
        error if error.is_nx_domain() => "it does not exist".to_owned(),
        error if error.is_no_records_found() => "its name servers know no address of it".to_owned(),
        LookupError::NoConnections => "no name server can be reached".to_owned(),
        LookupError::Timeout => "its name servers do not answer".to_owned(),
        other => other.to_string(),
    }
}

fn lookup_error(host: impl ToString, message: impl ToString) -> NetError {
    NetError::Lookup {
        host: host.to_string(),
        message: message.to_string(),
    }
}
