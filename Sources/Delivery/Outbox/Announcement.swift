import Settings

/// A document that is to be posted, and where to.
public struct Announcement: Hashable, Sendable {
  /// The document's id.
  public var id: String
  /// What a receiver can tell repetitions by: the same for all attempts, in this run and the next ones, and another one
  /// where there is something new to say under the same id.
  public var key: String
  /// The document, relative to the run folder.
  public var document: String
  /// Where to.
  public var address: WebhookAddress

  /// An announcement.
  ///
  /// - Parameters:
  ///   - id: The document's id.
  ///   - key: What a receiver can tell repetitions by.
  ///   - document: The document in `responses/`, relative to the run folder.
  ///   - address: Where to.
  public init(id: String, key: String, document: String, address: WebhookAddress) {
    self.id = id
    self.key = key
    self.document = document
    self.address = address
  }
}

/// What became of an announcement.
public enum WebhookEvent: Sendable {
  /// The receiver took the document.
  case delivered(Announcement)
  /// An attempt failed, and there will be another.
  case retried(Announcement, reason: String)
  /// The last attempt of this run failed; the document stays in the outbox.
  case kept(Announcement, reason: String)
  /// The document is not there any more, and so the announcement is not either.
  case dropped(Announcement, reason: String)
  /// So many announcements are left to the next run.
  case waiting(Int)
}
