"""libtorrent as one of the measured clients.

libtorrent_client.py seed TORRENT FOLDER PORT [LINE [LIMIT]]  serve until stopped, at most LIMIT bytes per second
libtorrent_client.py leech TORRENT FOLDER PORT [LINE]    download and leave; LINE is a key of LINES
libtorrent_client.py check TORRENT FOLDER         hash what is in FOLDER and leave
libtorrent_client.py create FILE PIECE_LENGTH     hash FILE as a new torrent would be and leave
libtorrent_client.py seeds COUNT FOLDER PORT TORRENT...     serve all, by sessions at 127.0.0.1 and the addresses after it, until stopped
libtorrent_client.py leeches COUNT FOLDER PEERS TORRENT...  download all, by sessions at 127.0.1.1 and the addresses after it, and leave; PEERS is a list with commas
"""
import os
import sys
import time

import libtorrent

# Everything but plain TCP and the tracker is off, and no choice of unchoked peers stands between the one seed and the one leecher.
SETTINGS = {
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "alert_mask": 0,
    "unchoke_slots_limit": 100,
    "hashing_threads": 2,
    "stop_tracker_timeout": 0,
}

# 0 requires encryption, 2 turns it off; level 2 is RC4.
CLEAR = {"out_enc_policy": 2, "in_enc_policy": 2}
RC4 = {"out_enc_policy": 0, "in_enc_policy": 0, "allowed_enc_level": 2}
UTP = {
    "enable_outgoing_utp": True,
    "enable_incoming_utp": True,
    "enable_outgoing_tcp": False,
    "enable_incoming_tcp": False,
}
LINES = {
    "tcp": CLEAR,
    "tcp-rc4": RC4,
    "utp": {**UTP, **CLEAR},
    "utp-rc4": {**UTP, **RC4},
}


def add(torrent, folder, port, seed, line="tcp"):
    session = libtorrent.session({**SETTINGS, **LINES[line], "listen_interfaces": f"0.0.0.0:{port}"})
    params = libtorrent.add_torrent_params()
    params.ti = libtorrent.torrent_info(torrent)
    params.save_path = folder
    # A managed torrent starts paused and hangs up on whoever comes first.
    params.flags &= ~(libtorrent.torrent_flags.auto_managed | libtorrent.torrent_flags.paused)
    if seed:
        params.flags |= libtorrent.torrent_flags.seed_mode
        # The tracker would tell the seed of itself, and libtorrent bans the address at which it meets itself: the bridge's, too, on one machine.
        params.flags |= libtorrent.torrent_flags.override_trackers
    return session, session.add_torrent(params)


def wait_for_all(handle):
    while not handle.status().is_seeding:
        time.sleep(0.01)


def create(path, piece_length):
    files = libtorrent.list_files(path)
    torrent = libtorrent.create_torrent(files, piece_size=piece_length, flags=libtorrent.create_torrent.v1_only)
    libtorrent.set_piece_hashes(torrent, os.path.dirname(path))


def add_all(count, folder, host, port, torrents, seed):
    """Sessions that know nothing of each other, and their torrents."""
    few = {} if count == 1 else {"aio_threads": 1, "hashing_threads": 1}
    sessions, handles = [], []
    for number in range(count):
        listen = {"listen_interfaces": f"{host}{number + 1}:{port}", "allow_multiple_connections_per_ip": True, "connection_speed": 200}
        session = libtorrent.session({**SETTINGS, **CLEAR, **few, **listen})
        sessions.append(session)
        for torrent in torrents:
            params = libtorrent.add_torrent_params()
            params.ti = libtorrent.torrent_info(torrent)
            # Each downloads into a folder of its own.
            params.save_path = folder if seed or count == 1 else os.path.join(folder, str(number))
            flags = libtorrent.torrent_flags
            params.flags &= ~(flags.auto_managed | flags.paused)
            params.flags |= flags.override_trackers | flags.disable_pex
            if seed:
                params.flags |= flags.seed_mode
            handles.append(session.add_torrent(params))
    return sessions, handles


def seed_all(count, folder, port, *torrents):
    sessions, _ = add_all(int(count), folder, "127.0.0.", port, torrents, seed=True)
    print("ready", flush=True)
    while sessions:
        time.sleep(1)


def leech_all(count, folder, peers, *torrents):
    sessions, handles = add_all(int(count), folder, "127.0.1.", 6882, torrents, seed=False)
    for handle in handles:
        for peer in peers.split(","):
            host, port = peer.rsplit(":", 1)
            handle.connect_peer((host, int(port)))
    for handle in handles:
        wait_for_all(handle)
    del handle, handles, sessions


def main(mode, *rest):
    if mode == "seeds":
        seed_all(*rest)
    if mode == "leeches":
        leech_all(*rest)
        return
    if mode == "create":
        create(rest[0], int(rest[1]))
        return
    torrent, folder, *more = rest
    port, line, limit = (*more, *("0", "tcp", "0")[len(more) :])
    # The session stops when nothing refers to it, so it is kept by name.
    session, handle = add(torrent, folder, port, seed=mode == "seed", line=line)
    handle.set_upload_limit(int(limit))
    while mode == "seed":
        time.sleep(1)
    wait_for_all(handle)
    # The session's end, here, waits for the last writes.
    del handle, session


main(*sys.argv[1:])
