//! Chromium's own debugging protocol, for what WebDriver cannot reach: the page's worker.
//!
//! With it a test plays the faults that a worker meets (a trap, a short write) from outside, so that the product needs no switch for them.

use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// How long the browser may take for any answer.
const LIMIT: Duration = Duration::from_secs(20);

/// A session with the page's worker.
pub struct Worker {
    socket: WebSocketStream<TcpStream>,
    /// The page's session at first, then its worker's.
    session: String,
    /// Sessions with the page's workers, oldest first: one that was just ended may still be among them.
    workers: Vec<String>,
    calls: u64,
}

/// The worker went away before it answered.
struct Gone;

impl Worker {
    /// Finds the worker of the one page of the browser with this profile.
    ///
    /// # Panics
    /// There is none, or the browser cannot be debugged.
    pub async fn attach(profile: &Path) -> Self {
        let said = std::fs::read_to_string(profile.join("DevToolsActivePort")).expect("the browser says where it can be debugged");
        let (port, path) = said.trim().split_once('\n').expect("a port and a path");
        let stream = TcpStream::connect(format!("127.0.0.1:{port}")).await.expect("the browser listens");
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://127.0.0.1:{port}{path}"), stream).await.expect("a WebSocket");
        let mut worker = Self { socket, session: String::new(), workers: Vec::new(), calls: 0 };
        let targets = worker.expect("Target.getTargets", json!({})).await;
        let page = targets["targetInfos"].as_array().into_iter().flatten().find(|target| target["type"] == "page").expect("a page");
        let attached = worker.expect("Target.attachToTarget", json!({ "targetId": page["targetId"], "flatten": true })).await;
        worker.session = attached["sessionId"].as_str().expect("a session").to_owned();
        worker.expect("Target.setAutoAttach", json!({ "autoAttach": true, "waitForDebuggerOnStart": false, "flatten": true })).await;
        worker.turn_to_newest().await;
        worker
    }

    /// Makes the session the newest worker's, which is waited for if there is none.
    async fn turn_to_newest(&mut self) {
        while self.workers.is_empty() {
            self.hear().await;
        }
        self.session.clone_from(&self.workers[self.workers.len() - 1]);
    }

    /// What a script in the worker comes to; promises are waited for.
    ///
    /// # Panics
    /// It throws.
    pub async fn run(&mut self, script: &str) -> Value {
        let answer = self.expect("Runtime.evaluate", json!({ "expression": script, "awaitPromise": true, "returnByValue": true })).await;
        assert!(answer["exceptionDetails"].is_null(), "{script} throws: {answer}");
        answer["result"]["value"].clone()
    }

    /// Overwrites the memory of the worker's wasm program: whatever it does next, it reads nonsense and traps.
    ///
    /// # Panics
    /// There is no such memory.
    pub async fn ruin_memory(&mut self) {
        while self.try_to_ruin_memory().await.is_err() {
            self.turn_to_newest().await;
        }
    }

    async fn try_to_ruin_memory(&mut self) -> Result<(), Gone> {
        let prototype = self.call("Runtime.evaluate", json!({ "expression": "WebAssembly.Memory.prototype" })).await?;
        let asked = json!({ "prototypeObjectId": prototype["result"]["objectId"] });
        let memories = self.call("Runtime.queryObjects", asked).await?;
        let ruin = "function() { for (const memory of this) new Uint8Array(memory.buffer).fill(0xff); return this.length; }";
        let asked = json!({ "functionDeclaration": ruin, "objectId": memories["objects"]["objectId"], "returnByValue": true });
        let ruined = self.call("Runtime.callFunctionOn", asked).await?;
        assert!(ruined["result"]["value"].as_u64() > Some(0), "there is no memory to ruin: {ruined}");
        Ok(())
    }

    /// A call whose answerer is known to stay.
    async fn expect(&mut self, method: &str, parameters: Value) -> Value {
        self.call(method, parameters).await.unwrap_or_else(|Gone| panic!("the worker went away and left {method} unanswered"))
    }

    async fn call(&mut self, method: &str, parameters: Value) -> Result<Value, Gone> {
        let id = self.send(method, &parameters).await;
        loop {
            let mut heard = self.hear().await;
            if heard["id"] == id {
                assert!(heard["error"].is_null(), "{method} fails: {heard}");
                return Ok(heard["result"].take());
            }
            if heard["method"] == "Target.detachedFromTarget" && heard["params"]["sessionId"] == self.session {
                return Err(Gone);
            }
        }
    }

    async fn send(&mut self, method: &str, parameters: &Value) -> u64 {
        self.calls += 1;
        let mut call = json!({ "id": self.calls, "method": method, "params": parameters });
        if !self.session.is_empty() {
            call["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(call.to_string())).await.expect("the browser listens");
        self.calls
    }

    async fn hear(&mut self) -> Value {
        loop {
            let next = tokio::time::timeout(LIMIT, self.socket.next()).await;
            let message = next.expect("the browser answers in time").expect("the browser goes on").expect("a message");
            if let Message::Text(text) = message {
                let heard = serde_json::from_str(&text).expect("JSON");
                self.note(&heard);
                return heard;
            }
        }
    }

    /// Keeps the list of workers: they come and go between any call and its answer.
    fn note(&mut self, heard: &Value) {
        let session = heard["params"]["sessionId"].as_str().unwrap_or_default();
        if heard["method"] == "Target.attachedToTarget" && heard["params"]["targetInfo"]["type"] == "worker" {
            self.workers.push(session.to_owned());
        } else if heard["method"] == "Target.detachedFromTarget" {
            self.workers.retain(|worker| worker != session);
        }
    }
}
