//! Which stored file contains which file of a torrent.
//!
//! Usually each has its own. Opening a file costs a browser several milliseconds, so in a torrent
//! with very many files the small ones are combined: each container has a run of consecutive files
//! in the torrent's order, and a piece of a thousand small files is one write.

use std::ops::Range;

use aqueduct_core::meta::Info;
use aqueduct_core::types::SortedMap;

use super::error::FsError;
use super::opfs::Folder;

/// Torrents with more files than this have containers.
pub(crate) const MANY_FILES: usize = 64;
/// Files with more bytes than this have their own stored file: opening one takes no longer than
/// writing it.
const SMALL: u64 = 256 << 10;
/// The maximum size of a container in bytes. A file that is wanted alone also takes up space for
/// those before it in its container.
const CONTAINER: u64 = 4 << 20;
/// Prefix of the names of containers; a stored file of one file is named after its index.
const PREFIX: &str = "pack-";

/// The location of the bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The first file of the torrent that is in the same stored file.
    pub(crate) first: usize,
    /// The offset of this file in the stored file, in bytes.
    pub(crate) at: u64,
    /// Whether it is a container.
    pub(crate) shared: bool,
}

impl Slot {
    const fn own(file: usize) -> Self {
        Self {
            first: file,
            at: 0,
            shared: false,
        }
    }

    /// The stored file's name.
    pub(crate) fn name(self) -> String {
        if self.shared {
            format!("{PREFIX}{}", self.first)
        } else {
            self.first.to_string()
        }
    }
}

/// A contiguous part of a torrent's byte range in one stored file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The stored file. Its `at` is the offset of the run.
    pub(crate) slot: Slot,
    /// The part of the torrent's range.
    pub(crate) range: Range<u64>,
}

/// The slots of a torrent's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrangement {
    /// Empty if each file has its own stored file.
    slots: Vec<Slot>,
}

impl Arrangement {
    /// The arrangement of a torrent without stored data.
    pub(crate) fn new(info: &Info) -> Self {
        if info.files.len() <= MANY_FILES {
            return Self::default();
        }
        let (mut slots, mut open) = (Vec::with_capacity(info.files.len()), None);
        for (index, file) in info.files.iter().enumerate() {
            let small = !file.pad && file.size <= SMALL;
            slots.push(if small {
                place(index, file.size, &mut open)
            } else {
                Slot::own(index)
            });
        }
        Self { slots }
    }

    /// The arrangement of a torrent whose folder contains stored files of these names. Earlier
    /// versions had no containers.
    pub(crate) fn found<'a>(info: &Info, names: impl IntoIterator<Item = &'a str>) -> Self {
        let new = Self::new(info);
        let mut old = false;
        for name in names {
            if name.starts_with(PREFIX) {
                return new;
            }
            old |= name.parse().is_ok_and(|file| new.slot(file).shared);
        }
        if old { Self::default() } else { new }
    }

    /// The slot of a file.
    pub(crate) fn slot(&self, file: usize) -> Slot {
        self.slots.get(file).copied().unwrap_or(Slot::own(file))
    }

    /// The runs of a byte range of the torrent. Padding is left out, since it is never stored.
    pub(crate) fn runs(&self, info: &Info, offset: u64, length: u64) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for span in info
            .layout(offset, length)
            .filter(|span| !is_pad(info, span.file))
        {
            let slot = self.slot(span.file);
            let slot = Slot {
                at: slot.at + span.at,
                ..slot
            };
            match runs.last_mut() {
                Some(last) if follows(last, slot, &span.range) => last.range.end = span.range.end,
                _ => runs.push(Run {
                    slot,
                    range: span.range,
                }),
            }
        }
        runs
    }

    /// Each stored file with the torrent's files in it, each with its end in the stored file if it
    /// has the length in `lengths`. Files of length 0 are left out.
    pub(crate) fn stored(&self, lengths: &[u64]) -> Vec<(Slot, Vec<(usize, u64)>)> {
        let mut stored: SortedMap<usize, (Slot, Vec<(usize, u64)>)> = SortedMap::new();
        for (file, length) in lengths
            .iter()
            .enumerate()
            .filter(|(_, length)| **length > 0)
        {
            let slot = self.slot(file);
            stored
                .get_or_insert_with(slot.first, || (slot, Vec::new()))
                .1
                .push((file, slot.at + length));
        }
        stored.into_values().collect()
    }
}

/// The arrangement of the files of a torrent in this folder.
pub(super) async fn arrangement_in(folder: &Folder, info: &Info) -> Result<Arrangement, FsError> {
    if info.files.len() <= MANY_FILES {
        return Ok(Arrangement::default());
    }
    let names = folder.names().await?;
    Ok(Arrangement::found(info, names.iter().map(String::as_str)))
}

/// The next slot in the container that is being filled, or in a new one.
fn place(index: usize, size: u64, open: &mut Option<(usize, u64)>) -> Slot {
    let (first, at) = open
        .filter(|(_, filled)| filled + size <= CONTAINER)
        .unwrap_or((index, 0));
    *open = Some((first, at + size));
    Slot {
        first,
        at,
        shared: true,
    }
}

fn follows(last: &Run, slot: Slot, range: &Range<u64>) -> bool {
    last.slot.first == slot.first
        && last.range.end == range.start
        && last.slot.at + (last.range.end - last.range.start) == slot.at
}

fn is_pad(info: &Info, file: usize) -> bool {
    info.files.get(file).is_some_and(|file| file.pad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// A torrent with files of these sizes and a piece length of 1 MiB; `attr` `p` marks padding.
    fn info(files: &[(u64, &str)]) -> Info {
        let total: u64 = files.iter().map(|(size, _)| size).sum();
        let list: String = files
            .iter()
            .enumerate()
            .map(|(n, (size, attr))| {
                format!(
                    "d4:attr{}:{attr}6:lengthi{size}e4:pathl6:{n:06}ee",
                    attr.len()
                )
            })
            .collect();
        let pieces = "x".repeat(usize::try_from(total.div_ceil(1 << 20)).unwrap() * 20);
        let raw = format!(
            "d5:filesl{list}e4:name1:t12:piece lengthi{}e6:pieces{}:{pieces}e",
            1 << 20,
            pieces.len()
        );
        Info::parse(Bytes::from(raw)).unwrap()
    }

    fn many(size: u64) -> Vec<(u64, &'static str)> {
        vec![(size, ""); MANY_FILES + 1]
    }

    #[test]
    fn a_torrent_of_few_files_has_a_stored_file_for_each() {
        let info = info(&[(10, ""), (20, "")]);
        let all = Arrangement::new(&info);
        assert_eq!(
            (all.slot(1), all.slot(1).name()),
            (Slot::own(1), "1".to_owned())
        );
        assert_eq!(all.runs(&info, 5, 10).len(), 2);
    }

    #[test]
    fn small_neighbours_of_many_lie_together_and_a_range_over_them_is_one_run() {
        let info = info(&many(1000));
        let all = Arrangement::new(&info);
        assert_eq!(
            all.slot(3),
            Slot {
                first: 0,
                at: 3000,
                shared: true
            }
        );
        assert_eq!(all.slot(3).name(), "pack-0");
        assert_eq!(
            all.runs(&info, 2500, 40_000),
            [Run {
                slot: Slot {
                    first: 0,
                    at: 2500,
                    shared: true
                },
                range: 0..40_000
            }]
        );
    }

    #[test]
    fn large_files_and_full_containers_end_a_run_and_pads_are_left_out() {
        let mut files = many(200_000);
        files[1] = (SMALL + 1, "");
        files[3] = (500, "p");
        let info = info(&files);
        let all = Arrangement::new(&info);
        assert_eq!(
            (all.slot(0).name(), all.slot(1).name(), all.slot(2).at),
            ("pack-0".into(), "1".into(), 200_000)
        );
        let runs = all.runs(&info, 0, info.lengths.total());
        assert_eq!(
            runs.iter()
                .map(|run| run.range.end - run.range.start)
                .sum::<u64>(),
            info.lengths.total() - 500
        );
        assert!(
            runs.iter()
                .all(|run| run.slot.at + (run.range.end - run.range.start) <= CONTAINER),
            "{runs:?}"
        );
        let containers: Vec<String> = runs.iter().map(|run| run.slot.name()).collect();
        assert_eq!(containers[..4], ["pack-0", "1", "pack-0", "pack-0"]);
    }

    #[test]
    fn what_an_earlier_version_stored_is_found_where_it_is() {
        let info = info(&many(1000));
        assert_eq!(
            Arrangement::found(&info, ["record-a", "7"]),
            Arrangement::default()
        );
        assert_eq!(
            Arrangement::found(&info, ["record-a", "pack-0"]),
            Arrangement::new(&info)
        );
        assert_eq!(
            Arrangement::found(&info, ["record-a"]),
            Arrangement::new(&info)
        );
    }

    #[test]
    fn a_stored_file_must_be_as_long_as_the_last_byte_in_it_asks() {
        let info = info(&many(1000));
        let mut lengths = vec![0; info.files.len()];
        (lengths[2], lengths[5]) = (1000, 10);
        let stored = Arrangement::new(&info).stored(&lengths);
        assert_eq!(
            stored,
            [(
                Slot {
                    first: 0,
                    at: 2000,
                    shared: true
                },
                vec![(2, 3000), (5, 5010)]
            )]
        );
        let stored = Arrangement::default().stored(&lengths);
        assert_eq!(
            stored,
            [
                (Slot::own(2), vec![(2, 1000)]),
                (Slot::own(5), vec![(5, 10)])
            ]
        );
    }
}
