import Diffusion
import Foundation
import JSON
import Recipes
import Runs
import Settings

/// The work that is left in a plan, and the time, memory and disk space that it needs, estimated from earlier runs on this
/// machine.
struct PlanEstimate {
  /// How many images are still to be made; equal cells share an image if the model could be read.
  private(set) var imagesToMake = 0
  private(set) var stepsToMake = 0
  /// How often the network is evaluated for them, each text by itself; 0 if the model could not be looked at.
  private(set) var evaluationsToMake = 0
  /// How many steps more they would take if each were made alone.
  private(set) var stepsShared = 0
  /// How many images are in other run folders, and will be taken from there.
  private(set) var imagesElsewhere = 0
  /// How many images exist.
  private(set) var imagesDone = 0
  /// The time for images whose kind was made on this machine before.
  private(set) var seconds = 0.0
  /// How many images to make are of a kind that was never made on this machine.
  private(set) var unmeasured = 0
  /// In bytes, for the kind that needs most; nil if no such image was made on this machine before.
  private(set) var memory: Int64?
  /// In bytes; an upper limit for files of a kind that was never made.
  private(set) var disk: Int64 = 0
  /// Why models could not be read.
  private(set) var problems: [String] = []

  /// The disk space for each job in the plan's own files: its lines in plan, journal, manifest and trace.
  private static let bytesPerJob: Int64 = 6 << 10

  /// Looks at each job of a plan.
  ///
  /// - Parameters:
  ///   - plan: The plan.
  ///   - list: Its jobs with their identities, or why a run would stop.
  ///   - folder: The run folder.
  ///   - engine: Reports the ingredients of jobs.
  /// - Throws: `RunError` if the folder's journal cannot be read.
  init(
    _ plan: PlannedRun, _ list: Result<JobList, any Error>, in folder: RunFolder, _ engine: Engine
  ) throws {
    if case .failure(let error) = list {
      problems += (error as? InputFailures)?.messages ?? [ExitStatus.message(error)]
    }
    let done = try FinishedImages(folder)
    var book = CostBook(environment: ProcessInfo.processInfo.environment)
    book.learn(from: folder)
    var seen: Set<JobID> = []
    var costs: [ImageKind: ImageCost?] = [:]
    func cost(_ settings: ImageSettings, _ ingredients: JobIngredients?) -> ImageCost? {
      guard let ingredients else { return nil }
      func cost(_ settings: ImageSettings) -> ImageCost? {
        let kind = ImageKind(settings, ingredients, threads: engine.description.threads)
        if let known = costs[kind] { return known }
        let cost = book.cost(of: kind)
        costs[kind] = .some(cost)
        return cost
      }
      return Self.joined(settings, cost) ?? cost(settings)
    }
    var models: [ImageSettings.IngredientsKey: JobIngredients?] = [:]
    var work = WorkToMake()
    let list = try? list.get()
    var elsewhere: Set<JobID> = []
    if let list {
      elsewhere = Set(
        ImageStore(environment: ProcessInfo.processInfo.environment)
          .paths(of: list.encodings { !done.contains($0) }, outside: folder).keys)
    }
    for (index, job) in plan.jobs.enumerated() {
      let settings = job.settings
      let key = settings.ingredientsKey
      let ingredients = models[key] ?? look(settings, engine)
      models[key] = .some(ingredients)
      if let id = list?.ids[index] ?? ingredients.map({ JobID(settings, $0) }) {
        // Equal cells share an image.
        guard seen.insert(id).inserted else { continue }
        if done.contains(id) {
          imagesDone += 1
          continue
        }
        if elsewhere.contains(id), !settings.savesBeforeFaces {
          imagesElsewhere += 1
          continue
        }
      }
      imagesToMake += 1
      stepsToMake += settings.allSteps
      if let ingredients {
        work.add(job.index, ingredients)
        evaluationsToMake += engine.plannedEvaluations(of: settings) ?? 0
      }
      add(cost(settings, ingredients), settings)
    }
    let starts = work.starts(of: plan.jobs, engine)
    if !starts.isEmpty {
      for job in plan.jobs {
        guard let steps = starts[job.index]?.steps(of: job.settings) else { continue }
        stepsToMake -= steps
        stepsShared += steps
        evaluationsToMake -=
          (engine.plannedEvaluations(of: job.settings) ?? 0)
          - (engine.plannedEvaluations(of: job.settings, after: steps) ?? 0)
        let cost = cost(job.settings, models[job.settings.ingredientsKey].flatMap(\.self))
        if let cost { seconds -= cost.secondsPerStep * Double(steps) }
      }
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
    // The upper limit is noise, which cannot be compressed: its rows with a filter byte each, and the texts.
    disk += Int64(cost?.fileBytes ?? (settings.finalWidth * 3 + 1) * settings.finalHeight * 101 / 100 + 2048)
  }

  // MARK: Printing

  /// The lines of `plan`.
  var lines: [String] {
    let shared = stepsShared > 0 ? " (\(stepsShared) more shared with other images)" : ""
    var elsewhere = ""
    if imagesElsewhere > 0 {
      elsewhere = "; \(imagesElsewhere) \(imagesElsewhere == 1 ? "is in another folder" : "are in other folders")"
    }
    let images = "\(Count(imagesToMake, "image")), \(Count(stepsToMake, "step"))\(shared)"
    var lines = ["to make      \(images)\(imagesDone > 0 ? "; \(imagesDone) done" : "")\(elsewhere)"]
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
    lines.append("memory       \(memory.map { "about \(ByteText.text($0))" } ?? "unknown")")
    lines.append("disk         \(unmeasured > 0 ? "at most" : "about") \(ByteText.text(disk))")
    return lines
  }

  /// The members of `plan --json`.
  var json: JSONValue {
    [
      "images_to_make": .integer(Int64(imagesToMake)), "steps_to_make": .integer(Int64(stepsToMake)),
      "evaluations_to_make": .integer(Int64(evaluationsToMake)),
      "steps_shared": .integer(Int64(stepsShared)),
      "images_done": .integer(Int64(imagesDone)), "images_elsewhere": .integer(Int64(imagesElsewhere)),
      "seconds": unmeasured == imagesToMake && imagesToMake > 0 ? .null : .number(seconds),
      "images_unmeasured": .integer(Int64(unmeasured)),
      "memory_bytes": memory.map { .integer($0) } ?? .null, "disk_bytes": .integer(disk),
      "disk_is_upper_bound": .bool(unmeasured > 0), "problems": .array(problems.map { .string($0) }),
    ]
  }
}

/// The jobs of a plan that are still to be done, with their ingredients.
private struct WorkToMake {
  private var indices: [Int] = []
  /// The ingredients of jobs, each once.
  private var found: [JobIngredients] = []
  private var numbers: [JobIngredients: Int32] = [:]
  /// For each job, the index of its ingredients in `found`.
  private var groups: [Int32] = []

  mutating func add(_ index: Int, _ ingredients: JobIngredients) {
    let number = numbers[ingredients] ?? Int32(found.count)
    if number == found.count {
      numbers[ingredients] = number
      found.append(ingredients)
    }
    groups += Array(repeating: 0, count: max(0, index + 1 - groups.count))
    groups[index] = number
    indices.append(index)
  }

  /// For each job, how many of its steps exist already when it begins.
  func starts(of jobs: some Sequence<Job>, _ engine: Engine) -> [Int: ImagePosition] {
    SharedWork(
      jobs, indices, batch: { _ in 0 }, ingredients: { found[Int(groups[$0])] }, changes: { engine.changes(in: $0) }
    ).starts
  }
}
