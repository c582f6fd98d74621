import Foundation
import OverlayModel

/// The JSON Schema of documents (draft 2020-12), from the attribute tables: for editors, and for checks elsewhere.
///
/// It takes every document that weft takes. What depends on two keys at once it does not say: `weft validate` does.
public enum DocumentSchema {
  /// - Returns: the schema, as JSON with a line feed at its end.
  public static func text() throws -> String {
    let data = try JSONSerialization.data(
      withJSONObject: schema, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    return String(decoding: data, as: UTF8.self) + "\n"
  }

  typealias Object = [String: Any]

  private static var schema: Object {
    var properties: Object = [
      "weft": described(["const": Int(DocumentReader.version)], "The version of the format."),
      "links": map(of: link(nil), "Existing links that weft may set, but never creates or deletes."),
    ]
    properties[Nexthop.tableName] = described(nexthops, "Nexthop objects for FDB entries, by number.")
    properties["fabric"] = described(
      fabric, "The tunnel endpoints of all hosts, and the VRFs that span them.")
    properties["networks"] = described(networks, "The networks of the fabric, by name.")
    for (section, kind) in DocumentReader.sections.kinds {
      properties[section] = map(of: link(kind), "\(kind.noun) links by name.")
    }
    return [
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "title": "weft document", "type": "object", "required": ["weft"], "additionalProperties": false,
      "properties": properties, "$defs": definitions,
    ]
  }

  // MARK: Pieces

  static func described(_ object: Object, _ text: String) -> Object {
    object.merging(["description": text]) { $1 }
  }

  static func reference(_ name: String) -> Object { ["$ref": "#/$defs/\(name)"] }

  static func object(_ properties: Object, required: [String] = []) -> Object {
    var object: Object = ["type": "object", "properties": properties, "additionalProperties": false]
    if !required.isEmpty { object["required"] = required }
    return object
  }

  static func orNothing(_ object: Object) -> Object { ["anyOf": [object, ["type": "null"]]] }

  /// From names of links to something.
  static func map(of value: Object, _ text: String) -> Object {
    described(
      orNothing([
        "type": "object", "propertyNames": reference("name"), "additionalProperties": orNothing(value),
      ]), text)
  }

  static func table(_ keys: String, _ value: Object) -> Object {
    ["type": "object", "propertyNames": reference(keys), "additionalProperties": value]
  }

  static func list(_ value: Object) -> Object { ["type": "array", "items": value] }

  private static var definitions: Object {
    [
      "name": [
        "type": "string", "minLength": 1, "maxLength": InterfaceName.maximumLength, "pattern": "^[^\\s/]+$",
      ],
      "mac": ["type": "string", "pattern": "^([0-9A-Fa-f]{1,2}[:-]){5}[0-9A-Fa-f]{1,2}$"],
      "address": ["type": "string", "pattern": "^[0-9A-Fa-f:.]+$"],
      "prefix": ["type": "string", "pattern": "^[0-9A-Fa-f:.]+/[0-9]+$"],
      "span": ["type": ["string", "integer"], "pattern": "^[0-9]+(-[0-9]+)?$"],
      "destination": [
        "anyOf": [
          reference("address"),
          object(
            [
              "vtep": reference("address"), "vni": number(1...16_777_215), "port": number(1...65535),
              "via": reference("name"),
            ], required: ["vtep"]),
        ]
      ],
      "flood": list(reference("destination")),
      "fdb": table(
        "mac",
        [
          "anyOf": [
            reference("destination"), reference("flood"),
            object(["nexthop": number(Nexthop.ids)], required: ["nexthop"]),
          ]
        ]),
      "mdb": table("address", ["anyOf": [reference("destination"), reference("flood")]]),
      "vlans": [
        "anyOf": [
          list(reference("span")),
          table(
            "span",
            orNothing(
              object([
                "pvid": ["type": "boolean"], "untagged": ["type": "boolean"], "vni": reference("span"),
                "neigh-suppress": ["type": "boolean"],
              ])
            )),
        ]
      ],
      "route": object(
        [
          "to": ["anyOf": [reference("prefix"), reference("address"), ["const": "default"]]],
          "via": reference("address"), "device": reference("name"), "onlink": ["type": "boolean"],
          "metric": number(1...UInt32.max), "type": ["enum": Route.Kind.allCases.map(\.word)],
        ], required: ["to"]),
    ]
  }

  private static var nexthops: Object {
    let member: Object = [
      "anyOf": [
        number(Nexthop.ids),
        object(["id": number(Nexthop.ids), "weight": number(1...255)], required: ["id"]),
      ]
    ]
    return table(
      "span",
      object(
        [
          "via": reference("address"), "group": list(member).merging(["minItems": 1]) { $1 },
          "fdb": ["const": true],
        ], required: ["fdb"]))
  }

  static func number(_ range: ClosedRange<UInt32>) -> Object {
    ["type": "integer", "minimum": Int(range.lowerBound), "maximum": Int(range.upperBound)]
  }

  // MARK: Links

  private static func link(_ kind: LinkKind?) -> Object {
    var properties = attributes(.link)
    properties["addresses"] = described(
      list(reference("prefix")), "The link's addresses, with prefix lengths.")
    properties["neighbours"] = described(
      table("address", reference("mac")), "Which MAC address an IP address has on the link.")
    guard let kind, let table = kind.table else { return object(properties) }
    properties.merge(attributes(table)) { $1 }
    for key in DocumentReader.ownSections[kind] ?? [] { properties[key] = section(key, of: kind) }
    let required = table.rows.filter { $0.isRequired && table.index(of: Attribute.external.key) == nil }
    return object(properties, required: required.map(\.key).filter { $0 != "vni" })
  }

  private static var bridgeEntry: Object {
    object(["port": reference("name"), "vlan": number(VLANEntry.ids)], required: ["port"])
  }

  private static func section(_ key: String, of kind: LinkKind) -> Object {
    switch key {
    case "flood":
      described(reference("flood"), "The VTEPs that broadcast, unknown and multicast frames are copied to.")
    case "fdb" where kind == .bridge:
      described(
        table("mac", ["anyOf": [bridgeEntry, list(bridgeEntry)]]),
        "Behind which port of the bridge a MAC address is; a list where it is in several VLANs.")
    case "fdb": described(reference("fdb"), "Behind which VTEP a MAC address is.")
    case "mdb": described(reference("mdb"), "Which VTEPs want what is sent to a multicast group.")
    case "vnis":
      described(
        table(
          "span",
          orNothing(
            object([
              "flood": reference("flood"), "fdb": reference("fdb"), "group": reference("address"),
              "mdb": reference("mdb"),
            ]))),
        "The networks of an external device.")
    case "ports": map(of: object(ports), "The bridge's ports, with their attributes.")
    case "vlans": described(reference("vlans"), "The VLANs of the bridge itself.")
    case "nvgre":
      described(
        object(["vsid": number(4096...16_777_214), "flow-id": number(0...255)], required: ["vsid"]),
        "The key as NVGRE has it (RFC 7637).")
    default: described(list(reference("route")), "The routes of the VRF.")
    }
  }

  private static var ports: Object {
    attributes(.bridgePort).merging([
      "optional": described(["type": "boolean"], "Whether the link may be missing."),
      "vlans": described(reference("vlans"), "The VLANs of the port."),
    ]) { $1 }
  }

  private static func attributes(_ table: AttributeTable) -> Object {
    Dictionary(
      table.rows.map { ($0.key, described(value(of: $0), $0.summary)) }, uniquingKeysWith: { $1 })
  }

  private static func value(of row: Attribute) -> Object {
    let words = row.keywords.map(\.word)
    switch row.type {
    case .flag, .presence, .bit, .headerFlag: return ["type": "boolean"]
    case .word: return ["enum": words]
    case .number(_, let range, _):
      let allowed = if case .underlay = row.documentDefault { words + ["auto"] } else { words }
      return allowed.isEmpty ? number(range) : ["anyOf": [number(range), ["enum": allowed]]]
    case .clock(let range), .longClock(let range): return number(range)
    case .mask: return number(0...65535)
    case .wideMask: return ["type": ["string", "integer"], "pattern": "^0x[0-9a-fA-F]{1,16}$"]
    case .reservedGroup: return ["type": "string", "pattern": "^01:80:[cC]2:00:00:0(0|[4-9a-fA-F])$"]
    case .portRange: return ["type": "string", "pattern": "^[0-9]+-[0-9]+$"]
    case .address: return reference("address")
    case .mac: return reference("mac")
    case .link, .lower: return reference("name")
    case .greKey: return number(0...UInt32.max)
    case .text(let maximum): return ["type": "string", "maxLength": maximum]
    }
  }
}
