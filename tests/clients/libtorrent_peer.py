"""One libtorrent session with one torrent: seeds or leeches it and says what happens, one JSON object a line.

usage: libtorrent_peer.py TORRENT FOLDER [--listen ADDRESS] [--peer HOST:PORT]... [--download-limit BYTES] [--lsd]
       [--utp] [--no-tcp] [--encryption forced|enabled|disabled] [--cipher rc4|plaintext|both]
Says {"event": "listening", "port"}, {"event": "seeding"} when all data are there and written, {"event": "error", "message"},
with --utp, which tries uTP before TCP, also {"event": "disconnected", "message"}. --no-tcp: it uses uTP alone.
Ends when its standard input is closed or it is killed.
"""

import argparse
import json
import sys

import libtorrent as lt


def say(**what):
    print(json.dumps(what), flush=True)


def session(given):
    address, lsd, tcp = given.listen, given.lsd, not given.no_tcp
    utp = given.utp or given.no_tcp
    policies = {"forced": 0, "enabled": 1, "disabled": 2}
    return lt.session(
        {
            "listen_interfaces": f"{address}:0",
            "enable_dht": False,
            "enable_lsd": lsd,
            "enable_upnp": False,
            "enable_natpmp": False,
            "enable_incoming_utp": utp,
            "enable_outgoing_utp": utp,
            "enable_incoming_tcp": tcp,
            "enable_outgoing_tcp": tcp,
            "in_enc_policy": policies[given.encryption],
            "out_enc_policy": policies[given.encryption],
            "allowed_enc_level": {"plaintext": 1, "rc4": 2, "both": 3}[given.cipher],
            # Several peers of a test share one address.
            "allow_multiple_connections_per_ip": True,
            "ssrf_mitigation": False,
            # In seconds; without it a peer whose dials were lost twice is not dialled again for two minutes.
            "min_reconnect_time": 1,
            "max_failcount": 100,
            "alert_mask": lt.alert.category_t.error_notification
            | lt.alert.category_t.status_notification
            | lt.alert.category_t.storage_notification
            | lt.alert.category_t.connect_notification,
        }
    )


def parameters(source, folder):
    if source.startswith("magnet:"):
        params = lt.parse_magnet_uri(source)
    else:
        params = lt.load_torrent_file(source)
    params.save_path = folder
    return params


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("source")
    arguments.add_argument("folder")
    arguments.add_argument("--listen", default="127.0.0.1")
    arguments.add_argument("--peer", action="append", default=[])
    arguments.add_argument("--download-limit", type=int, default=0)
    arguments.add_argument("--lsd", action="store_true")
    arguments.add_argument("--utp", action="store_true")
    arguments.add_argument("--no-tcp", action="store_true")
    arguments.add_argument("--encryption", choices=["forced", "enabled", "disabled"], default="enabled")
    arguments.add_argument("--cipher", choices=["rc4", "plaintext", "both"], default="both")
    given = arguments.parse_args()

    ses = session(given)
    handle = ses.add_torrent(parameters(given.source, given.folder))
    handle.set_download_limit(given.download_limit)
    for peer in given.peer:
        host, port = peer.rsplit(":", 1)
        handle.connect_peer((host, int(port)))
    say(event="listening", port=ses.listen_port())
    complete = False
    while True:
        ses.wait_for_alert(500)
        for alert in ses.pop_alerts():
            if alert.category() & lt.alert.category_t.error_notification:
                say(event="error", message=alert.message())
            if given.utp and isinstance(alert, lt.peer_disconnected_alert):
                say(event="disconnected", message=alert.message())
            if complete and isinstance(alert, lt.cache_flushed_alert):
                say(event="seeding")
        # It calls itself a seed before its last write.
        if not complete and handle.status().is_seeding:
            complete = True
            handle.flush_cache()


main()
