//! The sample torrent of `cargo xtask run`: a folder with a text, a picture, and a file that is
//! large enough to watch its download.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use crate::torrent::Recipe;

const FOLDER: &str = "Aqueduct sample";
const README: &str = "\
Welcome!

You are looking at a file that was just fetched from a BitTorrent swarm: piece by piece, each checked against its hash
before it was kept. If it came through a browser tab, then your tab spoke the protocol itself; the bridge only carried
its bytes to ordinary TCP peers and back.

In this folder:

  README.txt          this text
  aqueduct.png        a picture, drawn by a few lines of code
  water/stream.bin    32 MiB of bytes, so that there is something to watch
";
const STREAM: u64 = 32 << 20;

/// Writes the sample's files below `parent`. Returns their folder.
///
/// # Errors
/// A file cannot be written.
pub fn write(parent: &Path) -> std::io::Result<PathBuf> {
    let folder = parent.join(FOLDER);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("README.txt"), README)?;
    fs::write(folder.join("aqueduct.png"), picture(960, 540)?)?;
    let water = Recipe::single("stream.bin", 0xA90E_D0C7, STREAM, 1 << 20).build();
    water.write_to(&folder.join("water"))?;
    Ok(folder)
}

type Colour = [f32; 3];

/// A picture of an aqueduct at sunset, as a PNG file.
///
/// # Errors
/// Encoding fails, which it cannot when writing to memory.
pub fn picture(width: u32, height: u32) -> std::io::Result<Vec<u8>> {
    let mut rows = ZlibEncoder::new(Vec::new(), Compression::default());
    for y in 0..height {
        // Each row begins with its filter type: 0, none.
        let mut row = BufWriter::new(&mut rows);
        row.write_all(&[0])?;
        for x in 0..width {
            row.write_all(&pixel(ratio(x, width) * 16.0 / 9.0, ratio(y, height)))?;
        }
        row.flush()?;
    }
    let header = [
        &width.to_be_bytes()[..],
        &height.to_be_bytes(),
        &[8, 2, 0, 0, 0],
    ]
    .concat();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in [
        (b"IHDR", header),
        (b"IDAT", rows.finish()?),
        (b"IEND", Vec::new()),
    ] {
        chunk(&mut png, *name, &data);
    }
    Ok(png)
}

fn chunk(png: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    let body = [&name[..], data].concat();
    let mut crc = Crc::new();
    crc.update(&body);
    png.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    png.extend(body);
    png.extend(crc.sum().to_be_bytes());
}

#[expect(clippy::cast_precision_loss, reason = "pixels of a small picture")]
fn ratio(part: u32, whole: u32) -> f32 {
    part as f32 / whole as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a byte"
)]
fn pixel(x: f32, y: f32) -> [u8; 3] {
    colour(x, y).map(|c| (c.clamp(0.0, 1.0) * 255.0) as u8)
}

/// The colour at a point: `x` from 0 to 16/9, `y` from 0 at the top to 1.
fn colour(x: f32, y: f32) -> Colour {
    const WATER_LINE: f32 = 0.8;
    if y > WATER_LINE {
        let depth = y - WATER_LINE;
        let ripple = (depth * 180.0 / (0.3 + depth * 3.0)).sin() * 0.012;
        return mixed(
            above(x + ripple, WATER_LINE - depth * 1.4),
            [0.10, 0.22, 0.33],
            0.45 + depth,
        );
    }
    above(x, y)
}

fn above(x: f32, y: f32) -> Colour {
    let hill = 0.66 + 0.05 * (x * 3.1).sin() + 0.02 * (x * 7.7 + 1.0).sin();
    if is_stone(x, y) {
        let course = ((y * 90.0).floor() * 0.37 + (x * 40.0).floor() * 0.61).sin() * 0.02;
        return mixed(
            [0.55 + course, 0.42 + course, 0.33 + course],
            [0.30, 0.22, 0.24],
            y,
        );
    }
    if y > hill {
        mixed([0.36, 0.40, 0.30], [0.16, 0.24, 0.22], (y - hill) * 5.0)
    } else {
        sky(x, y)
    }
}

fn sky(x: f32, y: f32) -> Colour {
    let away = ((x - 1.3).powi(2) + (y - 0.52).powi(2)).sqrt();
    let air = mixed([0.27, 0.45, 0.70], [0.98, 0.74, 0.52], y * 1.3);
    if away < 0.07 {
        [1.0, 0.95, 0.80]
    } else {
        mixed([1.0, 0.86, 0.62], air, (away * 2.2).sqrt())
    }
}

/// Whether a point is part of the aqueduct: two tiers of arches with the channel on top.
fn is_stone(x: f32, y: f32) -> bool {
    let tier = |top: f32, bottom: f32, span: f32, pier: f32| {
        let from_middle = (x % span - span / 2.0).abs();
        let opening = (span - pier) / 2.0;
        let spring = top + 0.03 + opening;
        let in_arch =
            from_middle < opening && (y > spring || (y - spring).hypot(from_middle) < opening);
        y >= top && y < bottom && !in_arch
    };
    (0.27..0.30).contains(&y) || tier(0.30, 0.42, 0.09, 0.022) || tier(0.42, 0.82, 0.27, 0.06)
}

fn mixed(a: Colour, b: Colour, share_of_b: f32) -> Colour {
    let b_part = share_of_b.clamp(0.0, 1.0);
    [0, 1, 2].map(|i| a[i] * (1.0 - b_part) + b[i] * b_part)
}
