import CNetlinkRoute
import OverlayModel

/// A plan as iproute2 commands that have the same effect when a shell runs them in order.
public enum IPRoute2Rendering {
  /// - Returns: the commands, a line each.
  public static func render(_ plan: Plan) -> String {
    var text = ""
    for step in plan.steps {
      for command in step.iproute2 { text += command + "\n" }
    }
    return text
  }
}

extension Step {
  var iproute2: [String] {
    switch operation {
    case .create(let creation): [creation.state.creationCommand] + creation.state.unsaid
    case .delete: ["ip link del dev \(name)"]
    case .group(_, let group): ["ip link set dev \(name) group \(group)"]
    case .set(_, let changes) where isSetting:
      changes.compactMap { change in
        change.attribute.setting.map {
          "echo \(change.attribute.settingText(change.after)) > \(quoted($0.path(of: link.description)))"
        }
      }
    case .set(let table, let changes): commands(table, changes)
    case .port(let port): commands(port)
    case .entry(.nexthop(let change)): commands(change)
    case .entry(.fdb(let change)): [command(change)]
    case .entry(.mdb(let change)): [command(change)]
    case .entry(.bridgeFDB(let change)): [command(change)]
    case .entry(.vlan(let change)): commands(change)
    case .entry(.route(let change)): [command(change)]
    case .entry(.vni(let change)): commands(change)
    case .entry(.neighbour(let change)): [command(change)]
    case .entry(.address(let change)): [command(change)]
    }
  }

  private var name: String { quoted(link.description) }

  private func commands(_ table: AttributeTable, _ changes: [AttributeChange]) -> [String] {
    var own: [String] = []
    let together = changes.filter { change in
      guard let commands = change.attribute.ownCommands(change, among: changes, name) else { return true }
      own += commands
      return false
    }
    return (together.isEmpty ? [] : [command(table, together)]) + own
  }

  private func command(_ table: AttributeTable, _ changes: [AttributeChange]) -> String {
    var words = ["ip link set dev \(name)"]
    if table.place == .infoData { words.append("type \(kind.name)") }
    if table.place == .slaveData { words.append("type bridge_slave") }
    for change in changes {
      // The attribute that `group` and `remote` share: the one that gets a value speaks for both.
      if change.after == .unset,
        changes.contains(where: { $0.attribute.number == change.attribute.number && $0.after != .unset })
      {
        continue
      }
      words += change.attribute.iproute2Words(change.after, clearing: change.before)
    }
    return words.joined(separator: " ")
  }

  private func commands(_ port: PortChange) -> [String] {
    var commands: [String] = []
    if port.sendsMembership {
      commands.append(
        "ip link set dev \(name) " + (port.to.map { "master \(quoted($0.description))" } ?? "nomaster"))
    }
    return commands + self.commands(.bridgePort, port.attributes)
  }

  private func command(_ change: EntryChange<FDBEntry>) -> String {
    switch change {
    case .create(let entry), .replace(_, let entry):
      let verb = entry.mac.holdsDestinationList ? "append" : "replace"
      return "bridge fdb \(verb) \(entry.mac) dev \(name) \(destination(entry)) self \(entry.marks.iproute2)"
    case .delete(let entry):
      return "bridge fdb del \(entry.mac) dev \(name) \(destination(entry)) self"
    }
  }

  private func commands(_ change: EntryChange<Nexthop>) -> [String] {
    func addition(_ entry: Nexthop) -> String {
      let members = entry.members.map { $0.weight == 1 ? "\($0.id)" : "\($0.id),\($0.weight)" }
      let what = entry.isGroup ? "group \(members.joined(separator: "/"))" : "via \(entry.via)"
      return "ip nexthop replace id \(entry.id) \(what) fdb protocol \(entry.protocolNumber)"
    }
    return switch change {
    case .create(let entry): [addition(entry)]
    case .replace(let old, let entry):
      old.isGroup == entry.isGroup
        ? [addition(entry)] : ["ip nexthop del id \(old.id)", addition(entry)]
    case .delete(let entry): ["ip nexthop del id \(entry.id)"]
    }
  }

  /// Of iproute2 6.4 or newer: Debian 12's does not know the tables of VXLAN devices.
  private func command(_ change: EntryChange<MDBEntry>) -> String {
    let entry = change.entry
    let verb = if case .delete = change { "del" } else { "replace" }
    var text = "bridge mdb \(verb) dev \(name) port \(name) grp \(entry.group)"
    if !entry.sender.isUnspecified { text += " src \(entry.sender)" }
    text += " permanent dst \(entry.vtep)"
    if entry.port != 0 { text += " dst_port \(entry.port)" }
    if entry.vni != 0 { text += " vni \(entry.vni)" }
    if entry.sourceVNI != 0 { text += " src_vni \(entry.sourceVNI)" }
    if !entry.via.isNone { text += " via \(quoted(entry.via.description))" }
    return text + " proto \(entry.protocolNumber)"
  }

  private func destination(_ entry: FDBEntry) -> String {
    var text = entry.nexthop == 0 ? "dst \(entry.vtep)" : "nhid \(entry.nexthop)"
    if entry.port != 0 { text += " port \(entry.port)" }
    if entry.sourceVNI != 0 { text += " src_vni \(entry.sourceVNI)" }
    if entry.vni != 0 { text += " vni \(entry.vni)" }
    if !entry.via.isNone { text += " via \(quoted(entry.via.description))" }
    return text
  }

  private func command(_ change: EntryChange<BridgeFDBEntry>) -> String {
    let entry = change.entry
    let place =
      "dev \(quoted(entry.port.description)) \(entry.port == link ? "self" : "master")"
      + (entry.vlan == 0 ? "" : " vlan \(entry.vlan)")
    if case .delete = change { return "bridge fdb del \(entry.mac) \(place)" }
    return "bridge fdb replace \(entry.mac) \(place) \(entry.marks.iproute2)"
  }

  private func command(_ change: EntryChange<Route>) -> String {
    let route = change.entry
    let kind = route.kind == .unicast ? "" : "\(route.kind.word) "
    var words = "\(kind)\(route.destination)"
    if !route.via.isUnspecified { words += " via \(route.via)" }
    if !route.device.isNone { words += " dev \(quoted(route.device.description))" }
    words += " table \(route.tableNumber)"
    if route.metric != 0 { words += " metric \(route.metric)" }
    words += " proto \(route.protocolNumber)"
    // Unlike `del` it does not mind if the route went with its link.
    if case .delete = change {
      let family = route.destination.address.family == .v4 ? "-4" : "-6"
      return
        "ip \(family) route flush \(route.kind == .unicast ? "" : "type \(route.kind.word) ")exact \(route.destination) table \(route.tableNumber) proto \(route.protocolNumber)"
    }
    return "ip route replace \(words)" + (route.isOnlink ? " onlink" : "")
  }

  private func commands(_ change: EntryChange<VNIEntry>) -> [String] {
    let entry = change.entry
    let deletion = "bridge vni delete vni \(entry.key) dev \(name)"
    let group = entry.group.isUnspecified ? "" : " group \(entry.group)"
    let addition = "bridge vni add vni \(entry.key) dev \(name)\(group)"
    return switch change {
    case .create: [addition]
    case .delete: [deletion]
    case .replace(let old, _): old.group.isUnspecified ? [addition] : [deletion, addition]
    }
  }

  private func commands(_ change: EntryChange<VLANEntry>) -> [String] {
    let end = kind == .bridge ? " self" : ""
    func command(_ verb: String, _ entry: VLANEntry, _ rest: String) -> String {
      "bridge vlan \(verb) dev \(name) vid \(entry.key)\(rest)\(end)"
    }
    func mapping(_ entry: VLANEntry) -> String {
      " tunnel_info id \(entry.vni)" + (entry.count == 1 ? "" : "-\(entry.lastVNI)")
    }
    func membership(_ entry: VLANEntry) -> String {
      command("add", entry, (entry.isPVID ? " pvid" : "") + (entry.isUntagged ? " untagged" : ""))
    }
    func option(_ entry: VLANEntry) -> String {
      command("set", entry, " neigh_suppress \(entry.suppressesNeighbours ? "on" : "off")")
    }
    switch change {
    case .create(let entry):
      return [membership(entry)] + (entry.vni == 0 ? [] : [command("add", entry, mapping(entry))])
        + (entry.suppressesNeighbours ? [option(entry)] : [])
    case .delete(let entry): return [command("del", entry, "")]
    case .replace(let old, let new):
      var commands: [String] = []
      // Of a mapping that changes a step before this one has taken the old one away.
      if old.vni != 0, new.vni == 0 { commands.append(command("del", old, mapping(old))) }
      if !old.hasSameFlags(as: new) { commands.append(membership(new)) }
      if new.vni != 0, old.vni != new.vni { commands.append(command("add", new, mapping(new))) }
      if old.suppressesNeighbours != new.suppressesNeighbours { commands.append(option(new)) }
      return commands
    }
  }

  private func command(_ change: EntryChange<Neighbour>) -> String {
    switch change {
    case .create(let entry), .replace(_, let entry):
      "ip neigh replace \(entry.address) lladdr \(entry.mac) dev \(name) nud \(entry.marks.iproute2Neighbour)"
    case .delete(let entry):
      // Unlike `del` it does not mind if the kernel has dropped the entry already.
      "ip \(entry.address.family == .v4 ? "-4" : "-6") neigh flush to \(entry.address) dev \(name) nud permanent"
    }
  }

  private func command(_ change: EntryChange<InterfaceAddress>) -> String {
    // Debian 12's iproute2 cannot set an address's protocol number.
    switch change {
    case .create(let entry), .replace(_, let entry): "ip address replace \(entry.prefix) dev \(name)"
    case .delete(let entry): "ip address del \(entry.prefix) dev \(name)"
    }
  }
}

extension EntryMarks {
  private var isPermanent: Bool { Int32(state) & NUD_PERMANENT != 0 }

  private func flagWords(_ words: [(Int, String)]) -> String {
    words.map { Int(flags) & $0.0 != 0 ? " \($0.1)" : "" }.joined()
  }

  /// As `bridge fdb` writes them.
  fileprivate var iproute2: String {
    (isPermanent ? "permanent" : "static")
      + flagWords([(Int(NTF_EXT_LEARNED), "extern_learn"), (Int(NTF_STICKY), "sticky")])
  }

  /// As `ip neigh` writes them.
  fileprivate var iproute2Neighbour: String {
    (isPermanent ? "permanent" : "noarp") + (protocolNumber == 0 ? "" : " protocol \(protocolNumber)")
      + flagWords([(Int(NTF_EXT_LEARNED), "extern_learn"), (Int(NTF_ROUTER), "router")])
  }
}

extension LinkState {
  /// Attributes that iproute2 knows nothing of.
  fileprivate var unsaid: [String] {
    guard let specific = self.specific else { return [] }
    return specific.given.compactMap { _, attribute, value in
      guard case .none = attribute.iproute2, value != attribute.initialValue else { return nil }
      return
        "# iproute2 has no word for \(attribute.key) (\(attribute.text(of: value))) of \(quoted(self.name.description))"
    }
  }

  fileprivate var creationCommand: String {
    let group = self.owner == .weft ? Ownership.linkGroup : self.group
    let lower = foundation.map { "link \(quoted($0.description)) " } ?? ""
    var words = ["ip link add \(lower)name \(quoted(self.name.description)) group \(group)"]
    if case .mac(let mac) = self.base[.mac] { words.append("address \(mac)") }
    if self.kind != .bridge, let mtu = self.base.number(.mtu) { words.append("mtu \(mtu)") }
    if let master = self.bridge ?? self.base.link(.vrf) {
      words.append("master \(quoted(master.description))")
    }
    words.append("type \(self.kind?.name ?? "")")
    if let specific = self.specific {
      for (_, attribute, value) in specific.given
      where value != attribute.initialValue && value != attribute.absentValue {
        words += attribute.iproute2Words(value, clearing: nil)
      }
    }
    // For which iproute2 has a default of its own, 64.
    if self.kind == .ip6gretap, self.specific?.number(.ttl) == 0 { words += ["ttl", "0"] }
    return words.joined(separator: " ")
  }
}

extension Attribute {
  /// - Parameter clearing: the value that an `unset` takes away.
  fileprivate func iproute2Words(_ value: AttributeValue, clearing: AttributeValue?) -> [String] {
    let isOn = value == .flag(true)
    switch iproute2 {
    case .value(let word):
      if value == .unset { return unsetWords(word, clearing) }
      return [word, quoted(text(of: value))]
    case .hexadecimal(let word):
      guard case .number(let number) = value, text(of: value) == String(number) else {
        return [word, text(of: value)]
      }
      return [word, String(number, radix: 16)]
    case .negatable(let word): return [isOn ? word : "no\(word)"]
    case .word(let word): return isOn ? [word] : []
    case .onOff(let word): return [word, isOn ? "on" : "off"]
    case .oneZero(let word): return [word, isOn ? "1" : "0"]
    case .pair(let word):
      guard case .range(let low, let high) = value else { return [] }
      return [word, String(low), String(high)]
    case .upDown: return [isOn ? "up" : "down"]
    case .master:
      guard case .link(let name) = value else { return ["nomaster"] }
      return ["master", quoted(name.description)]
    // Said when the link is made, before its kind; and by a file.
    case .lower, .file: return []
    case .flowLabelPolicy: return isInherited(value) ? ["flowlabel", "inherit"] : []
    case .otherPort(let word):
      guard case .link(let name) = value else { return ["no\(word)"] }
      return [word, quoted(name.description)]
    // Commands of their own.
    case .bridgeLink, .none: return []
    }
  }

  private func isInherited(_ value: AttributeValue) -> Bool { value != .number(0) }

  /// What iproute2 cannot say together with other attributes; nil for what it can.
  fileprivate func ownCommands(
    _ change: AttributeChange, among changes: [AttributeChange], _ name: String
  ) -> [String]? {
    let value = text(of: change.after)
    switch iproute2 {
    case .bridgeLink(let word): return ["bridge link set dev \(name) \(word) \(value)"]
    case .none: return ["# iproute2 has no word for \(key) (\(value)) of \(name)"]
    case .flowLabelPolicy where isInherited(change.after):
      return ["ip link set dev \(name) type vxlan flowlabel inherit"]
    case .flowLabelPolicy:
      // With a label iproute2 sends the policy as well.
      let isSaid = changes.contains { $0.attribute.key == Attribute.flowLabel.key }
      return isSaid ? [] : ["ip link set dev \(name) type vxlan flowlabel 0"]
    default: return nil
    }
  }

  private func unsetWords(_ word: String, _ clearing: AttributeValue?) -> [String] {
    switch type {
    case .address:
      if case .address(let old) = clearing, old.family == .v6 { return [word, "::"] }
      return [word, "0.0.0.0"]
    case .text: return [word, "''"]
    default: return []
    }
  }
}

/// As one word for a POSIX shell.
private func quoted(_ text: String) -> String {
  let isPlain =
    !text.isEmpty
    && text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: "._:-/@+,=".utf8.contains(byte)
      }
    }
  if isPlain { return text }
  return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}
