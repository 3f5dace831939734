//! The worker's state of a torrent, in addition to the engine's.

use std::sync::Arc;

use aqueduct_core::meta::{Info, Magnet, Metainfo};
use aqueduct_core::resume::{FileStamp, Record};
use aqueduct_core::types::{Bitfield, InfoHash, SortedSet, TorrentId, visible};
use aqueduct_core::{Command, Instant, NewTorrent, PriorityRange, Resumed, TorrentSource};

use super::extra::Extra;
use crate::message::{Facts, Priority, TorrentOptions};
use crate::storage::client::Place;
use crate::storage::layout::ends;
use crate::storage::restore::Restored;

/// One torrent.
pub(crate) struct Torrent {
    /// Its number in the engine, and in messages between page and worker.
    pub(crate) id: TorrentId,
    /// Its link. The link's trackers are in `trackers`, which has their tiers.
    pub(crate) magnet: Magnet,
    /// Tiers of tracker URLs.
    pub(crate) trackers: Vec<Vec<String>>,
    /// The folder of its data.
    pub(crate) folder: String,
    /// What its .torrent file said besides the metadata.
    pub(crate) facts: Facts,
    /// Its metadata, once they are known.
    pub(crate) info: Option<Arc<Info>>,
    /// Which files are wanted; `None`: all.
    pub(crate) wanted: Option<Vec<bool>>,
    /// The user's choices for it.
    pub(crate) options: TorrentOptions,
    /// The indices of files that are downloaded before others.
    high: SortedSet<u32>,
    /// Whether it is running.
    pub(crate) run: RunState,
    /// What is known of its data, for when the metadata of a magnet link arrive.
    pub(crate) data: Resumed,
    /// When the user added it, in milliseconds since 1970; 0: not known.
    pub(crate) added: u64,
    /// If the user removed it: when its data are deleted.
    pub(crate) delete_at: Option<Instant>,
    /// The content of the next resume record.
    amounts: Amounts,
}

/// Whether the user wants a torrent to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunState {
    Running,
    Paused,
    /// Paused because the user has cleared the site's data, until the user decides whether to
    /// download them again.
    DataCleared,
}

/// The amounts that the engine saves for a torrent.
pub(crate) struct Amounts {
    /// Pieces that are verified and flushed.
    pub(crate) have: Bitfield,
    /// Bytes uploaded in all runs.
    pub(crate) uploaded: u64,
    /// Bytes downloaded in all runs.
    pub(crate) downloaded: u64,
}

impl Torrent {
    fn new(
        id: TorrentId,
        magnet: Magnet,
        trackers: Vec<Vec<String>>,
        info: Option<Arc<Info>>,
    ) -> Self {
        let wanted = info.as_ref().and_then(|info| selected(&magnet, info));
        Self {
            id,
            folder: magnet.info_hash.wire().to_string(),
            facts: Facts {
                web_seeds: magnet.web_seeds.clone(),
                ..Facts::default()
            },
            magnet,
            trackers,
            info,
            wanted,
            options: TorrentOptions::default(),
            high: SortedSet::new(),
            run: RunState::Running,
            data: Resumed::Nothing,
            added: 0,
            delete_at: None,
            amounts: Amounts {
                have: Bitfield::none(0),
                uploaded: 0,
                downloaded: 0,
            },
        }
    }

    /// A torrent from a magnet link. Each of its trackers is in its own tier.
    pub(crate) fn from_magnet(id: TorrentId, magnet: Magnet) -> Self {
        let trackers = single_tiers(&magnet.trackers);
        Self::new(id, magnet, trackers, None)
    }

    /// A torrent from a .torrent file.
    pub(crate) fn from_metainfo(id: TorrentId, metainfo: Metainfo) -> Self {
        let magnet = metainfo.magnet();
        let facts = Facts {
            web_seeds: metainfo.web_seeds,
            comment: metainfo.comment,
            created_by: metainfo.created_by,
            created: metainfo.created,
        };
        Self {
            facts,
            ..Self::new(id, magnet, metainfo.trackers, Some(metainfo.info))
        }
    }

    /// A torrent from the resume record of an earlier run. Also returns what is known of its data.
    pub(crate) fn from_record(id: TorrentId, restored: Restored) -> (Self, Resumed) {
        let Restored {
            folder,
            record,
            info,
            resumed,
        } = restored;
        let name = info.as_ref().map(|info| info.name.clone()).or(record.name);
        let Extra {
            options,
            high,
            facts,
        } = Extra::decode(&record.extra);
        let magnet = Magnet {
            info_hash: record.info_hash,
            name,
            trackers: record.trackers.concat(),
            web_seeds: facts.web_seeds.clone(),
            peers: Vec::new(),
            select: None,
        };
        let torrent = Self {
            folder,
            wanted: record.wanted,
            options,
            high: high.into_iter().collect(),
            facts,
            run: if record.paused {
                RunState::Paused
            } else {
                RunState::Running
            },
            added: record.added,
            amounts: Amounts {
                have: record.have,
                uploaded: record.uploaded,
                downloaded: record.downloaded,
            },
            ..Self::new(id, magnet, record.trackers, info)
        };
        (torrent, resumed)
    }

    /// The command that adds it to the engine; `resumed` is what is known of its data.
    pub(crate) fn add_command(&self, resumed: Resumed) -> Command {
        let source = match &self.info {
            Some(info) => TorrentSource::Info {
                info: Arc::clone(info),
                resumed,
                wanted: self.wanted.clone(),
            },
            None => TorrentSource::Magnet(self.magnet.clone()),
        };
        Command::Add(NewTorrent {
            torrent: self.id,
            source,
            paused: self.is_paused(),
        })
    }

    /// Whether it is known to be private (BEP 27).
    pub(crate) fn is_private(&self) -> bool {
        self.info.as_ref().is_some_and(|info| info.private)
    }

    /// Whether the user wants a file, as all are unless some were chosen.
    pub(crate) fn wants(&self, file: usize) -> bool {
        self.wanted
            .as_ref()
            .is_none_or(|flags| flags.get(file).copied().unwrap_or(true))
    }

    /// The priority of a file.
    pub(crate) fn priority(&self, file: usize) -> Priority {
        let is_high = || u32::try_from(file).is_ok_and(|file| self.high.contains(&file));
        match self.wants(file) {
            false => Priority::Skip,
            true if is_high() => Priority::High,
            true => Priority::Normal,
        }
    }

    /// Sets the priority of a file. Returns the new flags if another file is wanted now, or one less.
    pub(crate) fn set_priority(&mut self, file: u32, priority: Priority) -> Option<Vec<bool>> {
        let number = self.info.as_ref()?.files.len();
        let at = usize::try_from(file).ok().filter(|at| *at < number)?;
        if priority == Priority::High {
            self.high.insert(file)
        } else {
            self.high.remove(&file)
        };
        let is_wanted = priority != Priority::Skip;
        if self.wants(at) == is_wanted {
            return None;
        }
        let flags = self.wanted.get_or_insert_with(|| vec![true; number]);
        flags[at] = is_wanted;
        Some(flags.clone())
    }

    /// What the user wants to be downloaded first: files of high priority, then the whole torrent
    /// in order if that was chosen.
    pub(crate) fn order(&self) -> Vec<PriorityRange> {
        let Some(info) = &self.info else {
            return Vec::new();
        };
        let files = self
            .high
            .iter()
            .filter_map(|file| info.files.get(*file as usize));
        let mut ranges: Vec<PriorityRange> = files
            .map(|file| PriorityRange {
                start: file.offset,
                end: file.offset + file.size,
                ..PriorityRange::ALL
            })
            .collect();
        if self.options.sequential {
            ranges.extend(PriorityRange::sequential(info));
        }
        ranges
    }

    /// Whether it is not running.
    pub(crate) fn is_paused(&self) -> bool {
        self.run != RunState::Running
    }

    /// Records that the metadata of its magnet link arrived. A private torrent (BEP 27) keeps only
    /// the trackers of its link. Returns whether it lost others.
    pub(crate) fn set_info(&mut self, info: &Arc<Info>) -> bool {
        self.wanted = selected(&self.magnet, info);
        self.magnet.name = Some(info.name.clone());
        self.info = Some(Arc::clone(info));
        let loses = info.private && self.trackers.len() > self.magnet.trackers.len();
        if loses {
            self.trackers = single_tiers(&self.magnet.trackers);
        }
        loses
    }

    /// Adds trackers that it does not name, each in its own tier, unless it is known to be private
    /// (BEP 27).
    pub(crate) fn add_trackers(&mut self, urls: &[String]) {
        if self.is_private() {
            return;
        }
        let mut new = urls.to_vec();
        new.retain(|url| !self.trackers.iter().flatten().any(|known| known == url));
        self.trackers.extend(single_tiers(&new));
    }

    /// Its name as received, or its info-hash if it has none.
    pub(crate) fn name(&self) -> String {
        let known = self
            .info
            .as_ref()
            .map(|info| &info.name)
            .or(self.magnet.name.as_ref());
        known
            .cloned()
            .unwrap_or_else(|| self.info_hash().to_string())
    }

    /// Its name with control characters made visible.
    pub(crate) fn visible_name(&self) -> String {
        visible(&self.name()).into_owned()
    }

    /// Its info-hash.
    pub(crate) fn info_hash(&self) -> InfoHash {
        self.magnet.info_hash
    }

    /// The location of its data, once its metadata are known.
    pub(crate) fn place(&self) -> Option<Place> {
        let info = Arc::clone(self.info.as_ref()?);
        Some(Place {
            torrent: self.id,
            folder: self.folder.clone(),
            info,
        })
    }

    /// Records the amounts that the engine saves, for the next record.
    pub(crate) fn set_amounts(&mut self, amounts: Amounts) {
        self.amounts = amounts;
    }

    /// Records the transferred amounts in all runs, for the next record. Returns whether they have
    /// changed.
    pub(crate) fn set_transferred(&mut self, uploaded: u64, downloaded: u64) -> bool {
        let amounts = &mut self.amounts;
        let changed = (amounts.uploaded, amounts.downloaded) != (uploaded, downloaded);
        (amounts.uploaded, amounts.downloaded) = (uploaded, downloaded);
        changed
    }

    fn extra(&self) -> Extra {
        Extra {
            options: self.options,
            high: self.high.iter().copied().collect(),
            facts: self.facts.clone(),
        }
    }

    /// The next record to store.
    pub(crate) fn record(&self) -> Record {
        let Amounts {
            have,
            uploaded,
            downloaded,
        } = &self.amounts;
        let stamps = self
            .info
            .as_ref()
            .map(|info| ends(info, have))
            .unwrap_or_default();
        Record {
            have: have.clone(),
            uploaded: *uploaded,
            downloaded: *downloaded,
            stamps: stamps
                .into_iter()
                .map(|size| FileStamp { size, modified: 0 })
                .collect(),
            info: self.info.as_ref().map(|info| info.raw.clone()),
            name: self.magnet.name.clone(),
            trackers: self.trackers.clone(),
            wanted: self.wanted.clone(),
            paused: self.is_paused(),
            added: self.added,
            extra: self.extra().encode(),
            ..Record::new(self.info_hash())
        }
    }

    /// Resets a torrent whose data are gone: it starts without data under a new number, and waits
    /// for the user. One without metadata has lost nothing, and continues.
    pub(crate) fn start_over(&mut self, id: TorrentId, uploaded: u64, downloaded: u64) -> Resumed {
        self.id = id;
        let Some(info) = &self.info else {
            return Resumed::Nothing;
        };
        self.run = RunState::DataCleared;
        let have = Bitfield::none(info.lengths.pieces());
        self.amounts = Amounts {
            have: have.clone(),
            uploaded,
            downloaded,
        };
        Resumed::Record {
            have,
            check: Vec::new(),
            sample: Vec::new(),
            uploaded,
            downloaded,
        }
    }
}

/// Trackers, each in its own tier.
fn single_tiers(urls: &[String]) -> Vec<Vec<String>> {
    urls.iter().map(|url| vec![url.clone()]).collect()
}

/// The files that a magnet link selects (BEP 53, `so`), one flag per file.
fn selected(magnet: &Magnet, info: &Info) -> Option<Vec<bool>> {
    let chosen = magnet.select.as_ref()?;
    let mut wanted = vec![false; info.files.len()];
    for &file in chosen {
        if let Some(flag) = wanted.get_mut(file as usize) {
            *flag = true;
        }
    }
    wanted.contains(&true).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=film&so=1";

    /// Two files of 10 bytes in one piece.
    fn info() -> Arc<Info> {
        parsed("")
    }

    /// The same with this entry at the end.
    fn parsed(entry: &str) -> Arc<Info> {
        let raw = format!(
            "d5:filesld6:lengthi10e4:pathl1:aeed6:lengthi10e4:pathl1:beee4:name4:film12:piece lengthi32e6:pieces20:{}{entry}e",
            "x".repeat(20)
        );
        Arc::new(Info::parse(raw.into_bytes().into()).unwrap())
    }

    #[test]
    fn the_files_that_a_link_selects_are_wanted_once_the_metadata_are_there() {
        let mut torrent = Torrent::from_magnet(TorrentId(1), Magnet::parse(LINK).unwrap());
        assert_eq!(
            (torrent.wanted.clone(), torrent.name()),
            (None, "film".to_owned())
        );
        torrent.set_info(&info());
        assert_eq!(torrent.wanted, Some(vec![false, true]));
    }

    #[test]
    fn files_of_high_priority_come_first_and_then_all_in_order_if_the_user_wants_that() {
        let mut torrent = Torrent::from_magnet(TorrentId(1), Magnet::parse(LINK).unwrap());
        assert_eq!(
            torrent.set_priority(1, Priority::High),
            None,
            "no files yet"
        );
        torrent.set_info(&info());
        assert_eq!(
            torrent.set_priority(0, Priority::Normal),
            Some(vec![true, true])
        );
        assert_eq!(torrent.set_priority(1, Priority::High), None);
        let ranges = |torrent: &Torrent| {
            let order = torrent.order();
            order
                .iter()
                .map(|range| (range.start, range.end))
                .collect::<Vec<_>>()
        };
        assert_eq!(ranges(&torrent), [(10, 20)]);
        torrent.options.sequential = true;
        assert_eq!(ranges(&torrent).first(), Some(&(10, 20)));
        assert_eq!(ranges(&torrent).last(), Some(&(0, u64::MAX)));
        assert_eq!(
            torrent.set_priority(1, Priority::Skip),
            Some(vec![true, false])
        );
        let all = [0, 1].map(|file| torrent.priority(file));
        assert_eq!(all, [Priority::Normal, Priority::Skip]);
        assert_eq!(
            torrent.set_priority(2, Priority::High),
            None,
            "no such file"
        );
    }

    #[test]
    fn a_private_torrent_has_only_the_trackers_of_its_link() {
        let own = "http://own.example/announce".to_owned();
        let default = "udp://default.example:1".to_owned();
        for (entry, kept) in [("", true), ("7:privatei1e", false)] {
            let link = format!("{LINK}&tr={own}");
            let mut torrent = Torrent::from_magnet(TorrentId(1), Magnet::parse(&link).unwrap());
            torrent.add_trackers(&[own.clone(), default.clone()]);
            assert_eq!(torrent.trackers, [vec![own.clone()], vec![default.clone()]]);
            assert_eq!(torrent.set_info(&parsed(entry)), !kept);
            assert_eq!(torrent.trackers.len(), 1 + usize::from(kept));
        }
    }

    #[test]
    fn a_record_brings_back_what_it_was_made_of() {
        let mut torrent = Torrent::from_magnet(TorrentId(1), Magnet::parse(LINK).unwrap());
        torrent.set_info(&info());
        torrent.set_priority(1, Priority::High);
        torrent.options.sequential = true;
        (torrent.run, torrent.added) = (RunState::Paused, 42);
        torrent.set_amounts(Amounts {
            have: Bitfield::all(1),
            uploaded: 5,
            downloaded: 20,
        });
        let restored = Restored {
            folder: torrent.folder.clone(),
            record: torrent.record(),
            info: torrent.info.clone(),
            resumed: Resumed::Nothing,
        };
        let (back, _) = Torrent::from_record(TorrentId(2), restored);
        assert!(back.is_paused());
        assert_eq!(back.record(), torrent.record());
    }

    #[test]
    fn a_torrent_whose_data_were_cleared_starts_from_nothing_and_waits() {
        let mut torrent = Torrent::from_magnet(TorrentId(1), Magnet::parse(LINK).unwrap());
        torrent.start_over(TorrentId(2), 0, 0);
        assert!(!torrent.is_paused(), "without metadata nothing was lost");
        torrent.set_info(&info());
        torrent.start_over(TorrentId(3), 5, 20);
        assert_eq!(torrent.run, RunState::DataCleared);
        let record = torrent.record();
        assert_eq!((record.uploaded, record.have.count()), (5, 0));
    }
}
