import CNetlinkRoute

/// By the speed of the link (port_cost in the kernel's net/bridge/br_if.c).
private let automaticCosts: [AttributeValue] = [1, 2, 3, 4, 5, 19, 100].map { .number($0) }

extension AttributeTable {
  /// Bridges (include/uapi/linux/if_link.h, IFLA_BR_*).
  ///
  /// Times are in hundredths of a second, as the kernel and iproute2 have them; their ranges are
  /// those of IEEE 802.1D, which the kernel enforces.
  public static let bridge = AttributeTable(
    "bridge", place: .infoData,
    rows: [
      .stp,
      Attribute(
        "priority", IFLA_BR_PRIORITY, .number(.u16, 0...65535),
        default: .value(.number(32768)), live: true, iproute2: .value("priority"),
        "The bridge's priority in the spanning tree; the lowest is the root."),
      Attribute(
        "forward-delay", IFLA_BR_FORWARD_DELAY, .clock(200...3000),
        default: .value(.number(1500)), live: true, iproute2: .value("forward_delay"),
        "How long a port listens and learns before it forwards, in hundredths of a second."),
      Attribute(
        "hello-time", IFLA_BR_HELLO_TIME, .clock(100...1000),
        default: .value(.number(200)), live: true, iproute2: .value("hello_time"),
        "The time between the root's messages, in hundredths of a second."),
      Attribute(
        "max-age", IFLA_BR_MAX_AGE, .clock(600...4000),
        default: .value(.number(2000)), live: true, iproute2: .value("max_age"),
        "How long the root's messages are believed, in hundredths of a second."),
      Attribute(
        "ageing", IFLA_BR_AGEING_TIME, .clock(0...4_294_967_295),
        default: .value(.number(30000)), live: true, iproute2: .value("ageing_time"),
        "How long a learned entry lives, in hundredths of a second (30000 is five minutes)."),
      .vlanFiltering,
      Attribute(
        "vlan-protocol", IFLA_BR_VLAN_PROTOCOL,
        .word(.be16, [Keyword("802.1Q", 0x8100), Keyword("802.1ad", 0x88a8)]),
        default: .value(.number(0x8100)), live: true, since: KernelRelease(4, 3),
        option: "CONFIG_BRIDGE_VLAN_FILTERING", iproute2: .value("vlan_protocol"),
        "The EtherType of the VLAN tags that count."),
      .defaultPVID,
      .multicastSnooping,
      .multicastQuerier, .multicastRouter,
      .multicast(
        "multicast-query-use-address", IFLA_BR_MCAST_QUERY_USE_IFADDR, .flag(.u8), .flag(false),
        .oneZero("mcast_query_use_ifaddr"),
        "Send queries from the bridge's own IP address instead of 0.0.0.0."),
      .multicast(
        "multicast-hash-max", IFLA_BR_MCAST_HASH_MAX, .number(.u32, 1...4_294_967_295), .number(4096),
        .value("mcast_hash_max"), "The largest number of multicast groups."),
      .multicast(
        "multicast-last-member-count", IFLA_BR_MCAST_LAST_MEMBER_CNT, .number(.u32, 0...4_294_967_295),
        .number(2),
        .value("mcast_last_member_count"),
        "How often the bridge asks before it stops a group that somebody left."),
      .multicast(
        "multicast-startup-query-count", IFLA_BR_MCAST_STARTUP_QUERY_CNT, .number(.u32, 0...4_294_967_295),
        .number(2), .value("mcast_startup_query_count"), "How many queries a querier sends at its start."),
      .multicast(
        "multicast-last-member-interval", IFLA_BR_MCAST_LAST_MEMBER_INTVL, .longClock(1...4_294_967_295),
        .number(100), .value("mcast_last_member_interval"),
        "The time between those questions, in hundredths of a second."),
      .multicast(
        "multicast-membership-interval", IFLA_BR_MCAST_MEMBERSHIP_INTVL, .longClock(1...4_294_967_295),
        .number(26000), .value("mcast_membership_interval"),
        "How long a membership lives without a report, in hundredths of a second."),
      .multicast(
        "multicast-querier-interval", IFLA_BR_MCAST_QUERIER_INTVL, .longClock(1...4_294_967_295),
        .number(25500),
        .value("mcast_querier_interval"),
        "How long another querier is believed to be there, in hundredths of a second."),
      .multicast(
        "multicast-query-interval", IFLA_BR_MCAST_QUERY_INTVL, .longClock(100...4_294_967_295),
        .number(12500),
        .value("mcast_query_interval"), "The time between queries, in hundredths of a second."),
      .multicast(
        "multicast-query-response-interval", IFLA_BR_MCAST_QUERY_RESPONSE_INTVL,
        .longClock(1...4_294_967_295),
        .number(1000), .value("mcast_query_response_interval"),
        "How long hosts may take to answer a query, in hundredths of a second."),
      .multicast(
        "multicast-startup-query-interval", IFLA_BR_MCAST_STARTUP_QUERY_INTVL,
        .longClock(100...4_294_967_295),
        .number(3125), .value("mcast_startup_query_interval"),
        "The time between the first queries, in hundredths of a second."),
      .multicast(
        "multicast-statistics", IFLA_BR_MCAST_STATS_ENABLED, .flag(.u8), .flag(false),
        .oneZero("mcast_stats_enabled"), since: KernelRelease(4, 8), "Count IGMP and MLD packets."),
      .multicast(
        "igmp-version", IFLA_BR_MCAST_IGMP_VERSION, .number(.u8, 2...3), .number(2),
        .value("mcast_igmp_version"), since: KernelRelease(4, 10), "The version of IGMP that queries have."),
      .multicast(
        "mld-version", IFLA_BR_MCAST_MLD_VERSION, .number(.u8, 1...2), .number(1),
        .value("mcast_mld_version"),
        since: KernelRelease(4, 10), "The version of MLD that queries have."),
      Attribute(
        "vlan-statistics", IFLA_BR_VLAN_STATS_ENABLED, .flag(.u8), default: .value(.flag(false)), live: true,
        since: KernelRelease(4, 7), option: "CONFIG_BRIDGE_VLAN_FILTERING",
        iproute2: .oneZero("vlan_stats_enabled"), "Count the packets of each VLAN."),
      // BR_BOOLOPT_NO_LL_LEARN of include/uapi/linux/if_bridge.h.
      Attribute(
        "no-link-local-learning", IFLA_BR_MULTI_BOOLOPT, .bit(1), default: .value(.flag(false)), live: true,
        since: KernelRelease(5, 0), iproute2: .oneZero("no_linklocal_learn"),
        "Learn nothing from frames to link-local groups, 01:80:c2:00:00:0X."),
      .multicastVLANSnooping, .spanningTreePerVLAN, .vlanStatisticsPerPort,
      Attribute(
        "mdb-offload-fail-notification", IFLA_BR_MULTI_BOOLOPT, .bit(8), default: .value(.flag(false)),
        live: true, since: KernelRelease(6, 16), iproute2: .oneZero("mdb_offload_fail_notification"),
        "Tell programs of multicast entries that the hardware could not take."),
      .ownAddressesOnce,
      // BR_GROUPFWD_RESTRICTED of the kernel's net/bridge/br_private.h: STP, pause, LACP.
      .groupForwardMask,
      Attribute(
        "group-address", IFLA_BR_GROUP_ADDR, .reservedGroup,
        default: .value(.mac(MACAddress(bits: 0x0180_c200_0000))), live: true,
        iproute2: .value("group_address"),
        "The group that the spanning tree's messages go to, 01:80:c2:00:00:00 or one that ends in 04 to 0f."),
      .netfilter("nf-call-iptables", IFLA_BR_NF_CALL_IPTABLES, "nf_call_iptables", "iptables"),
      .netfilter("nf-call-ip6tables", IFLA_BR_NF_CALL_IP6TABLES, "nf_call_ip6tables", "ip6tables"),
      .netfilter("nf-call-arptables", IFLA_BR_NF_CALL_ARPTABLES, "nf_call_arptables", "arptables"),
      Attribute(
        "fdb-max-learned", WEFT_IFLA_BR_FDB_MAX_LEARNED, .number(.u32, 0...4_294_967_295),
        default: .value(.number(0)), live: true, since: KernelRelease(6, 7),
        iproute2: .value("fdb_max_learned"), "The largest number of learned entries; 0 is no limit."),
    ])

  /// Ports of bridges (include/uapi/linux/if_link.h, IFLA_BRPORT_*).
  public static let bridgePort = AttributeTable(
    "port", place: .slaveData,
    rows: [
      .portLearning,
      .unicastFlood,
      .multicastFlood,
      .broadcastFlood,
      .neighSuppress,
      .neighVLANSuppress,
      .isolated,
      .hairpin,
      .locked,
      .portFlag(
        "guard", IFLA_BRPORT_GUARD, false, "guard",
        "Take no spanning tree messages here (BPDU guard)."),
      .portFlag(
        "fast-leave", IFLA_BRPORT_FAST_LEAVE, false, "fastleave",
        "Stop multicast at once when a host leaves."),
      Attribute(
        "cost", IFLA_BRPORT_COST, .number(.u32, 1...65535), default: .kernelChoice(among: automaticCosts),
        live: true,
        iproute2: .value("cost"),
        "The cost in the spanning tree. Left out, the kernel derives it from the link's speed."),
      Attribute(
        "priority", IFLA_BRPORT_PRIORITY, .number(.u16, 0...63), default: .value(.number(32)),
        live: true, iproute2: .value("priority"), "The priority in the spanning tree."),
      .proxyARP,
      .vlanTunnel,
      .portFlag(
        "root-block", IFLA_BRPORT_PROTECT, false, "root_block",
        "Never let the port lead to the spanning tree's root."),
      .proxyARPWifi,
      .multicastToUnicast,
      Attribute(
        "multicast-router", IFLA_BRPORT_MULTICAST_ROUTER, .number(.u8, 0...2), default: .value(.number(1)),
        live: true,
        since: KernelRelease(4, 4), option: "CONFIG_BRIDGE_IGMP_SNOOPING", iproute2: .value("mcast_router"),
        "Whether all multicast goes out here, as to a router: 0 never, 1 as queries tell, 2 always."),
      .mab,
      // BR_GROUPFWD_MACPAUSE alone is refused here.
      Attribute(
        "group-forward-mask", IFLA_BRPORT_GROUP_FWD_MASK, .mask(.u16, refused: 2),
        default: .value(.number(0)), live: true, since: KernelRelease(4, 15),
        iproute2: .value("group_fwd_mask"),
        "Which link-local groups 01:80:c2:00:00:0X are forwarded from here, a bit for each X; bit 1 cannot be set."
      ),
      .backupPort,
      .backupNexthop,
      // The kernel refuses 0.
      Attribute(
        "eht-hosts-limit", IFLA_BRPORT_MCAST_EHT_HOSTS_LIMIT, .number(.u32, 1...4_294_967_295),
        default: .value(.number(512)), live: true, since: KernelRelease(5, 12),
        option: "CONFIG_BRIDGE_IGMP_SNOOPING", iproute2: .none,
        "How many hosts behind the port are followed one by one, for IGMPv3 and MLDv2."),
      Attribute(
        "multicast-max-groups", WEFT_IFLA_BRPORT_MCAST_MAX_GROUPS, .number(.u32, 0...4_294_967_295),
        default: .value(.number(0)), live: true, since: KernelRelease(6, 3),
        option: "CONFIG_BRIDGE_IGMP_SNOOPING", iproute2: .bridgeLink("mcast_max_groups"),
        "The largest number of multicast groups of the port; 0 is no limit."),
    ])
}

extension Attribute {
  /// A switch of a bridge port: one byte, changed live, `on` or `off` for iproute2.
  fileprivate static func portFlag(
    _ key: String, _ number: Int, _ initial: Bool, _ word: String,
    since: KernelRelease = KernelRelease(3, 7), _ summary: String
  ) -> Attribute {
    Attribute(
      key, number, .flag(.u8), default: .value(.flag(initial)), live: true, since: since,
      iproute2: .onOff(word), summary)
  }
}

extension Attribute {
  /// What a bridge that snoops has to say: changed live.
  fileprivate static func multicast(
    _ key: String, _ number: Int, _ type: AttributeType, _ initial: AttributeValue, _ iproute2: IPRoute2Form,
    since: KernelRelease = KernelRelease(4, 4), _ summary: String
  ) -> Attribute {
    Attribute(
      key, number, type, default: .value(initial), live: true, since: since,
      option: "CONFIG_BRIDGE_IGMP_SNOOPING", iproute2: iproute2, summary)
  }

  /// A switch of CONFIG_BRIDGE_NETFILTER, which hands frames to the firewall for IP.
  fileprivate static func netfilter(_ key: String, _ number: Int, _ word: String, _ name: String) -> Attribute
  {
    Attribute(
      key, number, .flag(.u8), default: .value(.flag(false)), live: true, since: KernelRelease(3, 19),
      option: "CONFIG_BRIDGE_NETFILTER", iproute2: .oneZero(word), "Hand bridged frames to \(name).")
  }

  /// BR_BOOLOPT_MCAST_VLAN_SNOOPING of include/uapi/linux/if_bridge.h.
  public static let multicastVLANSnooping = Attribute(
    "multicast-vlan-snooping", IFLA_BR_MULTI_BOOLOPT, .bit(2), default: .value(.flag(false)), live: true,
    since: KernelRelease(5, 15), option: "CONFIG_BRIDGE_VLAN_FILTERING",
    iproute2: .oneZero("mcast_vlan_snooping"),
    "Follow multicast in each VLAN apart. Needs `vlan-filtering`.")
  /// BR_BOOLOPT_MST_ENABLE.
  public static let spanningTreePerVLAN = Attribute(
    "mst", IFLA_BR_MULTI_BOOLOPT, .bit(4), default: .value(.flag(false)), live: true,
    since: KernelRelease(5, 18), option: "CONFIG_BRIDGE_VLAN_FILTERING", needsNoVLANs: true,
    iproute2: .oneZero("mst_enabled"),
    "Multiple spanning trees (IEEE 802.1s). Changes only while no port has VLANs.")
  public static let vlanStatisticsPerPort = Attribute(
    "vlan-statistics-per-port", IFLA_BR_VLAN_STATS_PER_PORT, .flag(.u8), default: .value(.flag(false)),
    live: true, since: KernelRelease(4, 20), option: "CONFIG_BRIDGE_VLAN_FILTERING", needsNoVLANs: true,
    iproute2: .oneZero("vlan_stats_per_port"),
    "Count the packets of each VLAN at each port. Changes only while no port has VLANs.")
  public static let locked = portFlag(
    "locked", IFLA_BRPORT_LOCKED, false, "locked", since: KernelRelease(5, 18),
    "Only frames from MAC addresses that have an entry for this port are taken.")
  public static let portLearning = portFlag(
    "learning", IFLA_BRPORT_LEARNING, true, "learning",
    "Learn MAC addresses from frames that come in here.")
  public static let unicastFlood = portFlag(
    "flood", IFLA_BRPORT_UNICAST_FLOOD, true, "flood",
    "Send frames to unknown MAC addresses out here.")
  public static let neighSuppress = portFlag(
    "neigh-suppress", IFLA_BRPORT_NEIGH_SUPPRESS, false, "neigh_suppress",
    since: KernelRelease(4, 15),
    "Answer ARP and ND from the bridge's neighbour table instead of sending them out here.")
  public static let isolated = portFlag(
    "isolated", IFLA_BRPORT_ISOLATED, false, "isolated", since: KernelRelease(4, 18),
    "No frames between this port and other isolated ones.")
  public static let mab = portFlag(
    "mab", WEFT_IFLA_BRPORT_MAB, false, "mab", since: KernelRelease(6, 2),
    "MAC authentication bypass: note the addresses that a locked port turns away. Needs `locked` and `learning`."
  )
  public static let neighVLANSuppress = portFlag(
    "neigh-vlan-suppress", WEFT_IFLA_BRPORT_NEIGH_VLAN_SUPPRESS, false,
    "neigh_vlan_suppress", since: KernelRelease(6, 4), "Neighbour suppression is set for each VLAN apart.")
  public static let backupPort = Attribute(
    "backup-port", IFLA_BRPORT_BACKUP_PORT, .link, default: .value(.unset), live: true,
    since: KernelRelease(4, 19), iproute2: .otherPort("backup_port"),
    "Another port of the bridge, which gets this one's frames while this one has no carrier.")

  public static let multicastFlood = portFlag(
    "multicast-flood", IFLA_BRPORT_MCAST_FLOOD, true, "mcast_flood", since: KernelRelease(4, 9),
    "Send multicast that nobody asked for out here.")
  public static let broadcastFlood = portFlag(
    "broadcast-flood", IFLA_BRPORT_BCAST_FLOOD, true, "bcast_flood", since: KernelRelease(4, 12),
    "Send broadcast out here.")
  public static let hairpin = portFlag(
    "hairpin", IFLA_BRPORT_MODE, false, "hairpin",
    "Frames may leave by the port that they came in by.")
  public static let proxyARP = portFlag(
    "proxy-arp", IFLA_BRPORT_PROXYARP, false, "proxy_arp",
    "Answer ARP from the bridge's neighbour table, and flood what it cannot answer.")
  public static let multicastSnooping = Attribute(
    "multicast-snooping", IFLA_BR_MCAST_SNOOPING, .flag(.u8), default: .value(.flag(true)),
    live: true, since: KernelRelease(4, 4), option: "CONFIG_BRIDGE_IGMP_SNOOPING",
    iproute2: .oneZero("mcast_snooping"), "Send multicast only to ports that asked for it.")
  public static let proxyARPWifi = portFlag(
    "proxy-arp-wifi", IFLA_BRPORT_PROXYARP_WIFI, false, "proxy_arp_wifi", since: KernelRelease(4, 1),
    "As `proxy-arp`, by the rules of IEEE 802.11 and Hotspot 2.0.")
  public static let multicastToUnicast = portFlag(
    "multicast-to-unicast", IFLA_BRPORT_MCAST_TO_UCAST, false, "mcast_to_unicast",
    since: KernelRelease(4, 11),
    "Send each host that asked for a group a copy of its own.")
  public static let backupNexthop = Attribute(
    "backup-nexthop", WEFT_IFLA_BRPORT_BACKUP_NHID, .number(.u32, 0...4_294_967_295),
    default: .value(.number(0)), live: true, since: KernelRelease(6, 6), isOmittedWhenZero: true,
    iproute2: .value("backup_nhid"),
    "The nexthop group behind which a VXLAN device, as `backup-port`, sends the port's frames; 0 is none.")
  public static let multicastQuerier = Attribute(
    "multicast-querier", IFLA_BR_MCAST_QUERIER, .flag(.u8), default: .value(.flag(false)),
    live: true, since: KernelRelease(4, 4), option: "CONFIG_BRIDGE_IGMP_SNOOPING",
    iproute2: .oneZero("mcast_querier"), "Ask hosts which multicast they want.")
  public static let multicastRouter = multicast(
    "multicast-router", IFLA_BR_MCAST_ROUTER, .number(.u8, 0...2), .number(1), .value("mcast_router"),
    "Whether the host itself gets all multicast, as a router does: 0 never, 1 as its queries tell, 2 always.")
  public static let stp = Attribute(
    "stp", IFLA_BR_STP_STATE, .flag(.u32), default: .value(.flag(false)), live: true,
    iproute2: .oneZero("stp_state"), "The spanning tree protocol.")
  public static let groupForwardMask = Attribute(
    "group-forward-mask", IFLA_BR_GROUP_FWD_MASK, .mask(.u16, refused: 7),
    default: .value(.number(0)), live: true, iproute2: .value("group_fwd_mask"),
    "Which link-local groups 01:80:c2:00:00:0X are forwarded, a bit for each X; bits 0 to 2 cannot be set."
  )
  public static let ownAddressesOnce = Attribute(
    "fdb-local-vlan-0", IFLA_BR_MULTI_BOOLOPT, .bit(16), default: .value(.flag(false)), live: true,
    since: KernelRelease(6, 18), iproute2: .oneZero("fdb_local_vlan_0"),
    "Keep the addresses of the host's own links once, instead of once for each VLAN.")
  public static let vlanTunnel = portFlag(
    "vlan-tunnel", IFLA_BRPORT_VLAN_TUNNEL, false, "vlan_tunnel", since: KernelRelease(4, 11),
    "Map VLANs to VNIs here.")
  public static let vlanFiltering = Attribute(
    "vlan-filtering", IFLA_BR_VLAN_FILTERING, .flag(.u8), default: .value(.flag(false)),
    live: true, since: KernelRelease(3, 19), option: "CONFIG_BRIDGE_VLAN_FILTERING",
    iproute2: .oneZero("vlan_filtering"), "Whether the bridge looks at VLAN tags.")

  public static let defaultPVID = Attribute(
    "default-pvid", IFLA_BR_VLAN_DEFAULT_PVID, .number(.u16, 0...4094),
    default: .value(.number(1)), live: true, since: KernelRelease(4, 4),
    option: "CONFIG_BRIDGE_VLAN_FILTERING", iproute2: .value("vlan_default_pvid"),
    "The VLAN of untagged frames on ports that name none; 0 is none.")
}
