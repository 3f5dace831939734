//! Where the public DHT is entered if nothing else is known.

/// Host and port of nodes that the big clients run for everybody, to be asked once a start and not
/// to be kept.
pub const PUBLIC_NODES: [(&str, u16); 4] = [
    ("router.bittorrent.com", 6881),
    ("dht.transmissionbt.com", 6881),
    ("router.utorrent.com", 6881),
    ("dht.libtorrent.org", 25401),
];
