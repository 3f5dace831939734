"""One libtorrent session scrapes the first tracker of a torrent, without joining its swarm, and says what it was told.

usage: libtorrent_scrape.py TORRENT FOLDER
Says {"event": "scraped", "complete", "incomplete"} or {"event": "error", "message"}, one JSON object a line, and ends.
"""

import json
import sys

import libtorrent as lt


def say(**what):
    print(json.dumps(what), flush=True)


def main():
    source, folder = sys.argv[1:]
    settings = {
        "listen_interfaces": "127.0.0.1:0",
        "enable_dht": False,
        "enable_lsd": False,
        "ssrf_mitigation": False,
        "alert_mask": lt.alert.category_t.tracker_notification | lt.alert.category_t.error_notification,
    }
    session = lt.session(settings)
    params = lt.load_torrent_file(source)
    params.save_path = folder
    # Paused and on its own: it announces nothing.
    params.flags = lt.torrent_flags.paused
    session.add_torrent(params).scrape_tracker(0)
    while True:
        session.wait_for_alert(500)
        for alert in session.pop_alerts():
            if isinstance(alert, lt.scrape_reply_alert):
                return say(event="scraped", complete=alert.complete, incomplete=alert.incomplete)
            if isinstance(alert, lt.scrape_failed_alert):
                return say(event="error", message=alert.message())


main()
