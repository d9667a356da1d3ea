import Delivery
import Foundation
import JSON
import Synchronization

/// Prints whether announcements reached their webhooks, without the secrets in the addresses.
final class WebhookPrinter: Sendable {
  private let style: ProgressPrinter.Style
  /// The warnings so far: if a webhook cannot be reached all night, that is reported once.
  private let warnings = Mutex<Set<String>>([])

  init(style: ProgressPrinter.Style) {
    self.style = style
  }

  /// Prints an event. Announcements that stay in the outbox are reported in every style.
  func show(_ event: WebhookEvent) {
    if style == .json { return Console.output(json: Self.json(event).jsonText) }
    switch event {
    case .delivered(let announcement):
      if style == .lines {
        Console.logger.info("\(announcement.id) announced to \(announcement.address.redacted)")
      }
    case .retried: break
    case .kept(let announcement, let reason):
      warn("cannot announce to \(announcement.address.redacted): \(reason)")
    case .dropped(let announcement, let reason):
      warn("\(announcement.id) is not announced to \(announcement.address.redacted): \(reason)")
    case .waiting(let count):
      warn("\(count) announcement\(count == 1 ? "" : "s") left in the outbox, which the next run makes")
    }
  }

  private func warn(_ text: String) {
    if warnings.withLock({ $0.insert(text).inserted }) { Console.logger.warning("\(text)") }
  }

  private static func json(_ event: WebhookEvent) -> JSONValue {
    func object(_ name: String, _ announcement: Announcement, reason: String? = nil) -> JSONValue {
      .object(
        [
          JSONMember("event", .string(name)), JSONMember("id", .string(announcement.id)),
          JSONMember("webhook", .string(announcement.address.redacted)),
        ] + (reason.map { [JSONMember("reason", .string($0))] } ?? []))
    }
    switch event {
    case .delivered(let announcement): return object("webhook_delivered", announcement)
    case .retried(let announcement, let reason): return object("webhook_retried", announcement, reason: reason)
    case .kept(let announcement, let reason): return object("webhook_kept", announcement, reason: reason)
    case .dropped(let announcement, let reason): return object("webhook_dropped", announcement, reason: reason)
    case .waiting(let count): return ["event": "webhooks_waiting", "count": .integer(Int64(count))]
    }
  }
}
