//! What a torrent does, and why it waits.

use super::texts;

texts! {
    connecting() { en: "Connecting", de: "Verbindet" }
    fetching_metadata() { en: "Fetching metadata", de: "Holt Metadaten" }
    checking() { en: "Checking", de: "Prüft" }
    copying() { en: "Copying", de: "Kopiert" }
    downloading() { en: "Downloading", de: "Lädt" }
    seeding() { en: "Seeding", de: "Verteilt" }
    finished() { en: "Finished", de: "Fertig" }
    paused() { en: "Paused", de: "Angehalten" }
    error() { en: "Error", de: "Fehler" }
    peers(n) { en: "{n} peer" | "{n} peers", de: "{n} Peer" | "{n} Peers" }
}
