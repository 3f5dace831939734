//! The connection to the bridge.

use super::texts;

texts! {
    connecting() { en: "Connecting to the bridge.", de: "Die Verbindung zur Bridge wird aufgebaut." }
    unreachable() { en: "Cannot reach the bridge.", de: "Die Bridge ist nicht erreichbar." }
    token_needed() {
        en: "This bridge serves only those who have a token. Ask its operator for one and type it here.",
        de: "Diese Bridge verlangt ein Token. Beim Betreiber darum bitten und es hier eingeben.",
    }
    token_unknown() {
        en: "The bridge does not know this token. Check it, or ask the bridge's operator for another.",
        de: "Die Bridge kennt dieses Token nicht. Es prüfen, oder den Betreiber der Bridge um ein anderes bitten.",
    }
    connected() { en: "Connected.", de: "Verbunden." }
    connected_at_once() {
        en: "Connected; it answers in less than 1 ms.",
        de: "Verbunden; sie antwortet in weniger als 1 ms.",
    }
    connected_within(milliseconds) {
        en: "Connected; it answers in {milliseconds} ms.",
        de: "Verbunden; sie antwortet in {milliseconds} ms.",
    }
    state_and_traffic(state, received, sent) {
        en: "{state} All data from and to peers, and to players outside the browser, pass through it: {received} received and {sent} sent since this page was opened.",
        de: "{state} Alle Daten von und zu Peers, und zu Playern außerhalb des Browsers, laufen über sie: {received} empfangen und {sent} gesendet, seit diese Seite geöffnet wurde.",
    }

    // Why it refuses this tab.
    other_version() {
        en: "This page and its bridge are of different versions. Reload the page.",
        de: "Diese Seite und ihre Bridge haben verschiedene Versionen. Die Seite neu laden.",
    }
    token_required() {
        en: "This bridge serves only those who have a token.",
        de: "Diese Bridge verlangt ein Token.",
    }
    foreign_page() {
        en: "This bridge does not serve pages from this address. Open the page at the bridge's own address, or ask its operator to allow this one.",
        de: "Diese Bridge bedient keine Seiten von dieser Adresse. Die Seite unter der Adresse der Bridge öffnen, oder ihren Betreiber bitten, diese zu erlauben.",
    }
    altered_messages() {
        en: "Something between this page and the bridge alters their messages, perhaps a proxy. Reload the page.",
        de: "Etwas zwischen dieser Seite und der Bridge verändert ihre Nachrichten, vielleicht ein Proxy. Die Seite neu laden.",
    }
    too_many_tabs() {
        en: "Too many tabs from your network use this bridge. Close some, or try again later.",
        de: "Zu viele Tabs aus diesem Netzwerk nutzen diese Bridge. Einige schließen, oder es später erneut versuchen.",
    }
    full() { en: "The bridge is full. Try again later.", de: "Die Bridge ist voll. Es später erneut versuchen." }
    restarting() { en: "The bridge is being restarted.", de: "Die Bridge wird neu gestartet." }
    not_understood() {
        en: "The bridge did not understand this page. Reload it.",
        de: "Die Bridge hat diese Seite nicht verstanden. Sie neu laden.",
    }
    silent_page() {
        en: "The bridge received nothing from this page for too long.",
        de: "Die Bridge hat zu lange nichts von dieser Seite empfangen.",
    }
    bad_address(address) {
        en: "{address} is not the address of a bridge, which has the form https://HOST or https://HOST:PORT.",
        de: "{address} ist nicht die Adresse einer Bridge, die die Form https://HOST oder https://HOST:PORT hat.",
    }
}
