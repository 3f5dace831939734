//! The offer to share the user's own files.

use super::texts;

texts! {
    share_what(name) { en: "Share {name}?", de: "„{name}“ teilen?" }
    name() { en: "Name", de: "Name" }
    /// The name of several files that were not chosen as a folder.
    default_name() { en: "Shared files", de: "Geteilte Dateien" }
    contents(n, size) {
        en: "{n} file, {size}" | "{n} files, {size}",
        de: "{n} Datei, {size}" | "{n} Dateien, {size}",
    }
    left_out(names) {
        en: "Left out, because your system keeps such files for itself: {names}.",
        de: "Weggelassen, weil das Betriebssystem solche Dateien für sich selbst anlegt: {names}.",
    }
    left_out_and_others(names) {
        en: "Left out, because your system keeps such files for itself: {names} and others.",
        de: "Weggelassen, weil das Betriebssystem solche Dateien für sich selbst anlegt: {names} und andere.",
    }
    what_happens() {
        en: "It is copied into this browser's storage, and whoever has the link can fetch it from you while this page is open.",
        de: "Der Inhalt wird in den Speicher dieses Browsers kopiert. Wer den Link hat, kann ihn abrufen, solange diese Seite geöffnet ist.",
    }
    options() { en: "Trackers, web seeds, limits", de: "Tracker, Webseeds, Limits" }
    trackers() { en: "Trackers", de: "Tracker" }
    trackers_hint() {
        en: "one address per line, besides the bridge's own",
        de: "eine Adresse pro Zeile, zusätzlich zu denen der Bridge",
    }
    web_seeds() { en: "Web seeds", de: "Webseeds" }
    web_seeds_hint() {
        en: "web addresses that have these files, too; one per line",
        de: "Webadressen, unter denen es diese Dateien ebenfalls gibt; eine pro Zeile",
    }
    when_complete() { en: "Sharing", de: "Teilen" }
    unreadable(why) {
        en: "What was dropped cannot be read: {why}. Drop it again, or choose files instead.",
        de: "Was abgelegt wurde, kann nicht gelesen werden: {why}. Erneut ablegen oder stattdessen Dateien auswählen.",
    }
    nothing_dropped() {
        en: "There is no file in what was dropped, so there is nothing to share.",
        de: "Was abgelegt wurde, enthält keine Datei. Es gibt also nichts zu teilen.",
    }
}
