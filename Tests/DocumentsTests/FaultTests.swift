import Documents
import OverlayModel
import Testing

/// What is said of documents, the first of which is called a.yaml: all of it, as the user reads it.
private func faults(_ documents: [String]) -> String {
  faults(documents.map { Array(($0.isEmpty ? "" : $0 + "\n").utf8) })
}

private func faults(_ documents: [[UInt8]]) -> String {
  let files = zip(["a", "b", "c", "d"], documents).map { SourceFile(name: "\($0).yaml", bytes: $1) }
  do throws(DocumentFaults) {
    _ = try DocumentCompiler.compile(files)
    return "valid"
  } catch {
    return DiagnosticRenderer(files: error.files).render(error.diagnostics)
  }
}

private func expect(
  _ documents: String..., faults expected: String, sourceLocation: SourceLocation = #_sourceLocation
) {
  let text = faults(documents)
  #expect(text == expected, "\n\(text)", sourceLocation: sourceLocation)
}

/// Keys that are not known, or given twice.
@Suite struct KeyFaultTests {
  @Test func unknownKeyWithSuggestion() {
    expect(
      """
      weft: 1
      vxlan:
        vx0: {vni: 1}
      """,
      faults: """
        a.yaml:2:1: error: unknown key `vxlan`: did you mean `vxlans`?
            vxlan:
            ^
        """)
  }

  @Test func unknownKeyInOtherSpelling() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          source_ports: 1000-2000
          sourcePorts: 1000-2000
          LEARNING: false
      """,
      faults: """
        a.yaml:5:5: error: unknown key `source_ports`: did you mean `source-ports`?
                source_ports: 1000-2000
                ^
        a.yaml:6:5: error: unknown key `sourcePorts`: did you mean `source-ports`?
                sourcePorts: 1000-2000
                ^
        a.yaml:7:5: error: unknown key `LEARNING`: did you mean `learning`?
                LEARNING: false
                ^
        """)
  }

  @Test func unknownKeyWithoutSuggestion() {
    expect(
      """
      weft: 1
      hosts: {}
      """,
      faults: """
        a.yaml:2:1: error: unknown key `hosts`: known are `weft`, `vrfs`, `vxlans`, `geneves`, `gretaps`, `bridges`, `vlans`, `macvlans`, `links`, `nexthops`
            hosts: {}
            ^
        """)
  }

  @Test func unknownKeyOfPort() {
    expect(
      """
      weft: 1
      bridges:
        br0:
          ports:
            tap0: {nieghsuppress: true, wibble: 1}
      """,
      faults: """
        a.yaml:5:14: error: unknown key `nieghsuppress`: did you mean `neigh-suppress`?
                  tap0: {nieghsuppress: true, wibble: 1}
                         ^
        a.yaml:5:35: error: unknown key `wibble`: known are `learning`, `flood`, `multicast-flood`, `broadcast-flood`, `neigh-suppress`, `neigh-vlan-suppress`, `isolated`, `hairpin`, `locked`, `guard`, `fast-leave`, `cost`, `priority`, `proxy-arp`, `vlan-tunnel`, `root-block`, `proxy-arp-wifi`, `multicast-to-unicast`, `multicast-router`, `optional`, `vlans`
                  tap0: {nieghsuppress: true, wibble: 1}
                                              ^
        """)
  }

  @Test func unknownKeyOfDestination() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          flood: [{vtep: 192.0.2.12, dev: eth0}]
      """,
      faults: """
        a.yaml:5:32: error: unknown key `dev`: known are `vtep`, `vni`, `port`, `via`
                flood: [{vtep: 192.0.2.12, dev: eth0}]
                                           ^
        """)
  }

  @Test func keyTooLongToShow() {
    expect(
      """
      weft: 1
      xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: 1
      """,
      faults: """
        a.yaml:2:1: error: unknown key `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`: known are `weft`, `vrfs`, `vxlans`, `geneves`, `gretaps`, `bridges`, `vlans`, `macvlans`, `links`, `nexthops`
            xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
            ^
        """)
  }

  @Test func duplicateKey() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          port: 4789
          port: 4790
      """,
      faults: """
        a.yaml:6:5: error: `port` is given twice
                port: 4790
                ^
        a.yaml:5:5: note: first given here
                port: 4789
                ^
        """)
  }

  @Test func duplicateSection() {
    expect(
      """
      weft: 1
      bridges:
        br0: {}
      bridges:
        br1: {}
      """,
      faults: """
        a.yaml:4:1: error: `bridges` is given twice
            bridges:
            ^
        a.yaml:2:1: note: first given here
            bridges:
            ^
        """)
  }

  @Test func duplicateDevice() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 1}
        vx0: {vni: 2}
      """,
      faults: """
        a.yaml:4:3: error: vx0 is given twice
              vx0: {vni: 2}
              ^
        a.yaml:3:3: note: first given here
              vx0: {vni: 1}
              ^
        """)
  }

  @Test func duplicateMAC() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          fdb:
            02:00:00:00:00:01: 192.0.2.12
            02:00:00:00:00:02: 192.0.2.12
            02:00:00:00:00:01: 192.0.2.13
      """,
      faults: """
        a.yaml:8:7: error: fdb: 02:00:00:00:00:01 is given twice
                  02:00:00:00:00:01: 192.0.2.13
                  ^
        a.yaml:6:7: note: first given here
                  02:00:00:00:00:01: 192.0.2.12
                  ^
        """)
  }

  @Test func duplicateMACInOtherSpelling() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          fdb:
            02:00:00:00:00:0a: 192.0.2.12
            02:00:00:00:00:0A: 192.0.2.12
      """,
      faults: """
        a.yaml:7:7: error: fdb: 02:00:00:00:00:0a is given twice
                  02:00:00:00:00:0A: 192.0.2.12
                  ^
        a.yaml:6:7: note: first given here
                  02:00:00:00:00:0a: 192.0.2.12
                  ^
        """)
  }

  @Test func duplicateFlood() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          flood: [192.0.2.12, 192.0.2.13, 192.0.2.12]
      """,
      faults: """
        a.yaml:5:37: error: flood: 192.0.2.12 is given twice
                flood: [192.0.2.12, 192.0.2.13, 192.0.2.12]
                                                ^
        a.yaml:5:13: note: first given here
                flood: [192.0.2.12, 192.0.2.13, 192.0.2.12]
                        ^
        """)
  }

  @Test func duplicateFloodWithTheDevicesOwnPort() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          flood:
            - 192.0.2.12
            - {vtep: 192.0.2.12, port: 4789}
      """,
      faults: """
        a.yaml:7:9: error: vxlan vx0: 192.0.2.12 is given twice: without `vni` and `port` the device's own are meant
                  - {vtep: 192.0.2.12, port: 4789}
                    ^
        a.yaml:6:9: note: first given here
                  - 192.0.2.12
                    ^
        """)
  }

  @Test func duplicateFloodWithTheDevicesOwnVNI() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          flood:
            - {vtep: 192.0.2.12, vni: 5000}
            - 192.0.2.12
      """,
      faults: """
        a.yaml:7:9: error: vxlan vx0: 192.0.2.12 is given twice: without `vni` and `port` the device's own are meant
                  - 192.0.2.12
                    ^
        a.yaml:6:9: note: first given here
                  - {vtep: 192.0.2.12, vni: 5000}
                    ^
        """)
  }

  @Test func duplicateMulticastDestination() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          fdb:
            01:00:5e:00:00:01: [192.0.2.12, 192.0.2.12]
      """,
      faults: """
        a.yaml:6:39: error: fdb: 192.0.2.12 is given twice
                  01:00:5e:00:00:01: [192.0.2.12, 192.0.2.12]
                                                  ^
        a.yaml:6:27: note: first given here
                  01:00:5e:00:00:01: [192.0.2.12, 192.0.2.12]
                                      ^
        """)
  }

  @Test func duplicateNeighbourAndAddress() {
    expect(
      """
      weft: 1
      bridges:
        br0:
          addresses: [10.0.1.1/24, 10.0.1.1/24]
          neighbours:
            2001:db8::1: 02:00:00:00:00:01
            2001:DB8:0::1: 02:00:00:00:00:02
      """,
      faults: """
        a.yaml:4:30: error: addresses: 10.0.1.1/24 is given twice
                addresses: [10.0.1.1/24, 10.0.1.1/24]
                                         ^
        a.yaml:4:17: note: first given here
                addresses: [10.0.1.1/24, 10.0.1.1/24]
                            ^
        a.yaml:7:7: error: neighbours: 2001:db8::1 is given twice
                  2001:DB8:0::1: 02:00:00:00:00:02
                  ^
        a.yaml:6:7: note: first given here
                  2001:db8::1: 02:00:00:00:00:01
                  ^
        """)
  }

  @Test func sameObjectInTwoFiles() {
    expect(
      """
      weft: 1
      vxlans:
        net0: {vni: 1}
      """,
      """
      weft: 1
      bridges:
        net0: {}
      """,
      faults: """
        b.yaml:3:3: error: net0 is described twice: put all of it in one place
              net0: {}
              ^
        a.yaml:3:3: note: here as a vxlan
              net0: {vni: 1}
              ^
        """)
  }

  @Test func sameLinkInTwoFiles() {
    expect(
      """
      weft: 1
      links:
        eth0: {mtu: 9000}
      """,
      """
      weft: 1
      links:
        eth0: {mtu: 1500}
      """,
      faults: """
        b.yaml:3:3: error: eth0 is described twice: put all of it in one place
              eth0: {mtu: 1500}
              ^
        a.yaml:3:3: note: here as a link
              eth0: {mtu: 9000}
              ^
        """)
  }
}

/// Values of the wrong type.
@Suite struct TypeFaultTests {
  @Test func listForScalar() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          port: [4789]
          up: [true]
      """,
      faults: """
        a.yaml:5:11: error: port: expected a single value, not a list
                port: [4789]
                      ^
        a.yaml:6:9: error: up: expected a single value, not a list
                up: [true]
                    ^
        """)
  }

  @Test func mappingForScalar() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          device: {name: eth0}
      """,
      faults: """
        a.yaml:5:13: error: device: expected a single value, not a mapping
                device: {name: eth0}
                        ^
        """)
  }

  @Test func scalarForMapping() {
    expect(
      """
      weft: 1
      vxlans: vx0
      bridges:
        br0: true
        br1:
          ports: tap0
      """,
      faults: """
        a.yaml:2:9: error: expected a mapping, not vx0
            vxlans: vx0
                    ^
        a.yaml:4:8: error: expected a mapping, not true
              br0: true
                   ^
        a.yaml:6:12: error: expected a mapping, not tap0
                ports: tap0
                       ^
        """)
  }

  @Test func listForMapping() {
    expect(
      """
      weft: 1
      bridges:
        br0: [tap0]
        br1:
          ports: [tap0]
      """,
      faults: """
        a.yaml:3:8: error: expected a mapping, not a list
              br0: [tap0]
                   ^
        a.yaml:5:12: error: expected a mapping, not a list
                ports: [tap0]
                       ^
        """)
  }

  @Test func scalarForList() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          flood: 192.0.2.12
          fdb: 02:00:00:00:00:01
      """,
      faults: """
        a.yaml:5:12: error: flood: expected a list, not 192.0.2.12
                flood: 192.0.2.12
                       ^
        a.yaml:6:10: error: fdb: expected a mapping, not 02:00:00:00:00:01
                fdb: 02:00:00:00:00:01
                     ^
        """)
  }

  @Test func listInList() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          flood: [[192.0.2.12]]
      """,
      faults: """
        a.yaml:5:13: error: flood: expected a VTEP, not a list in the list
                flood: [[192.0.2.12]]
                        ^
        """)
  }

  @Test func listForOneDestination() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          fdb:
            02:00:00:00:00:01: [192.0.2.12]
      """,
      faults: """
        a.yaml:6:26: error: fdb: 02:00:00:00:00:01 takes one VTEP: only a multicast address can have a list
                  02:00:00:00:00:01: [192.0.2.12]
                                     ^
        """)
  }

  @Test func textForNumber() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          port: vxlan
          ttl: many
      """,
      faults: """
        a.yaml:5:11: error: port: vxlan is not a number from 1 to 65535
                port: vxlan
                      ^
        a.yaml:6:10: error: ttl: many is not a number from 1 to 255, or `auto`, or `inherit`
                ttl: many
                     ^
        """)
  }

  @Test func unusualNumbers() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          port: 04789
          ageing: 1_000
          max-addresses: 1e3
          ttl: -1
          tos: 0xzz
      """,
      faults: """
        a.yaml:5:11: error: port: 04789 is not a number from 1 to 65535
                port: 04789
                      ^
        a.yaml:6:13: error: ageing: 1_000 is not a number from 1 to 4294967295
                ageing: 1_000
                        ^
        a.yaml:7:20: error: max-addresses: 1e3 is not a number from 0 to 4294967295
                max-addresses: 1e3
                               ^
        a.yaml:8:10: error: ttl: -1 is not a number from 1 to 255, or `auto`, or `inherit`
                ttl: -1
                     ^
        a.yaml:9:10: error: tos: 0xzz is not a number from 0 to 255, or `inherit`
                tos: 0xzz
                     ^
        """)
  }

  @Test func quotedNumber() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: "5000"}
      """,
      faults: """
        a.yaml:3:14: error: vni: "5000" is not a number from 1 to 16777215: write it without quotes
              vx0: {vni: "5000"}
                         ^
        """)
  }

  @Test func wordsForBooleans() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          learning: yes
          proxy: Off
          l2-miss: 1
          l3-miss: 'true'
          up: maybe
      """,
      faults: """
        a.yaml:5:15: error: learning: yes is not true or false: write true
                learning: yes
                          ^
        a.yaml:6:12: error: proxy: Off is not true or false: write false
                proxy: Off
                       ^
        a.yaml:7:14: error: l2-miss: 1 is not true or false: write true
                l2-miss: 1
                         ^
        a.yaml:8:14: error: l3-miss: "true" is not true or false: write true without quotes
                l3-miss: 'true'
                         ^
        a.yaml:9:9: error: up: maybe is not true or false
                up: maybe
                    ^
        """)
  }

  @Test func missingSpaceAfterColon() {
    expect(
      """
      weft: 1
      bridges:
        br0:
          up:true
      """,
      faults: """
        a.yaml:4:5: error: expected a mapping, not up:true
                up:true
                ^
        """)
  }

  @Test func rootIsNoMapping() {
    expect(
      """
      - weft: 1
      """,
      """
      hello
      """,
      """
      ~
      """,
      faults: """
        a.yaml:1:1: error: a document is a mapping that begins with `weft: 1`
            - weft: 1
            ^
        b.yaml:1:1: error: a document is a mapping that begins with `weft: 1`
            hello
            ^
        c.yaml:1:1: error: a document is a mapping that begins with `weft: 1`
            ~
            ^
        """)
  }

  @Test func keyIsNoScalar() {
    expect(
      """
      weft: 1
      ? [a, b]
      : 3
      """,
      faults: """
        a.yaml:2:3: error: a key must be a single word or text, not a list
            ? [a, b]
              ^
        """)
  }

  @Test func bridgeEntryWithoutPort() {
    expect(
      """
      weft: 1
      bridges:
        br0:
          fdb:
            02:00:00:00:00:01: tap0
            02:00:00:00:00:02: {}
      """,
      faults: """
        a.yaml:5:26: error: fdb: expected `{port: NAME}`, not a single value
                  02:00:00:00:00:01: tap0
                                     ^
        a.yaml:6:7: error: fdb: `port` is missing, the bridge's port that 02:00:00:00:00:02 is behind
                  02:00:00:00:00:02: {}
                  ^
        """)
  }
}

/// Values that cannot be.
@Suite struct ValueFaultTests {
  @Test func vniOutOfRange() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 0}
        vx1: {vni: 16777216}
      """,
      faults: """
        a.yaml:3:14: error: vni: 0 is not a number from 1 to 16777215
              vx0: {vni: 0}
                         ^
        a.yaml:4:14: error: vni: 16777216 is not a number from 1 to 16777215
              vx1: {vni: 16777216}
                         ^
        """)
  }

  @Test func numbersOutOfRange() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          port: 0
          source-ports: 2000-1000
          ttl: 256
          df: maybe
          mtu: 20
          ageing: 4294967296
      """,
      faults: """
        a.yaml:5:11: error: port: 0 is not a number from 1 to 65535
                port: 0
                      ^
        a.yaml:6:19: error: source-ports: 2000-1000 is not a range of ports, the lower first, such as 32768-60999
                source-ports: 2000-1000
                              ^
        a.yaml:7:10: error: ttl: 256 is not a number from 1 to 255, or `auto`, or `inherit`
                ttl: 256
                     ^
        a.yaml:8:9: error: df: maybe is not a number from 0 to 2, or `unset`, or `set`, or `inherit`
                df: maybe
                    ^
        a.yaml:9:10: error: mtu: 20 is not a number from 68 to 65535, or `auto`
                mtu: 20
                     ^
        a.yaml:10:13: error: ageing: 4294967296 is not a number from 1 to 4294967295
                ageing: 4294967296
                        ^
        """)
  }

  @Test func badMAC() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          mac: 02:00:00:00:00
          fdb:
            02:00:00:00:00:zz: 192.0.2.12
            020000000001: 192.0.2.12
      """,
      faults: """
        a.yaml:5:10: error: mac: 02:00:00:00:00 is not a MAC address such as 02:00:00:00:00:01
                mac: 02:00:00:00:00
                     ^
        a.yaml:7:7: error: fdb: 02:00:00:00:00:zz is not a MAC address such as 02:00:00:00:00:01
                  02:00:00:00:00:zz: 192.0.2.12
                  ^
        a.yaml:8:7: error: fdb: 020000000001 is not a MAC address such as 02:00:00:00:00:01
                  020000000001: 192.0.2.12
                  ^
        """)
  }

  @Test func macThatNoDeviceCanHave() {
    expect(
      """
      weft: 1
      bridges:
        br0: {mac: 01:00:5e:00:00:01}
        br1: {mac: 00:00:00:00:00:00}
      """,
      faults: """
        a.yaml:3:14: error: mac: 01:00:5e:00:00:01 is not an address that one device can have: it is a multicast address
              br0: {mac: 01:00:5e:00:00:01}
                         ^
        a.yaml:4:14: error: mac: 00:00:00:00:00:00 is not an address that one device can have: it is zero
              br1: {mac: 00:00:00:00:00:00}
                         ^
        """)
  }

  @Test func macThatNoEntryCanHave() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          fdb:
            00:00:00:00:00:00: 192.0.2.12
      bridges:
        br0:
          ports: {vx0: }
          fdb:
            01:00:5e:00:00:01: {port: vx0}
      """,
      faults: """
        a.yaml:6:7: error: fdb: the zero address is the flood list: use `flood`
                  00:00:00:00:00:00: 192.0.2.12
                  ^
        a.yaml:11:7: error: fdb: 01:00:5e:00:00:01 is no unicast address: a bridge's entry has one port
                  01:00:5e:00:00:01: {port: vx0}
                  ^
        """)
  }

  @Test func badIP() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: 192.0.2.256
          flood: [vtep7.example.net, 192.0.2.012, 0.0.0.0]
      """,
      faults: """
        a.yaml:5:12: error: local: 192.0.2.256 is not an IP address such as 192.0.2.12 or 2001:db8::12
                local: 192.0.2.256
                       ^
        a.yaml:6:13: error: flood: vtep7.example.net is not an IP address such as 192.0.2.12 or 2001:db8::12
                flood: [vtep7.example.net, 192.0.2.012, 0.0.0.0]
                        ^
        a.yaml:6:32: error: flood: 192.0.2.012 is not an IP address such as 192.0.2.12 or 2001:db8::12
                flood: [vtep7.example.net, 192.0.2.012, 0.0.0.0]
                                           ^
        a.yaml:6:45: error: flood: 0.0.0.0 is no address of a VTEP
                flood: [vtep7.example.net, 192.0.2.012, 0.0.0.0]
                                                        ^
        """)
  }

  @Test func addressMissing() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          fdb:
            02:00:00:00:00:01:
            02:00:00:00:00:02: {port: 4789}
      """,
      faults: """
        a.yaml:6:25: error: fdb: the address of the VTEP is missing, such as 192.0.2.12 or 2001:db8::12
                  02:00:00:00:00:01:
                                    ^
        a.yaml:7:26: error: fdb: `vtep` is missing, the address of the tunnel endpoint
                  02:00:00:00:00:02: {port: 4789}
                                     ^
        """)
  }

  @Test func multicastRemote() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          remote: 239.1.1.1
          device: eth0
      """,
      faults: """
        a.yaml:5:13: error: remote: 239.1.1.1 is not a unicast address: a multicast address goes under `group`
                remote: 239.1.1.1
                        ^
        """)
  }

  @Test func unicastGroup() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          group: 192.0.2.9
          device: eth0
      """,
      faults: """
        a.yaml:5:12: error: group: 192.0.2.9 is not a multicast address: a unicast address goes under `remote`
                group: 192.0.2.9
                       ^
        """)
  }

  @Test func addressWithoutPrefixLength() {
    expect(
      """
      weft: 1
      bridges:
        br0:
          addresses: [10.0.1.1, 2001:db8::1, 10.0.1.1/33]
      """,
      faults: """
        a.yaml:4:17: error: addresses: 10.0.1.1 lacks the length of its network's prefix, such as 10.0.1.1/24
                addresses: [10.0.1.1, 2001:db8::1, 10.0.1.1/33]
                            ^
        a.yaml:4:27: error: addresses: 2001:db8::1 lacks the length of its network's prefix, such as 2001:db8::1/64
                addresses: [10.0.1.1, 2001:db8::1, 10.0.1.1/33]
                                      ^
        a.yaml:4:40: error: addresses: 10.0.1.1/33 is not an address with a prefix length such as 10.0.1.1/24
                addresses: [10.0.1.1, 2001:db8::1, 10.0.1.1/33]
                                                   ^
        """)
  }

  @Test func names() {
    expect(
      """
      weft: 1
      vxlans:
        vxlan-production: {vni: 1}
        vx/1: {vni: 2}
        vx 2: {vni: 3}
        "": {vni: 4}
        ..: {vni: 5}
        "vx%d": {vni: 6}
        ~: {vni: 7}
      """,
      faults: """
        a.yaml:3:3: error: name: vxlan-production cannot be the name of a link: it has 16 characters, Linux takes 15
              vxlan-production: {vni: 1}
              ^
        a.yaml:4:3: error: name: vx/1 cannot be the name of a link: it holds the character `/`
              vx/1: {vni: 2}
              ^
        a.yaml:5:3: error: name: vx 2 cannot be the name of a link: it holds white space
              vx 2: {vni: 3}
              ^
        a.yaml:6:3: error: name: "" cannot be the name of a link: it is empty
              "": {vni: 4}
              ^
        a.yaml:7:3: error: name: .. cannot be the name of a link: Linux reserves it
              ..: {vni: 5}
              ^
        a.yaml:8:3: error: name: "vx%d" cannot be the name of a link: it holds the character `%`
              "vx%d": {vni: 6}
              ^
        a.yaml:9:3: error: name: the name of a link is missing
              ~: {vni: 7}
              ^
        """)
  }

  @Test func namesInOtherPlaces() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 5000, device: an-interface-name}
      bridges:
        br0:
          ports: {tap/0: }
          fdb:
            02:00:00:00:00:01: {port: "tap 0"}
      links:
        interface-number-1: {}
      """,
      faults: """
        a.yaml:3:28: error: device: an-interface-name cannot be the name of a link: it has 17 characters, Linux takes 15
              vx0: {vni: 5000, device: an-interface-name}
                                       ^
        a.yaml:6:13: error: name: tap/0 cannot be the name of a link: it holds the character `/`
                ports: {tap/0: }
                        ^
        a.yaml:8:33: error: port: "tap 0" cannot be the name of a link: it holds white space
                  02:00:00:00:00:01: {port: "tap 0"}
                                            ^
        a.yaml:10:3: error: name: interface-number-1 cannot be the name of a link: it has 18 characters, Linux takes 15
              interface-number-1: {}
              ^
        """)
  }

  @Test func descriptionTooLong() {
    expect(
      """
      weft: 1
      bridges:
        br0: {description: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}
      """,
      faults: """
        a.yaml:3:22: error: description: 300 bytes are too many, the kernel keeps 255
              br0: {description: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
                                 ^
        """)
  }

  @Test func tableWithNothingBehindIt() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          fdb:
          flood:
          addresses: ~
          neighbours: null
      """,
      faults: """
        a.yaml:5:9: error: fdb: nothing is said: write {} for an empty table, or leave the key out
                fdb:
                    ^
        a.yaml:6:11: error: flood: nothing is said: write [] for an empty list, or leave the key out
                flood:
                      ^
        a.yaml:7:16: error: addresses: nothing is said: write [] for none, or leave the key out
                addresses: ~
                           ^
        a.yaml:8:17: error: neighbours: nothing is said: write {} for an empty table, or leave the key out
                neighbours: null
                            ^
        """)
  }
}

/// Values that do not go together.
@Suite struct RelationFaultTests {
  @Test func vniMissing() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
        vx1: {port: 4789}
      """,
      faults: """
        a.yaml:3:3: error: vxlan vx0: `vni` is missing, the network's number from 1 to 16777215
              vx0:
              ^
        a.yaml:4:3: error: vxlan vx1: `vni` is missing, the network's number from 1 to 16777215
              vx1: {port: 4789}
              ^
        """)
  }

  @Test func ipv4DestinationOnIPv6Device() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: 2001:db8::1
          fdb:
            02:00:00:00:00:01: 192.0.2.12
      """,
      faults: """
        a.yaml:7:7: error: vxlan vx0: 192.0.2.12 is an IPv4 address, but the device is IPv6: Linux takes one family for each device
                  02:00:00:00:00:01: 192.0.2.12
                  ^
        """)
  }

  @Test func ipv6DestinationOnIPv4Device() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: 192.0.2.11
          fdb:
            02:00:00:00:00:01: 2001:db8::12
      """,
      faults: """
        a.yaml:7:7: error: vxlan vx0: 2001:db8::12 is an IPv6 address, but the device is IPv4: Linux takes one family for each device
                  02:00:00:00:00:01: 2001:db8::12
                  ^
        """)
  }

  @Test func ipv6DestinationWithoutLocal() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          fdb:
            02:00:00:00:00:01: 2001:db8::12
      """,
      faults: """
        a.yaml:6:7: error: vxlan vx0: 2001:db8::12 is an IPv6 address, but the device is IPv4 because it has no `local` address: give it an IPv6 one
                  02:00:00:00:00:01: 2001:db8::12
                  ^
        """)
  }

  @Test func remoteOfTheOtherFamily() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: 2001:db8::1
          remote: 192.0.2.12
      """,
      faults: """
        a.yaml:6:13: error: vxlan vx0: `remote` is an IPv4 address, but the device is IPv6 by its other addresses
                remote: 192.0.2.12
                        ^
        """)
  }

  @Test func groupAndRemote() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          remote: 192.0.2.9
          group: 239.1.1.1
          device: eth0
      """,
      faults: """
        a.yaml:5:13: error: vxlan vx0: `group` and `remote` are the same thing for Linux, the default destination: give one of the two
                remote: 192.0.2.9
                        ^
        a.yaml:6:12: note: `group` is here
                group: 239.1.1.1
                       ^
        """)
  }

  @Test func groupWithoutDevice() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          group: 239.1.1.1
      """,
      faults: """
        a.yaml:5:12: error: vxlan vx0: a multicast `group` needs `device`, the underlay device
                group: 239.1.1.1
                       ^
        """)
  }

  @Test func linkLocalWithoutDevice() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: fe80::1
      """,
      faults: """
        a.yaml:5:12: error: vxlan vx0: the link-local address fe80::1 needs `device`, the underlay device
                local: fe80::1
                       ^
        """)
  }

  @Test func deviceIsItsOwnUnderlay() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          device: vx0
      """,
      faults: """
        a.yaml:5:13: error: vxlan vx0: a device cannot be its own underlay
                device: vx0
                        ^
        """)
  }

  @Test func flowLabelOnIPv4() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: 192.0.2.11
          flow-label: 7
      """,
      faults: """
        a.yaml:6:17: error: vxlan vx0: `flow-label` is for an IPv6 underlay: give an IPv6 address as `local`
                flow-label: 7
                            ^
        """)
  }

  @Test func vniFilterWithoutExternal() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          vni-filter: true
      """,
      faults: """
        a.yaml:5:17: error: vxlan vx0: `vni-filter` needs `external: true` as well
                vni-filter: true
                            ^
        """)
  }

  @Test func externalWithVNIAndEntries() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {external: true, vni: 7, flood: [192.0.2.12]}
      """,
      faults: """
        a.yaml:3:30: error: vxlan vx0: an `external` device has no `vni` of its own: leave out one of the two
              vx0: {external: true, vni: 7, flood: [192.0.2.12]}
                                         ^
        a.yaml:3:41: error: vxlan vx0: an `external` device has entries for each VNI, not for the device: put `fdb` and `flood` under `vnis`
              vx0: {external: true, vni: 7, flood: [192.0.2.12]}
                                                    ^
        """)
  }

  @Test func learningWithStaticEntries() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          learning: true
          fdb:
            02:00:00:00:00:01: 192.0.2.12
      """,
      faults: """
        a.yaml:5:15: error: vxlan vx0: `learning: true` does not go with static entries: Linux drops what a MAC address with an entry sends from another VTEP
                learning: true
                          ^
        a.yaml:7:7: note: a static entry is here
                  02:00:00:00:00:01: 192.0.2.12
                  ^
        """)
  }

  @Test func sameVNIAndPort() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 5000}
        vx1: {vni: 5000}
      """,
      faults: """
        a.yaml:4:14: error: vxlan vx1 has the VNI 5000 of vx0 on the same UDP port 4789: give one of them another `vni` or `port`
              vx1: {vni: 5000}
                         ^
        a.yaml:3:14: note: vx0 has it here
              vx0: {vni: 5000}
                         ^
        """)
  }

  @Test func sameVNIAndPortInTwoFiles() {
    expect(
      """
      weft: 1
      vxlans:
        vx1: {vni: 5000}
      """,
      """
      weft: 1
      vxlans:
        vx0: {vni: 5000, port: 4789}
      """,
      faults: """
        b.yaml:3:14: error: vxlan vx0 has the VNI 5000 of vx1 on the same UDP port 4789: give one of them another `vni` or `port`
              vx0: {vni: 5000, port: 4789}
                         ^
        a.yaml:3:14: note: vx1 has it here
              vx1: {vni: 5000}
                         ^
        """)
  }

  @Test func otherKindOfSocketOnOnePort() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 5000}
        vx1: {external: true}
      """,
      faults: """
        a.yaml:4:3: error: vxlan vx1 and vx0 share UDP port 4789 but differ in `external`: Linux cannot open it for both: give one of them another `port`
              vx1: {external: true}
              ^
        a.yaml:3:3: note: vx0 is here
              vx0: {vni: 5000}
              ^
        """)
  }

  @Test func groupPolicyOnOneOfTwoDevices() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 5000}
        vx1: {vni: 5001, group-policy: true}
      """,
      faults: """
        a.yaml:4:3: error: vxlan vx1 and vx0 share UDP port 4789 but differ in `group-policy`: Linux cannot open it for both: give one of them another `port`
              vx1: {vni: 5001, group-policy: true}
              ^
        a.yaml:3:3: note: vx0 is here
              vx0: {vni: 5000}
              ^
        """)
  }

  @Test func portInTwoBridges() {
    expect(
      """
      weft: 1
      bridges:
        br0:
          ports: {tap0: }
        br1:
          ports: {tap0: }
      """,
      faults: """
        a.yaml:6:13: error: tap0 is a port of two bridges, br0 and br1: leave it out of one
                ports: {tap0: }
                        ^
        a.yaml:4:13: note: first named here
                ports: {tap0: }
                        ^
        """)
  }

  @Test func bridgeAsPortAndOwnDeviceAsOptional() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 1}
      bridges:
        br0:
          ports: {br1: , vx0: {optional: true}}
        br1: {}
      """,
      faults: """
        a.yaml:6:13: error: br1 is a bridge: a bridge cannot be a port of a bridge
                ports: {br1: , vx0: {optional: true}}
                        ^
        a.yaml:6:20: error: vx0 is made by this document: `optional` is for links that come from elsewhere
                ports: {br1: , vx0: {optional: true}}
                               ^
        """)
  }

  @Test func mtuAboveTheUnderlays() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          device: eth0
          mtu: 1500
        vx6:
          vni: 5006
          device: eth0
          local: 2001:db8::1
          mtu: 1450
      links:
        eth0: {mtu: 1500}
      """,
      faults: """
        a.yaml:6:10: error: vxlan vx0: mtu 1500 is more than the underlay leaves: eth0 has 1500, less 50 for VXLAN over IPv4 is 1450: lower it, raise the underlay's, or leave it out
                mtu: 1500
                     ^
        a.yaml:11:10: error: vxlan vx6: mtu 1450 is more than the underlay leaves: eth0 has 1500, less 70 for VXLAN over IPv6 is 1430: lower it, raise the underlay's, or leave it out
                mtu: 1450
                     ^
        """)
  }
}

/// What merely follows from another fault is not reported: it is mended with it.
@Suite struct ConsequenceTests {
  @Test func nothingFollowsFromABadVNI() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: none}
        vx1: {vin: 5000}
      """,
      faults: """
        a.yaml:3:14: error: vni: none is not a number from 1 to 16777215
              vx0: {vni: none}
                         ^
        a.yaml:4:9: error: unknown key `vin`: did you mean `vni`?
              vx1: {vin: 5000}
                    ^
        """)
  }

  @Test func nothingFollowsFromABadAddress() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: 2001:db8::zz
          remote: 2001:db8::9
          flow-label: 7
          flood: [2001:db8::12, 192.0.2.12]
      """,
      faults: """
        a.yaml:5:12: error: local: 2001:db8::zz is not an IP address such as 192.0.2.12 or 2001:db8::12
                local: 2001:db8::zz
                       ^
        """)
  }

  @Test func nothingFollowsFromABadPort() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 5000}
        vx1: {vni: 5000, port: 65536}
      """,
      faults: """
        a.yaml:4:26: error: port: 65536 is not a number from 1 to 65535
              vx1: {vni: 5000, port: 65536}
                                     ^
        """)
  }

  @Test func nothingFollowsFromABadDevice() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          group: 239.1.1.1
          device: an-interface-name
      """,
      faults: """
        a.yaml:6:13: error: device: an-interface-name cannot be the name of a link: it has 17 characters, Linux takes 15
                device: an-interface-name
                        ^
        """)
  }

  @Test func nothingFollowsFromABadExternal() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {external: yes, vni-filter: true}
      """,
      faults: """
        a.yaml:3:19: error: external: yes is not true or false: write true
              vx0: {external: yes, vni-filter: true}
                              ^
        """)
  }

  @Test func othersAreStillReported() {
    expect(
      """
      weft: 1
      vxlans:
        vx0:
          vni: 5000
          local: 192.0.2.256
          learning: true
          fdb:
            02:00:00:00:00:01: 192.0.2.12
          vni-filter: true
      """,
      faults: """
        a.yaml:5:12: error: local: 192.0.2.256 is not an IP address such as 192.0.2.12 or 2001:db8::12
                local: 192.0.2.256
                       ^
        a.yaml:6:15: error: vxlan vx0: `learning: true` does not go with static entries: Linux drops what a MAC address with an entry sends from another VTEP
                learning: true
                          ^
        a.yaml:8:7: note: a static entry is here
                  02:00:00:00:00:01: 192.0.2.12
                  ^
        a.yaml:9:17: error: vxlan vx0: `vni-filter` needs `external: true` as well
                vni-filter: true
                            ^
        """)
  }
}

/// Files that are no documents.
@Suite struct FileFaultTests {
  @Test func versionMissing() {
    expect(
      """
      vxlans:
        vx0: {vni: 5000}
      """,
      faults: """
        a.yaml:1:1: error: `weft: 1` is missing: it says which version of the format this is
            vxlans:
            ^
        """)
  }

  @Test func otherVersion() {
    expect(
      """
      weft: 2
      """,
      """
      weft: "1"
      """,
      """
      weft: 1.0
      """,
      """
      weft:
      """,
      faults: """
        a.yaml:1:7: error: weft: 2 is no version of the format that this weft reads: it reads 1
            weft: 2
                  ^
        b.yaml:1:7: error: weft: "1" is no version of the format that this weft reads: it reads 1
            weft: "1"
                  ^
        c.yaml:1:7: error: weft: 1.0 is no version of the format that this weft reads: it reads 1
            weft: 1.0
                  ^
        d.yaml:1:6: error: weft: nothing is no version of the format that this weft reads: it reads 1
            weft:
                 ^
        """)
  }

  @Test func emptyFile() {
    expect(
      "",
      faults: """
        a.yaml:1:1: error: the file holds no document: a document begins with `weft: 1`
        """)
  }

  @Test func onlyComments() {
    expect(
      """
      # nothing
      # here
      """,
      faults: """
        a.yaml:1:1: error: the file holds no document: a document begins with `weft: 1`
            # nothing
            ^
        """)
  }

  @Test func onlyDocumentMarker() {
    expect(
      """
      ---
      """,
      faults: """
        a.yaml:2:1: error: a document is a mapping that begins with `weft: 1`
        """)
  }

  @Test func aliasInsideItsOwnAnchor() {
    expect(
      """
      weft: 1
      bridges: &b
        br0: *b
      """,
      faults: """
        a.yaml:3:8: error: the alias '*b' stands inside the node that it repeats
              br0: *b
                   ^
        """)
  }

  @Test func aliasOfNothing() {
    expect(
      """
      weft: 1
      bridges:
        br0: *nobody
      """,
      faults: """
        a.yaml:3:8: error: no anchor '&nobody' comes before this alias
              br0: *nobody
                   ^
        """)
  }

  @Test func mergeOfAScalar() {
    expect(
      """
      weft: 1
      bridges:
        br0:
          <<: 5
      """,
      faults: """
        a.yaml:4:9: error: '<<' merges mappings: it takes an alias of one, one in place, or a list of those, not a single value
                <<: 5
                    ^
        """)
  }

  @Test func twoDocuments() {
    expect(
      """
      weft: 1
      ---
      weft: 1
      """,
      faults: """
        a.yaml:2:1: error: a second document begins here; put it into a file of its own
            ---
            ^
        """)
  }

  @Test func tag() {
    expect(
      """
      weft: 1
      bridges:
        br0: {up: !!bool true}
      """,
      faults: """
        a.yaml:3:13: error: tags are not supported: leave out the word that begins with '!'
              br0: {up: !!bool true}
                        ^
        """)
  }

  @Test func tab() {
    expect(
      """
      weft: 1
      bridges:
      	br0: {}
      """,
      faults: """
        a.yaml:3:1: error: a tab cannot indent YAML; use spaces
             br0: {}
            ^
        """)
  }

  @Test func indentation() {
    expect(
      """
      weft: 1
      bridges:
        br0:
          up: true
         mtu: 1400
      """,
      faults: """
        a.yaml:5:4: error: did not find expected key while parsing a block mapping
               mtu: 1400
               ^
        a.yaml:3:3: note: the block mapping begins here
              br0:
              ^
        """)
  }

  @Test func closingQuoteMissing() {
    expect(
      """
      weft: 1
      bridges:
        br0: {description: "abc
      """,
      faults: """
        a.yaml:3:26: error: the closing quote is missing
              br0: {description: "abc
                                     ^
        a.yaml:3:22: note: the quoted scalar begins here
              br0: {description: "abc
                                 ^
        """)
  }

  @Test func closingBraceMissing() {
    expect(
      """
      weft: 1
      bridges: {br0: {up: true}
      """,
      faults: """
        a.yaml:2:26: error: did not find expected ',' or '}' while parsing a flow mapping
            bridges: {br0: {up: true}
                                     ^
        a.yaml:2:10: note: the flow mapping begins here
            bridges: {br0: {up: true}
                     ^
        """)
  }

  @Test func severalFiles() {
    expect(
      """
      weft: 1
      vxlans:
        vx0: {vni: 0}
        vx1: {vni: 2, flood: [192.0.2.12, 192.0.2.12]}
      """,
      """
      weft: 1
      vxlans:
        vx0: {vni: 5}
      bridgs: {}
      """,
      """
      weft: 1
      bridges: {br0: {up: no}
      """,
      faults: """
        a.yaml:3:14: error: vni: 0 is not a number from 1 to 16777215
              vx0: {vni: 0}
                         ^
        a.yaml:4:37: error: flood: 192.0.2.12 is given twice
              vx1: {vni: 2, flood: [192.0.2.12, 192.0.2.12]}
                                                ^
        a.yaml:4:25: note: first given here
              vx1: {vni: 2, flood: [192.0.2.12, 192.0.2.12]}
                                    ^
        b.yaml:3:3: error: vx0 is described twice: put all of it in one place
              vx0: {vni: 5}
              ^
        a.yaml:3:3: note: here as a vxlan
              vx0: {vni: 0}
              ^
        b.yaml:4:1: error: unknown key `bridgs`: did you mean `bridges`?
            bridgs: {}
            ^
        c.yaml:2:21: error: up: no is not true or false: write false
            bridges: {br0: {up: no}
                                ^
        c.yaml:2:24: error: did not find expected ',' or '}' while parsing a flow mapping
            bridges: {br0: {up: no}
                                   ^
        c.yaml:2:10: note: the flow mapping begins here
            bridges: {br0: {up: no}
                     ^
        """)
  }

  @Test func notUTF8() {
    let text = faults([
      Array("weft: 1\nbridges:\n  br0: {description: B".utf8) + [0xfc] + Array("cke}\n".utf8)
    ])
    #expect(
      text == """
        a.yaml:3:23: error: not UTF-8: byte 0xFC; save the file as UTF-8
              br0: {description: B\u{fffd}cke}
                                  ^
        """)
  }

  @Test func utf16() {
    let text = faults([[0xff, 0xfe] + "weft: 1\n".utf16.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] }])
    #expect(text == "a.yaml: error: the file is UTF-16; save the file as UTF-8")
  }

  /// 10 to the power of 8 mappings by their aliases, in a file of a few hundred bytes.
  @Test(.timeLimit(.minutes(1))) func bombOfAliases() {
    var document = "weft: 1\nbridges:\n  a0: &a0 {up: true}\n"
    for level in 1...8 {
      let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
      document += "  a\(level): &a\(level) {<<: [\(aliases)]}\n"
    }
    #expect(
      faults([document]) == """
        a.yaml:9:22: error: aliases expand to more than 1,000,000 nodes: write the document with fewer aliases of nodes that hold aliases themselves
              a6: &a6 {<<: [*a5, *a5, *a5, *a5, *a5, *a5, *a5, *a5, *a5, *a5]}
                                 ^
        """)
  }

  /// Nobody reads half a million messages, or waits for them.
  @Test(.timeLimit(.minutes(1))) func faultsWithoutEnd() {
    let file = SourceFile(
      name: "a.yaml", bytes: Array(("weft: 1\n" + String(repeating: "foo: bar\n", count: 500_000)).utf8))
    do throws(DocumentFaults) {
      _ = try DocumentCompiler.compile([file])
      Issue.record("it is not valid")
    } catch {
      let (count, last) = (error.diagnostics.count, error.diagnostics.last?.message)
      #expect((100...1001).contains(count))
      #expect(last == "more than \(count - 1) faults: the rest of this file was not looked at")
    }
  }
}

/// Documents that look unusual, and are good.
@Suite struct UnusualDocumentTests {
  private func state(_ documents: String...) throws -> HostState {
    let files = documents.enumerated().map { SourceFile(name: "\($0).yaml", bytes: Array($1.utf8)) }
    do {
      return try DocumentCompiler.compile(files).state
    } catch {
      Issue.record("\(DiagnosticRenderer(files: error.files).render(error.diagnostics))")
      throw error
    }
  }

  private func name(_ text: String) throws -> InterfaceName { try InterfaceName(validating: text) }

  @Test func anchorsAndMergeKeys() throws {
    let state = try state(
      """
      weft: 1
      vxlans:
        vx0: &base
          vni: 5000
          local: 192.0.2.11
          port: 4790
          flood: &vteps [192.0.2.12, 192.0.2.13]
          fdb: &table
            02:00:00:00:00:01: 192.0.2.12
            02:00:00:00:00:02: 192.0.2.12
        vx1:
          <<: *base
          vni: 5001
          fdb:
            02:00:00:00:00:01: 192.0.2.13
            <<: *table
        vx2:
          vni: 5002
          flood: *vteps
      """)
    let first = try #require(state.links[name("vx0")])
    let second = try #require(state.links[name("vx1")])
    let third = try #require(state.links[name("vx2")])
    #expect(second.specific?.number(.vni) == 5001)
    #expect(second.specific?.number(.port) == 4790)
    #expect(second.specific?.address(.local) == first.specific?.address(.local))
    #expect(
      second.fdb?.map { "\($0.mac) \($0.vtep)" } == [
        "00:00:00:00:00:00 192.0.2.12", "00:00:00:00:00:00 192.0.2.13",
        // What is said beside the merge key wins, wherever the merge key stands.
        "02:00:00:00:00:01 192.0.2.13", "02:00:00:00:00:02 192.0.2.12",
      ])
    #expect(third.specific?[.port] == nil)
    #expect(third.fdb?.map(\.vtep) == first.fdb?.filter { $0.mac == .zero }.map(\.vtep))
  }

  @Test func portsWithNothingBehindThem() throws {
    let state = try state(
      """
      weft: 1
      bridges:
        br0:
          ports:
            tap0:
            tap1: ~
            tap2: {}
      """)
    let ports = state.links.values.filter { $0.bridge?.description == "br0" }
    #expect(ports.map(\.name.description).sorted() == ["tap0", "tap1", "tap2"])
    #expect(ports.allSatisfy { !$0.isOptional && $0.owner == .others })
  }

  @Test func objectsAndSectionsWithNothingBehindThem() throws {
    let state = try state("weft: 1\nvxlans:\nbridges:\n  br0:\nlinks: {}\n")
    #expect(state.links.values.map(\.name.description) == ["br0"])
  }

  @Test func emptyTablesAreDescribed() throws {
    let state = try state("weft: 1\nvxlans:\n  vx0: {vni: 1, fdb: {}}\n  vx1: {vni: 2}\n")
    #expect(state.links[try name("vx0")]?.fdb?.isEmpty == true)
    #expect(state.links[try name("vx1")]?.fdb == nil)
  }

  @Test func json() throws {
    let yaml = try state(
      "weft: 1\nvxlans:\n  vx0: {vni: 5000, up: true, local: 192.0.2.11, flood: [192.0.2.12]}\n")
    let json = try state(
      """
      {
        "weft": 1,
        "vxlans": {
          "vx0": {"vni": 5000, "up": true, "local": "192.0.2.11", "flood": ["192.0.2.12"]}
        }
      }
      """)
    let (one, other) = (try #require(yaml.links[name("vx0")]), try #require(json.links[name("vx0")]))
    #expect(one.base == other.base && one.specific == other.specific)
    #expect(one.fdb?.map(\.vtep) == other.fdb?.map(\.vtep))
  }

  @Test func automaticMTU() throws {
    let state = try state("weft: 1\nvxlans:\n  vx0: {vni: 1, mtu: auto}\n")
    #expect(state.links[try name("vx0")]?.base[.mtu] == nil)
  }

  @Test func hexadecimalNumber() throws {
    let state = try state("weft: 1\nvxlans:\n  vx0: {vni: 0x1388}\n  vx1: {vni: 0xFFFFFF}\n")
    #expect(state.links[try name("vx0")]?.specific?.number(.vni) == 5000)
    #expect(state.links[try name("vx1")]?.specific?.number(.vni) == 16_777_215)
  }

  @Test func severalFilesAreOne() throws {
    let whole = try state(
      """
      weft: 1
      vxlans:
        vx0: {vni: 5000, flood: [192.0.2.12]}
      bridges:
        br0:
          ports: {vx0: {learning: false}}
      """)
    let parts = try state(
      "weft: 1\nbridges:\n  br0:\n    ports: {vx0: {learning: false}}\n",
      "weft: 1\nvxlans:\n  vx0: {vni: 5000, flood: [192.0.2.12]}\n")
    let link = try #require(parts.links[name("vx0")])
    #expect(link.bridge == (try name("br0")))
    #expect(link.port == whole.links[try name("vx0")]?.port)
    #expect(link.specific == whole.links[try name("vx0")]?.specific)
    #expect(link.fdb?.map(\.vtep) == whole.links[try name("vx0")]?.fdb?.map(\.vtep))
  }

  /// The same VNI is allowed where Linux tells the devices apart.
  @Test func sameVNIOnOtherPortOrFamily() throws {
    let state = try state(
      """
      weft: 1
      vxlans:
        vx0: {vni: 5000}
        vx1: {vni: 5000, port: 4790}
        vx2: {vni: 5000, local: "2001:db8::1"}
      """)
    #expect(state.links.count == 3)
  }
}

/// Tunnels of other kinds, VRFs, and links on others.
@Suite struct LinkKindFaultTests {
  private func faults(_ text: String) -> [String] {
    do throws(DocumentFaults) {
      _ = try DocumentCompiler.compile([SourceFile(name: "a.yaml", bytes: Array("weft: 1\n\(text)\n".utf8))])
      return []
    } catch {
      return error.diagnostics.map { "\($0.position.line):\($0.position.column): \($0.message)" }
    }
  }

  @Test(arguments: [
    ("stts: {s: {}}", "2:1: `stts`: Linux has no STT"),
    ("geneves: {g: {vni: 7}}", "2:11: geneve g: `remote` is missing: the tunnel's other end"),
    ("geneves: {g: {remote: 192.0.2.1}}", "2:11: geneve g: `vni` is missing"),
    ("geneves: {g: {external: true, vni: 7}}", "2:36: geneve g: an `external` device has no `vni`"),
    (
      "geneves: {g: {vni: 7, remote: 192.0.2.1, flow-label: 5}}",
      "2:54: geneve g: `flow-label` is for an IPv6 underlay, but the tunnel's addresses are IPv4"
    ),
    (
      "geneves: {g: {vni: 7, remote: 192.0.2.1}, h: {vni: 7, remote: 192.0.2.1}}",
      "2:43: geneve h has the same `vni`, `remote` and `port` as g"
    ),
    (
      "gretaps: {g: {local: 192.0.2.1, remote: \"2001:db8::1\"}}",
      "2:22: gretap g: `local` and `remote` are of two families"
    ),
    (
      "gretaps: {g: {local: 192.0.2.1, remote: 192.0.2.2, nvgre: {flow-id: 1}}}",
      "2:52: nvgre: `vsid` is missing"
    ),
    (
      "gretaps: {g: {local: 192.0.2.1, remote: 192.0.2.2, nvgre: {vsid: 5}}}",
      "2:66: vsid: 5 is not a number from 4096 to 16777214"
    ),
    (
      "gretaps: {g: {local: 192.0.2.1, remote: 192.0.2.2, key: 1, nvgre: {vsid: 5000}}}",
      "2:60: nvgre: `key` is given as well"
    ),
    (
      "gretaps: {g: {local: 192.0.2.1, remote: 192.0.2.2, ttl: 9, path-mtu-discovery: false}}",
      "2:80: gretap g: Linux takes a `ttl` of its own only with `path-mtu-discovery`"
    ),
    ("vrfs: {v: {}}", "2:8: vrf v: `table` is missing"),
    ("vrfs: {v: {table: 5}, w: {table: 5}}", "2:23: vrf w has the same `table` as v"),
    ("vlans: {v: {device: eth0}}", "2:9: vlan v: `id` is missing"),
    ("vlans: {v: {device: eth0, id: 4095}}", "2:31: id: 4095 is not a number from 1 to 4094"),
    ("vlans: {v: {device: eth0, id: 5, protocol: 802.1x}}", "protocol: 802.1x is not `802.1Q` or `802.1ad`"),
    ("vlans: {v: {device: w, id: 5}, w: {device: v, id: 6}}", "vlan v: its `device` leads back to itself"),
    ("macvlans: {m: {device: eth0, mode: bad}}", "mode: bad is not `private` or `vepa` or `bridge`"),
    (
      "bridges: {b: {ports: {eth0: {}}}}\nlinks: {eth0: {vrf: red}}",
      "3:21: link eth0: a port of a bridge cannot be in a VRF"
    ),
  ]) func aFaultIsNamed(_ text: String, _ expected: String) {
    let found = faults(text)
    #expect(found.contains { $0.contains(expected) }, "\(found)")
  }

  @Test func whatIsGoodIsTaken() {
    #expect(
      faults(
        """
        geneves: {g: {vni: 7, remote: 192.0.2.1}, h: {vni: 7, remote: 192.0.2.1, port: 6082}, x: {external: true}}
        gretaps: {e: {local: 192.0.2.1, remote: 192.0.2.2}, f: {local: 192.0.2.1, remote: 192.0.2.2, key: 0}}
        vrfs: {v: {table: 5}}
        vlans: {a: {device: b, id: 5}, b: {device: eth0, id: 6, vrf: v}}
        """) == [])
  }
}

@Suite struct VLANFaultTests {
  private func faults(_ text: String) -> [String] {
    do throws(DocumentFaults) {
      _ = try DocumentCompiler.compile([SourceFile(name: "a.yaml", bytes: Array("weft: 1\n\(text)\n".utf8))])
      return []
    } catch {
      return error.diagnostics.map { "\($0.position.line):\($0.position.column): \($0.message)" }
    }
  }

  @Test(arguments: [
    ("vlan-filtering: true, vlans: [10, 10]", "vlans: 10 is given twice"),
    ("vlan-filtering: true, vlans: [10, 9-12]", "vlans: 10 is given twice"),
    (
      "vlan-filtering: true, vlans: [4095]",
      "vlans: 4095 is not a number from 1 to 4094, or a range such as 1-10"
    ),
    ("vlan-filtering: true, vlans: [20-10]", "vlans: 20-10 is not a range within 1-4094, the lower first"),
    ("vlan-filtering: true, vlans: 10", "vlans: expected a list or a mapping, not 10"),
    (
      "vlan-filtering: true, vlans: {10-11: {pvid: true}}",
      "pvid: frames without a tag belong to one VLAN, not to 2"
    ),
    ("vlan-filtering: true, vlans: {1: {pvid: true}, 2: {pvid: true}}", "vlans: a second `pvid`"),
    ("vlan-filtering: true, vlans: {1: {vni: 5}}", "unknown key `vni`"),
    ("vlans: [10]", "bridge b: `vlans` do nothing as long as bridge b does not look at VLANs"),
    ("ports: {p: {vlans: [10]}}", "link p: `vlans` do nothing as long as bridge b does not look at VLANs"),
    (
      "vlan-filtering: true, ports: {p: {vlans: {10: {vni: 5}}}}",
      "port p: `vni` of a VLAN needs `vlan-tunnel: true` at the port"
    ),
    (
      "vlan-filtering: true, ports: {p: {vlan-tunnel: true, vlans: {10-12: {vni: 5-6}}}}",
      "vni: 2 VNIs for 3 VLANs: each VLAN has one, in the same order"
    ),
    (
      "vlan-filtering: true, ports: {p: {vlan-tunnel: true, vlans: {10: {vni: 5}, 11: {vni: 5}}}}",
      "port p: VLAN 11 has the VNI 5 of VLAN 10: each has its own"
    ),
    (
      "vlan-filtering: true, ports: {p: {}}, fdb: {02:00:00:00:00:01: {port: p}}",
      "bridge b: the entry of 02:00:00:00:00:01 needs its `vlan`"
    ),
    (
      "ports: {p: {}}, fdb: {02:00:00:00:00:01: {port: p, vlan: 5}}",
      "bridge b: `vlan` of 02:00:00:00:00:01 means nothing"
    ),
  ]) func aFaultIsNamed(_ text: String, _ expected: String) {
    let found = faults("bridges: {b: {\(text)}}")
    #expect(found.contains { $0.contains(expected) }, "\(found)")
  }
}

@Suite struct VNIFaultTests {
  private func faults(_ text: String) -> [String] {
    do throws(DocumentFaults) {
      _ = try DocumentCompiler.compile([SourceFile(name: "a.yaml", bytes: Array("weft: 1\n\(text)\n".utf8))])
      return []
    } catch {
      return error.diagnostics.map { "\($0.position.line):\($0.position.column): \($0.message)" }
    }
  }

  @Test(arguments: [
    ("vni: 5, vnis: {7: {}}", "vxlan v: `vnis` are for an `external` device"),
    ("external: true, flood: [192.0.2.1]", "vxlan v: an `external` device has entries for each VNI"),
    ("external: true, vnis: {7: {group: 239.1.1.1}}", "the `group` of a VNI needs `vni-filter: true`"),
    (
      "external: true, vni-filter: true, vnis: {7: {group: 239.1.1.1}}",
      "a multicast `group` needs `device`"
    ),
    (
      "external: true, vni-filter: true, vnis: {7: {group: 192.0.2.1}}",
      "group: 192.0.2.1 is not a multicast address"
    ),
    ("external: true, vni-filter: true, vnis: {7-9: {}, 8: {}}", "vnis: 8 is given twice"),
    ("external: true, vni-filter: true, vnis: {0: {}}", "vnis: 0 is not a number from 1 to 16777215"),
    (
      "external: true, vni-filter: true, vnis: {1-16777215: {}}", "vnis: more than 1000000 VNIs of one device"
    ),
    ("external: true, vnis: null", "vnis: nothing is said: write {} for none"),
    ("external: true, vnis: {7: {flood: [192.0.2.1, 192.0.2.1]}}", "flood: 192.0.2.1 is given twice"),
    (
      "external: true, vnis: {7: {flood: [\"2001:db8::1\"]}}",
      "2001:db8::1 is an IPv6 address, but the device is IPv4"
    ),
  ]) func aFaultIsNamed(_ text: String, _ expected: String) {
    let found = faults("vxlans: {v: {\(text)}}")
    #expect(found.contains { $0.contains(expected) }, "\(found)")
  }
}

@Suite struct RouteFaultTests {
  private func faults(_ text: String) -> [String] {
    do throws(DocumentFaults) {
      _ = try DocumentCompiler.compile([SourceFile(name: "a.yaml", bytes: Array("weft: 1\n\(text)\n".utf8))])
      return []
    } catch {
      return error.diagnostics.map { "\($0.position.line):\($0.position.column): \($0.message)" }
    }
  }

  @Test(arguments: [
    ("{via: 192.0.2.1}", "routes: `to` is missing"),
    ("{to: 10.0.0.0/8}", "routes: where to? Give `via`, or `device`"),
    ("{to: 10.0.0.1/8, via: 192.0.2.1}", "to: 10.0.0.1/8 has bits behind its prefix: write 10.0.0.0/8"),
    ("{to: default, device: eth0}", "to: default of which family? Write 0.0.0.0/0, or ::/0"),
    ("{to: 10.0.0.0/8, via: \"2001:db8::1\"}", "via: 2001:db8::1 is an IPv6 address, but `to` is IPv4"),
    (
      "{to: 10.0.0.0/8, type: nowhere}",
      "type: nowhere is not `unicast` or `blackhole` or `unreachable` or `prohibit`"
    ),
    ("{to: 10.0.0.0/8, type: blackhole, device: eth0}", "routes: `type: blackhole` leads nowhere"),
    ("{to: 10.0.0.0/8, device: eth0, onlink: true}", "routes: `onlink` needs `via` and `device`"),
    ("{to: nothing, via: 192.0.2.1}", "to: nothing is not a network"),
    (
      "{to: 10.0.0.0/8, via: 192.0.2.1}, {to: 10.0.0.0/8, via: 192.0.2.2}",
      "routes: 10.0.0.0/8 is given twice"
    ),
    ("10.0.0.0/8", "routes: expected `{to: NETWORK, …}`, not a single value"),
  ]) func aFaultIsNamed(_ text: String, _ expected: String) {
    let found = faults("vrfs: {red: {table: 7, routes: [\(text)]}}")
    #expect(found.contains { $0.contains(expected) }, "\(found)")
  }

  @Test func whatIsGoodIsTaken() {
    #expect(
      faults(
        """
        vrfs:
          red:
            routes: [{to: default, via: 192.0.2.1}, {to: default, via: "2001:db8::1"}, {to: 10.0.0.0/8, type: prohibit},
              {to: 10.0.0.0/8, type: prohibit, metric: 7}, {to: 10.0.0.1, device: eth0}]
            table: 7
        """) == [])
  }
}
