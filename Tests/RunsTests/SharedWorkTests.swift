import Foundation
import Imaging
import JSON
import Settings
import Testing
import TestSupport

@testable import Runs

/// Images that have steps in common, which are taken once; the bytes are the same as if each image were made alone.
@Suite struct SharedWorkTests {
  /// Random grids over everything that takes effect late, and some settings that take effect early; in random order.
  private static func jobs(_ seed: UInt64) -> [Job] {
    var random = SplitMix64(state: seed)
    func some<Value>(_ values: [Value], _ count: ClosedRange<Int>) -> [Value] {
      Array(values.shuffled(using: &random).prefix(Int.random(in: count, using: &random)))
    }
    let sampler = [SamplerID.euler, .heun, .dpmPP2M].randomElement(using: &random) ?? .euler
    let steps = Int.random(in: 2...7, using: &random)
    var settings: [ImageSettings] = []
    for prompt in some(["boat", "boat[ship@3", "boat[ship@5", "boat[tree@5", "hut[boat@2"], 1...4) {
      for vae in some(["bright", "dark", "grey"], 1...3) {
        for strength in some([nil, 0.0, 0.3, 0.5], 1...4) {
          for upscaler in some(["Latent", "Lanczos"], 1...2) {
            for value in some([1, 2], 1...2) {
              for second in some(["", "boat", "boat[ship@1", "boat[tree@2", "hut"], 1...2) {
                var one = fakeJobs([Int64(value)])[0].settings
                (one.sampler, one.steps, one.prompt) = (sampler, steps, prompt)
                one.vae = ModelReference(name: vae, path: "/vaes/\(vae)")
                if let strength {
                  var hires = HiresSettings()
                  (hires.denoisingStrength, hires.steps, hires.prompt) = (strength, 2, second)
                  hires.upscaler = upscaler == "Latent" ? .latent : UpscalerReference(name: "Lanczos")
                  one.hires = hires
                }
                settings.append(one)
              }
            }
          }
        }
      }
    }
    return settings.shuffled(using: &random).enumerated().map { Job(index: $0, axes: [], settings: $1) }
  }

  /// The pixels of a run's images, by job.
  private func pixels(_ space: Workspace) throws -> [Int: [UInt8]] {
    try space.manifestJobs().reduce(into: [:]) { pixels, job in
      let (index, file) = (try #require(job["index"] as? Int), try #require(job["file"] as? String))
      pixels[index] = try PNGFile(decoding: Array(Data(contentsOf: URL(fileURLWithPath: space.folder.file(file)))))
        .image.pixels
    }
  }

  private func expected(_ jobs: [Job]) throws -> [Int: [UInt8]] {
    try jobs.reduce(into: [:]) { $0[$1.index] = try SharingGenerator.alone($1.settings).pixels }
  }

  @discardableResult
  private func run(
    _ jobs: [Job], _ generator: SharingGenerator, in space: Workspace, shard: Shard? = nil,
    stopRequest: @escaping () -> StopReason? = { nil }, observe: @escaping (RunEvent) -> Void = { _ in }
  ) throws -> RunOutcome {
    let plan = RunPlan(
      jobs: try JobList(jobs) { try generator.ingredients(for: $0) }, recipe: ["prompt": "boat"],
      recipeText: "prompt: boat\n")
    var runner: Runner<SharingGenerator>
    if let shard {
      runner = Runner(
        generator, shard: shard, in: space.folder, checkpointInterval: .zero, stopRequest: stopRequest, observe: observe
      )
    } else {
      runner = Runner(
        generator, lock: try RunLock(space.folder), checkpointInterval: .zero, stopRequest: stopRequest,
        observe: observe)
    }
    return try runner.run(plan)
  }

  private func checkpoints(_ space: Workspace) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: space.folder.checkpoints)
  }

  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func `every distinct step is taken once, and every image is as if made alone`(seed: UInt64) throws {
    let jobs = Self.jobs(seed)
    let (space, generator) = (try Workspace(), SharingGenerator())
    var promised = 0
    let observe = { (event: RunEvent) in
      if case .started(let start) = event { promised = start.stepsToMake }
    }
    try run(jobs, generator, in: space, observe: observe)
    #expect(try pixels(space) == expected(jobs))
    let distinct = try SharingGenerator.distinctSteps(jobs)
    #expect(generator.record.steps.count == distinct)
    #expect(promised == distinct)
    #expect(try checkpoints(space).isEmpty)
  }

  @Test(arguments: 1...4 as ClosedRange<UInt64>)
  func `a run that is stopped at any step finds the shared states again`(seed: UInt64) throws {
    let jobs = Self.jobs(seed)
    let distinct = try SharingGenerator.distinctSteps(jobs)
    for stop in stride(from: 1, through: distinct, by: max(1, distinct / 12)) {
      let (space, generator) = (try Workspace(), SharingGenerator())
      let record = generator.record
      try run(jobs, generator, in: space) { record.steps.count >= stop ? .until : nil }
      try run(jobs, generator, in: space)
      #expect(try pixels(space) == expected(jobs))
      #expect(record.steps.count == distinct, "stopped before step \(stop)")
      #expect(try checkpoints(space).isEmpty)
    }
  }

  @Test func `shards in any order make the same images, and keep siblings together`() throws {
    let jobs = Self.jobs(3)
    let (space, generator) = (try Workspace(), SharingGenerator())
    for index in [2, 0, 1] { try run(jobs, generator, in: space, shard: Shard(index: index, count: 3)) }
    try run(jobs, generator, in: space)
    #expect(try pixels(space) == expected(jobs))
    let distinct = try SharingGenerator.distinctSteps(jobs)
    // At most the states at which the plan is cut are computed again.
    #expect(generator.record.steps.count <= distinct + 2 * 7)
    #expect(try checkpoints(space).isEmpty)
  }

  @Test func `a shared state that is damaged is made again`() throws {
    let jobs = Self.jobs(5)
    let (space, generator) = (try Workspace(), SharingGenerator())
    let record = generator.record
    let half = try SharingGenerator.distinctSteps(jobs) / 2
    try run(jobs, generator, in: space) { record.steps.count >= half ? .until : nil }
    for name in try checkpoints(space) {
      try Data("damaged".utf8).write(to: URL(fileURLWithPath: space.folder.checkpoints + "/" + name))
    }
    try run(jobs, generator, in: space)
    #expect(try pixels(space) == expected(jobs))
  }

  @Test func `jobs that only seem to have something in common are made alone`() throws {
    // If a generator does not say when its changes take effect, nothing is shared.
    let jobs = fakeJobs([1, 1]) { $0.vae = ModelReference(name: "bright", path: "/vaes/bright") }
    let list = try JobList(jobs) { try FakeGenerator(log: "/dev/null").ingredients(for: $0) }
    #expect(list.sharedWork(changes: { _ in nil }, where: { _ in true }).isEmpty)
  }

  @Test func `a trace begun by an older version keeps its columns`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1]))
    var lines = space.lines(space.folder.trace).map { $0.split(separator: "\t", omittingEmptySubsequences: false) }
    let shared = try #require(lines[0].firstIndex(of: "steps_shared"))
    for line in lines.indices { lines[line].remove(at: shared) }
    let old = lines.map { $0.joined(separator: "\t") + "\n" }.joined()
    try old.write(toFile: space.folder.trace, atomically: true, encoding: .utf8)
    try space.run(fakeJobs([1, 2]))
    let fields = space.lines(space.folder.trace).map { $0.split(separator: "\t", omittingEmptySubsequences: false) }
    #expect(fields.map(\.count) == [lines[0].count, lines[0].count, lines[0].count])
  }
}
