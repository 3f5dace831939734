//! The worker: the engine, its storage and its line to the bridge.
//!
//! Start: say so if this browser or page cannot do it; wait until no other tab leads; open the storage; bring back the torrents of the last
//! run; then say [`ToPage::Ready`] and hear the page.

pub mod arrangement;
mod bridge;
mod clock;
mod commands;
mod credit;
mod digest;
mod driver;
mod hints;
mod item;
pub mod layout;
mod line;
mod lock;
mod making;
mod opfs;
mod ops;
mod records;
mod removal;
mod restore;
mod room;
mod scrap;
mod scratch;
mod store;
mod streams;
mod teller;
mod told;
mod view;

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Array;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen_futures::spawn_local;
use web_sys::MessageEvent;

use self::clock::{now, scope, sleep};
use self::driver::{Driver, enter};
use self::opfs::FsError;
use self::store::Store;
use self::teller::{complain, post};
use crate::message::{Blocked, ToPage};
use crate::words::faults::reason;

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
    lead().await.map_err(|error| Blocked::NoStorage(reason(&error)))?;
    let driver = open().await.map_err(|error| Blocked::NoStorage(error.to_string()))?;
    let weak = Rc::downgrade(&driver);
    hear(driver);
    post(&ToPage::Ready);
    enter(&weak, |driver| driver.tell_page(now()));
    Ok(())
}

/// Waits for the lead, and tells the page if another tab has it.
async fn lead() -> Result<(), wasm_bindgen::JsValue> {
    if lock::try_lead().await? {
        return Ok(());
    }
    // A page that is being reloaded lets go of the lead only a moment after the new one asks.
    sleep(RELOAD_MS).await;
    if lock::try_lead().await? {
        return Ok(());
    }
    post(&ToPage::Blocked(Blocked::OtherTab));
    lock::lead().await?;
    post(&ToPage::Unblocked);
    Ok(())
}

async fn open() -> Result<Rc<RefCell<Driver>>, FsError> {
    let store = Store::open().await?;
    let found = restore::all(store.root()).await?;
    let token = store.token().await?;
    let driver = Driver::new(store, token);
    for one in found {
        match one {
            Ok(restored) => driver.borrow_mut().restore(restored),
            Err(unreadable) => complain(&unreadable.to_string()),
        }
    }
    Ok(driver)
}

/// Hears the page from now on. A parcel of it is an array: the message as text, and what rides along. The handler owns the driver,
/// which lives as long as the worker.
fn hear(driver: Rc<RefCell<Driver>>) {
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let parcel: Array = event.data().unchecked_into();
        let message = parcel.get(0).as_string().and_then(|text| serde_json::from_str(&text).ok());
        if let Some(message) = message {
            enter(&Rc::downgrade(&driver), |driver| driver.on_page(message, &parcel.get(1)));
        }
    });
    scope().set_onmessage(Some(on_message.into_js_value().unchecked_ref()));
}
