import OverlayModel

/// What a fabric leaves open and every host has to answer alike: names of links, MAC addresses, numbers.
///
/// All of it follows from what the document calls a thing, never from its place in the document or from the host
/// that asks. So a network that is added moves nothing of the others.
enum FabricNames {
  /// FNV-1a, 64 bits: the same everywhere and for ever, which Swift's own hashes are not.
  static func hash(_ text: String) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    // Its high bits are the better ones.
    return hash ^ (hash >> 29)
  }

  /// `PREFIX-NAME` where Linux takes that for a link's name, else the number behind the prefix, or a hash.
  static func link(_ prefix: String, _ name: String, number: UInt32? = nil) -> InterfaceName {
    let candidates = ["\(prefix)-\(name)"] + (number.map { ["\(prefix)-\($0)"] } ?? [])
    for candidate in candidates {
      if let name = try? InterfaceName(validating: candidate) { return name }
    }
    let digits = String(hash(name), radix: 36).prefix(InterfaceName.maximumLength - 1 - prefix.utf8.count)
    return InterfaceName(kernel: "\(prefix)-\(digits)") ?? .none
  }

  /// A locally administered unicast address.
  static func mac(_ text: String) -> MACAddress {
    MACAddress(bits: 0x0200_0000_0000 | hash(text) & 0xff_ffff_ffff)
  }

  /// The gateway's address, the same on every VTEP.
  static func gatewayMAC(_ network: String) -> MACAddress { mac("gateway \(network)") }
  /// A VTEP's address as a router.
  static func routerMAC(_ vtep: String) -> MACAddress { mac("router \(vtep)") }
  /// The address of a bridge that is no gateway: different on each host.
  static func bridgeMAC(_ network: String, _ vtep: String) -> MACAddress { mac("bridge \(network) \(vtep)") }

  /// A number for each name, from a range: by its hash, and where two have the same, the next free one in the order
  /// of the names.
  ///
  /// - Parameter reserved: which are given to something else.
  static func numbers(
    _ names: [String], in range: Range<UInt32>, reserved: Set<UInt32> = []
  ) -> [String: UInt32] {
    var taken = reserved.filter(range.contains)
    var result: [String: UInt32] = [:]
    for name in names.sorted() {
      var number = range.lowerBound + UInt32(hash(name) % UInt64(range.count))
      // More names than numbers: whoever asks has to look.
      while !taken.insert(number).inserted, taken.count < range.count {
        number = number + 1 < range.upperBound ? number + 1 : range.lowerBound
      }
      result[name] = number
    }
    return result
  }
}
