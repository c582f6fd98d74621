// libnl-route-3 and the kernel's rtnetlink headers.
#ifndef WEFT_CNETLINKROUTE_SHIM_H
#define WEFT_CNETLINKROUTE_SHIM_H

// glibc's own first: the kernel's headers then leave out what both define.
#include <netinet/in.h>
#include <net/if.h>
#include <errno.h>

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/if_addr.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/if_tunnel.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>

#include <netlink/netlink.h>
#include <netlink/cache.h>
#include <netlink/route/link.h>
#include <netlink/route/link/vxlan.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/addr.h>
#include <netlink/route/route.h>
#include <netlink/route/rtnl.h>

// Debian 12's headers are those of Linux 6.1. What is newer is numbered here, as in the
// kernel's include/uapi/linux/if_link.h, with the release that brought it.
enum {
    WEFT_IFLA_VXLAN_LOCALBYPASS = 31,          // 6.5
    WEFT_IFLA_VXLAN_LABEL_POLICY = 32,         // 6.8
    WEFT_IFLA_VXLAN_RESERVED_BITS = 33,        // 6.14
    WEFT_IFLA_BR_FDB_MAX_LEARNED = 49,         // 6.7
    WEFT_IFLA_BRPORT_MAB = 40,                 // 6.2
    WEFT_IFLA_BRPORT_MCAST_MAX_GROUPS = 42,    // 6.3
    WEFT_IFLA_BRPORT_NEIGH_VLAN_SUPPRESS = 43, // 6.4
    WEFT_IFLA_BRPORT_BACKUP_NHID = 44,         // 6.6
    WEFT_BRIDGE_VLANDB_ENTRY_NEIGH_SUPPRESS = 9, // 6.4, of include/uapi/linux/if_bridge.h
};

// The same of include/uapi/linux/if_bridge.h, for the multicast forwarding table of VXLAN devices (6.4).
enum {
    WEFT_MDBE_ATTR_RTPROT = 4,
    WEFT_MDBE_ATTR_DST = 5,
    WEFT_MDBE_ATTR_DST_PORT = 6,
    WEFT_MDBE_ATTR_VNI = 7,
    WEFT_MDBE_ATTR_IFINDEX = 8,
    WEFT_MDBE_ATTR_SRC_VNI = 9,
    WEFT_MDBA_MDB_EATTR_DST = 6,
    WEFT_MDBA_MDB_EATTR_DST_PORT = 7,
    WEFT_MDBA_MDB_EATTR_VNI = 8,
    WEFT_MDBA_MDB_EATTR_IFINDEX = 9,
    WEFT_MDBA_MDB_EATTR_SRC_VNI = 10,
};

#endif
