//! What can be typed. What it means is worked out in the commands; for `get` and `seed`, in `plan`
//! and `settings`.

use std::convert::Infallible;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use aqueduct_native::net::Bind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::values::{self, HostPort, ProxyText};

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failure, 2 usage, 3 invalid torrent or magnet, 4 no peers or no progress, 5 storage, 6 data do not match, 130 interrupted.

The progress of downloads is recorded in $XDG_STATE_HOME/aqueduct (or ~/.local/state/aqueduct), so that nothing but the data is written to the \
download folder. Where neither can be written, it is /var/tmp/aqueduct-UID, or else .aqueduct in the download folder. A command that is started again continues where it stopped.

With --json, get and seed print one object per line. About trackers and peers: \
{\"event\":\"tracker\",\"info_hash\",\"url\",\"result\":\"ok|warning|failed\",\"seeders\",\"leechers\",\"peers\",\"message\"} \
after each announce, where message is the warning or why it failed; \
{\"event\":\"peer\",\"info_hash\",\"address\",\"result\":\"failed\",\"reason\",\"message\",\"omitted\"}, where reason is connection_refused, \
timed_out, unreachable, closed_in_handshake, closed_in_encrypted_handshake, silent, wrong_info_hash, protocol, ourselves, banned or closed, and omitted counts the peers that \
failed since the last such line and got none, because more than 20 per second did. About a blocklist: {\"event\":\"blocklist\",\"ranges\",\"malformed\",\"first_malformed\"} \
at the start, and {\"event\":\"blocked\",\"peers\",\"connections\"} at the end, if peers were not dialled or connections were refused. \
{\"event\":\"reachability\",\"reachable\",\"incoming\",\"port\",\"external_port\",\"protocol\",\"message\"} says whether peers on the internet can \
connect: reachable is true once one did, false if the gateway maps no port, otherwise null; incoming counts the peers that did; external_port is \
the gateway's port that is mapped to ours by protocol, PCP, NAT-PMP or UPnP, or null.";

/// A BitTorrent client for the terminal.
#[derive(Clone, Debug, Parser)]
#[command(name = "aqueduct", version, after_help = AFTER_HELP, max_term_width = 120)]
pub(crate) struct Flags {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Download torrents; ends when all are complete and verified
    Get(GetFlags),
    /// Check data, then serve them until interrupted
    Seed(SeedFlags),
    /// Make a .torrent from a file or folder, and print its magnet link
    Create(CreateFlags),
    /// Print what a torrent or magnet link contains
    Show(ShowFlags),
    /// Check data against a torrent; lists what is wrong, by file and piece
    Verify(VerifyFlags),
    /// Print shell completions
    Completions {
        /// The shell to print them for
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct GetFlags {
    /// A .torrent file, `-` for standard input, a magnet link, an info-hash, or an http(s) or file
    /// URL of a .torrent
    #[arg(required = true, value_name = "SOURCE")]
    pub(crate) sources: Vec<OsString>,
    /// Replace existing files that are not this torrent's, because no piece in them matches
    #[arg(long)]
    pub(crate) overwrite: bool,
    #[command(flatten)]
    pub(crate) swarm: SwarmFlags,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct SeedFlags {
    /// A .torrent file, `-` for standard input, or an http(s) or file URL of a .torrent
    pub(crate) torrent: OsString,
    /// The data: the file or folder itself, or the folder that contains it [default: --output, or
    /// the folder of the .torrent file]
    pub(crate) path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) swarm: SwarmFlags,
}

/// Flags of `get` and `seed`.
#[derive(Args, Clone, Debug)]
pub(crate) struct SwarmFlags {
    #[command(flatten)]
    pub(crate) storage: StorageFlags,
    #[command(flatten)]
    pub(crate) network: NetworkFlags,
    #[command(flatten)]
    pub(crate) discovery: DiscoveryFlags,
    #[command(flatten)]
    pub(crate) limits: LimitFlags,
    #[command(flatten)]
    pub(crate) seeding: SeedingFlags,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
}

/// What is downloaded, and to where.
#[derive(Args, Clone, Debug)]
pub(crate) struct StorageFlags {
    /// Folder to download to
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub(crate) output: PathBuf,
    /// Download only files whose path matches: `*` within a name, `**` across folders, `?` one
    /// character; a plain name matches anywhere, `folder/` everything in it; `3` and `3-7` are the
    /// files of these numbers in --list. A file that shares a piece with one of these is created,
    /// too, and holds that piece alone
    #[arg(long, value_name = "PATTERN")]
    pub(crate) select: Vec<String>,
    /// Download no files whose path matches, patterns as for --select
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// Write the torrent to this file once its metadata are known: with a magnet link or an
    /// info-hash
    #[arg(long, value_name = "FILE")]
    pub(crate) save_torrent: Option<PathBuf>,
    /// List the torrent's files with their numbers, and download nothing
    #[arg(long)]
    pub(crate) list: bool,
    /// Fetch the first and the last piece of each file, then all in order, instead of rarest first
    #[arg(long)]
    pub(crate) sequential: bool,
}

/// Where the program listens and connects from.
#[derive(Args, Clone, Debug)]
pub(crate) struct NetworkFlags {
    /// TCP and UDP port to listen on, 0 for any free one [default: 6881 or the next free one]
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,
    /// The machine's address or interface to listen on and to connect from, name lookups included
    /// [default: all]. Nothing leaves by another way: while it is missing, the program waits for it
    #[arg(long, value_name = "ADDR|INTERFACE", value_parser = values::bind)]
    pub(crate) bind: Option<Bind>,
    /// Connect to peers and trackers through this SOCKS5 proxy, and to nothing else:
    /// socks5://USER:PASSWORD@HOST:PORT, percent-encoded, where the user, the password and the port
    /// can be left out. The proxy resolves all names but its own. UDP trackers are asked if it
    /// relays datagrams (UDP ASSOCIATE). The DHT, uTP, the local network and port mapping are not
    /// used, and nobody can connect to us. Variables such as ALL_PROXY are not read
    #[arg(long, value_name = "URL", value_parser = |text: &str| Ok::<_, Infallible>(ProxyText::from(text)),
        conflicts_with_all = ["port", "no_tcp", "dht_bootstrap", "port_mapping_gateway"])]
    pub(crate) proxy: Option<ProxyText>,
    /// File whose first line is the proxy's password, so that it is not in the list of processes
    /// [default: the environment variable AQUEDUCT_PROXY_PASSWORD]
    #[arg(long, value_name = "FILE", requires = "proxy")]
    pub(crate) proxy_password_file: Option<PathBuf>,
    /// Neither connect to peers and DHT nodes in this list nor let them connect: lines in P2P
    /// (PeerGuardian), DAT (eMule) or CIDR form, mixed, also compressed with gzip. Trackers are
    /// asked whatever their address
    #[arg(long, value_name = "FILE")]
    pub(crate) blocklist: Option<PathBuf>,
    /// Whether connections to peers are encrypted: as the peer likes, always, or never
    #[arg(long, value_name = "MODE", value_enum, default_value_t = EncryptionMode::Allow)]
    pub(crate) encryption: EncryptionMode,
    /// Do not use TCP for connections to and from peers
    #[arg(long, conflicts_with = "no_utp")]
    pub(crate) no_tcp: bool,
    /// Do not use uTP (BEP 29) for connections to and from peers
    #[arg(long)]
    pub(crate) no_utp: bool,
    /// Do not ask the gateway (router) to forward the listening port to this machine
    #[arg(long)]
    pub(crate) no_port_mapping: bool,
    /// The gateway to ask, instead of that of the default route. By PCP, NAT-PMP and UPnP, with IPv6
    /// for a pinhole in its firewall by PCP and UPnP; what it does is undone at the end. With --bind
    /// to loopback none is asked
    #[arg(long, value_name = "ADDR", value_parser = values::gateway, conflicts_with = "no_port_mapping")]
    pub(crate) port_mapping_gateway: Option<IpAddr>,
}

/// Whether connections to peers are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EncryptionMode {
    /// As the peer likes: dial in the clear, then encrypted if the peer hangs up; accept both
    Allow,
    /// Encrypt every connection; refuse peers that do not
    Require,
    /// Connect only in the clear
    Off,
}

/// How peers are found.
#[derive(Args, Clone, Debug)]
pub(crate) struct DiscoveryFlags {
    /// A peer to connect to
    #[arg(long, value_name = "HOST:PORT", value_parser = values::host_port)]
    pub(crate) peer: Vec<HostPort>,
    /// A tracker to use in addition to the torrent's own
    #[arg(long, value_name = "URL", value_parser = values::url)]
    pub(crate) tracker: Vec<String>,
    /// Do not use trackers
    #[arg(long, conflicts_with = "tracker")]
    pub(crate) no_trackers: bool,
    /// Do not use the DHT (BEP 5)
    #[arg(long)]
    pub(crate) no_dht: bool,
    /// A DHT node to contact first, instead of the well-known public ones
    #[arg(long, value_name = "HOST:PORT", value_parser = values::host_port, conflicts_with = "no_dht")]
    pub(crate) dht_bootstrap: Vec<HostPort>,
    /// Do not exchange peers with peers (BEP 11)
    #[arg(long)]
    pub(crate) no_pex: bool,
    /// Do not look for peers on the local network (BEP 14)
    #[arg(long)]
    pub(crate) no_lsd: bool,
}

/// How much of the line and of time is used.
#[derive(Args, Clone, Debug)]
pub(crate) struct LimitFlags {
    /// Maximum download rate in bytes per second, for instance 500K or 2M (powers of 1,024)
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    pub(crate) download_limit: Option<u64>,
    /// Maximum upload rate in bytes per second
    #[arg(long, value_name = "RATE", value_parser = values::rate)]
    pub(crate) upload_limit: Option<u64>,
    /// Peers connected at a time, for each torrent [default: 80]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) max_peers: Option<u16>,
    /// Give up when nothing was received for this time: 30s, 5m, 2h, 1d
    #[arg(long, value_name = "T", value_parser = values::timeout)]
    pub(crate) timeout: Option<Duration>,
}

/// How long complete torrents are served.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SeedingFlags {
    /// Keep serving after completion until interrupted
    #[arg(long)]
    pub(crate) seed: bool,
    /// Keep serving until R times the torrent's size was sent
    #[arg(long, value_name = "R", value_parser = values::ratio)]
    pub(crate) ratio: Option<f64>,
    /// Keep serving for this time: 30s, 5m, 2h, 1d
    #[arg(long, value_name = "T", value_parser = values::span)]
    pub(crate) seed_time: Option<Duration>,
}

/// What is printed.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct OutputFlags {
    /// Print nothing but errors
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Print one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
    /// Report on standard error what happens, and why trackers and peers failed; twice: everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct CreateFlags {
    /// The file or folder to share
    pub(crate) path: PathBuf,
    /// Where to write the .torrent; `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Replace the file that --output names, once the new one is written
    #[arg(long)]
    pub(crate) force: bool,
    /// Include files that operating systems keep in folders, such as .DS_Store
    #[arg(long)]
    pub(crate) keep_system_files: bool,
    /// A tracker; each is a tier of its own
    #[arg(long, value_name = "URL", value_parser = values::url)]
    pub(crate) tracker: Vec<String>,
    /// An address that serves the data over HTTP (BEP 19)
    #[arg(long, value_name = "URL", value_parser = values::web_seed)]
    pub(crate) web_seed: Vec<String>,
    /// Length of a piece: a power of two from 16K to 512M [default: by size]
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    pub(crate) piece_length: Option<u64>,
    /// Find peers by the torrent's trackers alone (BEP 27)
    #[arg(long)]
    pub(crate) private: bool,
    /// Version of the torrent's format
    #[arg(long, value_enum, default_value_t = Format::V1)]
    pub(crate) format: Format,
    /// A comment, shown to users
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    /// A source tag, which changes the info-hash
    #[arg(long, value_name = "TEXT")]
    pub(crate) source: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Versions that can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// BEP 3
    V1,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ShowFlags {
    /// A .torrent file, `-` for standard input, a magnet link, an info-hash, or an http(s) or file
    /// URL of a .torrent
    pub(crate) source: OsString,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Ask its trackers how many seeds and leeches they know, without joining the swarm
    #[arg(long)]
    pub(crate) scrape: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct VerifyFlags {
    /// A .torrent file, `-` for standard input, or an http(s) or file URL of a .torrent
    pub(crate) torrent: OsString,
    /// The data: the file or folder itself, or the folder that contains it [default: here, or the
    /// folder of the .torrent file]
    pub(crate) path: Option<PathBuf>,
    /// Print one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
}
