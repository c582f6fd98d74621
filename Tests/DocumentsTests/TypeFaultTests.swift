import Testing

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
        a.yaml:6:7: error: fdb: `port` is missing, the bridge's port that the address is behind
                  02:00:00:00:00:02: {}
                  ^
        """)
  }
}
