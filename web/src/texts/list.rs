//! The list of torrents: totals, filter, order, rows, selection, and what was removed.

use super::texts;

texts! {
    torrents() { en: "Torrents", de: "Torrents" }
    no_match() {
        en: "No torrent matches the filter.",
        de: "Kein Torrent passt zum Filter.",
    }
    show_all() { en: "Show all", de: "Alle anzeigen" }

    // Rows.
    select() { en: "Select", de: "Auswählen" }
    progress_of(name) { en: "Progress of {name}", de: "Fortschritt von {name}" }
    pause() { en: "Pause", de: "Anhalten" }
    resume() { en: "Resume", de: "Fortsetzen" }
    remove() { en: "Remove", de: "Entfernen" }
    /// Follows the time that is left.
    left() { en: "left", de: "übrig" }
    link_copied() {
        en: "Link copied. Send it to anyone who should have this torrent.",
        de: "Link kopiert. Er kann an alle geschickt werden, die diesen Torrent bekommen sollen.",
    }

    // Totals.
    down() { en: "Down", de: "Download" }
    up() { en: "Up", de: "Upload" }
    downloading(n) {
        en: "{n} downloading" | "{n} downloading",
        de: "{n} lädt" | "{n} laden",
    }
    connecting(n) {
        en: "{n} connecting" | "{n} connecting",
        de: "{n} verbindet" | "{n} verbinden",
    }
    checking(n) {
        en: "{n} checking" | "{n} checking",
        de: "{n} prüft" | "{n} prüfen",
    }
    complete(n) { en: "{n} complete", de: "{n} vollständig" }
    paused(n) { en: "{n} paused", de: "{n} angehalten" }
    failed(n) { en: "{n} with an error", de: "{n} mit Fehler" }
    totals(n, groups) {
        en: "{n} torrent: {groups}" | "{n} torrents: {groups}",
        de: "{n} Torrent: {groups}" | "{n} Torrents: {groups}",
    }
    totals_and_given(n, groups, given) {
        en: "{n} torrent: {groups}; gave {given}" | "{n} torrents: {groups}; gave {given}",
        de: "{n} Torrent: {groups}; {given} hochgeladen" | "{n} Torrents: {groups}; {given} hochgeladen",
    }

    // Filter and order.
    filter_and_order() {
        en: "Filter and order of the list",
        de: "Filter und Reihenfolge der Liste",
    }
    filter_by_name() { en: "Filter by name", de: "Nach Namen filtern" }
    state() { en: "State", de: "Zustand" }
    all_states() { en: "All states", de: "Alle Zustände" }
    complete_group() { en: "Complete", de: "Vollständig" }
    sort_by() { en: "Sort by", de: "Sortieren nach" }
    newest() { en: "Newest", de: "Neueste" }
    name() { en: "Name", de: "Name" }
    progress() { en: "Progress", de: "Fortschritt" }
    size() { en: "Size", de: "Größe" }
    download_rate() { en: "Download rate", de: "Download-Rate" }
    upload_rate() { en: "Upload rate", de: "Upload-Rate" }
    time_left() { en: "Time left", de: "Restzeit" }
    reverse() { en: "Reverse", de: "Umkehren" }

    // Selection.
    select_all() { en: "Select all", de: "Alle auswählen" }
    selected(n) { en: "{n} selected", de: "{n} ausgewählt" }
    selected_torrents() { en: "Selected torrents", de: "Ausgewählte Torrents" }
    pause_selected() { en: "Pause selected", de: "Ausgewählte anhalten" }
    resume_selected() { en: "Resume selected", de: "Ausgewählte fortsetzen" }
    remove_selected() { en: "Remove selected", de: "Ausgewählte entfernen" }

    // Removed torrents.
    removed(name) { en: "Removed {name}.", de: "{name} wurde entfernt." }
    removed_many(n) {
        en: "Removed {n} torrent." | "Removed {n} torrents.",
        de: "{n} Torrent wurde entfernt." | "{n} Torrents wurden entfernt.",
    }
    undo() { en: "Undo", de: "Rückgängig" }
}
