import CNetlinkRoute
import Synchronization

/// The value of one attribute of a link, in one form for documents and kernel alike.
public enum AttributeValue: Hashable, Sendable {
  /// The attribute has no value: no local address, no alias.
  case unset
  case flag(Bool)
  case number(UInt32)
  /// Two port numbers, the lower first.
  case range(UInt16, UInt16)
  case address(IPAddress)
  case mac(MACAddress)
  case link(InterfaceName)
  case text(String)
}

/// A word that stands for a number, `inherit` say.
public struct Keyword: Sendable {
  public let word: String
  public let value: UInt32
  /// What carries the word instead of the number's own attribute.
  public let carrier: Carrier?

  /// A netlink attribute that says a word.
  public enum Carrier: Sendable {
    /// An NLA_FLAG, which the kernel takes only when it creates the device.
    case presence(Int)
    /// A byte that is 1.
    case byte(Int)
    /// A bit of an u32.
    case bit(Int, UInt32)

    public var number: Int {
      switch self {
      case .presence(let number), .byte(let number), .bit(let number, _): number
      }
    }
  }

  public init(_ word: String, _ value: UInt32, carrier: Carrier? = nil) {
    self.word = word
    self.value = value
    self.carrier = carrier
  }
}

/// How a value is written in a document and on netlink.
public enum AttributeType: Sendable {
  /// How wide a number is on netlink.
  public enum Width: Sendable {
    case u8, u16, u32, be16, be32
  }

  /// A switch, as a number of this width. `dumpedWhenOff` is false where the kernel sends only what is on.
  case flag(Width, dumpedWhenOff: Bool = true)
  /// An attribute without payload, there or not (NLA_FLAG).
  case presence
  /// A switch that is one bit of a number, beside which a second number says which bits are meant.
  case bit(UInt32)
  case number(Width, ClosedRange<UInt32>, [Keyword] = [])
  /// A number of which each bit means something; some of them the kernel refuses.
  case mask(Width, refused: UInt32)
  /// A number for which there are words alone.
  case word(Width, [Keyword])
  /// A time in hundredths of a second (clock_t), u32. The kernel counts in ticks of its own, and
  /// gives back up to one less than it was given.
  case clock(ClosedRange<UInt32>)
  /// The same as u64.
  case longClock(ClosedRange<UInt32>)
  /// Two be16 numbers (struct ifla_vxlan_port_range); 0-0 is the kernel's own choice.
  case portRange
  /// 64 bits in the order of the wire, which a document writes as a hexadecimal text.
  case wideMask
  /// An address; IPv6 has an attribute of its own, given here.
  case address(v6: Int, AddressClass)
  case mac
  /// A group address that bridges keep for themselves: 01:80:c2:00:00:00, or …:04 to …:0f (IEEE 802.1D, 7.12.3).
  case reservedGroup
  /// The interface index of another link.
  case link
  /// The same for the link that a new one is made on: in the message itself (IFLA_LINK), and for good.
  case lower
  /// The key of a GRE tunnel, be32, in both directions: `output` is the other attribute of the same form, and
  /// the flags (be16) say that there is one (GRE_KEY in include/uapi/linux/if_tunnel.h).
  case greKey(output: Int, inputFlags: Int, outputFlags: Int)
  case text(maximumBytes: Int)
  /// A bit of the flags in the message's header (IFF_…).
  case headerFlag(Int)

  /// Which addresses a row is for: `group` and `remote` are one attribute of the kernel.
  public enum AddressClass: Sendable {
    case unicast, multicast

    public func includes(_ address: IPAddress) -> Bool {
      !address.isUnspecified && address.isMulticast == (self == .multicast)
    }
  }
}

extension AttributeType {
  /// How a document writes 64 bits.
  public static func hexadecimal(_ bits: UInt64) -> String {
    let digits = String(bits, radix: 16)
    return "0x" + String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// The 64 bits that a text of up to 16 hexadecimal digits stands for.
  public static func bits(_ text: String) -> UInt64? {
    guard text.hasPrefix("0x"), text.utf8.count <= 18 else { return nil }
    return UInt64(text.dropFirst(2), radix: 16)
  }
}

/// What an attribute is on a link of weft's whose document leaves it out.
public enum AttributeDefault: Sendable {
  case value(AttributeValue)
  /// The kernel's, or another program's, choice: never a difference. Where the kernel chooses only
  /// among certain values, any other was set by somebody, and is shown.
  case kernelChoice(among: [AttributeValue] = [])
  /// Computed from the underlay: `mtu` only.
  case underlay

  /// Nil where it is no value of its own.
  var value: AttributeValue? { if case .value(let value) = self { value } else { nil } }
}

/// How iproute2 writes an attribute, after `ip link … type KIND` or `ip link set dev NAME`.
public enum IPRoute2Form: Sendable {
  /// `word VALUE`; keywords as themselves.
  case value(String)
  /// `word VALUE` with the value in hexadecimal, which iproute2 reads without a prefix.
  case hexadecimal(String)
  /// `word` for true, `noword` for false.
  case negatable(String)
  /// `word` for true, nothing for false.
  case word(String)
  /// `word on` or `word off`.
  case onOff(String)
  /// `word 1` or `word 0`.
  case oneZero(String)
  /// `word LOW HIGH`.
  case pair(String)
  /// `up` or `down`.
  case upDown
  /// None: a shell writes it to the file of its ``InterfaceSetting``.
  case file
  /// A command of its own, `bridge link set dev NAME word VALUE`.
  case bridgeLink(String)
  /// `word NAME`, and `noword` for none.
  case otherPort(String)
  /// `flowlabel inherit`, in a command of its own; a label that is given says the opposite.
  case flowLabelPolicy
  /// iproute2 has no word for it.
  case none
  /// `master NAME` or `nomaster`.
  case master
  /// Not after the kind, but before it: `link NAME`.
  case lower
}

/// A setting of IP on a link, which netlink tells (IFLA_AF_SPEC); all but one are written to a file under /proc/sys/net.
public struct InterfaceSetting: Sendable, Hashable {
  /// Where a link's message has it.
  public enum Place: Sendable, Hashable {
    /// In IFLA_INET_CONF: IPV4_DEVCONF_… of linux/ip.h, counted from 1.
    case ipv4(Int)
    /// In IFLA_INET6_CONF: DEVCONF_… of linux/ipv6.h, counted from 0.
    case ipv6(Int)
    /// IFLA_INET6_ADDR_GEN_MODE, a byte, which netlink takes as well: its file would make addresses at once.
    case addressGeneration
  }

  public let place: Place
  /// The name of the file.
  public let file: String

  public init(_ place: Place, _ file: String) {
    self.place = place
    self.file = file
  }

  /// Whether the file is the way to change it.
  public var isWrittenToFile: Bool { place != .addressGeneration }

  /// The file of one link; of `default` for what new ones get.
  public func path(of link: String) -> String {
    let family = if case .ipv4 = place { "ipv4" } else { "ipv6" }
    return "/proc/sys/net/\(family)/conf/\(link)/\(file)"
  }
}

/// A kernel release, as far as features go.
public struct KernelRelease: Sendable, Comparable, CustomStringConvertible {
  public let major: Int
  public let minor: Int

  public init(_ major: Int, _ minor: Int) {
    self.major = major
    self.minor = minor
  }

  public static func < (a: Self, b: Self) -> Bool { (a.major, a.minor) < (b.major, b.minor) }
  public var description: String { "\(major).\(minor)" }
}

/// One row of an ``AttributeTable``: all that weft knows of an attribute.
///
/// Parsing, validation, observation, comparison, encoding, `weft show` and the iproute2
/// commands are read off these rows; a new attribute is a new row. A class, for it is handed about with every value.
public final class Attribute: Sendable {
  /// The key in a document.
  public let key: String
  /// A number for the key, the same in all tables: it is looked up sooner than a text.
  let keyNumber: Int
  /// IFLA_… within the table's nest; for an address that of IPv4.
  public let number: Int
  public let type: AttributeType
  public let documentDefault: AttributeDefault
  /// What the kernel gives to a new link whose creator says nothing; nil if as the document's default.
  public let kernelDefault: AttributeValue?
  /// False: the kernel takes it only at creation, so that a change means a new device.
  public let isLive: Bool
  /// The first release that has it.
  public let since: KernelRelease
  /// The kernel option without which it is missing whatever the release.
  public let kernelOption: String?
  /// The family of the underlay that it is for; nil if for both.
  public let family: IPAddress.Family?
  /// The keys that the kernel sets back to its defaults when this one changes.
  public let resets: [String]
  /// Whether a document must give it, for a link that is not `external`.
  public let isRequired: Bool
  /// Whether the kernel changes it only while no port of the bridge has a VLAN.
  public let needsNoVLANs: Bool
  /// Whether the kernel says nothing of it while it is 0.
  public let isOmittedWhenZero: Bool
  /// Where it is, if it is no netlink attribute of its own.
  public let setting: InterfaceSetting?
  public let iproute2: IPRoute2Form
  /// One sentence for the reference and the schema.
  public let summary: String
  /// What a link has right after its creation, if its creator did not say.
  public let initialValue: AttributeValue?
  /// What the kernel means by not sending the attribute; nil: that it does not know it.
  public let absentValue: AttributeValue?
  /// The words that stand for numbers.
  public let keywords: [Keyword]

  public init(
    _ key: String, _ number: Int, _ type: AttributeType, default documentDefault: AttributeDefault,
    kernel kernelDefault: AttributeValue? = nil, live isLive: Bool,
    since: KernelRelease = KernelRelease(3, 7),
    option kernelOption: String? = nil, family: IPAddress.Family? = nil, resets: [String] = [],
    isRequired: Bool = false, needsNoVLANs: Bool = false, isOmittedWhenZero: Bool = false,
    setting: InterfaceSetting? = nil,
    iproute2: IPRoute2Form, _ summary: String
  ) {
    self.key = key
    keyNumber = Self.number(ofKey: key)
    self.number = number
    self.type = type
    self.documentDefault = documentDefault
    self.kernelDefault = kernelDefault
    self.isLive = isLive
    self.since = since
    self.kernelOption = kernelOption
    self.family = family
    self.resets = resets
    self.isRequired = isRequired
    self.needsNoVLANs = needsNoVLANs
    self.isOmittedWhenZero = isOmittedWhenZero
    self.setting = setting
    self.iproute2 = iproute2
    self.summary = summary
    initialValue = if let kernelDefault { kernelDefault } else { documentDefault.value }
    absentValue =
      switch type {
      case .presence, .flag(_, dumpedWhenOff: false): .flag(false)
      case .address, .link, .lower, .greKey, .text: .unset
      case .number where isOmittedWhenZero: .number(0)
      default: nil
      }
    keywords =
      switch type {
      case .number(_, _, let keywords), .word(_, let keywords): keywords
      default: []
      }
  }

  /// Whether a kernel may lack it and say nothing, neither when told nor by what it sends. What came with Linux 4.15 or
  /// before, and needs no option, is taken for granted.
  var mayBeIgnored: Bool {
    (kernelOption != nil || since > KernelRelease(4, 15)) && absentValue == nil
  }

  private static let keyNumbers = Mutex<[String: Int]>([:])

  private static func number(ofKey key: String) -> Int {
    keyNumbers.withLock { numbers in
      let number = numbers[key] ?? numbers.count
      numbers[key] = number
      return number
    }
  }

  /// Whether a device can go from one value to the other while it exists.
  public func canChange(from old: AttributeValue, to new: AttributeValue) -> Bool {
    guard isLive else { return false }
    // The kernel says yes to an underlay device of 0, and keeps the one it has.
    if case .link = type, new == .unset { return key != Self.device.key }
    for keyword in keywords {
      guard case .presence = keyword.carrier else { continue }
      if old == .number(keyword.value) || new == .number(keyword.value) { return false }
    }
    return true
  }

  /// What the kernel's number for a setting of IP means.
  public func settingValue(_ number: UInt32) -> AttributeValue {
    if case .flag = type { .flag(number != 0) } else { .number(number) }
  }

  /// The number, as its file takes it.
  public func settingText(_ value: AttributeValue) -> String {
    switch value {
    case .flag(let flag): flag ? "1" : "0"
    case .number(let number): String(number)
    default: ""
    }
  }

  /// Whether two values are one to the kernel.
  public func isSame(_ a: AttributeValue?, _ b: AttributeValue?) -> Bool {
    if a == b { return true }
    return switch (type, a, b) {
    case (.clock, .number(let a), .number(let b)), (.longClock, .number(let a), .number(let b)):
      max(a, b) - min(a, b) <= 1
    default: false
    }
  }

  /// Whether a link that was told nothing has this value: it goes without saying.
  public func isUsual(_ value: AttributeValue) -> Bool {
    switch documentDefault {
    case .value(let usual): isSame(value, usual)
    case .kernelChoice(let usual): usual.contains(value)
    case .underlay: false
    }
  }

  /// The value as a document writes it.
  public func text(of value: AttributeValue) -> String {
    if case .number(let number) = value,
      let keyword = keywords.first(where: { $0.value == number })
    {
      return keyword.word
    }
    return switch value {
    case .unset: "none"
    case .flag(let flag): flag ? "true" : "false"
    case .number(let number): String(number)
    case .range(let low, let high): "\(low)-\(high)"
    case .address(let address): address.description
    case .mac(let mac): mac.description
    case .link(let name): name.description
    case .text(let text): text
    }
  }
}
