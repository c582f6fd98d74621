#if Etcd
  import Foundation

  // The messages of etcd's v3 API as its JSON gateway has them: keys and values as base64, which is how Foundation codes
  // `Data`; numbers of 64 bits as texts; and what is zero or empty left out. It takes names in either spelling, and gives
  // them with underscores.

  struct EtcdHeader: Decodable {
    let revision: String?
  }

  struct EtcdKeyValue: Decodable {
    let key: Data
    let modRevision: String?
    let value: Data?

    private enum CodingKeys: String, CodingKey {
      case key, value
      case modRevision = "mod_revision"
    }

    var bytes: [UInt8] { Array(value ?? Data()) }
  }

  struct RangeRequest: Encodable {
    let key: Data
    var rangeEnd: Data?
    var limit: String?
    var revision: String?
  }

  struct RangeResponse: Decodable {
    let header: EtcdHeader?
    let kvs: [EtcdKeyValue]?
    let more: Bool?
  }

  struct TransactionRequest: Encodable {
    struct Compare: Encodable {
      let key: Data
      var rangeEnd: Data?
      let target = "MOD"
      let result: String
      let modRevision: String
    }

    struct Operation: Encodable {
      struct Put: Encodable {
        let key: Data
        let value: Data
      }
      struct Delete: Encodable {
        let key: Data
      }
      var requestPut: Put?
      var requestDeleteRange: Delete?
    }

    let compare: [Compare]
    let success: [Operation]
  }

  struct TransactionResponse: Decodable {
    let header: EtcdHeader?
    let succeeded: Bool?
  }

  struct WatchRequest: Encodable {
    struct Create: Encodable {
      let key: Data
      let rangeEnd: Data
      let startRevision: String
    }
    let createRequest: Create
  }

  struct WatchResponse: Decodable {
    struct Event: Decodable {
      /// `DELETE`; nil for a put.
      let type: String?
      let kv: EtcdKeyValue
    }

    struct Result: Decodable {
      let header: EtcdHeader?
      let canceled: Bool?
      let cancelReason: String?
      let compactRevision: String?
      let events: [Event]?

      private enum CodingKeys: String, CodingKey {
        case header, canceled, events
        case cancelReason = "cancel_reason"
        case compactRevision = "compact_revision"
      }
    }

    let result: Result?
    let error: EtcdRefusal?
  }

  struct AuthenticateRequest: Encodable {
    let name: String
    let password: String
  }

  struct AuthenticateResponse: Decodable {
    let token: String?
  }

  /// An answer that is none; of 3.4 and of later ones.
  struct EtcdRefusal: Decodable {
    let message: String?
    let error: String?

    var text: String { message ?? error ?? "no reason is given" }
  }

  /// The key behind all that begin with these bytes.
  func rangeEnd(of prefix: String) -> Data {
    var bytes = Array(prefix.utf8)
    while let last = bytes.last, last == 0xff { bytes.removeLast() }
    if let last = bytes.popLast() { bytes.append(last + 1) }
    return Data(bytes)
  }
#endif
