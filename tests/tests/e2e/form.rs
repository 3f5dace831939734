//! The form and the list of torrents: roles, names, errors, keyboard, narrow windows.

use aqueduct_tests::page::SOON;
use aqueduct_tests::peer::Manner;
use fantoccini::Locator;
use fantoccini::key::Key;
use serde_json::Value;

use super::{DOWNLOAD, Setup, single};

#[tokio::test]
async fn the_page_has_its_elements_by_role_and_name() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    for (role, name) in [
        ("textbox", "Magnet link or info-hash"),
        ("button", "Download"),
    ] {
        browser.find(role, name).await;
    }
    let torrent = single("elements.bin", 1, 1);
    let _seed = setup.seed(&torrent, Manner::Honest);
    browser.add_file(&setup.file(&torrent)).await;
    browser.wait_until_complete(DOWNLOAD).await;
    let inside = [
        ("list", "Torrents"),
        ("listitem", ""),
        ("heading", "elements.bin"),
        ("progressbar", ""),
        ("status", ""),
        ("button", "Pause"),
        ("button", "Remove"),
        ("button", "Share"),
        ("tab", "Files"),
        ("tab", "Peers"),
        ("tab", "Pieces"),
        ("tab", "Trackers"),
        ("tab", "Details"),
        ("tabpanel", "Files"),
        ("list", "Files"),
        ("checkbox", "elements.bin"),
        ("button", "Save elements.bin"),
    ];
    for (role, name) in inside {
        browser.find(role, name).await;
    }
    setup.browser.close().await;
}

#[tokio::test]
async fn input_that_is_neither_link_nor_torrent_raises_an_alert() {
    let setup = Setup::start().await;
    for nonsense in ["magnet:?xt=urn:btih:12345", "hello"] {
        setup.browser.add_link(nonsense).await;
        setup.browser.find("alert", "").await;
    }
    let file = setup.place("bad").join("bad.torrent");
    std::fs::write(&file, "d8:announce3:abce").unwrap();
    setup.browser.add_file(&file).await;
    setup.browser.find("alert", "").await;
    assert_eq!(setup.browser.shown().await, [], "something was added");
    setup.browser.close().await;
}

#[tokio::test]
async fn a_magnet_link_in_the_address_only_fills_the_form() {
    let setup = Setup::start().await;
    let torrent = single("address.bin", 2, 1);
    let magnet = setup.magnet(&torrent);
    setup
        .browser
        .open(&format!("{}#{magnet}", setup.bridge.url()))
        .await;
    let field = setup
        .browser
        .find("textbox", "Magnet link or info-hash")
        .await;
    assert_eq!(
        field.prop("value").await.unwrap().as_deref(),
        Some(&magnet[..])
    );
    assert_eq!(
        setup.browser.shown().await,
        [],
        "it was added without a press of the button"
    );
    assert!(setup.tracker.announces().is_empty());
    setup.browser.press("Download").await;
    setup
        .browser
        .wait_until(SOON, "it is in the list", |shown| shown.len() == 1)
        .await;
    setup.browser.close().await;
}

#[tokio::test]
async fn a_magnet_link_in_the_address_leaves_what_was_typed() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let (typed, opened) = (single("typed.bin", 5, 1), single("opened.bin", 6, 1));
    let (typed, opened) = (setup.magnet(&typed), setup.magnet(&opened));
    let field = browser.find("textbox", "Magnet link or info-hash").await;
    field.send_keys(&typed).await.unwrap();
    let open = format!("location.hash = {}", Value::from(&*opened));
    browser.run(&open).await;
    let both = format!("{typed} {opened}");
    let value = "return document.querySelector('#link').value";
    browser.wait_for(value, both.as_str().into()).await;
    browser.press("Download").await;
    browser
        .wait_until(SOON, "both are in the list", |shown| shown.len() == 2)
        .await;
    setup.browser.close().await;
}

#[tokio::test]
async fn the_text_field_is_invalid_only_for_what_stands_in_it() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let is_invalid = "return document.querySelector('#link').ariaInvalid";
    let file = setup.place("bad").join("bad.torrent");
    std::fs::write(&file, "d8:announce3:abce").unwrap();
    browser.add_file(&file).await;
    browser.find("alert", "").await;
    assert_eq!(browser.run(is_invalid).await, "false");
    browser.add_link("magnet:?xt=urn:btih:12345").await;
    browser.wait_for(is_invalid, "true".into()).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn the_keyboard_alone_adds_and_removes_a_torrent() {
    let setup = Setup::start().await;
    let torrent = single("keyboard.bin", 3, 1);
    let _seed = setup.seed(&torrent, Manner::Honest);
    let client = setup.browser.client();
    setup
        .browser
        .find("textbox", "Magnet link or info-hash")
        .await
        .send_keys(&(setup.magnet(&torrent) + &Key::Enter))
        .await
        .unwrap();
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let mut presses = 0;
    while client.active_element().await.unwrap().text().await.unwrap() != "Remove" {
        setup.browser.key(Key::Tab).await;
        presses += 1;
        assert!(presses < 40, "no way to the button with the keyboard");
    }
    setup.browser.key(Key::Enter).await;
    setup
        .browser
        .wait_until(SOON, "it is gone from the list", <[_]>::is_empty)
        .await;
    setup.browser.close().await;
}

#[tokio::test]
async fn a_narrow_window_needs_no_horizontal_scrolling() {
    let setup = Setup::start().await;
    let torrent = single(
        "a name that is rather long for a narrow window and has_no_space_to_break_it_at_all.bin",
        4,
        1,
    );
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup
        .browser
        .client()
        .set_window_size(360, 800)
        .await
        .unwrap();
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let script =
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    let over = setup
        .browser
        .client()
        .execute(script, vec![])
        .await
        .unwrap();
    assert_eq!(over.as_i64(), Some(0), "the page is wider than its window");
    assert!(
        setup
            .browser
            .client()
            .find(Locator::Css("[role=progressbar]"))
            .await
            .unwrap()
            .is_displayed()
            .await
            .unwrap()
    );
    setup.browser.close().await;
}
