//! How a remote may break the rules of encryption. The rules themselves stand in
//! `connection/encryption`.

/// How a remote broke the encryption's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionError {
    /// It speaks in the clear, and encryption is required.
    #[error("the peer does not encrypt its connection, which is required here")]
    Required,
    /// With 0, 1 or p-1 as its public key the secret is known to everybody.
    #[error("the peer's public key leads to no secret")]
    PublicKey,
    /// What ends the padding did not come: the remote has another secret or speaks something else.
    #[error("the peer's padding has no end within {limit} bytes")]
    Unsynchronised {
        /// The most that padding may have, bytes.
        limit: usize,
    },
    /// The eight zero bytes do not decipher to zero.
    #[error("the peer enciphers with another key: it may have another torrent")]
    Verification,
    /// Padding longer than allowed.
    #[error("{received} bytes of padding announced; at most {limit} are taken")]
    Padding {
        /// The most that padding may have, bytes.
        limit: usize,
        /// What was announced, bytes.
        received: usize,
    },
    /// No cipher in common.
    #[error("the peer offers or chooses ciphers {received:#x}; {acceptable:#x} are acceptable")]
    Ciphers {
        /// Bits of those that we take: 1 for none, 2 for RC4.
        acceptable: u32,
        /// The remote's bits.
        received: u32,
    },
}
