"""A DHT of its own: several libtorrent sessions on loopback, each on an address of 127.0.0.0/8, which know each other and nobody else.

usage: libtorrent_dht.py NODES [--seed TORRENT FOLDER] [--leech SOURCE FOLDER] [--bootstrap HOST:PORT]
Says, one JSON object a line: {"event": "network", "nodes": ["127.0.0.2:PORT", ...]} when every session knows half of the others;
{"event": "announce", "info_hash", "addr"} when a session is told of a peer; {"event": "seeding"} when the torrent's data are written;
{"event": "error", "message"}. --seed and --leech add the torrent to the last session. Ends when it is killed.
"""

import argparse
import json
import time

import libtorrent as lt

categories = lt.alert.category_t


def say(**what):
    print(json.dumps(what), flush=True)


def session(number):
    return lt.session(
        {
            "listen_interfaces": f"127.0.0.{number + 2}:0",
            "enable_dht": True,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "enable_incoming_utp": False,
            "enable_outgoing_utp": False,
            "dht_bootstrap_nodes": "",
            # All of loopback is one network, and nothing there is secured by its address.
            "dht_restrict_routing_ips": False,
            "dht_restrict_search_ips": False,
            "dht_ignore_dark_internet": False,
            "allow_multiple_connections_per_ip": True,
            "ssrf_mitigation": False,
            "alert_mask": categories.error_notification | categories.dht_notification | categories.storage_notification,
        }
    )


def parameters(source, folder):
    params = lt.parse_magnet_uri(source) if source.startswith("magnet:") else lt.load_torrent_file(source)
    params.save_path = folder
    return params


def tell(alert):
    if isinstance(alert, lt.dht_announce_alert):
        say(event="announce", info_hash=str(alert.info_hash), addr=f"{alert.ip}:{alert.port}")
    elif isinstance(alert, lt.cache_flushed_alert):
        say(event="seeding")
    elif alert.category() & categories.error_notification:
        say(event="error", message=alert.message())


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("nodes", type=int)
    arguments.add_argument("--seed", nargs=2)
    arguments.add_argument("--leech", nargs=2)
    arguments.add_argument("--bootstrap", action="append", default=[])
    given = arguments.parse_args()

    sessions = [session(number) for number in range(given.nodes)]
    places = [(f"127.0.0.{number + 2}", ses.listen_port()) for number, ses in enumerate(sessions)]
    known = places + [(host, int(port)) for host, port in (place.rsplit(":", 1) for place in given.bootstrap)]
    for ses in sessions:
        for place in known:
            ses.add_dht_node(place)
    torrent = given.seed or given.leech
    handle = sessions[-1].add_torrent(parameters(*torrent)) if torrent else None
    complete = met = False
    asked = 0
    while True:
        for ses in sessions:
            for alert in ses.pop_alerts():
                tell(alert)
        if not met and all(ses.status().dht_nodes >= len(known) // 2 for ses in sessions):
            met = True
            say(event="network", nodes=[f"{host}:{port}" for host, port in places])
        if handle and met and not handle.status().num_peers and time.monotonic() - asked > 3:
            # Its own pace is a quarter of an hour.
            handle.force_dht_announce()
            asked = time.monotonic()
        if handle and not complete and handle.status().is_seeding:
            # It calls itself a seed before its last write.
            complete = True
            handle.flush_cache()
        time.sleep(0.1)


main()
