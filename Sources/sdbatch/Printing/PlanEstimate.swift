import Diffusion
import Foundation
import JSON
import Recipes
import Runs
import Settings

/// What is left of a plan, and how much time, memory and disk it takes, estimated from earlier runs on this machine.
struct PlanEstimate {
  /// How many images are still to make; equal cells share one if the model could be looked at.
  private(set) var imagesToMake = 0
  private(set) var stepsToMake = 0
  /// How many exist.
  private(set) var imagesDone = 0
  /// For the images whose kind was made on this machine before.
  private(set) var seconds = 0.0
  /// Images to make whose kind was never made on this machine.
  private(set) var unmeasured = 0
  /// In bytes, of the kind that needs most; nil if none was made on this machine before.
  private(set) var memory: Int64?
  /// In bytes; an upper bound for files of a kind that was never made.
  private(set) var disk: Int64 = 0
  /// Why a model could not be looked at.
  private(set) var problems: [String] = []

  /// How much the plan's own files take for each job: its lines in plan, journal, manifest and trace.
  private static let bytesPerJob: Int64 = 6 << 10

  /// Looks at each job of a plan.
  ///
  /// - Parameters:
  ///   - plan: The plan.
  ///   - folder: The run folder.
  ///   - engine: Reports what jobs are made from.
  /// - Throws: `RunError` if the folder's journal cannot be read.
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

  /// The cost of both passes, if images of both sizes were made before; nil without a second pass.
  private static func joined(_ settings: ImageSettings, _ cost: (ImageSettings) -> ImageCost?) -> ImageCost? {
    guard var second = settings.secondPass.map({ ImageSettings($0) }) else { return nil }
    let first = ImageSettings(settings.base)
    (second.width, second.height) = (settings.finalWidth, settings.finalHeight)
    guard let firstCost = cost(first), let secondCost = cost(second) else { return nil }
    return firstCost.joined(
      to: secondCost, steps: first.steps, secondSteps: settings.allSteps - first.steps)
  }

  private mutating func look(_ settings: ImageSettings, _ engine: Engine) -> JobIngredients? {
    defer { for note in engine.takeNotes() { Console.error("note: \(note)") } }
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
    // The bound is noise, which does not compress: its rows with a filter byte each, and the texts.
    disk += Int64(cost?.fileBytes ?? (settings.finalWidth * 3 + 1) * settings.finalHeight * 101 / 100 + 2048)
  }

  // MARK: Printing

  /// The lines of `plan`.
  var lines: [String] {
    let images = "\(Count(imagesToMake, "image")), \(Count(stepsToMake, "step"))"
    var lines = ["to make      \(images)\(imagesDone > 0 ? "; \(imagesDone) done" : "")"]
    lines += problems.map { "error        \($0)" }
    if imagesToMake == 0 { return lines }
    if unmeasured == imagesToMake {
      lines.append("time         unknown (this model, size and precision has not been timed on this machine yet)")
    } else {
      lines.append(
        "time         about \(Pace.duration(seconds))"
          + (unmeasured > 0
            ? ", plus \(Count(unmeasured, "image")) whose model, size and precision have not been timed on this machine yet"
            : ""))
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
