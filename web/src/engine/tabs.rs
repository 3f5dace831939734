//! Several tabs of one browser at this page. One leads; the others hand on to it what their pages
//! say, and to their pages what it tells, so that each of them shows the same list and does what
//! the user wants.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Array, Function, Reflect};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::MessageEvent;

use crate::browser::clock::scope;
use crate::engine::driver::random;
use crate::engine::updates::post_here;
use crate::message::{ToPage, ToWorker};

/// The browser's name for what the tabs of an origin say to each other.
const CHANNEL: &str = "aqueduct";

/// One tab, by a number of chance; [`Tab::OWN`] is the one whose worker this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tab(u32);

impl Tab {
    /// The tab whose worker this is.
    pub(crate) const OWN: Self = Self(0);
    /// All tabs that do not lead.
    const ALL: Self = Self(0);

    fn by_chance() -> Self {
        Self(u32::from_be_bytes(random()).max(1))
    }

    fn of(value: &JsValue) -> Option<Self> {
        value
            .as_f64()
            .filter(|n| *n >= 0.0 && *n <= f64::from(u32::MAX))
            .map(|n| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "just checked; a fraction would name another tab"
                )]
                Self(n as u32)
            })
    }
}

/// What tabs say to each other, each an array that begins with one of these.
mod kind {
    /// To the leading tab: here is one more. `[HELLO, tab]`
    pub(crate) const HELLO: &str = "hello";
    /// To the leading tab: a page's message, and what rides along. `[SAY, tab, message,
    /// attachment]`
    pub(crate) const SAY: &str = "say";
    /// To the tab of this number, or to all: a message for the page. `[TELL, tab, message]`
    pub(crate) const TELL: &str = "tell";
    /// To all: another tab leads from now on. `[LEAD]`
    pub(crate) const LEAD: &str = "lead";
}

/// The common channel of an origin's tabs.
struct Channel {
    channel: JsValue,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

impl Channel {
    /// Messages of other tabs go to `hear` as arrays.
    fn open(mut hear: impl FnMut(Array) + 'static) -> Result<Self, JsValue> {
        let class: Function = Reflect::get(&scope(), &"BroadcastChannel".into())?.dyn_into()?;
        let channel = Reflect::construct(&class, &Array::of1(&CHANNEL.into()))?;
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Ok(message) = event.data().dyn_into() {
                hear(message);
            }
        });
        Reflect::set(&channel, &"onmessage".into(), on_message.as_ref())?;
        Ok(Self {
            channel,
            _on_message: on_message,
        })
    }

    /// A browser that refuses leaves the other tabs as they are.
    fn say(&self, message: &Array) {
        let post = Reflect::get(&self.channel, &"postMessage".into())
            .and_then(JsCast::dyn_into::<Function>);
        drop(post.and_then(|post| post.call1(&self.channel, message)));
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let close =
            Reflect::get(&self.channel, &"close".into()).and_then(JsCast::dyn_into::<Function>);
        drop(close.and_then(|close| close.call0(&self.channel)));
    }
}

thread_local! {
    /// The leading worker's channel, from the moment that another tab is there.
    static FOLLOWERS: RefCell<Option<Rc<Channel>>> = const { RefCell::new(None) };
}

/// What another tab says to the leading one.
pub(crate) enum Heard {
    /// It is there, and knows nothing yet.
    Hello(Tab),
    /// Its page says this.
    Said(Tab, ToWorker, JsValue),
}

/// Leads from now on: what other tabs say goes to `hear`. Without channels, the other tabs only
/// wait.
pub(crate) fn lead(hear: impl Fn(Heard) + 'static) {
    let opened = Channel::open(move |message| {
        if let Some(heard) = heard(&message) {
            hear(heard);
        }
    });
    if let Ok(channel) = opened {
        channel.say(&Array::of1(&kind::LEAD.into()));
        FOLLOWERS.set(Some(Rc::new(channel)));
    }
}

fn heard(message: &Array) -> Option<Heard> {
    match message.get(0).as_string()?.as_str() {
        kind::HELLO => Some(Heard::Hello(Tab::of(&message.get(1))?)),
        kind::SAY => {
            let said = serde_json::from_str(&message.get(2).as_string()?).ok()?;
            Some(Heard::Said(Tab::of(&message.get(1))?, said, message.get(3)))
        }
        _ => None,
    }
}

/// Says a message to the pages of all tabs that do not lead.
pub(crate) fn tell_followers(text: &str) {
    tell(Tab::ALL, text);
}

/// Says a message to the page of one tab alone.
pub(crate) fn answer(tab: Tab, message: &ToPage) {
    if tab == Tab::OWN {
        post_here(message);
    } else if let Ok(text) = serde_json::to_string(message) {
        tell(tab, &text);
    }
}

fn tell(tab: Tab, text: &str) {
    if let Some(channel) = FOLLOWERS.with_borrow(Clone::clone) {
        channel.say(&Array::of3(&kind::TELL.into(), &tab.0.into(), &text.into()));
    }
}

/// A tab that does not lead.
pub(crate) struct Follower {
    /// What its page says from the moment that it is to lead itself.
    backlog: Rc<RefCell<Vec<Array>>>,
    leads: Rc<Cell<bool>>,
    _channel: Option<Rc<Channel>>,
}

impl Follower {
    /// Hands on what the page says, and to the page what the leading tab tells.
    pub(crate) fn start() -> Self {
        let tab = Tab::by_chance();
        let opened = Channel::open(move |message| follow(tab, &message))
            .ok()
            .map(Rc::new);
        let (backlog, leads) = <(Rc<RefCell<Vec<Array>>>, Rc<Cell<bool>>)>::default();
        let (channel, kept, is_lead) = (opened.clone(), Rc::clone(&backlog), Rc::clone(&leads));
        hear_page(move |parcel| {
            if is_lead.get() {
                kept.borrow_mut().push(parcel);
            } else {
                hand_on(channel.as_deref(), tab, &parcel);
            }
        });
        if let Some(channel) = &opened {
            channel.say(&Array::of2(&kind::HELLO.into(), &tab.0.into()));
        }
        Self {
            backlog,
            leads,
            _channel: opened,
        }
    }

    /// The tab is going to lead: what the page says is kept, for [`Follower::backlog`].
    pub(crate) fn keep(&self) {
        self.leads.set(true);
    }

    /// What the page has said since.
    pub(crate) fn backlog(self) -> Vec<Array> {
        self.backlog.take()
    }
}

fn hand_on(channel: Option<&Channel>, tab: Tab, parcel: &Array) {
    let text = parcel.get(0).as_string().unwrap_or_default();
    match serde_json::from_str(&text) {
        // Asked of this worker, and not of the one that leads.
        Ok(ToWorker::Ping) => post_here(&ToPage::Pong),
        Ok(_) => {
            let said = Array::of4(
                &kind::SAY.into(),
                &tab.0.into(),
                &text.into(),
                &parcel.get(1),
            );
            channel.into_iter().for_each(|channel| channel.say(&said));
        }
        Err(_) => {}
    }
}

fn follow(tab: Tab, message: &Array) {
    let Some(said) = message.get(0).as_string() else {
        return;
    };
    let to = Tab::of(&message.get(1));
    if said == kind::LEAD {
        post_here(&ToPage::Anew);
    } else if said == kind::TELL && (to == Some(Tab::ALL) || to == Some(tab)) {
        drop(scope().post_message(&message.get(2)));
    }
}

/// What the page says goes to `hear` from now on, and nowhere else. A parcel of it is an array: the
/// message as text, and what rides along.
pub(crate) fn hear_page(mut hear: impl FnMut(Array) + 'static) {
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        hear(event.data().unchecked_into())
    });
    scope().set_onmessage(Some(on_message.into_js_value().unchecked_ref()));
}
