//! Several tabs at the page, several links at once, links from elsewhere, and leaving.

use aqueduct_tests::http::{Server, response};
use aqueduct_tests::page::{SOON, Shown};
use aqueduct_tests::peer::Manner;
use serde_json::json;

use super::{DOWNLOAD, Stage, single};

/// Whether the page would have the user asked before it closes.
pub(super) const ASKS_BEFORE_LEAVING: &str = "const leaving = new Event('beforeunload', { cancelable: true }); window.dispatchEvent(leaving); return leaving.defaultPrevented;";

fn has(shown: &[Shown], names: &[&str]) -> bool {
    shown.len() == names.len()
        && names
            .iter()
            .all(|name| shown.iter().any(|torrent| torrent.name.contains(name)))
}

#[tokio::test]
async fn a_link_opened_in_a_second_tab_is_added_by_the_first_and_shown_in_both() {
    let stage = Stage::set().await;
    let client = stage.browser.client();
    let [first, second] = [
        single("there already.bin", 131, 1),
        single("from the second tab.bin", 132, 1),
    ];
    let _seeds = [
        stage.seed(&first, Manner::Honest),
        stage.seed(&second, Manner::Honest),
    ];
    stage.browser.add_file(&stage.file(&first)).await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    let leading = client.window().await.unwrap();
    let following = client.new_window(true).await.unwrap().handle;
    client.switch_to_window(following.clone()).await.unwrap();
    stage
        .browser
        .open(&format!("{}#{}", stage.bridge.url(), stage.magnet(&second)))
        .await;
    stage
        .browser
        .wait_until(SOON, "it shows the list", |shown| {
            has(shown, &["there already.bin"])
        })
        .await;
    stage.browser.press("Download").await;
    let both = |shown: &[Shown]| {
        has(shown, &["there already.bin", "from the second tab.bin"])
            && shown.iter().all(|t| t.progress == 100)
    };
    stage
        .browser
        .wait_until(DOWNLOAD, "it is added and complete", both)
        .await;
    assert_eq!(
        client.current_url().await.unwrap().as_str(),
        stage.bridge.url(),
        "the link has done its work"
    );
    stage.save_and_verify(&second).await;
    client.switch_to_window(leading.clone()).await.unwrap();
    stage
        .browser
        .wait_until(SOON, "the first tab shows the same", both)
        .await;
    client.close_window().await.unwrap();
    client.switch_to_window(following).await.unwrap();
    stage
        .browser
        .wait_until(SOON, "the second goes on alone", both)
        .await;
    stage.browser.close().await;
}

#[tokio::test]
async fn several_pasted_or_dropped_links_are_all_added_and_invalid_ones_stay_in_the_field() {
    let stage = Stage::set().await;
    let all = [
        single("first.bin", 133, 1),
        single("second.bin", 134, 1),
        single("third.bin", 135, 1),
    ];
    let [one, two, three] = all
        .each_ref()
        .map(|torrent| format!("{}&dn={}", stage.magnet(torrent), torrent.name()));
    stage
        .browser
        .add_link(&format!("\"{one}\", nonsense {two}"))
        .await;
    stage.browser.find("alert", "").await;
    stage
        .browser
        .wait_until(SOON, "both are in the list", |shown| {
            has(shown, &["first.bin", "second.bin"])
        })
        .await;
    stage
        .browser
        .wait_for(
            "return document.querySelector('#link').value",
            json!("nonsense"),
        )
        .await;
    let items = json!([{ "mimeType": "text/uri-list", "data": three }, { "mimeType": "text/plain", "data": three }]);
    for step in ["dragEnter", "dragOver", "drop"] {
        let data = json!({ "items": items, "files": [], "dragOperationsMask": 1 });
        stage
            .browser
            .devtools(
                "Input.dispatchDragEvent",
                json!({ "type": step, "x": 600, "y": 700, "data": data }),
            )
            .await;
    }
    stage
        .browser
        .wait_until(SOON, "the third is there, too", |shown| {
            has(shown, &["first.bin", "second.bin", "third.bin"])
        })
        .await;
    stage.browser.close().await;
}

/// A web site with one .torrent file, and header lines that say which origins may read it.
fn site(file: Vec<u8>, headers: &'static str) -> Server {
    Server::start(move |_| response("200 OK", headers, &file))
}

#[tokio::test]
async fn a_torrent_at_a_web_address_is_fetched_if_its_site_allows_it() {
    let stage = Stage::set().await;
    let torrent = single("on the web.bin", 136, 1);
    let _seed = stage.seed(&torrent, Manner::Honest);
    let file = std::fs::read(stage.file(&torrent)).unwrap();
    let (open, closed) = (
        site(file.clone(), "Access-Control-Allow-Origin: *\r\n"),
        site(file, ""),
    );
    stage
        .browser
        .add_link(&closed.url("/files/a.torrent"))
        .await;
    stage
        .browser
        .wait_for_text(
            "its site does not allow that (CORS), or does not answer. Download the .torrent file",
        )
        .await;
    assert_eq!(stage.browser.shown().await, []);
    stage.browser.add_link(&open.url("/files/a.torrent")).await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    stage.save_and_verify(&torrent).await;
    stage.browser.close_but_for("CORS").await;
}

#[tokio::test]
async fn closing_the_page_asks_first_while_sharing_the_only_copy() {
    let stage = Stage::set().await;
    let torrent = single("the only copy.bin", 137, 1);
    let path = torrent.write_to(&stage.place("own")).unwrap();
    assert_eq!(stage.browser.run(ASKS_BEFORE_LEAVING).await, false);
    stage.browser.drop_files(&[&path]).await;
    stage.browser.press("Share").await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    stage
        .browser
        .wait_for_text("nobody else may have all of it yet")
        .await;
    assert_eq!(stage.browser.run(ASKS_BEFORE_LEAVING).await, true);
    stage.browser.press("Pause").await;
    stage
        .browser
        .wait_until(SOON, "it is paused", |shown| {
            shown[0].status.starts_with("Paused")
        })
        .await;
    assert_eq!(stage.browser.run(ASKS_BEFORE_LEAVING).await, false);
    stage.browser.close().await;
}
