//! The fuzz bodies, one per target. A body takes arbitrary bytes and panics when a check fails.
//!
//! The bodies are here and not in the fuzzing crate (`tests/fuzz`), so that the ordinary test run
//! can apply them to the committed corpora (`tests/tests/corpus.rs`). Besides the absence of
//! panics, each body checks properties of the result: encoding restores the input, bounds hold, and
//! splitting the bytes differently gives the same result.

mod blocklist;
mod dht;
mod digests;
mod encryption;
mod engine;
mod gateway;
mod holepunch;
mod lsd;
mod metainfo;
mod resume;
mod socks;
mod text;
mod tracker;
mod tracking;
mod tunnel;
mod utp;
mod wire;

/// The body of a fuzz target.
pub type Body = fn(&[u8]);

/// Every target: its name, which is also its corpus' and its program's in `tests/fuzz`, and its
/// body.
pub const TARGETS: [(&str, Body); 33] = [
    ("bencode", metainfo::bencode),
    ("metainfo", metainfo::metainfo),
    ("magnet", text::magnet),
    ("url", text::url),
    ("text", text::text),
    ("handshake", wire::handshake),
    ("connection", wire::connection),
    ("encrypted_talk", encryption::talk),
    ("encrypted_bytes", encryption::bytes),
    ("extended_handshake", wire::extended_handshake),
    ("holepunch", holepunch::message),
    ("tracker_http", tracker::http),
    ("tracker_udp", tracker::udp),
    ("tracking_http", tracking::http),
    ("tracking_udp", tracking::udp),
    ("lsd", lsd::announce),
    ("utp", utp::packet),
    ("utp_socket", utp::socket),
    ("krpc", dht::krpc),
    ("dht_state", dht::state),
    ("tunnel_frames", tunnel::frames),
    ("tunnel_server", tunnel::server),
    ("tunnel_client", tunnel::client),
    ("resume", resume::resume),
    ("blocklist", blocklist::lines),
    ("socks", socks::proxy),
    ("pcp", gateway::pcp),
    ("nat_pmp", gateway::nat_pmp),
    ("upnp_search", gateway::search),
    ("upnp_description", gateway::description),
    ("upnp_call", gateway::call),
    ("digests", digests::digests),
    ("engine", engine::engine),
];

/// Runs the body of a target.
///
/// # Panics
/// There is no such target, or a check fails for `data`.
pub fn run(target: &str, data: &[u8]) {
    let body = TARGETS
        .iter()
        .find(|(name, _)| *name == target)
        .map(|(_, body)| body);
    body.unwrap_or_else(|| panic!("there is no target {target}"))(data);
}

/// Removes the first byte, which a body uses as a switch; 0 if `data` is empty.
fn switch<'a>(data: &mut &'a [u8]) -> u8 {
    let (first, rest) = data.split_first().unwrap_or((&0, &[]));
    let rest: &'a [u8] = rest;
    *data = rest;
    *first
}
