//! Several tabs of one browser with this page. One of them leads, and its worker runs the engine.
//! The others forward their pages' messages to it, and its messages to their pages, so that every
//! page shows the same list and can control it.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
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
    /// Changes with what [`kind`] describes.
    const VERSION: &str = "numbered";
    const SHAPE: u64 = codec::shape(VERSION, &[ToWorker::SHAPE, ToPage::SHAPE]);
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
        number(value).map(Self)
    }
}

/// The number in a message of the channel.
fn number(value: &JsValue) -> Option<u32> {
    value
        .as_f64()
        .filter(|n| *n >= 0.0 && *n <= f64::from(u32::MAX))
        .map(|n| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "just checked; none has a fraction"
            )]
            let number = n as u32;
            number
        })
}

/// The messages between tabs: arrays that begin with one of these.
mod kind {
    /// To the leader: another tab follows it. `[HELLO, tab]`
    pub(super) const HELLO: &str = "hello";
    /// To the leader: a message of a page, with a number that grows by one per message of this kind.
    /// `[TO_WORKER, tab, message, attachment, number]`
    pub(super) const TO_WORKER: &str = "say";
    /// To the tab with this number: its messages up to this one have arrived. `[HEARD, tab, number]`
    pub(super) const HEARD: &str = "heard";
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
    let mut heard = BTreeMap::new();
    let opened = Channel::open(move |message| {
        if let Some(message) = follower_message(&mut heard, &message) {
            handle(message);
        }
    });
    if let Ok(channel) = opened {
        channel.post(&Array::of1(&kind::LEADS.into()));
        FOLLOWERS.set(Some(Rc::new(channel)));
    }
}

/// Decodes a message of a follower. `heard` has the number of the last one of each follower: those up
/// to it are repetitions.
fn follower_message(heard: &mut BTreeMap<Tab, u32>, message: &Array) -> Option<FollowerMessage> {
    let tab = Tab::from_js(&message.get(1))?;
    match message.get(0).as_string()?.as_str() {
        kind::HELLO => Some(FollowerMessage::Hello(tab)),
        kind::TO_WORKER => {
            let number = number(&message.get(4))?;
            // Before it is handled: a message that makes the worker fail must not reach the next one.
            post_to_followers(kind::HEARD, tab, &number.into());
            if heard.get(&tab).is_some_and(|last| *last >= number) {
                return None;
            }
            heard.insert(tab, number);
            let decoded = codec::from_js(&message.get(2))?;
            Some(FollowerMessage::Page(tab, decoded, message.get(3)))
        }
        _ => None,
    }
}

/// Sends a message to the pages of all tabs.
pub(super) fn post_all(message: &ToPage) {
    let encoded = codec::to_js(message);
    post_to_followers(kind::TO_PAGE, Tab::ALL, &encoded);
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
        post_to_followers(kind::TO_PAGE, tab, &codec::to_js(message));
    }
}

fn post_to_followers(kind: &str, tab: Tab, content: &JsValue) {
    if let Some(channel) = FOLLOWERS.with_borrow(Clone::clone) {
        channel.post(&Array::of3(&kind.into(), &tab.0.into(), content));
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
pub(super) struct Follower(Rc<Shared>);

struct Shared {
    tab: Tab,
    leader: Cell<Leader>,
    unheard: RefCell<Unheard>,
    /// Missing in browsers without channels.
    channel: OnceCell<Channel>,
}

impl Follower {
    /// Starts to forward messages between the page and the leader.
    pub(super) fn start() -> Self {
        let shared = Rc::new(Shared {
            tab: Tab::random(),
            leader: Cell::new(Leader::Asked),
            unheard: RefCell::default(),
            channel: OnceCell::new(),
        });
        let listening = Rc::downgrade(&shared);
        let opened = Channel::open(move |message| {
            if let Some(shared) = listening.upgrade() {
                shared.handle_channel(&message);
            }
        });
        if let Ok(channel) = opened {
            channel.post(&Array::of2(&kind::HELLO.into(), &shared.tab.0.into()));
            // It is empty until now.
            drop(shared.channel.set(channel));
        }
        spawn_local(expect_answer(Rc::clone(&shared)));
        let forwarding = Rc::clone(&shared);
        page_port::listen(move |message| forwarding.handle_page(message));
        Self(shared)
    }

    /// Keeps the messages of the page for [`Follower::into_backlog`], because the tab is about to
    /// lead.
    pub(super) fn keep_messages(&self) {
        self.0.leader.set(Leader::Gone);
    }

    /// The messages of its page that no leader has handled.
    pub(super) fn into_backlog(self) -> Vec<PageMessage> {
        let mut unheard = self.0.unheard.take();
        unheard.change_leader();
        unheard.messages.into_iter().map(|(_, kept)| kept).collect()
    }
}

/// Messages of the page that the leader is not known to have. One that is still opening its storage,
/// or has just been closed, does not hear them.
#[derive(Default)]
struct Unheard {
    /// The number of the last message.
    last: u32,
    messages: VecDeque<(u32, PageMessage)>,
}

impl Unheard {
    fn push(&mut self, message: PageMessage) -> &(u32, PageMessage) {
        self.last += 1;
        self.messages.push_back_mut((self.last, message))
    }

    /// Forgets the messages up to this number.
    fn hear(&mut self, number: u32) {
        self.messages.retain(|(sent, _)| *sent > number);
    }

    /// Forgets the messages that another leader would misunderstand.
    fn change_leader(&mut self) {
        let is_understood =
            |message: &PageMessage| message.decode().is_some_and(|m| !m.names_torrent());
        self.messages.retain(|(_, message)| is_understood(message));
    }
}

impl Shared {
    /// Handles a message of the channel. The channel may live longer than the follower, and then
    /// receives the message that this tab leads.
    fn handle_channel(&self, message: &Array) {
        if self.leader.get() == Leader::Gone {
            return;
        }
        let Some(kind) = message.get(0).as_string() else {
            return;
        };
        let to = Tab::from_js(&message.get(1));
        match (kind.as_str(), to) {
            (kind::LEADS, _) => {
                page_port::post(&ToPage::LeaderChanged);
                self.unheard.borrow_mut().change_leader();
                self.know_leader();
                self.forward_unheard();
            }
            (kind::TO_PAGE, Some(to)) if to == Tab::ALL || to == self.tab => {
                page_port::post_encoded(&message.get(2));
                if self.know_leader() {
                    self.forward_unheard();
                }
            }
            (kind::HEARD, Some(to)) if to == self.tab => {
                let number = number(&message.get(2)).unwrap_or_default();
                self.unheard.borrow_mut().hear(number);
            }
            _ => {}
        }
    }

    /// The leader has answered, and takes messages. Returns whether that is news.
    fn know_leader(&self) -> bool {
        let before = self.leader.replace(Leader::Known);
        if before == Leader::Silent {
            page_port::post(&ToPage::Blocked(Blocked::OtherTab));
        }
        before != Leader::Known
    }

    fn handle_page(&self, message: PageMessage) {
        let leader = self.leader.get();
        // Intended for this worker, not for the leader's.
        let is_ping = || matches!(message.decode(), Some(ToWorker::Ping));
        if leader != Leader::Gone && is_ping() {
            page_port::post(&ToPage::Pong);
            return;
        }
        let mut unheard = self.unheard.borrow_mut();
        let sent = unheard.push(message);
        if leader == Leader::Known {
            self.forward(sent);
        }
    }

    fn forward_unheard(&self) {
        let unheard = self.unheard.borrow();
        unheard.messages.iter().for_each(|kept| self.forward(kept));
    }

    fn forward(&self, (number, message): &(u32, PageMessage)) {
        let forwarded = Array::of5(
            &kind::TO_WORKER.into(),
            &self.tab.0.into(),
            &message.encoded,
            &message.attachment,
            &(*number).into(),
        );
        if let Some(channel) = self.channel.get() {
            channel.post(&forwarded);
        }
    }
}

/// Tells the page if the leader does not answer: it may be of a version that does not understand this
/// one.
async fn expect_answer(shared: Rc<Shared>) {
    sleep(ANSWER_MS).await;
    if shared.leader.get() == Leader::Asked {
        shared.leader.set(Leader::Silent);
        page_port::post(&ToPage::Blocked(Blocked::SilentTab));
    }
}
