//! wasm32 where rustup cannot download it: Debian's compiler for the web and the source of the
//! standard library, both of the same version. The library is built once, into a sysroot in the
//! user's cache.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{TARGET, Toolchain};
use crate::packages::{self, Need};
use crate::stamp::Stamp;
use crate::{cache, process};

const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const SOURCE: &str = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";
const NEEDS: [Need; 4] = [
    Need {
        package: "rustc-web",
        present: || packages::installed("rustc-web"),
    },
    Need {
        package: "cargo-web",
        present: || packages::installed("cargo-web"),
    },
    Need {
        package: "rust-web-src",
        present: || Path::new(SOURCE).is_file(),
    },
    Need {
        package: "rust-web-clippy",
        present: || packages::installed("rust-web-clippy"),
    },
];

/// If the standard library lacked bitcode, a later build with link-time optimisation would fail.
const FLAGS: &str = "-Cembed-bitcode=yes";
const BUILD: [&str; 5] = [
    "build",
    "--release",
    "-Zbuild-std=std,panic_abort,proc_macro",
    "--target",
    TARGET,
];
const MANIFEST: &str = "[package]\nname = \"sysroot\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\npath = \"lib.rs\"\n\n[workspace]\n";

/// The distribution's compiler with a standard library for wasm32.
pub(super) fn toolchain() -> Result<Toolchain> {
    packages::ensure(
        "Building the page without a wasm32 target from rustup",
        &NEEDS,
    )?;
    let identity = process::output(Command::new(RUSTC).arg("-vV"))
        .with_context(|| format!("`{RUSTC} -vV` failed"))?;
    let mut sysroot = OsString::from("--sysroot=");
    sysroot.push(sysroot_for(&identity)?);
    let environment = vec![
        ("RUSTC", RUSTC.into()),
        ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", sysroot),
        (
            "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER",
            linker()?.into(),
        ),
    ];
    Ok(Toolchain {
        environment,
        cargo: CARGO.into(),
        identity,
    })
}

/// The sysroot's path contains a stamp of its inputs: a new library under an old path would
/// invalidate artefacts in `target` without cargo noticing.
fn sysroot_for(identity: &str) -> Result<PathBuf> {
    let key = Stamp::default()
        .text(identity)
        .text(FLAGS)
        .text(&BUILD.join(" "))
        .hex();
    let sysroot = cache::directory()?.join(format!("sysroot-{key}"));
    if !sysroot.is_dir() {
        build(&sysroot).context("building the standard library for wasm32")?;
    }
    Ok(sysroot)
}

fn build(sysroot: &Path) -> Result<()> {
    let work = sysroot.with_extension("partial");
    let library = work.join("sysroot/lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&library)?;
    fs::write(work.join("Cargo.toml"), MANIFEST)?;
    fs::write(work.join("lib.rs"), "#![no_std]\n")?;
    process::run(compile(&work).args(BUILD))?;
    copy_libraries(
        &work.join("target").join(TARGET).join("release/deps"),
        &library,
    )?;
    // The rename is the last step, so that a sysroot under its final name is always complete.
    fs::rename(work.join("sysroot"), sysroot)?;
    fs::remove_dir_all(&work)?;
    Ok(())
}

fn compile(work: &Path) -> Command {
    let mut command = Command::new(CARGO);
    process::forget_this_package(&mut command);
    command
        .current_dir(work)
        .env("RUSTC", RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_DIR", work.join("target"));
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", FLAGS);
    command
}

fn copy_libraries(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if let (Some("rlib"), Some(name)) = (
            path.extension().and_then(|extension| extension.to_str()),
            path.file_name(),
        ) {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// The toolchain's rust-lld, or a wasm linker under a name that selects that mode. (One named
/// `wasm-ld` would be called with an option that it does not support.)
fn linker() -> Result<PathBuf> {
    match bundled_linker()
        .or_else(|| process::find("rust-lld"))
        .or_else(|| process::find("lld"))
    {
        Some(found) => Ok(found),
        None => {
            packages::ensure(
                "Linking the page",
                &[Need {
                    package: "lld",
                    present: || process::find("lld").is_some(),
                }],
            )?;
            process::find("lld")
                .context("the package lld is installed, but brought no program named lld")
        }
    }
}

fn bundled_linker() -> Option<PathBuf> {
    let sysroot = process::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let host = env::consts::ARCH.to_owned() + "-unknown-linux-gnu";
    Some(
        PathBuf::from(sysroot)
            .join("lib/rustlib")
            .join(host)
            .join("bin/rust-lld"),
    )
    .filter(|path| path.is_file())
}
