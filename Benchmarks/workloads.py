"""Writes the workloads, from the same data for every program that is to do them.

    python3 Benchmarks/workloads.py FOLDER [bulk|tenants|vnis|fabric] [NUMBER...]

floor.c knows the same data by the same rules: change both.
"""
import argparse
import ipaddress
import json
import os

LOCAL = "10.0.0.1"
WEFT_GROUP = 0x77656674  # The mark of links that are weft's.
WEFT_PROTOCOL = 119  # That of neighbours.
FLOOD_OF_TENANT = 10
ZERO_MAC = "00:00:00:00:00:00"
FIRST_NEIGHBOUR = int(ipaddress.IPv4Address("172.16.0.0"))
NEIGHBOUR_ROOM = 1 << 20  # 172.16.0.0/12


def mac(number):
    digits = f"{0x020000000000 | number:012x}"
    return ":".join(digits[i:i + 2] for i in range(0, 12, 2))


def bridge_mac(number):
    return mac(0xfe0000000000 | number)


def vtep(number):
    return f"10.1.{number // 250}.{number % 250 + 1}"


def neighbour(number):
    return str(ipaddress.IPv4Address(FIRST_NEIGHBOUR + number))


class Bulk:
    """Entries, FDB and neighbours each, over VTEPs and devices. The first `moved` of them are at the next VTEP; of
    `halved` ones each second is missing."""

    def __init__(self, entries, vteps, devices=1, moved=0, halved=False):
        if entries > NEIGHBOUR_ROOM:
            raise ValueError(f"no more than {NEIGHBOUR_ROOM} entries")
        self.entries, self.vteps, self.devices, self.moved, self.halved = entries, vteps, devices, moved, halved

    def device(self, number):
        return number * self.devices // self.entries

    def of_device(self, device):
        return (n for n in range(self.entries) if self.device(n) == device and not (self.halved and n % 2))

    def vtep(self, number):
        return vtep((number + (number < self.moved)) % self.vteps)

    # MARK: weft

    def document(self):
        out = ["weft: 1", "vxlans:"]
        numbers = [list(self.of_device(d)) for d in range(self.devices)]
        for device in range(self.devices):
            out += [f"  vx{device}:", f"    vni: {100 + device}", f"    local: {LOCAL}", "    flood:"]
            out += [f"      - {vtep(i)}" for i in range(self.vteps)]
            out.append("    fdb:")
            out += [f"      {mac(n)}: {self.vtep(n)}" for n in numbers[device]]
        out.append("bridges:")
        for device in range(self.devices):
            out += [f"  br{device}:", f"    mac: {bridge_mac(device)}",
                    f"    ports: {{vx{device}: {{learning: false, neigh-suppress: true}}}}", "    neighbours:"]
            out += [f"      {neighbour(n)}: {mac(n)}" for n in numbers[device]]
        return out

    # MARK: iproute2

    def ip_links(self):
        return ip_links(self.devices, 100)

    def bridge_entries(self):
        for device in range(self.devices):
            for i in range(self.vteps):
                yield f"fdb append {ZERO_MAC} dev vx{device} dst {vtep(i)} self permanent"
        for n in range(self.entries):
            yield f"fdb replace {mac(n)} dev vx{self.device(n)} dst {self.vtep(n)} self permanent"

    def bridge_moved(self):
        for n in range(self.moved):
            yield f"fdb replace {mac(n)} dev vx{self.device(n)} dst {self.vtep(n)} self permanent"

    def bridge_halved(self):
        for n in range(1, self.entries, 2):
            yield f"fdb del {mac(n)} dev vx{self.device(n)} dst {self.vtep(n)} self"

    def ip_halved(self):
        for n in range(1, self.entries, 2):
            yield f"neigh del {neighbour(n)} dev br{self.device(n)}"

    def ip_neighbours(self):
        for n in range(self.entries):
            yield (f"neigh replace {neighbour(n)} lladdr {mac(n)} dev br{self.device(n)} nud permanent "
                   f"protocol {WEFT_PROTOCOL}")

    # MARK: others

    def pyroute2(self):
        """What peers/pyroute2_bulk.py reads."""
        return {
            "local": LOCAL, "bridge_mac": bridge_mac(0),
            "flood": [vtep(i) for i in range(self.vteps)],
            "fdb": [[mac(n), self.vtep(n)] for n in range(self.entries)],
            "neighbours": [[neighbour(n), mac(n)] for n in range(self.entries)],
        }

    def ifstate(self):
        """One device. JSON is YAML, and ifstate reads it no slower."""
        port = 4789  # ifstate's own default is 8472.
        fdb = [{"lladdr": ZERO_MAC, "dst": vtep(i), "port": port} for i in range(self.vteps)]
        fdb += [{"lladdr": mac(n), "dst": self.vtep(n), "port": port} for n in range(self.entries)]
        neighbours = [{"dst": neighbour(n), "lladdr": mac(n)} for n in range(self.entries)]
        return {"interfaces": {
            "br0": {"link": {"kind": "bridge", "state": "up", "address": bridge_mac(0)}, "neighbours": neighbours},
            "vx0": {
                "link": {"kind": "vxlan", "state": "up", "master": "br0", "vxlan_id": 100, "vxlan_local": LOCAL,
                         "vxlan_port": port, "vxlan_learning": 0},
                "brport": {"learning": False, "neigh_suppress": True},
                "fdb": fdb},
        }}


def ip_links(count, first_vni, autoconfigured=True):
    """In phases, bridges up last: the order that iproute2 does it fastest in."""
    for i in range(count):
        yield f"link add br{i} address {bridge_mac(i)} group {WEFT_GROUP} type bridge"
    for i in range(count):
        yield (f"link add vx{i} master br{i} group {WEFT_GROUP} type vxlan id {first_vni + i} local {LOCAL} "
               "dstport 4789 nolearning")
    if not autoconfigured:
        for i in range(count):
            yield f"link set br{i} addrgenmode none"
            yield f"link set vx{i} addrgenmode none"
    for i in range(count):
        yield f"link set vx{i} type bridge_slave learning off neigh_suppress on"
    for i in range(count):
        yield f"link set vx{i} up"
    for i in range(count):
        yield f"link set br{i} up"


class Tenants:
    """A VXLAN device and a bridge for each network, with ten flood entries."""

    def __init__(self, networks):
        self.networks = networks

    def document(self):
        flood = ", ".join(vtep(i) for i in range(FLOOD_OF_TENANT))
        out = ["weft: 1", "vxlans:"]
        for i in range(self.networks):
            out += [f"  vx{i}:", f"    vni: {1000 + i}", f"    local: {LOCAL}", f"    flood: [{flood}]",
                    "    addr-gen-mode: none"]
        out.append("bridges:")
        for i in range(self.networks):
            out += [f"  br{i}:", f"    mac: {bridge_mac(i)}", "    addr-gen-mode: none",
                    f"    ports: {{vx{i}: {{learning: false, neigh-suppress: true}}}}"]
        return out

    def ip_links(self):
        return ip_links(self.networks, 1000, autoconfigured=False)

    def bridge_entries(self):
        for i in range(self.networks):
            for j in range(FLOOD_OF_TENANT):
                yield f"fdb append {ZERO_MAC} dev vx{i} dst {vtep(j)} self permanent"

    def ip_gone(self):
        for i in range(self.networks):
            yield f"link del vx{i}"
            yield f"link del br{i}"

    def ifupdown2(self):
        flood = "\n".join(f"  vxlan-remoteip {vtep(i)}" for i in range(FLOOD_OF_TENANT))
        for i in range(self.networks):
            yield f"auto vx{i}\niface vx{i}\n  vxlan-id {1000 + i}\n  vxlan-local-tunnelip {LOCAL}"
            yield f"  vxlan-port 4789\n  vxlan-learning off\n{flood}"
            yield "  bridge-learning off\n  bridge-arp-nd-suppress on\n"
            yield f"auto br{i}\niface br{i}\n  bridge-ports vx{i}\n  bridge-stp off\n  hwaddress {bridge_mac(i)}\n"


class VNIs:
    """Many networks on one device; the document names each by itself."""

    def __init__(self, count):
        self.count = count

    def document(self):
        out = ["weft: 1", "vxlans:", "  vx0:", "    external: true", "    vni-filter: true",
               f"    local: {LOCAL}", "    vnis:"]
        return out + [f"      {10000 + i}: {{}}" for i in range(self.count)]

    def ip_links(self):
        yield f"link add vx0 group {WEFT_GROUP} type vxlan external vnifilter local {LOCAL} dstport 4789 nolearning"
        yield "link set vx0 up"

    def bridge_entries(self):
        yield f"vni add dev vx0 vni 10000-{10000 + self.count - 1}"


class Fabric:
    """One network over many VTEPs; host-0 has none of the endpoints at its own ports."""

    def __init__(self, vteps, endpoints):
        self.vteps, self.endpoints = vteps, endpoints

    def host(self, number):
        return f"host-{1 + number % (self.vteps - 1)}"

    def document(self, table=None):
        """With the endpoints in it, or with the name of their file."""
        out = ["weft: 1", "fabric:", "  vteps:"]
        out += [f"    host-{i}: {vtep(i)}" for i in range(self.vteps)]
        out += ["networks:", "  n0:", "    vni: 100", "    mtu: 1450"]
        if table:
            return out + [f"    endpoints-from: [{table}]"]
        out.append("    endpoints:")
        return out + [f"      {mac(n)}: {{ip: {neighbour(n)}, vtep: {self.host(n)}}}" for n in range(self.endpoints)]

    def csv(self):
        yield "mac,ip,vtep"
        for n in range(self.endpoints):
            yield f"{mac(n)},{neighbour(n)},{self.host(n)}"

    def ndjson(self):
        for n in range(self.endpoints):
            yield json.dumps({"mac": mac(n), "ip": neighbour(n), "vtep": self.host(n)})


# MARK: files

def write_lines(folder, name, lines):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        for line in lines:
            file.write(line + "\n")
    return path


def write_json(folder, name, value):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        json.dump(value, file)
    return path


def write_bulk(folder, workload, moved, others=True, halved=None):
    """`moved` is the same workload with some at another VTEP; `halved` is that with each second one missing."""
    write_lines(folder, "weft.yaml", workload.document())
    write_lines(folder, "moved.yaml", moved.document())
    write_lines(folder, "links.ip", workload.ip_links())
    write_lines(folder, "neighbours.ip", workload.ip_neighbours())
    write_lines(folder, "fdb.bridge", workload.bridge_entries())
    write_lines(folder, "moved.bridge", moved.bridge_moved())
    if halved:
        write_lines(folder, "halved.yaml", halved.document())
        write_lines(folder, "halved.bridge", halved.bridge_halved())
        write_lines(folder, "halved.ip", halved.ip_halved())
    if others and workload.devices == 1:
        write_json(folder, "pyroute2.json", workload.pyroute2())
        write_json(folder, "ifstate.yaml", workload.ifstate())


def write_tenants(folder, workload):
    write_lines(folder, "weft.yaml", workload.document())
    write_lines(folder, "links.ip", workload.ip_links())
    write_lines(folder, "fdb.bridge", workload.bridge_entries())
    write_lines(folder, "interfaces", workload.ifupdown2())
    write_lines(folder, "gone.yaml", ["weft: 1", "vxlans: {}"])
    write_lines(folder, "gone.ip", workload.ip_gone())


def write_vnis(folder, workload):
    write_lines(folder, "weft.yaml", workload.document())
    write_lines(folder, "links.ip", workload.ip_links())
    write_lines(folder, "vnis.bridge", workload.bridge_entries())


def write_fabric(folder, workload):
    write_lines(folder, "yaml.yaml", workload.document())
    for name, lines in (("csv", workload.csv()), ("ndjson", workload.ndjson())):
        write_lines(folder, f"endpoints.{name}", lines)
        write_lines(folder, f"{name}.yaml", workload.document(f"endpoints.{name}"))


def main():
    parser = argparse.ArgumentParser(description="Writes the files of one workload.")
    parser.add_argument("folder")
    parser.add_argument("workload", choices=["bulk", "tenants", "vnis", "fabric"])
    parser.add_argument("numbers", nargs="*", type=int,
                        help="bulk: entries, VTEPs, devices; tenants and vnis: how many; fabric: VTEPs, endpoints")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    numbers = options.numbers
    if options.workload == "bulk":
        numbers = numbers or [100_000, 1000, 1]
        write_bulk(options.folder, Bulk(*numbers), Bulk(*numbers, moved=100))
    elif options.workload == "tenants":
        write_tenants(options.folder, Tenants(*(numbers or [1000])))
    elif options.workload == "vnis":
        write_vnis(options.folder, VNIs(*(numbers or [10_000])))
    else:
        write_fabric(options.folder, Fabric(*(numbers or [1000, 100_000])))


if __name__ == "__main__":
    main()
