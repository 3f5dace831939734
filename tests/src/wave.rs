//! WAV files, which every browser plays.

/// The header of a file of `size` bytes, which the samples follow: PCM of 16 bits in stereo at 44.1
/// kHz.
#[must_use]
pub fn stereo_header(size: u32) -> Vec<u8> {
    let (length, rate, frame) = (44, 44_100_u32, 4);
    let mut header = b"RIFF".to_vec();
    header.extend((size - 8).to_le_bytes());
    header.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    header.extend([rate.to_le_bytes(), (rate * frame).to_le_bytes()].concat());
    header.extend(b"\x04\0\x10\0data");
    header.extend((size - length).to_le_bytes());
    header
}
