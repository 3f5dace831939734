//! Opening a torrent's files and its resume record.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use aqueduct_core::Resumed;
use aqueduct_core::meta::Info;
use aqueduct_core::resume::Record;
use aqueduct_core::types::{InfoHash, InfoHashV1};
use aqueduct_native::storage::handles::MAX_OPEN;
use aqueduct_native::storage::state::{self, RecordFiles};
use aqueduct_native::storage::stored::Stored;
use aqueduct_native::storage::{Handles, Storage, resume};

use super::failure::{Class, Failure};
use super::select;
use super::session::Purpose;

/// Where this session's torrents are kept.
#[derive(Debug)]
pub(crate) struct Files {
    purpose: Purpose,
    output: PathBuf,
    state: PathBuf,
    handles: Arc<Handles<File>>,
    /// Records of magnets whose metadata are being fetched.
    waiting: BTreeMap<InfoHashV1, (RecordFiles, Option<Record>)>,
}

/// A torrent that is ready for the engine.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) stored: Arc<Stored>,
    pub(crate) resumed: Resumed,
    pub(crate) wanted: Option<Vec<bool>>,
}

impl Files {
    pub(crate) fn new(purpose: Purpose, output: PathBuf) -> Result<Self, Failure> {
        Ok(Self { purpose, output, state: state::folder()?, handles: Handles::new(MAX_OPEN), waiting: BTreeMap::new() })
    }

    /// Opens a torrent whose metadata are known.
    pub(crate) fn open(&self, info: &Arc<Info>, root: Option<PathBuf>, patterns: &[String], indices: Option<&[u32]>) -> Result<Opened, Failure> {
        let root = root.unwrap_or_else(|| self.output.clone());
        let (records, found) = RecordFiles::open(&self.state, &info.info_hash, &root)?;
        self.open_with(info, root, (records, found), Record::new(info.info_hash), patterns, indices)
    }

    /// Opens the record of a magnet. Returns its metadata if an earlier run fetched them.
    pub(crate) fn open_magnet(&mut self, info_hash: &InfoHash) -> Result<Option<Arc<Info>>, Failure> {
        let (records, found) = RecordFiles::open(&self.state, info_hash, &self.output)?;
        let raw = found.as_ref().and_then(|record| record.info.clone());
        self.waiting.insert(info_hash.wire(), (records, found));
        let info = raw.and_then(|raw| Info::parse(raw).ok()).filter(|info| info.info_hash.wire() == info_hash.wire());
        Ok(info.map(Arc::new))
    }

    /// Opens a magnet's torrent. Its record keeps the metadata, so that the next run need not fetch them.
    pub(crate) fn open_fetched(&mut self, info: &Arc<Info>, patterns: &[String], indices: Option<&[u32]>) -> Result<Opened, Failure> {
        let records = self.waiting.remove(&info.info_hash.wire()).ok_or_else(|| Failure::new(Class::Failure, "metadata came for no magnet"))?;
        let template = Record { info: Some(info.raw.clone()), ..Record::new(info.info_hash) };
        self.open_with(info, self.output.clone(), records, template, patterns, indices)
    }

    fn open_with(
        &self,
        info: &Arc<Info>,
        root: PathBuf,
        (records, found): (RecordFiles, Option<Record>),
        template: Record,
        patterns: &[String],
        indices: Option<&[u32]>,
    ) -> Result<Opened, Failure> {
        let wanted = select::wanted(info, patterns, indices)?;
        let (info, handles) = (Arc::clone(info), Arc::clone(&self.handles));
        let storage = match self.purpose {
            Purpose::Get => Storage::open(&root, info, handles)?,
            Purpose::Seed => Storage::existing(&root, info, handles)?,
        };
        if let Some(wanted) = &wanted {
            storage.want(wanted.clone());
        }
        if self.purpose == Purpose::Get {
            storage.make_empty_files()?;
        }
        let random = getrandom::u64().unwrap_or_default();
        let resumed = resume::judge(storage.info(), &storage.stamps(), found, random);
        let stored = Arc::new(Stored::new(storage, records, Record { wanted: wanted.clone(), ..template }));
        Ok(Opened { stored, resumed, wanted })
    }
}
