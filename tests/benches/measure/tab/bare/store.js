// A file in the origin private file system, to which each piece is written after it was digested.

export const PIECE = 1 << 20;

export async function openStore(pieces) {
  const root = await navigator.storage.getDirectory();
  const file = await root.getFileHandle('bare', { create: true });
  const handle = await file.createSyncAccessHandle();
  handle.truncate(pieces * PIECE);
  return {
    async put(index, bytes) {
      await crypto.subtle.digest('SHA-1', bytes);
      handle.write(bytes, { at: index * PIECE });
    },
    close() {
      handle.flush();
      handle.close();
    },
  };
}
