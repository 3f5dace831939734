//! All texts that the user reads, in every language of the page.
//!
//! Each file has the texts of one area. A text is a function, so that a missing language or a
//! misspelt placeholder does not compile, and texts that a program does not use are not in it. To
//! add a language: a variant of [`Language`], and a line per text.
//!
//! What others wrote stays as it is: names of files, answers of trackers, reasons of the browser, and
//! details for the author of a torrent.
//!
//! German is impersonal or imperative ("Dateien auswählen", "Der Browser …"), as in Firefox and
//! qBittorrent; „du“ and „Sie“ are avoided, quotes are „…“, and a number and its unit or `%` are
//! separated by a space. The same word is used everywhere:
//!
//! | English | German |
//! |---|---|
//! | torrent, peer, seed, tracker, DHT, bridge | der Torrent, Peer, Seed, Tracker, die DHT, die Bridge |
//! | magnet link, info-hash, .torrent file | Magnet-Link, Info-Hash, Torrent-Datei |
//! | swarm, piece, ratio, metadata | Schwarm, der Teil (jeder Teil, Teile), Verhältnis, Metadaten |
//! | download (verb; a running one) | herunterladen; lädt |
//! | a download, an upload (noun) | Download, Upload |
//! | upload, seed (verb; as a state) | hochladen, verteilen; Verteilt |
//! | down, up (names of columns and rates) | Download, Upload |
//! | gave, given (uploaded in all) | hochgeladen |
//! | share (a torrent or files) | teilen |
//! | add, remove, delete | hinzufügen, entfernen, löschen |
//! | pause, resume, paused | anhalten, fortsetzen, Angehalten |
//! | complete, finished | vollständig, Fertig |
//! | check, verify | prüfen |
//! | choose, chosen | auswählen, ausgewählt |
//! | again | erneut |
//! | cannot be read, saved, written | kann nicht gelesen, gespeichert, geschrieben werden |
//! | save (as a file) | speichern |
//! | storage, stored | Speicher, gespeichert |
//! | page, tab, browser, worker | Seite, Tab, Browser, Hintergrundprogramm |
//! | private torrent | privater Torrent |
//! | error, failed | Fehler, fehlgeschlagen |

pub(crate) mod about;
pub(crate) mod add;
pub(crate) mod amounts;
pub(crate) mod blocked;
pub(crate) mod bridge;
pub(crate) mod browser;
pub(crate) mod common;
pub(crate) mod creating;
pub(crate) mod details;
pub(crate) mod errors;
pub(crate) mod fields;
mod language;
pub(crate) mod list;
pub(crate) mod notices;
pub(crate) mod opened;
pub(crate) mod peers;
pub(crate) mod player;
pub(crate) mod saving;
pub(crate) mod search;
pub(crate) mod settings;
pub(crate) mod sharing;
#[cfg(test)]
mod sources;
pub(crate) mod status;
pub(crate) mod storage;
mod template;
pub(crate) mod trackers;

pub use self::language::Language;

/// Declares texts. A placeholder is the name of an argument in braces. Two texts with `|` between
/// them are singular and plural, and the first argument is the number that decides.
///
/// ```ignore
/// texts! {
///     paused() { en: "Paused", de: "Angehalten" }
///     missing(amount) { en: "{amount} missing", de: "{amount} fehlen" }
///     peers(n) { en: "{n} peer" | "{n} peers", de: "{n} Peer" | "{n} Peers" }
/// }
/// ```
macro_rules! texts {
    ($( $(#[$attribute:meta])* $name:ident $arguments:tt { $($languages:tt)* } )*) => {
        $( $crate::texts::text! { [$(#[$attribute])*] $name $arguments { $($languages)* } } )*
    };
}

/// One text of [`texts`].
macro_rules! text {
    ([$($attributes:tt)*] $name:ident () { en: $en:literal, de: $de:literal $(,)? }) => {
        $($attributes)*
        pub(crate) fn $name() -> &'static str {
            const { $crate::texts::template::check(&[$en, $de], &[]) };
            $crate::texts::Language::current().pick($en, $de)
        }
    };
    ([$($attributes:tt)*] $name:ident ($($argument:ident),+) { en: $en:literal, de: $de:literal $(,)? }) => {
        $($attributes)*
        pub(crate) fn $name($($argument: impl std::fmt::Display),+) -> String {
            const { $crate::texts::template::check(&[$en, $de], &[$(stringify!($argument)),+]) };
            $crate::texts::template::fill(
                $crate::texts::Language::current().pick($en, $de),
                &[$((stringify!($argument), &$argument)),+],
            )
        }
    };
    ([$($attributes:tt)*] $name:ident ($n:ident $(, $argument:ident)*) {
        en: $en_one:literal | $en:literal, de: $de_one:literal | $de:literal $(,)?
    }) => {
        $($attributes)*
        pub(crate) fn $name($n: impl TryInto<u64> $(, $argument: impl std::fmt::Display)*) -> String {
            const {
                $crate::texts::template::check(&[$en, $de], &[stringify!($n) $(, stringify!($argument))*]);
                $crate::texts::template::check_placeholders(&[$en_one, $de_one], &[stringify!($n) $(, stringify!($argument))*]);
            };
            let $n = $n.try_into().unwrap_or(u64::MAX);
            let (one, other) = $crate::texts::Language::current().pick(($en_one, $en), ($de_one, $de));
            $crate::texts::template::fill(
                if $n == 1 { one } else { other },
                &[(stringify!($n), &$n) $(, (stringify!($argument), &$argument))*],
            )
        }
    };
}

pub(crate) use {text, texts};
