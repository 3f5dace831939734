//! The engine in the tab: the worker's program. Its interface is the messages in
//! [`crate::message`].
//!
//! At the start it waits for the page to send the bridge's address. It reports if this browser or
//! page cannot run it, waits until no other tab leads, opens the storage, restores the torrents of
//! the last run, and then sends [`ToPage::Ready`].

mod amounts;
mod bridge;
mod client_names;
mod creation;
mod driver;
mod errors;
mod fetch;
mod library;
mod network;
mod opened;
mod page_port;
mod playback;
mod players;
mod requests;
mod seeding;
mod space;
mod suspension;
mod swarms;
mod tabs;
mod timers;
mod torrents;
mod updates;
mod view;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use self::bridge::address::BridgeAddress;
use self::driver::{Driver, enter};
use self::page_port::{PageMessage, post};
use self::tabs::{Follower, Tab, post_error};
use crate::browser::clock::{now, sleep};
use crate::browser::error::reason;
use crate::browser::global::scope;
use crate::browser::lock;
use crate::message::{Blocked, ToPage, ToWorker};
use crate::storage::client::Storage;
use crate::storage::error::FsError;
use crate::storage::folders::Folders;
use crate::storage::is_supported;
use crate::storage::layout::TOKEN;
use crate::storage::restore::read_all;

/// The time that the worker of a page which is being reloaded may take to end.
const RELOAD_MS: i32 = 500;

/// Starts the worker. Returns immediately; everything else happens in callbacks.
pub fn start() {
    console_error_panic_hook::set_once();
    let started = Cell::new(false);
    page_port::listen(move |message| {
        if let Some(ToWorker::Start { bridge, language }) = message.decode()
            && !started.replace(true)
        {
            language.set_current();
            spawn_local(async move {
                if let Err(why) = run(&bridge).await {
                    post(&ToPage::Blocked(why));
                }
            });
        }
    });
    post(&ToPage::Loaded);
}

async fn run(bridge: &str) -> Result<(), Blocked> {
    if !scope().is_secure_context() {
        return Err(Blocked::Insecure);
    }
    if !is_supported() {
        return Err(Blocked::NoFileSystem);
    }
    let address =
        BridgeAddress::parse(bridge).map_err(|error| Blocked::InvalidBridge(error.to_string()))?;
    let follower = lead()
        .await
        .map_err(|error| Blocked::NoStorage(reason(&error)))?;
    let driver = open(&address)
        .await
        .map_err(|error| Blocked::NoStorage(error.to_string()))?;
    let weak = Rc::downgrade(&driver);
    listen(driver, follower);
    post(&ToPage::Ready);
    enter(&weak, |driver| driver.send_updates(now()));
    Ok(())
}

/// Waits until this tab leads, and follows the leading tab until then.
async fn lead() -> Result<Option<Follower>, JsValue> {
    if lock::LEADER.try_acquire().await? {
        return Ok(None);
    }
    // A page that is being reloaded releases the lock only a moment after the new one asks.
    sleep(RELOAD_MS).await;
    if lock::LEADER.try_acquire().await? {
        return Ok(None);
    }
    post(&ToPage::Blocked(Blocked::OtherTab));
    let follower = Follower::start();
    post(&ToPage::Ready);
    lock::LEADER.acquire().await?;
    follower.keep_messages();
    post(&ToPage::Unblocked);
    Ok(Some(follower))
}

/// Opens the storage and restores the torrents.
async fn open(address: &BridgeAddress) -> Result<Rc<RefCell<Driver>>, FsError> {
    let folders = Folders::open().await?;
    // Only then has an earlier storage worker stopped writing.
    let storage = Storage::start().await?;
    let earlier = read_all(&folders.torrents).await?;
    let token = folders.root.read_if_there(TOKEN).await?;
    let token = String::from_utf8_lossy(&token).into_owned();
    storage.note_leftovers(earlier.leftovers);
    let driver = Driver::new(address, storage, token);
    earlier
        .restored
        .into_iter()
        .for_each(|restored| driver.borrow_mut().restore(restored));
    earlier
        .unreadable
        .iter()
        .for_each(|unreadable| post_error(&unreadable.to_string()));
    Ok(driver)
}

/// Passes the messages of all pages to the driver, starting with those that this tab's page has
/// sent in the meantime. The handler owns the driver, which lives as long as the worker.
fn listen(driver: Rc<RefCell<Driver>>, follower: Option<Follower>) {
    let weak = Rc::downgrade(&driver);
    tabs::lead(move |message| enter(&weak, |driver| driver.handle_follower(message)));
    let handle = move |message: PageMessage| {
        if let Some(decoded) = message.decode() {
            enter(&Rc::downgrade(&driver), |driver| {
                driver.handle_page(Tab::OWN, decoded, &message.attachment);
            });
        }
    };
    follower
        .map(Follower::into_backlog)
        .unwrap_or_default()
        .into_iter()
        .for_each(&handle);
    page_port::listen(handle);
}
