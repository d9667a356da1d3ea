import ArgumentParser
import Foundation
import Imaging
import JSON
import Recipes
import Runs
import Settings

/// Times everything that a run does besides computing images, with an engine that makes blank images.
struct RunBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Time planning, resuming, status, verify and why for a run of many jobs.",
    discussion: """
      Images are 8x8 and take no time, so the first run shows what publishing costs on this disk. Peak memory is measured \
      for each part separately and includes what the process held before.
      """)

  @Option(help: "Number of jobs.")
  var jobs = 100_000

  @Option(help: "An empty folder to work in (default: a temporary folder that is removed at the end).")
  var folder: String?

  func run() throws {
    let path = folder ?? FileManager.default.temporaryDirectory.path + "/sdbench-" + UUID().uuidString
    defer { if folder == nil { try? FileManager.default.removeItem(atPath: path) } }
    let recipe = """
      prompt: a red fish and a blue star on a white background, highly detailed, studio light
      negative_prompt: blurry, low quality
      width: 8
      height: 8
      grid: {seed: "1, 2, ..., \(jobs)"}
      output: \(path)
      """
    let environment = PlanningEnvironment()
    let read = try RecipeReader(environment: environment).read(text: Array(recipe.utf8), path: "bench.yaml")
    let plan = try part("plan") {
      var seeds = SeedDraws()
      let plan = try Plan(recipe: read, environment: environment, seeds: &seeds)
      for _ in plan.jobs {}
      return plan
    }
    let run = RunFolder(path)
    for name in ["first run", "run with nothing to do"] {
      try part(name) { try Self.work(plan, in: run) }
    }
    try part("status") { _ = try RunStatus(run) }
    try part("verify") {
      let verification = try Verification(run)
      if !verification.isClean { throw ValidationError("verify found \(verification.findings.count) differences") }
    }
    try part("why") { _ = try JobReasons(run).reasons(PlanFile.read(run).jobs) }
    let images = try FileManager.default.contentsOfDirectory(atPath: run.images).sorted()
    for name in images.prefix(images.count / 2) { unlink(run.images + "/" + name) }
    try part("resume with half to do") { try Self.work(plan, in: run) }
  }

  /// Does what a run does after planning.
  private static func work(_ plan: Plan, in folder: RunFolder) throws {
    let generator = BlankGenerator()
    let jobs = try JobList(plan.jobs) { try generator.ingredients(for: $0) }
    var runner = Runner(generator, lock: try RunLock(folder))
    _ = try runner.run(RunPlan(jobs: jobs, recipe: plan.json, recipeText: plan.recipe.text))
  }

  /// Runs `body`, and prints the time and memory that it took.
  @discardableResult
  private func part<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
    PeakMemory.reset()
    let start = ContinuousClock.now
    let processor = clock()
    let result = try body()
    let seconds = start.duration(to: .now) / .seconds(1)
    let busy = Double(clock() - processor) / 1_000_000
    let memory = PeakMemory.bytes.map { "\($0 >> 20) MiB" } ?? "unknown"
    let padded = name + String(repeating: " ", count: max(0, 24 - name.count))
    print("\(padded) \((seconds * 100).rounded() / 100) s, processor \((busy * 100).rounded() / 100) s, \(memory)")
    return result
  }
}

/// Makes grey images without any delay.
private struct BlankGenerator: ImageGenerator {
  let description = EngineDescription(version: "0.0.0", numerics: 0, isa: "none", precision: "fp32", threads: 1)

  func ingredients(for settings: ImageSettings) throws -> JobIngredients {
    let digest = String(repeating: "0", count: 64)
    return JobIngredients(
      model: ModelIdentity(name: "blank", path: nil, sha256: digest, family: "sd1"), vae: nil, vocabularySHA256: digest,
      precision: description.precision, isa: description.isa, numerics: description.numerics)
  }

  mutating func generate(
    _ settings: ImageSettings, resuming state: [UInt8]?,
    progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws -> RGBImage {
    try progress(.sampling(step: 0, of: 1), nil)
    let count = settings.finalWidth * settings.finalHeight * 3
    return RGBImage(
      width: settings.finalWidth, height: settings.finalHeight,
      pixels: Array(repeating: UInt8(truncatingIfNeeded: settings.seed), count: count))
  }
}
