// Receives pieces from a WebSocket, and stores them here or in a second worker. Each stored piece
// is acknowledged, since a WebSocket has no back-pressure.
import { PIECE, openStore } from './store.js';

const parameters = new URLSearchParams(location.search);
const pieces = Number(parameters.get('pieces'));

// Both have the functions of `openStore`; `put` resolves with a buffer that can be used again.
async function here() {
  const store = await openStore(pieces);
  return {
    async put(index, bytes) {
      await store.put(index, bytes);
      return null;
    },
    close: store.close,
  };
}

function elsewhere() {
  const worker = new Worker('/storage.js' + location.search, { type: 'module' });
  const stored = [];
  return new Promise((ready) => {
    worker.onmessage = ({ data }) => {
      if (data === 'ready') {
        ready({
          put(index, bytes) {
            worker.postMessage([index, bytes.buffer], [bytes.buffer]);
            return new Promise((done) => stored.push(done));
          },
          close: () => worker.postMessage('close'),
        });
      } else {
        stored.shift()(new Uint8Array(data));
      }
    };
  });
}

const opened = parameters.get('workers') === '2' ? elsewhere() : here();

onmessage = async () => {
  const store = await opened;
  const spare = [];
  let piece = new Uint8Array(PIECE);
  let filled = 0;
  let received = 0;
  let stored = 0;
  const socket = new WebSocket(`ws://127.0.0.1:${parameters.get('port')}/`);
  socket.binaryType = 'arraybuffer';
  const acknowledge = (buffer) => {
    if (buffer) spare.push(buffer);
    socket.send(new Uint8Array(1));
    stored += 1;
    if (stored === pieces) {
      postMessage('Finished');
      store.close();
    }
  };
  socket.onmessage = ({ data }) => {
    const bytes = new Uint8Array(data);
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + PIECE - filled);
      piece.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled === PIECE) {
        store.put(received, piece).then(acknowledge);
        received += 1;
        piece = spare.pop() ?? new Uint8Array(PIECE);
        filled = 0;
      }
    }
  };
};
