import CNetlinkRoute

extension Attribute {
  public static let mac = Attribute(
    "mac", IFLA_ADDRESS, .mac, default: .kernelChoice(), live: true,
    iproute2: .value("address"),
    "The link's Ethernet address. Left out, it is the kernel's or udev's choice.")
  /// The smallest is IPv4's (RFC 791); 65535 is the largest that a VXLAN device or a bridge takes.
  public static let mtu = Attribute(
    "mtu", IFLA_MTU, .number(.u32, 68...65535), default: .underlay, live: true,
    iproute2: .value("mtu"),
    "The largest packet in bytes, without the Ethernet header. Left out on a VXLAN device it is the underlay's less the encapsulation; on other links the kernel's choice."
  )
  public static let up = Attribute(
    "up", 0, .headerFlag(IFF_UP), default: .value(.flag(true)), kernel: .flag(false),
    live: true, iproute2: .upDown, "Whether the link is administratively up.")
  /// IFALIASZ of linux/if.h, less the terminator.
  public static let description = Attribute(
    "description", IFLA_IFALIAS, .text(maximumBytes: 255), default: .value(.unset), live: true,
    iproute2: .value("alias"), "A text for people, kept as the kernel's alias of the link.")
  public static let vrf = Attribute(
    "vrf", IFLA_MASTER, .link, default: .value(.unset), live: true, since: KernelRelease(4, 3),
    iproute2: .master,
    "The VRF that the link's addresses and routes are in. A change takes the link down for a moment.")
}

extension Attribute {
  /// A setting of IP, which is the host's choice (net.*.conf.default) where no document gives it.
  fileprivate static func setting(
    _ key: String, _ type: AttributeType, _ setting: InterfaceSetting, _ summary: String
  ) -> Attribute {
    let isIPv4 = if case .ipv4 = setting.place { true } else { false }
    return Attribute(
      key, 0, type, default: .kernelChoice(), live: true, since: KernelRelease(4, 4),
      option: isIPv4 ? nil : "CONFIG_IPV6", setting: setting,
      iproute2: setting.isWrittenToFile ? .file : .value("addrgenmode"), summary)
  }
}

extension Attribute {
  public static let forwarding = setting(
    "forwarding", .flag(.u32), InterfaceSetting(.ipv4(Int(IPV4_DEVCONF_FORWARDING)), "forwarding"),
    "Whether IPv4 packets that come in here are routed on. For IPv6 Linux has it for the whole host.")
  public static let disableIPv6 = setting(
    "disable-ipv6", .flag(.u32), InterfaceSetting(.ipv6(Int(DEVCONF_DISABLE_IPV6)), "disable_ipv6"),
    "Keep IPv6 off the link: its IPv6 addresses and neighbours go, and nothing is sent.")
}

extension AttributeTable {
  /// What every link has (include/uapi/linux/if_link.h, IFLA_*).
  public static let link = AttributeTable(
    "link", place: .message,
    rows: [
      .mac, .mtu, .vrf, .up, .description,
      .forwarding,
      .setting(
        "rp-filter", .number(.u32, 0...2), InterfaceSetting(.ipv4(Int(IPV4_DEVCONF_RP_FILTER)), "rp_filter"),
        "Drop IPv4 packets whose source is not reached by this link (1), or by none (2); the larger of this and the host's own counts."
      ),
      .setting(
        "arp-accept", .number(.u32, 0...2),
        InterfaceSetting(.ipv4(Int(IPV4_DEVCONF_ARP_ACCEPT)), "arp_accept"),
        "Make neighbour entries of gratuitous ARP: not (0), of all (1), of addresses in the link's networks (2, Linux 6.0)."
      ),
      .setting(
        "proxy-arp", .flag(.u32), InterfaceSetting(.ipv4(Int(IPV4_DEVCONF_PROXY_ARP)), "proxy_arp"),
        "Answer ARP for addresses that are reached by another link."),
      .disableIPv6,
      .setting(
        "addr-gen-mode",
        .word(
          .u8, [Keyword("eui64", 0), Keyword("none", 1), Keyword("stable_secret", 2), Keyword("random", 3)]),
        InterfaceSetting(.addressGeneration, "addr_gen_mode"),
        "How IPv6 makes the link-local address, when the link comes up; `none` spares links that carry no IP of the host."
      ),
    ])
}
