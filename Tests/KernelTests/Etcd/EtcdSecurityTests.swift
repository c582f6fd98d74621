#if Etcd
  import Foundation
  import Testing

  /// etcd behind TLS, and behind passwords.
  @Suite struct EtcdSecurityTests {
    private static func certificates(_ folder: TemporaryFolder) throws {
      let script = """
        cd \(folder.url.path)
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 1 -subj /CN=ca
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key -out other.pem -days 1 -subj /CN=other
        for name in server client; do
          openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr -subj /CN=$name
          printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth,clientAuth\\n' >$name.ext
          openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $name.pem -days 1 -extfile $name.ext
        done
        """
      let result = try run(["sh", "-ec", script])
      try #require(result.status == 0, "\(result.error)")
    }

    @Test func certificates() throws {
      let etcd = try EtcdLab(
        tls: true,
        [
          "--cert-file", "DIR/server.pem", "--key-file", "DIR/server.key", "--client-cert-auth",
          "--trusted-ca-file", "DIR/ca.pem",
        ], prepare: Self.certificates)
      etcd.environment = [
        "WEFT_ETCD_CA": etcd.folder.path("ca.pem"), "WEFT_ETCD_CERT": etcd.folder.path("client.pem"),
        "WEFT_ETCD_KEY": etcd.folder.path("client.key"),
      ]
      try etcd.start()
      try FabricLab.with(1) { lab in
        let document = lab.document(lab.lines(5))
        // Without a certificate, and by one who trusts somebody else.
        for environment in [
          ["WEFT_ETCD_CA": etcd.folder.path("ca.pem")],
          etcd.environment.merging(["WEFT_ETCD_CA": etcd.folder.path("other.pem")]) { $1 },
          etcd.environment.merging(["WEFT_ETCD_CA": etcd.folder.path("none.pem")]) { $1 },
        ] {
          let result = try etcd.publish(document, environment: environment)
          #expect(result.status == 1 && result.error.contains("error: "), "\(result)")
        }
        try etcd.expectPublished(document)
        let agent = try etcd.startAgent(for: lab.hosts[0])
        try agent.settle(document)
        let next = lab.document(lab.lines(6))
        try etcd.expectPublished(next)
        try agent.settle(next)
      }
    }

    @Test func passwords() throws {
      let etcd = try EtcdLab()
      try etcd.start()
      for words in [
        "user add root:secret", "user grant-role root root", "role add weft",
        "role grant-permission weft readwrite /weft/ --prefix=true", "user add weft:word",
        "user grant-role weft weft",
        "auth enable",
      ] {
        let result = try etcd.control(words.split(separator: " ").map(String.init))
        try #require(result.status == 0, "\(words): \(result.error)")
      }
      try FabricLab.with(1) { lab in
        var document = lab.document(lab.lines(5))
        let without = try etcd.publish(document)
        #expect(without.status == 1 && without.error.contains("WEFT_ETCD_PASSWORD"), "\(without)")
        let wrong = try etcd.publish(
          document, environment: ["WEFT_ETCD_USER": "weft", "WEFT_ETCD_PASSWORD": "no"])
        #expect(wrong.status == 1 && wrong.error.contains("authentication failed"), "\(wrong)")
        etcd.environment = ["WEFT_ETCD_USER": "weft", "WEFT_ETCD_PASSWORD": "word"]
        try etcd.expectPublished(document)
        let agent = try etcd.startAgent(for: lab.hosts[0])
        try agent.settle(document)
        // Tokens do not outlive it.
        try etcd.stop()
        try agent.awaitLog("is away")
        try etcd.start()
        document = lab.document(lab.lines(6))
        try etcd.expectPublished(document)
        try agent.settle(document)
        #expect(!agent.log.contains("word"))
      }
    }
  }
#endif
