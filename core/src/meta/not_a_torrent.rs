//! Files that are taken for torrents and are something else.

use std::fmt;

/// What bytes are that are no torrent, as far as their beginning tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotATorrent {
    /// No bytes.
    Empty,
    /// HTML or XML: a login page, a message of the site.
    WebPage,
    /// Compressed.
    Gzip,
    /// An archive.
    Zip,
    /// The text of a magnet link.
    Magnet,
}

impl NotATorrent {
    /// Looks at bytes that could not be read as a torrent.
    #[must_use]
    pub fn recognise(bytes: &[u8]) -> Option<Self> {
        let text = bytes
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(bytes)
            .trim_ascii_start();
        let begins = |prefix: &[u8]| {
            text.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        match text {
            [] => Some(Self::Empty),
            [b'<', ..] => Some(Self::WebPage),
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [b'P', b'K', 3, 4, ..] => Some(Self::Zip),
            _ if begins(b"magnet:") => Some(Self::Magnet),
            _ => None,
        }
    }
}

impl fmt::Display for NotATorrent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "this file is empty; get the torrent again",
            Self::WebPage => "this is a web page, not a torrent; the site may ask you to log in first: open its address in a browser and save the .torrent from there",
            Self::Gzip => "this is a file compressed with gzip, not a torrent; unpack it first (gunzip)",
            Self::Zip => "this is a ZIP archive, not a torrent; unpack it first",
            Self::Magnet => "this file holds the text of a magnet link, it is no torrent; use the link itself",
        })
    }
}
