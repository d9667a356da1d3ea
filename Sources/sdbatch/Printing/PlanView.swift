import Delivery
import Diffusion
import Foundation
import JSON
import Recipes
import Runs
import Settings
import Text

/// What recipes will do: jobs, time, memory, disk, and the first cells.
struct PlanView {
  let options: RecipeOptions
  /// How many cells to show.
  var cells = 10
  /// The threads that the run will have.
  var threads: Int?
  /// Whether to write the plan into the run folder.
  var freezes = false
  /// Whether to print an object.
  var isJSON = false

  /// Prints the view.
  ///
  /// - Throws: The error with which a run would end.
  func show() throws {
    let targets = try options.targets()
    if targets.count == 1 { return try show(options.target(targets)) }
    var worst = ExitStatus.done
    for target in targets {
      do {
        let target = try target.get()
        if !isJSON { Console.output("recipe       \(target.path)") }
        try show(target)
      } catch {
        worst = max(worst, SDBatch.report(error) ?? .internalError)
      }
    }
    if worst != .done { throw worst }
  }

  private func show(_ target: RunTarget) throws {
    let folder = target.folder
    try folder.checkIsUsable()
    _ = try WebhookOptions(environment: ProcessInfo.processInfo.environment, version: SDBatch.version)
    let stored = try SeedFile.read(SeedDraws.self, from: folder) ?? SeedDraws()
    var seeds = stored
    var plan = try target.plan(&seeds)
    for warning in plan.warnings { Console.diagnostics("\(warning)") }
    let engine = try Engine.forCommand(threads: threads)
    let check = ModelCheck(engine, isQuiet: true)
    let list = Result { [plan] in
      let jobs = try JobList(plan.jobs, ingredients: check.ingredients).settled(in: folder, options.otherImages)
      if plan.requests != nil { return jobs }
      return try jobs.remembered(in: folder, keeping: KeepRules(recipe: plan.json), remakes: options.remake)
    }
    if case .success(let jobs) = list { plan = plan.with(jobs) }
    if freezes { try plan.freeze(seeds, in: folder, list.get(), engine.description) }
    let estimate = try PlanEstimate(plan, list, in: folder, engine)
    // A key with an index in brackets is a value of an axis; the cells show those.
    let hasExamples = seeds.seeds.keys.contains { $0.contains("[") && stored.seeds[$0] == nil }
    if isJSON {
      Console.output(json: value(plan, folder, estimate, hasExamples: hasExamples && !freezes).jsonText)
      if !estimate.problems.isEmpty { throw ExitStatus.unusableInput }
      return
    }
    Console.output("jobs         \(plan.count)")
    Console.output("total steps  \(plan.totalSteps)")
    Console.output("output       \(folder.path)")
    for line in estimate.lines { Console.output(line) }
    for axis in plan.axes {
      Console.output("axis         \(Self.name(axis)): \(axis.count) \(axis.count == 1 ? "value" : "values")")
    }
    for (job, _) in zip(plan.jobs, 0..<cells) { Console.output(Self.line(job)) }
    if plan.count > cells { Console.output("... and \(plan.count - cells) more") }
    if hasExamples, !freezes {
      Console.output("Seeds of -1 are drawn when the first run starts; those shown are examples.")
    }
    // The error with which a run would end.
    if !estimate.problems.isEmpty { throw ExitStatus.unusableInput }
  }

  private func value(_ plan: PlannedRun, _ folder: RunFolder, _ estimate: PlanEstimate, hasExamples: Bool) -> JSONValue
  {
    let cells = zip(plan.jobs, 0..<cells).map { job, _ -> JSONValue in
      let axes = job.axes.map { axis -> JSONValue in
        ["name": .string(axis.name), "value": .string(axis.value), "title": .string(axis.title)]
      }
      let settings = job.settings
      return [
        "index": .integer(Int64(job.index)), "axes": .array(axes), "seed": .integer(settings.seed),
        "steps": .integer(Int64(settings.allSteps)), "width": .integer(Int64(settings.finalWidth)),
        "height": .integer(Int64(settings.finalHeight)),
      ]
    }
    return [
      "jobs": .integer(Int64(plan.count)), "total_steps": .integer(Int64(plan.totalSteps)),
      "output": .string(folder.path),
      "axes": .array(
        plan.axes.map { ["name": .string(Self.name($0)), "count": .integer(Int64($0.count))] }),
      "estimate": estimate.json, "seeds_are_examples": .bool(hasExamples), "cells": .array(cells),
    ]
  }

  /// "cfg_scale + eta" for axes that advance together.
  private static func name(_ axis: PlanAxis) -> String { axis.members.map(\.name).joined(separator: " + ") }

  /// "00003  cfg_scale=7 sampler_name=Euler a  20 steps, 512x512".
  private static func line(_ job: Job) -> String {
    let axes = job.axes.map { "\($0.name)=\($0.title)" }.joined(separator: "  ")
    let settings = job.settings
    let size = "\(settings.finalWidth)x\(settings.finalHeight)"
    return "\(job.index.padded(to: 5))  \(axes)\(axes.isEmpty ? "" : "  ")\(settings.allSteps) steps, \(size)"
  }
}
