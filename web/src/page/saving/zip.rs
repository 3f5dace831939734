//! ZIP archives whose files are stored without compression (APPNOTE.TXT 6.3): UTF-8 names, and the
//! ZIP64 forms where sizes, offsets or the number of files need them.
//!
//! The archive's bytes are, for each file, [`Zip::header`] and the file's data, and then
//! [`Zip::end`]. The data themselves never pass through here.

/// General purpose flag 11: the name is UTF-8.
const UTF8: u16 = 1 << 11;
/// The version of the format that a reader needs for ZIP64.
const VERSION: u16 = 45;
/// Unix, so that the upper half of the external attributes is the file's mode.
const MADE_BY: u16 = (3 << 8) | VERSION;
/// A regular file that its owner can write and everybody can read.
const MODE: u32 = 0o100_644 << 16;
/// Stands in a field of 32 bits whose value is in the ZIP64 field.
const IN_ZIP64: u32 = u32::MAX;

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The path, with `/` between its components.
    pub(super) path: String,
    /// The size in bytes.
    pub(super) size: u64,
    /// CRC-32 of its data.
    pub(super) crc: u32,
}

/// A local time in the format of MS-DOS, which counts from 1980 in steps of two seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Modified {
    time: u16,
    date: u16,
}

impl Modified {
    /// A date (`[year, month from 1, day]`) and a time (`[hour, minute, second]`). Years before
    /// 1980 and after 2107, which have no representation, become these.
    pub(super) fn new([year, month, day]: [u16; 3], [hour, minute, second]: [u16; 3]) -> Self {
        let year = year.clamp(1980, 2107) - 1980;
        Self {
            time: (hour << 11) | (minute << 5) | (second / 2),
            date: (year << 9) | (month << 5) | day,
        }
    }
}

/// An archive that is being composed.
pub(super) struct Zip {
    modified: Modified,
    /// The number of bytes so far.
    length: u64,
    files: u64,
    directory: Vec<u8>,
}

impl Zip {
    /// An archive whose files all have the same time of modification.
    pub(super) const fn new(modified: Modified) -> Self {
        Self {
            modified,
            length: 0,
            files: 0,
            directory: Vec::new(),
        }
    }

    /// The bytes before a file's data, which must follow. `None` if the path is longer than the
    /// 65,535 bytes that the format allows.
    pub(super) fn header(&mut self, file: &Entry) -> Option<Vec<u8>> {
        let path_length = u16::try_from(file.path.len()).ok()?;
        let large = file.size >= u64::from(IN_ZIP64);
        let sizes = if large {
            zip64(&[file.size, file.size])
        } else {
            Vec::new()
        };
        let mut header = b"PK\x03\x04".to_vec();
        header.extend(VERSION.to_le_bytes());
        self.describe(&mut header, file, path_length, &sizes);
        header.extend(file.path.as_bytes());
        header.extend(&sizes);
        self.add_to_directory(file, path_length);
        self.files += 1;
        self.length += header.len() as u64 + file.size;
        Some(header)
    }

    /// The fields that a file's header and its directory entry have in common.
    fn describe(&self, to: &mut Vec<u8>, file: &Entry, path_length: u16, extra: &[u8]) {
        let stored = 0_u16;
        for field in [UTF8, stored, self.modified.time, self.modified.date] {
            to.extend(field.to_le_bytes());
        }
        let size = saturating(file.size);
        for field in [file.crc, size, size] {
            to.extend(field.to_le_bytes());
        }
        to.extend(path_length.to_le_bytes());
        to.extend(length(extra).to_le_bytes());
    }

    fn add_to_directory(&mut self, file: &Entry, path_length: u16) {
        let limit = u64::from(IN_ZIP64);
        let mut large = Vec::new();
        if file.size >= limit {
            large.extend([file.size, file.size]);
        }
        if self.length >= limit {
            large.push(self.length);
        }
        let extra = if large.is_empty() {
            Vec::new()
        } else {
            zip64(&large)
        };
        let mut entry = b"PK\x01\x02".to_vec();
        entry.extend(MADE_BY.to_le_bytes());
        entry.extend(VERSION.to_le_bytes());
        self.describe(&mut entry, file, path_length, &extra);
        let (comment, disk, internal) = (0_u16, 0_u16, 0_u16);
        for field in [comment, disk, internal] {
            entry.extend(field.to_le_bytes());
        }
        entry.extend(MODE.to_le_bytes());
        entry.extend(saturating(self.length).to_le_bytes());
        entry.extend(file.path.as_bytes());
        entry.extend(&extra);
        self.directory.extend(entry);
    }

    /// The bytes after the last file's data.
    pub(super) fn end(self) -> Vec<u8> {
        let (files, size, at) = (self.files, self.directory.len() as u64, self.length);
        let mut end = self.directory;
        let limit = u64::from(IN_ZIP64);
        if files >= u64::from(u16::MAX) || size >= limit || at >= limit {
            end.extend(zip64_end(files, size, at));
        }
        end.extend(b"PK\x05\x06\0\0\0\0");
        let files = u16::try_from(files).unwrap_or(u16::MAX);
        end.extend([files, files].map(u16::to_le_bytes).as_flattened());
        end.extend(
            [saturating(size), saturating(at)]
                .map(u32::to_le_bytes)
                .as_flattened(),
        );
        end.extend(0_u16.to_le_bytes());
        end
    }
}

/// The end of the directory in its ZIP64 form, and where it is.
fn zip64_end(files: u64, size: u64, at: u64) -> Vec<u8> {
    /// The number of bytes after this field.
    const REST: u64 = 44;
    let mut end = b"PK\x06\x06".to_vec();
    end.extend(REST.to_le_bytes());
    end.extend([MADE_BY, VERSION].map(u16::to_le_bytes).as_flattened());
    end.extend([0_u32, 0].map(u32::to_le_bytes).as_flattened());
    end.extend(
        [files, files, size, at]
            .map(u64::to_le_bytes)
            .as_flattened(),
    );
    let (disk, disks) = (0_u32, 1_u32);
    end.extend(b"PK\x06\x07");
    end.extend(disk.to_le_bytes());
    end.extend((at + size).to_le_bytes());
    end.extend(disks.to_le_bytes());
    end
}

/// An extra field of the ZIP64 kind.
fn zip64(values: &[u64]) -> Vec<u8> {
    let values: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    [
        &1_u16.to_le_bytes()[..],
        &length(&values).to_le_bytes(),
        &values,
    ]
    .concat()
}

/// The length of a ZIP64 field, which has at most 28 bytes.
fn length(field: &[u8]) -> u16 {
    u16::try_from(field.len()).unwrap_or(u16::MAX)
}

fn saturating(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(IN_ZIP64)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Seek, SeekFrom, Write};
    use std::path::PathBuf;
    use std::process::Command;

    use super::super::crc32::Crc32;
    use super::{Entry, Modified, Zip};

    const MODIFIED: ([u16; 3], [u16; 3]) = ([2026, 11, 28], [13, 57, 42]);

    /// Writes an archive in which each file's data are a hole, except that it begins with `data`.
    fn write(name: &str, files: &[(Entry, &[u8])]) -> PathBuf {
        let path = std::env::temp_dir().join(format!("{}-{name}.zip", std::process::id()));
        let mut archive = File::create(&path).unwrap();
        let mut zip = Zip::new(Modified::new(MODIFIED.0, MODIFIED.1));
        for (file, data) in files {
            archive.write_all(&zip.header(file).unwrap()).unwrap();
            archive.write_all(data).unwrap();
            let rest = file.size - data.len() as u64;
            archive
                .seek(SeekFrom::Current(i64::try_from(rest).unwrap()))
                .unwrap();
        }
        archive.write_all(&zip.end()).unwrap();
        path
    }

    /// What Python's reader of archives prints for a script with the archive `z`.
    fn read(archive: PathBuf, script: &str) -> String {
        let program = format!("import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); {script}");
        let ran = Command::new("python3")
            .args(["-c", &program])
            .arg(&archive)
            .output()
            .unwrap();
        std::fs::remove_file(archive).unwrap();
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    }

    fn crc(data: &[u8]) -> u32 {
        let mut sum = Crc32::new();
        sum.update(data);
        sum.value()
    }

    fn entry(path: &str, size: u64, crc: u32) -> Entry {
        Entry {
            path: path.to_owned(),
            size,
            crc,
        }
    }

    #[test]
    fn another_reader_finds_names_sizes_checksums_and_time() {
        let data = "Grüße".as_bytes();
        let files = [
            (
                entry("ordner/grüße 🎬.txt", data.len() as u64, crc(data)),
                data,
            ),
            (entry("ordner/leer", 0, 0), &[][..]),
        ];
        let archive = write("small", &files);
        let script = "print(z.testzip(), z.namelist(), z.infolist()[0].date_time, z.read(z.namelist()[0]).decode())";
        assert_eq!(
            read(archive, script),
            "None ['ordner/grüße 🎬.txt', 'ordner/leer'] (2026, 11, 28, 13, 57, 42) Grüße"
        );
    }

    #[test]
    fn files_and_offsets_beyond_four_gibibytes_are_found() {
        let four = 4_u64 << 30;
        let files = [
            (entry("below", four - 2, 0), &[][..]),
            (entry("above", four + 5, 0), &[][..]),
            (entry("last", 4, crc(b"last")), &b"last"[..]),
        ];
        let archive = write("large", &files);
        let script = "print([i.file_size for i in z.infolist()], z.read('last').decode())";
        assert_eq!(read(archive, script), "[4294967294, 4294967301, 4] last");
    }

    #[test]
    fn as_many_files_as_there_are_can_be_in_it() {
        let files: Vec<_> = (0..70_000)
            .map(|n| (entry(&format!("many/{n}"), 0, 0), &[][..]))
            .collect();
        let archive = write("many", &files);
        assert_eq!(
            read(archive, "print(len(z.namelist()), z.namelist()[-1])"),
            "70000 many/69999"
        );
    }

    #[test]
    fn a_path_that_the_format_cannot_express_is_refused() {
        let mut zip = Zip::new(Modified::new(MODIFIED.0, MODIFIED.1));
        assert!(zip.header(&entry(&"a".repeat(65_535), 1, 0)).is_some());
        assert!(zip.header(&entry(&"a".repeat(65_536), 1, 0)).is_none());
    }

    #[test]
    fn years_without_a_representation_become_the_nearest() {
        let year = |year| Modified::new([year, 1, 1], [0; 3]);
        assert_eq!(year(1970), year(1980));
        assert_eq!(year(2200), year(2107));
    }
}
