import Settings

/// A document to post, and its address.
public struct Announcement: Hashable, Sendable {
  /// The document's id.
  public var id: String
  /// Tells a receiver repetitions apart from news: equal for every attempt, in this run and later ones; different once the
  /// document with this id has changed.
  public var key: String
  /// The document, relative to the run folder.
  public var document: String
  /// Where to.
  public var address: WebhookAddress

  /// An announcement.
  ///
  /// - Parameters:
  ///   - id: The document's id.
  ///   - key: Equal for every attempt, different once the document has changed.
  ///   - document: The document in `responses/`, relative to the run folder.
  ///   - address: Where to.
  public init(id: String, key: String, document: String, address: WebhookAddress) {
    self.id = id
    self.key = key
    self.document = document
    self.address = address
  }
}

/// The outcome of an announcement.
public enum WebhookEvent: Sendable {
  /// The receiver took the document.
  case delivered(Announcement)
  /// An attempt failed, and there will be another.
  case retried(Announcement, reason: String)
  /// The last attempt of this run failed; the document stays in the outbox.
  case kept(Announcement, reason: String)
  /// The document was deleted, so its announcement was dropped.
  case dropped(Announcement, reason: String)
  /// The number of announcements left for the next run.
  case waiting(Int)
}
