//! Opens a torrent's files and its resume record.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aqueduct_core::Resumed;
use aqueduct_core::meta::Info;
use aqueduct_core::resume::Record;
use aqueduct_core::types::{InfoHash, InfoHashV1};
use aqueduct_native::storage::records::{OtherRecords, RecordFiles};
use aqueduct_native::storage::stored::Stored;
use aqueduct_native::storage::{DiskSpace, Handles, Storage, path_of, resume, shown_path};

use super::place::Root;
use super::plan::Purpose;
use super::select::Choice;
use crate::ui::failure::{Class, Failure};

/// The locations of a session's torrents and records.
#[derive(Debug)]
pub(crate) struct Files {
    purpose: Purpose,
    output: PathBuf,
    /// Whether existing files that do not belong to their torrent may be replaced.
    overwrite: bool,
    state: PathBuf,
    handles: Arc<Handles<File>>,
    space: Arc<DiskSpace>,
    /// The torrent that uses each file.
    claims: BTreeMap<PathBuf, InfoHashV1>,
    /// Records of magnet links whose metadata are being downloaded.
    waiting: BTreeMap<InfoHashV1, (RecordFiles, Option<Record>)>,
}

/// A torrent that can be added to the engine.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) stored: Arc<Stored>,
    pub(crate) resumed: Resumed,
    pub(crate) wanted: Option<Vec<bool>>,
}

impl Files {
    /// Downloads go to `output`, records to `state`. At most `open_at_once` files of all torrents
    /// are kept open.
    pub(crate) fn new(
        purpose: Purpose,
        output: PathBuf,
        state: PathBuf,
        open_at_once: usize,
    ) -> Self {
        let (handles, space) = (Handles::new(open_at_once), Arc::default());
        Self {
            purpose,
            output,
            overwrite: false,
            state,
            handles,
            space,
            claims: BTreeMap::new(),
            waiting: BTreeMap::new(),
        }
    }

    /// Permits replacing existing files that do not belong to their torrent.
    pub(crate) const fn overwrite(&mut self) {
        self.overwrite = true;
    }

    /// Opens a torrent whose metadata are known.
    pub(crate) fn open(
        &mut self,
        info: &Arc<Info>,
        root: Option<Root>,
        choice: Choice<'_>,
    ) -> Result<Opened, Failure> {
        let root = root.unwrap_or_else(|| Root::plain(self.output.clone()));
        let (records, found) = RecordFiles::open(&self.state, &info.info_hash, &root.folder)?;
        self.open_with(
            info,
            root,
            (records, found),
            Record::new(info.info_hash),
            choice,
        )
    }

    /// Opens the record of a magnet link. Returns its metadata if an earlier run downloaded them.
    pub(crate) fn open_magnet(
        &mut self,
        info_hash: &InfoHash,
    ) -> Result<Option<Arc<Info>>, Failure> {
        let (records, found) = RecordFiles::open(&self.state, info_hash, &self.output)?;
        let raw = found.as_ref().and_then(|record| record.info.clone());
        self.waiting.insert(info_hash.wire(), (records, found));
        let info = raw
            .and_then(|raw| Info::parse(raw).ok())
            .filter(|info| info.info_hash.wire() == info_hash.wire());
        Ok(info.map(Arc::new))
    }

    /// Opens a magnet link's torrent. Its record stores the metadata, so that the next run need not
    /// download them.
    pub(crate) fn open_fetched(
        &mut self,
        info: &Arc<Info>,
        choice: Choice<'_>,
    ) -> Result<Opened, Failure> {
        let records = self
            .waiting
            .remove(&info.info_hash.wire())
            .ok_or_else(|| Failure::new(Class::Failure, "metadata arrived for no magnet link"))?;
        let template = Record {
            info: Some(info.raw.clone()),
            ..Record::new(info.info_hash)
        };
        self.open_with(
            info,
            Root::plain(self.output.clone()),
            records,
            template,
            choice,
        )
    }

    fn open_with(
        &mut self,
        info: &Arc<Info>,
        root: Root,
        (records, found): (RecordFiles, Option<Record>),
        template: Record,
        choice: Choice<'_>,
    ) -> Result<Opened, Failure> {
        let wanted = choice.wanted(info)?;
        self.claim(info, &root.folder)?;
        let others = OtherRecords::new(&self.state, &info.info_hash, &root.folder)?;
        let (info, handles) = (Arc::clone(info), Arc::clone(&self.handles));
        let storage = match self.purpose {
            Purpose::Get => Storage::open(&root.folder, info, handles)?,
            Purpose::Seed => Storage::existing(&root.folder, root.top, info, handles)?,
        };
        let storage = storage
            .sharing(Arc::clone(&self.space))
            .protecting(self.overwrite, Some(others));
        if let Some(wanted) = &wanted {
            storage.want(wanted.clone());
        }
        if let Some(record) = &found {
            storage.apply_names(&record.names)?;
            storage.apply_record(record);
        }
        if self.purpose == Purpose::Get {
            storage.make_empty_files()?;
        }
        let random = getrandom::u64().unwrap_or_default();
        let resumed = resume::judge(storage.info(), &storage.stamps(), found, random);
        let stored = Stored::new(
            storage,
            records,
            Record {
                wanted: wanted.clone(),
                ..template
            },
        );
        let stored = Arc::new(if self.purpose == Purpose::Get {
            stored.trimming()
        } else {
            stored
        });
        Ok(Opened {
            stored,
            resumed,
            wanted,
        })
    }

    /// Claims a torrent's files, since two torrents that write to the same file would destroy each
    /// other's data.
    fn claim(&mut self, info: &Info, root: &Path) -> Result<(), Failure> {
        let owner = info.info_hash.wire();
        let paths: Vec<_> = info
            .files
            .iter()
            .filter(|file| !file.pad)
            .map(|file| path_of(root, file))
            .collect();
        if let Some(taken) = paths
            .iter()
            .find(|path| self.claims.get(*path).is_some_and(|other| *other != owner))
        {
            let message = format!(
                "{} is a file of another of the torrents, too; get this one with a command of its own, into another folder with --output",
                shown_path(taken)
            );
            return Err(Failure::new(Class::Usage, message));
        }
        self.claims
            .extend(paths.into_iter().map(|path| (path, owner)));
        Ok(())
    }
}
