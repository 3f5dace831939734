//! Names of files and torrents that try to run something in the page.

use aqueduct_tests::torrent::Recipe;
use serde_json::json;

use super::{Setup, single};

/// What runs sets `window.ran`.
const HOSTILE: [&str; 25] = [
    "<script>ran=1<\u{2215}script>.txt",
    "<img src=x onerror=ran=1>.png",
    "<svg onload=ran=1>.svg",
    "\"><img src=x onerror=ran=1>.jpg",
    "'><svg onload=ran=1>.gif",
    "\" onmouseover=\"ran=1\" x=\".mp4",
    "' onfocus='ran=1' autofocus='.mp3",
    "` onerror=`ran=1`.webm",
    "javascript:ran=1.txt",
    "data:text&html,<script>ran=1<\u{2215}script>.html",
    "<iframe srcdoc='<script>parent.ran=1<\u{2215}script>'>.htm",
    "<style>@import 'javascript:ran=1'.css",
    "<math><mtext><style><img onerror=ran=1 src>.xml",
    "<details open ontoggle=ran=1>.vtt",
    "<video src onerror=ran=1>.mkv",
    "<input onfocus=ran=1 autofocus>.srt",
    "<body onload=ran=1>.pdf",
    "<a href=javascript:ran=1>click<\u{2215}a>.wav",
    "<base href=\u{2215}\u{2215}evil.example>.js",
    "<meta http-equiv=refresh content=0>.json",
    "<object data=javascript:ran=1>.swf",
    "{{constructor.constructor('ran=1')()}}.txt",
    "${ran=1}.txt",
    "&lt;img src=x onerror=ran=1&gt;.txt",
    "\u{202e}gpj.<img src=x onerror=ran=1>.exe",
];

/// Records what the page's policy refuses, since nothing should even try.
const WATCH: &str = "window.refused = []; document.addEventListener('securitypolicyviolation',
    event => window.refused.push(event.violatedDirective + ' ' + event.sample));";

const SEEN: &str = "return { ran: window.ran ?? 0, refused: window.refused,
    foreign: document.querySelectorAll('body :is(script, iframe, object, base, meta, style, math, a[href^=javascript], [onerror], [onload], [onfocus])').length };";

#[tokio::test]
async fn fifty_hostile_names_are_shown_and_run_nothing() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    browser.run(WATCH).await;
    let files = HOSTILE.map(|name| (name, 1));
    let folder = Recipe::folder("<img src=x onerror=ran=1> folder", 141, &files, 16_384).build();
    browser
        .add_file(&named_file(&setup, &folder.metainfo(&[]), 0))
        .await;
    for (index, name) in HOSTILE.iter().enumerate().skip(1) {
        let torrent = single(name, 142 + index as u64, 1);
        browser
            .add_file(&named_file(&setup, &torrent.metainfo(&[]), index))
            .await;
    }
    let count = "return document.querySelectorAll('[aria-label=\"Torrents\"] > *').length";
    browser.wait_for(count, HOSTILE.len().into()).await;
    browser.open_torrent("folder").await;
    for tab in ["Peers", "Pieces", "Trackers", "Details", "Files"] {
        browser.open_tab(tab).await;
    }
    let names = "return document.querySelectorAll('[aria-label=\"Files\"] > *').length";
    browser.wait_for(names, HOSTILE.len().into()).await;
    browser.press("Share").await;
    browser.press("Remove").await;
    browser.find("button", "Undo").await;
    assert_eq!(
        browser.run(SEEN).await,
        json!({ "ran": 0, "refused": [], "foreign": 0 })
    );
    setup.browser.close().await;
}

/// Writes a .torrent file under a harmless name.
fn named_file(setup: &Setup, metainfo: &[u8], index: usize) -> std::path::PathBuf {
    let path = setup.place("hostile").join(format!("{index}.torrent"));
    std::fs::write(&path, metainfo).unwrap();
    path
}
