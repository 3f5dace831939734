//! Which files the page can show or play. The list is closed: a stored HTML or SVG file must never run in
//! this page's origin.

/// How a file is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In an image element.
    Image,
    /// In an audio element.
    Audio,
    /// In a video element.
    Video,
    /// As plain text.
    Text,
}

/// How a file of this name is shown, and its media type; `None`: not at all.
pub(crate) fn kind(name: &str) -> Option<(Kind, &'static str)> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension.to_ascii_lowercase().as_str() {
        "png" => (Kind::Image, "image/png"),
        "jpg" | "jpeg" => (Kind::Image, "image/jpeg"),
        "gif" => (Kind::Image, "image/gif"),
        "webp" => (Kind::Image, "image/webp"),
        "avif" => (Kind::Image, "image/avif"),
        "mp3" => (Kind::Audio, "audio/mpeg"),
        "ogg" | "oga" | "opus" => (Kind::Audio, "audio/ogg"),
        "flac" => (Kind::Audio, "audio/flac"),
        "wav" => (Kind::Audio, "audio/wav"),
        "m4a" => (Kind::Audio, "audio/mp4"),
        "mp4" | "m4v" => (Kind::Video, "video/mp4"),
        "webm" => (Kind::Video, "video/webm"),
        "ogv" => (Kind::Video, "video/ogg"),
        "txt" | "md" | "nfo" | "log" | "csv" | "json" | "srt" | "vtt" => (Kind::Text, "text/plain"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_could_run_scripts_are_never_shown() {
        for name in [
            "a.html",
            "a.svg",
            "a.xhtml",
            "a.xml",
            "a.pdf",
            "a.js",
            "png",
            "a.png.html",
            "a.",
        ] {
            assert_eq!(kind(name), None, "{name}");
        }
    }

    #[test]
    fn the_extension_decides_in_either_case() {
        assert_eq!(kind("Poster.JPG"), Some((Kind::Image, "image/jpeg")));
        assert_eq!(kind("film.html.mp4"), Some((Kind::Video, "video/mp4")));
    }
}
