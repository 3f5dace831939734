"""Another client with several torrents, and how it is connected to their peers by its own account, one JSON object a line.

usage: observed_client.py CLIENT STATE --listen ADDRESS:PORT --encryption off|allow|prefer|require [--no-utp] [--no-tcp]
       --folder FOLDER HASH.torrent...
CLIENT is libtorrent, transmission, aria2, rtorrent or qbittorrent; STATE a folder for its settings. Files of a torrent are named by its info-hash.
The client is controlled at 127.0.0.1, at the port PORT + 10000.
Says {"event": "ready"} when it has all torrents, then for each new peer, or what changed of one,
{"event": "peer", "torrent", "address", "encrypted": "rc4"|"handshake"|"no"|"not rc4"|null, "transport": "tcp"|"utp"|null, "incoming": bool|null};
null is what the client does not tell. Ends when it is killed; the client then ends, too.
"""

import argparse
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
import xmlrpc.client

POLL = 0.2
# How long a client may take to answer for the first time, in seconds.
START = 200


def say(**what):
    print(json.dumps(what), flush=True)


def start(*command):
    """A child process that ends with this one, whatever ends it."""
    libc = ctypes.CDLL(None)
    pr_set_pdeathsig = 1
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        preexec_fn=lambda: libc.prctl(pr_set_pdeathsig, signal.SIGKILL),
    )


def answer_of(ask):
    """What the client answers to `ask`, which is called until it does."""
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        try:
            return ask()
        except (OSError, urllib.error.URLError):
            time.sleep(0.1)
    raise SystemExit(f"the client does not answer after {START} s")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def name_of(torrent):
    return os.path.splitext(os.path.basename(torrent))[0]


class Libtorrent:
    def __init__(self, given):
        import libtorrent as lt

        self.lt = lt
        policy = {"require": 0, "allow": 1, "off": 2}[given.encryption]
        self.session = lt.session(
            {
                "listen_interfaces": f"{given.address}:{given.port}",
                "enable_dht": False,
                "enable_lsd": False,
                "enable_upnp": False,
                "enable_natpmp": False,
                "enable_incoming_utp": not given.no_utp,
                "enable_outgoing_utp": not given.no_utp,
                "enable_incoming_tcp": not given.no_tcp,
                "enable_outgoing_tcp": not given.no_tcp,
                "in_enc_policy": policy,
                "out_enc_policy": policy,
                "allow_multiple_connections_per_ip": True,
                "ssrf_mitigation": False,
                # It tries encryption this many seconds after a peer has refused a handshake in the clear.
                "min_reconnect_time": 1,
                "unchoke_slots_limit": 1000,
                "alert_mask": 0,
            }
        )
        self.handles = [self.add(torrent, given.folder) for torrent in given.torrents]

    def add(self, torrent, folder):
        params = self.lt.load_torrent_file(torrent)
        params.save_path = folder
        params.flags &= ~(self.lt.torrent_flags.auto_managed | self.lt.torrent_flags.paused)
        return self.session.add_torrent(params)

    def is_ready(self):
        checking = (self.lt.torrent_status.checking_files, self.lt.torrent_status.checking_resume_data)
        return all(handle.status().state not in checking for handle in self.handles)

    def peers(self):
        info = self.lt.peer_info
        # The binding lacks a name for this one; it stands in libtorrent's peer_info.hpp.
        utp_socket = 1 << 17
        for handle in self.handles:
            for peer in handle.get_peer_info():
                if peer.flags & (info.handshake | info.connecting):
                    continue
                rc4, plaintext = peer.flags & info.rc4_encrypted, peer.flags & info.plaintext_encrypted
                yield dict(
                    torrent=str(handle.info_hash()),
                    address="%s:%d" % peer.ip,
                    encrypted="rc4" if rc4 else "handshake" if plaintext else "no",
                    transport="utp" if peer.flags & utp_socket else "tcp",
                    incoming=not peer.flags & info.local_connection,
                )


class Transmission:
    def __init__(self, given):
        self.given = given
        self.url = f"http://127.0.0.1:{given.control_port}/transmission/rpc"
        settings = {
            "dht-enabled": False,
            "lpd-enabled": False,
            "pex-enabled": False,
            "utp-enabled": not given.no_utp,
            "port-forwarding-enabled": False,
            "bind-address-ipv4": given.address,
            "peer-port": given.port,
            "encryption": {"allow": 0, "prefer": 1, "require": 2}[given.encryption],
            "ratio-limit-enabled": False,
            "speed-limit-up-enabled": False,
            "download-queue-enabled": False,
            "cache-size-mb": 0,
            "rpc-bind-address": "127.0.0.1",
            "rpc-port": given.control_port,
        }
        write(f"{given.state}/settings.json", json.dumps(settings))
        start("transmission-daemon", "--foreground", "--config-dir", given.state, "--log-error")
        self.session = ""
        answer_of(lambda: self.ask("session-get"))
        for torrent in given.torrents:
            self.ask("torrent-add", **{"filename": torrent, "download-dir": given.folder})

    def ask(self, method, **arguments):
        body = json.dumps({"method": method, "arguments": arguments}).encode()
        request = urllib.request.Request(self.url, body, {"X-Transmission-Session-Id": self.session})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)["arguments"]
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise
            self.session = error.headers["X-Transmission-Session-Id"]
            return self.ask(method, **arguments)

    def is_ready(self):
        checking = (1, 2)
        states = [torrent["status"] for torrent in self.ask("torrent-get", fields=["status"])["torrents"]]
        return len(states) == len(self.given.torrents) and not any(state in checking for state in states)

    def peers(self):
        for torrent in self.ask("torrent-get", fields=["hashString", "peers"])["torrents"]:
            for peer in torrent["peers"]:
                yield dict(
                    torrent=torrent["hashString"],
                    address="%s:%d" % (peer["address"], peer["port"]),
                    encrypted="rc4" if peer["isEncrypted"] else "not rc4",
                    transport="utp" if peer["isUTP"] else "tcp",
                    incoming=peer["isIncoming"],
                )


class Aria2:
    """It tells which peers it has, and nothing about their connections. It uses TCP only."""

    def __init__(self, given):
        self.rpc = xmlrpc.client.ServerProxy(f"http://127.0.0.1:{given.control_port}/rpc")
        start(
            "aria2c",
            "--no-conf",
            "--quiet",
            "--enable-rpc",
            f"--rpc-listen-port={given.control_port}",
            "--enable-dht=false",
            "--enable-dht6=false",
            "--bt-enable-lpd=false",
            "--enable-peer-exchange=false",
            "--file-allocation=none",
            "--check-integrity=true",
            "--allow-overwrite=true",
            "--disk-cache=0",
            "--seed-ratio=0.0",
            "--max-concurrent-downloads=100",
            f"--interface={given.address}",
            f"--listen-port={given.port}",
            f"--dir={given.folder}",
            *(["--bt-require-crypto=true", "--bt-min-crypto-level=arc4"] if given.encryption == "require" else []),
        )
        answer_of(self.rpc.aria2.getVersion)
        self.torrents = {}
        for torrent in given.torrents:
            with open(torrent, "rb") as file:
                self.torrents[self.rpc.aria2.addTorrent(xmlrpc.client.Binary(file.read()))] = name_of(torrent)

    def is_ready(self):
        states = [self.rpc.aria2.tellStatus(number) for number in self.torrents]
        return all(state["status"] == "active" and "verifiedLength" not in state for state in states)

    def peers(self):
        for number, torrent in self.torrents.items():
            for peer in self.rpc.aria2.getPeers(number):
                address = "%s:%s" % (peer["ip"], peer["port"])
                yield dict(torrent=torrent, address=address, encrypted=None, transport="tcp", incoming=None)


class Rtorrent:
    """It uses TCP only."""

    def __init__(self, given):
        self.torrents = [name_of(torrent) for torrent in given.torrents]
        self.socket = f"{given.state}/rpc"
        encryption = {
            "off": "none",
            "allow": "allow_incoming,try_outgoing,enable_retry",
            "require": "require,require_RC4,allow_incoming,try_outgoing",
        }
        settings = [
            "system.daemon.set = true",
            f"network.bind_address.set = {given.address}",
            f"network.port_range.set = {given.port}-{given.port}",
            "network.port_random.set = no",
            f"protocol.encryption.set = {encryption[given.encryption]}",
            "protocol.pex.set = no",
            "dht.mode.set = disable",
            f'session.path.set = "{given.state}/session"',
            f'directory.default.set = "{given.folder}"',
            f'network.scgi.open_local = "{self.socket}"',
        ]
        write(f"{given.state}/rtorrent.rc", "\n".join(settings) + "\n")
        os.makedirs(f"{given.state}/session", exist_ok=True)
        start("rtorrent", "-n", "-o", f"import={given.state}/rtorrent.rc")
        answer_of(lambda: self.ask("system.client_version"))
        for torrent in given.torrents:
            self.ask("load.start", "", torrent)

    def ask(self, method, *arguments):
        """XML-RPC over SCGI: a netstring of headers, then the body."""
        body = xmlrpc.client.dumps(arguments, method).encode()
        head = b"CONTENT_LENGTH\0%d\0SCGI\x001\0" % len(body)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self.socket)
            connection.sendall(b"%d:%s,%s" % (len(head), head, body))
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        return xmlrpc.client.loads(answer.split(b"\r\n\r\n", 1)[1])[0][0]

    def is_ready(self):
        loaded = self.ask("d.multicall2", "", "main", "d.is_active=", "d.hashing=")
        return len(loaded) == len(self.torrents) and all(active and not hashing for active, hashing in loaded)

    def peers(self):
        wanted = ["p.address=", "p.port=", "p.is_encrypted=", "p.is_obfuscated=", "p.is_incoming="]
        for torrent in self.torrents:
            for host, port, encrypted, obfuscated, incoming in self.ask("p.multicall", torrent.upper(), "", *wanted):
                yield dict(
                    torrent=torrent,
                    address=f"{host}:{port}",
                    encrypted="rc4" if encrypted else "handshake" if obfuscated else "no",
                    transport="tcp",
                    incoming=bool(incoming),
                )


class Qbittorrent:
    def __init__(self, given):
        self.given = given
        self.url = f"http://127.0.0.1:{given.control_port}/api/v2"
        protocol = "UTP" if given.no_tcp else "TCP" if given.no_utp else "Both"
        encryption = {"allow": 0, "require": 1, "off": 2}[given.encryption]
        settings = f"""[LegalNotice]
Accepted=true
[BitTorrent]
Session\\Port={given.port}
Session\\Interface=lo
Session\\InterfaceAddress={given.address}
Session\\BTProtocol={protocol}
Session\\Encryption={encryption}
Session\\DHTEnabled=false
Session\\LSDEnabled=false
Session\\PeXEnabled=false
Session\\QueueingSystemEnabled=false
Session\\SSRFMitigation=false
Session\\MultiConnectionsPerIp=true
Session\\UseRandomPort=false
[Network]
PortForwardingEnabled=false
[Preferences]
WebUI\\Address=127.0.0.1
WebUI\\Port={given.control_port}
WebUI\\LocalHostAuth=false
WebUI\\UseUPnP=false
"""
        write(f"{given.state}/qBittorrent/config/qBittorrent.conf", settings)
        start("qbittorrent-nox", f"--profile={given.state}")
        answer_of(lambda: self.ask("/app/version"))
        for torrent in given.torrents:
            self.add(torrent)

    def ask(self, path, body=None, kind=""):
        request = urllib.request.Request(self.url + path, body, {"Content-Type": kind} if body else {})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def add(self, torrent):
        with open(torrent, "rb") as file:
            data = file.read()
        boundary = uuid.uuid4().hex
        field = f'--{boundary}\r\nContent-Disposition: form-data; name="savepath"\r\n\r\n{self.given.folder}\r\n'
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="torrents"; filename="a.torrent"\r\nContent-Type: application/x-bittorrent\r\n\r\n'
        body = field.encode() + head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
        self.ask("/torrents/add", body, f"multipart/form-data; boundary={boundary}")

    def is_ready(self):
        states = [torrent["state"] for torrent in json.loads(self.ask("/torrents/info"))]
        return len(states) == len(self.given.torrents) and not any("checking" in state for state in states)

    def peers(self):
        for torrent in map(name_of, self.given.torrents):
            peers = json.loads(self.ask(f"/sync/torrentPeers?hash={torrent}")).get("peers", {})
            for address, peer in peers.items():
                # Without a client's name its handshake has not arrived.
                if not peer.get("client"):
                    continue
                flags = peer.get("flags", "").split()
                yield dict(
                    torrent=torrent,
                    address=address,
                    encrypted="rc4" if "E" in flags else "handshake" if "e" in flags else "no",
                    transport="utp" if "P" in flags else "tcp",
                    incoming="I" in flags,
                )


CLIENTS = {
    "libtorrent": Libtorrent,
    "transmission": Transmission,
    "aria2": Aria2,
    "rtorrent": Rtorrent,
    "qbittorrent": Qbittorrent,
}


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("client", choices=CLIENTS)
    arguments.add_argument("state")
    arguments.add_argument("--listen", required=True)
    arguments.add_argument("--encryption", default="allow")
    arguments.add_argument("--no-utp", action="store_true")
    arguments.add_argument("--no-tcp", action="store_true")
    arguments.add_argument("--folder", required=True)
    arguments.add_argument("torrents", nargs="+")
    given = arguments.parse_args()
    given.address, port = given.listen.rsplit(":", 1)
    given.port = int(port)
    # Of the client's own interface, at 127.0.0.1: below the ports that the system gives to others.
    given.control_port = given.port + 10000

    client, known = CLIENTS[given.client](given), {}
    while not client.is_ready():
        time.sleep(POLL / 4)
    say(event="ready")
    while True:
        for peer in client.peers():
            key = peer["torrent"], peer["address"]
            if known.get(key) != peer:
                known[key] = peer
                say(event="peer", **peer)
        time.sleep(POLL)


main()
