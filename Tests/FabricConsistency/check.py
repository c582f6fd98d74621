#!/usr/bin/env python3
"""Checks what `weft compile --all --out FOLDER` wrote for a fabric, all hosts together.

    check.py FABRIC FOLDER

Prints what is wrong, a line each, and exits with 1 if anything is. It shares no code with weft, and takes nothing
from it but the documents: what a host has to have is worked out from the fabric once more, and links are found by
what they are (VNI, remote, ports), not by how weft calls them.
"""
import csv
import ipaddress
import json
import os
import sys
from collections import defaultdict

import yaml

# All scalars as texts: YAML 1.1 takes some MAC addresses for numbers in base 60.
LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
OVERHEAD = {
    ("vxlan", 4): 50, ("vxlan", 6): 70, ("geneve", 4): 50, ("geneve", 6): 70,
    ("gre", 4): 42, ("gre", 6): 62, ("nvgre", 4): 42, ("nvgre", 6): 62,
}


def load(path):
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Loader=LOADER)


def address(text):
    return ipaddress.ip_address(text)


def interfaces(texts):
    """Addresses with their networks, sorted."""
    return sorted(str(ipaddress.ip_interface(text)) for text in texts or [])


def is_address(text, wanted):
    try:
        return address(text) == wanted
    except ValueError:
        return False


def as_list(value):
    return value if isinstance(value, list) else [value] if value else []


class VTEP:
    def __init__(self, name, value, fabric):
        value = value if isinstance(value, dict) else {"address": value}
        self.name = name
        texts = as_list(value.get("address")) + as_list(value.get("addresses"))
        self.addresses = {address(text).version: address(text) for text in texts}
        self.underlay_mtu = int(value.get("underlay-mtu", fabric.get("underlay-mtu", 1500)))
        self.device = value.get("device", fabric.get("device"))
        self.router_mac = value.get("router-mac")
        self.labels = value.get("labels") or {}


class Endpoint:
    def __init__(self, mac, ips, vtep, port):
        self.mac, self.vtep, self.port = mac.lower(), vtep, port or None
        self.ips = [address(ip) for ip in ips]


class Network:
    def __init__(self, name, value, vteps, folder):
        value = value or {}
        self.name, self.value = name, value
        self.vni = int(value["vni"]) if "vni" in value else None
        self.vlan = int(value["vlan"]) if "vlan" in value else None
        self.encapsulation = value.get("encapsulation", "vxlan")
        self.plane = value.get("control-plane", "static")
        self.is_routed = value.get("type") == "routed"
        self.is_shared = value.get("model") == "single-device"
        who = value.get("vteps", "all")
        if isinstance(who, dict):
            self.members = [v for v in vteps if all(vteps[v].labels.get(k) == x for k, x in who.items())]
        else:
            self.members = list(vteps) if who == "all" else list(who)
        families = {"ipv4": [4], "ipv6": [6]}.get(value.get("underlay"), [4, 6])
        self.family = next(f for f in families if all(f in vteps[m].addresses for m in self.members))
        room = min(vteps[m].underlay_mtu for m in self.members) - OVERHEAD[self.encapsulation, self.family]
        room -= 4 if value.get("tagged") == "true" else 0
        self.mtu = int(value["mtu"]) if value.get("mtu", "auto") != "auto" else room
        self.flood = value.get("flood", "head-end")
        self.endpoints = [
            Endpoint(mac, as_list(e.get("ip")), e["vtep"], e.get("port"))
            for mac, e in (value.get("endpoints") or {}).items()
        ]
        for path in as_list(value.get("endpoints-from")):
            self.endpoints += table(os.path.join(folder, path))
        gateway = value.get("gateway")
        self.gateway = gateway
        self.gateways = (gateway.get("vteps") or self.members) if gateway else []
        self.gateway_addresses = interfaces((gateway or {}).get("addresses"))
        self.vrf = (gateway or {}).get("vrf")
        has_ips = any(e.ips for e in self.endpoints)
        usual = self.plane == "evpn" or self.plane == "static" and has_ips
        self.suppresses = value["arp-suppression"] == "true" if "arp-suppression" in value else usual
        unknown = value.get("unknown-unicast")
        self.floods_unknown = (unknown == "flood" if unknown else self.plane != "static") and self.flood != "none"
        self.is_static = self.plane == "static"

    def others(self, host):
        return [m for m in self.members if m != host]

    def ports(self, host):
        """The local links by name, or by name and VLAN."""
        listed = as_list((self.value.get("ports") or {}).get(host))
        result = {(p, None) if isinstance(p, str) else (p["name"], p.get("vlan")) for p in listed}
        return result | {(e.port, None) for e in self.endpoints if e.vtep == host and e.port}


def table(path):
    with open(path, encoding="utf-8") as file:
        if file.read(1) == "{":
            file.seek(0)
            rows = [json.loads(line) for line in file if line.strip()]
        else:
            file.seek(0)
            rows = list(csv.DictReader(line for line in file if not line.startswith("#") and line.strip()))
    for row in rows:
        ips = row.get("ip") or []
        ips = ips.split() if isinstance(ips, str) else ips
        yield Endpoint(row["mac"], ips, row["vtep"], row.get("port"))


class Host:
    """What was compiled for one host, by kind and name."""

    def __init__(self, name, document):
        self.name = name
        self.kinds = {kind: value or {} for kind, value in document.items() if kind != "weft"}
        for kind, links in self.kinds.items():
            self.kinds[kind] = {key: value or {} for key, value in links.items()}
        self.unclaimed = {(kind, link) for kind, links in self.kinds.items() for link in links if kind != "nexthops"}

    def all(self, kind):
        return self.kinds.get(kind, {})

    def claim(self, kind, name):
        self.unclaimed.discard((kind, name))

    def bridge_of(self, port):
        return [name for name, bridge in self.all("bridges").items() if port in (bridge.get("ports") or {})]

    @staticmethod
    def fdb(bridge):
        """The bridge's own entries, one for each VLAN that an address is in."""
        return [(mac, entry) for mac, found in (bridge.get("fdb") or {}).items() for entry in as_list(found)]

    def group(self, number):
        """The addresses behind a group of nexthops."""
        group = self.all("nexthops").get(number, {}).get("group") or []
        ids = [member["id"] if isinstance(member, dict) else member for member in group]
        return {address(self.all("nexthops")[i]["via"]) for i in ids if i in self.all("nexthops")}


class Checker:
    def __init__(self, path, folder):
        document = load(path)
        fabric = document["fabric"]
        self.faults = []
        self.vteps = {name: VTEP(name, value, fabric) for name, value in fabric["vteps"].items()}
        self.networks = [
            Network(name, value, self.vteps, os.path.dirname(path))
            for name, value in (document.get("networks") or {}).items()
        ]
        self.vrfs = {name: value or {} for name, value in (fabric.get("vrfs") or {}).items()}
        written = {name[: -len(".yaml")] for name in os.listdir(folder) if name.endswith(".yaml")}
        for name in sorted(written ^ set(self.vteps)):
            self.fault(name, "", "is compiled but no VTEP" if name in written else "has no document")
        self.hosts = {
            name: Host(name, load(os.path.join(folder, name + ".yaml"))) for name in self.vteps if name in written
        }
        # Who floods to which addresses, by network: as compiled.
        self.floods = defaultdict(dict)
        # MAC addresses that are to be the same, and those that are to be nobody else's.
        self.same = defaultdict(dict)
        self.single = defaultdict(set)

    def fault(self, host, what, message):
        self.faults.append(f"{host}: {what}{': ' if what else ''}{message}")

    def expect(self, host, what, found, wanted):
        if found != wanted:
            self.fault(host, what, f"is {found!r}, not {wanted!r}")

    def compare(self, host, what, found, wanted):
        """Two mappings that have to be the same."""
        for key in sorted(wanted.keys() - found.keys(), key=str):
            self.fault(host, what, f"{key} is missing, it has to be {wanted[key]}")
        for key in sorted(found.keys() - wanted.keys(), key=str):
            self.fault(host, what, f"{key} ({found[key]}) is nowhere in the fabric")
        for key in wanted.keys() & found.keys():
            if found[key] != wanted[key]:
                self.fault(host, what, f"{key} is {found[key]}, not {wanted[key]}")

    def run(self):
        for network in self.networks:
            for name in network.members:
                if name in self.hosts and not network.is_routed:
                    self.check_bridged(network, self.hosts[name])
                elif name in self.hosts:
                    self.check_routed(network, self.hosts[name])
        for name, vrf in self.vrfs.items():
            self.check_vrf(name, vrf)
        for host in self.hosts.values():
            self.check_shared_ports(host)
            for kind, link in sorted(host.unclaimed):
                self.fault(host.name, f"{kind} {link}", "is nowhere in the fabric")
        self.check_symmetry()
        self.check_macs()
        return self.faults

    # What a bridged network has on a member.

    def check_bridged(self, network, host):
        what = f"network {network.name}"
        tunnels = self.tunnels(network, host, what)
        if tunnels is None:
            return
        bridges = {bridge for device in tunnels.values() for bridge in host.bridge_of(device)}
        if not tunnels:
            # A network of one member has no tunnel where each leads to one other.
            bridges = {name for name in host.all("bridges") if network.name in name}
        if len(bridges) != 1:
            self.fault(host.name, what, f"its tunnels are ports of {sorted(bridges) or 'no bridge'}")
            return
        name = bridges.pop()
        bridge = host.all("bridges")[name]
        host.claim("bridges", name)
        ports = bridge.get("ports") or {}
        for device in set(tunnels.values()):
            self.check_tunnel_port(network, host, f"{what}: port {device}", ports.get(device) or {})
        self.check_ports(network, host, what, name, ports, tunnels)
        # The link of the host's own in the network.
        own, kind = (bridge, f"bridge {name}")
        if network.is_shared:
            found = {
                key: link for key, link in host.all("vlans").items()
                if link.get("device") == name and link.get("id") == str(network.vlan)
            }
            is_needed = network.suppresses or host.name in network.gateways
            self.expect(host.name, f"{what}: links in VLAN {network.vlan}", len(found), int(is_needed))
            self.single["bridge"].add((bridge.get("mac"), host.name))
            if not found:
                return self.check_bridge_fdb(network, host, what, bridge, tunnels)
            key = next(iter(found))
            host.claim("vlans", key)
            own, kind = found[key], f"vlan {key}"
        elif host.name not in network.gateways:
            self.single[network.name].add((bridge.get("mac"), host.name))
        self.expect(host.name, f"{what}: {kind}: mtu", own.get("mtu"), str(network.mtu))
        self.check_gateway(network, host, f"{what}: {kind}", own)
        self.check_neighbours(network, host, f"{what}: {kind}: neighbours", own)
        self.check_bridge_fdb(network, host, what, bridge, tunnels)

    def tunnels(self, network, host, what):
        """The devices by the VTEP that they lead to."""
        me, others = self.vteps[host.name], network.others(host.name)
        local = str(me.addresses[network.family])
        if network.encapsulation == "vxlan":
            if network.is_shared:
                found = [n for n, d in host.all("vxlans").items() if str(network.vni) in (d.get("vnis") or {})]
            else:
                found = [n for n, d in host.all("vxlans").items() if d.get("vni") == str(network.vni)]
            if len(found) != 1:
                self.fault(host.name, what, f"{len(found)} devices have the VNI {network.vni}")
                return None
            device = host.all("vxlans")[found[0]]
            host.claim("vxlans", found[0])
            self.expect(host.name, f"{what}: local", address(device.get("local", "::")), address(local))
            self.expect(host.name, f"{what}: device", device.get("device"), me.device)
            if not network.is_shared:
                self.expect(host.name, f"{what}: mtu", device.get("mtu"), str(network.mtu))
            elif int(device.get("mtu", 0)) < network.mtu:
                self.fault(host.name, what, f"its device has mtu {device.get('mtu')}, less than {network.mtu}")
            self.expect(host.name, f"{what}: learning", device.get("learning", "false"), str(network.plane == "learn").lower())
            entries = device["vnis"][str(network.vni)] or {} if network.is_shared else device
            self.check_fdb(network, host, what, entries)
            return {other: found[0] for other in others} or {host.name: found[0]}
        kind = "geneves" if network.encapsulation == "geneve" else "gretaps"
        key = {"nvgre": network.vni << 8}.get(network.encapsulation, network.vni)
        tunnels = {}
        for other in others:
            remote = self.vteps[other].addresses[network.family]
            found = [
                n for n, d in host.all(kind).items()
                if d.get("vni" if kind == "geneves" else "key") == str(key) and is_address(d.get("remote"), remote)
            ]
            if len(found) != 1:
                self.fault(host.name, what, f"{len(found)} tunnels lead to {other} at {remote}")
                continue
            device = host.all(kind)[found[0]]
            host.claim(kind, found[0])
            tunnels[other] = found[0]
            self.expect(host.name, f"{what}: mtu to {other}", device.get("mtu"), str(network.mtu))
            if kind == "gretaps":
                self.expect(host.name, f"{what}: local", address(device.get("local", "::")), address(local))
        self.floods[network.name][host.name] = {self.vteps[o].addresses[network.family] for o in tunnels}
        return tunnels

    def check_fdb(self, network, host, what, entries):
        others = network.others(host.name)
        wanted = {str(self.vteps[o].addresses[network.family]) for o in others} if network.flood == "head-end" else set()
        if network.plane == "evpn":
            for key in ("fdb", "flood"):
                self.expect(host.name, f"{what}: {key}", entries.get(key), None)
            return
        flood = [str(address(text)) for text in entries.get("flood") or []]
        self.floods[network.name][host.name] = {address(text) for text in flood}
        self.compare(
            host.name, f"{what}: flood", dict.fromkeys(flood, "listed"), dict.fromkeys(wanted, "listed"))
        self.expect(host.name, f"{what}: flood, entries", len(flood), len(set(flood)))
        group = network.flood["multicast"] if isinstance(network.flood, dict) else None
        self.expect(host.name, f"{what}: group", entries.get("group"), group)
        found = {}
        for mac, value in (entries.get("fdb") or {}).items():
            if isinstance(value, dict):
                found[mac] = {str(a) for a in host.group(value.get("nexthop"))}
            else:
                found[mac] = {str(address(value))}
        fdb = {}
        if network.is_static:
            for endpoint in network.endpoints:
                if endpoint.vtep != host.name:
                    fdb[endpoint.mac] = {str(self.vteps[endpoint.vtep].addresses[network.family])}
            if network.gateways and host.name not in network.gateways:
                mac = self.gateway_mac(network, host)
                fdb[mac] = {str(self.vteps[g].addresses[network.family]) for g in network.gateways}
        self.compare(host.name, f"{what}: fdb", found, fdb)

    def gateway_mac(self, network, host):
        """The document's, or the one that the gateway has where it is."""
        given = network.gateway.get("mac")
        if given:
            return given.lower()
        for name in network.gateways:
            mac = self.same[network.name].get(name) or self.own_mac(network, self.hosts.get(name))
            if mac:
                return mac
        return None

    def own_mac(self, network, host):
        wanted = network.gateway_addresses
        for kind in ("bridges", "vlans"):
            for link in host.all(kind).values() if host else []:
                if wanted and wanted == interfaces(link.get("addresses")) and link.get("mac"):
                    if link.get("vrf") == network.vrf:
                        return link["mac"]
        return None

    def check_gateway(self, network, host, what, link):
        if host.name not in network.gateways:
            self.expect(host.name, f"{what}: addresses", link.get("addresses") or [], [])
            return
        self.same[network.name][host.name] = link.get("mac")
        if "mac" in network.gateway:
            self.expect(host.name, f"{what}: mac", link.get("mac"), network.gateway["mac"].lower())
        self.expect(host.name, f"{what}: addresses", interfaces(link.get("addresses")), network.gateway_addresses)
        self.expect(host.name, f"{what}: vrf", link.get("vrf"), network.vrf)
        self.expect(host.name, f"{what}: forwarding", link.get("forwarding"), "true")

    def check_neighbours(self, network, host, what, link):
        found = {address(ip): mac for ip, mac in (link.get("neighbours") or {}).items()}
        wanted = {}
        if network.is_static and (network.suppresses or host.name in network.gateways):
            wanted = {ip: e.mac for e in network.endpoints for ip in e.ips}
            if network.gateways and host.name not in network.gateways:
                mac = self.gateway_mac(network, host)
                wanted.update({address(a.split("/")[0]): mac for a in network.gateway_addresses})
        elif not network.is_static:
            self.expect(host.name, f"{what} (weft's own)", link.get("neighbours"), None)
        self.compare(host.name, what, found, wanted)

    def check_bridge_fdb(self, network, host, what, bridge, tunnels):
        vlan = str(network.vlan) if network.is_shared else None
        found = {mac: value.get("port") for mac, value in host.fdb(bridge) if value.get("vlan") == vlan}
        wanted = {}
        if network.is_static:
            for endpoint in network.endpoints:
                if endpoint.vtep != host.name:
                    wanted[endpoint.mac] = tunnels.get(endpoint.vtep)
                elif endpoint.port:
                    wanted[endpoint.mac] = endpoint.port
            if network.gateways and host.name not in network.gateways:
                wanted[self.gateway_mac(network, host)] = tunnels.get(sorted(network.gateways)[0])
            elif network.gateways and network.is_shared:
                wanted[self.gateway_mac(network, host)] = host.bridge_of(next(iter(tunnels.values())))[0]
        else:
            self.expect(host.name, f"{what}: fdb of the bridge", bridge.get("fdb"), None)
        self.compare(host.name, f"{what}: fdb of the bridge", found, wanted)

    # Ports.

    def check_tunnel_port(self, network, host, what, port):
        def expect(key, usual, wanted):
            self.expect(host.name, f"{what}: {key}", port.get(key, usual), str(wanted).lower())

        expect("learning", "true", network.plane == "learn")
        expect("flood", "true", network.floods_unknown)
        expect("neigh-suppress", "false", network.suppresses)
        expect("isolated", "false", network.encapsulation != "vxlan")
        if not network.is_shared:
            for key in ("multicast-flood", "broadcast-flood"):
                expect(key, "true", network.flood != "none")
            return
        expect("vlan-tunnel", "false", True)
        mapping = (port.get("vlans") or {}).get(str(network.vlan)) or {}
        self.expect(host.name, f"{what}: VNI of VLAN {network.vlan}", mapping.get("vni"), str(network.vni))

    def check_ports(self, network, host, what, bridge, ports, tunnels):
        known = {e.port for e in network.endpoints if e.vtep == host.name}
        names = set(tunnels.values())
        for name, vlan in network.ports(host.name):
            link = name
            if vlan and not (network.is_shared and int(vlan) == network.vlan):
                found = [n for n, l in host.all("vlans").items() if l.get("device") == name and l.get("id") == vlan]
                self.expect(host.name, f"{what}: links for VLAN {vlan} of {name}", len(found), 1)
                if not found:
                    continue
                link = found[0]
                host.claim("vlans", link)
            names.add(link)
            if link not in ports:
                self.fault(host.name, what, f"{link} is no port of {bridge}")
                continue
            port = ports[link] or {}
            if not network.is_shared:
                learns = not (network.is_static and link in known)
                self.expect(host.name, f"{what}: {link}: learning", port.get("learning", "true"), str(learns).lower())
                continue
            vlans = port.get("vlans") or {}
            here = (vlans.get(str(network.vlan)) or {}) if isinstance(vlans, dict) else {}
            if isinstance(vlans, list) and str(network.vlan) not in vlans or isinstance(vlans, dict) and str(network.vlan) not in vlans:
                self.fault(host.name, what, f"{link} is not in VLAN {network.vlan}")
            is_trunk = vlan is not None and int(vlan) == network.vlan
            self.expect(host.name, f"{what}: {link}: untagged", here.get("untagged", "false"), str(not is_trunk).lower())
        if not network.is_shared:
            for name in sorted(set(ports) - names):
                self.fault(host.name, what, f"{name} is a port of {bridge}, and nowhere in the fabric")

    def check_shared_ports(self, host):
        """A bridge that looks at VLANs has no VLAN, and no entry, of a network that is not here."""
        here = {str(n.vlan) for n in self.networks if n.is_shared and host.name in n.members}
        vnis = {str(n.vni) for n in self.networks if n.is_shared and host.name in n.members}
        routed = {vrf["vni"] for name, vrf in self.vrfs.items() if "vni" in vrf and name in host.all("vrfs")}
        vnis |= routed
        here |= {
            link.get("id") for vni in routed for _, link, _, _, device in self.l3_ends(host, vni)
            if device.get("external") == "true"
        }
        for name, bridge in host.all("bridges").items():
            if bridge.get("vlan-filtering") != "true":
                continue
            seen = set(as_list(bridge.get("vlans")) if not isinstance(bridge.get("vlans"), dict) else bridge["vlans"])
            for port in (bridge.get("ports") or {}).values():
                seen |= set((port or {}).get("vlans") or {})
            seen |= {entry.get("vlan") for _, entry in host.fdb(bridge)}
            for vlan in sorted(seen - here, key=str):
                self.fault(host.name, f"bridge {name}", f"VLAN {vlan} is nowhere in the fabric")
        for name, device in host.all("vxlans").items():
            for vni in sorted(set(device.get("vnis") or {}) - vnis):
                self.fault(host.name, f"vxlan {name}", f"VNI {vni} is nowhere in the fabric")

    # Routing.

    def check_routed(self, network, host):
        what = f"network {network.name}"
        local = [e for e in network.endpoints if e.vtep == host.name]
        ports = {port for port, vlan in network.ports(host.name) if not vlan}
        ips = {ip for endpoint in local for ip in endpoint.ips}
        found = [
            n for n, b in host.all("bridges").items()
            if ports <= set(b.get("ports") or {}) and ips <= {address(ip) for ip in b.get("neighbours") or {}}
            and b.get("vrf") == network.vrf and interfaces(b.get("addresses")) == network.gateway_addresses
        ]
        is_needed = bool(local or network.ports(host.name))
        if len(found) != 1 or not is_needed:
            # Another routed network may have all that one without endpoints here has.
            if is_needed:
                self.fault(host.name, what, f"{len(found)} bridges have its ports, its endpoints and its gateway")
            return
        for name in found:
            bridge = host.all("bridges")[name]
            host.claim("bridges", name)
            self.expect(host.name, f"{what}: mtu", bridge.get("mtu"), str(network.mtu))
            self.check_ports(network, host, what, name, bridge.get("ports") or {}, {})
            self.check_gateway(network, host, what, bridge)
            neighbours = {address(ip): mac for ip, mac in (bridge.get("neighbours") or {}).items()}
            self.compare(host.name, f"{what}: neighbours", neighbours, {ip: e.mac for e in local for ip in e.ips})
            ports = {mac: entry.get("port") for mac, entry in host.fdb(bridge)}
            self.compare(host.name, f"{what}: fdb of the bridge", ports, {e.mac: e.port for e in local if e.port})

    def check_vrf(self, name, vrf):
        networks = [n for n in self.networks if n.vrf == name]
        externals = vrf.get("external") or []
        here = {g for n in networks for g in n.gateways} | {e["vtep"] for e in externals}
        for host in (h for h in self.hosts.values() if h.name in here):
            what = f"vrf {name}"
            link = host.all("vrfs").get(name)
            if link is None:
                self.fault(host.name, what, "is missing")
                continue
            host.claim("vrfs", name)
            listed = [(ipaddress.ip_network(r["to"]), r) for r in link.get("routes") or []]
            routes = {network: r for network, r in listed if r.get("type") != "unreachable"}
            # What nothing else leads to ends in the VRF, behind all other routes.
            used = {4} | {network.version for network in routes}
            used |= {ipaddress.ip_interface(a).version for n in networks for a in n.gateway_addresses}
            last = [
                (network.version, network.prefixlen, r.get("metric")) for network, r in listed
                if r.get("type") == "unreachable"
            ]
            self.expect(host.name, f"{what}: last routes", sorted(last), [(v, 0, "4278198272") for v in sorted(used)])
            wanted = {}
            for external in externals:
                network = ipaddress.ip_network(external["to"])
                if external["vtep"] != host.name:
                    # Else BGP tells of it.
                    if all(n.is_static for n in networks):
                        wanted[network] = {external["vtep"]}
                else:
                    wanted[network] = {"outside"}
                    device = external.get("device")
                    if device:
                        host.claim("links", device)
                        self.expect(host.name, f"{what}: vrf of {device}", (host.all("links").get(device) or {}).get("vrf"), name)
            if "vni" in vrf:
                self.check_l3(name, vrf, host, here, networks)
                for network in (n for n in networks if n.is_static):
                    if not network.is_routed and host.name in network.gateways:
                        continue
                    is_central = not network.is_routed and (network.gateway or {}).get("vteps")
                    for endpoint in network.endpoints:
                        where = set(network.gateways) if is_central else {endpoint.vtep}
                        wanted.update({ipaddress.ip_network(ip): where for ip in endpoint.ips})
            for network in sorted(wanted.keys() - routes.keys(), key=str):
                self.fault(host.name, what, f"no route to {network}, which is at {sorted(wanted[network])}")
            for network in sorted(routes.keys() - wanted.keys(), key=str):
                self.fault(host.name, what, f"the route to {network} leads to nothing in the fabric")
            for network in routes.keys() & wanted.keys():
                end = self.follow(host, routes[network], externals)
                if end not in wanted[network] and not (end == "here" and host.name in wanted[network]):
                    self.fault(host.name, what, f"the route to {network} leads to {end}, not to {sorted(wanted[network])}")

    def check_l3(self, name, vrf, host, here, networks):
        """The VRF's own VNI: a device and a bridge, or a VNI and a VLAN of those that networks share."""
        what = f"vrf {name}: VNI {vrf['vni']}"
        ends = self.l3_ends(host, vrf["vni"])
        if len(ends) != 1:
            self.fault(host.name, what, f"ends at {[end[0] for end in ends] or 'no link'}")
            return
        key, link, mac_table, entries, device = ends[0]
        shared = {n.family for n in self.networks if n.is_shared and host.name in n.members}
        is_shared = device.get("external") == "true"
        self.expect(host.name, f"{what}: on the shared device", is_shared, bool(shared))
        host.claim("vlans" if is_shared else "bridges", key)
        if not is_shared:
            host.claim("vxlans", next(n for n, d in host.all("vxlans").items() if d is device))
        preferred = [n.family for n in self.networks if n.is_shared and set(n.members) & set(here)][:1]
        family = next(f for f in preferred + [4, 6] if all(f in self.vteps[v].addresses for v in here))
        mtu = min(self.vteps[v].underlay_mtu for v in here) - OVERHEAD["vxlan", family]
        self.expect(host.name, f"{what}: mtu", link.get("mtu"), str(mtu))
        if int(device.get("mtu", 0)) < mtu:
            self.fault(host.name, what, f"its device has mtu {device.get('mtu')}, less than {mtu}")
        self.expect(host.name, f"{what}: local", address(device.get("local", "::")), self.vteps[host.name].addresses[family])
        self.expect(host.name, f"{what}: vrf", link.get("vrf"), name)
        self.same[f"router {host.name}"][name] = link.get("mac")
        given = self.vteps[host.name].router_mac
        if given:
            self.expect(host.name, f"{what}: mac", link.get("mac"), given.lower())
        self.single[what].add((link.get("mac"), host.name))
        if all(n.is_static for n in networks):
            self.expect(host.name, f"{what}: entries", len(entries), len(here) - 1)
            if is_shared:
                own = mac_table.get(link.get("mac"))
                self.expect(host.name, f"{what}: its own address", own, link.get("device"))

    def l3_ends(self, host, vni):
        """Where frames of a VNI leave a host and come in: link, its ports by MAC address, entries, device."""
        ends = []
        for name, device in host.all("vxlans").items():
            for bridge_name in host.bridge_of(name):
                bridge = host.all("bridges")[bridge_name]
                if device.get("vni") == vni:
                    macs = {mac: entry.get("port") for mac, entry in host.fdb(bridge)}
                    ends.append((bridge_name, bridge, macs, device.get("fdb") or {}, device))
                port = (bridge.get("ports") or {}).get(name) or {}
                for vlan, mapping in (port.get("vlans") or {}).items() if vni in (device.get("vnis") or {}) else []:
                    if (mapping or {}).get("vni") != vni:
                        continue
                    macs = {mac: entry.get("port") for mac, entry in host.fdb(bridge) if entry.get("vlan") == vlan}
                    entries = (device["vnis"][vni] or {}).get("fdb") or {}
                    ends += [
                        (key, link, macs, entries, device) for key, link in host.all("vlans").items()
                        if link.get("device") == bridge_name and link.get("id") == vlan
                    ]
        return ends

    def follow(self, host, route, externals):
        """Where a packet ends that takes a route: the way of the kernel, through the tables of both hosts."""
        device, via = route.get("device"), route.get("via")
        link = host.all("bridges").get(device) or host.all("vlans").get(device)
        if not via:
            return "here" if link else "outside"
        if link is None or route.get("onlink") != "true":
            is_said = any(e["vtep"] == host.name and e.get("via") == via and e.get("device") == device for e in externals)
            return "outside" if is_said else "nowhere"
        neighbours = {address(ip): mac for ip, mac in (link.get("neighbours") or {}).items()}
        mac = neighbours.get(address(via))
        for vni in {vrf["vni"] for vrf in self.vrfs.values() if "vni" in vrf}:
            for key, _, macs, entries, _ in self.l3_ends(host, vni):
                vtep = entries.get(mac)
                if key != device or vtep is None or macs.get(mac) is None:
                    continue
                for name, other in self.vteps.items():
                    if address(vtep) not in other.addresses.values() or name not in self.hosts:
                        continue
                    # The other host takes what comes with this address by this VNI for its own.
                    if any(far.get("mac") == mac for _, far, _, _, _ in self.l3_ends(self.hosts[name], vni)):
                        return name
        return "nowhere"

    # What shows on all hosts together.

    def check_symmetry(self):
        for network in self.networks:
            floods = self.floods[network.name]
            for name, targets in floods.items():
                for other, back in floods.items():
                    to = self.vteps[other].addresses.get(network.family) in targets
                    fro = self.vteps[name].addresses.get(network.family) in back
                    if name < other and to != fro:
                        self.fault(name, f"network {network.name}", f"one of it and {other} floods to the other alone")

    def check_macs(self):
        for what, macs in self.same.items():
            if len(set(macs.values())) > 1:
                self.fault(", ".join(sorted(macs)), what, f"has several MAC addresses: {sorted(map(str, set(macs.values())))}")
        shared = {mac for what, macs in self.same.items() if not what.startswith("router ") for mac in macs.values()}
        endpoints = {e.mac for n in self.networks for e in n.endpoints}
        for what, macs in self.single.items():
            seen = {}
            for mac, host in sorted(macs, key=str):
                if mac is None:
                    self.fault(host, what, "its bridge has no MAC address of its own")
                elif mac in seen or mac in shared or mac in endpoints:
                    self.fault(host, what, f"the MAC address {mac} is somebody else's as well")
                seen[mac] = host
        gateways = [set(macs.values()) for what, macs in self.same.items() if not what.startswith("router ")]
        for macs in gateways:
            for mac in macs & endpoints:
                self.fault("all", "gateways", f"{mac} is an endpoint's as well")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    checker = Checker(sys.argv[1], sys.argv[2])
    for fault in checker.run():
        print(fault)
    if checker.faults:
        sys.exit(1)
    networks, endpoints = len(checker.networks), sum(len(n.endpoints) for n in checker.networks)
    print(f"Consistent: {len(checker.hosts)} hosts, {networks} networks, {endpoints} endpoints.")


if __name__ == "__main__":
    main()
