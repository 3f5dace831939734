//! The page's texts about a torrent and about the bridge: the status word, and the reason why there
//! is no progress.

mod bridge;
mod details;
mod numbers;
mod peers;
mod saving;
mod search;
mod trackers;

use super::leaving::is_only_source;
use crate::format::{duration, percent};
use crate::message::{BridgeStatus, Missing, Peers, Phase, Torrent};
use crate::texts::status as texts;

pub(super) use self::bridge::{blocked, bridge, bridge_retry, bridge_state};
pub(super) use self::details::{answers, details};
pub(super) use self::numbers::{Number, progress};
pub(super) use self::peers::{peer_state, route};
pub(super) use self::saving::copied;
use self::search::{place, search};
pub(super) use self::trackers::tracker;

/// The first words of a torrent's status.
pub(super) fn status(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => texts::connecting(),
        Phase::FetchingMetadata => texts::fetching_metadata(),
        Phase::Checking => texts::checking(),
        Phase::Copying => texts::copying(),
        Phase::Downloading => texts::downloading(),
        Phase::Seeding => texts::seeding(),
        Phase::Finished => texts::finished(),
        Phase::Paused => texts::paused(),
        Phase::Error => texts::error(),
    }
}

/// The activity of a torrent and, if there is no progress, the reason. Empty if the numbers are
/// sufficient. Screen readers read it whenever it changes, so what changes every second is in
/// [`countdown`].
pub(super) fn reason(torrent: &Torrent, bridge: &BridgeStatus) -> String {
    let sentence = state(torrent, bridge);
    let takes_part = match torrent.phase {
        Phase::Seeding => true,
        Phase::Finished | Phase::Downloading => torrent.peers.connected > 0,
        _ => false,
    };
    // Beside other sentences, since only the user can do something about it.
    if torrent.search.trackers.unregistered && takes_part {
        return format!("{sentence} {}", texts::not_registered())
            .trim_start()
            .to_owned();
    }
    sentence
}

fn state(torrent: &Torrent, bridge: &BridgeStatus) -> String {
    match torrent.phase {
        Phase::Paused if torrent.is_complete() => texts::complete_but_paused().to_owned(),
        Phase::Paused => String::new(),
        Phase::Error => torrent.failure.clone().unwrap_or_default(),
        Phase::Copying => texts::copying_your_files().to_owned(),
        Phase::Checking => texts::reading().to_owned(),
        _ if *bridge != BridgeStatus::Connected => texts::waiting_for_bridge().to_owned(),
        Phase::Seeding | Phase::Finished if torrent.search.waiting.is_some() => {
            texts::wanted_is_here(place(&torrent.search))
        }
        Phase::Seeding if is_only_source(torrent) => texts::only_source().to_owned(),
        Phase::Seeding => texts::all_is_here().to_owned(),
        Phase::Finished if torrent.progress.wanted == 0 => texts::no_file_is_chosen().to_owned(),
        Phase::Finished => texts::chosen_are_here().to_owned(),
        Phase::FetchingMetadata if torrent.peers.connected > 0 => {
            texts::asking_for_metadata(torrent.peers.connected)
        }
        Phase::Connecting | Phase::FetchingMetadata => search(&torrent.search),
        Phase::Downloading => stall(torrent),
    }
}

/// What happened to this tab while it was suspended for so many seconds.
pub(super) fn suspended(seconds: u32) -> String {
    texts::suspended(duration(seconds.into()))
}

/// A percentage, or the time until something is tried again. Empty if there is no such number.
pub(super) fn countdown(torrent: &Torrent, bridge: &BridgeStatus) -> String {
    match torrent.phase {
        Phase::Checking | Phase::Copying => {
            let progress = &torrent.progress;
            format!(
                "{} %",
                percent(progress.checked, progress.total.unwrap_or(0))
            )
        }
        Phase::Connecting | Phase::FetchingMetadata | Phase::Downloading
            if *bridge == BridgeStatus::Connected =>
        {
            retry(torrent)
        }
        _ => String::new(),
    }
}

/// When trackers are asked again, if their last answers contained no peers.
fn retry(torrent: &Torrent) -> String {
    let search = &torrent.search;
    let waits =
        torrent.peers.connected == 0 && search.peers.found == 0 && search.trackers.heard() > 0;
    let seconds = search.trackers.retry_in.filter(|_| waits);
    seconds.map_or_else(String::new, |s| texts::trying_again_in(duration(s.into())))
}

/// A download below this rate, in bytes per second, that takes longer than [`LONG`] is slow.
const SLOW: u64 = 64 << 10;
/// A long time, in seconds.
const LONG: u64 = 600;

/// Why a download that makes progress is slow; empty if it is not.
fn slowness(torrent: &Torrent) -> String {
    let Peers {
        interesting,
        unchoking,
        ..
    } = torrent.peers;
    let is_slow =
        torrent.traffic.down < SLOW && torrent.progress.eta.is_none_or(|left| left > LONG);
    match (is_slow, interesting, unchoking) {
        (false, ..) | (true, 0, _) => String::new(),
        (true, 1, _) => texts::only_peer_is_slow().to_owned(),
        (true, all, some) if some < all => texts::few_unchoke(some, all),
        (true, all, _) => texts::peers_are_slow(all),
    }
}

/// Storage that takes this many bytes per second is not called slow, whatever peers could send.
const FAST_STORAGE: u64 = 32 << 20;

/// Why a download makes no progress, or little; empty if it does.
fn stall(torrent: &Torrent) -> String {
    let Peers {
        connected,
        interesting,
        unchoking,
        ..
    } = torrent.peers;
    match torrent {
        t if t.storage_is_slow && t.traffic.down < FAST_STORAGE => {
            texts::storage_is_slow().to_owned()
        }
        t if t.traffic.down > 0 => slowness(t),
        t if connected == 0 => search(&t.search),
        t if interesting == 0 => nobody_has(connected, t.missing),
        _ if unchoking == 0 => texts::nobody_unchokes(connected),
        _ => texts::waiting_for_data(connected),
    }
}

/// Which pieces none of the connected peers has.
fn nobody_has(connected: u32, missing: Option<Missing>) -> String {
    match missing {
        Some(Missing { first, number: 1 }) => texts::nobody_has_the_last_piece(connected, first),
        Some(Missing { first, number }) => texts::nobody_has_the_pieces(connected, first, number),
        None => texts::nobody_has_a_piece(connected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Progress, Search, TrackerSearch, WaitReason};
    use crate::texts::Language;

    const CONNECTED: BridgeStatus = BridgeStatus::Connected;

    fn torrent(phase: Phase) -> Torrent {
        Torrent {
            id: 1,
            name: "film".into(),
            magnet: Some(String::new()),
            phase,
            files: 1,
            progress: Progress {
                total: Some(100),
                wanted: 100,
                ..Progress::default()
            },
            ..Torrent::default()
        }
    }

    fn failed(retry_in: u32) -> Search {
        Search {
            trackers: TrackerSearch {
                named: 1,
                failed: 1,
                retry_in: Some(retry_in),
                ..TrackerSearch::default()
            },
            ..Search::default()
        }
    }

    #[test]
    fn what_is_spoken_does_not_change_with_a_countdown_or_a_percentage() {
        let mut t = torrent(Phase::Connecting);
        let texts = |t: &Torrent| (reason(t, &CONNECTED), countdown(t, &CONNECTED));
        t.search = failed(240);
        let (spoken, waiting) = texts(&t);
        assert_eq!(waiting, "Trying again in 4 min.");
        t.search = failed(7);
        assert_eq!(texts(&t), (spoken, "Trying again in 7 s.".to_owned()));
        for phase in [Phase::Checking, Phase::Copying] {
            (t.phase, t.progress.checked) = (phase, 10);
            let (spoken, percentage) = texts(&t);
            assert_eq!(percentage, "10 %");
            t.progress.checked = 20;
            assert_eq!(texts(&t), (spoken, "20 %".to_owned()));
        }
    }

    #[test]
    fn a_paused_torrent_that_is_complete_says_that_it_is() {
        let mut t = torrent(Phase::Paused);
        t.progress.done = t.progress.wanted;
        assert!(reason(&t, &CONNECTED).starts_with("All of it is here and can be saved."));
    }

    #[test]
    fn a_seed_without_a_place_says_what_it_waits_for() {
        let mut t = torrent(Phase::Seeding);
        t.search.waiting = Some(WaitReason::AllInUse(32));
        assert_eq!(
            reason(&t, &CONNECTED),
            "What you want is here. Waiting for a place (32 in use). Pause or remove a torrent to make room."
        );
    }

    #[test]
    fn a_stalled_download_says_why() {
        let mut t = torrent(Phase::Downloading);
        t.peers.connected = 3;
        assert_eq!(
            reason(&t, &CONNECTED),
            "Connected to 3 peers, but none has a piece that is missing here."
        );
        t.peers.interesting = 2;
        assert_eq!(
            reason(&t, &CONNECTED),
            "Connected to 3 peers; none has let us request yet."
        );
        t.peers.interesting = 0;
        t.missing = Some(Missing {
            first: 17,
            number: 1,
        });
        assert_eq!(
            reason(&t, &CONNECTED),
            "Connected to 3 peers, but none has piece 17, the only one that is missing here."
        );
        t.traffic.down = 1 << 20;
        assert_eq!(reason(&t, &CONNECTED), "");
    }

    #[test]
    fn a_slow_download_says_how_many_peers_send() {
        let mut t = torrent(Phase::Downloading);
        (t.traffic.down, t.progress.eta) = (1000, Some(7200));
        (t.peers.connected, t.peers.interesting, t.peers.unchoking) = (9, 5, 2);
        assert_eq!(
            reason(&t, &CONNECTED),
            "5 peers have missing pieces, but only 2 of them let us request."
        );
        t.peers.unchoking = 5;
        assert_eq!(
            reason(&t, &CONNECTED),
            "5 peers have missing pieces and let us request, but send slowly."
        );
        t.peers.interesting = 1;
        assert_eq!(
            reason(&t, &CONNECTED),
            "The only peer that has missing pieces sends slowly."
        );
        t.progress.eta = Some(20);
        assert_eq!(reason(&t, &CONNECTED), "", "it ends soon");
    }

    #[test]
    fn a_download_that_waits_for_storage_does_not_blame_its_peers() {
        let mut t = torrent(Phase::Downloading);
        (t.peers.connected, t.peers.interesting, t.peers.unchoking) = (9, 5, 5);
        assert!(reason(&t, &CONNECTED).ends_with("waiting for data."));
        t.storage_is_slow = true;
        for rate in [0, 1000, 1 << 20] {
            t.traffic.down = rate;
            assert_eq!(reason(&t, &CONNECTED), texts::storage_is_slow());
        }
        t.traffic.down = FAST_STORAGE;
        assert_eq!(reason(&t, &CONNECTED), "");
    }

    #[test]
    fn german_sentences_agree_with_their_numbers() {
        Language::German.during(|| {
            let mut t = torrent(Phase::Downloading);
            t.peers.connected = 1;
            t.missing = Some(Missing {
                first: 17,
                number: 3,
            });
            assert_eq!(
                reason(&t, &CONNECTED),
                "Mit 1 Peer verbunden, aber keiner hat Teil 17 oder einen anderen der 3, die hier fehlen."
            );
            (t.traffic.down, t.progress.eta) = (1000, Some(7200));
            (t.peers.interesting, t.peers.unchoking) = (5, 1);
            assert_eq!(
                reason(&t, &CONNECTED),
                "5 Peers haben fehlende Teile, aber nur 1 davon nimmt Anfragen an."
            );
            t.peers.unchoking = 2;
            assert_eq!(
                reason(&t, &CONNECTED),
                "5 Peers haben fehlende Teile, aber nur 2 davon nehmen Anfragen an."
            );
        });
    }

    #[test]
    fn a_tracker_that_does_not_know_the_torrent_is_told_whatever_else_goes_on() {
        let mut t = torrent(Phase::Downloading);
        t.search.trackers.unregistered = true;
        (t.traffic.down, t.peers.connected) = (1 << 20, 1);
        assert_eq!(reason(&t, &CONNECTED), texts::not_registered());
        t.phase = Phase::Seeding;
        let told = reason(&t, &CONNECTED);
        assert!(told.starts_with("All of it is here.") && told.ends_with(texts::not_registered()));
        t.phase = Phase::Paused;
        assert_eq!(reason(&t, &CONNECTED), "");
    }

    #[test]
    fn without_the_bridge_a_torrent_that_needs_it_says_so() {
        let bridge = BridgeStatus::Waiting { seconds: 5 };
        assert_eq!(
            reason(&torrent(Phase::Downloading), &bridge),
            "Waiting for the bridge."
        );
        assert_eq!(reason(&torrent(Phase::Paused), &bridge), "");
    }
}
