//! Adding torrents: in several tabs, from several links at a time, from web addresses.

use aqueduct_tests::http::{Server, response};
use aqueduct_tests::page::{SOON, Shown};
use aqueduct_tests::peer::Manner;
use serde_json::json;

use super::{DOWNLOAD, Setup, single};

/// Whether the browser would ask the user before it closes the page.
pub(super) const ASKS_BEFORE_LEAVING: &str = "const leaving = new Event('beforeunload', { cancelable: true }); window.dispatchEvent(leaving); return leaving.defaultPrevented;";

fn has(shown: &[Shown], names: &[&str]) -> bool {
    shown.len() == names.len()
        && names
            .iter()
            .all(|name| shown.iter().any(|torrent| torrent.name.contains(name)))
}

#[tokio::test]
async fn a_link_opened_in_a_second_tab_is_added_by_the_first_and_shown_in_both() {
    let setup = Setup::start().await;
    let client = setup.browser.client();
    let [first, second] = [
        single("there already.bin", 131, 1),
        single("from the second tab.bin", 132, 1),
    ];
    let _seeds = [
        setup.seed(&first, Manner::Honest),
        setup.seed(&second, Manner::Honest),
    ];
    setup.browser.add_file(&setup.file(&first)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let leading = client.window().await.unwrap();
    let link = format!("{}#{}", setup.bridge.url(), setup.magnet(&second));
    let following = setup.open_window(&link).await;
    setup
        .browser
        .wait_until(SOON, "it shows the list", |shown| {
            has(shown, &["there already.bin"])
        })
        .await;
    setup.browser.press("Download").await;
    let both = |shown: &[Shown]| {
        has(shown, &["there already.bin", "from the second tab.bin"])
            && shown.iter().all(|t| t.progress == 100)
    };
    setup
        .browser
        .wait_until(DOWNLOAD, "it is added and complete", both)
        .await;
    assert_eq!(
        client.current_url().await.unwrap().as_str(),
        setup.bridge.url(),
        "the link has done its work"
    );
    setup.browser.open_torrent(second.name()).await;
    setup.save_and_verify(&second).await;
    client.switch_to_window(leading.clone()).await.unwrap();
    setup
        .browser
        .wait_until(SOON, "the first tab shows the same", both)
        .await;
    client.close_window().await.unwrap();
    client.switch_to_window(following).await.unwrap();
    setup
        .browser
        .wait_until(SOON, "the second goes on alone", both)
        .await;
    setup.browser.close().await;
}

#[tokio::test]
async fn several_pasted_or_dropped_links_are_all_added_and_invalid_ones_stay_in_the_field() {
    let setup = Setup::start().await;
    let all = [
        single("first.bin", 133, 1),
        single("second.bin", 134, 1),
        single("third.bin", 135, 1),
    ];
    let [one, two, three] = all
        .each_ref()
        .map(|torrent| format!("{}&dn={}", setup.magnet(torrent), torrent.name()));
    setup
        .browser
        .add_link(&format!("\"{one}\", nonsense {two}"))
        .await;
    setup.browser.find("alert", "").await;
    setup
        .browser
        .wait_until(SOON, "both are in the list", |shown| {
            has(shown, &["first.bin", "second.bin"])
        })
        .await;
    setup
        .browser
        .wait_for(
            "return document.querySelector('#link').value",
            json!("nonsense"),
        )
        .await;
    let items = json!([{ "mimeType": "text/uri-list", "data": three }, { "mimeType": "text/plain", "data": three }]);
    for step in ["dragEnter", "dragOver", "drop"] {
        let data = json!({ "items": items, "files": [], "dragOperationsMask": 1 });
        setup
            .browser
            .devtools(
                "Input.dispatchDragEvent",
                json!({ "type": step, "x": 600, "y": 700, "data": data }),
            )
            .await;
    }
    setup
        .browser
        .wait_until(SOON, "the third is there, too", |shown| {
            has(shown, &["first.bin", "second.bin", "third.bin"])
        })
        .await;
    setup.browser.close().await;
}

/// A web server with one .torrent file. `headers` contains the CORS header lines.
fn site(file: Vec<u8>, headers: &'static str) -> Server {
    Server::start(move |_| response("200 OK", headers, &file))
}

#[tokio::test]
async fn a_torrent_at_a_web_address_is_fetched_if_its_site_allows_it() {
    let setup = Setup::start().await;
    let torrent = single("on the web.bin", 136, 1);
    let _seed = setup.seed(&torrent, Manner::Honest);
    let file = std::fs::read(setup.file(&torrent)).unwrap();
    let (open, closed) = (
        site(file.clone(), "Access-Control-Allow-Origin: *\r\n"),
        site(file, ""),
    );
    setup
        .browser
        .add_link(&closed.url("/files/a.torrent"))
        .await;
    setup
        .browser
        .wait_for_text(
            "its site does not allow that (CORS), or does not answer. Download the .torrent file",
        )
        .await;
    assert_eq!(setup.browser.shown().await, []);
    setup.browser.add_link(&open.url("/files/a.torrent")).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.close_but_for("CORS").await;
}

#[tokio::test]
async fn closing_the_page_asks_first_while_sharing_the_only_copy() {
    let setup = Setup::start().await;
    let torrent = single("the only copy.bin", 137, 1);
    let path = torrent.write_to(&setup.place("own")).unwrap();
    assert_eq!(setup.browser.run(ASKS_BEFORE_LEAVING).await, false);
    setup.browser.drop_files(&[&path]).await;
    setup.browser.press("Share").await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup
        .browser
        .wait_for_text("nobody else may have all of it yet")
        .await;
    assert_eq!(setup.browser.run(ASKS_BEFORE_LEAVING).await, true);
    setup.browser.press("Pause").await;
    setup
        .browser
        .wait_until(SOON, "it is paused", |shown| {
            shown[0].status.starts_with("Paused")
        })
        .await;
    assert_eq!(setup.browser.run(ASKS_BEFORE_LEAVING).await, false);
    setup.browser.close().await;
}
