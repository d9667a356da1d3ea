import Foundation

/// The events of a stream on their way to a connection, whose thread waits for them.
final class EventFeed: @unchecked Sendable {
  private let condition = NSCondition()
  private var bytes: [UInt8] = []
  private var isClosed = false
  private var pump: Task<Void, Never>?
  private let ended: @Sendable (EventFeed) -> Void

  /// A reader that is this many bytes behind is disconnected; browsers connect again.
  private static let limit = 16 << 20

  /// Begins to read a stream; `ended` is called when the feed is closed.
  init(_ events: AsyncStream<PageEvent>, ended: @escaping @Sendable (EventFeed) -> Void) {
    self.ended = ended
    let task = Task.detached { [weak self] in
      for await event in events {
        guard let self, self.add(event) else { break }
      }
      self?.close()
    }
    condition.withLock { pump = task }
  }

  /// Waits for bytes and takes them; nil at the end of the stream.
  func take(to buffer: UnsafeMutablePointer<CChar>, _ limit: Int) -> Int? {
    condition.withLock {
      while bytes.isEmpty {
        if isClosed { return nil }
        condition.wait()
      }
      let count = min(limit, bytes.count)
      memcpy(buffer, bytes, count)
      bytes.removeFirst(count)
      return count
    }
  }

  /// Ends the stream, for its writer and for its reader.
  func close() {
    let (isFirst, task) = condition.withLock {
      defer { isClosed = true }
      condition.broadcast()
      return (!isClosed, pump)
    }
    task?.cancel()
    if isFirst { ended(self) }
  }

  /// Adds an event; returns whether somebody still reads fast enough.
  private func add(_ event: PageEvent) -> Bool {
    condition.withLock {
      bytes += event.text.utf8
      condition.signal()
      return !isClosed && bytes.count <= Self.limit
    }
  }
}
