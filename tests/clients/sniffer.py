"""Says what goes over the interfaces of this network namespace, one line for every new kind of packet: "udp ADDRESS:PORT" or "tcp ADDRESS:PORT",
the destination of a datagram or of a connection's first packet; "other NUMBER" for what is neither but neighbour discovery; and "tcp ut_pex" when
peers offer to exchange peers. IPv4 and IPv6. With the name of an interface as its argument, it captures only what leaves there. Needs root. Says "sniffing"
when it listens; ends when it is killed.
"""

import ipaddress
import socket
import sys

ETH_P_ALL = 3
IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
TCP, UDP, ICMP6 = 6, 17, 58
SYN, ACK = 0x02, 0x10
# Neighbours, routers and the membership of groups: what the system itself says on any interface.
SYSTEM_ICMP6 = {130, 131, 132, 133, 134, 135, 136, 143}
IGMP = 2


def transport(frame, family):
    """Protocol, destination, and what follows the IP header."""
    if family == IPV4:
        start = (frame[0] & 15) * 4
        return frame[9], ipaddress.ip_address(frame[16:20]), frame[start:]
    protocol, rest = frame[6], frame[40:]
    if protocol == 0:  # hop-by-hop options
        protocol, rest = rest[0], rest[(rest[1] + 1) * 8 :]
    return protocol, ipaddress.ip_address(frame[24:40]), rest


def told(frame, family):
    if family not in (IPV4, IPV6):
        return [] if family == ARP else [f"other family {family:#x}"]
    protocol, to, rest = transport(frame, family)
    if protocol == UDP:
        return [f"udp {to}:{int.from_bytes(rest[2:4], 'big')}"]
    if protocol == TCP:
        opens = rest[13] & (SYN | ACK) == SYN
        lines = [f"tcp {to}:{int.from_bytes(rest[2:4], 'big')}"] if opens else []
        return lines + (["tcp ut_pex"] if b"ut_pex" in rest else [])
    return [] if protocol == IGMP or protocol == ICMP6 and rest[0] in SYSTEM_ICMP6 else [f"other {protocol} to {to}"]


def main():
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    if len(sys.argv) > 1:
        sniffer.bind((sys.argv[1], ETH_P_ALL))
    print("sniffing", flush=True)
    known = set()
    while True:
        frame, address = sniffer.recvfrom(65536)
        if len(sys.argv) > 1 and address[2] != socket.PACKET_OUTGOING:
            continue
        for line in told(frame, address[1]):
            if line not in known:
                known.add(line)
                print(line, flush=True)


main()
