#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the kernel, or the socket on the way to it, answered to a request.
public struct NetlinkError: Error, Sendable, Equatable {
  /// The errno value, positive.
  public let code: Int32
  /// The kernel's own sentence (NLMSGERR_ATTR_MSG), where it gave one.
  public let kernelText: String?
  /// Where in the message the kernel found fault, in bytes from its header (NLMSGERR_ATTR_OFFS).
  public let offset: UInt32?
  /// What weft was doing, for errors of the socket itself.
  public let context: String?

  public init(code: Int32, kernelText: String? = nil, offset: UInt32? = nil, context: String? = nil) {
    self.code = code
    self.kernelText = kernelText
    self.offset = offset
    self.context = context
  }

  /// An error of the C library's call that just failed.
  static func last(_ context: String) -> NetlinkError {
    NetlinkError(code: errno, context: context)
  }
}

extension NetlinkError: CustomStringConvertible {
  /// The text of the code, then the kernel's sentence: `Operation not supported (Cannot change VNI)`.
  public var description: String {
    var text = context.map { "\($0): " } ?? ""
    text += String(cString: strerror(code))
    if let kernelText { text += " (\(kernelText))" }
    return text
  }
}
