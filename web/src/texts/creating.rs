//! Why the user's own files are not shared.

use super::texts;

texts! {
    unreadable(why) {
        en: "The files cannot be read: {why}. Choose them again.",
        de: "Die Dateien können nicht gelesen werden: {why}. Sie erneut auswählen.",
    }
    not_possible(name, why) {
        en: "{name} cannot be shared: {why}.",
        de: "{name} kann nicht geteilt werden: {why}.",
    }
    nameless() {
        en: "Type a name for what you share.",
        de: "Einen Namen für das eingeben, was geteilt wird.",
    }
    /// Follows [`failed`].
    it_is_not_possible(why) { en: "It cannot be shared: {why}.", de: "Das Teilen ist nicht möglich: {why}." }
    /// The reason is a sentence.
    failed(name, why) {
        en: "{name} could not be shared. {why}",
        de: "{name} konnte nicht geteilt werden. {why}",
    }
    file_was_changed() {
        en: "A file was changed, moved or deleted while it was read. Try again when it stays as it is.",
        de: "Eine Datei wurde geändert, verschoben oder gelöscht, während sie gelesen wurde. Es erneut versuchen, wenn sie bleibt, wie sie ist.",
    }
    cleared(name) {
        en: "{name} was not shared: this site's data were cleared in the browser. Choose the files again.",
        de: "{name} wurde nicht geteilt: Die Daten dieser Website wurden im Browser gelöscht. Die Dateien erneut auswählen.",
    }
    page_was_closed(name) {
        en: "{name} was not shared: the page was closed before all of it was copied. Choose the files again.",
        de: "{name} wurde nicht geteilt: Die Seite wurde geschlossen, bevor alles kopiert war. Die Dateien erneut auswählen.",
    }
    /// Instead of a name.
    unnamed() { en: "What you chose", de: "Das Ausgewählte" }

    // Why a torrent of these files is impossible, as clauses. In English, core has the same ones.
    no_files() {
        en: "there are no files to share; a torrent needs at least one",
        de: "es gibt keine Dateien zu teilen; ein Torrent braucht mindestens eine",
    }
    only_empty_files() {
        en: "all files are empty; a torrent needs at least one byte",
        de: "alle Dateien sind leer; ein Torrent braucht mindestens ein Byte",
    }
    unsafe_name(given, written) {
        en: "{given} would be written as {written} where it is downloaded; rename it",
        de: "{given} würde beim Herunterladen als {written} geschrieben; es umbenennen",
    }
    deep_path(path, received, limit) {
        en: "{path} has {received} components, at most {limit} are taken; move it up",
        de: "{path} hat {received} Bestandteile, höchstens {limit} sind möglich; es in einen höheren Ordner verschieben",
    }
    too_large() {
        en: "the files are together larger than 2^63 - 1 bytes",
        de: "die Dateien sind zusammen größer als 2^63 - 1 Bytes",
    }
    invalid(detail) { en: "{detail}", de: "der Torrent kann nicht erstellt werden ({detail})" }
}
