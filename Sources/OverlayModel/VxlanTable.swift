import CNetlinkRoute

extension Attribute {
  /// 24 bits (RFC 7348); weft leaves 0 to devices that carry none of their own.
  public static let vni = Attribute(
    "vni", IFLA_VXLAN_ID, .number(.u32, 1...16_777_215), default: .value(.number(0)), live: false,
    iproute2: .value("id"), "The VXLAN network identifier. Required unless `external` is true.")
  public static let local = Attribute(
    "local", IFLA_VXLAN_LOCAL, .address(v6: IFLA_VXLAN_LOCAL6, .unicast),
    default: .value(.unset), live: true, iproute2: .value("local"),
    "The underlay address of this VTEP. It also decides whether the device is one for IPv4 or for IPv6.")
  public static let group = Attribute(
    "group", IFLA_VXLAN_GROUP, .address(v6: IFLA_VXLAN_GROUP6, .multicast),
    default: .value(.unset), live: true, iproute2: .value("group"),
    "The multicast group that broadcast, unknown and multicast frames go to. Needs `device`.")
  public static let remote = Attribute(
    "remote", IFLA_VXLAN_GROUP, .address(v6: IFLA_VXLAN_GROUP6, .unicast),
    default: .value(.unset), live: true, iproute2: .value("remote"),
    "The VTEP that frames go to for which there is no entry.")
  public static let device = Attribute(
    "device", IFLA_VXLAN_LINK, .link, default: .value(.unset), live: true, iproute2: .value("dev"),
    "The underlay device. The VXLAN device is deleted by the kernel together with it.")
  /// 4789 is IANA's (RFC 7348); the kernel's own default is 8472.
  public static let port = Attribute(
    "port", IFLA_VXLAN_PORT, .number(.be16, 1...65535), default: .value(.number(4789)),
    kernel: .number(8472), live: false, iproute2: .value("dstport"), "The UDP destination port.")
  public static let sourcePorts = Attribute(
    "source-ports", IFLA_VXLAN_PORT_RANGE, .portRange, default: .value(.range(0, 0)),
    live: false, iproute2: .pair("srcport"),
    "The UDP source ports as LOW-HIGH, chosen by a hash of the inner packet; 0-0 is the kernel's range.")
  public static let ttl = Attribute(
    "ttl", IFLA_VXLAN_TTL,
    .number(
      .u8, 1...255,
      [Keyword("auto", 0), Keyword("inherit", 256, carrier: .presence(IFLA_VXLAN_TTL_INHERIT))]),
    default: .value(.number(0)), live: true, iproute2: .value("ttl"),
    "The TTL of the outer packet; `auto` is the kernel's default, `inherit` the inner packet's (Linux 4.18).")
  public static let flowLabel = Attribute(
    "flow-label", IFLA_VXLAN_LABEL, .number(.be32, 0...0xfffff), default: .value(.number(0)),
    live: true, since: KernelRelease(4, 6), iproute2: .value("flowlabel"),
    "The flow label of the outer IPv6 header.")
  /// enum ifla_vxlan_label_policy of include/uapi/linux/if_link.h.
  public static let flowLabelPolicy = Attribute(
    "flow-label-policy", WEFT_IFLA_VXLAN_LABEL_POLICY,
    .word(.u32, [Keyword("fixed", 0), Keyword("inherit", 1)]),
    default: .value(.number(0)), live: true, since: KernelRelease(6, 8), iproute2: .flowLabelPolicy,
    "Whether the outer IPv6 flow label is `flow-label`, or the inner packet's.")
  public static let learning = Attribute(
    "learning", IFLA_VXLAN_LEARNING, .flag(.u8), default: .value(.flag(false)),
    kernel: .flag(true), live: true, iproute2: .negatable("learning"),
    "Whether the device learns MAC addresses and their VTEPs from the packets that it receives.")
  public static let genericProtocol = Attribute(
    "generic-protocol", IFLA_VXLAN_GPE, .presence, default: .value(.flag(false)), live: false,
    since: KernelRelease(4, 7), iproute2: .word("gpe"),
    "Generic Protocol Extension: the device carries IP packets without Ethernet. Needs `external`.")
  public static let external = Attribute(
    "external", IFLA_VXLAN_COLLECT_METADATA, .flag(.u8), default: .value(.flag(false)),
    live: false, since: KernelRelease(4, 3), iproute2: .negatable("external"),
    "One device for many networks: the VNI comes with each packet or entry.")
  public static let vniFilter = Attribute(
    "vni-filter", IFLA_VXLAN_VNIFILTER, .flag(.u8, dumpedWhenOff: false), default: .value(.flag(false)),
    live: false,
    since: KernelRelease(5, 18), iproute2: .negatable("vnifilter"),
    "The device takes only the VNIs that it was told. Needs `external`.")
  public static let udp6ZeroChecksumRx = Attribute(
    "udp6-zero-checksum-rx", IFLA_VXLAN_UDP_ZERO_CSUM6_RX, .flag(.u8),
    default: .value(.flag(false)), live: false, iproute2: .negatable("udp6zerocsumrx"),
    "Accept packets without UDP checksums over an IPv6 underlay.")
  public static let remoteChecksumRx = Attribute(
    "remote-checksum-rx", IFLA_VXLAN_REMCSUM_RX, .flag(.u8), default: .value(.flag(false)), live: false,
    since: KernelRelease(4, 0), iproute2: .negatable("remcsumrx"),
    "Remote checksum offload: compute inner checksums for the sender.")
  public static let remoteChecksumNoPartial = Attribute(
    "remote-checksum-no-partial", IFLA_VXLAN_REMCSUM_NOPARTIAL, .presence, default: .value(.flag(false)),
    live: false, since: KernelRelease(4, 0), iproute2: .none,
    "Remote checksum offload: compute the whole inner checksum at once.")
  public static let groupPolicy = Attribute(
    "group-policy", IFLA_VXLAN_GBP, .presence, default: .value(.flag(false)), live: false,
    since: KernelRelease(4, 0), iproute2: .word("gbp"),
    "Group Policy extension: carry the packet mark in the VXLAN header.")
  public static let proxy = Attribute(
    "proxy", IFLA_VXLAN_PROXY, .flag(.u8), default: .value(.flag(false)), live: false,
    iproute2: .negatable("proxy"), "Answer ARP and ND from the device's own neighbour table.")
  public static let maxAddresses = Attribute(
    "max-addresses", IFLA_VXLAN_LIMIT, .number(.u32, 0...4_294_967_295),
    default: .value(.number(0)), live: false, iproute2: .value("maxaddress"),
    "The largest number of FDB entries; 0 is no limit.")
}

extension AttributeTable {
  /// VXLAN devices (include/uapi/linux/if_link.h, IFLA_VXLAN_*).
  public static let vxlan = AttributeTable(
    "vxlan", place: .infoData,
    rows: [
      .vni, .local, .group, .remote, .device, .port,
      .sourcePorts,
      .ttl,
      Attribute(
        "tos", IFLA_VXLAN_TOS, .number(.u8, 0...255, [Keyword("inherit", 1)]),
        default: .value(.number(0)), live: true, iproute2: .hexadecimal("tos"),
        "The TOS or traffic class of the outer packet; `inherit` is the inner packet's. Decimal, or hexadecimal with 0x."
      ),
      Attribute(
        "df", IFLA_VXLAN_DF,
        .number(.u8, 0...2, [Keyword("unset", 0), Keyword("set", 1), Keyword("inherit", 2)]),
        default: .value(.number(0)), live: true, since: KernelRelease(4, 20), iproute2: .value("df"),
        "The don't-fragment bit of the outer IPv4 header."),
      .flowLabel, .flowLabelPolicy, .learning,
      Attribute(
        "ageing", IFLA_VXLAN_AGEING, .number(.u32, 1...4_294_967_295),
        default: .value(.number(300)), live: true, iproute2: .value("ageing"),
        "How long a learned entry lives, in seconds."),
      .maxAddresses,
      Attribute(
        "udp-checksum", IFLA_VXLAN_UDP_CSUM, .flag(.u8), default: .value(.flag(true)),
        live: false, iproute2: .negatable("udpcsum"), "UDP checksums over an IPv4 underlay."),
      Attribute(
        "udp6-zero-checksum-tx", IFLA_VXLAN_UDP_ZERO_CSUM6_TX, .flag(.u8),
        default: .value(.flag(false)), live: false, iproute2: .negatable("udp6zerocsumtx"),
        "Send without UDP checksums over an IPv6 underlay."),
      .udp6ZeroChecksumRx,
      .proxy,
      Attribute(
        "route-short-circuit", IFLA_VXLAN_RSC, .flag(.u8), default: .value(.flag(false)),
        live: false, iproute2: .negatable("rsc"), "Route between networks at the sending VTEP."),
      Attribute(
        "l2-miss", IFLA_VXLAN_L2MISS, .flag(.u8), default: .value(.flag(false)), live: false,
        iproute2: .negatable("l2miss"), "Notify a program of frames to unknown MAC addresses."),
      Attribute(
        "l3-miss", IFLA_VXLAN_L3MISS, .flag(.u8), default: .value(.flag(false)), live: false,
        iproute2: .negatable("l3miss"), "Notify a program of ARP requests for unknown IP addresses."),
      Attribute(
        "remote-checksum-tx", IFLA_VXLAN_REMCSUM_TX, .flag(.u8), default: .value(.flag(false)), live: false,
        since: KernelRelease(4, 0), iproute2: .negatable("remcsumtx"),
        "Remote checksum offload: let the receiver compute inner checksums."),
      .remoteChecksumRx,
      .remoteChecksumNoPartial,
      Attribute(
        "reserved-bits", WEFT_IFLA_VXLAN_RESERVED_BITS, .wideMask,
        default: .kernelChoice(among: reservedBits), live: false, since: KernelRelease(6, 14),
        iproute2: .value("reserved_bits"),
        "Which bits of the VXLAN header have to be zero in what comes in, as 0x and 16 digits; the kernel's choice is all that are not used."
      ),
      .groupPolicy,
      .genericProtocol, .external, .vniFilter,
      Attribute(
        "local-bypass", WEFT_IFLA_VXLAN_LOCALBYPASS, .flag(.u8), default: .value(.flag(true)),
        live: true, since: KernelRelease(6, 5), iproute2: .negatable("localbypass"),
        "Hand packets for this host's own address straight to the VXLAN device here that has the VNI."),
    ])

  /// What the kernel chooses: all but the VNI and its flag, and what the extensions that are on take of them
  /// (VXLAN_GPE_USED_BITS and others of include/net/vxlan.h).
  private static let reservedBits: [AttributeValue] = {
    let vni: UInt64 = 0x0800_0000_ffff_ff00
    let remoteChecksum: UInt64 = 0x0020_0000_0000_00ff
    let extensions: [UInt64] = [0, 0x80ff_ffff_0000_0000, 0x3500_00ff_0000_0000]
    return [0, remoteChecksum].flatMap { offload in
      extensions.map { .text(AttributeType.hexadecimal(~(vni | offload | $0))) }
    }
  }()
}
