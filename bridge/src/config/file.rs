//! Files that the operator names.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The maximum length in bytes of a configuration, a list of tokens or a chain of certificates. A
/// device or a pipe may have no end.
const MAX_LENGTH: u64 = 4 << 20;

/// Reads a file.
///
/// # Errors
/// The system's, or it is longer than 4 MiB.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?
        .take(MAX_LENGTH + 1)
        .read_to_end(&mut bytes)?;
    if read as u64 > MAX_LENGTH {
        let message = format!("it is longer than {} MiB", MAX_LENGTH >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// Reads a text file.
///
/// # Errors
/// As for [`read`], or it is not UTF-8.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}
