"""Disturbs entries of W1's bulk one after the other, and measures how long it takes until somebody puts them right.

Runs in the namespace: ip netns exec NAME python3 heal.py DEVICE BRIDGE ENTRIES VTEPS ROUNDS
Prints a time in seconds for each round. It speaks to the kernel itself, so that no start of a program is measured.
"""
import random
import select
import socket
import struct
import sys
import time

import workloads

RTM_NEWNEIGH, RTM_DELNEIGH = 28, 29
NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE, NLM_F_CREATE = 1, 4, 0x100, 0x400
AF_INET, AF_BRIDGE = 2, 7
NUD_PERMANENT = 0x80
NTF_SELF = 2
NDA_DST, NDA_LLADDR = 1, 2
NEIGHBOURS = 1 << 2  # RTNLGRP_NEIGH as a bit.


def attribute(kind, value):
    data = struct.pack("HH", 4 + len(value), kind) + value
    return data + bytes(-len(data) % 4)


def attributes(data):
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("HH", data)
        if length < 4:
            break
        found[kind] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


class Kernel:
    def __init__(self):
        self.asking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.asking.bind((0, 0))
        self.hearing = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.hearing.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        self.hearing.bind((0, NEIGHBOURS))
        self.hearing.setblocking(False)

    def send(self, kind, flags, family, index, entry_flags, *values):
        body = struct.pack("BxxxiHBB", family, index, NUD_PERMANENT, entry_flags, 0) + b"".join(values)
        self.asking.send(struct.pack("IHHII", 16 + len(body), kind, flags | NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
        error = struct.unpack_from("i", self.asking.recv(65536), 16)[0]
        if error:
            raise OSError(-error, "the kernel refuses to be disturbed")

    def wait(self, is_it, limit=10):
        """Until the kernel tells of something."""
        end = time.monotonic() + limit
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.hearing], [], [], left)[0]:
                raise TimeoutError("nobody put it right")
            data = self.hearing.recv(1 << 20)
            while len(data) >= 16:
                length, kind = struct.unpack_from("IH", data)
                family, index = struct.unpack_from("Bxxxi", data, 16)
                if is_it(kind, family, index, attributes(data[16 + 12:length])):
                    return
                data = data[(length + 3) & ~3:]


def main():
    device, bridge, entries, vteps, rounds = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    kernel = Kernel()
    vx, br = socket.if_nametoindex(device), socket.if_nametoindex(bridge)
    other = attribute(NDA_DST, socket.inet_aton("198.51.100.77"))
    bulk = workloads.Bulk(entries, vteps)
    for number in range(rounds):
        place = random.randrange(entries)
        mac = bytes.fromhex(workloads.mac(place).replace(":", ""))
        vtep = socket.inet_aton(bulk.vtep(place))
        key = attribute(NDA_LLADDR, mac)
        address = socket.inet_aton(workloads.neighbour(place))
        match number % 4:
            case 0:  # Deleted.
                args = (RTM_DELNEIGH, 0, AF_BRIDGE, vx, NTF_SELF, key)
                is_healed = (lambda k, f, i, a: k == RTM_NEWNEIGH and i == vx and a.get(NDA_LLADDR) == mac
                             and a.get(NDA_DST) == vtep)
            case 1:  # Sent elsewhere.
                args = (RTM_NEWNEIGH, NLM_F_REPLACE | NLM_F_CREATE, AF_BRIDGE, vx, NTF_SELF, key, other)
                is_healed = (lambda k, f, i, a: k == RTM_NEWNEIGH and i == vx and a.get(NDA_LLADDR) == mac
                             and a.get(NDA_DST) == vtep)
            case 2:  # Added.
                mac = bytes([2, 0xff, *random.randbytes(4)])
                key = attribute(NDA_LLADDR, mac)
                args = (RTM_NEWNEIGH, NLM_F_CREATE, AF_BRIDGE, vx, NTF_SELF, key, other)
                is_healed = lambda k, f, i, a: k == RTM_DELNEIGH and i == vx and a.get(NDA_LLADDR) == mac
            case _:  # A neighbour with another address.
                args = (RTM_NEWNEIGH, NLM_F_REPLACE | NLM_F_CREATE, AF_INET, br, 0, attribute(NDA_DST, address),
                        attribute(NDA_LLADDR, bytes([2, 0xff, 0, 0, 0, 1])))
                is_healed = (lambda k, f, i, a: k == RTM_NEWNEIGH and i == br and a.get(NDA_DST) == address
                             and a.get(NDA_LLADDR) == mac)
        time.sleep(random.uniform(0.002, 0.01))
        start = time.monotonic()
        kernel.send(*args)
        kernel.wait(is_healed)
        print(f"{time.monotonic() - start:.6f}")


if __name__ == "__main__":
    main()
