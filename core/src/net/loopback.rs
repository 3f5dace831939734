//! Hosts that are this machine, as they are named in URLs and fields.

use std::net::IpAddr;

/// Whether `HOST[:PORT]` is `localhost` or a literal loopback address.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let name = host_name(host);
    let is_address = |ip: IpAddr| ip.to_canonical().is_loopback();
    name == "localhost" || name.parse().is_ok_and(is_address)
}

/// The name or address of `HOST[:PORT]`, without brackets.
#[must_use]
pub fn host_name(host: &str) -> &str {
    let name = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(name, _)| name);
    name.trim_start_matches('[').trim_end_matches(']')
}
