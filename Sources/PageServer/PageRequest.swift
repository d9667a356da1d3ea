/// A request with the right secret and host, which may be answered.
public struct PageRequest: Sendable {
  /// Whether it changes something.
  public var isPost: Bool
  /// The parts of the path after the secret, decoded. No part is `..` or contains a slash.
  public var path: [String]
  /// The text after the question mark, as it was sent.
  public var query: String
  /// The body of a post.
  public var body: [UInt8]
  /// The version (ETag) that the browser already has.
  public var tag: String?

  /// Creates a request.
  public init(isPost: Bool, path: [String], query: String = "", body: [UInt8] = [], tag: String? = nil) {
    self.isPost = isPost
    self.path = path
    self.query = query
    self.body = body
    self.tag = tag
  }
}
