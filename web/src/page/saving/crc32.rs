//! CRC-32 as ZIP archives have it (ISO 3309, reflected, polynomial 0x04c11db7).
//!
//! The tables are computed: stored ones, as crates for it have them, cannot be compressed and would
//! be 3 % of what a browser downloads for the page.

/// The polynomial with its bits reversed.
const POLYNOMIAL: u32 = 0xedb8_8320;
/// The number of bytes that are processed together, with a table each.
const WIDTH: usize = 16;

/// A running checksum.
pub(super) struct Crc32 {
    /// For each distance to the end of a group, what each byte there contributes.
    tables: Box<[[u32; 256]; WIDTH]>,
    state: u32,
}

impl Crc32 {
    /// The checksum of no bytes.
    pub(super) fn new() -> Self {
        Self {
            tables: tables(),
            state: u32::MAX,
        }
    }

    /// Adds bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        let (groups, rest) = bytes.as_chunks::<WIDTH>();
        for group in groups {
            self.group(*group);
        }
        for byte in rest {
            self.byte(*byte);
        }
    }

    fn group(&mut self, mut group: [u8; WIDTH]) {
        for (byte, state) in group.iter_mut().zip(self.state.to_le_bytes()) {
            *byte ^= state;
        }
        let tables = self.tables.iter().rev();
        self.state = tables
            .zip(group)
            .fold(0, |state, (table, byte)| state ^ table[usize::from(byte)]);
    }

    fn byte(&mut self, byte: u8) {
        let [low, ..] = self.state.to_le_bytes();
        self.state = (self.state >> 8) ^ self.tables[0][usize::from(low ^ byte)];
    }

    /// The checksum of all bytes so far.
    pub(super) fn value(&self) -> u32 {
        !self.state
    }
}

fn tables() -> Box<[[u32; 256]; WIDTH]> {
    let mut tables = Box::new([[0; 256]; WIDTH]);
    for (byte, entry) in (0..).zip(&mut tables[0]) {
        *entry = (0..8).fold(byte, |value: u32, _| {
            (value >> 1) ^ (POLYNOMIAL * (value & 1))
        });
    }
    for table in 1..WIDTH {
        for byte in 0..256 {
            let nearer = tables[table - 1][byte];
            let [low, ..] = nearer.to_le_bytes();
            tables[table][byte] = (nearer >> 8) ^ tables[0][usize::from(low)];
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::Crc32;

    fn crc(parts: &[&[u8]]) -> u32 {
        let mut sum = Crc32::new();
        parts.iter().for_each(|part| sum.update(part));
        sum.value()
    }

    #[test]
    fn the_checksum_is_that_of_the_published_examples() {
        assert_eq!(crc(&[]), 0);
        assert_eq!(crc(&[b"123456789"]), 0xcbf4_3926);
        let fox = b"The quick brown fox jumps over the lazy dog";
        assert_eq!(crc(&[fox]), 0x414f_a339);
        assert_eq!(crc(&[&[0xff; 32]]), 0xff6c_ab0b);
    }

    #[test]
    fn bytes_in_parts_of_any_length_have_the_same_checksum() {
        let bytes: Vec<u8> = (0_u8..=255).cycle().take(1000).collect();
        let whole = crc(&[&bytes]);
        for length in [1, 3, 15, 16, 17, 64, 333] {
            let parts: Vec<&[u8]> = bytes.chunks(length).collect();
            assert_eq!(crc(&parts), whole, "{length}");
        }
    }
}
