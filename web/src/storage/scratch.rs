//! Joins the slices of a rope for browser interfaces that take one buffer.

use aqueduct_core::io::Rope;

/// A buffer that is reused, so that a download does not allocate memory for each piece.
#[derive(Default)]
pub(crate) struct Scratch(Vec<u8>);

impl Scratch {
    /// All bytes of `rope` in one slice; copied only if the rope has several slices.
    pub(crate) fn contiguous<'a>(&'a mut self, rope: &'a Rope) -> &'a [u8] {
        if let [only] = rope.0.as_slice() {
            return only;
        }
        self.0.clear();
        rope.0
            .iter()
            .for_each(|slice| self.0.extend_from_slice(slice));
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn slices_are_joined_in_order_and_nothing_of_the_last_use_remains() {
        let mut scratch = Scratch::default();
        let long = Rope(vec![Bytes::from_static(b"abc"), Bytes::from_static(b"def")]);
        assert_eq!(scratch.contiguous(&long), b"abcdef");
        let short = Rope(vec![
            Bytes::from_static(b"x"),
            Bytes::from_static(b""),
            Bytes::from_static(b"y"),
        ]);
        assert_eq!(scratch.contiguous(&short), b"xy");
    }
}
