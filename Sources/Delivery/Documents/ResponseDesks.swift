import JSON
import Recipes
import Runs
import Settings

/// Answers everyone who asked for images of a run: the desks for their orders, and the delivery of announcements.
public final class ResponseDesks: RunAnswers {
  private let desks: [ResponseDesk]
  private let delivery: WebhookDelivery?

  /// Creates the desks for all orders of a plan.
  ///
  /// - Parameters:
  ///   - requests: The requests to answer; nil for a recipe.
  ///   - webhook: The recipe's webhook.
  ///   - recipe: The recipe as the manifest shows it.
  ///   - jobs: The plan's jobs.
  ///   - folder: The run folder; the caller holds its lock.
  ///   - version: The version of this program.
  ///   - delivery: Announces answers; nil if nothing is announced in this run.
  ///   - disk: The disk.
  /// - Throws: `RunError`.
  public init(
    _ requests: [PlannedRequest]?, _ webhook: RecipeWebhook?, recipe: JSONValue, _ jobs: JobList, in folder: RunFolder,
    version: String, delivery: WebhookDelivery?, on disk: Disk = Disk()
  ) throws {
    self.delivery = delivery
    let orders: [[ResponseOrder]] =
      if let requests {
        [requests.map { ResponseOrder($0) }]
      } else if let webhook, delivery != nil {
        webhook.occasions.map { ResponseOrder.orders(of: webhook, per: $0, recipe: recipe, jobs: jobs) }
      } else {
        []
      }
    desks = try orders.map { orders in
      try ResponseDesk(orders, jobs: jobs, in: folder, version: version, on: disk, lost: delivery?.lost ?? []) {
        try delivery?.announce($0)
      }
    }
  }

  /// Handles an event of the run.
  public func note(_ event: RunEvent) {
    for desk in desks { desk.note(event) }
  }

  /// Why a job must end, if its request has taken longer than it may; otherwise nil.
  public func deadline(for job: Job) -> String? { desks.lazy.compactMap { $0.deadline(for: job) }.first }

  /// Writes the last answers: those for requests that a cancelled run started and did not finish.
  public func close(_ stop: StopReason?) throws {
    if let stop, stop.isCancelling {
      for desk in desks { try desk.cancel("stopped by \(stop.text); the next run continues it") }
    }
    for desk in desks { try desk.close() }
  }

  /// Waits until every announcement was delivered or has used up its attempts.
  public func deliver(until isStopping: @escaping () -> Bool) { delivery?.finish(isStopped: isStopping) }
}
