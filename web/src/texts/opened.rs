//! The opened torrent and its tabs.

use super::texts;

texts! {
    tabs() { en: "About this torrent", de: "Über diesen Torrent" }
    files() { en: "Files", de: "Dateien" }
    peers() { en: "Peers", de: "Peers" }
    pieces() { en: "Pieces", de: "Teile" }
    trackers() { en: "Trackers", de: "Tracker" }
    details() { en: "Details", de: "Details" }
    plot(down, up) {
        en: "Last 10 minutes: at most {down} down, {up} up",
        de: "Letzte 10 Minuten: Download bis {down}, Upload bis {up}",
    }

    // Files.
    unknown_files() {
        en: "The files are not known yet. They are listed as soon as a peer has sent the metadata.",
        de: "Die Dateien sind noch nicht bekannt. Sie erscheinen, sobald ein Peer die Metadaten gesendet hat.",
    }
    show_more(n) { en: "Show {n} more", de: "{n} weitere anzeigen" }
    percent_of(percent, size) { en: "{percent} % of {size}", de: "{percent} % von {size}" }
    priority_of(name) { en: "Priority of {name}", de: "Priorität von {name}" }
    skip() { en: "Skip", de: "Nicht laden" }
    normal() { en: "Normal", de: "Normal" }
    high() { en: "High", de: "Hoch" }
    preview() { en: "Preview", de: "Vorschau" }
    preview_of(name) { en: "Preview {name}", de: "Vorschau von {name}" }

    // Saving files.
    save() { en: "Save", de: "Speichern" }
    save_file(name) { en: "Save {name}", de: "{name} speichern" }
    save_all() { en: "Save all", de: "Alle speichern" }
    as_archive() { en: "As one ZIP file", de: "Als eine ZIP-Datei" }
    save_into_folder() { en: "Save into a folder", de: "In einen Ordner speichern" }
    save_when_finished() { en: "Save when finished", de: "Speichern, sobald fertig" }
    saving_into_folder() { en: "Saving into the folder", de: "Speichert in den Ordner" }
    preparing_archive() { en: "Preparing the ZIP file", de: "Bereitet die ZIP-Datei vor" }
    saving_progress(activity, percent) {
        en: "{activity}: {percent} %",
        de: "{activity}: {percent} %",
    }
    browser_saves_archive(name) {
        en: "Your browser saves {name}.zip now.",
        de: "Der Browser speichert jetzt {name}.zip.",
    }

    // Peers.
    no_peers() { en: "No peer is connected.", de: "Kein Peer ist verbunden." }
    connected_peers() { en: "Connected peers", de: "Verbundene Peers" }
    address() { en: "Address", de: "Adresse" }
    client() { en: "Client", de: "Client" }
    down() { en: "Down", de: "Download" }
    up() { en: "Up", de: "Upload" }
    has() { en: "Has", de: "Hat" }
    state() { en: "State", de: "Zustand" }
    via() { en: "Via", de: "Über" }
    what_state_means() {
        en: "What does the state of a peer mean?",
        de: "Was bedeutet der Zustand eines Peers?",
    }

    // Pieces.
    piece_map() { en: "Piece map", de: "Karte der Teile" }
    unknown_pieces() {
        en: "The pieces are not known yet.",
        de: "Die Teile sind noch nicht bekannt.",
    }
    only_piece() {
        en: "The only piece is complete.",
        de: "Der einzige Teil ist vollständig.",
    }
    all_pieces(number) {
        en: "All {number} pieces are complete.",
        de: "Alle {number} Teile sind vollständig.",
    }
    some_pieces(complete, number, percent) {
        en: "{complete} of {number} pieces are complete ({percent} %).",
        de: "{complete} von {number} Teilen sind vollständig ({percent} %).",
    }
    first_missing(piece) {
        en: "The first one that is missing is piece {piece}.",
        de: "Der erste, der fehlt, ist Teil {piece}.",
    }

    // Trackers.
    tier(number) { en: "Tier {number}", de: "Stufe {number}" }
    trackers_of_torrent() { en: "Trackers of this torrent", de: "Tracker dieses Torrents" }

    // Options.
    options() { en: "Options of this torrent", de: "Optionen dieses Torrents" }
    when_complete() { en: "When it is complete", de: "Wenn er vollständig ist" }
    sequential() { en: "Sequential", de: "Der Reihe nach" }
    /// Follows it.
    sequential_hint() {
        en: "\u{2013} downloaded from beginning to end",
        de: "– von Anfang bis Ende herunterladen",
    }
}
