//! Which pieces are complete, for drawing and as text.

use crate::format::percent;
use crate::message::PieceMap;
use crate::texts::opened as texts;

/// The shares of complete pieces, from 0 to 1, in this many equal parts of the torrent; one per
/// piece if there are fewer.
pub(super) fn shares(map: &PieceMap, parts: usize) -> Vec<f64> {
    let number = map.number as usize;
    let bits = bytes(&map.bits);
    let has = |piece: usize| {
        bits.get(piece / 8)
            .is_some_and(|byte| byte & (0x80 >> (piece % 8)) != 0)
    };
    let parts = parts.min(number);
    let share = |part: usize| {
        let pieces = part * number / parts..(part + 1) * number / parts;
        let all = pieces.len();
        pieces.filter(|piece| has(*piece)).count() as f64 / all as f64
    };
    (0..parts).map(share).collect()
}

/// The bytes of a text of hexadecimal digits; invalid digits count as 0.
fn bytes(hex: &str) -> Vec<u8> {
    let value = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
            .unwrap_or(0)
    };
    hex.as_bytes()
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | value(*digit)))
        .collect()
}

/// The map in words: `412 of 1000 pieces are complete (41 %).`
pub(super) fn text(map: &PieceMap) -> String {
    let PieceMap {
        number, complete, ..
    } = map;
    match (*number, *complete) {
        (0, _) => texts::unknown_pieces().to_owned(),
        (1, 1) => texts::only_piece().to_owned(),
        (number, complete) if number == complete => texts::all_pieces(number),
        (number, complete) => {
            let percent = percent(complete.into(), number.into());
            texts::some_pieces(complete, number, percent) + &gap(map)
        }
    }
}

/// The first piece that is missing, as a sentence that follows another.
fn gap(map: &PieceMap) -> String {
    let bits = bytes(&map.bits);
    let missing = (0..map.number).find(|piece| {
        bits.get((piece / 8) as usize)
            .is_none_or(|byte| byte & (0x80 >> (piece % 8)) == 0)
    });
    missing.map_or_else(String::new, |piece| {
        format!(" {}", texts::first_missing(piece))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(number: u32, complete: u32, bits: &str) -> PieceMap {
        PieceMap {
            number,
            complete,
            bits: bits.to_owned(),
        }
    }

    #[test]
    fn each_part_of_the_map_has_the_share_of_its_complete_pieces() {
        let ten = map(10, 5, "f840");
        assert_eq!(shares(&ten, 5), [1.0, 1.0, 0.5, 0.0, 0.5]);
        assert_eq!(shares(&ten, 100).len(), 10);
        assert!(shares(&map(0, 0, ""), 100).is_empty());
        assert_eq!(shares(&map(3, 0, "zz"), 3), [0.0; 3]);
    }

    #[test]
    fn a_hundred_thousand_pieces_are_all_in_some_part() {
        let all = map(100_000, 100_000, &"f".repeat(25_000));
        let shares = shares(&all, 3000);
        assert_eq!(shares.len(), 3000);
        assert!(shares.iter().all(|share| (*share - 1.0).abs() < 1e-9));
    }

    #[test]
    fn the_map_is_told_in_words() {
        assert_eq!(
            text(&map(10, 5, "f840")),
            "5 of 10 pieces are complete (50 %). The first one that is missing is piece 5."
        );
        assert_eq!(text(&map(8, 8, "ff")), "All 8 pieces are complete.");
        assert_eq!(text(&map(0, 0, "")), "The pieces are not known yet.");
    }
}
