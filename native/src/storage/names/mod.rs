//! Under which names a torrent's files lie: its own wherever the file system takes them, safe ones
//! where it does not.
//!
//! What a file system takes is tried, not guessed. A name that is refused (FAT: `?`, `:`; some: 255
//! bytes) is replaced by a safe one; of two files whose names are one here (`Makefile`, `makefile`)
//! the second one gets a number. Both are stated in the resume record ([`Names::renamed`]) and
//! reported ([`Names::take_unreported`]).

mod claims;
mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem;
use std::sync::Arc;

use aqueduct_core::meta::{File, Info, numbered_name, plain_name, portable_name};
use rustix::io::Errno;

use self::claims::Claims;
use self::paths::{folded, is_harmless, numbered, rivals, safe_paths, spellings};
use super::disk::{Access, Disk, Stat};

/// The path of each file of one torrent.
#[derive(Debug)]
pub(super) struct Names {
    info: Arc<Info>,
    /// Files that lie elsewhere than the torrent says.
    renamed: BTreeMap<usize, Vec<String>>,
    /// Folders that lie elsewhere: the torrent's path, and the one in use.
    folders: BTreeMap<Vec<String>, Vec<String>>,
    /// For each file whose path may be one with another's here, safe names included: these others.
    rivals: BTreeMap<usize, Vec<usize>>,
    /// Files that were found or opened under the path that they have.
    settled: BTreeSet<usize>,
    /// Made when the first safe name is looked for.
    claims: Option<Claims>,
    /// Renamed files that were not reported.
    unreported: Vec<usize>,
}

/// A file that lies elsewhere than its torrent says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// Components of the torrent's own path.
    pub own: Vec<String>,
    /// Components of the path in use.
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
        let rivals = rivals(&info.files);
        Self {
            info,
            renamed: BTreeMap::new(),
            folders: BTreeMap::new(),
            rivals,
            settled: BTreeSet::new(),
            claims: None,
            unreported: Vec::new(),
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
        self.renamed.get(&index).cloned().unwrap_or_else(own)
    }

    /// A path with its folders where they lie.
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

    /// Whether a file's path leads to this file alone: it has no rivals, or was found there.
    pub(super) fn is_unambiguous(&self, index: usize) -> bool {
        !self.rivals.contains_key(&index) || self.settled.contains(&index)
    }

    /// Files that lie elsewhere, as the resume record has them.
    pub(super) fn renamed(&self) -> Vec<(u32, Vec<String>)> {
        self.renamed
            .iter()
            .filter_map(|(&index, path)| Some((u32::try_from(index).ok()?, path.clone())))
            .collect()
    }

    /// Learns what a resume record states. Returns the files that lie elsewhere.
    pub(super) fn apply_record(&mut self, renamed: &[(u32, Vec<String>)]) -> Vec<usize> {
        let info = Arc::clone(&self.info);
        for (index, path) in renamed {
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
        self.unreported.retain(|unreported| {
            renamed
                .iter()
                .all(|(index, _)| usize::try_from(*index) != Ok(*unreported))
        });
        let is_moved = |(index, file): (usize, &File)| {
            (!file.pad && self.path(index) != file.path).then_some(index)
        };
        info.files.iter().enumerate().filter_map(is_moved).collect()
    }

    /// Files that were renamed since the last call.
    pub(super) fn take_unreported(&mut self) -> Vec<Renamed> {
        let unreported = mem::take(&mut self.unreported);
        let renamed = |index: &usize| {
            Some(Renamed {
                own: self.info.files.get(*index)?.path.clone(),
                written: self.renamed.get(index)?.clone(),
            })
        };
        unreported.iter().filter_map(renamed).collect()
    }

    /// Whether the torrent's own folder is missing, under each name that it may have: then all of its
    /// files are, and need not be looked for one by one.
    pub(super) fn are_all_missing<D: Disk>(&self, disk: &D) -> bool {
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

    /// Looks for a file that an earlier run or another program may have written: under its own name,
    /// under a safe one if the size fits, or under one with a number if another file of the torrent
    /// has its own. `None`: it is missing.
    pub(super) fn find<D: Disk>(&mut self, disk: &D, index: usize) -> io::Result<Option<Stat>> {
        let info = Arc::clone(&self.info);
        let Some(file) = info.files.get(index).filter(|file| !file.pad) else {
            return Ok(None);
        };
        let path = self.path(index);
        let mut own = self.look(disk, index, &path)?;
        if let Some(found) = own {
            let is_shared = self.is_shared(disk, index, found).unwrap_or(true);
            // Two names of one file although spelling counts: a hard link, which is as good as a copy
            // until it is written to.
            let is_link = is_shared
                && found.size == file.size
                && !self.has_more_spellings(disk, &path).unwrap_or(true);
            if is_link {
                return Ok(own);
            }
            own = own.filter(|_| !is_shared);
            // The file found is another's, or may be, as its size differs: then this one's name may
            // have the number.
            let is_doubtful =
                !self.is_unambiguous(index) && (own.is_none() || found.size != file.size);
            let numbered = if is_doubtful {
                numbered(&path).take(1).collect()
            } else {
                Vec::new()
            };
            return Ok(self
                .adopt(disk, index, numbered)
                .or_else(|| own.inspect(|_| _ = self.settled.insert(index))));
        }
        if self.renamed.contains_key(&index) {
            return Ok(None);
        }
        Ok(self.adopt(disk, index, safe_paths(&file.path, &path)))
    }

    /// Takes the first of these paths at which a file of the right size lies.
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
                self.unreported.push(index);
                return Some(found);
            }
        }
        None
    }

    /// Opens a file for writing, under the first name that the file system takes.
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
            Err(error) => match self.numbered_beside_rival(index, &path) {
                Some(path) => self.open_elsewhere(disk, index, vec![path], error),
                None => Err(error),
            },
        }
    }

    /// What lies at a path; nothing, if a file of the torrent lies where another has its folder:
    /// here the two have one name.
    fn look<D: Disk>(&self, disk: &D, index: usize, path: &[String]) -> io::Result<Option<Stat>> {
        stat(disk, path).or_else(|error| {
            if self.numbered_beside_rival(index, path).is_some() {
                Ok(None)
            } else {
                Err(error)
            }
        })
    }

    /// Where a file and another of the torrent differ in depth, and one may have the name of a folder
    /// of the other: the path with a number at that depth.
    fn numbered_beside_rival(&self, index: usize, path: &[String]) -> Option<Vec<String>> {
        let own = &self.info.files.get(index)?.path;
        let shared_depth = |other: &[String]| {
            let depth = own.len().min(other.len());
            (own.len() != other.len() && folded(own.get(..depth)?) == folded(other.get(..depth)?))
                .then_some(depth)
        };
        let rivals = self.info.files.iter().filter(|file| !file.pad);
        let depth = rivals.filter_map(|file| shared_depth(&file.path)).next()?;
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
                    // With a number the name would be refused, too.
                    Err(error) if is_refusal(&error) => break,
                    opened => {
                        let open = opened?;
                        self.settle(index, path);
                        self.unreported.push(index);
                        return Ok(open);
                    }
                }
            }
        }
        Err(refusal)
    }

    /// Whether what was found at a file's path is another file of the torrent.
    fn is_shared<D: Disk>(&self, disk: &D, index: usize, found: Stat) -> io::Result<bool> {
        if self.is_unambiguous(index) {
            return Ok(false);
        }
        let path = self.path(index);
        let others = self
            .rivals
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

    /// Whether spelling does not count here: a name in a third spelling, which no file of the
    /// torrent has, leads to a file, too. Inodes are no help: file systems in user space may number
    /// names instead of files.
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
        if let Some(claims) = &mut self.claims {
            claims.add(index, &path);
        }
        self.settled.insert(index);
        self.renamed.insert(index, path);
    }

    /// Whether no other file of the torrent has or wants that path.
    fn is_free(&mut self, index: usize, path: &[String]) -> bool {
        let Self { info, renamed, .. } = self;
        let claims = self.claims.get_or_insert_with(|| {
            let files = info.files.iter().enumerate().filter(|(_, file)| !file.pad);
            let own = files.map(|(index, file)| (index, &file.path));
            let mut claims = Claims::default();
            for (index, path) in own.chain(renamed.iter().map(|(index, path)| (*index, path))) {
                claims.add(index, path);
            }
            claims
        });
        claims.is_free(index, path)
    }
}

fn is_same(one: Stat, other: Stat) -> bool {
    (one.device, one.inode) == (other.device, other.inode)
}

/// Whether two looks may be at one file.
fn is_alike(one: Stat, other: Stat) -> bool {
    (one.device, one.size, one.modified) == (other.device, other.size, other.modified)
}

/// What lies at a path; `None`: nothing, or the path is refused.
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

#[cfg(test)]
mod tests;
