import Foundation
import Imaging
import Runs
import Settings
import Synchronization
import Testing
import TestSupport

/// The order in which jobs are done, so that weights are loaded rarely, and that this order is not visible anywhere else.
@Suite struct WorkOrderTests {
  /// The weights that a job needs in memory.
  struct Weights: Hashable {
    var model: String
    var lora: String
    var vae: String

    init(_ settings: ImageSettings) {
      (model, lora, vae) = (settings.model.name, settings.prompt, settings.vae?.name ?? "")
    }
  }

  /// How often weights change in a sequence of jobs; the first job loads them.
  struct Switches: Equatable {
    var models = 0
    /// Changes without the model.
    var loras = 0
    /// Changes without model and LoRAs.
    var vaes = 0

    init(_ jobs: [ImageSettings]) {
      var last: Weights?
      for weights in jobs.map(Weights.init) {
        if weights.model != last?.model {
          models += 1
        } else if weights.lora != last?.lora {
          loras += 1
        } else if weights.vae != last?.vae {
          vaes += 1
        }
        last = weights
      }
    }
  }

  /// A grid of seeds, VAEs, LoRAs and models, where the last axis is the model: the worst order for the work.
  static let jobs: [Job] = {
    var jobs: [Job] = []
    for _ in 1...2 {
      for vae in ["bright", "dark"] {
        for lora in ["fish", "lora ink", "lora storm"] {
          for model in ["first", "second", "third"] {
            var job = fakeJobs([Int64(jobs.count + 1)])[0]
            job.index = jobs.count
            job.settings.model = ModelReference(name: model, path: "/models/\(model)")
            job.settings.vae = ModelReference(name: vae, path: "/vaes/\(vae)")
            job.settings.prompt = lora
            // Prompts that may name networks have the folders to search.
            job.settings.adapterFolders = ["/"]
            jobs.append(job)
          }
        }
      }
    }
    return jobs
  }()

  /// The settings of the jobs that were done, in the order in which they were begun.
  private func done(_ space: Workspace) -> [ImageSettings] {
    space.generator.calls.map { seed in Self.jobs[Int(seed) - 1].settings }
  }

  @Test func `models are outermost whatever the order of axes, then LoRAs, then VAEs`() throws {
    let space = try Workspace()
    try space.run(Self.jobs)
    let done = done(space)
    #expect(Switches(Self.jobs.map(\.settings)).models == 36)
    #expect(done.count == 36)
    // Each model once; each of its LoRAs once, since they change most of its layers; and a VAE for each of these.
    var expected = Switches([])
    (expected.models, expected.loras, expected.vaes) = (3, 3 * 2, 3 * 3)
    #expect(Switches(done) == expected)
    // The first that are asked for come first.
    #expect(done.map(\.model.name) == ["first", "second", "third"].flatMap { Array(repeating: $0, count: 12) })
    // Everything that users see is in written order.
    #expect(try space.manifestJobs().map { $0["index"] as? Int } == Array(0..<36))
    #expect(
      try space.manifestJobs().map { ($0["parameters"] as? [String: Any])?["model"] as? String }
        == Self.jobs.map(\.settings.model.name))
    let names = try space.images().keys.sorted()
    #expect(names.map { Int($0.prefix(5)) } == Array(0..<36))
  }

  @Test(arguments: [0, 1, 5, 11, 12, 13, 25, 35])
  func `a run that continues loads no model again that is finished`(stopAt: Int) throws {
    let whole = try Workspace()
    try whole.run(Self.jobs)
    let space = try Workspace()
    let count = Mutex(0)
    var generator = space.generator
    generator.onProgress = { if case .decoding = $0 { count.withLock { $0 += 1 } } }
    try space.run(Self.jobs, generator, stopRequest: { count.withLock { $0 } >= stopAt ? .signal(SIGTERM) : nil })
    let first = space.generator.calls
    try space.run(Self.jobs)
    // The image at which it was stopped is continued first.
    let order = whole.generator.calls
    #expect(first == Array(order.prefix(stopAt)))
    #expect(space.generator.calls.dropFirst(first.count) == order.dropFirst(max(stopAt - 1, 0)))
    let rest = Array(done(space).dropFirst(first.count))
    #expect(Switches(rest).models == Set(rest.map(\.model)).count)
    #expect(Switches(rest).models + Switches(rest).loras == Set(rest.map { [$0.model.name, $0.prompt] }).count)
  }

  @Test func `shards take whole models as far as that goes`() throws {
    let space = try Workspace()
    for index in 0..<3 {
      let shard = try #require(Shard(index: index, count: 3))
      let before = space.generator.calls.count
      try runFakeShard(shard, Self.jobs, space.generator, in: space.folder)
      let own = Array(done(space).dropFirst(before))
      #expect(own.count == 12 && Set(own.map(\.model)).count == 1)
    }
  }

  @Test func `one file under two names is treated as two models, because each is opened separately`() throws {
    struct Copies: ImageGenerator {
      var inner: FakeGenerator
      var description: EngineDescription { inner.description }
      func ingredients(for settings: ImageSettings) throws -> JobIngredients {
        var ingredients = try inner.ingredients(for: settings)
        ingredients.model.path = settings.model.path
        ingredients.model.sha256 = String(repeating: "a", count: 64)
        return ingredients
      }
      mutating func generate(
        _ settings: ImageSettings, resuming state: [UInt8]?,
        progress: (GenerationProgress, GenerationState?) throws -> Void
      ) throws -> RGBImage { try inner.generate(settings, resuming: state, progress: progress) }
    }
    let space = try Workspace()
    let jobs = Array(Self.jobs.prefix(6))
    let generator = Copies(inner: space.generator)
    var runner = Runner(generator, lock: try RunLock(space.folder, patience: .seconds(300)), stopRequest: { nil })
    let list = try JobList(jobs) { try generator.ingredients(for: $0) }
    _ = try runner.run(RunPlan(jobs: list, recipe: ["prompt": "fish"], recipeText: nil))
    #expect(Switches(done(space)).models == 3)
  }

  @Test func `a shard whose images another process makes meanwhile keeps count of its batches`() throws {
    // More prompts with embeddings than models: what images are made from is not what has to be loaded.
    let space = try Workspace()
    var jobs = fakeJobs(Array(1...8))
    for index in jobs.indices {
      jobs[index].settings.prompt = "word star\(index)"
      jobs[index].settings.adapterFolders = ["/"]
    }
    let shard = try #require(Shard(index: 0, count: 1))
    let (others, path) = (jobs, space.path)
    let isBegun = Mutex(false)
    var generator = space.generator
    generator.onProgress = { [folder = space.folder] _ in
      guard
        isBegun.withLock({ begun in
          defer { begun = true }; return !begun
        })
      else { return }
      // The same shard, in another process, is faster.
      _ = try? runFakeShard(shard, others, FakeGenerator(log: path + "/other"), in: folder)
    }
    let outcome = try runFakeShard(shard, jobs, generator, in: space.folder)
    #expect(outcome.counts == RunCounts(done: 8))
    #expect(FakeGenerator(log: path + "/other").calls == Array(1...8))
    #expect(space.generator.calls == [1])
  }
}
