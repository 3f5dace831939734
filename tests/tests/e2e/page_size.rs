//! What a browser downloads for the page, except icons.

use aqueduct_tests::bridge::Bridge;

/// The most bytes of a first visit. docs/performance.md has what they consist of.
const MOST: usize = 550_000;

#[tokio::test]
async fn a_first_visit_downloads_at_most_550_kilobytes() {
    let bridge = Bridge::start();
    let (_, script) = bridge.get("/sw.js", "").await;
    let script = String::from_utf8(script).unwrap();
    let list = script
        .lines()
        .find_map(|line| line.strip_prefix("const PAGE = { "));
    // Each entry is a path and a digest, both quoted.
    let quoted = list.unwrap().split('"');
    let paths = quoted.filter(|text| text.starts_with('/') && !text.ends_with(".png"));
    let mut sizes = Vec::new();
    for path in paths.chain(["/sw.js"]) {
        let (_, body) = bridge.get(path, "accept-encoding: br\r\n").await;
        sizes.push((body.len(), path));
    }
    let all: usize = sizes.iter().map(|(size, _)| size).sum();
    assert!(sizes.len() > 5 && all <= MOST, "{all}: {sizes:?}");
}
