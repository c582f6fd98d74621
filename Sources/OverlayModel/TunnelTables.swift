import CNetlinkRoute

extension AttributeTable {
  /// Geneve devices (RFC 8926; include/uapi/linux/if_link.h, IFLA_GENEVE_*).
  public static let geneve = AttributeTable(
    "geneve", place: .infoData,
    rows: [
      Attribute(
        "vni", IFLA_GENEVE_ID, .number(.u32, 0...16_777_215), default: .value(.number(0)), live: false,
        isRequired: true, iproute2: .value("id"), "The Geneve network identifier."),
      Attribute(
        "remote", IFLA_GENEVE_REMOTE, .address(v6: IFLA_GENEVE_REMOTE6, .unicast), default: .value(.unset),
        live: true, resets: ["udp6-zero-checksum-tx", "udp6-zero-checksum-rx"], isRequired: true,
        iproute2: .value("remote"),
        "The tunnel's other end. It also decides whether the tunnel is one over IPv4 or over IPv6."),
      // 6081 is IANA's (RFC 8926).
      Attribute(
        "port", IFLA_GENEVE_PORT, .number(.be16, 1...65535), default: .value(.number(6081)), live: false,
        iproute2: .value("dstport"), "The UDP destination port."),
      Attribute(
        "ttl", IFLA_GENEVE_TTL,
        .number(
          .u8, 1...255,
          [Keyword("auto", 0), Keyword("inherit", 256, carrier: .byte(IFLA_GENEVE_TTL_INHERIT))]),
        default: .value(.number(0)), live: true, iproute2: .value("ttl"),
        "The TTL of the outer packet; `auto` is the kernel's default, `inherit` the inner packet's (Linux 4.18)."
      ),
      Attribute(
        "tos", IFLA_GENEVE_TOS, .number(.u8, 0...255, [Keyword("inherit", 1)]), default: .value(.number(0)),
        live: true, iproute2: .hexadecimal("tos"),
        "The TOS or traffic class of the outer packet; `inherit` is the inner packet's. Decimal, or hexadecimal with 0x."
      ),
      Attribute(
        "df", IFLA_GENEVE_DF,
        .number(.u8, 0...2, [Keyword("unset", 0), Keyword("set", 1), Keyword("inherit", 2)]),
        default: .value(.number(0)), live: true, since: KernelRelease(4, 20), iproute2: .value("df"),
        "The don't-fragment bit of the outer IPv4 header."),
      Attribute(
        "flow-label", IFLA_GENEVE_LABEL, .number(.be32, 0...0xfffff), default: .value(.number(0)), live: true,
        since: KernelRelease(4, 6), family: .v6, iproute2: .value("flowlabel"),
        "The flow label of the outer IPv6 header."),
      Attribute(
        "external", IFLA_GENEVE_COLLECT_METADATA, .presence, default: .value(.flag(false)), live: false,
        since: KernelRelease(4, 3), iproute2: .word("external"),
        "One device for many networks: network and destination come with each packet."),
      Attribute(
        "udp-checksum", IFLA_GENEVE_UDP_CSUM, .flag(.u8), default: .value(.flag(false)), live: false,
        family: .v4, iproute2: .negatable("udpcsum"), "UDP checksums over an IPv4 underlay."),
      Attribute(
        "udp6-zero-checksum-tx", IFLA_GENEVE_UDP_ZERO_CSUM6_TX, .flag(.u8), default: .value(.flag(false)),
        live: false, family: .v6, iproute2: .negatable("udp6zerocsumtx"),
        "Send without UDP checksums over an IPv6 underlay."),
      Attribute(
        "udp6-zero-checksum-rx", IFLA_GENEVE_UDP_ZERO_CSUM6_RX, .flag(.u8), default: .value(.flag(false)),
        live: false, family: .v6, iproute2: .negatable("udp6zerocsumrx"),
        "Accept packets without UDP checksums over an IPv6 underlay."),
    ])

  /// Ethernet over GRE (RFC 2784, RFC 2890; include/uapi/linux/if_tunnel.h, IFLA_GRE_*); with a key of VSID and
  /// FlowID this is NVGRE (RFC 7637).
  public static let gretap = AttributeTable(
    "gretap", place: .infoData, isSentWhole: true,
    rows: [
      Attribute(
        "local", IFLA_GRE_LOCAL, .address(v6: IFLA_GRE_LOCAL, .unicast), default: .value(.unset), live: true,
        isRequired: true, iproute2: .value("local"),
        "This end's underlay address. It also decides whether the tunnel is one over IPv4 or over IPv6."),
      Attribute(
        "remote", IFLA_GRE_REMOTE, .address(v6: IFLA_GRE_REMOTE, .unicast), default: .value(.unset),
        live: true, isRequired: true, iproute2: .value("remote"), "The tunnel's other end."),
      .greKey,
      Attribute(
        "device", IFLA_GRE_LINK, .link, default: .value(.unset), live: true, iproute2: .value("dev"),
        "The underlay device."),
      Attribute(
        "ttl", IFLA_GRE_TTL, .number(.u8, 1...255, [Keyword("inherit", 0)]), default: .value(.number(0)),
        live: true, iproute2: .value("ttl"), "The TTL of the outer packet; `inherit` is the inner packet's."),
      Attribute(
        "tos", IFLA_GRE_TOS, .number(.u8, 0...255, [Keyword("inherit", 1)]), default: .value(.number(0)),
        live: true, family: .v4, iproute2: .hexadecimal("tos"),
        "The TOS of the outer IPv4 packet; `inherit` is the inner packet's. Decimal, or hexadecimal with 0x."),
      Attribute(
        "path-mtu-discovery", IFLA_GRE_PMTUDISC, .flag(.u8), default: .value(.flag(true)), live: true,
        family: .v4, iproute2: .negatable("pmtudisc"),
        "Whether packets over IPv4 carry the don't-fragment bit. Off needs a `ttl` of `inherit`."),
      Attribute(
        "ignore-df", IFLA_GRE_IGNORE_DF, .flag(.u8), default: .value(.flag(false)), live: true,
        since: KernelRelease(4, 8), family: .v4, iproute2: .negatable("ignore-df"),
        "Fragment the outer packet whatever the inner packet's don't-fragment bit says."),
      Attribute(
        "flow-label", IFLA_GRE_FLOWINFO, .number(.be32, 0...0xfffff), default: .value(.number(0)), live: true,
        family: .v6, iproute2: .value("flowlabel"), "The flow label of the outer IPv6 header."),
      .encapsulationLimit,
    ])
}

extension Attribute {
  public static let greKey = Attribute(
    "key", IFLA_GRE_IKEY,
    .greKey(output: IFLA_GRE_OKEY, inputFlags: IFLA_GRE_IFLAGS, outputFlags: IFLA_GRE_OFLAGS),
    default: .value(.unset), live: true, iproute2: .value("key"),
    "The key of the packets in both directions (RFC 2890), from 0 to 4294967295. For NVGRE give `nvgre` instead."
  )
  // IP6_TNL_F_IGN_ENCAP_LIMIT of include/uapi/linux/ip6_tunnel.h.
  public static let encapsulationLimit = Attribute(
    "encapsulation-limit", IFLA_GRE_ENCAP_LIMIT,
    .number(.u8, 0...255, [Keyword("none", 256, carrier: .bit(IFLA_GRE_FLAGS, 1))]),
    default: .value(.number(256)), kernel: .number(0), live: true, family: .v6,
    iproute2: .value("encaplimit"),
    "How often the packets may be encapsulated again (RFC 2473), 8 bytes more in each; `none` leaves it out."
  )
}
