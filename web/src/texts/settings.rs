//! The dialog with the settings.

use super::texts;

texts! {
    settings() { en: "Settings", de: "Einstellungen" }
    transfers() { en: "Transfers", de: "Übertragung" }
    this_page() { en: "This page", de: "Diese Seite" }
    theme() { en: "Theme", de: "Farben" }
    theme_of_system() { en: "As the system", de: "Wie das System" }
    light_theme() { en: "Light", de: "Hell" }
    dark_theme() { en: "Dark", de: "Dunkel" }
    language() { en: "Language", de: "Sprache" }
    language_of_browser() { en: "As the browser", de: "Wie der Browser" }
    peers_per_torrent() { en: "Peers per torrent", de: "Peers pro Torrent" }
    peers_hint() { en: "at most", de: "höchstens" }
    when_complete() {
        en: "When a download is complete",
        de: "Wenn ein Download vollständig ist",
    }
    default_trackers() { en: "Default trackers", de: "Standard-Tracker" }
    default_trackers_hint() {
        en: "one address per line; added to new torrents, except private ones",
        de: "eine Adresse pro Zeile; neue Torrents erhalten sie, private nicht",
    }

    // What the page may do outside of itself.
    keep_screen_on() {
        en: "Keep the screen on while something downloads",
        de: "Bildschirm eingeschaltet lassen, solange etwas heruntergeladen wird",
    }
    screen_unsupported() {
        en: "This browser cannot keep the screen on for a page.",
        de: "Dieser Browser kann den Bildschirm nicht für eine Seite eingeschaltet lassen.",
    }
    notify() {
        en: "Notify me when a download is complete",
        de: "Benachrichtigen, wenn ein Download vollständig ist",
    }
    notifications_unsupported() {
        en: "This browser shows no notifications of pages.",
        de: "Dieser Browser zeigt keine Benachrichtigungen von Seiten an.",
    }
    notifications_refused() {
        en: "The browser does not allow notifications of this page. Allow them in its settings for this page, then try again.",
        de: "Der Browser erlaubt keine Benachrichtigungen dieser Seite. Sie lassen sich in seinen Einstellungen für diese Seite erlauben; danach erneut versuchen.",
    }
    open_magnet_links() {
        en: "Open magnet links with this page",
        de: "Magnet-Links mit dieser Seite öffnen",
    }
    magnet_links_unsupported() {
        en: "This browser does not open magnet links with a page. Copy them into the field above.",
        de: "Dieser Browser öffnet Magnet-Links nicht mit einer Seite. Sie lassen sich in das Eingabefeld der Seite kopieren.",
    }
    magnet_links_refused() {
        en: "The browser does not let this page open magnet links.",
        de: "Der Browser lässt diese Seite keine Magnet-Links öffnen.",
    }

    // Storage.
    no_storage() {
        en: "The browser gives this page no storage.",
        de: "Der Browser gibt dieser Seite keinen Speicher.",
    }
    stored(used, granted) {
        en: "About {used} are stored. The browser grants this page about {granted}.",
        de: "Etwa {used} sind gespeichert. Der Browser gewährt dieser Seite etwa {granted}.",
    }
    kept() {
        en: "The browser keeps this data until you delete it.",
        de: "Der Browser behält diese Daten, bis sie gelöscht werden.",
    }
    not_kept() {
        en: "The browser may delete this data when space runs low.",
        de: "Der Browser darf diese Daten löschen, wenn der Speicherplatz knapp wird.",
    }
    keeping_refused() {
        en: "The browser did not agree: it may delete this data when space runs low. Browsers agree more readily to pages that are \
             installed, bookmarked or visited often.",
        de: "Der Browser hat nicht zugestimmt: Er darf diese Daten löschen, wenn der Speicherplatz knapp wird. Browser stimmen eher zu, wenn \
             eine Seite installiert ist, ein Lesezeichen hat oder oft besucht wird.",
    }
    keep_data() { en: "Keep this data", de: "Diese Daten behalten" }
}
