//! Why the browser refuses something, as clauses.

use super::texts;

texts! {
    not_allowed() {
        en: "the browser does not allow this page to do that",
        de: "der Browser erlaubt das dieser Seite nicht",
    }
    in_use() { en: "another tab is still using it", de: "ein anderer Tab greift noch darauf zu" }
    gone() { en: "it is not there any more", de: "es ist nicht mehr da" }
    changed() {
        en: "it was changed or moved, or another program is using it",
        de: "es wurde geändert oder verschoben, oder ein anderes Programm greift darauf zu",
    }
    no_space() { en: "no space is left", de: "es ist kein Platz mehr frei" }
    closed() { en: "the browser has closed it", de: "der Browser hat es geschlossen" }
    cancelled() { en: "the browser cancelled it", de: "der Browser hat es abgebrochen" }
    unexplained() { en: "the browser does not say why", de: "der Browser nennt keinen Grund" }
    named(name) { en: "the browser calls it {name}", de: "der Browser nennt es {name}" }
}
