import CNetlinkRoute

extension AttributeTable {
  /// 802.1Q links (include/uapi/linux/if_link.h, IFLA_VLAN_*; the flags are VLAN_FLAG_* of if_vlan.h).
  public static let vlan = AttributeTable(
    "vlan", place: .infoData,
    rows: [
      .lowerDevice("The link, a bridge mostly, one of whose VLANs this is. It goes with it."),
      .vlanID,
      Attribute(
        "protocol", IFLA_VLAN_PROTOCOL,
        .word(.be16, [Keyword("802.1Q", 0x8100), Keyword("802.1ad", 0x88a8)]),
        default: .value(.number(0x8100)), live: false, since: KernelRelease(3, 10),
        iproute2: .value("protocol"), "The EtherType of the VLAN tag."),
      Attribute(
        "reorder-header", IFLA_VLAN_FLAGS, .bit(1), default: .value(.flag(true)), live: true,
        iproute2: .onOff("reorder_hdr"), "Whether programs see frames without their tag."),
      Attribute(
        "gvrp", IFLA_VLAN_FLAGS, .bit(2), default: .value(.flag(false)), live: true,
        iproute2: .onOff("gvrp"), "Tell switches of the VLAN by GVRP (IEEE 802.1Q)."),
      Attribute(
        "loose-binding", IFLA_VLAN_FLAGS, .bit(4), default: .value(.flag(false)), live: true,
        iproute2: .onOff("loose_binding"), "Do not follow the state of the link below."),
      Attribute(
        "mvrp", IFLA_VLAN_FLAGS, .bit(8), default: .value(.flag(false)), live: true,
        since: KernelRelease(3, 9), iproute2: .onOff("mvrp"),
        "Tell switches of the VLAN by MVRP (IEEE 802.1ak)."),
      Attribute(
        "bridge-binding", IFLA_VLAN_FLAGS, .bit(16), default: .value(.flag(false)), live: true,
        since: KernelRelease(5, 1), iproute2: .onOff("bridge_binding"),
        "Have carrier only if a port of the bridge that has the VLAN does."),
    ])

  /// Links with an address of their own on another link (include/uapi/linux/if_link.h, IFLA_MACVLAN_*).
  public static let macvlan = AttributeTable(
    "macvlan", place: .infoData,
    rows: [
      .lowerDevice("The link, a bridge mostly, that this one stands on. It goes with it."),
      Attribute(
        "mode", IFLA_MACVLAN_MODE,
        .word(.u32, [Keyword("private", 1), Keyword("vepa", 2), Keyword("bridge", 4)]),
        default: .value(.number(4)), kernel: .number(2), live: true, iproute2: .value("mode"),
        "What macvlans of one link see of each other: nothing (`private`), what a switch sends back (`vepa`), or all (`bridge`)."
      ),
    ])

  /// Virtual routing and forwarding (include/uapi/linux/if_link.h, IFLA_VRF_*).
  public static let vrf = AttributeTable(
    "vrf", place: .infoData,
    rows: [
      .vrfTable
    ])
}

extension Attribute {
  public static let vlanID = Attribute(
    "id", IFLA_VLAN_ID, .number(.u16, 1...4094), default: .value(.number(0)), live: false,
    isRequired: true, iproute2: .value("id"), "The VLAN, from 1 to 4094.")
  public static let vrfTable = Attribute(
    "table", IFLA_VRF_TABLE, .number(.u32, 1...4_294_967_295), default: .value(.number(0)), live: false,
    since: KernelRelease(4, 3), option: "CONFIG_NET_VRF", isRequired: true, iproute2: .value("table"),
    "The number of the VRF's routing table.")

  fileprivate static func lowerDevice(_ summary: String) -> Attribute {
    Attribute(
      "device", IFLA_LINK, .lower, default: .value(.unset), live: false, isRequired: true, iproute2: .lower,
      summary)
  }
}
