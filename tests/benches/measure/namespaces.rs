//! Two hosts on one machine: network namespaces connected by a virtual link, so that every client
//! has its own address.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsFd;
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::thread::LinkNameSpaceType;

const SEED_HOST: &str = "aq-seed";
const LEECH_HOST: &str = "aq-leech";

/// The addresses of seed and downloader. Both are reserved for documentation (RFC 5737).
pub(crate) const SEED: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 1), 6881);
const LEECH: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

/// Both namespaces. They are removed when this is dropped.
pub(crate) struct Namespaces;

impl Namespaces {
    /// Creates both, replacing those of an earlier run. Requires root.
    pub(crate) fn create() -> Result<Self> {
        let guard = Self;
        remove();
        for (host, _) in hosts() {
            ip(&["netns", "add", host])?;
        }
        ip(&[
            "link", "add", "aq-line", "netns", SEED_HOST, "type", "veth", "peer", "name",
            "aq-line", "netns", LEECH_HOST,
        ])?;
        for (host, address) in hosts() {
            ip(&[
                "-n",
                host,
                "addr",
                "add",
                &format!("{address}/24"),
                "dev",
                "aq-line",
            ])?;
            ip(&["-n", host, "link", "set", "lo", "up"])?;
            ip(&["-n", host, "link", "set", "aq-line", "up"])?;
            // Some clients listen only if there is a default route.
            ip(&["-n", host, "route", "add", "default", "dev", "aq-line"])?;
        }
        Ok(guard)
    }

    /// `command`, wrapped to run on the seed's host.
    pub(crate) fn on_seed(&self, command: &Command) -> Command {
        within(SEED_HOST, command)
    }

    /// `command`, wrapped to run on the downloader's host.
    pub(crate) fn on_leech(&self, command: &Command) -> Command {
        within(LEECH_HOST, command)
    }

    /// Moves only the calling thread to the seed's host.
    pub(crate) fn enter_seed(&self) -> Result<()> {
        let path = format!("/run/netns/{SEED_HOST}");
        let file = File::open(&path).with_context(|| format!("opening {path}"))?;
        rustix::thread::move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
            .with_context(|| format!("entering {path}"))
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        remove();
    }
}

fn hosts() -> [(&'static str, Ipv4Addr); 2] {
    [(SEED_HOST, *SEED.ip()), (LEECH_HOST, LEECH)]
}

fn remove() {
    for (host, _) in hosts() {
        // Fails if there is none, which is not an error.
        Command::new("ip")
            .args(["netns", "delete", host])
            .output()
            .ok();
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .context("starting ip (package iproute2)")?;
    if !output.status.success() {
        let what = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!(
            "`ip {}` failed: {what}. Network namespaces need root",
            arguments.join(" ")
        );
    }
    Ok(())
}

fn within(host: &str, command: &Command) -> Command {
    let mut inside = Command::new("ip");
    inside
        .args(["netns", "exec", host])
        .arg(command.get_program())
        .args(command.get_args());
    inside.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    inside
}
