//! What is asked of whom: padding is never asked for.

use std::sync::Arc;

use aqueduct_core::meta::Info;
use aqueduct_core::wire::{Message, RawBlock};
use bytes::Bytes;
use sha1::{Digest as _, Sha1};

use super::home::{Home, PIECE, noise};

const K: u32 = 1024;

/// A folder of files and pads (`true`), in pieces of 32 KiB, with its data.
fn padded(files: &[(u32, bool)]) -> (Arc<Info>, Vec<u8>) {
    let data = |(size, pad): &(u32, bool)| if *pad { vec![0; *size as usize] } else { noise(*size) };
    let disk: Vec<u8> = files.iter().flat_map(data).collect();
    let entry = |(n, (size, pad)): (usize, &(u32, bool))| {
        let attr = if *pad { "4:attr1:p" } else { "" };
        format!("d{attr}6:lengthi{size}e4:pathl1:{n}ee")
    };
    let list: String = files.iter().enumerate().map(entry).collect();
    let hashes: Vec<u8> = disk.chunks(PIECE as usize).flat_map(Sha1::digest).collect();
    let head = format!("d5:filesl{list}e4:name6:padded12:piece lengthi{PIECE}e6:pieces{}:", hashes.len());
    let raw = [head.as_bytes(), &hashes, b"e"].concat();
    (Arc::new(Info::parse(Bytes::from(raw)).unwrap()), disk)
}

#[test]
fn padding_is_filled_in_and_never_asked_for() {
    // A file that ends in a piece's first block, padding to the piece's end; a file that ends in a second block; padding of two whole pieces, too.
    let (info, disk) = padded(&[(10 * K, false), (22 * K, true), (20 * K, false), (76 * K, true), (K, false)]);
    let mut home = Home::lacking(info, disk);
    assert_eq!((home.snapshot().left, home.snapshot().wanted), (31 * 1024, 31 * 1024));
    let seed = home.accept_seed(1, true);
    let mut asked = home.asked(seed);
    asked.sort_unstable();
    let block = |index, begin, length| RawBlock { index, begin: begin * K, length: length * K };
    // Each block with a byte of a file, with the padding in it, and no other.
    assert_eq!(asked, [block(0, 0, 16), block(1, 0, 16), block(1, 16, 16), block(4, 0, 1)]);
    home.answer_all(seed, |_| false);
    let done = home.snapshot();
    assert_eq!((done.left, done.done, done.wasted, done.have.count()), (0, 31 * 1024, 0, 5));
}

#[test]
fn who_lies_about_a_piece_with_padding_is_found_out() {
    let (info, disk) = padded(&[(10 * K, false), (22 * K, true), (K, false)]);
    let mut home = Home::lacking(info, disk);
    let liar = home.accept_seed(1, true);
    let data = Bytes::from(vec![1; 16 * 1024]);
    home.say(liar, Message::Piece { index: 0, begin: 0, data });
    assert!(home.parted(liar).is_some(), "nobody else sent a block of it");
    let honest = home.accept_seed(2, true);
    home.answer_all(honest, |_| false);
    assert_eq!(home.snapshot().left, 0);
}
