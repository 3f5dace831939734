//! Fields of forms, and what is wrong with what was typed into them.

use super::texts;

texts! {
    download_limit() { en: "Download limit", de: "Download-Limit" }
    upload_limit() { en: "Upload limit", de: "Upload-Limit" }
    limit_hint() { en: "KiB/s; empty: no limit", de: "KiB/s; leer: kein Limit" }
    as_settings() { en: "As the settings say", de: "Wie in den Einstellungen" }
    keep_seeding() { en: "Keep seeding", de: "Weiter verteilen" }
    stop_seeding() { en: "Stop seeding", de: "Nicht weiter verteilen" }
    seed_to_ratio() { en: "Seed to a ratio", de: "Bis zu einem Verhältnis" }
    ratio() { en: "Ratio", de: "Verhältnis" }
    ratio_hint() {
        en: "uploaded to downloaded",
        de: "hochgeladen zu heruntergeladen",
    }
    type_limit(most) {
        en: "Type a whole number of KiB per second from 1 to {most}, or nothing for no limit.",
        de: "Eine ganze Zahl von 1 bis {most} eingeben (KiB pro Sekunde) oder nichts, wenn es kein Limit geben soll.",
    }
    type_number(least, most) {
        en: "Type a whole number from {least} to {most}.",
        de: "Eine ganze Zahl von {least} bis {most} eingeben.",
    }
    type_ratio(least, most) {
        en: "Type a number from {least} to {most}, for instance 1.5.",
        de: "Eine Zahl von {least} bis {most} eingeben, zum Beispiel 1,5.",
    }
    type_addresses(wrong, schemes) {
        en: "{wrong} is no address that can be used here. Type one per line, each beginning with {schemes}.",
        de: "{wrong} ist keine Adresse, die hier verwendet werden kann. Eine pro Zeile eingeben, die jeweils mit {schemes} beginnt.",
    }
    type_fewer_addresses(most) {
        en: "Type at most {most} addresses.",
        de: "Höchstens {most} Adressen eingeben.",
    }
    either(one, other) { en: "{one} or {other}", de: "{one} oder {other}" }
}
