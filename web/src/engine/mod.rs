//! The worker: the engine, its storage and its line to the bridge.
//!
//! Start: say so if this browser or page cannot do it; wait until no other tab leads; open the
//! storage; bring back the torrents of the last run; then say [`ToPage::Ready`] and hear the page.

mod bridge;
mod clearing;
mod commands;
mod creation;
mod driver;
pub mod errors;
mod fetch;
mod removal;
mod requests;
mod swarms;
mod tabs;
pub(crate) mod torrent;
mod updates;
mod view;

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Array;
use wasm_bindgen_futures::spawn_local;

use crate::browser::clock::{now, scope, sleep};
use crate::engine::driver::{Driver, enter};
use crate::engine::errors::reason;
use crate::engine::tabs::{Follower, Tab};
use crate::engine::updates::{complain, post};
use crate::message::{Blocked, ToPage};
use crate::storage::opfs::FsError;
use crate::storage::store::Store;

/// How long the worker of a page that is being reloaded may take to end.
const RELOAD_MS: i32 = 500;

/// Starts the worker. Returns at once; events do the rest.
pub fn start() {
    console_error_panic_hook::set_once();
    spawn_local(async {
        if let Err(why) = run().await {
            post(&ToPage::Blocked(why));
        }
    });
}

async fn run() -> Result<(), Blocked> {
    if !scope().is_secure_context() {
        return Err(Blocked::Insecure);
    }
    let followed = lead()
        .await
        .map_err(|error| Blocked::NoStorage(reason(&error)))?;
    let driver = open()
        .await
        .map_err(|error| Blocked::NoStorage(error.to_string()))?;
    let weak = Rc::downgrade(&driver);
    hear(driver, followed);
    post(&ToPage::Ready);
    enter(&weak, |driver| driver.tell_page(now()));
    Ok(())
}

/// Waits for the lead, and tells the page if another tab has it; meanwhile it follows that one.
async fn lead() -> Result<Option<Follower>, wasm_bindgen::JsValue> {
    if crate::browser::lock::try_lead().await? {
        return Ok(None);
    }
    // A page that is being reloaded lets go of the lead only a moment after the new one asks.
    sleep(RELOAD_MS).await;
    if crate::browser::lock::try_lead().await? {
        return Ok(None);
    }
    post(&ToPage::Blocked(Blocked::OtherTab));
    let follower = Follower::start();
    post(&ToPage::Ready);
    crate::browser::lock::lead().await?;
    follower.keep();
    post(&ToPage::Unblocked);
    Ok(Some(follower))
}

async fn open() -> Result<Rc<RefCell<Driver>>, FsError> {
    let store = Store::open().await?;
    let earlier = crate::storage::restore::all(&store.root()).await?;
    let token = store.token().await?;
    store.note_unclaimed(earlier.unclaimed);
    let driver = Driver::new(store, token);
    earlier
        .restored
        .into_iter()
        .for_each(|restored| driver.borrow_mut().restore(restored));
    earlier
        .unreadable
        .iter()
        .for_each(|unreadable| complain(&unreadable.to_string()));
    Ok(driver)
}

/// Hears the page, and those of other tabs, from now on; first what the page said while this worker
/// got ready. The handler owns the driver, which lives as long as the worker.
fn hear(driver: Rc<RefCell<Driver>>, followed: Option<Follower>) {
    let others = Rc::downgrade(&driver);
    tabs::lead(move |heard| enter(&others, |driver| driver.on_other_tab(heard)));
    let on_page = move |parcel: Array| {
        let message = parcel
            .get(0)
            .as_string()
            .and_then(|text| serde_json::from_str(&text).ok());
        if let Some(message) = message {
            enter(&Rc::downgrade(&driver), |driver| {
                driver.on_page(Tab::OWN, message, &parcel.get(1))
            });
        }
    };
    followed
        .map(Follower::backlog)
        .unwrap_or_default()
        .into_iter()
        .for_each(&on_page);
    tabs::hear_page(on_page);
}
