import Delivery
import Diffusion
import Foundation
import Recipes
import Runs
import Settings

/// What a run says to those who asked for it.
extension RunCommand {
  /// How announcements are made in this run; nothing where none are.
  func webhookOptions() throws -> WebhookOptions? {
    if noWebhook { return nil }
    return try WebhookOptions(environment: ProcessInfo.processInfo.environment, version: SDBatch.version)
  }

  /// Begins with what earlier runs left in the outbox.
  func makeDelivery(_ options: WebhookOptions, _ folder: RunFolder) throws -> WebhookDelivery {
    let printer = WebhookPrinter(style: style)
    return WebhookDelivery(try Outbox(folder), options: options) { printer.show($0) }
  }

  /// What answers the plan's requests, or tells of what the recipe's `webhook` asks for.
  func makeDesks(
    _ plan: Plan, _ engine: Engine, _ folder: RunFolder, _ delivery: WebhookDelivery?
  ) throws -> [ResponseDesk] {
    func desk(_ orders: ([JobID]) -> [ResponseOrder]) throws -> ResponseDesk {
      try ResponseDesk(
        jobs: plan.jobs, in: folder, version: SDBatch.version, ingredients: { try engine.ingredients(for: $0) },
        orders: orders, announce: { try delivery?.announce($0) })
    }
    if let requests = plan.requests { return [try desk { _ in requests.map { ResponseOrder($0) } }] }
    guard let webhook = plan.recipe.webhook, !noWebhook else { return [] }
    return try webhook.occasions.map { occasion in
      try desk { ResponseOrder.orders(of: webhook, per: occasion, recipe: plan.json, jobs: plan.jobs, ids: $0) }
    }
  }
}
