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

    complete_but_paused() {
        en: "All of it is here and can be saved. While it is paused, nobody can fetch it from you.",
        de: "Alles ist da und kann gespeichert werden. Solange der Torrent angehalten ist, kann ihn niemand von hier herunterladen.",
    }
    copying_your_files() {
        en: "Your files go into this browser's own storage, from which they are shared.",
        de: "Die Dateien werden in den eigenen Speicher dieses Browsers kopiert und von dort aus geteilt.",
    }
    reading() { en: "Reading what is already here.", de: "Was schon da ist, wird gelesen." }
    waiting_for_bridge() { en: "Waiting for the bridge.", de: "Wartet auf die Bridge." }
    wanted_is_here(place) {
        en: "What you want is here. {place}",
        de: "Alles Gewünschte ist da. {place}",
    }
    all_is_here() {
        en: "All of it is here. Others can fetch from you while this page is open.",
        de: "Alles ist da. Solange diese Seite offen ist, können andere es von hier herunterladen.",
    }
    only_source() {
        en: "All of it is here. Others can fetch from you while this page is open; nobody else may have all of it yet.",
        de: "Alles ist da. Solange diese Seite offen ist, können andere es von hier herunterladen; vielleicht hat sonst noch niemand alles.",
    }
    no_file_is_chosen() {
        en: "No file is chosen. Tick those that you want.",
        de: "Keine Datei ist ausgewählt. Gewünschte Dateien ankreuzen.",
    }
    chosen_are_here() { en: "All files you chose are here.", de: "Alle ausgewählten Dateien sind da." }
    /// The number of peers that are asked for the metadata.
    asking_for_metadata(n) {
        en: "Asking {n} peer what this torrent contains." | "Asking {n} peers what this torrent contains.",
        de: "Fragt {n} Peer, was dieser Torrent enthält." | "Fragt {n} Peers, was dieser Torrent enthält.",
    }
    not_registered() {
        en: "A tracker answers that this torrent is not registered there; get it again where it came from.",
        de: "Ein Tracker antwortet, dass dieser Torrent dort nicht registriert ist; ihn dort erneut herunterladen, wo er herkam.",
    }
    /// In a notification, whose title is the name of the torrent.
    can_be_saved() { en: "Complete. It can be saved.", de: "Vollständig. Kann jetzt gespeichert werden." }
    suspended(time) {
        en: "This tab was suspended for {time}: the browser paused it, or the computer slept. It goes on now.",
        de: "Dieser Tab war für {time} unterbrochen: Der Browser hatte ihn angehalten, oder der Computer war im Ruhezustand. Jetzt geht es weiter.",
    }
    trying_again_in(time) { en: "Trying again in {time}.", de: "Neuer Versuch in {time}." }
    trying_again_now() { en: "Trying again now.", de: "Ein neuer Versuch läuft." }

    only_peer_is_slow() {
        en: "The only peer that has missing pieces sends slowly.",
        de: "Der einzige Peer, der fehlende Teile hat, sendet langsam.",
    }
    /// `n` of all peers with missing pieces unchoke us.
    few_unchoke(n, all) {
        en: "{all} peers have missing pieces, but only {n} of them let us request."
            | "{all} peers have missing pieces, but only {n} of them let us request.",
        de: "{all} Peers haben fehlende Teile, aber nur {n} davon nimmt Anfragen an."
            | "{all} Peers haben fehlende Teile, aber nur {n} davon nehmen Anfragen an.",
    }
    peers_are_slow(all) {
        en: "{all} peers have missing pieces and let us request, but send slowly.",
        de: "{all} Peers haben fehlende Teile und nehmen Anfragen an, senden aber langsam.",
    }
    storage_is_slow() {
        en: "Storage is slow: more is asked for when what has arrived is written.",
        de: "Der Speicher ist langsam: Mehr wird erst angefordert, wenn das Empfangene geschrieben ist.",
    }
    nobody_has_the_last_piece(n, piece) {
        en: "Connected to {n} peer, but none has piece {piece}, the only one that is missing here."
            | "Connected to {n} peers, but none has piece {piece}, the only one that is missing here.",
        de: "Mit {n} Peer verbunden, aber keiner hat Teil {piece}, den einzigen, der hier fehlt."
            | "Mit {n} Peers verbunden, aber keiner hat Teil {piece}, den einzigen, der hier fehlt.",
    }
    nobody_has_the_pieces(n, piece, missing) {
        en: "Connected to {n} peer, but none has piece {piece} or another of the {missing} that are missing here."
            | "Connected to {n} peers, but none has piece {piece} or another of the {missing} that are missing here.",
        de: "Mit {n} Peer verbunden, aber keiner hat Teil {piece} oder einen anderen der {missing}, die hier fehlen."
            | "Mit {n} Peers verbunden, aber keiner hat Teil {piece} oder einen anderen der {missing}, die hier fehlen.",
    }
    nobody_has_a_piece(n) {
        en: "Connected to {n} peer, but none has a piece that is missing here."
            | "Connected to {n} peers, but none has a piece that is missing here.",
        de: "Mit {n} Peer verbunden, aber keiner hat einen Teil, der hier fehlt."
            | "Mit {n} Peers verbunden, aber keiner hat einen Teil, der hier fehlt.",
    }
    nobody_unchokes(n) {
        en: "Connected to {n} peer; none has let us request yet." | "Connected to {n} peers; none has let us request yet.",
        de: "Mit {n} Peer verbunden; noch nimmt keiner Anfragen an." | "Mit {n} Peers verbunden; noch nimmt keiner Anfragen an.",
    }
    waiting_for_data(n) {
        en: "Connected to {n} peer; waiting for data." | "Connected to {n} peers; waiting for data.",
        de: "Mit {n} Peer verbunden; wartet auf Daten." | "Mit {n} Peers verbunden; wartet auf Daten.",
    }
}
