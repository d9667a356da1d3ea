/// Where to send notifications: an address that begins with `http://` or `https://`.
///
/// It may contain secrets: a name and password before the host, a token in the query. Everything that is written or shown uses
/// the `redacted` form, except for the outbox, which needs the whole address.
public struct WebhookAddress: Hashable, Sendable {
  /// The whole address, including secrets.
  public let url: String
  /// The address without secrets: name, password and query are replaced by `***`, and the fragment is dropped.
  public let redacted: String
  /// Scheme, host and port in lower case; redirects must not change them.
  public let origin: String

  /// Reads an address; nil for other text, such as an address that was shortened to `https://…`.
  public init?(_ text: String) {
    guard let schemeEnd = text.firstRange(of: "://") else { return nil }
    let scheme = text[..<schemeEnd.lowerBound].lowercased()
    guard scheme == "http" || scheme == "https",
      text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F && !$0.properties.isWhitespace })
    else { return nil }
    let rest = text[schemeEnd.upperBound...]
    let authority = rest.prefix { !"/?#".contains($0) }
    var host = authority
    var userinfo: Substring?
    if let at = authority.lastIndex(of: "@") {
      userinfo = authority[..<at]
      host = authority[authority.index(after: at)...]
    }
    guard Self.isHost(host) else { return nil }
    let path = rest[authority.endIndex...].prefix { !"?#".contains($0) }
    let hasQuery = rest[path.endIndex...].hasPrefix("?")
    url = text
    redacted = "\(scheme)://\(userinfo == nil ? "" : "***@")\(host)\(path)\(hasQuery ? "?***" : "")"
    origin = "\(scheme)://\(host.lowercased())"
  }

  /// Whether the text is a host name or an IP address, with an optional port.
  private static func isHost(_ text: Substring) -> Bool {
    var name = text
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { return false }
      name = text[...end]
      guard name.dropFirst().dropLast().allSatisfy({ $0.isHexDigit || ":.".contains($0) }) else { return false }
    } else {
      name = text.prefix { $0 != ":" }
      guard name.allSatisfy({ $0.isLetter || $0.isNumber || "-._".contains($0) }) else { return false }
    }
    let port = text[name.endIndex...]
    guard name.contains(where: { $0.isLetter || $0.isNumber || $0 == ":" }) else { return false }
    return port.isEmpty || port == ":" || UInt16(port.dropFirst()).map { $0 > 0 } == true
  }

  /// Whether the redacted form hides anything.
  public var hasSecrets: Bool { redacted != url }

  /// Whether this is a redacted form, to which nothing can be sent.
  public var isRedacted: Bool { url.contains("://***@") || url.hasSuffix("?***") }
}
