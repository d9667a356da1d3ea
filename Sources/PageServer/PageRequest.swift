/// A request that may be answered: its secret and its host are right.
public struct PageRequest: Sendable {
  /// Whether it changes something.
  public var isPost: Bool
  /// The parts of the path after the secret, decoded; none of them is `..` or has a slash.
  public var path: [String]
  /// The text after the question mark, as it was sent.
  public var query: String
  /// The body of a post.
  public var body: [UInt8]
  /// The version that the browser has already.
  public var tag: String?

  /// A request.
  public init(isPost: Bool, path: [String], query: String = "", body: [UInt8] = [], tag: String? = nil) {
    self.isPost = isPost
    self.path = path
    self.query = query
    self.body = body
    self.tag = tag
  }
}
