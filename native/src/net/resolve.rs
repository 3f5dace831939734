//! Names to addresses: each name is looked up once, each answer is checked, and the address that
//! was checked is dialled.
//!
//! The system's own resolver would block a thread per name until its servers answer. This one asks
//! the same servers (`/etc/resolv.conf`), knows the same hosts (`/etc/hosts`), blocks no thread,
//! and has a bound of its own.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aqueduct_core::discovery::url::Host;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{Hosts, TokioResolver};
use tokio::sync::Semaphore;
use tokio::time::timeout;

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

/// Looks names up. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Resolver(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    servers: Vec<SocketAddr>,
    current: Mutex<Option<Current>>,
    lookups: Semaphore,
}

/// The contents of the files when they were last read.
#[derive(Clone, Debug)]
struct Current {
    changed: [Option<SystemTime>; 2],
    hosts: Arc<Hosts>,
    resolver: TokioResolver,
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
        Self(Arc::new(Inner {
            servers,
            current: Mutex::default(),
            lookups: Semaphore::new(MAX_LOOKUPS),
        }))
    }

    /// The addresses of `host` that `policy` allows, IPv4 first. `target` is what the policy is
    /// asked with; its address is replaced by each answer.
    ///
    /// # Errors
    /// The name has none, its servers do not answer within 10 s, the policy permits no lookup, or
    /// it refuses every answer: then the first refusal.
    pub async fn resolve(
        &self,
        host: &Host,
        port: u16,
        policy: &dyn Policy,
        target: &Target<'_>,
    ) -> Result<Vec<SocketAddr>, NetError> {
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
            (Ok(Err(error)), _) | (_, Ok(Err(error))) => Err(lookup_error(host, error)),
            (Ok(Ok(_)), Ok(Ok(_))) => Ok(found),
        }
    }

    /// Reads the files again if they changed: networks come and go while a program runs.
    fn current(&self) -> Result<Current, hickory_resolver::net::NetError> {
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
            None => Ok(current
                .insert(Current::read(&self.0.servers, changed)?)
                .clone()),
        }
    }
}

impl Current {
    fn read(
        servers: &[SocketAddr],
        changed: [Option<SystemTime>; 2],
    ) -> Result<Self, hickory_resolver::net::NetError> {
        let hosts = Arc::new(Hosts::from_system().unwrap_or_default());
        let (config, options) = if servers.is_empty() {
            // Without any name server the hosts file can still be used.
            read_system_conf().unwrap_or_else(|_| {
                (
                    ResolverConfig::from_name_servers(Vec::new()),
                    ResolverOpts::default(),
                )
            })
        } else {
            (
                ResolverConfig::from_name_servers(servers.iter().map(name_server).collect()),
                ResolverOpts::default(),
            )
        };
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = bounded(options);
        Ok(Self {
            changed,
            hosts,
            resolver: builder.build()?,
        })
    }
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

fn lookup_error(host: impl ToString, message: impl ToString) -> NetError {
    NetError::Lookup {
        host: host.to_string(),
        message: message.to_string(),
    }
}
