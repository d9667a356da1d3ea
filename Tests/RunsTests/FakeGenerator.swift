import Hashing
import Foundation
import Imaging
import JSON
import Runs
import Settings
import TestSupport

/// Makes images whose pixels are a function of the job's identity and of every step that was taken, and records every call and
/// step.
struct FakeGenerator: ImageGenerator {
  struct Failure: Error, CustomStringConvertible {
    var description: String { "the fake engine was told to fail" }
  }
  struct ModelFailure: InputFailure, CustomStringConvertible {
    var description: String { "the fake model is damaged" }
  }

  /// A file that gets a line for each call: the seed.
  var log: String
  var version = "1.2.3"
  /// The name of a model file; its content stays the same.
  var modelName = "fake"
  var failingSeeds: Set<Int64> = []
  var damagedModels: Set<String> = []
  var size: Int?
  var numerics = 1
  var isa = "portable"
  var precision = "fp32"
  var refusesStates = false
  var onProgress: @Sendable (GenerationProgress) -> Void = { _ in }

  var description: EngineDescription {
    EngineDescription(version: version, numerics: numerics, isa: isa, precision: precision, threads: 2)
  }

  func ingredients(for settings: ImageSettings) throws -> JobIngredients {
    let modelDigest = digest(settings.model.name)
    // A prompt such as "lora ink" means a prompt with that LoRA.
    let lora = settings.prompt.hasPrefix("lora ") ? String(settings.prompt.dropFirst(5)) : nil
    let loras = lora.map { name in
      [
        LoRAIdentity(
          name: name, path: "/lora/\(name).safetensors", sha256: digest(name),
          shortHash: "0123456789ab", textMultiplier: 1, unetMultiplier: 0.5, rankLimit: nil)
      ]
    }
    let vae = settings.vae.map { vae in
      ModelIdentity(
        name: vae.name, path: vae.path, sha256: digest(vae.name), family: "vae"
      )
    }
    return JobIngredients(
      model: ModelIdentity(
        name: modelName, path: "/models/\(modelName).safetensors", sha256: modelDigest, family: "sd1"),
      vae: vae, loras: loras, embeddings: embeddings(settings.prompt),
      vocabularySHA256: String(repeating: "0", count: 64), precision: precision, isa: isa,
      numerics: 1)
  }

  /// A prompt such as "word star" means a prompt with that embedding.
  private func embeddings(_ prompt: String) -> [EmbeddingIdentity] {
    guard prompt.hasPrefix("word ") else { return [] }
    let name = String(prompt.dropFirst(5))
    return [
      EmbeddingIdentity(
        name: name, path: "/embeddings/\(name).pt", sha256: digest(name))
    ]
  }

  mutating func generate(
    _ settings: ImageSettings, resuming earlier: [UInt8]?,
    progress: (GenerationProgress, GenerationState?) throws -> Void
  ) throws -> RGBImage {
    var (latent, step) = (try start(settings), 0)
    if let earlier {
      guard !refusesStates, earlier.count == 33 else { throw UnusableState("the fake engine was told to refuse it") }
      (latent, step) = (Array(earlier.dropLast()), Int(earlier[32]))
    }
    note("\(settings.seed)", in: log)
    func report(_ stage: GenerationProgress, _ state: GenerationState? = nil) throws {
      onProgress(stage)
      try progress(stage, state)
    }
    func state() -> GenerationState {
      GenerationState(step: step, position: .call(step)) { [latent, step] in latent + [UInt8(step)] }
    }
    try report(.loading(settings.model.name))
    if damagedModels.contains(settings.model.name) { throw ModelFailure() }
    try report(.encoding)
    while step < settings.steps {
      try report(.sampling(step: step, of: settings.steps), state())
      latent = Array(SHA256.hash(latent))
      step += 1
      note("\(settings.seed)", in: log + "-steps")
    }
    try report(.sampling(step: step, of: settings.steps), state())
    if failingSeeds.contains(settings.seed) { throw Failure() }
    try report(.decoding, state())
    return picture(settings, latent)
  }

  private func note(_ text: String, in path: String) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    let line = Array("\(text)\n".utf8)
    _ = write(descriptor, line, line.count)
    close(descriptor)
  }

  private func start(_ settings: ImageSettings) throws -> [UInt8] {
    Array(SHA256.hash(JobID.canonicalJSON(settings, try ingredients(for: settings))))
  }

  private func picture(_ settings: ImageSettings, _ latent: [UInt8]) -> RGBImage {
    let (width, height) = (size ?? settings.width, settings.height)
    var pixels: [UInt8] = []
    var block = latent
    while pixels.count < width * height * 3 {
      block = Array(SHA256.hash(block))
      pixels += block
    }
    return RGBImage(width: width, height: height, pixels: Array(pixels.prefix(width * height * 3)))
  }

  /// The result of `generate`.
  func picture(_ settings: ImageSettings) throws -> RGBImage {
    var latent = try start(settings)
    for _ in 0..<settings.steps { latent = Array(SHA256.hash(latent)) }
    return picture(settings, latent)
  }

  /// The seeds of all steps so far, in order.
  var steps: [Int64] { Self.numbers(in: log + "-steps") }

  /// The seeds of all calls so far, in order.
  var calls: [Int64] { Self.numbers(in: log) }

  private static func numbers(in path: String) -> [Int64] {
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    return text.split(separator: "\n").compactMap { Int64($0) }
  }
}

/// A folder that is removed when the test ends, and the things that tests do in it.
final class Workspace {
  private let temporaryFolder: TemporaryFolder
  var path: String { temporaryFolder.path }
  var folder: RunFolder { RunFolder(path + "/run") }
  var generator: FakeGenerator { FakeGenerator(log: path + "/calls") }

  init() throws { temporaryFolder = try TemporaryFolder() }

  /// Runs a plan in the folder.
  @discardableResult
  func run(
    _ jobs: [Job], _ generator: FakeGenerator? = nil, on disk: Disk = Disk(), every interval: Duration = .seconds(30),
    only: JobSelection = .unfinished, onFailure: FailurePolicy = .goOn,
    stopRequest: @escaping () -> StopReason? = { nil },
    observe: @escaping (RunEvent) -> Void = { _ in }
  ) throws -> RunOutcome {
    try runFake(
      jobs, generator ?? self.generator, in: folder, on: disk, every: interval, only: only, onFailure: onFailure,
      stopRequest: stopRequest, observe: observe)
  }

  /// The manifest, by Foundation's reader.
  func manifest() throws -> [String: Any] {
    let data = try Data(contentsOf: URL(fileURLWithPath: folder.manifest))
    return try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
  }

  func manifestJobs() throws -> [[String: Any]] { try manifest()["jobs"] as? [[String: Any]] ?? [] }

  /// The images by name.
  func images() throws -> [String: [UInt8]] { try Self.images(folder) }

  static func images(_ folder: RunFolder) throws -> [String: [UInt8]] {
    var images: [String: [UInt8]] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: folder.images) {
      images[name] = Array(try Data(contentsOf: URL(fileURLWithPath: folder.images + "/" + name)))
    }
    return images
  }

  func lines(_ path: String) -> [String] {
    ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
  }
}

/// Also for tests that run in a separate process and can bring only values.
@discardableResult
func runFake(
  _ jobs: [Job], _ generator: FakeGenerator, in folder: RunFolder, on disk: Disk = Disk(),
  every interval: Duration = .seconds(30), only: JobSelection = .unfinished,
  onFailure: FailurePolicy = .goOn, store: ImageStore? = nil, stopRequest: @escaping () -> StopReason? = { nil },
  observe: @escaping (RunEvent) -> Void = { _ in }
) throws -> RunOutcome {
  var runner = Runner(
    generator, lock: try RunLock(folder, patience: .seconds(1200), on: disk), on: disk, checkpointInterval: interval,
    stopRequest: stopRequest, store: store, observe: observe)
  let jobs = try JobList(jobs) { try generator.ingredients(for: $0) }
  return try runner.run(
    RunPlan(jobs: jobs, recipe: ["prompt": "fish", "steps": 3], recipeText: "prompt: fish\n"), only: only,
    onFailure: onFailure)
}

/// One job for each seed, 8x16 pixels, three steps.
func fakeJobs(_ seeds: [Int64], change: (inout ImageSettings) -> Void = { _ in }) -> [Job] {
  seeds.enumerated().map { index, seed in
    var settings = ImageSettings()
    settings.prompt = "fish"
    settings.width = 8
    settings.height = 16
    settings.steps = 3
    settings.seed = seed
    change(&settings)
    return Job(
      index: index, axes: [AxisPosition(name: "seed", value: "\(seed)", title: "seed \(seed)")],
      settings: settings)
  }
}
