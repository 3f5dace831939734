//! What one tracker answered.

use super::texts;

texts! {
    not_asked_yet() { en: "Not asked yet.", de: "Noch nicht gefragt." }
    being_asked() { en: "Being asked.", de: "Wird gefragt." }
    being_asked_again() { en: "Being asked again.", de: "Wird erneut gefragt." }
    asked_again_in(time) { en: "Asked again in {time}.", de: "Nächste Anfrage in {time}." }
    failed(why) { en: "Failed: {why}.", de: "Fehlgeschlagen: {why}." }
    says(text) { en: "It says: \u{201c}{text}\u{201d}.", de: "Er sagt: „{text}“." }
    warns(text) { en: "It warns: \u{201c}{text}\u{201d}.", de: "Er warnt: „{text}“." }
    named_none() { en: "Named no peers.", de: "Hat keine Peers genannt." }
    named_none_and_counts(counted) {
        en: "Named no peers; counts {counted}.",
        de: "Hat keine Peers genannt; gezählt: {counted}.",
    }
    named(n) {
        en: "Named {n} peer." | "Named {n} peers.",
        de: "Hat {n} Peer genannt." | "Hat {n} Peers genannt.",
    }
    named_and_counts(n, counted) {
        en: "Named {n} peer; counts {counted}." | "Named {n} peers; counts {counted}.",
        de: "Hat {n} Peer genannt; gezählt: {counted}." | "Hat {n} Peers genannt; gezählt: {counted}.",
    }
    seeds_and_incomplete(seeds, incomplete) {
        en: "{seeds} and {incomplete}",
        de: "{seeds} und {incomplete}",
    }
    counts_of_best(seeds, incomplete) {
        en: "{seeds} and {incomplete} according to the tracker that knows most.",
        de: "{seeds} und {incomplete} laut dem Tracker, der am meisten kennt.",
    }

    // Why one failed, as clauses.
    bad_address() { en: "its address cannot be used", de: "seine Adresse ist nicht verwendbar" }
    no_answer() { en: "it gave no usable answer", de: "er gab keine brauchbare Antwort" }
    refused() { en: "it refused the request", de: "er hat die Anfrage abgelehnt" }
    forbidden() {
        en: "the bridge does not ask trackers at such an address",
        de: "die Bridge fragt keine Tracker an solchen Adressen",
    }
    not_registered() {
        en: "it answers that this torrent is not registered there",
        de: "er antwortet, dass dieser Torrent dort nicht registriert ist",
    }
}
