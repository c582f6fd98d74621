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

extension AttributeTable {
  /// What every link has (include/uapi/linux/if_link.h, IFLA_*).
  public static let link = AttributeTable(
    "link", place: .message, rows: [.mac, .mtu, .vrf, .up, .description])
}
