import CNetlinkRoute
import Netlink
import OverlayModel

/// Turns the rows of an attribute table into netlink attributes and back.
///
/// The only place that knows how each ``AttributeType`` looks on netlink.
struct TableCodec: Sendable {
  let table: AttributeTable
  /// For each netlink attribute the rows that it may fill.
  private let targets: [[Target]]

  private struct Target: Sendable {
    let row: Int
    /// Set where the attribute says a word.
    var keyword: Keyword?
    /// The part that it plays in a row of several attributes.
    var role = Role.value

    enum Role: Sendable { case value, greFlags, greOutput }
  }

  static let link = TableCodec(.link)
  static let bridgePort = TableCodec(.bridgePort)
  private static let all = [link, bridgePort] + Set(LinkKind.made.compactMap(\.table)).map { TableCodec($0) }

  static func codec(for table: AttributeTable) -> TableCodec {
    all.first { $0.table === table } ?? TableCodec(table)
  }

  init(_ table: AttributeTable) {
    self.table = table
    var targets: [[Target]] = []
    func add(_ number: Int, _ target: Target) {
      while targets.count <= number { targets.append([]) }
      targets[number].append(target)
    }
    for (row, attribute) in table.rows.enumerated() where attribute.setting == nil {
      switch attribute.type {
      case .headerFlag, .lower: continue
      case .address(let v6, _) where v6 != attribute.number: add(v6, Target(row: row))
      case .number, .word:
        for keyword in attribute.keywords {
          if let number = keyword.carrier?.number { add(number, Target(row: row, keyword: keyword)) }
        }
      case .greKey(let output, let inputFlags, _):
        add(inputFlags, Target(row: row, role: .greFlags))
        add(output, Target(row: row, role: .greOutput))
      default: break
      }
      add(attribute.number, Target(row: row))
    }
    self.targets = targets
  }

  // MARK: Reading

  /// Reads what the attributes tell into `set`.
  ///
  /// - Parameter deferred: called for rows that name another link, whose name is not known yet.
  func decode(
    _ attributes: AttributeReader, into set: inout AttributeSet,
    deferred: (_ row: Int, _ index: Int32) -> Void
  ) {
    for attribute in attributes { decode(attribute, into: &set, deferred: deferred) }
    for (row, attribute) in table.rows.enumerated() where set[row] == nil {
      set[row] = attribute.absentValue
    }
  }

  /// Reads the settings of IP, from what IFLA_AF_SPEC holds.
  func decode(settings families: AttributeReader, into set: inout AttributeSet) {
    var tables: (v4: UnsafeRawBufferPointer?, v6: UnsafeRawBufferPointer?, mode: UInt8?) = (nil, nil, nil)
    for family in families {
      switch Int32(family.type) {
      case AF_INET: tables.v4 = family.nested.first(Int(IFLA_INET_CONF))?.payload
      case AF_INET6:
        tables.v6 = family.nested.first(Int(IFLA_INET6_CONF))?.payload
        tables.mode = family.nested.first(Int(IFLA_INET6_ADDR_GEN_MODE))?.u8
      default: break
      }
    }
    func number(_ payload: UnsafeRawBufferPointer?, _ place: Int) -> UInt32? {
      guard let payload, place >= 0, payload.count >= (place + 1) * 4 else { return nil }
      return payload.loadUnaligned(fromByteOffset: place * 4, as: UInt32.self)
    }
    for (row, attribute) in table.rows.enumerated() {
      let value: UInt32?
      switch attribute.setting?.place {
      case .ipv4(let place): value = number(tables.v4, place - 1)
      case .ipv6(let place): value = number(tables.v6, place)
      case .addressGeneration: value = tables.mode.map(UInt32.init)
      case nil: continue
      }
      set[row] = value.map { attribute.settingValue($0) }
    }
  }

  func decode(
    _ attribute: NetlinkAttribute, into set: inout AttributeSet,
    deferred: (_ row: Int, _ index: Int32) -> Void
  ) {
    guard Int(attribute.type) < targets.count else { return }
    for target in targets[Int(attribute.type)] {
      if let keyword = target.keyword {
        if keyword.isSaid(by: attribute) { set[target.row] = .number(keyword.value) }
        continue
      }
      let row = table.rows[target.row]
      if case .greKey = row.type {
        set[target.row] = greKey(attribute, target.role, before: set[target.row])
        continue
      }
      if case .link = row.type {
        if let index = attribute.u32, index != 0 { deferred(target.row, Int32(bitPattern: index)) }
        continue
      }
      guard let value = decode(attribute, as: row.type) else { continue }
      // A keyword's own attribute counts more than the number beside it, whichever comes first.
      if row.keywords.contains(where: { $0.carrier != nil && set[target.row] == .number($0.value) }) {
        continue
      }
      set[target.row] = value
    }
  }

  /// The kernel sends the flags first, then the key of what comes in, and last that of what goes out.
  private func greKey(
    _ attribute: NetlinkAttribute, _ role: Target.Role, before: AttributeValue?
  ) -> AttributeValue? {
    switch role {
    case .greFlags:
      let flags = attribute.u16.map { UInt16(bigEndian: $0) } ?? 0
      return flags & Self.greKeyFlag == 0 ? .unset : .number(0)
    case .value:
      guard case .number = before, let key = attribute.u32 else { return before }
      return .number(UInt32(bigEndian: key))
    case .greOutput:
      guard case .number(let input) = before, let key = attribute.u32 else { return before }
      let output = UInt32(bigEndian: key)
      // No document can say this: it differs from all that one says.
      return input == output ? before : .text("\(input) in, \(output) out")
    }
  }

  /// GRE_KEY of include/uapi/linux/if_tunnel.h, in host byte order.
  private static let greKeyFlag: UInt16 = 0x2000

  private func decode(_ attribute: NetlinkAttribute, as type: AttributeType) -> AttributeValue? {
    switch type {
    case .flag(let width, _): number(attribute, width).map { .flag($0 != 0) }
    case .presence: .flag(true)
    case .bit(let bit): switched(attribute, bit)
    case .number(let width, _, _), .word(let width, _), .mask(let width, _):
      number(attribute, width).map { .number($0) }
    case .clock: attribute.u32.map { .number($0) }
    case .longClock:
      attribute.payload.count == 8
        ? .number(UInt32(clamping: attribute.payload.loadUnaligned(as: UInt64.self))) : nil
    case .portRange:
      attribute.payload.count == 4
        ? .range(
          UInt16(bigEndian: attribute.payload.loadUnaligned(as: UInt16.self)),
          UInt16(bigEndian: attribute.payload.loadUnaligned(fromByteOffset: 2, as: UInt16.self))) : nil
    case .address(_, let addressClass):
      IPAddress(bytes: attribute.payload).flatMap { addressClass.includes($0) ? .address($0) : nil }
    case .mac, .reservedGroup: MACAddress(bytes: attribute.payload).map { .mac($0) }
    case .wideMask:
      attribute.payload.count == 8
        ? .text(
          AttributeType.hexadecimal(UInt64(bigEndian: attribute.payload.loadUnaligned(as: UInt64.self))))
        : nil
    case .text: attribute.string.isEmpty ? .unset : .text(attribute.string)
    case .link, .lower, .greKey, .headerFlag: nil
    }
  }

  /// One switch of struct br_boolopt_multi, whose second number says which ones this kernel knows.
  private func switched(_ attribute: NetlinkAttribute, _ bit: UInt32) -> AttributeValue? {
    guard attribute.payload.count == 8,
      attribute.payload.loadUnaligned(fromByteOffset: 4, as: UInt32.self) & bit != 0
    else { return nil }
    return .flag(attribute.payload.loadUnaligned(as: UInt32.self) & bit != 0)
  }

  private func number(_ attribute: NetlinkAttribute, _ width: AttributeType.Width) -> UInt32? {
    switch width {
    case .u8: attribute.u8.map(UInt32.init)
    case .u16: attribute.u16.map(UInt32.init)
    case .u32: attribute.u32
    case .be16: attribute.u16.map { UInt32(UInt16(bigEndian: $0)) }
    case .be32: attribute.u32.map { UInt32(bigEndian: $0) }
    }
  }

  // MARK: Writing

  /// Puts what a new link needs to be told: what differs from the kernel's own choice.
  func encode(
    creating set: AttributeSet, into writer: inout MessageWriter, index: (InterfaceName) -> Int32
  ) {
    var bits = BitFields()
    for (_, attribute, value) in set.given
    where value != attribute.initialValue && value != attribute.absentValue {
      if bits.take(attribute, value) { continue }
      encode(attribute, value, family: .v4, into: &writer, index: index)
    }
    bits.put(into: &writer)
  }

  /// Puts changed attributes.
  func encode(
    _ changes: [AttributeChange], into writer: inout MessageWriter, index: (InterfaceName) -> Int32
  ) {
    var bits = BitFields()
    for change in changes {
      if bits.take(change.attribute, change.after) { continue }
      // `group` and `remote` are one attribute of the kernel: the one that gets a value speaks for both.
      if change.after == .unset,
        changes.contains(where: { $0.attribute.number == change.attribute.number && $0.after != .unset })
      {
        continue
      }
      var family = IPAddress.Family.v4
      if case .address(let address) = change.before { family = address.family }
      encode(change.attribute, change.after, family: family, into: &writer, index: index)
    }
    bits.put(into: &writer)
  }

  /// Rows that are bits of one attribute go into it together: of two such the kernel would take the last.
  private struct BitFields {
    private var fields: [(number: Int, value: UInt32, mask: UInt32)] = []

    mutating func take(_ attribute: Attribute, _ value: AttributeValue) -> Bool {
      guard case .bit(let bit) = attribute.type else { return false }
      let value = value == .flag(true) ? bit : 0
      if let index = fields.firstIndex(where: { $0.number == attribute.number }) {
        fields[index].value |= value
        fields[index].mask |= bit
      } else {
        fields.append((attribute.number, value, bit))
      }
      return true
    }

    func put(into writer: inout MessageWriter) {
      for (number, value, mask) in fields {
        withUnsafeBytes(of: (value, mask)) { writer.put(number, bytes: $0) }
      }
    }
  }

  /// - Parameter family: which of an address's two attributes clears it.
  private func encode(
    _ attribute: Attribute, _ value: AttributeValue, family: IPAddress.Family,
    into writer: inout MessageWriter,
    index: (InterfaceName) -> Int32
  ) {
    let number = attribute.number
    if attribute.setting?.place == .addressGeneration, case .number(let mode) = value {
      writer.nest(IFLA_AF_SPEC) { writer in
        writer.nest(Int(AF_INET6)) {
          $0.put(Int(IFLA_INET6_ADDR_GEN_MODE), UInt8(truncatingIfNeeded: mode))
        }
      }
      return
    }
    switch (attribute.type, value) {
    case (.flag(let width, _), .flag(let flag)): put(flag ? 1 : 0, width, number, into: &writer)
    case (.presence, .flag(let flag)): if flag { writer.putFlag(number) }
    case (.number(let width, _, _), .number(let value)), (.word(let width, _), .number(let value)):
      switch attribute.keywords.first(where: { $0.value == value })?.carrier {
      case .presence(let flag): writer.putFlag(flag)
      case .byte(let number): writer.put(number, UInt8(1))
      case .bit(let number, let bit): writer.put(number, bit)
      case nil: put(value, width, number, into: &writer)
      }
    case (.mask(let width, _), .number(let value)): put(value, width, number, into: &writer)
    case (.clock, .number(let value)): writer.put(number, value)
    case (.longClock, .number(let value)): writer.put(number, UInt64(value))
    case (.portRange, .range(let low, let high)):
      withUnsafeBytes(of: (low.bigEndian, high.bigEndian)) { writer.put(number, bytes: $0) }
    case (.address(let v6, _), .address(let address)):
      address.withBytes { writer.put(address.family == .v4 ? number : v6, bytes: $0) }
    case (.address(let v6, _), .unset):
      let any = family == .v4 ? IPAddress(v4: 0) : IPAddress(v6High: 0, low: 0)
      any.withBytes { writer.put(family == .v4 ? number : v6, bytes: $0) }
    case (.greKey(let output, let inputFlags, let outputFlags), .number(let key)):
      writer.put(inputFlags, Self.greKeyFlag.bigEndian)
      writer.put(outputFlags, Self.greKeyFlag.bigEndian)
      writer.put(number, key.bigEndian)
      writer.put(output, key.bigEndian)
    case (.wideMask, .text(let text)):
      if let bits = AttributeType.bits(text) { writer.put(number, bits.bigEndian) }
    case (.mac, .mac(let mac)), (.reservedGroup, .mac(let mac)):
      mac.withBytes { writer.put(number, bytes: $0) }
    case (.link, .link(let name)): writer.put(number, index(name))
    case (.link, .unset): writer.put(number, Int32(0))
    // Without a terminating NUL: the kernel counts it as one of the bytes that an alias may have.
    case (.text, .text(let text)): Array(text.utf8).withUnsafeBytes { writer.put(number, bytes: $0) }
    case (.text, .unset): writer.put(number, bytes: UnsafeRawBufferPointer(start: nil, count: 0))
    default: break
    }
  }

  private func put(
    _ value: UInt32, _ width: AttributeType.Width, _ number: Int, into writer: inout MessageWriter
  ) {
    switch width {
    case .u8: writer.put(number, UInt8(truncatingIfNeeded: value))
    case .u16: writer.put(number, UInt16(truncatingIfNeeded: value))
    case .u32: writer.put(number, value)
    case .be16: writer.put(number, UInt16(truncatingIfNeeded: value).bigEndian)
    case .be32: writer.put(number, value.bigEndian)
    }
  }
}

extension MACAddress {
  /// Reads six bytes as netlink carries them; other lengths are nil.
  init?(bytes: UnsafeRawBufferPointer) {
    guard bytes.count == 6 else { return nil }
    self.init(bits: bytes.reduce(0) { $0 << 8 | UInt64($1) })
  }

  /// Calls `body` with the six bytes in the order of the wire.
  func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    try withUnsafeBytes(of: (bits << 16).bigEndian) { try body(UnsafeRawBufferPointer(rebasing: $0[0..<6])) }
  }
}

extension Keyword {
  fileprivate func isSaid(by attribute: NetlinkAttribute) -> Bool {
    if case .bit(_, let bit) = carrier { return (attribute.u32 ?? 0) & bit != 0 }
    return attribute.u8 != 0
  }
}
