//! Messages about the whole page, and the form for the bridge's token.

use super::texts;

texts! {
    send_link() {
        en: "Send it to anyone who should have this torrent",
        de: "An alle schicken, die diesen Torrent bekommen sollen",
    }
    copy_link() { en: "Copy this link", de: "Diesen Link kopieren" }
    or_magnet_link() { en: "or this magnet link", de: "oder diesen Magnet-Link" }
    access_token() { en: "Access token", de: "Zugangstoken" }
    connect() { en: "Connect", de: "Verbinden" }
    lost(names) {
        en: "The stored data of {names} are gone. Browsers delete stored data when space runs low, or when a site\u{2019}s data are cleared.",
        de: "Die gespeicherten Daten von {names} sind nicht mehr da. Browser löschen gespeicherte Daten, wenn der Speicherplatz knapp wird oder wenn die Daten einer Website gelöscht werden.",
    }
    fetch_again() { en: "Fetch again", de: "Erneut herunterladen" }
    worker_did_not_start() {
        en: "The browser could not start this page's worker. Reload the page to try again.",
        de: "Der Browser konnte das Hintergrundprogramm dieser Seite nicht starten. Um es erneut zu versuchen, die Seite neu laden.",
    }
    worker_is_silent() { en: "it no longer answers", de: "es antwortet nicht mehr" }
    worker_stopped(times, cause) {
        en: "What does the work behind this page broke {times} times within a minute and was stopped. What was downloaded is kept. To go on, \
             reload the page. ({cause})",
        de: "Das Hintergrundprogramm dieser Seite ist innerhalb einer Minute {times}-mal abgestürzt und wurde beendet. Was heruntergeladen wurde, \
             bleibt erhalten. Um fortzufahren, die Seite neu laden. ({cause})",
    }
}
