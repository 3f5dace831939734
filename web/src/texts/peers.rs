//! What goes on between this page and one peer.

use super::texts;

texts! {
    /// Instead of an address: another tab of the bridge, by its number.
    tab(number) { en: "tab {number}", de: "Tab {number}" }
    unknown_client() { en: "Unknown", de: "Unbekannt" }
    state(theirs, ours) { en: "{theirs}, {ours}", de: "{theirs}, {ours}" }
    sends() { en: "sends", de: "sendet" }
    is_to_send() { en: "is to send", de: "soll senden" }
    has_nothing() { en: "has nothing we want", de: "hat nichts Gewünschtes" }
    chokes() { en: "chokes us", de: "drosselt uns" }
    unchokes() { en: "lets us request", de: "nimmt Anfragen an" }
    receives() { en: "receives", de: "empfängt" }
    waits() { en: "waits for us", de: "wartet auf uns" }
    wants_nothing() { en: "wants nothing of us", de: "will nichts von uns" }
    is_choked() { en: "is choked by us", de: "wird von uns gedrosselt" }
    may_request() { en: "may request", de: "darf anfragen" }
    explanation() {
        en: "A peer that chokes us answers no requests for now: each gives to a few at a time, and changes them every ten seconds. \
             So does this page: peers that we choke wait for their turn. One that wants nothing of us has all that we have.",
        de: "Ein Peer, der uns drosselt, beantwortet vorerst keine Anfragen: Jeder sendet nur wenigen gleichzeitig und wechselt alle zehn Sekunden. \
             So macht es auch diese Seite: Peers, die wir drosseln, warten, bis sie an der Reihe sind. Wer nichts von uns will, hat alles, was wir haben.",
    }

    through_bridge(transport, encryption, direction) {
        en: "bridge, {transport}, {encryption}, {direction}",
        de: "Bridge, {transport}, {encryption}, {direction}",
    }
    relayed_tab() { en: "another tab, through the bridge", de: "anderer Tab, über die Bridge" }
    direct_tab() { en: "another tab, directly", de: "anderer Tab, direkt" }
    in_the_clear() { en: "in the clear", de: "unverschlüsselt" }
    handshake_encrypted() { en: "handshake encrypted", de: "Handshake verschlüsselt" }
    encrypted() { en: "encrypted (RC4)", de: "verschlüsselt (RC4)" }
    dialled() { en: "dialled", de: "ausgehend" }
    dialled_the_bridge() { en: "dialled the bridge", de: "eingehend bei der Bridge" }
}
