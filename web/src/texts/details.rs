//! The numbers and the details of a torrent.

use super::texts;

texts! {
    size() { en: "Size", de: "Größe" }
    down() { en: "Down", de: "Download" }
    up() { en: "Up", de: "Upload" }
    time_left() { en: "Time left", de: "Restzeit" }
    given() { en: "Given", de: "Hochgeladen" }
    peers() { en: "Peers", de: "Peers" }
    gave(amount) { en: "gave {amount}", de: "{amount} hochgeladen" }
    with_ratio(amount, ratio) { en: "{amount} (ratio {ratio})", de: "{amount} (Verhältnis {ratio})" }

    info_hash() { en: "Info-hash", de: "Info-Hash" }
    info_hash_v2() { en: "Info-hash (v2)", de: "Info-Hash (v2)" }
    files() { en: "Files", de: "Dateien" }
    pieces() { en: "Pieces", de: "Teile" }
    pieces_of(number, size) { en: "{number} of {size}", de: "{number} zu je {size}" }
    downloaded() { en: "Downloaded", de: "Heruntergeladen" }
    partly_discarded(all, discarded) {
        en: "{all}, {discarded} of it discarded",
        de: "{all}, davon {discarded} verworfen",
    }
    rates() { en: "Rates", de: "Raten" }
    down_and_up(down, up) { en: "{down} down, {up} up", de: "Download {down}, Upload {up}" }
    private() { en: "Private", de: "Privat" }
    is_private() {
        en: "Yes: peers are only found through its trackers.",
        de: "Ja: Peers werden nur über seine Tracker gefunden.",
    }
    comment() { en: "Comment", de: "Kommentar" }
    created() { en: "Created", de: "Erstellt" }
    created_on(day) { en: "on {day}", de: "am {day}" }
    created_by(program) { en: "by {program}", de: "mit {program}" }
    created_on_by(day, program) { en: "on {day} by {program}", de: "am {day} mit {program}" }
    web_seeds() { en: "Web seeds", de: "Webseeds" }
    magnet_link() { en: "Magnet link", de: "Magnet-Link" }
    link_to_page() { en: "Link to this page", de: "Link zu dieser Seite" }

    bridge() { en: "Bridge", de: "Bridge" }
    place() { en: "Place in the swarm", de: "Platz im Schwarm" }
    trackers() { en: "Trackers", de: "Tracker" }
    swarm() { en: "Swarm", de: "Schwarm" }
    dht() { en: "DHT", de: "DHT" }
    addresses() { en: "Addresses", de: "Adressen" }
}
