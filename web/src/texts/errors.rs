//! Why a torrent is not added, or something is not done with it, and what to do about it. A detail in
//! parentheses is for the author of the torrent or of the link, and not translated.

use super::texts;

texts! {
    // Files. A name is that of the file.
    empty_file(name) {
        en: "{name} is empty. Download it again.",
        de: "{name} ist leer. Die Datei erneut herunterladen.",
    }
    web_page(name) {
        en: "{name} is a web page, not a torrent. The site that it came from may want you to sign in or to press another button first; \
             download the torrent there again.",
        de: "{name} ist eine Webseite und kein Torrent. Die Website, von der sie stammt, verlangt vielleicht zuerst eine Anmeldung oder einen \
             anderen Knopf; den Torrent dort erneut herunterladen.",
    }
    archive(name) {
        en: "{name} is a compressed archive. Unpack it and choose the .torrent file that is in it.",
        de: "{name} ist ein komprimiertes Archiv. Es entpacken und die Torrent-Datei auswählen, die darin liegt.",
    }
    file_with_link(name) {
        en: "{name} holds a magnet link. Open it as text, copy the link and paste it into the field above.",
        de: "{name} enthält einen Magnet-Link. Die Datei als Text öffnen, den Link kopieren und oben in das Feld einfügen.",
    }
    incomplete_file(name) {
        en: "{name} is incomplete: its end is missing. Download it again.",
        de: "{name} ist unvollständig: Das Ende fehlt. Die Datei erneut herunterladen.",
    }
    damaged_file(name) {
        en: "{name} is damaged, or it is not a torrent. Download it again, or look for it elsewhere.",
        de: "{name} ist beschädigt oder kein Torrent. Die Datei erneut herunterladen oder anderswo suchen.",
    }
    damaged_file_with_detail(name, detail) {
        en: "{name} is damaged, or it is not a torrent. Download it again, or look for it elsewhere. ({detail})",
        de: "{name} ist beschädigt oder kein Torrent. Die Datei erneut herunterladen oder anderswo suchen. ({detail})",
    }

    // Links.
    no_link() {
        en: "This is neither a magnet link nor an info-hash. A magnet link begins with \u{201c}magnet:?\u{201d}; copy the whole link.",
        de: "Das ist weder ein Magnet-Link noch ein Info-Hash. Ein Magnet-Link beginnt mit „magnet:?“; den ganzen Link kopieren.",
    }
    link_too_long() {
        en: "This is too long for a magnet link. Copy only the link itself.",
        de: "Das ist zu lang für einen Magnet-Link. Nur den Link selbst kopieren.",
    }
    damaged_link(detail) {
        en: "This magnet link is damaged or incomplete. Copy the whole link again. ({detail})",
        de: "Dieser Magnet-Link ist beschädigt oder unvollständig. Den ganzen Link erneut kopieren. ({detail})",
    }
    two_torrents() {
        en: "This link names two different torrents. Paste them one by one.",
        de: "Dieser Link nennt zwei verschiedene Torrents. Sie einzeln einfügen.",
    }
    invalid_link(detail) {
        en: "This magnet link is invalid. Copy it again. ({detail})",
        de: "Dieser Magnet-Link ist ungültig. Ihn erneut kopieren. ({detail})",
    }

    // Torrent files at web addresses.
    site_refuses(address) {
        en: "{address} cannot be read from this page: its site does not allow that (CORS), or does not answer. \
             Download the .torrent file in a tab of its own, then choose it here.",
        de: "{address} kann von dieser Seite aus nicht gelesen werden: Die Website erlaubt es nicht (CORS) oder antwortet nicht. \
             Die Torrent-Datei in einem eigenen Tab herunterladen und dann hier auswählen.",
    }
    insecure_address(address) {
        en: "{address} cannot be read from this page, because the address begins with http: and not with https:. \
             Download the .torrent file in a tab of its own, then choose it here.",
        de: "{address} kann von dieser Seite aus nicht gelesen werden, weil die Adresse mit http: beginnt und nicht mit https:. \
             Die Torrent-Datei in einem eigenen Tab herunterladen und dann hier auswählen.",
    }
    http_status(address, status) {
        en: "{address} answered with HTTP status {status} instead of a .torrent file. \
             Download the .torrent file in a tab of its own, then choose it here.",
        de: "{address} hat mit dem HTTP-Status {status} statt mit einer Torrent-Datei geantwortet. \
             Die Torrent-Datei in einem eigenen Tab herunterladen und dann hier auswählen.",
    }
    too_many_bytes(address, limit) {
        en: "{address} has more than {limit} bytes, so it is not a .torrent file.",
        de: "{address} hat mehr als {limit} Bytes, ist also keine Torrent-Datei.",
    }
    too_slow(address, seconds) {
        en: "{address} did not arrive within {seconds} seconds. Download the .torrent file in a tab of its own, then choose it here.",
        de: "{address} war nach {seconds} Sekunden noch nicht da. Die Torrent-Datei in einem eigenen Tab herunterladen und dann hier auswählen.",
    }

    // Torrents.
    not_listed() {
        en: "This torrent is not in the list any more.",
        de: "Dieser Torrent ist nicht mehr in der Liste.",
    }
    already_listed() {
        en: "This torrent is in the list already.",
        de: "Dieser Torrent ist bereits in der Liste.",
    }
    only_v2() {
        en: "This torrent is of version 2 only, which this page cannot download yet. Look for one of version 1, or of both.",
        de: "Dieser Torrent hat nur Version 2, die diese Seite noch nicht herunterladen kann. Einen der Version 1 suchen, oder einen mit beiden.",
    }
    closing() {
        en: "This page is closing. Reload it.",
        de: "Diese Seite wird gerade geschlossen. Sie neu laden.",
    }
    list_is_full(limit) {
        en: "The list holds {limit} torrents, which is the maximum. Remove one first.",
        de: "Die Liste enthält {limit} Torrents, mehr sind nicht möglich. Zuerst einen entfernen.",
    }
    not_possible(detail) {
        en: "That cannot be done ({detail}). Reload the page.",
        de: "Das ist nicht möglich ({detail}). Die Seite neu laden.",
    }
    pieces_too_long(length, limit) {
        en: "The pieces of this torrent are {length} long; a browser tab supports at most {limit}. Use the terminal program instead.",
        de: "Die Teile dieses Torrents sind {length} lang; ein Browser-Tab unterstützt höchstens {limit}. Stattdessen das Terminalprogramm verwenden.",
    }
    invalid_metadata(detail) {
        en: "This torrent is damaged at its source, or of a kind that this page cannot read. Remove it. ({detail})",
        de: "Dieser Torrent ist an seiner Quelle beschädigt oder von einer Art, die diese Seite nicht lesen kann. Ihn entfernen. ({detail})",
    }
}
