//! Randomness of the system, for seeds and ids.

use std::io;

/// Unpredictable bytes.
///
/// # Errors
/// The system has none.
pub(crate) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| io::Error::other(format!("the system has no randomness: {error}")))?;
    Ok(bytes)
}
