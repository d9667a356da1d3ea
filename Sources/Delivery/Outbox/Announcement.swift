import Settings

/// A document to post, and its address.
public struct Announcement: Hashable, Sendable {
  /// The document's id.
  public var id: String
  /// Lets a receiver tell a repetition from news. The key is equal for every attempt, in this run and later ones; it changes if
  /// the document with this id changes.
  public var key: String
  /// The document, relative to the run folder.
  public var document: String
  /// Where to post it.
  public var address: WebhookAddress

  /// Creates an announcement.
  ///
  /// - Parameters:
  ///   - id: The document's id.
  ///   - key: Equal for every attempt; changes if the document changes.
  ///   - document: The document in `responses/`, relative to the run folder.
  ///   - address: Where to post it.
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
