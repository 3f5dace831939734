// The second worker of a pair: stores pieces, and returns their buffers.
import { openStore } from './store.js';

const pieces = Number(new URLSearchParams(location.search).get('pieces'));
const store = await openStore(pieces);
onmessage = async ({ data }) => {
  if (data === 'close') {
    store.close();
  } else {
    const [index, buffer] = data;
    await store.put(index, new Uint8Array(buffer));
    postMessage(buffer, [buffer]);
  }
};
postMessage('ready');
