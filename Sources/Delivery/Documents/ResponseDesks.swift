import Recipes
import Runs
import Settings

/// Everything that answers those who asked for the images of a run: the desks for their orders, and the delivery of
/// announcements.
public final class ResponseDesks: RunAnswers {
  private let desks: [ResponseDesk]
  private let delivery: WebhookDelivery?

  /// The desks for what a plan asks to be answered.
  ///
  /// - Parameters:
  ///   - plan: The plan.
  ///   - jobs: Its jobs.
  ///   - folder: The run, whose lock is held.
  ///   - version: The version of this program.
  ///   - delivery: Announces answers; nil if nothing is announced in this run.
  ///   - disk: The disk.
  /// - Throws: `RunError`.
  public init(
    _ plan: Plan, _ jobs: JobList, in folder: RunFolder, version: String, delivery: WebhookDelivery?,
    on disk: Disk = Disk()
  ) throws {
    self.delivery = delivery
    let orders: [[ResponseOrder]] =
      if let requests = plan.requests {
        [requests.map { ResponseOrder($0) }]
      } else if let webhook = plan.recipe.webhook, delivery != nil {
        webhook.occasions.map { ResponseOrder.orders(of: webhook, per: $0, recipe: plan.json, jobs: jobs) }
      } else {
        []
      }
    desks = try orders.map { orders in
      try ResponseDesk(orders, jobs: jobs, in: folder, version: version, on: disk) { try delivery?.announce($0) }
    }
  }

  public func note(_ event: RunEvent) {
    for desk in desks { desk.note(event) }
  }

  public func deadline(for job: Job) -> String? { desks.lazy.compactMap { $0.deadline(for: job) }.first }

  public func close(_ stop: StopReason?) throws {
    for desk in desks {
      if let stop, stop.isCancelling { try desk.cancel("stopped by \(stop.text); the next run continues it") }
      try desk.close()
    }
  }

  public func deliver(until isStopping: @escaping () -> Bool) { delivery?.finish(isStopped: isStopping) }
}
