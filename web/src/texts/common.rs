//! Texts of several areas.

use super::texts;

texts! {
    close() { en: "Close", de: "Schließen" }
    dismiss() { en: "Dismiss", de: "Ausblenden" }
    cancel() { en: "Cancel", de: "Abbrechen" }
    share() { en: "Share", de: "Teilen" }
    copy() { en: "Copy", de: "Kopieren" }
    link_copied() { en: "Link copied.", de: "Link kopiert." }
    unreadable(name, why) {
        en: "{name} cannot be read: {why}.",
        de: "{name} kann nicht gelesen werden: {why}.",
    }
}
