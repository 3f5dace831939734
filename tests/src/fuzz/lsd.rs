//! Datagrams of the local network.

use aqueduct_core::discovery::lsd::{Announce, GROUP_V4, MAX_DATAGRAM};

/// An announce that is understood is written so that it is understood the same (BEP 14).
pub(super) fn announce(data: &[u8]) {
    let Some(announce) = Announce::decode(data) else {
        return;
    };
    assert!(data.len() <= MAX_DATAGRAM && announce.port != 0);
    let written = announce.encode(GROUP_V4.into());
    if written.len() <= MAX_DATAGRAM {
        assert_eq!(Announce::decode(&written), Some(announce));
    }
}
