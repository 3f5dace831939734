//! The head of the page and the form that adds torrents.

use super::texts;

texts! {
    /// Also in `index.html`, which shows it until the program runs.
    tagline() {
        en: "Download and share torrents, right in this tab.",
        de: "Torrents herunterladen und teilen, direkt in diesem Tab.",
    }
    link() { en: "Magnet link or info-hash", de: "Magnet-Link oder Info-Hash" }
    download() { en: "Download", de: "Herunterladen" }
    what_is_a_link() {
        en: "What is a magnet link or an info-hash?",
        de: "Was ist ein Magnet-Link oder ein Info-Hash?",
    }
    // A line of the form: text, button, text. A narrow window leaves the last one out.
    or_choose() { en: "or choose a", de: "oder auswählen:" }
    torrent_file() { en: "Torrent file", de: "Torrent-Datei" }
    or_drop_torrent() {
        en: "or drop one anywhere on this page",
        de: "oder irgendwo auf dieser Seite ablegen",
    }
    // The next line: text, button, button, text.
    to_share() {
        en: "To share files of your own, choose",
        de: "Eigene Dateien weitergeben:",
    }
    share_files() { en: "Share files", de: "Dateien teilen" }
    share_folder() { en: "Share a folder", de: "Ordner teilen" }
    or_drop_files() {
        en: "or drop files or a folder on this page",
        de: "oder Dateien oder einen Ordner auf dieser Seite ablegen",
    }
    /// While something is dragged over the page.
    drop_here() {
        en: "Drop a .torrent to add it, anything else to share it",
        de: "Eine Torrent-Datei wird hinzugefügt, anderes geteilt",
    }
    empty_folder() {
        en: "There is no file in that folder.",
        de: "In diesem Ordner ist keine Datei.",
    }
    not_a_torrent(name) {
        en: "{name} is not a torrent file: its name does not end in .torrent. To share it with others, use \u{201c}Share files\u{201d}.",
        de: "{name} ist keine Torrent-Datei: Der Name endet nicht auf .torrent. Über „Dateien teilen“ lässt sich die Datei mit anderen teilen.",
    }
    too_large(name) {
        en: "{name} is too large for a torrent file, which has at most 10 MB.",
        de: "{name} ist zu groß für eine Torrent-Datei, die höchstens 10 MB hat.",
    }
    unreadable(name, why) {
        en: "{name} cannot be read: {why}. Choose it again.",
        de: "{name} kann nicht gelesen werden: {why}. Bitte erneut auswählen.",
    }
    nothing_to_add() {
        en: "Paste a magnet link or an info-hash first.",
        de: "Zuerst einen Magnet-Link oder einen Info-Hash einfügen.",
    }
    fetching(address) { en: "Fetching {address}", de: "{address} wird abgerufen" }
    already_listed(name) {
        en: "{name} is in the list already.",
        de: "{name} ist bereits in der Liste.",
    }
}
