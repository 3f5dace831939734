//! Why the whole page does not work, and what to do about it.

use super::texts;

texts! {
    other_tab() {
        en: "Aqueduct is already open in another tab, which does the work. What you do here happens there; close that tab and this one takes over.",
        de: "Aqueduct ist schon in einem anderen Tab geöffnet, der die Arbeit macht. Was hier getan wird, geschieht dort; wird jener Tab geschlossen, übernimmt dieser.",
    }
    silent_tab() {
        en: "Aqueduct is already open in another tab, which does the work and does not answer this one. It may show an earlier version of this page. Reload that tab or close it, and this one takes over.",
        de: "Aqueduct ist schon in einem anderen Tab geöffnet, der die Arbeit macht und diesem nicht antwortet. Vielleicht zeigt er eine frühere Version dieser Seite. Wird jener Tab neu geladen oder geschlossen, übernimmt dieser.",
    }
    insecure() {
        en: "This page was not loaded securely, so the browser gives it no storage. Open it over https, or from localhost.",
        de: "Diese Seite wurde nicht sicher geladen, darum gibt ihr der Browser keinen Speicher. Sie über https öffnen, oder von localhost.",
    }
    no_file_system() {
        en: "This browser has no private file system for pages (OPFS), in which downloads would be stored, or it is switched off. Open this page \
             in a current version of Chrome, Edge, Firefox or Safari.",
        de: "Dieser Browser hat kein privates Dateisystem für Seiten (OPFS), in dem Downloads gespeichert würden, oder es ist abgeschaltet. Diese Seite \
             in einer aktuellen Version von Chrome, Edge, Firefox oder Safari öffnen.",
    }
    invalid_bridge(why) { en: "{why} Reload the page.", de: "{why} Die Seite neu laden." }
    no_storage(why) {
        en: "The browser gives this page no storage: {why}. Private windows of some browsers give none, and browsers that are told to \
             keep no site data. Use an ordinary window or allow site data for this page, then reload.",
        de: "Der Browser gibt dieser Seite keinen Speicher: {why}. Private Fenster mancher Browser geben keinen, ebenso Browser, die keine \
             Websitedaten behalten sollen. Ein gewöhnliches Fenster verwenden, oder Websitedaten für diese Seite erlauben, dann neu laden.",
    }
}
