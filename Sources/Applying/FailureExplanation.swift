import OverlayModel
import Planning

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension StepFailure {
  /// What was tried, the kernel's own words, and what to do about it.
  public var explanation: String {
    var text = "\(subject): the kernel says: \(error)"
    if let advice { text += ": \(advice)" }
    return text
  }

  private var subject: String {
    switch step.operation {
    case .create: "creating \(step.kind.noun) \(step.link)"
    case .delete: "deleting \(step.kind.noun) \(step.link)"
    case .group: "taking over \(step.kind.noun) \(step.link)"
    case .set(_, let changes) where changes.map(\.attribute.key) == ["up"]:
      "bringing \(changes[0].after == .flag(true) ? "up" : "down") \(step.kind.noun) \(step.link)"
    case .set(_, let changes):
      "setting \(changes.filter { !$0.isRestatement }.map(\.attribute.key).joined(separator: ", ")) of \(step.kind.noun) \(step.link)"
    case .port(let port):
      port.to.map { "making \(step.link) a port of bridge \($0)" } ?? "taking \(step.link) out of its bridge"
    case .entry(let change): change.subject(on: step.link)
    }
  }

  private var advice: String? {
    switch (error.code, step.operation) {
    case (EPERM, _), (EACCES, _): "run it as root, or with CAP_NET_ADMIN in that namespace"
    case (EOPNOTSUPP, .create) where error.kernelText == "Unknown device type":
      "this kernel has no \(step.kind.name) devices (CONFIG_\(step.kind.name.uppercased())): load the module \(step.kind.name), or use a kernel that has it"
    case (EROFS, _) where step.isSetting:
      "/proc/sys is read-only here, as in most containers: leave the key out, and set it where it can be written"
    case (EEXIST, .create) where step.kind == .vxlan:
      "another device has this VNI and UDP port: `ip -d link show type vxlan` lists them"
    case (EADDRINUSE, _) where step.kind == .vxlan:
      "the UDP port is taken by another program, or by a VXLAN device of another kind: `ss -lun` and `ip -d link show type vxlan` tell"
    case (EBUSY, .port): "something else uses the link, a bond or a macvlan on it: take it out there first"
    case (EBUSY, .create): "another program made a link in the same moment: run weft again"
    case (ENOSPC, .entry(.fdb)): "the device has as many entries as `max-addresses` allows"
    case (EINVAL, .set(_, let changes)) where changes.contains(where: { $0.attribute.key == "mtu" }):
      "the underlay device's MTU may be too small for it"
    case (EOPNOTSUPP, .set(_, let changes)):
      changes.compactMap(\.attribute.kernelOption).first.map { "this kernel lacks \($0)" }
    default: nil
    }
  }
}

extension TableChange {
  fileprivate func subject(on link: InterfaceName) -> String {
    struct Visitor: TableChangeVisitor {
      func visit<Entry: TableEntry>(_ change: EntryChange<Entry>) -> (String, String) {
        let entry = change.entry
        let fields = entry.fields.map { "\($0) \($1.text)" }.joined(separator: ", ")
        return (entry.object, fields.isEmpty ? entry.key : "\(entry.key) (\(fields))")
      }
    }
    let (object, entry) = accept(Visitor())
    return link.isNone ? "\(object) \(entry)" : "\(object) \(link) \(entry)"
  }
}
