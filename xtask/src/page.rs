//! The page: trunk builds it into `web/dist`. The service worker gets a list of its files. Each file
//! that compresses well gets a Brotli copy beside it, which the bridge serves.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use brotli::enc::BrotliEncoderParams;
use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use crate::profile::Profile;
use crate::stamp::Stamp;
use crate::toolchain::{self, Toolchain};
use crate::{process, workspace};

const COMPRESSED: [&str; 4] = ["wasm", "js", "css", "svg"];
/// The minimum size for compression, in bytes. Smaller files fit into one packet anyway.
const WORTHWHILE: u64 = 1024;

/// Builds the page, unless it was built from the same sources before.
pub(crate) fn build(profile: Profile) -> Result<()> {
    let toolchain = toolchain::web()?;
    let stamp = stamp(profile, &toolchain)?;
    let record = workspace::web_target().join("page.stamp");
    if workspace::page().join("index.html").is_file()
        && fs::read_to_string(&record).is_ok_and(|old| old == stamp)
    {
        return Ok(());
    }
    eprintln!("Building the page: about 3 minutes on two cores the first time");
    trunk(profile, &toolchain)?;
    list_files().context("listing the page's files for its service worker")?;
    if profile == Profile::Release {
        let size = compress_all().context("compressing the page")?;
        eprintln!("The page is {} kB compressed, without icons", size / 1000);
    }
    fs::write(&record, stamp).with_context(|| format!("writing {}", record.display()))
}

/// A stamp of all inputs of the page.
fn stamp(profile: Profile, toolchain: &Toolchain) -> Result<String> {
    let root = workspace::root();
    let mut stamp = Stamp::default();
    stamp.text(profile.name()).text(&toolchain.identity);
    for input in [
        ".cargo/config.toml",
        "Cargo.toml",
        "Cargo.lock",
        "core/Cargo.toml",
        "core/src",
        "web",
    ] {
        stamp.tree(&root.join(input), &[&workspace::page()])?;
    }
    Ok(stamp.hex())
}

fn trunk(profile: Profile, toolchain: &Toolchain) -> Result<()> {
    let mut command = Command::new("trunk");
    toolchain
        .apply(&mut command)
        .current_dir(workspace::root().join("web"));
    // trunk parses NO_COLOR as a boolean and fails on the usual value "1".
    command
        .env_remove("NO_COLOR")
        .args(["build", "--offline", "--skip-version-check", "--dist"])
        .arg(workspace::page());
    if profile == Profile::Release {
        // `index.html` names the matching cargo profile.
        command.arg("--release");
    }
    process::run(&mut command)
}

/// The service worker, and the line of it that becomes the list of the page's files.
const SERVICE_WORKER: &str = "sw.js";
const EMPTY_LIST: &str = "const PAGE = {};";

/// Tells the service worker the paths of the page's files and their digests, as `integrity` of a
/// request takes them.
fn list_files() -> Result<()> {
    let folder = workspace::page();
    let mut entries = Vec::new();
    for path in files(&folder)? {
        let name = path.strip_prefix(&folder)?.to_string_lossy().into_owned();
        if name == SERVICE_WORKER || name.ends_with(".br") {
            continue;
        }
        let digest = BASE64.encode(&Sha256::digest(fs::read(&path)?));
        let served = if name == "index.html" { "" } else { &name };
        entries.push(format!("\"/{served}\": \"sha256-{digest}\""));
    }
    entries.sort();
    let worker = folder.join(SERVICE_WORKER);
    let script = fs::read_to_string(&worker)?;
    ensure!(script.contains(EMPTY_LIST), "it has no line {EMPTY_LIST:?}");
    let list = format!("const PAGE = {{ {} }};", entries.join(", "));
    Ok(fs::write(&worker, script.replace(EMPTY_LIST, &list))?)
}

/// Compresses what compresses well. Returns the number of bytes that a browser downloads for all
/// files except icons.
fn compress_all() -> Result<u64> {
    let mut size = 0;
    for path in files(&workspace::page())? {
        let extension = path
            .extension()
            .and_then(|extension| extension.to_str())
            .unwrap_or_default();
        let length = path.metadata()?.len();
        size += if extension == "png" {
            0
        } else if COMPRESSED.contains(&extension) && length > WORTHWHILE {
            compress(&path)?
        } else {
            length
        };
    }
    Ok(size)
}

/// All files of a folder, recursively.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?
        {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path)
            } else {
                found.push(path)
            }
        }
    }
    Ok(found)
}

/// Writes a compressed copy to `path` with `.br` appended. Returns its size in bytes.
fn compress(path: &Path) -> Result<u64> {
    let mut name = path.as_os_str().to_owned();
    name.push(".br");
    let mut from = BufReader::new(File::open(path)?);
    let mut to = BufWriter::new(File::create(PathBuf::from(name))?);
    let parameters = BrotliEncoderParams {
        quality: 11,
        lgwin: 24,
        ..BrotliEncoderParams::default()
    };
    brotli::BrotliCompress(&mut from, &mut to, &parameters)?;
    to.flush()?;
    Ok(to.get_ref().metadata()?.len())
}
