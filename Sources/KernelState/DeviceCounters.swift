import CNetlinkRoute
import Netlink
import OverlayModel

/// What a device has counted since it was made (struct rtnl_link_stats64 of linux/if_link.h).
public struct DeviceCounters: Sendable, Codable, Equatable {
  public var receivedPackets: UInt64 = 0
  public var sentPackets: UInt64 = 0
  public var receivedBytes: UInt64 = 0
  public var sentBytes: UInt64 = 0
  public var receivedDropped: UInt64 = 0
  public var sentDropped: UInt64 = 0
  public var receivedErrors: UInt64 = 0
  public var sentErrors: UInt64 = 0
  /// How many of its FDB entries a network card has taken over (NTF_OFFLOADED).
  public var offloadedEntries = 0

  public static let none = DeviceCounters()

  public init(
    receivedPackets: UInt64 = 0, sentPackets: UInt64 = 0, receivedBytes: UInt64 = 0, sentBytes: UInt64 = 0,
    receivedDropped: UInt64 = 0, sentDropped: UInt64 = 0, receivedErrors: UInt64 = 0, sentErrors: UInt64 = 0
  ) {
    self.receivedPackets = receivedPackets
    self.sentPackets = sentPackets
    self.receivedBytes = receivedBytes
    self.sentBytes = sentBytes
    self.receivedDropped = receivedDropped
    self.sentDropped = sentDropped
    self.receivedErrors = receivedErrors
    self.sentErrors = sentErrors
  }

  /// Reads those of all links, by number.
  public static func observe(_ socket: NetlinkSocket) throws(NetlinkError) -> [Int32: DeviceCounters] {
    var result: [Int32: DeviceCounters] = [:]
    try socket.dump(
      type: RTM_GETLINK, build: { $0.put(header: ifinfomsg()) }, restart: { result = [:] },
      read: { message in
        guard let header = message.header(ifinfomsg.self),
          let stats = message.attributes(after: ifinfomsg.self).first(IFLA_STATS64)?.payload,
          stats.count >= 8 * 8
        else { return }
        func number(_ place: Int) -> UInt64 {
          stats.loadUnaligned(fromByteOffset: 8 * place, as: UInt64.self)
        }
        result[header.ifi_index] = DeviceCounters(
          receivedPackets: number(0), sentPackets: number(1), receivedBytes: number(2), sentBytes: number(3),
          receivedDropped: number(6), sentDropped: number(7), receivedErrors: number(4),
          sentErrors: number(5))
      })
    return result
  }

  /// Counts the entries of one device that hardware has.
  public mutating func countOffloaded(_ socket: NetlinkSocket, device: Int32) throws(NetlinkError) {
    var count = 0
    try socket.dump(
      type: RTM_GETNEIGH,
      build: { writer in
        var header = ndmsg()
        header.ndm_family = UInt8(PF_BRIDGE)
        header.ndm_ifindex = device
        writer.put(header: header)
      }, restart: { count = 0 },
      read: { message in
        guard let header = message.header(ndmsg.self), header.ndm_ifindex == device,
          header.ndm_flags & UInt8(NTF_SELF) != 0, header.ndm_flags & UInt8(NTF_OFFLOADED) != 0
        else { return }
        count += 1
      })
    offloadedEntries = count
  }
}
