import ArgumentParser
import Delivery
import Diffusion
import Foundation
import JSON
import Recipes
import Runs
import Settings
import Text

/// `sdbatch plan recipe.yaml`
struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Preview a recipe: number of jobs, time, memory and disk. Makes no image.",
    discussion: """
      Time and memory are estimated from earlier images of the same model, size and precision on this machine; without such \
      images they are unknown. Exits with 10 where a run would.
      """)

  @OptionGroup var options: RecipeOptions

  @Option(help: "How many cells to show.")
  var cells = 10

  @Option(
    name: .shortAndLong, help: "Threads that the run will have (default: one for each core that the process may use).")
  var threads: Int?

  @Flag(help: "Write the plan into the run folder, for shards to work on.")
  var freeze = false

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if cells < 0 { throw ValidationError("--cells takes a number from 0 on") }
    if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads takes 1 to 1024") }
  }

  func run() throws {
    let targets = try options.targets()
    if targets.count == 1 { return try show(options.target(targets)) }
    var worst = ExitStatus.done
    for target in targets {
      do {
        let target = try target.get()
        if !json { Console.output("recipe       \(target.path)") }
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
    let plan = try target.plan(&seeds)
    for warning in plan.warnings { Console.diagnostics("\(warning)") }
    let engine = try Engine.forCommand(threads: threads)
    let check = ModelCheck(engine, isQuiet: true)
    let list = Result {
      try JobList(plan.jobs, ingredients: check.ingredients).settled(in: folder, options.otherImages)
    }
    if freeze { try plan.freeze(seeds, in: folder, list.get(), engine.description) }
    let estimate = try PlanEstimate(plan, list, in: folder, engine)
    // A key with an index in brackets is a value of an axis, which the cells show.
    let hasExamples = seeds.seeds.keys.contains { $0.contains("[") && stored.seeds[$0] == nil }
    if json {
      Console.output(json: value(plan, folder, estimate, hasExamples: hasExamples && !freeze).jsonText)
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
    if hasExamples, !freeze {
      Console.output("Seeds of -1 are drawn when the first run starts; those shown are examples.")
    }
    // What a run would end with.
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
