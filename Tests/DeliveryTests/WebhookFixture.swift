import Foundation
import Runs
import Settings
import Synchronization
import TestSupport

@testable import Delivery

/// A run folder with documents to announce, which is removed when the test ends.
final class WebhookFixture: Sendable {
  private let temporaryFolder: TemporaryFolder
  let folder: RunFolder
  let events = EventLog()

  init() throws {
    temporaryFolder = try TemporaryFolder()
    folder = RunFolder(temporaryFolder("run"))
    try FileManager.default.createDirectory(atPath: folder.responses, withIntermediateDirectories: true)
  }

  /// Attempts without pauses.
  static var options: WebhookOptions {
    var options = WebhookOptions()
    options.interval = .zero
    return options
  }

  /// A delivery from the folder's outbox.
  func delivery(_ options: WebhookOptions = WebhookFixture.options, on disk: Disk = Disk()) throws -> WebhookDelivery {
    WebhookDelivery(try Outbox(folder, on: disk), options: options) { [events] in events.note($0) }
  }

  /// Writes a document, and adds it to the outbox.
  func document(_ id: String, _ text: String? = nil, version: Int = 0, to url: String) throws -> Announcement {
    try Self.document(id, text, version: version, to: url, in: folder)
  }

  static func document(
    _ id: String, _ text: String? = nil, version: Int = 0, to url: String, in folder: RunFolder
  ) throws -> Announcement {
    try Data((text ?? #"{"id": "\#(id)", "version": \#(version)}"#).utf8)
      .write(to: URL(fileURLWithPath: "\(folder.responses)/\(id).json"))
    guard let address = WebhookAddress(url) else { throw CocoaError(.featureUnsupported) }
    return Announcement(id: id, key: "\(id)-\(version)", document: "responses/\(id).json", address: address)
  }

  /// What is left to announce: ids, in order.
  func waiting() throws -> [String] { try Outbox(folder).inOrder.map(\.announcement.id) }
}

/// What was reported, in order.
final class EventLog: Sendable {
  private let events = Mutex<[WebhookEvent]>([])

  func note(_ event: WebhookEvent) { events.withLock { $0.append(event) } }

  /// The events as `kind id: reason`.
  var lines: [String] {
    events.withLock { events in
      events.map { event in
        switch event {
        case .delivered(let announcement): "delivered \(announcement.id)"
        case .retried(let announcement, let reason): "retried \(announcement.id): \(reason)"
        case .kept(let announcement, let reason): "kept \(announcement.id): \(reason)"
        case .dropped(let announcement, let reason): "dropped \(announcement.id): \(reason)"
        case .waiting(let count): "waiting \(count)"
        }
      }
    }
  }

  /// Waits until a reported text begins like this.
  func wait(for start: String) throws {
    let deadline = ContinuousClock.now + .seconds(900)
    while !lines.contains(where: { $0.hasPrefix(start) }) {
      guard ContinuousClock.now < deadline else { throw CocoaError(.featureUnsupported) }
      usleep(1000)
    }
  }
}

extension Receiver.Request {
  /// The id in the document.
  var id: String? {
    guard let document = try? JSONSerialization.jsonObject(with: body) as? [String: Any] else { return nil }
    return document["id"] as? String
  }
}
