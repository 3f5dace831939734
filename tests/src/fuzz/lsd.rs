//! Local service discovery.

use aqueduct_core::discovery::lsd::{Announce, GROUP_V4, MAX_DATAGRAM};

/// A decoded announce (BEP 14) is the same after encoding and decoding.
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
