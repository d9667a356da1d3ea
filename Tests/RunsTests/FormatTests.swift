import Foundation
import Imaging
import JSON
import Settings
import Synchronization
import Testing
import TestSupport

@testable import Runs

/// Images in other formats, and in several.
@Suite struct FormatTests {
  static let seeds: [Int64] = [11, 22, 33]

  private static func jobs(
    _ format: FileFormat, also: [FileFormat] = [], quality: Int = 80, lossless: Bool = false, _ seeds: [Int64] = seeds
  ) -> [Job] {
    fakeJobs(seeds) { settings in
      settings.format = format
      settings.otherFormats = also
      settings.quality = quality
      settings.webPLossless = lossless
    }
  }

  private func names(_ space: Workspace, _ ending: String) throws -> [String] {
    try space.images().keys.filter { $0.hasSuffix(ending) }.sorted()
  }

  private func verified(_ space: Workspace) throws -> Verification {
    try Verification(space.folder, lock: try RunLock(space.folder, patience: .seconds(300)))
  }

  private func pruned(_ space: Workspace) throws -> [String] {
    let lock = try RunLock(space.folder, patience: .seconds(300))
    var verification = try Verification(space.folder, lock: lock)
    return try verification.prune(lock)
  }

  private func repaired(_ space: Workspace) throws -> Verification {
    let lock = try RunLock(space.folder, patience: .seconds(300))
    var verification = try Verification(space.folder, lock: lock)
    try verification.repair(lock)
    return verification
  }

  private func collected(_ space: Workspace) throws -> RunCounts {
    try Collector.collect(try RunLock(space.folder, patience: .seconds(300)))
  }

  private func entries(_ space: Workspace) throws -> [JSONValue] {
    try space.lines(space.folder.journal).map { try JSONValue(parsing: $0) }
  }

  // MARK: Writing

  @Test(arguments: [
    (FileFormat.jpeg, false, ".jpg"), (.webp, false, ".webp"), (.webp, true, ".webp"),
  ])
  func `a run keeps images in the format asked for, with their text, and finds them again`(
    format: FileFormat, lossless: Bool, ending: String
  ) throws {
    let space = try Workspace()
    let jobs = Self.jobs(format, lossless: lossless)
    #expect(try space.run(jobs).imagesMade == 3)
    #expect(try names(space, ending).count == 3 && space.images().count == 3)
    for (job, entry) in zip(jobs, try space.manifestJobs()) {
      let file = try #require(entry["file"] as? String)
      let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: space.folder.file(file))))
      let picture = try PictureFile(decoding: bytes)
      let made = try space.generator.picture(job.settings)
      #expect(entry["sha256"] as? String == digest(bytes))
      // The digest covers the pixels before encoding.
      #expect(entry["pixels_sha256"] as? String == digest(made.pixels))
      #expect(picture.note?.pixels == digest(made.pixels))
      #expect((picture.image == made) == lossless)
      #expect(picture.text("parameters") == entry["infotext"] as? String)
    }
    #expect(try verified(space).isClean)
    #expect(try space.run(jobs).imagesMade == 0)
    #expect(try RunStatus(space.folder).counts == RunCounts(done: 3))
    #expect(space.generator.calls == Self.seeds)
  }

  @Test func `both files are written, and the manifest names both`() throws {
    let space = try Workspace()
    try space.run(Self.jobs(.png, also: [.webp, .jpeg]))
    #expect(try ["png", "webp", "jpg"].map { try names(space, "." + $0).count } == [3, 3, 3])
    for entry in try space.manifestJobs() {
      let others = try #require(entry["also"] as? [[String: Any]])
      #expect(others.compactMap { ($0["file"] as? String)?.split(separator: ".").last } == ["webp", "jpg"])
      for other in others {
        let file = try #require(other["file"] as? String)
        #expect(
          other["sha256"] as? String == digest(try Data(contentsOf: URL(fileURLWithPath: space.folder.file(file)))))
      }
    }
    #expect(try verified(space).isClean)
    #expect(try RunImages(space.folder).entries.allSatisfy { $0.path?.hasSuffix(".png") == true })
  }

  @Test func `the identity of an image does not know its format`() throws {
    let ingredients = try Workspace().generator.ingredients(for: ImageSettings())
    let ids = Set(
      [Self.jobs(.png), Self.jobs(.webp), Self.jobs(.webp, lossless: true), Self.jobs(.jpeg, also: [.png], quality: 7)]
        .map {
          JobID($0[0].settings, ingredients)
        })
    #expect(ids.count == 1)
  }

  // MARK: Converting

  @Test func `another format is made of the PNG, and none is sampled`() throws {
    let space = try Workspace()
    try space.run(Self.jobs(.png))
    let before = try space.images()
    var started: RunStart?
    let outcome = try space.run(Self.jobs(.webp), observe: { if case .started(let start) = $0 { started = start } })
    #expect(outcome.counts == RunCounts(done: 3) && outcome.imagesMade == 0)
    #expect(started?.imagesConverted == 3 && started?.imagesToMake == 0 && started?.stepsToMake == 0)
    #expect(space.generator.steps.count == 9)
    // The old file stays, and the new file has the same name except for the extension.
    for (name, bytes) in before {
      #expect(try space.images()[name] == bytes)
      #expect(try space.images()[name.replacing(".png", with: ".webp")] != nil)
    }
    let verification = try verified(space)
    #expect(verification.isClean && verification.unasked.count == 3)
    let whole = try Workspace()
    try whole.run(Self.jobs(.webp))
    for name in try names(whole, ".webp") { #expect(try whole.images()[name] == space.images()[name]) }
    // The PNGs may be deleted, and come back by conversion if the WebP is lossless.
    try space.run(Self.jobs(.webp, lossless: true))
    _ = try pruned(space)
    #expect(try names(space, ".png").isEmpty && names(space, ".webp").count == 3)
  }

  @Test func `a lossless file gives back the PNG byte by byte`() throws {
    let space = try Workspace()
    try space.run(Self.jobs(.webp, lossless: true))
    try space.run(Self.jobs(.png))
    #expect(space.generator.calls == Self.seeds)
    let whole = try Workspace()
    try whole.run(Self.jobs(.png))
    for name in try names(whole, ".png") { #expect(try whole.images()[name] == space.images()[name]) }
    #expect(try verified(space).isClean)
    #expect(try space.manifestJobs().allSatisfy { ($0["file"] as? String)?.hasSuffix(".png") == true })
  }

  @Test func `another quality replaces the file`() throws {
    let space = try Workspace()
    try space.run(Self.jobs(.png, also: [.jpeg], quality: 90))
    let before = try space.images()
    try space.run(Self.jobs(.png, also: [.jpeg], quality: 20))
    #expect(space.generator.calls == Self.seeds)
    for name in try names(space, ".jpg") { #expect(try space.images()[name]!.count < before[name]!.count) }
    for name in try names(space, ".png") { #expect(try space.images()[name] == before[name]) }
    #expect(try verified(space).isClean)
  }

  @Test func `of a lossy file alone, another format is made of the latent that was kept`() throws {
    let space = try Workspace()
    try space.run(Self.jobs(.jpeg))
    let latents = { try FileManager.default.contentsOfDirectory(atPath: space.folder.checkpoints).count }
    #expect(try latents() == 3)
    // A run with nothing to do leaves them.
    try space.run(Self.jobs(.jpeg))
    #expect(try latents() == 3)
    #expect(try space.run(Self.jobs(.webp, quality: 70)).imagesMade == 3)
    // The images were decoded again, but no step was taken again.
    #expect(space.generator.calls == Self.seeds + Self.seeds && space.generator.steps.count == 9)
    #expect(try latents() == 3)
    // The JPEGs are still known, and count again.
    #expect(try verified(space).isClean)
    #expect(try space.run(Self.jobs(.jpeg)).imagesMade == 0)
    try space.run(Self.jobs(.png))
    #expect(space.generator.steps.count == 9)
    // When a file preserves the pixels, they are removed.
    #expect(try latents() == 0)
    let whole = try Workspace()
    try whole.run(Self.jobs(.png))
    for name in try names(whole, ".png") { #expect(try whole.images()[name] == space.images()[name]) }
  }

  @Test func `pruning removes the latents, and then an image has to be made again`() throws {
    let space = try Workspace()
    try space.run(Self.jobs(.jpeg))
    #expect(try pruned(space).count { $0.hasPrefix("checkpoints/") } == 3)
    try space.run(Self.jobs(.webp))
    #expect(space.generator.steps.count == 18)
  }

  @Test func `why says what a run would convert`() throws {
    let space = try Workspace()
    try space.run(Self.jobs(.png))
    func reasons(_ jobs: [Job]) throws -> [JobReason] {
      let generator = space.generator
      let planned = try jobs.map { job in
        let ingredients = try generator.ingredients(for: job.settings)
        return IdentifiedJob(id: JobID(job.settings, ingredients), job: job, ingredients: ingredients)
      }
      return try JobReasons(space.folder).reasons(planned)
    }
    let reason = try reasons(Self.jobs(.webp))[0]
    #expect(reason.cause == "format" && reason.runs && reason.reason.hasSuffix("is converted to webp 80"))
    try space.run(Self.jobs(.jpeg))
    #expect(try reasons(Self.jobs(.jpeg))[0].cause == "done")
    #expect(try reasons(Self.jobs(.png))[0].cause == "done")
  }

  @Test func `equal cells share the files that the first asks for`() throws {
    let space = try Workspace()
    let jobs = Self.jobs(.webp, [5]) + Self.jobs(.png, [5]).map { Job(index: 1, axes: [], settings: $0.settings) }
    try space.run(jobs)
    // The PNG exists because the second job has to get the pixels.
    #expect(try names(space, ".webp").count == 1 && names(space, ".png").count == 1)
    let lossless =
      Self.jobs(.webp, lossless: true, [6])
      + Self.jobs(.jpeg, [6]).map { Job(index: 1, axes: [], settings: $0.settings) }
    let other = try Workspace()
    try other.run(lossless)
    #expect(try other.images().keys.map { $0.hasSuffix(".webp") } == [true])
    #expect(try RunStatus(space.folder).counts == RunCounts(done: 2))
    #expect(try verified(space).isClean)
    #expect(try space.run(jobs).imagesMade == 0)
  }

  // MARK: Damage

  @Test(arguments: [".png", ".webp"])
  func `a damaged file is found, and made of the other`(ending: String) throws {
    let space = try Workspace()
    let jobs = Self.jobs(.png, also: [.webp], lossless: true)
    try space.run(jobs)
    let before = try space.images()
    let name = try names(space, ending)[1]
    let path = space.folder.images + "/" + name
    var bytes = try #require(before[name])
    bytes[bytes.count / 2] ^= 1
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let verification = try verified(space)
    #expect(verification.findings.map(\.file) == ["images/" + name] && verification.findings[0].kind == .digest)
    try space.run(jobs)
    #expect(space.generator.calls == Self.seeds)
    #expect(try space.images() == before)
    #expect(try verified(space).isClean)
  }

  @Test func `repair keeps an image whose other file is sound`() throws {
    let space = try Workspace()
    let jobs = Self.jobs(.png, also: [.jpeg])
    try space.run(jobs)
    let path = space.folder.images + "/" + (try names(space, ".jpg")[0])
    #expect(truncate(path, 100) == 0)
    let verification = try repaired(space)
    #expect(verification.findings.map(\.isRepaired) == [true])
    #expect(try space.manifestJobs().compactMap { $0["status"] as? String } == ["pending", "done", "done"])
    try space.run(jobs)
    #expect(space.generator.calls == Self.seeds)
    #expect(try verified(space).isClean)
  }

  // MARK: Killed

  @Test(arguments: [true, false])
  func `a run of two formats killed before any step on the disk loses and repeats nothing`(isConverting: Bool)
    async throws
  {
    let whole = try Workspace()
    try whole.run(Self.jobs(.webp, also: [.png]))
    let counter = StepCounter()
    let counted = try Workspace()
    if isConverting { try counted.run(Self.jobs(.png)) }
    try counted.run(Self.jobs(.webp, also: [.png]), on: Disk { _ in counter.next() })
    let count = counter.count
    #expect(count > 20)
    for step in stride(from: 0, to: count, by: isConverting ? 1 : 2) {
      let space = try Workspace()
      if isConverting { try space.run(Self.jobs(.png)) }
      await #expect(processExitsWith: .signal(SIGKILL)) { [path = space.path as String, step = step as Int] in
        let counter = StepCounter()
        let disk = Disk { _ in if counter.next() == step { kill(getpid(), SIGKILL) } }
        let jobs = fakeJobs(FormatTests.seeds) { settings in
          settings.format = .webp
          settings.otherFormats = [.png]
        }
        try runFake(jobs, FakeGenerator(log: path + "/calls"), in: RunFolder(path + "/run"), on: disk)
      }
      for line in space.lines(space.folder.journal) {
        guard let entry = try? JSONValue(parsing: line), let file = entry["file"]?.text else { continue }
        for (name, sha256) in [(file, entry["sha256"])]
          + (entry["also"]?.elements ?? []).map({ ($0["file"]?.text ?? "", $0["sha256"]) })
        {
          #expect(sha256?.text == digest(try Data(contentsOf: URL(fileURLWithPath: space.folder.file(name)))))
        }
      }
      let there = (try? space.images().keys.filter { !$0.hasPrefix(".") && $0.hasSuffix(".png") }) ?? []
      let seeds = there.compactMap { Int64($0.split(separator: "-")[1]) }
      try space.run(Self.jobs(.webp, also: [.png]))
      #expect(try space.images() == whole.images(), "killed before step \(step)")
      for seed in seeds { #expect(space.generator.steps.count { $0 == seed } == 3, "killed before step \(step)") }
      if isConverting { #expect(space.generator.steps.count == 9, "killed before step \(step)") }
      #expect(try verified(space).isClean, "killed before step \(step)")
    }
  }

  @Test func `a lossy image without its journal line is taken for what it is`() throws {
    let space = try Workspace()
    try space.run(Self.jobs(.jpeg))
    let before = try entries(space)
    unlink(space.folder.journal)
    #expect(try space.run(Self.jobs(.jpeg)).imagesMade == 0)
    for (one, other) in zip(before, try entries(space)) {
      for key in ["id", "file", "encoding", "sha256", "pixels_sha256", "infotext"] { #expect(one[key] == other[key]) }
    }
  }

  // MARK: Reuse

  private func store(_ space: Workspace) -> ImageStore {
    ImageStore(environment: ["XDG_CACHE_HOME": space.path + "/cache"])
  }

  @Test func `another folder takes a lossless file in any format, and a lossy one as it is`() throws {
    let space = try Workspace()
    func run(_ name: String, _ jobs: [Job]) throws -> Int {
      try runFake(jobs, space.generator, in: RunFolder(space.path + "/" + name), store: store(space)).imagesMade
    }
    #expect(try run("png", Self.jobs(.png)) == 3)
    #expect(try run("both", Self.jobs(.jpeg, also: [.webp])) == 0)
    #expect(try run("png2", Self.jobs(.png)) == 0)
    for name in ["both", "png2"] { #expect(try Verification(RunFolder(space.path + "/" + name)).findings == []) }
    #expect(space.generator.calls == Self.seeds)
    let other = try Workspace()
    func lossy(_ name: String, _ jobs: [Job]) throws -> Int {
      try runFake(jobs, other.generator, in: RunFolder(other.path + "/" + name), store: store(other)).imagesMade
    }
    #expect(try lossy("jpeg", Self.jobs(.jpeg)) == 3)
    #expect(try lossy("same", Self.jobs(.jpeg)) == 0)
    #expect(try lossy("quality", Self.jobs(.jpeg, quality: 81)) == 3)
    #expect(try lossy("png", Self.jobs(.png)) == 3)
    #expect(try Verification(RunFolder(other.path + "/same")).findings == [])
  }

  // MARK: Shards

  @Test func `a shard with another format does not join`() throws {
    let space = try Workspace()
    func run(_ shard: Int, _ jobs: [Job]) throws {
      let generator = space.generator
      var runner = Runner(
        generator, shard: try #require(Shard(index: shard, count: 2)), in: space.folder, stopRequest: { nil })
      let list = try JobList(jobs) { try generator.ingredients(for: $0) }
      _ = try runner.run(RunPlan(jobs: list, recipe: [:], recipeText: nil))
    }
    try run(0, Self.jobs(.webp, also: [.png]))
    #expect(throws: RunError.self) { try run(1, Self.jobs(.png)) }
    try run(1, Self.jobs(.webp, also: [.png]))
    #expect(try collected(space) == RunCounts(done: 3))
    #expect(try verified(space).isClean)
  }

  // MARK: Planning

  @Test func `prompts that a JPEG has no room for are refused before anything is written`() throws {
    let space = try Workspace()
    let long = String(repeating: "fish, ", count: 6000)
    let jobs = fakeJobs([1]) { settings in
      settings.prompt = long
      settings.format = .jpeg
    }
    #expect(throws: LongText.self) { try space.run(jobs) }
    #expect(
      try space.run(
        fakeJobs([1]) {
          $0.prompt = long; $0.format = .webp
        }
      ).imagesMade == 1)
  }
}
