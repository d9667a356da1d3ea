import DemoModel
import Diffusion
import Foundation
import JSON
import Recipes
import Runs
import Settings
import Sheets
import Tensors
import Text
import Tokenization

/// Checks everything that a run needs from this machine, before the first night.
struct Checkup {
  /// The result of one check.
  struct Finding {
    enum Level: String {
      case ok, warning, problem
    }

    var name: String
    var level: Level
    var text: String

    var json: JSONValue {
      ["name": .string(name), "level": .string(level.rawValue), "text": .string(text)]
    }
  }

  /// The recipe to time; nil for the demo model.
  let recipe: String?
  /// Whether to time a step.
  let times: Bool
  private let environment = ProcessInfo.processInfo.environment

  init(recipe: String?, times: Bool) { (self.recipe, self.times) = (recipe, times) }

  /// Checks everything, and reports each finding at once.
  ///
  /// - Parameter report: Receives the findings.
  func run(_ report: (Finding) -> Void) {
    report(program)
    report(processor)
    report(fonts)
    report(models)
    for finding in folders { report(finding) }
    report(clock)
    if times { report(timing) }
  }

  // MARK: The machine

  private var program: Finding {
    let path = Engine.executable
    if case .missing = DemoModel.locate(executable: path) {
      return Finding(
        name: "program", level: .warning,
        text: "sdbatch \(SDBatch.version) in \(path); the demo model is not next to it")
    }
    return Finding(name: "program", level: .ok, text: "sdbatch \(SDBatch.version) in \(path)")
  }

  private var processor: Finding {
    do {
      let engine = try Engine.forCommand(threads: nil)
      let description = engine.description
      let notes = engine.takeNotes()
      return Finding(
        name: "processor", level: notes.isEmpty ? .ok : .warning,
        text: (["\(description.isa), \(description.precision), \(Count(description.threads, "thread"))"] + notes)
          .joined(separator: "; "))
    } catch {
      return Finding(name: "processor", level: .problem, text: ExitStatus.message(error))
    }
  }

  private var fonts: Finding {
    do {
      let cell = SheetCell(axes: [], content: .pending, width: 8, height: 8, infotext: "", seconds: nil)
      _ = try ContactSheet([cell], groups: [], recipe: "", options: SheetOptions())
      return Finding(name: "fonts", level: .ok, text: "labels of contact sheets can be drawn")
    } catch {
      return Finding(name: "fonts", level: .problem, text: "no contact sheets: \(error)")
    }
  }

  private var models: Finding {
    let folders = (environment["SDBATCH_MODELS"] ?? "").split(separator: ":").map(String.init)
    var parts: [String] = []
    var level = Finding.Level.ok
    if folders.isEmpty { parts.append("SDBATCH_MODELS is not set") }
    for folder in folders {
      if access(folder, R_OK | X_OK) == 0 {
        parts.append("\(folder): \(Count(ModelLocator.everyModel(below: folder).count, "model file"))")
      } else {
        parts.append("\(folder) cannot be read: \(String(cString: strerror(errno)))")
        level = .warning
      }
    }
    let clip = VocabularyLocator(environment: environment).sharedFolder.map { $0 + "/clip" }
    let hasVocabulary = clip.map { folder in
      VocabularyLocator.fileNames.contains { access("\(folder)/\($0)", R_OK) == 0 }
    }
    if hasVocabulary != true {
      parts.append("no CLIP vocabulary in \(clip ?? "a home folder"), which single files of Stable Diffusion need")
    }
    return Finding(name: "models", level: level, text: parts.joined(separator: "; "))
  }

  private var folders: [Finding] {
    let home = environment["HOME"] ?? ""
    func xdg(_ name: String, _ usual: String) -> String {
      (environment[name].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? home + usual) + "/sdbatch"
    }
    return [
      disk("output", FileManager.default.currentDirectoryPath), disk("cache", xdg("XDG_CACHE_HOME", "/.cache")),
      disk("state", xdg("XDG_STATE_HOME", "/.local/state")),
    ]
  }

  /// Whether a folder can be written as a run does it: complete files with their own names.
  private func disk(_ name: String, _ folder: String) -> Finding {
    let free = ResourceGate.Machine().free(folder)
    let space = free.map { "\(ByteText.text($0)) free" } ?? "free space unknown"
    let isNew = access(folder, F_OK) != 0
    let probe = folder + "/.sdbatch-doctor-\(getpid())"
    do {
      if isNew { try Disk().makeFolder(folder) }
      try AtomicFile.write(Array("x".utf8), to: probe, on: Disk())
      unlink(probe)
      if isNew { rmdir(folder) }
    } catch {
      return Finding(name: name, level: .problem, text: "\(error)")
    }
    let isShort = free.map { $0 < 1 << 30 } ?? false
    return Finding(name: name, level: isShort ? .warning : .ok, text: "\(folder): \(space)")
  }

  private var clock: Finding {
    let now = time(nil)
    var status = stat()
    var built = 0
    if stat(Engine.executable, &status) == 0 { built = Int(status.st_mtim.tv_sec) }
    var (seconds, fields) = (now, tm())
    localtime_r(&seconds, &fields)
    let zone = fields.tm_zone.map { String(cString: $0) } ?? "an unknown zone"
    let text =
      "\(LocalDate(secondsSince1970: now)) \(Int(fields.tm_hour).padded(to: 2)):\(Int(fields.tm_min).padded(to: 2)) \(zone)"
    // A machine without a battery for its clock starts with a date in the past.
    return now < built
      ? Finding(name: "clock", level: .problem, text: "\(text), which is before this program was built")
      : Finding(name: "clock", level: .ok, text: text)
  }

  // MARK: A step

  /// Makes the first image of the recipe with two steps; then `plan` knows how long images take.
  private var timing: Finding {
    let folder = RunFolder(NSTemporaryDirectory() + "/sdbatch-doctor-\(getpid())")
    defer { try? FileManager.default.removeItem(atPath: folder.path) }
    do {
      let target = try target(folder)
      let engine = try Engine.forCommand(threads: nil)
      var session = RunSession(engine, FirstJobPlanner(target: target), in: folder)
      session.stopRequest = { StopSignals.request }
      var error: String?
      session.observer = { _ in FailureNote { error = $0 } }
      _ = try session.run()
      if let error { return Finding(name: "timing", level: .problem, text: error) }
      var costs = CostBook(environment: environment)
      costs.learn(from: folder)
      costs.save()
      let trace = String(decoding: (try? FileReader.bytes(of: folder.trace)) ?? [], as: UTF8.self)
      let rows = trace.split(separator: "\n").map { $0.split(separator: "\t", omittingEmptySubsequences: false) }
      guard rows.count > 1, let column = rows[0].firstIndex(of: "seconds_per_step"),
        let size = rows[0].firstIndex(of: "size"), let pace = Double(rows[1][column])
      else { return Finding(name: "timing", level: .problem, text: "no image was made") }
      return Finding(
        name: "timing", level: .ok,
        text:
          "a step of \(recipe ?? "the demo model") at \(rows[1][size]) takes \(Pace.seconds(pace)); plan now uses this")
    } catch {
      return Finding(name: "timing", level: .problem, text: ExitStatus.message(error))
    }
  }

  private func target(_ folder: RunFolder) throws -> RunTarget {
    guard let recipe else {
      let text = "model: demo\nprompt: a red circle on a blue background\nseed: 1\nsteps: 20\n"
      let demo = try RecipeReader(environment: .ofProcess).read(text: Array(text.utf8), path: "demo.yaml")
      return RunTarget(source: .recipe(demo), folder: folder, path: "demo.yaml")
    }
    return RunTarget(source: .recipe(try RecipeOptions.read(recipe)), folder: folder, path: recipe)
  }
}

/// Plans the first job of a recipe, with two steps.
private struct FirstJobPlanner: RunPlanner {
  let target: RunTarget

  func storedSeeds(in folder: RunFolder) throws -> SeedDraws { SeedDraws() }

  func plan(_ seeds: inout SeedDraws) throws -> PlannedRun { try target.plan(&seeds).firstJob(steps: 2) }
}

/// Keeps the reason why a job failed.
private final class FailureNote: RunObserver {
  private let report: (String) -> Void

  init(_ report: @escaping (String) -> Void) { self.report = report }

  func note(_ event: RunEvent) {
    if case .jobFailed(_, let error) = event { report(error) }
  }

  func close() {}
}
