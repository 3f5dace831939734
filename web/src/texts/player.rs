//! The player.

use super::texts;

texts! {
    play() { en: "Play", de: "Abspielen" }
    play_file(name) { en: "Play {name}", de: "{name} abspielen" }
    unplayable(name, why) {
        en: "{name} cannot be played: {why}.",
        de: "{name} kann nicht abgespielt werden: {why}.",
    }
    data_stopped() {
        en: "The data stopped arriving. Close the player and press Play again.",
        de: "Es kommen keine Daten mehr an. Den Player schließen und erneut „Abspielen“ drücken.",
    }
    removed() {
        en: "This torrent was removed. Close the player.",
        de: "Dieser Torrent wurde entfernt. Den Player schließen.",
    }
    stopped() {
        en: "The browser stopped playing: it found no sound output, or a fault in the file. Close the player and press Play again, or save the \
             file when it is complete and open it with another program.",
        de: "Der Browser spielt nicht weiter: Er hat keine Tonausgabe gefunden, oder die Datei hat einen Fehler. Den Player schließen und erneut \
             „Abspielen“ drücken, oder die Datei speichern, sobald sie vollständig ist, und mit einem anderen Programm öffnen.",
    }
    unsupported() {
        en: "This browser cannot play this file. Save it when it is complete, and open it with another program.",
        de: "Dieser Browser kann diese Datei nicht abspielen. Sobald sie vollständig ist, lässt sie sich speichern und mit einem anderen Programm öffnen.",
    }

    // Some of these, in this order, with semicolons between them.
    waiting() { en: "Waiting for data", de: "Wartet auf Daten" }
    are_here(part) { en: "{part} are here", de: "{part} sind da" }
    arriving(rate) { en: "{rate} arriving", de: "{rate} kommen an" }
    paused() {
        en: "paused; press Resume to download the rest",
        de: "angehalten; „Fortsetzen“ lädt den Rest herunter",
    }

    // Players outside the browser.
    other_player() { en: "Open in another player", de: "In einem anderen Player öffnen" }
    other_player_how() {
        en: "Open this address in a media player on this computer, such as VLC or mpv. It works while this page is open, also while the file is \
             being downloaded.",
        de: "Diese Adresse in einem Medienplayer auf diesem Computer öffnen, zum Beispiel in VLC oder mpv. Sie gilt, solange diese Seite geöffnet \
             ist, auch während die Datei noch herunterlädt.",
    }
    player_address() { en: "Address for players", de: "Adresse für Player" }
    no_address_yet() { en: "Waiting for the bridge", de: "Wartet auf die Bridge" }
    address_copied() { en: "Address copied.", de: "Adresse kopiert." }
}
