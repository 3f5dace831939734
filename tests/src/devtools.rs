//! Access to the page's workers over the Chrome DevTools Protocol, since WebDriver cannot reach them.
//!
//! With it a test can inject faults into a worker (a trap, a short write) from outside, so the
//! product needs no switches for them.

use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// The limit for each answer of the browser.
const LIMIT: Duration = Duration::from_secs(60);

/// Overwrites the memory of the worker's wasm program the next time its glue code accesses it. To
/// force that, it posts a message to the worker: the glue copies its bytes through a view of the
/// whole memory. `Runtime.queryObjects` would find the memory immediately, but in an idle
/// worker its answer sometimes never arrives.
const RUIN: &str = r"{
    const views = Object.getPrototypeOf(Uint8Array.prototype), { subarray } = views;
    let ruined = false;
    views.subarray = function(...part) {
        if (!ruined && this.byteLength === this.buffer.byteLength && this.byteLength >= 1 << 20) {
            ruined = true;
            new Uint8Array(this.buffer).fill(0xff);
        }
        return subarray.apply(this, part);
    };
    self.dispatchEvent(new MessageEvent('message', { data: [new Uint8Array(1)] }));
    ruined;
}";

/// A DevTools session with one of the page's workers.
pub struct Worker {
    socket: WebSocketStream<TcpStream>,
    /// The current session id: the page's at first, then that of a worker.
    session: String,
    /// The session id of the page.
    page: String,
    /// The sessions of the workers that the page, or its worker, has started, oldest first. A worker
    /// that has just ended may still be listed.
    workers: Vec<String>,
    calls: u64,
}

impl Worker {
    /// Attaches to the worker of the only page of the browser with this profile.
    ///
    /// # Panics
    /// There is no such page, or the browser cannot be debugged.
    pub async fn attach(profile: &Path) -> Self {
        let said = std::fs::read_to_string(profile.join("DevToolsActivePort"))
            .expect("the browser says where it can be debugged");
        let (port, path) = said.trim().split_once('\n').expect("a port and a path");
        let stream = TcpStream::connect(format!("127.0.0.1:{port}"))
            .await
            .expect("the browser listens");
        let (socket, _) =
            tokio_tungstenite::client_async(format!("ws://127.0.0.1:{port}{path}"), stream)
                .await
                .expect("a WebSocket");
        let mut worker = Self {
            socket,
            session: String::new(),
            page: String::new(),
            workers: Vec::new(),
            calls: 0,
        };
        let targets = worker.call("Target.getTargets", json!({})).await;
        let page = targets["targetInfos"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|target| target["type"] == "page")
            .expect("a page");
        let attached = worker
            .call(
                "Target.attachToTarget",
                json!({ "targetId": page["targetId"], "flatten": true }),
            )
            .await;
        worker.session = attached["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        worker.page.clone_from(&worker.session);
        worker.turn_to_newest().await;
        worker
    }

    /// As [`Worker::attach`], to the storage worker, which the page's worker has started.
    ///
    /// # Panics
    /// There is no such page, or the browser cannot be debugged.
    pub async fn attach_to_storage(profile: &Path) -> Self {
        let mut worker = Self::attach(profile).await;
        worker.workers.clear();
        worker.turn_to_newest().await;
        // A nested worker can be attached to before the browser has given it its interfaces.
        while worker.run("typeof FileSystemSyncAccessHandle").await == "undefined" {}
        worker
    }

    /// Switches to the session of the newest worker that the page or worker of the current session
    /// has started, and waits for one if there is none.
    async fn turn_to_newest(&mut self) {
        self.call(
            "Target.setAutoAttach",
            json!({ "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true }),
        )
        .await;
        while self.workers.is_empty() {
            self.hear().await;
        }
        self.session
            .clone_from(&self.workers[self.workers.len() - 1]);
    }

    /// Evaluates a script in the worker and returns its value. Promises are awaited.
    ///
    /// # Panics
    /// The script throws.
    pub async fn run(&mut self, script: &str) -> Value {
        let answer = self
            .call(
                "Runtime.evaluate",
                json!({ "expression": script, "awaitPromise": true, "returnByValue": true }),
            )
            .await;
        assert!(
            answer["exceptionDetails"].is_null(),
            "{script} throws: {answer}"
        );
        answer["result"]["value"].clone()
    }

    /// Overwrites the memory of the worker's wasm program, so that it traps on its next event.
    ///
    /// # Panics
    /// Its memory is not found.
    pub async fn ruin_memory(&mut self) {
        assert_eq!(self.run(RUIN).await, true, "the memory was not found");
    }

    /// Freezes the page and its worker as an energy saver does, or lets them go on. The driver does
    /// not answer while a page is frozen.
    ///
    /// # Panics
    /// The browser rejects the command.
    pub async fn set_frozen(&mut self, frozen: bool) {
        let state = if frozen { "frozen" } else { "active" };
        let worker = std::mem::replace(&mut self.session, self.page.clone());
        self.call("Page.setWebLifecycleState", json!({ "state": state }))
            .await;
        self.session = worker;
    }

    async fn call(&mut self, method: &str, parameters: Value) -> Value {
        let id = self.send(method, &parameters).await;
        loop {
            let mut heard = self.hear().await;
            if heard["id"] == id {
                assert!(heard["error"].is_null(), "{method} fails: {heard}");
                return heard["result"].take();
            }
        }
    }

    async fn send(&mut self, method: &str, parameters: &Value) -> u64 {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": parameters });
        if !self.session.is_empty() {
            call["sessionId"] = json!(self.session);
        }
        self.socket
            .send(Message::text(call.to_string()))
            .await
            .expect("the browser listens");
        self.calls
    }

    async fn hear(&mut self) -> Value {
        loop {
            let next = tokio::time::timeout(LIMIT, self.socket.next()).await;
            let message = next
                .expect("the browser answers in time")
                .expect("the browser goes on")
                .expect("a message");
            if let Message::Text(text) = message {
                let heard = serde_json::from_str(&text).expect("JSON");
                self.note(&heard);
                return heard;
            }
        }
    }

    /// Updates the list of workers, which can start and end between a call and its answer.
    fn note(&mut self, heard: &Value) {
        let session = heard["params"]["sessionId"].as_str().unwrap_or_default();
        if heard["method"] == "Target.attachedToTarget"
            && heard["params"]["targetInfo"]["type"] == "worker"
        {
            self.workers.push(session.to_owned());
        } else if heard["method"] == "Target.detachedFromTarget" {
            self.workers.retain(|worker| worker != session);
        }
    }
}
