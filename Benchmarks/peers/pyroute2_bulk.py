"""The bulk workload as somebody would write it with pyroute2, one call an entry.

    pyroute2_bulk.py NETNS FILE    FILE is of workloads.py
"""
import json
import sys

from pyroute2 import NetNS

namespace, path = sys.argv[1:]
with open(path) as file:
    data = json.load(file)

with NetNS(namespace) as host:
    host.link("add", ifname="br0", kind="bridge", address=data["bridge_mac"])
    bridge = host.link_lookup(ifname="br0")[0]
    host.link("add", ifname="vx0", kind="vxlan", vxlan_id=100, vxlan_local=data["local"], vxlan_port=4789,
              vxlan_learning=False, master=bridge)
    vxlan = host.link_lookup(ifname="vx0")[0]
    host.brport("set", index=vxlan, learning=0, neigh_suppress=1)
    host.link("set", index=vxlan, state="up")
    host.link("set", index=bridge, state="up")
    for vtep in data["flood"]:
        host.fdb("append", ifindex=vxlan, lladdr="00:00:00:00:00:00", dst=vtep)
    for mac, vtep in data["fdb"]:
        host.fdb("add", ifindex=vxlan, lladdr=mac, dst=vtep)
    for address, mac in data["neighbours"]:
        host.neigh("add", ifindex=bridge, dst=address, lladdr=mac, state="permanent")
