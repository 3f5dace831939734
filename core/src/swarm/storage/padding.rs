//! Padding files (BEP 47): runs of zeros that align the next file to a piece boundary. They are
//! known without being requested, and are not counted.

use std::ops::Range;

use bytes::Bytes;

use crate::meta::Info;
use crate::types::{BLOCK_SIZE, Block, Lengths, Piece};

static ZEROS: [u8; BLOCK_SIZE as usize] = [0; BLOCK_SIZE as usize];

/// The padding of one torrent.
#[derive(Debug)]
pub(crate) struct Padding {
    lengths: Lengths,
    /// Byte ranges in order. No range is empty, and no two are adjacent.
    ranges: Vec<Range<u64>>,
    /// Pieces that contain padding, in order, with the number of padding bytes.
    pieces: Vec<(Piece, u32)>,
    total: u64,
}

impl Padding {
    pub(crate) fn of(info: &Info) -> Self {
        let mut padding = Self {
            lengths: info.lengths,
            ranges: Vec::new(),
            pieces: Vec::new(),
            total: 0,
        };
        info.files
            .iter()
            .filter(|file| file.pad && file.size > 0)
            .for_each(|file| padding.add(file.offset, file.size));
        padding
    }

    /// Adds a range. Files come in order of their offsets.
    fn add(&mut self, offset: u64, size: u64) {
        let end = offset + size;
        match self.ranges.last_mut().filter(|last| last.end == offset) {
            Some(last) => last.end = end,
            None => self.ranges.push(offset..end),
        }
        self.total += size;
        for piece in self.lengths.pieces_of(offset, size) {
            let start = self.lengths.offset(piece);
            let stop = start + u64::from(self.lengths.size(piece));
            let bytes = u32::try_from(end.min(stop) - offset.max(start)).unwrap_or(u32::MAX);
            match self.pieces.last_mut().filter(|(last, _)| *last == piece) {
                Some((_, held)) => *held += bytes,
                None => self.pieces.push((piece, bytes)),
            }
        }
    }

    /// The number of padding bytes in the torrent.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The number of padding bytes in the pieces for which `counts` is true.
    pub(crate) fn bytes_in(&self, counts: impl Fn(Piece) -> bool) -> u64 {
        self.pieces
            .iter()
            .filter(|(piece, _)| counts(*piece))
            .map(|(_, bytes)| u64::from(*bytes))
            .sum()
    }

    /// The number of padding bytes in one piece.
    pub(crate) fn in_piece(&self, piece: Piece) -> u64 {
        let found = self
            .pieces
            .binary_search_by_key(&piece, |(piece, _)| *piece)
            .ok();
        found
            .and_then(|at| self.pieces.get(at))
            .map_or(0, |(_, bytes)| u64::from(*bytes))
    }

    /// The pieces that consist of padding only, in order.
    pub(crate) fn whole_pieces(&self) -> impl Iterator<Item = Piece> + '_ {
        let whole = self
            .pieces
            .iter()
            .filter(|(piece, bytes)| *bytes == self.lengths.size(*piece));
        whole.map(|(piece, _)| *piece)
    }

    /// The blocks of a piece that consist of padding only, with their bytes. Blocks that contain a
    /// byte of a file are not included.
    pub(crate) fn blocks_of(&self, piece: Piece) -> impl Iterator<Item = (u32, Bytes)> + '_ {
        let count = if self.in_piece(piece) == 0 {
            0
        } else {
            self.lengths.blocks(piece)
        };
        let blocks = (0..count)
            .filter_map(move |number| Some((number, self.lengths.nth_block(piece, number)?)));
        blocks
            .filter(|(_, block)| self.covers(*block))
            .map(|(number, block)| {
                (
                    number,
                    Bytes::from_static(&ZEROS).slice(..block.length() as usize),
                )
            })
    }

    fn covers(&self, block: Block) -> bool {
        let start = self.lengths.offset(block.piece()) + u64::from(block.begin());
        let at = self.ranges.partition_point(|range| range.end <= start);
        self.ranges.get(at).is_some_and(|range| {
            range.start <= start && start + u64::from(block.length()) <= range.end
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A torrent of files and, where `pad` is true, padding files.
    fn info(piece_length: u64, files: &[(u64, bool)]) -> Info {
        let total: u64 = files.iter().map(|(size, _)| size).sum();
        let entry = |(n, (size, pad)): (usize, &(u64, bool))| {
            let attr = if *pad { "4:attr1:p" } else { "" };
            format!("d{attr}6:lengthi{size}e4:pathl1:{n}ee")
        };
        let list: String = files.iter().enumerate().map(entry).collect();
        let hashes = "h".repeat(20 * usize::try_from(total.div_ceil(piece_length)).unwrap());
        let raw = format!(
            "d5:filesl{list}e4:name1:t12:piece lengthi{piece_length}e6:pieces{}:{hashes}e",
            hashes.len()
        );
        Info::parse(raw.into()).unwrap()
    }

    #[test]
    fn only_blocks_without_a_byte_of_a_file_are_padding() {
        const K: u64 = 1024;
        // Pieces of four blocks: a file that ends inside the second block, padding up to the next
        // piece, a file, and padding of one and a half pieces.
        let info = info(
            64 * K,
            &[
                (20 * K, false),
                (44 * K, true),
                (64 * K, false),
                (60 * K, true),
                (36 * K, true),
                (1, false),
            ],
        );
        let padding = Padding::of(&info);
        let blocks = |piece: u32| {
            padding
                .blocks_of(info.lengths.piece(piece).unwrap())
                .map(|(n, bytes)| (n, bytes.len()))
                .collect::<Vec<_>>()
        };
        assert_eq!(blocks(0), [(2, 16_384), (3, 16_384)]);
        assert!(blocks(1).is_empty());
        assert_eq!(blocks(2).len(), 4, "two pads side by side are one");
        assert_eq!(blocks(3), [(0, 16_384), (1, 16_384)]);
        assert_eq!(padding.total(), 140 * K);
        assert_eq!(padding.bytes_in(|piece| piece.get() > 0), 96 * K);
        let each: Vec<u64> = info
            .lengths
            .iter()
            .map(|piece| padding.in_piece(piece))
            .collect();
        assert_eq!(each, [44 * K, 0, 64 * K, 32 * K]);
        let whole: Vec<u32> = padding.whole_pieces().map(Piece::get).collect();
        assert_eq!(whole, [2]);
    }
}
