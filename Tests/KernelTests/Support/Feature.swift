import Foundation
import Testing

/// What not every kernel has. A test that needs such a thing says so, and is skipped, with the reason, where it
/// is not there; `Scripts/test` sees to it that every test runs on one kernel at least.
///
/// Found out by asking iproute2 for it in a namespace of its own, not by weft.
enum Feature: String, CaseIterable, Sendable {
  case vlanFiltering
  case vrf
  case dot1q
  case geneve
  case gretap
  case vxlanMDB
  case vlanNeighbours
  case backupNexthop

  /// The kernel option behind it, or the release that brought it.
  var option: String {
    switch self {
    case .vlanFiltering: "CONFIG_BRIDGE_VLAN_FILTERING"
    case .vrf: "CONFIG_NET_VRF"
    case .dot1q: "CONFIG_VLAN_8021Q"
    case .geneve: "CONFIG_GENEVE"
    case .gretap: "CONFIG_NET_IPGRE"
    case .vxlanMDB: "Linux 6.4"
    case .vlanNeighbours: "CONFIG_BRIDGE_VLAN_FILTERING of Linux 6.4"
    case .backupNexthop: "CONFIG_BRIDGE_VLAN_FILTERING of Linux 6.6"
    }
  }

  private var trial: String {
    switch self {
    case .vlanFiltering: "ip link add probe type bridge vlan_filtering 1"
    case .vrf: "ip link add probe type vrf table 10"
    case .dot1q: "ip link add base type bridge && ip link add link base name probe type vlan id 10"
    case .geneve: "ip link add probe type geneve id 1 remote 192.0.2.1"
    case .gretap: "ip link add probe type gretap local 192.0.2.1 remote 192.0.2.2"
    // Debian 12's iproute2 cannot try it.
    case .vxlanMDB: Self.isSince("6.4")
    case .vlanNeighbours: "\(Feature.vlanFiltering.trial) && \(Self.isSince("6.4"))"
    case .backupNexthop: "\(Feature.vlanFiltering.trial) && \(Self.isSince("6.6"))"
    }
  }

  private static func isSince(_ release: String) -> String {
    "test \"$(printf '\(release)\\n%s\\n' \"$(uname -r)\" | sort -V | head -n 1)\" = \(release)"
  }

  static let present: Set<Feature> = Set(
    allCases.filter { (try? run(["unshare", "--net", "sh", "-c", $0.trial]))?.status == 0 })
}

extension Trait where Self == ConditionTrait {
  /// Runs the test only where the kernel has all of these.
  static func needs(_ features: Feature...) -> Self {
    let missing = features.filter { !Feature.present.contains($0) }
    let options = missing.map(\.option).joined(separator: ", ")
    return .enabled(if: missing.isEmpty, "this kernel lacks \(options)")
  }

  /// Runs the test only where the kernel has none of these.
  static func lacks(_ features: Feature...) -> Self {
    let present = features.filter { Feature.present.contains($0) }
    let options = present.map(\.option).joined(separator: ", ")
    return .enabled(if: present.isEmpty, "this kernel has \(options)")
  }
}
