//! Explanations: the foot of the page, the page without torrents, and technical terms.

use super::texts;

texts! {
    bridge_state(state) { en: "Bridge: {state}", de: "Bridge: {state}" }
    summary() {
        en: "Where your files are, and who sees what",
        de: "Wo die Dateien liegen und wer was sieht",
    }
    your_files() { en: "Your files", de: "Die Dateien" }
    storage() {
        en: "What you download stays in this browser, on this device, until you remove it here; \u{201c}Save\u{201d} copies a file to your downloads. \
             A private window forgets all of it when it is closed, and so does a browser whose site data you clear.",
        de: "Was heruntergeladen wird, bleibt in diesem Browser auf diesem Gerät, bis es hier entfernt wird; „Speichern“ kopiert eine Datei in den \
             Download-Ordner. Ein privates Fenster vergisst alles, sobald es geschlossen wird, und ein Browser, sobald seine Websitedaten gelöscht werden.",
    }
    your_address() { en: "Your address", de: "Die eigene Adresse" }
    addresses_of_local_bridge() {
        en: "The bridge, the server that this page came from, runs on this computer: so other people in a torrent, and the trackers that list \
             them, see this computer\u{2019}s address.",
        de: "Die Bridge, der Server, von dem diese Seite stammt, läuft auf diesem Computer. Andere Teilnehmer eines Torrents und die Tracker, die \
             sie auflisten, sehen daher die Adresse dieses Computers.",
    }
    addresses(host) {
        en: "Other people in a torrent, and the trackers that list them, see the address of the bridge, the server that this page came from ({host}), and \
             not yours. The bridge sees your address and which torrents you open.",
        de: "Andere Teilnehmer eines Torrents und die Tracker, die sie auflisten, sehen statt der eigenen Adresse die der Bridge, des Servers, von dem \
             diese Seite stammt ({host}). Die Bridge sieht die eigene Adresse und welche Torrents geöffnet werden.",
    }
    bridge_term() { en: "Bridge", de: "Bridge" }
    what_is_the_bridge() { en: "What is the bridge?", de: "Was ist die Bridge?" }
    bridge(host) {
        en: "The bridge is the server that this page came from ({host}): it connects this tab to other people\u{2019}s BitTorrent programs, which a web page cannot reach by itself.",
        de: "Die Bridge ist der Server, von dem diese Seite stammt ({host}). Sie verbindet diesen Tab mit den BitTorrent-Programmen anderer, die eine Webseite allein nicht erreichen kann.",
    }
    link_terms() { en: "Magnet link, info-hash", de: "Magnet-Link, Info-Hash" }
    magnet_link() {
        en: "A magnet link identifies a torrent by its info-hash, and often lists trackers that know who has the files.",
        de: "Ein Magnet-Link bezeichnet einen Torrent durch seinen Info-Hash und nennt oft Tracker, die wissen, wer die Dateien hat.",
    }
    info_hash() {
        en: "An info-hash is a torrent\u{2019}s fingerprint, 40 letters and digits. It identifies the torrent, and every download is checked against it.",
        de: "Ein Info-Hash ist der Fingerabdruck eines Torrents, 40 Buchstaben und Ziffern. Er bezeichnet den Torrent, und jeder Download wird damit geprüft.",
    }
    search_terms() { en: "Tracker, DHT", de: "Tracker, DHT" }
    search() {
        en: "A tracker is a server that lists who downloads and shares a torrent. The DHT is such a list without a server: BitTorrent programs keep it together.",
        de: "Ein Tracker ist ein Server, der auflistet, wer einen Torrent herunterlädt und verteilt. Die DHT ist eine solche Liste ohne Server: BitTorrent-Programme führen sie gemeinsam.",
    }
    peer_terms() { en: "Peer, seed", de: "Peer, Seed" }
    peers() {
        en: "A peer is somebody else in the same torrent; a seed is a peer who has all of it.",
        de: "Ein Peer ist ein anderer Teilnehmer desselben Torrents; ein Seed ist ein Peer, der ihn vollständig hat.",
    }
    getting_started() { en: "Getting started", de: "Erste Schritte" }
    nothing_here() { en: "Nothing here yet", de: "Noch nichts hier" }
    first_step() {
        en: "Paste a magnet link above, or choose a .torrent file, or drop one anywhere on this page.",
        de: "Oben einen Magnet-Link einfügen, eine Torrent-Datei auswählen oder eine irgendwo auf dieser Seite ablegen.",
    }
    second_step() {
        en: "Watch it arrive. Every piece is checked against the torrent before it is kept in this browser\u{2019}s own storage.",
        de: "Dem Download zusehen. Jeder Teil wird anhand des Torrents geprüft, bevor er im Speicher dieses Browsers bleibt.",
    }
    third_step() {
        en: "Save the finished files to your computer. While the page stays open, you pass on to others what you have.",
        de: "Die fertigen Dateien auf dem Computer speichern. Solange die Seite geöffnet bleibt, wird das Vorhandene an andere verteilt.",
    }
    fourth_step() {
        en: "To share files of your own, drop them or a folder here, and send the link to anyone who should have them.",
        de: "Um eigene Dateien zu teilen, sie oder einen Ordner hier ablegen und den Link an alle schicken, die sie bekommen sollen.",
    }
}
