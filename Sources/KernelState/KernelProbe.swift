import CNetlinkRoute
import Netlink
import OverlayModel

/// Finds out what the running kernel lacks, by trying it where it disturbs nobody.
///
/// Old kernels accept attributes that they do not know, and a release number says nothing about
/// what a distribution added or left out. So one link of each kind is made in a namespace that
/// lives as long as its socket, and what its message does not hold, the kernel does not have.
public enum KernelProbe {
  /// - Returns: nil where the process may not make a namespace (it needs CAP_SYS_ADMIN).
  public static func missingAttributes() throws(NetlinkError) -> Set<MissingAttribute>? {
    let socket: NetlinkSocket
    do {
      socket = try NetlinkSocket(in: .throwaway)
    } catch  where error.code == EPERM {
      return nil
    }
    guard let bridgeName = InterfaceName(kernel: "probe-bridge"),
      let vxlanName = InterfaceName(kernel: "probe-vxlan")
    else { return nil }
    let bridge = LinkState(name: bridgeName, kind: .bridge, owner: .weft)
    var vxlan = LinkState(name: vxlanName, kind: .vxlan, owner: .weft)
    vxlan.specific?[.vni] = .number(1)
    vxlan.bridge = bridgeName
    let batch = MessageBatch()
    var encoder = RequestEncoder(observed: try HostObserver(socket).observe(ObservationScope(.owned)))
    encoder.create(bridge, into: batch, tag: 0)
    encoder.create(vxlan, into: batch, tag: 1)
    _ = try socket.send(batch)
    let state = try HostObserver(socket).observe(ObservationScope(.owned))
    var missing: Set<MissingAttribute> = []
    let found = [
      state.links[bridgeName]?.specific, state.links[vxlanName]?.specific, state.links[vxlanName]?.port,
    ]
    for set in found.compactMap(\.self) {
      for (row, attribute) in set.table.rows.enumerated() where set[row] == nil {
        missing.insert(MissingAttribute(table: set.table.name, key: attribute.key))
        // A kernel without CONFIG_BRIDGE_VLAN_FILTERING tells `vlan-filtering`, but cannot set it.
        guard let option = attribute.kernelOption else { continue }
        for other in set.table.rows where other.kernelOption == option {
          missing.insert(MissingAttribute(table: set.table.name, key: other.key))
        }
      }
    }
    return missing
  }
}
