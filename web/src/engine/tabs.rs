//! Several tabs of one browser with this page. One of them leads, and its worker runs the engine.
//! The others forward their pages' messages to it, and its messages to their pages, so that every
//! page shows the same list and can control it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Array, Function, Reflect};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::MessageEvent;

use super::page_port::{self, PageMessage};
use crate::browser::clock::sleep;
use crate::browser::global::{random, scope};
use crate::codec::{self, Encoded};
use crate::message::{Blocked, ToPage, ToWorker};

/// The name of the channel between the tabs of an origin. Tabs of other versions, whose messages are
/// other ones, have another channel.
fn channel_name() -> String {
    const SHAPE: u64 = codec::shape("", &[ToWorker::SHAPE, ToPage::SHAPE]);
    format!("aqueduct-{SHAPE:x}")
}

/// How long the leader may take to answer, in milliseconds. One that is just restoring many torrents
/// needs a moment.
const ANSWER_MS: i32 = 5000;

/// A tab, identified by a random number; [`Tab::OWN`] is this worker's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tab(u32);

impl Tab {
    /// The tab of this worker.
    pub(super) const OWN: Self = Self(0);
    /// All tabs except the leading one.
    const ALL: Self = Self(0);

    fn random() -> Self {
        Self(u32::from_be_bytes(random()).max(1))
    }

    fn from_js(value: &JsValue) -> Option<Self> {
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

/// The messages between tabs: arrays that begin with one of these.
mod kind {
    /// To the leader: another tab follows it. `[HELLO, tab]`
    pub(super) const HELLO: &str = "hello";
    /// To the leader: a message of a page. `[TO_WORKER, tab, message, attachment]`
    pub(super) const TO_WORKER: &str = "say";
    /// To the tab with this number, or to all: a message for its page. `[TO_PAGE, tab, message]`
    pub(super) const TO_PAGE: &str = "tell";
    /// To all: another tab leads from now on. `[LEADS]`
    pub(super) const LEADS: &str = "lead";
}

/// The channel between the tabs of an origin.
struct Channel {
    channel: JsValue,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

impl Channel {
    /// Opens the channel, and passes the messages of other tabs to `handle`, as arrays.
    fn open(mut handle: impl FnMut(Array) + 'static) -> Result<Self, JsValue> {
        let class: Function = Reflect::get(&scope(), &"BroadcastChannel".into())?.dyn_into()?;
        let channel = Reflect::construct(&class, &Array::of1(&channel_name().into()))?;
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Ok(message) = event.data().dyn_into() {
                handle(message);
            }
        });
        Reflect::set(&channel, &"onmessage".into(), on_message.as_ref())?;
        Ok(Self {
            channel,
            _on_message: on_message,
        })
    }

    /// Sends a message to all other tabs. If the browser refuses, it is lost.
    fn post(&self, message: &Array) {
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
    /// The channel of a leading worker to its followers.
    static FOLLOWERS: RefCell<Option<Rc<Channel>>> = const { RefCell::new(None) };
}

/// A message of a follower to the leader.
pub(super) enum FollowerMessage {
    /// A new follower, whose page shows nothing yet.
    Hello(Tab),
    /// A message of its page, and its attachment.
    Page(Tab, ToWorker, JsValue),
}

/// Starts to lead, and passes the followers' messages to `handle`. In a browser without channels,
/// the other tabs only wait.
pub(super) fn lead(handle: impl Fn(FollowerMessage) + 'static) {
    let opened = Channel::open(move |message| {
        if let Some(message) = follower_message(&message) {
            handle(message);
        }
    });
    if let Ok(channel) = opened {
        channel.post(&Array::of1(&kind::LEADS.into()));
        FOLLOWERS.set(Some(Rc::new(channel)));
    }
}

fn follower_message(message: &Array) -> Option<FollowerMessage> {
    let tab = Tab::from_js(&message.get(1))?;
    match message.get(0).as_string()?.as_str() {
        kind::HELLO => Some(FollowerMessage::Hello(tab)),
        kind::TO_WORKER => {
            let decoded = codec::from_js(&message.get(2))?;
            Some(FollowerMessage::Page(tab, decoded, message.get(3)))
        }
        _ => None,
    }
}

/// Sends a message to the pages of all tabs.
pub(super) fn post_all(message: &ToPage) {
    let encoded = codec::to_js(message);
    post_to_followers(Tab::ALL, &encoded);
    page_port::post_encoded(&encoded);
}

/// Reports an error to all pages, as a sentence.
pub(super) fn post_error(why: &str) {
    post_all(&ToPage::Error(why.to_owned()));
}

/// Sends a message to the page of one tab.
pub(super) fn post_to(tab: Tab, message: &ToPage) {
    if tab == Tab::OWN {
        page_port::post(message);
    } else {
        post_to_followers(tab, &codec::to_js(message));
    }
}

fn post_to_followers(tab: Tab, message: &JsValue) {
    if let Some(channel) = FOLLOWERS.with_borrow(Clone::clone) {
        channel.post(&Array::of3(&kind::TO_PAGE.into(), &tab.0.into(), message));
    }
}

/// What a follower knows of the leader.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leader {
    /// It has not answered yet.
    Asked,
    /// It has not answered for so long that the page was told.
    Silent,
    /// It has answered.
    Known,
    /// It is gone: this tab is about to lead.
    Gone,
}

/// A tab that does not lead.
pub(super) struct Follower {
    /// Messages of its page that arrived after it was about to lead.
    backlog: Rc<RefCell<Vec<PageMessage>>>,
    leader: Rc<Cell<Leader>>,
    _channel: Option<Rc<Channel>>,
}

impl Follower {
    /// Starts to forward messages between the page and the leader.
    pub(super) fn start() -> Self {
        let tab = Tab::random();
        let leader = Rc::new(Cell::new(Leader::Asked));
        let known = Rc::clone(&leader);
        // The channel may live longer than the follower, and would then receive the message that
        // this tab leads.
        let opened = Channel::open(move |message| {
            if known.get() != Leader::Gone && handle_leader(tab, &message) {
                hear(&known);
            }
        });
        let channel = opened.ok().map(Rc::new);
        let follower = Self {
            backlog: Rc::default(),
            leader: Rc::clone(&leader),
            _channel: channel.clone(),
        };
        if let Some(channel) = &channel {
            channel.post(&Array::of2(&kind::HELLO.into(), &tab.0.into()));
        }
        let backlog = Rc::clone(&follower.backlog);
        spawn_local(expect_answer(Rc::clone(&leader)));
        page_port::listen(move |message| {
            if leader.get() == Leader::Gone {
                backlog.borrow_mut().push(message);
            } else {
                forward(channel.as_deref(), tab, &message);
            }
        });
        follower
    }

    /// Keeps the messages of the page for [`Follower::into_backlog`], because the tab is about to
    /// lead.
    pub(super) fn keep_messages(&self) {
        self.leader.set(Leader::Gone);
    }

    /// The messages of its page that were kept.
    pub(super) fn into_backlog(self) -> Vec<PageMessage> {
        self.backlog.take()
    }
}

/// Tells the page if the leader does not answer. What the page sends would be lost then.
async fn expect_answer(leader: Rc<Cell<Leader>>) {
    sleep(ANSWER_MS).await;
    if leader.get() == Leader::Asked {
        leader.set(Leader::Silent);
        page_port::post(&ToPage::Blocked(Blocked::SilentTab));
    }
}

/// The leader has answered.
fn hear(leader: &Cell<Leader>) {
    if leader.replace(Leader::Known) == Leader::Silent {
        page_port::post(&ToPage::Blocked(Blocked::OtherTab));
    }
}

fn forward(channel: Option<&Channel>, tab: Tab, message: &PageMessage) {
    match message.decode() {
        // Intended for this worker, not for the leader's.
        Some(ToWorker::Ping) => page_port::post(&ToPage::Pong),
        Some(_) => {
            let forwarded = Array::of4(
                &kind::TO_WORKER.into(),
                &tab.0.into(),
                &message.encoded,
                &message.attachment,
            );
            channel
                .into_iter()
                .for_each(|channel| channel.post(&forwarded));
        }
        None => {}
    }
}

/// Passes a message of the leader on to the page. Returns whether it is one.
fn handle_leader(tab: Tab, message: &Array) -> bool {
    let Some(kind) = message.get(0).as_string() else {
        return false;
    };
    let to = Tab::from_js(&message.get(1));
    if kind == kind::LEADS {
        page_port::post(&ToPage::LeaderChanged);
    } else if kind == kind::TO_PAGE && (to == Some(Tab::ALL) || to == Some(tab)) {
        page_port::post_encoded(&message.get(2));
    }
    matches!(&kind[..], kind::LEADS | kind::TO_PAGE)
}
