import Diffusion
import Foundation
import JSON
import Recipes
import Runs
import Settings

/// What is left of a plan, and what that will take, as far as earlier runs on this machine tell.
struct PlanEstimate {
  /// How many images are still to make; equal cells share one where the model could be looked at.
  private(set) var imagesToMake = 0
  private(set) var stepsToMake = 0
  /// How many are there.
  private(set) var imagesDone = 0
  /// Of the images whose kind was made here before.
  private(set) var seconds = 0.0
  /// Images to make whose kind was never made here.
  private(set) var unmeasured = 0
  /// In bytes, the largest of the kinds that were made here before.
  private(set) var memory: Int64?
  /// In bytes; what files of a kind that was never made could have at most.
  private(set) var disk: Int64 = 0
  /// Why a model could not be looked at.
  private(set) var problems: [String] = []

  /// What a plan's own files take for each job: its lines in plan, journal, manifest and trace.
  private static let bytesPerJob: Int64 = 6 << 10

  /// Looks at each job of a plan.
  ///
  /// - Parameters:
  ///   - plan: The plan.
  ///   - folder: Where its images are to be.
  ///   - engine: Says what jobs are made from.
  /// - Throws: `BatchError` if the folder's journal cannot be read.
  init(_ plan: Plan, in folder: RunFolder, _ engine: Engine) throws {
    let done = try FinishedImages(folder)
    var book = CostBook(environment: ProcessInfo.processInfo.environment)
    book.learn(from: folder)
    var seen: Set<JobID> = []
    var costs: [ImageKind: ImageCost?] = [:]
    var models: [ImageSettings.IngredientsKey: JobIngredients?] = [:]
    for job in plan.jobs {
      let settings = job.settings
      let key = settings.ingredientsKey
      let ingredients = models[key] ?? look(settings, engine)
      models[key] = .some(ingredients)
      if let ingredients, !done.isEmpty {
        let id = JobID(settings, ingredients)
        guard seen.insert(id).inserted else { continue }
        if done.contains(id) {
          imagesDone += 1
          continue
        }
      }
      imagesToMake += 1
      stepsToMake += settings.allSteps
      func cost(_ settings: ImageSettings) -> ImageCost? {
        guard let ingredients else { return nil }
        let kind = ImageKind(settings, ingredients, threads: engine.description.threads)
        if let known = costs[kind] { return known }
        let cost = book.cost(of: kind)
        costs[kind] = .some(cost)
        return cost
      }
      add(Self.joined(settings, cost) ?? cost(settings), settings)
    }
    disk += Int64(plan.count) * Self.bytesPerJob
  }

  /// The cost of both passes, where images of both sizes were made before; nothing without a second pass.
  private static func joined(_ settings: ImageSettings, _ cost: (ImageSettings) -> ImageCost?) -> ImageCost? {
    guard var second = settings.secondPass else { return nil }
    var first = settings
    first.hires = nil
    (second.width, second.height) = (settings.finalWidth, settings.finalHeight)
    guard let firstCost = cost(first), let secondCost = cost(second) else { return nil }
    return firstCost.joined(
      to: secondCost, steps: first.steps, secondSteps: settings.allSteps - first.steps)
  }

  private mutating func look(_ settings: ImageSettings, _ engine: Engine) -> JobIngredients? {
    do {
      return try engine.ingredients(for: settings)
    } catch {
      let problem = ExitStatus.message(error)
      if !problems.contains(problem) { problems.append(problem) }
      return nil
    }
  }

  private mutating func add(_ cost: ImageCost?, _ settings: ImageSettings) {
    if let cost {
      seconds += cost.seconds(steps: settings.allSteps)
      if let peak = cost.peakMemory { memory = max(memory ?? 0, Int64(peak) << 20) }
    } else {
      unmeasured += 1
    }
    // Noise does not compress: its rows with a filter byte each, and the texts.
    disk += Int64(cost?.fileBytes ?? (settings.finalWidth * 3 + 1) * settings.finalHeight * 101 / 100 + 2048)
  }

  // MARK: Telling

  /// The lines of `plan`.
  var lines: [String] {
    let images = "\(imagesToMake) \(imagesToMake == 1 ? "image" : "images"), \(stepsToMake) steps"
    var lines = ["to make      \(images)\(imagesDone > 0 ? "; \(imagesDone) are there" : "")"]
    lines += problems.map { "problem      \($0)" }
    if imagesToMake == 0 { return lines }
    let kind = "of a model, size and arithmetic that was not measured on this machine yet"
    if unmeasured == imagesToMake {
      lines.append("time         unknown: they are \(kind)")
    } else {
      lines.append(
        "time         about \(Pace.duration(seconds))"
          + (unmeasured > 0 ? ", and unknown for \(unmeasured) images \(kind)" : ""))
    }
    lines.append("memory       \(memory.map { "about \(Self.size($0))" } ?? "unknown")")
    lines.append("disk         \(unmeasured > 0 ? "at most" : "about") \(Self.size(disk))")
    return lines
  }

  /// The members of `plan --json`.
  var json: JSONValue {
    [
      "images_to_make": .integer(Int64(imagesToMake)), "steps_to_make": .integer(Int64(stepsToMake)),
      "images_done": .integer(Int64(imagesDone)),
      "seconds": unmeasured == imagesToMake && imagesToMake > 0 ? .null : .number(seconds),
      "images_unmeasured": .integer(Int64(unmeasured)),
      "memory_bytes": memory.map { .integer($0) } ?? .null, "disk_bytes": .integer(disk),
      "disk_is_upper_bound": .bool(unmeasured > 0), "problems": .array(problems.map { .string($0) }),
    ]
  }

  /// "850 KiB", "12 MiB", "4.5 GiB".
  private static func size(_ bytes: Int64) -> String {
    let mebibytes = Double(bytes) / 1_048_576
    if mebibytes < 1 { return "\((bytes + 1023) / 1024) KiB" }
    if mebibytes < 1024 { return "\(Int(mebibytes.rounded(.up))) MiB" }
    return "\((mebibytes / 102.4).rounded(.up) / 10) GiB"
  }
}
