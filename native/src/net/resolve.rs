//! Names to addresses: looked up once, every answer checked, and the dial goes to what was checked.

use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::discovery::url::Host;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::error::NetError;
use super::policy::{Policy, Target};

/// Longest wait for the system's resolver.
pub const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Most addresses of one name that are used.
pub const MAX_ADDRS: usize = 8;

/// The addresses of `host` that `policy` allows, IPv4 first. `target` says what for; its address is replaced by each answer.
///
/// # Errors
/// The name has none, the resolver is silent for 10 s, or every one is refused: then the first refusal.
pub async fn resolve(host: &Host, port: u16, policy: &dyn Policy, target: &Target<'_>) -> Result<Vec<SocketAddr>, NetError> {
    let answers = match host {
        Host::Addr(ip) => vec![SocketAddr::new(*ip, port)],
        Host::Name(name) => look_up(name, port).await?,
    };
    let checked = answers.into_iter().map(|addr| policy.check(&Target { addr, ..*target }).map(|()| addr));
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

async fn look_up(name: &str, port: u16) -> Result<Vec<SocketAddr>, NetError> {
    let answers = timeout(LOOKUP_TIMEOUT, lookup_host((name, port))).await.map_err(|_| lookup_error(name, "the resolver does not answer"))?;
    Ok(answers.map_err(|error| lookup_error(name, error))?.collect())
}

fn lookup_error(host: impl ToString, message: impl ToString) -> NetError {
    NetError::Lookup { host: host.to_string(), message: message.to_string() }
}
