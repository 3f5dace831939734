//! Under which names a torrent's files lie: its own wherever the file system takes them, safe ones
//! where it does not.
//!
//! What a file system takes is not guessed but tried. A name that is refused (FAT: `?`, `:`; some:
//! 255 bytes) is replaced by a safe one; of two files whose names are one name here (`Makefile`,
//! `makefile`) the second to come gets a number. Both are remembered in the resume record
//! ([`Names::given`]), and told ([`Names::take_news`]).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

use aqueduct_core::meta::{File, Info, folded_name, numbered_name, plain_name, portable_name};
use rustix::io::Errno;

use super::disk::Stat;
use super::watch::Facts;
use super::{Access, Disk, Storage, StorageError, find, stamp_of};

/// Numbers that a name may get.
const MAX_NUMBER: u32 = 500;

/// Where the files of one torrent are.
#[derive(Debug)]
pub(super) struct Names {
    info: Arc<Info>,
    /// Files that are elsewhere than the torrent says.
    given: BTreeMap<usize, Vec<String>>,
    /// The same of folders: the torrent's path and the one that is.
    folders: BTreeMap<Vec<String>, Vec<String>>,
    /// For each file with a path that may be one with another's here, safe names taken into
    /// account: these others.
    twins: BTreeMap<usize, Vec<usize>>,
    /// Files that were found or opened under the path that they have.
    settled: BTreeSet<usize>,
    /// Whose each path is, in use or meant to be; `None`: several files'. Made when the first safe
    /// name is looked for.
    taken: Option<BTreeMap<String, Option<usize>>>,
    news: Vec<usize>,
}

/// A file that lies elsewhere than its torrent says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// Components as the torrent has them.
    pub own: Vec<String>,
    /// Components as they are.
    pub written: Vec<String>,
}

/// Whether an answer to opening a file for writing says that the file system does not take its
/// name. On FAT and its relatives a name may be invalid; over SMB such a name is "not found", and
/// so is a name of dots alone on FAT.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    let refusals = [Errno::INVAL, Errno::NAMETOOLONG, Errno::ILSEQ, Errno::NOENT];
    refusals
        .iter()
        .any(|refusal| error.raw_os_error() == Some(refusal.raw_os_error()))
}

impl Names {
    /// Every file under its own name.
    pub(super) fn new(info: Arc<Info>) -> Self {
        let twins = twins(&info.files);
        Self {
            info,
            given: BTreeMap::new(),
            folders: BTreeMap::new(),
            twins,
            settled: BTreeSet::new(),
            taken: None,
            news: Vec::new(),
        }
    }

    /// The components of a file's path.
    pub(super) fn path(&self, index: usize) -> Vec<String> {
        let own = || {
            self.info
                .files
                .get(index)
                .map_or_else(Vec::new, |file| self.moved(&file.path))
        };
        self.given.get(&index).cloned().unwrap_or_else(own)
    }

    /// A path with the folders that are elsewhere where they are.
    fn moved(&self, own: &[String]) -> Vec<String> {
        let folders = if self.folders.is_empty() {
            0
        } else {
            own.len()
        };
        let deepest = (1..folders)
            .rev()
            .find_map(|depth| Some((depth, self.folders.get(own.get(..depth)?)?)));
        match deepest {
            Some((depth, folder)) => folder
                .iter()
                .chain(own.get(depth..).unwrap_or_default())
                .cloned()
                .collect(),
            None => own.to_vec(),
        }
    }

    /// Whether opening a file says nothing about its name.
    pub(super) fn is_plain(&self, index: usize) -> bool {
        !self.twins.contains_key(&index) || self.settled.contains(&index)
    }

    /// Files that are elsewhere, in the form of the resume record.
    pub(super) fn given(&self) -> Vec<(u32, Vec<String>)> {
        self.given
            .iter()
            .filter_map(|(&index, path)| Some((u32::try_from(index).ok()?, path.clone())))
            .collect()
    }

    /// Takes up what a resume record says. Returns the files that it moved.
    pub(super) fn recall(&mut self, given: &[(u32, Vec<String>)]) -> Vec<usize> {
        let info = Arc::clone(&self.info);
        for (index, path) in given {
            let Ok(index) = usize::try_from(*index) else {
                continue;
            };
            if info
                .files
                .get(index)
                .is_some_and(|file| !file.pad && file.path.len() == path.len())
                && path.iter().all(|name| is_harmless(name))
            {
                self.settle(index, path.clone());
            }
        }
        self.news.retain(|news| {
            given
                .iter()
                .all(|(index, _)| usize::try_from(*index) != Ok(*news))
        });
        let is_moved = |(index, file): (usize, &File)| {
            (!file.pad && self.path(index) != file.path).then_some(index)
        };
        info.files.iter().enumerate().filter_map(is_moved).collect()
    }

    /// What was moved since this was asked last.
    pub(super) fn take_news(&mut self) -> Vec<Renamed> {
        let news = mem::take(&mut self.news);
        let renamed = |index: &usize| {
            Some(Renamed {
                own: self.info.files.get(*index)?.path.clone(),
                written: self.given.get(index)?.clone(),
            })
        };
        news.iter().filter_map(renamed).collect()
    }

    /// Whether the torrent's own folder is not there, under no name that it may have: then none of
    /// its files is, however many there are to look for.
    pub(super) fn are_nowhere<D: Disk>(&self, disk: &D) -> bool {
        let tops = self
            .info
            .files
            .first()
            .filter(|file| self.info.multi && file.path.len() > 1)
            .and_then(|file| file.path.first());
        let is_absent = |top: String| matches!(stat(disk, &[top]), Ok(None));
        tops.is_some_and(|top| {
            [top.clone(), portable_name(top), plain_name(top)]
                .into_iter()
                .all(is_absent)
        })
    }

    /// Looks for a file where it may be without anything having been written by this run: under its
    /// own name, under a safe one with its size, or under one with a number if another file of the
    /// torrent has its own. `None`: nowhere.
    pub(super) fn find<D: Disk>(&mut self, disk: &D, index: usize) -> io::Result<Option<Stat>> {
        let info = Arc::clone(&self.info);
        let Some(file) = info.files.get(index).filter(|file| !file.pad) else {
            return Ok(None);
        };
        let path = self.path(index);
        let mut own = self.look(disk, index, &path)?;
        if let Some(found) = own {
            let is_shared = self.is_shared(disk, index, found).unwrap_or(true);
            // Two names of one file where spelling counts: a hard link, which is as good as a copy
            // until it is written to.
            let is_link = is_shared
                && found.size == file.size
                && !self.has_more_spellings(disk, &path).unwrap_or(true);
            if is_link {
                return Ok(own);
            }
            own = own.filter(|_| !is_shared);
            // Another's, or perhaps another's by its size: then its own may have the number.
            let is_doubtful = !self.is_plain(index) && (own.is_none() || found.size != file.size);
            let numbered = if is_doubtful {
                numbered(&path).take(1).collect()
            } else {
                Vec::new()
            };
            return Ok(self
                .adopt(disk, index, numbered)
                .or_else(|| own.inspect(|_| _ = self.settled.insert(index))));
        }
        if self.given.contains_key(&index) {
            return Ok(None);
        }
        Ok(self.adopt(disk, index, safe_paths(&file.path, &path)))
    }

    /// Takes the first of these paths that has a file of the right size.
    fn adopt<D: Disk>(&mut self, disk: &D, index: usize, paths: Vec<Vec<String>>) -> Option<Stat> {
        let size = self
            .info
            .files
            .get(index)
            .map(|file| file.size)
            .filter(|&size| size > 0)?;
        for path in paths {
            let found = stat(disk, &path)
                .ok()
                .flatten()
                .filter(|found| found.size == size);
            if let Some(found) = found.filter(|_| self.is_free(index, &path)) {
                self.settle(index, path);
                self.news.push(index);
                return Some(found);
            }
        }
        None
    }

    /// Opens a file for writing, whatever name that takes.
    pub(super) fn open<D: Disk>(&mut self, disk: &D, index: usize) -> io::Result<D::File> {
        let info = Arc::clone(&self.info);
        let path = self.path(index);
        match disk.open(&path, Access::Write) {
            Ok(open) => {
                let stat = disk.stat(&open)?;
                if self.is_shared(disk, index, stat)? {
                    return self.open_elsewhere(
                        disk,
                        index,
                        vec![path],
                        io::ErrorKind::AlreadyExists.into(),
                    );
                }
                self.settled.insert(index);
                Ok(open)
            }
            Err(error) if is_refusal(&error) => {
                let safe = info
                    .files
                    .get(index)
                    .map_or_else(Vec::new, |file| safe_paths(&file.path, &path));
                self.open_elsewhere(disk, index, safe, error)
            }
            Err(error) => match self.beside_rival(index, &path) {
                Some(path) => self.open_elsewhere(disk, index, vec![path], error),
                None => Err(error),
            },
        }
    }

    /// What is there; nothing, if a file of the torrent stands where another has its folder: here
    /// the two have one name.
    fn look<D: Disk>(&self, disk: &D, index: usize, path: &[String]) -> io::Result<Option<Stat>> {
        stat(disk, path).or_else(|error| {
            if self.beside_rival(index, path).is_some() {
                Ok(None)
            } else {
                Err(error)
            }
        })
    }

    /// Where one of a file and another of the torrent is in a folder that may have the other's
    /// name: the path with a number there.
    fn beside_rival(&self, index: usize, path: &[String]) -> Option<Vec<String>> {
        let own = &self.info.files.get(index)?.path;
        let meet = |other: &[String]| {
            let depth = own.len().min(other.len());
            (own.len() != other.len() && meeting(own.get(..depth)?) == meeting(other.get(..depth)?))
                .then_some(depth)
        };
        let rivals = self.info.files.iter().filter(|file| !file.pad);
        let depth = rivals.filter_map(|file| meet(&file.path)).next()?;
        let mut beside = path.to_vec();
        let name = beside.get_mut(depth.checked_sub(1)?)?;
        *name = numbered_name(name, 1);
        Some(beside)
    }

    /// Tries other paths until the file system takes one that belongs to nothing else: each as it
    /// is, then with numbers.
    fn open_elsewhere<D: Disk>(
        &mut self,
        disk: &D,
        index: usize,
        paths: Vec<Vec<String>>,
        refusal: io::Error,
    ) -> io::Result<D::File> {
        for path in paths {
            for path in [path.clone()].into_iter().chain(numbered(&path)) {
                if !self.is_free(index, &path) || !matches!(stat(disk, &path), Ok(None)) {
                    continue;
                }
                match disk.open(&path, Access::Write) {
                    // A number makes no name better.
                    Err(error) if is_refusal(&error) => break,
                    opened => {
                        let open = opened?;
                        self.settle(index, path);
                        self.news.push(index);
                        return Ok(open);
                    }
                }
            }
        }
        Err(refusal)
    }

    /// Whether what was found under a file's name is another file of the torrent.
    fn is_shared<D: Disk>(&self, disk: &D, index: usize, found: Stat) -> io::Result<bool> {
        if self.is_plain(index) {
            return Ok(false);
        }
        let path = self.path(index);
        let others = self
            .twins
            .get(&index)
            .into_iter()
            .flatten()
            .filter(|other| self.settled.contains(other));
        for other in others.map(|other| self.path(*other)) {
            let Some(stat) = stat(disk, &other)? else {
                continue;
            };
            if other == path
                || is_same(stat, found)
                || (is_alike(stat, found) && self.has_more_spellings(disk, &path)?)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// File systems in user space may number names instead of files. Where a name in a third
    /// spelling, which no file of the torrent has, leads to a file, too, it is the spelling that
    /// does not count.
    fn has_more_spellings<D: Disk>(&self, disk: &D, path: &[String]) -> io::Result<bool> {
        let is_own =
            |spelling: &Vec<String>| self.info.files.iter().any(|file| file.path == *spelling);
        match spellings(path).find(|spelling| !is_own(spelling)) {
            Some(spelling) => Ok(stat(disk, &spelling)?.is_some()),
            None => Ok(false),
        }
    }

    fn settle(&mut self, index: usize, path: Vec<String>) {
        let own = self
            .info
            .files
            .get(index)
            .map_or(&[][..], |file| &file.path);
        for depth in (1..own.len()).filter(|&depth| own.get(depth - 1) != path.get(depth - 1)) {
            if let (Some(own), Some(written)) = (own.get(..depth), path.get(..depth)) {
                self.folders.insert(own.to_vec(), written.to_vec());
            }
        }
        if let Some(taken) = &mut self.taken {
            claim(taken, index, &path);
        }
        self.settled.insert(index);
        self.given.insert(index, path);
    }

    /// Whether no other file of the torrent has or wants that path.
    fn is_free(&mut self, index: usize, path: &[String]) -> bool {
        let Self { info, given, .. } = self;
        let taken = self.taken.get_or_insert_with(|| {
            let own = info
                .files
                .iter()
                .enumerate()
                .filter(|(_, file)| !file.pad)
                .map(|(index, file)| (index, &file.path));
            let mut taken = BTreeMap::new();
            for (index, path) in own.chain(given.iter().map(|(index, path)| (*index, path))) {
                claim(&mut taken, index, path);
            }
            taken
        });
        taken
            .get(&place(path))
            .is_none_or(|owner| *owner == Some(index))
    }
}

impl<D: Disk> Storage<D> {
    /// Tells under which names the resume record says that files are.
    ///
    /// # Errors
    /// One of them is there but cannot be opened.
    pub fn recall_names(&self, given: &[(u32, Vec<String>)]) -> Result<(), StorageError> {
        let mut names = self.names();
        for index in names.recall(given) {
            let found = find(&self.disk, &self.folder, &mut names, index)?;
            self.watch.note(index, found.as_ref().and_then(Facts::of));
            if let Some(stamp) = self.lock().stamps.get_mut(index) {
                *stamp = found.as_ref().map(stamp_of).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// Files that are not under the torrent's own name, as [`Storage::recall_names`] takes them.
    #[must_use]
    pub fn given_names(&self) -> Vec<(u32, Vec<String>)> {
        self.names().given()
    }

    /// Files that were found or written under another name than the torrent's since this was asked
    /// last.
    #[must_use]
    pub fn take_renamed(&self) -> Vec<Renamed> {
        self.names().take_news()
    }

    /// Where a file is.
    #[must_use]
    pub fn path_of(&self, index: usize) -> PathBuf {
        self.folder
            .join(self.names().path(index).iter().collect::<PathBuf>())
    }

    /// The file or folder that holds everything.
    #[must_use]
    pub fn top(&self) -> PathBuf {
        let first = self
            .info
            .files
            .iter()
            .position(|file| !file.pad)
            .unwrap_or_default();
        self.names()
            .path(first)
            .first()
            .map_or_else(|| self.folder.clone(), |top| self.folder.join(top))
    }

    /// Opens a file for writing, under its own name if the file system takes it.
    pub(super) fn open_by_name(&self, index: usize) -> io::Result<D::File> {
        let (path, is_plain) = {
            let names = self.names();
            (names.path(index), names.is_plain(index))
        };
        match self.disk.open(&path, Access::Write) {
            Ok(open) if is_plain => Ok(open),
            // Held meanwhile: two files that are one here must not both come first.
            _ => self.names().open(&self.disk, index),
        }
    }

    pub(super) fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Harmless names were made by the torrent's parser; a record could have been tampered with.
fn is_harmless(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0'])
}

fn is_same(one: Stat, other: Stat) -> bool {
    (one.device, one.inode) == (other.device, other.inode)
}

/// As two looks at one file are.
fn is_alike(one: Stat, other: Stat) -> bool {
    (one.device, one.size, one.modified) == (other.device, other.size, other.modified)
}

/// Paths that differ from this one in the case of one letter of the name.
fn spellings(path: &[String]) -> impl Iterator<Item = Vec<String>> {
    let (name, folders) = path
        .split_last()
        .map_or(("", path), |(name, folders)| (name.as_str(), folders));
    let toggled = |c: char| {
        if c.is_ascii_uppercase() {
            c.to_ascii_lowercase()
        } else {
            c.to_ascii_uppercase()
        }
    };
    let letters = name.char_indices().filter(|(_, c)| c.is_ascii_alphabetic());
    letters.filter_map(move |(at, c)| {
        let spelling = [
            name.get(..at)?,
            &toggled(c).to_string(),
            name.get(at + 1..)?,
        ]
        .concat();
        Some(folders.iter().cloned().chain([spelling]).collect())
    })
}

/// What is there; `None`: nothing, or the name cannot be of anything.
fn stat<D: Disk>(disk: &D, path: &[String]) -> io::Result<Option<Stat>> {
    match disk
        .open(path, Access::Read)
        .and_then(|open| disk.stat(&open))
    {
        Ok(stat) => Ok(Some(stat)),
        Err(error) if error.kind() == io::ErrorKind::NotFound || is_refusal(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The folders of a path may be elsewhere by the time it is used, its name is what it is.
fn place(path: &[String]) -> String {
    let (name, folders) = path
        .split_last()
        .map_or(("", path), |(name, folders)| (name, folders));
    format!("{}{}", meeting(folders), folded_name(name))
}

fn claim(taken: &mut BTreeMap<String, Option<usize>>, index: usize, path: &[String]) {
    let owner = taken.entry(place(path)).or_insert(Some(index));
    if *owner != Some(index) {
        *owner = None;
    }
}

/// One text for all paths that may meet: as they are or under safe names, whatever the file system
/// takes for one.
fn meeting(path: &[String]) -> String {
    path.iter()
        .map(|name| folded_name(&portable_name(name)) + "/")
        .collect()
}

/// Files of which some file system would make one.
fn twins(files: &[File]) -> BTreeMap<usize, Vec<usize>> {
    let mut alike: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, file) in files.iter().enumerate().filter(|(_, file)| !file.pad) {
        alike.entry(meeting(&file.path)).or_default().push(index);
    }
    let groups = alike.into_values().filter(|group| group.len() > 1);
    groups
        .flat_map(|group| {
            group
                .clone()
                .into_iter()
                .map(move |index| (index, others(&group, index)))
        })
        .collect()
}

fn others(group: &[usize], index: usize) -> Vec<usize> {
    group
        .iter()
        .copied()
        .filter(|&other| other != index)
        .collect()
}

/// Paths for one that was refused, the most alike first: safe names from the last component up, at
/// last in ASCII alone. `path` is `own` with its folders where they are.
fn safe_paths(own: &[String], path: &[String]) -> Vec<Vec<String>> {
    if own.iter().all(|name| plain_name(name) == *name) {
        return Vec::new();
    }
    let from = |depth: usize| {
        let safe = own
            .get(depth..)
            .unwrap_or_default()
            .iter()
            .map(|name| portable_name(name));
        path.get(..depth)
            .unwrap_or_default()
            .iter()
            .cloned()
            .chain(safe)
            .collect::<Vec<_>>()
    };
    let plain = own.iter().map(|name| plain_name(name)).collect();
    let mut paths: Vec<Vec<String>> = Vec::new();
    for candidate in (0..own.len()).rev().map(from).chain([plain]) {
        if candidate != path && !paths.contains(&candidate) {
            paths.push(candidate);
        }
    }
    paths
}

/// `a (1)`, `a (2)` and so on.
fn numbered(path: &[String]) -> impl Iterator<Item = Vec<String>> + use<> {
    let path = path.to_vec();
    (1..MAX_NUMBER).map(move |number| {
        let mut path = path.clone();
        if let Some(name) = path.last_mut() {
            *name = numbered_name(name, number);
        }
        path
    })
}

#[cfg(test)]
mod tests;
