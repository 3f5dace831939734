//! What fuzzing runs: one body per target, which takes any bytes and panics when a check fails.
//!
//! The bodies are here and not in the fuzzing crate (`tests/fuzz`), so that the ordinary test run
//! takes the committed corpora through them, too (`tests/tests/corpus.rs`). Besides "no panic" each
//! body checks what can be said of its result: that it reads back as it was written, that it is
//! within its bounds, that another cut of the same bytes says the same.

mod dht;
mod encryption;
mod engine;
mod lsd;
mod metainfo;
mod resume;
mod text;
mod tracker;
mod tracking;
mod tunnel;
mod utp;
mod wire;

/// A body.
pub type Body = fn(&[u8]);

/// Every target: its name, which is also its corpus' and its program's in `tests/fuzz`, and its
/// body.
pub const TARGETS: [(&str, Body); 23] = [
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
    ("tracker_http", tracker::http),
    ("tracker_udp", tracker::udp),
    ("tracking_http", tracking::http),
    ("tracking_udp", tracking::udp),
    ("lsd", lsd::announce),
    ("utp", utp::packet),
    ("krpc", dht::krpc),
    ("dht_state", dht::state),
    ("tunnel_frames", tunnel::frames),
    ("tunnel_server", tunnel::server),
    ("tunnel_client", tunnel::client),
    ("resume", resume::resume),
    ("engine", engine::engine),
];

/// The body of a target.
///
/// # Panics
/// There is no such target, or `data` show a fault.
pub fn run(target: &str, data: &[u8]) {
    let body = TARGETS
        .iter()
        .find(|(name, _)| *name == target)
        .map(|(_, body)| body);
    body.unwrap_or_else(|| panic!("there is no target {target}"))(data);
}

/// Takes one byte off the front, as a switch of a body; 0 at the end.
fn switch<'a>(data: &mut &'a [u8]) -> u8 {
    let (first, rest) = data.split_first().unwrap_or((&0, &[]));
    let rest: &'a [u8] = rest;
    *data = rest;
    *first
}
