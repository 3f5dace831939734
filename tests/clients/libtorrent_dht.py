"""A DHT of its own: several libtorrent sessions on loopback, which know each other and nobody else. Each has an address of 127.0.0.0/8;
--homes 6 puts them all on ::1 instead, --homes 46 on both, but for the last one, which has ::1 alone.

usage: libtorrent_dht.py NODES [--homes 4|6|46] [--seed TORRENT FOLDER] [--leech SOURCE FOLDER]
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


def homes(number, given):
    if given.homes == "46" and number == given.nodes - 1:
        return ["[::1]"]
    return [{"4": f"127.0.0.{number + 2}", "6": "[::1]"}[family] for family in given.homes]


def session(hosts):
    return lt.session(
        {
            "listen_interfaces": ",".join(f"{host}:0" for host in hosts),
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
            "alert_mask": categories.error_notification
            | categories.dht_notification
            | categories.status_notification
            | categories.storage_notification,
        }
    )


def places(ses, hosts):
    """Where a session listens, once it does so at each of its hosts."""
    found = {}
    while len(found) < len(hosts):
        ses.wait_for_alert(1000)
        for alert in ses.pop_alerts():
            if isinstance(alert, lt.listen_succeeded_alert):
                found[alert.address] = (alert.address, alert.port)
            else:
                tell(alert)
    return list(found.values())


def text(place):
    host, port = place
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parameters(source, folder):
    params = lt.parse_magnet_uri(source) if source.startswith("magnet:") else lt.load_torrent_file(source)
    params.save_path = folder
    return params


def tell(alert):
    if isinstance(alert, lt.dht_announce_alert):
        say(event="announce", info_hash=str(alert.info_hash), addr=text((alert.ip, alert.port)))
    elif isinstance(alert, lt.cache_flushed_alert):
        say(event="seeding")
    elif alert.category() & categories.error_notification:
        say(event="error", message=alert.message())


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("nodes", type=int)
    arguments.add_argument("--homes", choices=["4", "6", "46"], default="4")
    arguments.add_argument("--seed", nargs=2)
    arguments.add_argument("--leech", nargs=2)
    given = arguments.parse_args()

    hosts = [homes(number, given) for number in range(given.nodes)]
    sessions = [session(own) for own in hosts]
    known = [place for ses, own in zip(sessions, hosts) for place in places(ses, own)]
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
        if not met and all(ses.status().dht_nodes >= given.nodes // 2 for ses in sessions):
            met = True
            say(event="network", nodes=[text(place) for place in known])
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
