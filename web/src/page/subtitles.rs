//! Subtitles of a video, from the other files of its torrent. Browsers read WebVTT alone, so SubRip is
//! converted.

use aqueduct_core::types::sort;
use js_sys::Array;
use web_sys::{Blob, Url};

use super::saving::{data, object_url};
use super::text_file::decode;
use crate::message::FileRow;

/// The maximum size of a file of subtitles in bytes; those of a long film have some 200 kB.
const MAX_SIZE: u64 = 4 << 20;
/// The most files that are offered.
const MAX_FILES: usize = 20;

/// Subtitles that a player can show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subtitles {
    /// The index of the file.
    pub(super) index: u32,
    /// Their name, as short as the file names permit.
    pub(super) label: String,
    /// The URL of the data as WebVTT. It must be revoked.
    pub(super) url: String,
}

impl Subtitles {
    /// Releases the data.
    pub(super) fn revoke(&self) {
        drop(Url::revoke_object_url(&self.url));
    }
}

/// The files of subtitles among those of a torrent, with labels. Those that are named like the video
/// come first.
pub(super) fn for_video(video: &str, rows: &[FileRow]) -> Vec<(String, FileRow)> {
    let is_subtitles = |row: &&FileRow| extension(&row.name).is_some() && row.size <= MAX_SIZE;
    let stem = video.rsplit_once('.').map_or(video, |(stem, _)| stem);
    let mut found: Vec<(String, FileRow)> = rows
        .iter()
        .filter(is_subtitles)
        .map(|row| (label(stem, &row.name), row.clone()))
        .collect();
    sort::sort_by_key(&mut found, |(_, row)| !row.name.starts_with(stem));
    found.truncate(MAX_FILES);
    found
}

/// `film.en.srt` of `film.mkv` is `en`; a file with another name has that name.
fn label(stem: &str, name: &str) -> String {
    let bare = name.rsplit_once('.').map_or(name, |(bare, _)| bare);
    let rest = bare.strip_prefix(stem).unwrap_or(bare);
    let rest = rest.trim_matches(['.', '-', '_', ' ']);
    if rest.is_empty() { name } else { rest }.to_owned()
}

fn extension(name: &str) -> Option<&str> {
    let (_, extension) = name.rsplit_once('.')?;
    ["vtt", "srt"]
        .into_iter()
        .find(|known| extension.eq_ignore_ascii_case(known))
}

/// Loads complete subtitles; `None` if they cannot be read.
pub(super) async fn load(folder: &str, label: String, row: &FileRow) -> Option<Subtitles> {
    let stored = data(folder, row).await.ok()?;
    let text = decode(&stored).await.ok()?;
    let parts = Array::of1(&web_vtt(&text).into());
    let blob = Blob::new_with_str_sequence(&parts).ok()?;
    let url = object_url(&blob, "text/vtt").ok()?;
    let index = row.index;
    Some(Subtitles { index, label, url })
}

/// Subtitles as WebVTT. SubRip differs in the lack of a header, in the decimal separator of its times
/// (`00:00:01,000 --> 00:00:02,500`), and in what may stand in its lines.
fn web_vtt(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}');
    let is_web_vtt = text.starts_with("WEBVTT");
    let mut converted = String::with_capacity(text.len() + 8);
    if !is_web_vtt {
        converted.push_str("WEBVTT\n\n");
    }
    for line in text.lines() {
        match line.split_once("-->") {
            _ if is_web_vtt => converted.push_str(line),
            Some((from, to)) => {
                converted.push_str(&from.replace(',', "."));
                converted.push_str("-->");
                converted.push_str(&to.replace(',', "."));
            }
            None => push_sub_rip(&mut converted, line),
        }
        converted.push('\n');
    }
    converted
}

/// Appends a line of SubRip.
fn push_sub_rip(converted: &mut String, line: &str) {
    let mut rest = line;
    while let Some(at) = rest.find(['<', '{']) {
        let (text, bracket) = rest.split_at(at);
        let (shown, length) = in_web_vtt(bracket);
        converted.push_str(text);
        converted.push_str(shown);
        rest = &bracket[length..];
    }
    converted.push_str(rest);
}

/// What WebVTT has for the tag at the beginning of a text that begins with a bracket, and the tag's
/// length. Fonts, and what other formats place in braces (`{\an8}`), are left out; any other bracket is
/// text.
fn in_web_vtt(text: &str) -> (&'static str, usize) {
    let begins = |tag: &&str| {
        let beginning = text.get(..tag.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(tag))
    };
    let kept = ["<b>", "</b>", "<i>", "</i>", "<u>", "</u>"];
    if let Some(tag) = kept.into_iter().find(begins) {
        return (tag, tag.len());
    }
    let left_out = ["<font ", "<font>", "</font>", "{\\"];
    match text.find(['>', '}']) {
        Some(end) if left_out.iter().any(begins) => ("", end + 1),
        _ if text.starts_with('<') => ("&lt;", 1),
        _ => ("{", 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_rip_becomes_web_vtt_and_web_vtt_stays() {
        let sub_rip = "\u{feff}1\r\n00:00:01,000 --> 00:01:02,500\r\nWell, hello\r\n";
        assert_eq!(
            web_vtt(sub_rip),
            "WEBVTT\n\n1\n00:00:01.000 --> 00:01:02.500\nWell, hello\n"
        );
        let already = "WEBVTT - a title\n\n00:01.000 --> 00:02.000\nHello\n";
        assert_eq!(web_vtt(already), already);
    }

    #[test]
    fn of_the_formatting_of_sub_rip_stays_what_web_vtt_has_and_other_brackets_are_text() {
        for (line, converted) in [
            (r"{\an8}<I>Up</I> here", "<i>Up</i> here"),
            ("<font color=\"#ff0000\">Red</font> {or}", "Red {or}"),
            ("<Bob> I <3 you", "&lt;Bob> I &lt;3 you"),
            ("a {\\b1 < b", "a {\\b1 &lt; b"),
        ] {
            assert_eq!(web_vtt(line), format!("WEBVTT\n\n{converted}\n"));
        }
    }

    #[test]
    fn subtitles_named_like_the_video_come_first_with_short_labels() {
        let row = |name: &str, size| FileRow {
            index: 0,
            path: name.to_owned(),
            name: name.to_owned(),
            size,
            container: None,
            priority: crate::message::Priority::Normal,
        };
        let rows = [
            row("Commentary.srt", 9),
            row("film.mkv", 9),
            row("film.en.SRT", 9),
            row("film.vtt", 9),
            row("film.de.srt", MAX_SIZE + 1),
        ];
        let labels: Vec<String> = for_video("film.mkv", &rows)
            .into_iter()
            .map(|(label, _)| label)
            .collect();
        assert_eq!(labels, ["en", "film.vtt", "Commentary"]);
    }
}
