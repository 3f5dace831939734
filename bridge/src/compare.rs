//! Comparison of secrets.

/// Compares all bytes, so that the time reveals nothing about them.
pub(crate) fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .fold(0, |difference, (a, b)| difference | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn secrets_are_the_same_if_every_byte_is() {
        assert!(is_same(b"secret", b"secret") && is_same(b"", b""));
        for other in [&b"secreT"[..], b"Secret", b"secre", b"secrets", b""] {
            assert!(!is_same(b"secret", other));
        }
    }
}
