import OverlayModel

/// What a change does to the traffic that flows while it is made.
public enum Disruption: String, Sendable, Comparable, CaseIterable, Codable {
  /// Nothing: new objects, and entries, which change in place.
  case none
  /// A link that carries traffic gets other attributes, or a port another bridge.
  case inPlace = "in-place"
  /// A device is made anew: the traffic of its network stops for a moment.
  case replace
  /// Something goes, or goes down: what it carried stops.
  case removes

  private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
  public static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
}

extension Step {
  public var disruption: Disruption {
    switch operation {
    case .create(let creation):
      if creation.droppedEntries.contains(where: { if case .address = $0 { true } else { false } }) {
        .removes
      } else {
        creation.replaced == nil ? .none : .replace
      }
    case .delete: isShown ? .removes : .none
    case .group: .none
    case .set(_, let changes):
      if !isShown {
        .none
      } else if changes.contains(where: { $0.attribute.key == Attribute.up.key && $0.after == .flag(false) })
      {
        .removes
      } else {
        .inPlace
      }
    // A link that is made with its place in a bridge carries nothing yet.
    case .port(let port) where !isShown || (port.from == nil && !port.sendsMembership): .none
    case .port(let port): port.to == nil ? .removes : .inPlace
    // Without its address a gateway answers nobody.
    case .entry(.address(.delete)): .removes
    // What a link has from its beginning carries nothing yet.
    case .entry(.vlan) where !isShown: .none
    case .entry(.route(.delete)): isShown ? .removes : .none
    case .entry(.route(.replace)): .inPlace
    case .entry(.vlan(.delete)), .entry(.vni(.delete)): .removes
    case .entry(.vlan(.replace)), .entry(.vni(.replace)): .inPlace
    case .entry: .none
    }
  }
}

extension Plan {
  /// The worst of its steps.
  public var disruption: Disruption { steps.heads.lazy.map(\.disruption).max() ?? .none }

  /// What the steps of each class concern, the worst first: `vxlan vx0` say.
  var disruptedObjects: [(Disruption, [String])] {
    var objects: [Disruption: [String]] = [:]
    var seen: [Disruption: Set<String>] = [:]
    // New entries disturb nothing.
    for step in steps.heads where step.disruption != .none {
      let name = step.disruptedObject
      if seen[step.disruption, default: []].insert(name).inserted {
        objects[step.disruption, default: []].append(name)
      }
    }
    return objects.sorted { $0.key > $1.key }.map { ($0.key, $0.value) }
  }
}

extension Step {
  fileprivate var disruptedObject: String {
    switch operation {
    case .port: "port \(link)"
    case .entry(.route(let change)): "route \(change.entry.key) of \(link)"
    case .entry(.vni(let change)): "vni \(change.entry.key) of \(link)"
    case .entry(.vlan(let change)): "vlan \(change.entry.key) of \(link)"
    case .entry(.address(.delete(let entry))): "address \(entry.prefix) of \(link)"
    default: "\(kind.noun) \(link)"
    }
  }
}
