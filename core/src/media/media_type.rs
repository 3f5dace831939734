//! Media types of files that are played.

use std::fmt;

/// The maximum length of a media type: 64 bytes.
pub const MAX_MEDIA_TYPE: usize = 64;

/// A media type (RFC 6838) of audio or video, without parameters. A browser that is sent a file as
/// one of these never takes it for a document or a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType(String);

impl MediaType {
    /// `None` for anything but `audio/` or `video/` and a name of at most [`MAX_MEDIA_TYPE`] bytes
    /// in lower case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = text
            .strip_prefix("audio/")
            .or_else(|| text.strip_prefix("video/"))?;
        let is_part =
            |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'-' | b'+');
        let is_valid = text.len() <= MAX_MEDIA_TYPE
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(is_part);
        is_valid.then(|| Self(text.to_owned()))
    }

    /// As in a `Content-Type` field.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::MediaType;

    #[test]
    fn only_audio_and_video_are_media_types_and_nothing_is_hidden_in_their_names() {
        for text in [
            "audio/mpeg",
            "video/x-matroska",
            "audio/vnd.dts",
            "video/3gpp",
        ] {
            assert_eq!(MediaType::parse(text).unwrap().to_string(), text);
        }
        let long = format!("audio/{}", "x".repeat(60));
        for text in [
            "text/html",
            "image/svg+xml",
            "application/javascript",
            "audio/",
            "audio/MPEG",
            "Audio/mpeg",
            "audio/mpeg; charset=utf-8",
            "audio/mpeg\r\nx: y",
            "audio/a/b",
            "audio/-a",
            "video",
            "",
            &long,
        ] {
            assert_eq!(MediaType::parse(text), None, "{text}");
        }
    }
}
