//! Programs that the tests run in addition to Aqueduct's own: a browser with its driver, other
//! BitTorrent clients, and a gateway.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::packages::{self, Need};
use crate::profile::Profile;
use crate::{cache, process, tools};

const LIBTORRENT: &str = "2.1.1";
/// The Python package that contains axe-core, which checks pages for accessibility, as a script for
/// browsers. Of its dependencies, browsers of their own, nothing is needed.
const AXE: (&str, &str) = ("axe_playwright_python", "0.1.8");
const GECKODRIVER: &str = "0.37.0";
const NEEDS: [Need; 16] = [
    Need {
        package: "chromium",
        present: || process::find("chromium").is_some(),
    },
    Need {
        package: "chromium-driver",
        present: || process::find("chromedriver").is_some(),
    },
    Need {
        package: "firefox-esr",
        present: || process::find("firefox-esr").is_some(),
    },
    Need {
        package: "webkit2gtk-driver",
        present: || process::find("WebKitWebDriver").is_some(),
    },
    Need {
        package: "xvfb",
        present: || process::find("Xvfb").is_some(),
    },
    Need {
        package: "transmission-cli",
        present: || process::find("transmission-cli").is_some(),
    },
    Need {
        package: "transmission-daemon",
        present: || process::find("transmission-daemon").is_some(),
    },
    Need {
        package: "aria2",
        present: || process::find("aria2c").is_some(),
    },
    Need {
        package: "rtorrent",
        present: || process::find("rtorrent").is_some(),
    },
    Need {
        package: "qbittorrent-nox",
        present: || process::find("qbittorrent-nox").is_some(),
    },
    Need {
        package: "opentracker",
        present: || process::find("opentracker").is_some(),
    },
    Need {
        package: "iproute2",
        present: || process::find("ip").is_some(),
    },
    Need {
        package: "nftables",
        present: || process::find("nft").is_some(),
    },
    Need {
        package: "miniupnpd-nftables",
        present: || process::find("miniupnpd").is_some(),
    },
    Need {
        package: "dante-server",
        present: || process::find("danted").is_some(),
    },
    Need {
        package: "python3-pip",
        present: || process::succeeds(Command::new("python3").args(["-m", "pip", "--version"])),
    },
];

/// The locations of the prerequisites.
pub(crate) struct Prerequisites {
    python_packages: PathBuf,
    geckodriver: PathBuf,
}

/// Finds all prerequisites, or installs them.
pub(crate) fn all() -> Result<Prerequisites> {
    let _lock = cache::lock()?;
    packages::ensure("Testing against real browsers and clients", &NEEDS)?;
    Ok(Prerequisites {
        python_packages: python_packages()?,
        geckodriver: geckodriver()?,
    })
}

impl Prerequisites {
    /// Environment variables for tests and benchmarks.
    ///
    /// `AQUEDUCT_BIN` and `AQUEDUCT_BRIDGE_BIN` are the programs under test; `AQUEDUCT_PY` is a
    /// folder with Python packages (libtorrent), which `PYTHONPATH` names too; `AQUEDUCT_AXE` is the
    /// script of axe-core; `AQUEDUCT_GECKODRIVER` is Firefox's driver.
    pub(crate) fn environment(&self, profile: Profile) -> Vec<(&'static str, OsString)> {
        vec![
            ("AQUEDUCT_BIN", profile.program("aqueduct").into()),
            (
                "AQUEDUCT_BRIDGE_BIN",
                profile.program("aqueduct-bridge").into(),
            ),
            ("AQUEDUCT_PY", self.python_packages.clone().into()),
            ("PYTHONPATH", self.python_packages.clone().into()),
            ("AQUEDUCT_AXE", axe_script(&self.python_packages).into()),
            ("AQUEDUCT_GECKODRIVER", self.geckodriver.clone().into()),
        ]
    }
}

/// The folder of the Python packages, which is not the distribution's, so that its Python is not
/// modified.
fn python_packages() -> Result<PathBuf> {
    let folder = cache::directory()?.join("py");
    if !importable(&folder) {
        install(&folder, "libtorrent", LIBTORRENT)?;
    }
    if !importable(&folder) {
        bail!(
            "libtorrent's Python module is in {}, but python3 cannot import version {LIBTORRENT} of it",
            folder.display()
        );
    }
    let (package, version) = AXE;
    let installed = folder.join(format!("{package}-{version}.dist-info"));
    if !installed.is_dir() {
        install(&folder, package, version)?;
    }
    Ok(folder)
}

fn install(folder: &Path, package: &str, version: &str) -> Result<()> {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--upgrade", "--no-deps"])
        .arg("--target")
        .arg(folder)
        .arg(format!("{package}=={version}"));
    process::run(&mut pip).with_context(|| format!("installing the Python package {package}"))
}

/// The script of axe-core in the folder of the Python packages.
fn axe_script(python_packages: &Path) -> PathBuf {
    python_packages.join(AXE.0).join("axe.min.js")
}

/// Firefox's driver, which the distribution does not package.
fn geckodriver() -> Result<PathBuf> {
    let folders = tools::folders(&[tools::Tool {
        package: "geckodriver",
        program: "geckodriver",
        version: GECKODRIVER,
        locked: true,
        optimised: false,
    }])?;
    let folder = folders.first().context("no folder of geckodriver")?;
    Ok(folder.join("geckodriver"))
}

fn importable(folder: &Path) -> bool {
    let script = "import libtorrent; print(libtorrent.version)";
    let version = process::output(
        Command::new("python3")
            .args(["-c", script])
            .env("PYTHONPATH", folder),
    );
    version.is_some_and(|version| version.starts_with(LIBTORRENT))
}
