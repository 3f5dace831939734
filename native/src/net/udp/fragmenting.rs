//! Whether sent datagrams may be fragmented. Systems other than Linux decide themselves.

use std::io;

use tokio::net::UdpSocket;

#[cfg(target_os = "linux")]
pub(super) fn forbid(socket: &UdpSocket, is_v4: bool) -> io::Result<()> {
    use rustix::net::sockopt::{Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
    set(
        socket,
        is_v4,
        Ipv4PathMtuDiscovery::PROBE,
        Ipv6PathMtuDiscovery::PROBE,
    )
}

#[cfg(target_os = "linux")]
pub(super) fn allow(socket: &UdpSocket, is_v4: bool) -> io::Result<()> {
    use rustix::net::sockopt::{Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
    set(
        socket,
        is_v4,
        Ipv4PathMtuDiscovery::DONT,
        Ipv6PathMtuDiscovery::DONT,
    )
}

#[cfg(target_os = "linux")]
fn set(
    socket: &UdpSocket,
    is_v4: bool,
    v4: rustix::net::sockopt::Ipv4PathMtuDiscovery,
    v6: rustix::net::sockopt::Ipv6PathMtuDiscovery,
) -> io::Result<()> {
    use rustix::net::sockopt::{set_ip_mtu_discover, set_ipv6_mtu_discover};
    match is_v4 {
        true => set_ip_mtu_discover(socket, v4)?,
        false => set_ipv6_mtu_discover(socket, v6)?,
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn forbid(_: &UdpSocket, _: bool) -> io::Result<()> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn allow(_: &UdpSocket, _: bool) -> io::Result<()> {
    Ok(())
}
