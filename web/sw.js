// Answers requests below /play/ for files that may still be downloading. A tab's worker has the data and decides everything; this script only
// turns its messages into a response. See `engine/playback` for the messages.
"use strict";

/** How long the tabs may take to begin an answer, in milliseconds. */
const PATIENCE = 15_000;
/** Only these may load a file, so that no stored file ever becomes a document of this origin. */
const DESTINATIONS = ["audio", "video"];

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", event => event.waitUntil(self.clients.claim()));
// A page sends messages while something plays, since browsers stop a service worker that has no events.
self.addEventListener("message", () => {});
self.addEventListener("fetch", event => {
  const { pathname } = new URL(event.request.url);
  if (pathname.startsWith("/play/")) event.respondWith(answer(event.request, pathname));
});

async function answer(request, pathname) {
  const [, , folder, file] = pathname.split("/");
  if (request.method !== "GET" || !DESTINATIONS.includes(request.destination)) return new Response(null, { status: 403 });
  const wanted = { folder, file: Number(file), range: request.headers.get("range") };
  const { port, head } = await ask(wanted);
  if (!head) return new Response(null, { status: 504 });
  const [, status, headers, length] = head;
  if (!length) port.close();
  return new Response(length ? body(port, length) : null, { status, headers });
}

/** Asks every tab. The one whose worker has the torrents answers with `["head", status, headers, length]`. */
async function ask(wanted) {
  const ports = [];
  const answered = new Promise(resolve => {
    setTimeout(() => resolve({}), PATIENCE);
    self.clients.matchAll({ type: "window", includeUncontrolled: true }).then(tabs => {
      for (const tab of tabs) {
        const { port1, port2 } = new MessageChannel();
        ports.push(port1);
        port1.onmessage = ({ data }) => resolve({ port: port1, head: data });
        tab.postMessage({ play: wanted }, [port2]);
      }
    });
  });
  const answer = await answered;
  for (const port of ports) if (port !== answer.port) port.close();
  return answer;
}

/** A body of exactly `length` bytes. A chunk is requested only when the browser wants one; if no more can come, the body fails instead of ending early. */
function body(port, length) {
  let rest = length, wanted;
  const start = controller => {
    const fail = why => {
      if (rest > 0) controller.error(new Error(why));
      port.close();
    };
    port.onclose = () => fail("the tab with the data was closed");
    port.onmessage = ({ data }) => {
      if (!(data instanceof ArrayBuffer)) return fail(data);
      rest -= data.byteLength;
      controller.enqueue(new Uint8Array(data));
      if (rest <= 0) {
        controller.close();
        port.close();
      }
      wanted?.();
    };
  };
  const pull = () => new Promise(resolve => {
    wanted = resolve;
    port.postMessage("pull");
  });
  const cancel = () => {
    rest = 0;
    port.postMessage("cancel");
    port.close();
  };
  return new ReadableStream({ start, pull, cancel }, { highWaterMark: 1 });
}
