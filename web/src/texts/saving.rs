//! Saving files to where the user wants them.

use super::texts;

texts! {
    /// `into` is the name of the new folder.
    saved(n, into) {
        en: "{n} file saved in your folder, in {into}." | "{n} files saved in your folder, in {into}.",
        de: "{n} Datei im ausgewählten Ordner gespeichert, in {into}." | "{n} Dateien im ausgewählten Ordner gespeichert, in {into}.",
    }
    saved_and_renamed(n, into, renamed) {
        en: "{n} file saved in your folder, in {into}. {renamed} of them under other names, since not every computer takes the torrent\u{2019}s."
            | "{n} files saved in your folder, in {into}. {renamed} of them under other names, since not every computer takes the torrent\u{2019}s.",
        de: "{n} Datei im ausgewählten Ordner gespeichert, in {into}. {renamed} davon unter anderem Namen, da nicht jeder Computer die des Torrents annimmt."
            | "{n} Dateien im ausgewählten Ordner gespeichert, in {into}. {renamed} davon unter anderem Namen, da nicht jeder Computer die des Torrents annimmt.",
    }
    cancelled() {
        en: "Saving was cancelled. Nothing of it is in your folder.",
        de: "Das Speichern wurde abgebrochen. Im ausgewählten Ordner ist nichts davon.",
    }
    cancelled_after(n, into) {
        en: "Saving was cancelled. {n} file saved before that, in {into}." | "Saving was cancelled. {n} files saved before that, in {into}.",
        de: "Das Speichern wurde abgebrochen. {n} Datei war schon gespeichert, in {into}."
            | "Das Speichern wurde abgebrochen. {n} Dateien waren schon gespeichert, in {into}.",
    }

    data_missing(name) {
        en: "Part of {name} is missing from this browser's storage. Remove the torrent and add it again.",
        de: "Ein Teil von {name} fehlt im Speicher dieses Browsers. Den Torrent entfernen und erneut hinzufügen.",
    }
    unreadable(name, why) {
        en: "{name} cannot be read from this browser's storage: {why}.",
        de: "{name} kann nicht aus dem Speicher dieses Browsers gelesen werden: {why}.",
    }
    not_saved(name, why) { en: "{name} cannot be saved: {why}.", de: "{name} kann nicht gespeichert werden: {why}." }
    not_written(name, why) {
        en: "{name} cannot be written to your folder: {why}.",
        de: "{name} kann nicht in den ausgewählten Ordner geschrieben werden: {why}.",
    }
    /// After another sentence: an error ended the saving of files into a folder.
    those_before_are_in(why, into) {
        en: "{why} The files before it are in {into}.",
        de: "{why} Die Dateien davor sind in {into}.",
    }
    name_may_change(name) {
        en: "Browsers do not save under every name: the torrent calls this file {name}. Rename your copy if it matters.",
        de: "Browser speichern nicht unter jedem Namen: Im Torrent heißt diese Datei {name}. Die Kopie umbenennen, falls das wichtig ist.",
    }
    path_not_in_zip(path) {
        en: "A ZIP archive cannot contain this path: {path}",
        de: "Ein ZIP-Archiv kann diesen Pfad nicht enthalten: {path}",
    }
    folder_refused(why) {
        en: "The browser does not let this page write to a folder: {why}.",
        de: "Der Browser lässt diese Seite nicht in einen Ordner schreiben: {why}.",
    }
    // Clauses.
    too_many_folders() {
        en: "there are too many folders of this name",
        de: "es gibt zu viele Ordner dieses Namens",
    }
    name_is_taken() { en: "there is one of this name already", de: "dieser Name ist schon vergeben" }
}
