#if Etcd
  import Documents
  import Foundation

  /// Where a fabric is kept, and who asks for it.
  ///
  ///     etcd://192.0.2.1:2379,192.0.2.2:2379/weft
  ///     etcds://etcd.example.org/weft?ca=/etc/weft/ca.pem&cert=/etc/weft/host.pem&key=/etc/weft/host.key
  ///
  /// What the options leave out the environment says: WEFT_ETCD_CA, WEFT_ETCD_CERT, WEFT_ETCD_KEY, WEFT_ETCD_USER, and
  /// WEFT_ETCD_PASSWORD or WEFT_ETCD_PASSWORD_FILE. A password is no option: others can read those.
  public struct EtcdAddress: Sendable {
    public struct Failure: Error, CustomStringConvertible {
      public let description: String
    }

    /// HOST:PORT each.
    let endpoints: [String]
    let usesTLS: Bool
    /// What all keys begin with, without the last slash.
    let prefix: String
    var authorities: String?
    var certificate: String?
    var privateKey: String?
    var user: String?
    var password: String?

    /// Without options: as people see it, and as keys are named.
    public var name: String { "\(usesTLS ? "etcds" : "etcd")://\(endpoints.joined(separator: ","))\(prefix)" }

    static let standardPort = 2379
    private static let options = ["ca", "cert", "key", "user", "password-file"]

    /// Whether an argument is meant to be such an address, and no file.
    private static func isMeant(_ text: String) -> Bool {
      text.hasPrefix("etcd://") || text.hasPrefix("etcds://")
    }

    public init(
      _ text: String, environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(Failure) {
      func fail(_ what: String) -> Failure { Failure(description: "\(text): \(what)") }
      guard Self.isMeant(text) else { throw fail("an address of etcd is etcd://HOST:PORT/PREFIX") }
      usesTLS = text.hasPrefix("etcds:")
      let halves = text.dropFirst(usesTLS ? 8 : 7).split(
        separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
      let place = halves[0]
      guard let slash = place.firstIndex(of: "/") else {
        throw fail("the prefix of the keys is missing, such as /weft")
      }
      var endpoints: [String] = []
      for part in place[..<slash].split(separator: ",", omittingEmptySubsequences: false) {
        guard let endpoint = Self.endpoint(part) else {
          throw fail("`\(part)` is not HOST or HOST:PORT; an IPv6 address is in brackets")
        }
        endpoints.append(endpoint)
      }
      self.endpoints = endpoints
      var prefix = place[slash...]
      while prefix.last == "/" { prefix.removeLast() }
      guard !prefix.isEmpty else { throw fail("the prefix of the keys is missing, such as /weft") }
      self.prefix = String(prefix)

      func variable(_ name: String) -> String? {
        environment["WEFT_ETCD_\(name)"].flatMap { $0.isEmpty ? nil : $0 }
      }
      var given: [String: String] = [:]
      for option in (halves.count > 1 ? halves[1] : "").split(separator: "&") {
        let pair = option.split(separator: "=", maxSplits: 1)
        guard pair.count == 2, Self.options.contains(String(pair[0])),
          let value = pair[1].removingPercentEncoding
        else {
          throw fail(
            "unknown option `\(option)`: known are \(Self.options.map { "\($0)=…" }.joined(separator: ", "))")
        }
        given[String(pair[0])] = value
      }
      authorities = given["ca"] ?? variable("CA")
      certificate = given["cert"] ?? variable("CERT")
      privateKey = given["key"] ?? variable("KEY")
      user = given["user"] ?? variable("USER")
      password = variable("PASSWORD")
      if let file = given["password-file"] ?? variable("PASSWORD_FILE") {
        do {
          let text = try String(contentsOfFile: file, encoding: .utf8)
          password = text.trimmingCharacters(in: .newlines)
        } catch {
          throw fail("the password: \(error.localizedDescription)")
        }
      }
      guard (certificate == nil) == (privateKey == nil) else {
        throw fail("a certificate needs its key: `cert` and `key` go together")
      }
      guard usesTLS || given["ca"] == nil && given["cert"] == nil else {
        throw fail("certificates need TLS: write etcds://")
      }
      guard user == nil || password != nil else {
        throw fail("the password of \(user ?? "") is missing: WEFT_ETCD_PASSWORD, or `password-file`")
      }
    }

    private static func endpoint(_ text: Substring) -> String? {
      var host = text
      var port = standardPort
      if text.hasPrefix("[") {
        guard let end = text.firstIndex(of: "]") else { return nil }
        host = text[...end]
        let rest = text[text.index(after: end)...]
        if !rest.isEmpty {
          guard rest.hasPrefix(":"), let number = Int(rest.dropFirst()) else { return nil }
          port = number
        }
      } else if let colon = text.firstIndex(of: ":") {
        guard let number = Int(text[text.index(after: colon)...]) else { return nil }
        (host, port) = (text[..<colon], number)
      }
      let isGood = !host.isEmpty && host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "@") }
      return isGood && (1...65535).contains(port) ? "\(host):\(port)" : nil
    }
  }
#endif
