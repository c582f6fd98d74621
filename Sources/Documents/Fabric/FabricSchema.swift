import OverlayModel

// The sections `fabric` and `networks` in the JSON Schema of documents.

extension DocumentSchema {
  private static func text(_ text: String, _ description: String) -> Object {
    described(["type": "string"].merging(text.isEmpty ? [:] : ["pattern": text]) { $1 }, description)
  }

  private static func words(_ words: [String], _ description: String) -> Object {
    described(["enum": words], description)
  }

  /// From names that are no names of links.
  private static func named(_ value: Object) -> Object {
    ["type": "object", "additionalProperties": value]
  }

  private static let vni: ClosedRange<UInt32> = 1...16_777_215
  private static let mtu: ClosedRange<UInt32> = 576...65535

  // MARK: BGP

  private static var autonomousSystem: Object { number(1...UInt32.max) }

  private static var bgp: Object {
    object([
      "as": described(autonomousSystem, "The autonomous system of VTEPs that name none."),
      "route-reflectors": described(
        list(["type": ["string", "number"]]),
        "Whom all others have a session with: VTEPs by name, or addresses; without it each VTEP has one with each."
      ),
      "timers": described(
        object([
          "keepalive": described(number(1...21_845), "Seconds between signs of life; a third of `hold`."),
          "hold": described(
            number(3...65535), "Seconds without any, after which a session ends; three times `keepalive`."),
          "connect": described(number(1...65535), "Seconds between attempts at a session."),
        ]), "Those of BGP sessions, in seconds; FRR's own where they are left out."),
    ])
  }

  private static var routeDistinguisher: Object {
    text(
      "^[0-9a-z.-]+:[0-9]+$",
      "The route distinguisher as ASN:NUMBER, ADDRESS:NUMBER or router-id:NUMBER; FRR derives it where it is left out."
    )
  }

  private static var routeTargets: Object {
    let targets = list(text("^[0-9.]+:[0-9]+$", "ASN:NUMBER or ADDRESS:NUMBER."))
    return described(
      ["anyOf": [targets, object(["import": targets, "export": targets])]],
      "The route targets, for both directions or for each; FRR derives those that are left out.")
  }

  static var fabric: Object {
    let vtep = object([
      "address": described(reference("address"), "Its address on the underlay."),
      "addresses": described(list(reference("address")), "An IPv4 and an IPv6 address, where it has both."),
      "device": described(reference("name"), "The underlay device there."),
      "underlay-mtu": described(number(mtu), "The largest packet that the underlay takes from there."),
      "router-mac": described(reference("mac"), "Its address as a router between VTEPs."),
      "labels": described(
        named(["type": ["string", "number", "boolean"]]), "By which networks choose members."),
      "as": described(autonomousSystem, "Its autonomous system in BGP, where it is not the fabric's."),
      "router-id": described(
        reference("address"),
        "By which BGP tells it from others, written as an IPv4 address; its own, or derived from its name where it has none."
      ),
    ])
    let external = object(
      [
        "to": ["anyOf": [reference("prefix"), reference("address"), ["const": "default"]]],
        "vtep": ["type": ["string", "number"]], "via": reference("address"), "device": reference("name"),
      ], required: ["to", "vtep"])
    let vrf = object([
      "table": described(
        number(1...UInt32.max), "The number of its routing table; the VNI where it is left out."),
      "vni": described(number(vni), "The VNI by which VTEPs route to each other (L3VNI)."),
      "vlan": described(
        number(VLANEntry.ids),
        "The VLAN of its `vni` on a bridge that networks share (`model: single-device`); a free one where it is left out."
      ),
      "external": described(list(external), "What is outside, and behind which VTEP."),
      "rd": routeDistinguisher, "route-targets": routeTargets,
    ])
    return object([
      "vteps": described(
        named(["anyOf": [reference("address"), vtep]]), "The tunnel endpoints by name, which is their host's."
      ),
      "vrfs": map(of: vrf, "VRFs that span VTEPs, by name."),
      "device": described(reference("name"), "The underlay device of VTEPs that name none."),
      "underlay-mtu": described(number(mtu), "The underlay's MTU where a VTEP says nothing else; 1500."),
      "port": described(number(1...65535), "The UDP port of VXLAN; 4789."),
      "source-ports": text("^[0-9]+-[0-9]+$", "The UDP source ports of VXLAN as LOW-HIGH."),
      "bgp": described(bgp, "How VTEPs tell each other of `evpn` networks, for `weft render frr`."),
    ])
  }

  static var networks: Object {
    let names = list(["type": ["string", "number"]])
    let gateway = object([
      "addresses": described(list(reference("prefix")), "Its addresses, the same on every VTEP."),
      "mac": described(
        reference("mac"), "Its MAC address, the same on every VTEP; derived where it is left out."),
      "vrf": described(reference("name"), "The VRF that routes the network."),
      "vteps": described(names, "Where it is, for a central gateway; on every member where it is left out."),
    ])
    let port: Object = [
      "anyOf": [
        reference("name"),
        object(["name": reference("name"), "vlan": number(VLANEntry.ids)], required: ["name"]),
      ]
    ]
    let endpoint = object(
      [
        "ip": ["anyOf": [reference("address"), list(reference("address"))]],
        "vtep": ["type": ["string", "number"]], "port": reference("name"),
      ], required: ["vtep"])
    let network = object([
      "vni": described(number(vni), "The network's number in packets. Required for a bridged network."),
      "vlan": described(number(VLANEntry.ids), "The VLAN on the shared bridge, for `model: single-device`."),
      "vteps": described(
        ["anyOf": [["const": "all"], names, named(["type": ["string", "number", "boolean"]])]],
        "Its members: a list, labels that they have, or `all`, which is the default."),
      "encapsulation": words(
        FabricNetwork.Encapsulation.allCases.map(\.rawValue), "How frames are wrapped; `vxlan`."),
      "control-plane": words(
        FabricNetwork.ControlPlane.allCases.map(\.rawValue),
        "Who says where an address is: the document (`static`), the frames, or BGP; `static`."),
      "flood": described(
        [
          "anyOf": [
            ["enum": ["head-end", "none"]],
            object(["multicast": reference("address")], required: ["multicast"]),
          ]
        ], "Whom broadcasts go to: a copy to each member (`head-end`), a multicast group, or nobody."),
      "unknown-unicast": words(
        ["flood", "drop"], "What becomes of frames to addresses that are not known; `drop` for `static`."),
      "arp-suppression": described(
        ["type": "boolean"], "Answer ARP and ND on the host itself; true where the addresses are known."),
      "gateway": described(gateway, "The address that endpoints route by."),
      "type": words(
        FabricNetwork.Kind.allCases.map(\.rawValue),
        "One broadcast domain (`bridged`), or a route for each endpoint (`routed`)."),
      "model": words(
        FabricNetwork.Model.allCases.map(\.rawValue),
        "A device of its own, or one shared with other networks."),
      "underlay": words(["ipv4", "ipv6"], "The family, where members have both; `ipv4`."),
      "mtu": described(
        ["anyOf": [number(mtu), ["const": "auto"]]],
        "Of the endpoints' packets; the smallest underlay's less the encapsulation where it is left out."),
      "tagged": described(["type": "boolean"], "Whether endpoints' frames carry a VLAN tag, 4 bytes."),
      "bridge": described(reference("name"), "The name of the bridge; br-NAME."),
      "device": described(reference("name"), "The name of the tunnel device; vx-NAME."),
      "ports": described(
        named(list(port)), "Local links that are part of it, by VTEP; `vlan` takes one VLAN of a link."),
      "endpoints": described(table("mac", endpoint), "Who has which addresses, and behind which VTEP."),
      "endpoints-from": described(
        ["anyOf": [["type": "string"], list(["type": "string"])]],
        "Files with endpoints as CSV or as one JSON object a line."),
      "rd": routeDistinguisher, "route-targets": routeTargets,
    ])
    return ["type": ["object", "null"], "additionalProperties": orNothing(network)]
  }
}
