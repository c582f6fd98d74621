import Foundation
import Testing

/// Waits until something is so, and fails the test if it is not within the time, which is long enough for a machine that
/// has more to do.
func poll(
  _ what: @autoclosure () -> String, within seconds: Double = 30,
  sourceLocation: SourceLocation = #_sourceLocation, _ condition: () throws -> Bool
) throws {
  let deadline = Date(timeIntervalSinceNow: seconds)
  while try !condition() {
    let isInTime = Date() < deadline
    try #require(isInTime, "not within \(seconds) s: \(what())", sourceLocation: sourceLocation)
    Thread.sleep(forTimeInterval: 0.02)
  }
}

/// What passes one link in one direction, as tcpdump sees it.
final class PacketCapture {
  enum Direction: String {
    case incoming = "in"
    case outgoing = "out"
  }

  private let folder: TemporaryFolder
  private let tcpdump: BackgroundProcess
  private var file: URL { URL(fileURLWithPath: folder.path("capture.pcap")) }

  /// Returns when the capture has begun.
  init(_ direction: Direction, on link: String, in namespace: TestNamespace) throws {
    folder = try TemporaryFolder()
    // Every packet is written at once; Debian's tcpdump would else give up root before it writes.
    tcpdump = try BackgroundProcess(
      in: namespace,
      [
        "tcpdump", "-i", link, "-Q", direction.rawValue, "-n", "-s", "192", "--immediate-mode", "-U", "-Z",
        "root",
        "-w", folder.path("capture.pcap"),
      ])
    // It says so once its socket is open and bound.
    try poll("tcpdump listens on \(link): \(tcpdump.error)") {
      try #require(tcpdump.isRunning, "tcpdump: \(tcpdump.error)")
      return tcpdump.error.contains("listening on \(link)")
    }
  }

  /// The frames so far, in their order.
  func frames() throws -> [Frame] {
    let bytes = [UInt8](try Data(contentsOf: file))
    func number(_ offset: Int) -> Int {
      (0..<4).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) }
    }
    guard bytes.count >= 24 else { return [] }
    try #require(number(0) == 0xa1b2_c3d4 && number(20) == 1, "no little-endian pcap file of Ethernet frames")
    var frames: [Frame] = []
    var offset = 24
    while offset + 16 <= bytes.count, offset + 16 + number(offset + 8) <= bytes.count {
      let end = offset + 16 + number(offset + 8)
      frames.append(Frame(bytes: bytes[(offset + 16)..<end], length: number(offset + 12)))
      offset = end
    }
    return frames
  }
}

/// An Ethernet frame, cut off somewhere behind its headers.
struct Frame {
  let bytes: [UInt8]
  /// As it was on the link.
  let length: Int

  init(bytes: ArraySlice<UInt8>, length: Int) {
    self.bytes = Array(bytes)
    self.length = length
  }

  private func number(_ offset: Int, _ count: Int) -> Int {
    guard offset + count <= bytes.count else { return -1 }
    return bytes[offset..<(offset + count)].reduce(0) { $0 << 8 | Int($1) }
  }

  private func mac(_ offset: Int) -> String {
    bytes.dropFirst(offset).prefix(6).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(
      separator: ":")
  }

  private func v4(_ offset: Int) -> String {
    bytes.dropFirst(offset).prefix(4).map(String.init).joined(separator: ".")
  }

  /// Without the shortening of zeros: `2001:db8:0:0:0:0:0:11`.
  private func v6(_ offset: Int) -> String {
    (0..<8).map { String(number(offset + 2 * $0, 2), radix: 16) }.joined(separator: ":")
  }

  var destinationMAC: String { mac(0) }
  var sourceMAC: String { mac(6) }
  private var etherType: Int { number(12, 2) }
  var isMulticastOrBroadcast: Bool { number(0, 1) & 1 == 1 }
  var isBroadcast: Bool { destinationMAC == "ff:ff:ff:ff:ff:ff" }
  var isARP: Bool { etherType == 0x0806 }
  /// Whom an ARP packet asks for.
  var arpTarget: String? { isARP ? v4(38) : nil }
  var isIPv4: Bool { etherType == 0x0800 }
  var isIPv6: Bool { etherType == 0x86dd }

  var source: String? { isIPv4 ? v4(26) : isIPv6 ? v6(22) : nil }
  var destination: String? { isIPv4 ? v4(30) : isIPv6 ? v6(38) : nil }
  /// Of the IP packet, by its header.
  var packetLength: Int? { isIPv4 ? number(16, 2) : isIPv6 ? number(18, 2) + 40 : nil }
  private var isFirstFragment: Bool { isIPv4 && number(20, 2) & 0x2000 != 0 }
  private var isLaterFragment: Bool { isIPv4 && number(20, 2) & 0x1fff != 0 }
  /// 44 is the IPv6 fragment header.
  var isFragment: Bool { isFirstFragment || isLaterFragment || (isIPv6 && number(20, 1) == 44) }

  private var transport: (protocolNumber: Int, offset: Int)? {
    if isIPv4, !isLaterFragment { return (number(23, 1), 14 + 4 * (number(14, 1) & 15)) }
    if isIPv6 { return (number(20, 1), 54) }
    return nil
  }

  /// The sequence number of an ICMP echo request.
  var echoRequest: Int? { echo(8) }
  var echoReply: Int? { echo(0) }

  private func echo(_ type: Int) -> Int? {
    guard isIPv4, let transport, transport.protocolNumber == 1, number(transport.offset, 1) == type else {
      return nil
    }
    return number(transport.offset + 6, 2)
  }

  /// Of a UDP packet.
  var sourcePort: Int? {
    guard let transport, transport.protocolNumber == 17 else { return nil }
    return number(transport.offset, 2)
  }

  /// The VNI and the frame inside of a VXLAN packet to IANA's port.
  var vxlan: (vni: Int, inner: Frame)? {
    guard let transport, transport.protocolNumber == 17, number(transport.offset + 2, 2) == 4789 else {
      return nil
    }
    let start = transport.offset + 16
    guard bytes.count >= start + 14 else { return nil }
    return (number(start - 4, 3), Frame(bytes: bytes[start...], length: length - start))
  }
}

extension Frame: CustomStringConvertible {
  var description: String {
    let inner = vxlan.map { " VNI \($0.vni): \($0.inner)" }
    return "[\(sourceMAC) > \(destinationMAC), type 0x\(String(etherType, radix: 16)), "
      + "\(source ?? "") > \(destination ?? arpTarget ?? ""), protocol \(transport?.protocolNumber ?? 0), "
      + "\(length) bytes\(inner ?? "")]"
  }
}

extension [Frame] {
  /// The frames of tenants, out of their VXLAN packets.
  var encapsulated: [Frame] { compactMap { $0.vxlan?.inner } }
}
