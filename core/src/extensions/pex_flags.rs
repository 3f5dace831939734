//! What peers tell of each other with an address (BEP 11).

/// What is known of an announced peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PexFlags(u8);

impl PexFlags {
    /// It is complete or requests no data (BEP 11, 21).
    pub(crate) const UPLOAD_ONLY: Self = Self(0x02);
    /// It supports uTP (BEP 29).
    pub(crate) const UTP: Self = Self(0x04);
    /// It supports holepunching (BEP 55).
    pub(crate) const HOLEPUNCH: Self = Self(0x08);
    /// It was dialled without anybody's help, so others can dial it too. Some clients never say so.
    pub(crate) const REACHABLE: Self = Self(0x10);

    /// Whether all flags of `other` are set.
    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags of both.
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags of both if `holds`, otherwise only these.
    pub(crate) const fn with_if(self, holds: bool, other: Self) -> Self {
        if holds { self.with(other) } else { self }
    }

    pub(super) const fn from_wire(flags: u8) -> Self {
        Self(flags)
    }

    pub(super) const fn to_wire(self) -> u8 {
        self.0
    }
}
