//! Entry points of the public DHT, for the first start.

/// Host and port of public bootstrap nodes, which are queried at the start and not stored.
pub const PUBLIC_NODES: [(&str, u16); 4] = [
    ("router.bittorrent.com", 6881),
    ("dht.transmissionbt.com", 6881),
    ("router.utorrent.com", 6881),
    ("dht.libtorrent.org", 25401),
];
