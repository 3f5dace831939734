//! Which files the page can show or play. The list is closed: a stored HTML or SVG file must never run in
//! this page's origin.

use aqueduct_core::media::MediaType;

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
        "aac" => (Kind::Audio, "audio/aac"),
        "ac3" => (Kind::Audio, "audio/ac3"),
        "dts" => (Kind::Audio, "audio/vnd.dts"),
        "aif" | "aiff" => (Kind::Audio, "audio/x-aiff"),
        "ape" => (Kind::Audio, "audio/x-ape"),
        "mka" => (Kind::Audio, "audio/x-matroska"),
        "wma" => (Kind::Audio, "audio/x-ms-wma"),
        "wv" => (Kind::Audio, "audio/x-wavpack"),
        "mp4" | "m4v" => (Kind::Video, "video/mp4"),
        "webm" => (Kind::Video, "video/webm"),
        "ogv" => (Kind::Video, "video/ogg"),
        "mkv" => (Kind::Video, "video/x-matroska"),
        "avi" => (Kind::Video, "video/x-msvideo"),
        "mov" => (Kind::Video, "video/quicktime"),
        "mpg" | "mpeg" | "vob" => (Kind::Video, "video/mpeg"),
        "ts" | "mts" | "m2ts" => (Kind::Video, "video/mp2t"),
        "wmv" => (Kind::Video, "video/x-ms-wmv"),
        "flv" => (Kind::Video, "video/x-flv"),
        "3gp" => (Kind::Video, "video/3gpp"),
        "txt" | "md" | "nfo" | "log" | "csv" | "json" | "srt" | "vtt" => (Kind::Text, "text/plain"),
        _ => return None,
    })
}

/// The media type of a file that is played, by its name. Not every browser plays all of them; other
/// players may.
pub(crate) fn media_type(name: &str) -> Option<MediaType> {
    kind(name).and_then(|(_, media_type)| MediaType::parse(media_type))
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

    #[test]
    fn what_is_played_and_nothing_else_has_a_media_type_for_players() {
        for name in ["a.mp3", "a.mkv", "b.AC3", "film.html.m2ts", "a.wv"] {
            let media_type = media_type(name).unwrap().to_string();
            assert_eq!(Some(&media_type[..]), kind(name).map(|(_, name)| name));
        }
        for name in ["a.png", "a.txt", "a.html", "a.svg", "mkv"] {
            assert_eq!(media_type(name), None, "{name}");
        }
    }
}
