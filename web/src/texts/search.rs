//! The search for a torrent's peers.

use super::texts;

texts! {
    /// The number of torrents in their swarms, which is the bridge's limit.
    all_places_in_use(number) {
        en: "Waiting for a place ({number} in use). Pause or remove a torrent to make room.",
        de: "Wartet auf einen Platz ({number} sind belegt). Einen Torrent anhalten oder entfernen, um einen frei zu machen.",
    }
    too_many_started() {
        en: "Waiting for a place: many torrents were started within a short time.",
        de: "Wartet auf einen Platz: In kurzer Zeit wurden viele Torrents gestartet.",
    }
    no_tracker() { en: "This torrent names no tracker.", de: "Dieser Torrent nennt keinen Tracker." }
    no_tracker_and_no_peer() {
        en: "This torrent names no tracker, and no peer has been found yet.",
        de: "Dieser Torrent nennt keinen Tracker, und noch wurde kein Peer gefunden.",
    }
    no_tracker_but_dht(dht) {
        en: "This torrent names no tracker. {dht}.",
        de: "Dieser Torrent nennt keinen Tracker. {dht}.",
    }
    asking(n) {
        en: "Asking {n} tracker for peers." | "Asking {n} trackers for peers.",
        de: "Fragt {n} Tracker nach Peers." | "Fragt {n} Tracker nach Peers.",
    }
    asking_beside_dht(n, dht) {
        en: "Asking {n} tracker for peers; {dht}." | "Asking {n} trackers for peers; {dht}.",
        de: "Fragt {n} Tracker nach Peers; {dht}." | "Fragt {n} Tracker nach Peers; {dht}.",
    }
    /// The answers are some of the next four, separated by commas.
    asked(n, answers) {
        en: "Asked {n} tracker: {answers}." | "Asked {n} trackers: {answers}.",
        de: "{n} Tracker gefragt: {answers}." | "{n} Tracker gefragt: {answers}.",
    }
    asked_beside_dht(n, answers, dht) {
        en: "Asked {n} tracker: {answers}; {dht}." | "Asked {n} trackers: {answers}; {dht}.",
        de: "{n} Tracker gefragt: {answers}; {dht}." | "{n} Tracker gefragt: {answers}; {dht}.",
    }
    failed(number) { en: "{number} failed", de: "{number} fehlgeschlagen" }
    failed_because(number, why) { en: "{number} failed ({why})", de: "{number} fehlgeschlagen ({why})" }
    know_no_peers(n) {
        en: "{n} knows no peers" | "{n} know no peers",
        de: "{n} kennt keine Peers" | "{n} kennen keine Peers",
    }
    named_peers(n) {
        en: "{n} named peers" | "{n} named peers",
        de: "{n} hat Peers genannt" | "{n} haben Peers genannt",
    }
    are_silent(n) {
        en: "{n} has not answered yet" | "{n} have not answered yet",
        de: "{n} hat noch nicht geantwortet" | "{n} haben noch nicht geantwortet",
    }
    trackers_failed(n) {
        en: "{n} tracker failed." | "{n} trackers failed.",
        de: "{n} Tracker fehlgeschlagen." | "{n} Tracker fehlgeschlagen.",
    }
    trackers_failed_because(n, why) {
        en: "{n} tracker failed ({why})." | "{n} trackers failed ({why}).",
        de: "{n} Tracker fehlgeschlagen ({why})." | "{n} Tracker fehlgeschlagen ({why}).",
    }

    no_address() { en: "None found yet.", de: "Noch keine gefunden." }
    addresses(n) {
        en: "Found {n} address." | "Found {n} addresses.",
        de: "{n} Adresse gefunden." | "{n} Adressen gefunden.",
    }
    addresses_unconnected(n) {
        en: "Found {n} address, none connected yet." | "Found {n} addresses, none connected yet.",
        de: "{n} Adresse gefunden, noch nicht verbunden." | "{n} Adressen gefunden, noch keine verbunden.",
    }
    /// What became of them is some of the next six, separated by commas.
    addresses_with(n, fates) {
        en: "Found {n} address: {fates}." | "Found {n} addresses: {fates}.",
        de: "{n} Adresse gefunden: {fates}." | "{n} Adressen gefunden: {fates}.",
    }
    being_dialled(number) { en: "{number} being dialled", de: "{number} im Verbindungsaufbau" }
    unreachable(n) {
        en: "{n} could not be reached or insists on encryption" | "{n} could not be reached or insist on encryption",
        de: "{n} war nicht erreichbar oder besteht auf Verschlüsselung"
            | "{n} waren nicht erreichbar oder bestehen auf Verschlüsselung",
    }
    never_dialled(n) {
        en: "{n} is not dialled by this bridge" | "{n} are not dialled by this bridge",
        de: "{n} wird von dieser Bridge nicht kontaktiert" | "{n} werden von dieser Bridge nicht kontaktiert",
    }
    hung_up(n) { en: "{n} hung up" | "{n} hung up", de: "{n} hat aufgelegt" | "{n} haben aufgelegt" }
    broke_protocol(n) {
        en: "{n} broke the protocol" | "{n} broke the protocol",
        de: "{n} hat das Protokoll verletzt" | "{n} haben das Protokoll verletzt",
    }
    banned(n) {
        en: "{n} sent wrong data and is banned" | "{n} sent wrong data and are banned",
        de: "{n} hat falsche Daten gesendet und ist gesperrt" | "{n} haben falsche Daten gesendet und sind gesperrt",
    }

    dht(nodes, peers) { en: "DHT: {nodes}, {peers}", de: "DHT: {nodes}, {peers}" }
    dht_so_far(nodes, peers) { en: "DHT: {nodes}, {peers} so far", de: "DHT: {nodes}, bisher {peers}" }
    dht_not_asked() { en: "Not asked for this torrent.", de: "Wird für diesen Torrent nicht gefragt." }
    dht_without_nodes() { en: "No node of it is known yet.", de: "Noch ist keiner ihrer Knoten bekannt." }
    dht_being_asked(nodes, peers) {
        en: "Being asked; it named {peers} so far. {nodes} known.",
        de: "Wird gefragt; hat bisher {peers} genannt. {nodes} bekannt.",
    }
    dht_named_none(nodes) {
        en: "Named no peers when it was asked last. {nodes} known.",
        de: "Hat bei der letzten Anfrage keine Peers genannt. {nodes} bekannt.",
    }
    dht_named(nodes, peers) {
        en: "Named {peers} when it was asked last. {nodes} known.",
        de: "Hat bei der letzten Anfrage {peers} genannt. {nodes} bekannt.",
    }
}
