// Answers requests below /play/ for files that may still be downloading. A tab's worker has the data and decides everything; this script only
// turns its messages into a response. See `engine/playback` for the messages. It also stores the page's own files for when the bridge cannot be
// reached, waits for a lock so that pages are not frozen, and shows notifications.
"use strict";

/** The page's own files by path, with their digests. The build fills it in, so that a new page has a new service worker. */
const PAGE = {};
/** One cache per version of the page. */
const CACHES = "aqueduct ";
const CACHE = CACHES + Object.values(PAGE).join(" ");

/** How long the tabs may take to begin an answer, in milliseconds. */
const PATIENCE = 15_000;
/** Only these may load a file, so that no stored file ever becomes a document of this origin. */
const DESTINATIONS = ["audio", "video"];

self.addEventListener("install", event => {
  self.skipWaiting();
  // A page that is not stored works as long as its bridge can be reached.
  event.waitUntil(store().catch(() => caches.delete(CACHE)));
});
self.addEventListener("activate", event => event.waitUntil(Promise.all([self.clients.claim(), forgetOthers()])));
// A page also sends empty messages while something plays, since browsers stop a service worker that has no events.
self.addEventListener("message", event => {
  const { wait, notify } = event.data ?? {};
  if (event.data === "claim") event.waitUntil(self.clients.claim());
  if (wait) event.waitUntil(waitFor(wait));
  if (notify) event.waitUntil(self.registration.showNotification(notify.title, { body: notify.body, icon: "/icon-192.png", tag: notify.title }));
});
self.addEventListener("notificationclick", event => {
  event.notification.close();
  event.waitUntil(self.clients.matchAll({ type: "window" }).then(([tab]) => (tab ? tab.focus() : self.clients.openWindow("/"))));
});
self.addEventListener("fetch", event => {
  const { pathname } = new URL(event.request.url);
  if (pathname.startsWith("/play/")) event.respondWith(answer(event.request, pathname));
  else if (event.request.method === "GET" && pathname in PAGE && isOwn(event.request)) event.respondWith(newest(event.request, pathname));
});

const isOwn = request => new URL(request.url).origin === self.location.origin;

/** Stores the page's files. Their digests make sure that all are of this version. */
async function store() {
  const cache = await caches.open(CACHE);
  await cache.addAll(Object.entries(PAGE).map(([path, integrity]) => new Request(path, { integrity, cache: "no-cache" })));
}

/** Deletes the files of other versions. */
async function forgetOthers() {
  const others = (await caches.keys()).filter(name => name.startsWith(CACHES) && name !== CACHE);
  await Promise.all(others.map(name => caches.delete(name)));
}

/** A file as the bridge has it. The stored one is used only while the bridge cannot be reached, so that no page is older than its bridge. */
async function newest(request, pathname) {
  const stored = async () => (await caches.open(CACHE)).match(pathname);
  try {
    const response = await fetch(request);
    return response.status < 500 ? response : ((await stored()) ?? response);
  } catch (error) {
    const found = await stored();
    if (found) return found;
    throw error;
  }
}

/** Locks that this worker waits for, so that no browser freezes the page that holds them. */
const waiting = new Map();

/** Waits until the page releases the lock. */
function waitFor(lock) {
  if (!waiting.has(lock)) waiting.set(lock, Promise.resolve(navigator.locks?.request(lock, () => {})).finally(() => waiting.delete(lock)));
  return waiting.get(lock);
}

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
