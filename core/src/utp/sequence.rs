//! Numbers of packets, which wrap around.

/// The number of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sequence(pub(super) u16);

impl Sequence {
    /// The number `count` packets later.
    pub(super) const fn plus(self, count: u16) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// The number before.
    pub(super) const fn previous(self) -> Self {
        Self(self.0.wrapping_sub(1))
    }

    /// Packets from `earlier` to this one. Of two numbers that are up to half the circle apart, the
    /// result is small if `earlier` is the earlier one, and above `u16::MAX / 2` if not.
    pub(super) const fn since(self, earlier: Self) -> u16 {
        self.0.wrapping_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_around() {
        assert_eq!(Sequence(65_535).plus(2), Sequence(1));
        assert_eq!(Sequence(0).previous(), Sequence(65_535));
        assert_eq!(Sequence(1).since(Sequence(65_535)), 2);
        assert_eq!(Sequence(65_535).since(Sequence(1)), 65_534);
    }
}
