//! The browser's storage: what failed, and what to do about it.

use super::texts;

texts! {
    cleared() {
        en: "This site's data were cleared in the browser, and what was stored of this torrent with them. Press Resume to fetch it again.",
        de: "Die Daten dieser Website wurden im Browser gelöscht, und mit ihnen alles, was von diesem Torrent gespeichert war. \
             „Fortsetzen“ drücken, um ihn erneut herunterzuladen.",
    }
    full() {
        en: "The browser's storage for this page is full. Save and remove a torrent, or free space on this device.",
        de: "Der Speicher des Browsers für diese Seite ist voll. Einen Torrent speichern und entfernen, oder auf diesem Gerät Platz schaffen.",
    }
    too_little(own, free) {
        en: "This torrent needs {own} more; the browser grants this page {free}. Save and remove a torrent, or free space on this device.",
        de: "Dieser Torrent braucht noch {own}; der Browser gewährt dieser Seite {free}. Einen Torrent speichern und entfernen, \
             oder auf diesem Gerät Platz schaffen.",
    }
    too_little_beside_others(own, free, others) {
        en: "This torrent needs {own} more; the browser grants this page {free}, and other torrents still need {others} of it. \
             Save and remove a torrent, or free space on this device.",
        de: "Dieser Torrent braucht noch {own}; der Browser gewährt dieser Seite {free}, und andere Torrents brauchen davon noch {others}. \
             Einen Torrent speichern und entfernen, oder auf diesem Gerät Platz schaffen.",
    }
    failed(why) { en: "The browser's storage failed: {why}.", de: "Der Speicher des Browsers hat versagt: {why}." }
    not_hashed(why) {
        en: "The browser could not check the data: {why}.",
        de: "Der Browser konnte die Daten nicht prüfen: {why}.",
    }
    /// Follows the reason why a torrent was stopped.
    press_resume(why) {
        en: "{why} To try again, press Resume.",
        de: "{why} Für einen neuen Versuch „Fortsetzen“ drücken.",
    }
    data_missing() {
        en: "Data of this torrent are missing from the browser's storage. Remove the torrent and add it again.",
        de: "Im Speicher des Browsers fehlen Daten dieses Torrents. Den Torrent entfernen und erneut hinzufügen.",
    }
    worker_broke() {
        en: "What stores this page's data broke and was started again.",
        de: "Das Hintergrundprogramm, das die Daten dieser Seite speichert, ist abgestürzt und wurde neu gestartet.",
    }
    worker_stopped(times) {
        en: "What stores this page's data broke {times} times within a minute and was stopped. Reload the page.",
        de: "Das Hintergrundprogramm, das die Daten dieser Seite speichert, ist innerhalb einer Minute {times}-mal abgestürzt und wurde beendet. \
             Die Seite neu laden.",
    }

    // Clauses.
    missing() { en: "it is not there", de: "es ist nicht da" }
    was_cleared() { en: "it was cleared", de: "er wurde geleert" }
    too_short(expected, received) {
        en: "{expected} bytes were to be read, {received} are there",
        de: "{expected} Bytes sollten gelesen werden, {received} sind da",
    }
    unknown() {
        en: "what stores its data does not know it",
        de: "das Hintergrundprogramm, das seine Daten speichert, kennt ihn nicht",
    }
    worker_not_started() {
        en: "the browser does not start it",
        de: "der Browser startet das Hintergrundprogramm dafür nicht",
    }
    worker_breaks_at_start() {
        en: "it breaks at every start",
        de: "das Hintergrundprogramm dafür stürzt bei jedem Start ab",
    }

    // Changes that must survive a reload.
    change_not_stored(why) {
        en: "The change could not be stored, so a reload may undo it. {why}",
        de: "Die Änderung konnte nicht gespeichert werden und kann beim Neuladen verloren gehen. {why}",
    }
    not_deleted(name, why) {
        en: "The data of {name} could not be deleted. {why}",
        de: "Die Daten von {name} konnten nicht gelöscht werden. {why}",
    }
    not_restarted(name, why) {
        en: "{name} could not be restarted. {why}",
        de: "{name} konnte nicht neu gestartet werden. {why}",
    }
    not_restored(name, why) {
        en: "{name} could not be restored. {why}",
        de: "{name} konnte nicht wiederhergestellt werden. {why}",
    }
    data_kept(why, folder) {
        en: "A torrent of an earlier visit could not be restored ({why}). Its data are kept: add {folder} again to go on with what is there.",
        de: "Ein Torrent eines früheren Besuchs konnte nicht wiederhergestellt werden ({why}). Seine Daten bleiben erhalten: {folder} erneut \
             hinzufügen, um mit dem Vorhandenen weiterzumachen.",
    }
    share_again(why) {
        en: "A torrent of an earlier visit could not be restored ({why}). It was created here: share the files again.",
        de: "Ein Torrent eines früheren Besuchs konnte nicht wiederhergestellt werden ({why}). Er wurde hier erstellt: Die Dateien erneut teilen.",
    }
    record_is_damaged() {
        en: "its record is damaged or from another version",
        de: "sein Datensatz ist beschädigt oder aus einer anderen Version",
    }
    record_is_gone() { en: "its record is gone", de: "sein Datensatz ist nicht mehr da" }
}
