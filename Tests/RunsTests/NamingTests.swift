import Foundation
import Imaging
import JSON
import Settings
import Testing
import TestSupport

@testable import Runs

/// Runs whose images have names that the user chose.
@Suite struct NamingTests {
  static let seeds: [Int64] = [11, 22, 33]

  static func jobs(_ pattern: String, _ seeds: [Int64] = seeds, also: [FileFormat] = []) -> [Job] {
    fakeJobs(seeds) { settings in
      settings.fileName = pattern
      settings.otherFormats = also
    }
  }

  /// Every file in `images/` and its folders, with its bytes.
  static func tree(_ folder: RunFolder) throws -> [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: folder.images) {
      var isFolder: ObjCBool = false
      let path = folder.images + "/" + name
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else { continue }
      files[name] = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    }
    return files
  }

  private func names(_ space: Workspace) throws -> [String] { try Self.tree(space.folder).keys.sorted() }

  private func findings(_ space: Workspace) throws -> [String] {
    try Verification(space.folder, lock: try RunLock(space.folder, patience: .seconds(300))).findings.map(\.text)
  }

  private func pixels(_ space: Workspace) throws -> Set<String> {
    Set(
      try space.manifestJobs().compactMap { job in
        try (job["file"] as? String).map { digest(try Data(contentsOf: URL(fileURLWithPath: space.folder.file($0)))) }
      })
  }

  // MARK: Names

  @Test func `images get their names and folders, and everything follows`() throws {
    let space = try Workspace()
    let jobs = Self.jobs("[prompt]/[seed]-x", also: [.webp])
    try space.run(jobs)
    #expect(
      try names(space) == [
        "fish/11-x.png", "fish/11-x.webp", "fish/22-x.png", "fish/22-x.webp", "fish/33-x.png", "fish/33-x.webp",
      ])
    #expect(
      try space.manifestJobs().compactMap { $0["file"] as? String } == [
        "images/fish/11-x.png", "images/fish/22-x.png", "images/fish/33-x.png",
      ])
    #expect(try findings(space) == [])
    #expect(try RunStatus(space.folder).counts == RunCounts(done: 3))
    #expect(try RunImages(space.folder).entries.allSatisfy { $0.path?.contains("/images/fish/") == true })
    #expect(try space.run(jobs).imagesMade == 0)
    #expect(space.generator.calls == Self.seeds)
    let bare = try Workspace()
    try bare.run(fakeJobs(Self.seeds))
    // The bytes are the same as for images without a pattern.
    #expect(
      try Set(Self.tree(bare.folder).values) == Set(Self.tree(space.folder).filter { $0.key.hasSuffix(".png") }.values))
  }

  @Test func `equal names get numbers in the order of the jobs, also if only the letter case differs`() throws {
    let space = try Workspace()
    var jobs = Self.jobs("[prompt]", [1, 2, 3, 4, 5])
    for (index, prompt) in ["Fish", "fish", "fish-2", "FISH", "x"].enumerated() { jobs[index].settings.prompt = prompt }
    try space.run(jobs)
    #expect(
      try space.manifestJobs().compactMap { $0["file"] as? String } == [
        "images/Fish.png", "images/fish-3.png", "images/fish-2.png", "images/FISH-4.png", "images/x.png",
      ])
    #expect(try findings(space) == [])
  }

  @Test func `shards give the names that a whole run gives`() throws {
    let whole = try Workspace()
    let jobs = Self.jobs("[prompt]/[prompt]", Array(1...9))
    try whole.run(jobs)
    let space = try Workspace()
    for shard in [2, 0, 1] {
      let generator = space.generator
      var runner = Runner(
        generator, shard: try #require(Shard(index: shard, count: 3)), in: space.folder, stopRequest: { nil })
      let list = try JobList(jobs) { try generator.ingredients(for: $0) }
      _ = try runner.run(RunPlan(jobs: list, recipe: [:], recipeText: nil))
    }
    #expect(try Self.tree(space.folder) == Self.tree(whole.folder))
    let generator = space.generator
    var other = Runner(
      generator, shard: try #require(Shard(index: 0, count: 3)), in: space.folder, stopRequest: { nil })
    let list = try JobList(Self.jobs("[seed]", Array(1...9))) { try generator.ingredients(for: $0) }
    #expect(throws: RunError.self) { try other.run(RunPlan(jobs: list, recipe: [:], recipeText: nil)) }
  }

  // MARK: Other names

  @Test func `a changed pattern renames what is there, and makes nothing`() throws {
    let space = try Workspace()
    try space.run(fakeJobs(Self.seeds))
    let before = try Set(Self.tree(space.folder).values)
    for (pattern, expected) in [
      ("[seed]", ["11.png", "22.png", "33.png"]), ("a/b/[seed]", ["a/b/11.png", "a/b/22.png", "a/b/33.png"]),
      ("[date]-[seed]", nil), ("[image_hash]", nil), ("", nil),
    ] as [(String, [String]?)] {
      let outcome = try space.run(Self.jobs(pattern))
      #expect(outcome.imagesMade == 0 && outcome.counts == RunCounts(done: 3))
      if let expected { #expect(try names(space) == expected) }
      #expect(try Set(Self.tree(space.folder).values) == before)
      #expect(try findings(space) == [], "\(pattern)")
    }
    // Back to the first names, without empty folders.
    #expect(try FileManager.default.contentsOfDirectory(atPath: space.folder.images).allSatisfy(RunFileName.isImage))
    #expect(space.generator.calls == Self.seeds)
  }

  @Test func `names that are exchanged end where they belong`() throws {
    let space = try Workspace()
    var jobs = Self.jobs("[clip_skip]", [1, 2, 3])
    for index in 0..<3 { jobs[index].settings.clipSkip = index + 1 }
    try space.run(jobs)
    let files = try Self.tree(space.folder)
    #expect(files.keys.sorted() == ["1.png", "2.png", "3.png"])
    // Each image gets the present name of another image.
    let titles = ["2", "3", "1"]
    let exchanged = jobs.enumerated().map { index, job in
      var job = job
      job.settings.fileName = "[turn]"
      job.axes = [AxisPosition(name: "turn", value: titles[index], title: titles[index])]
      return job
    }
    try space.run(exchanged)
    #expect(
      try Self.tree(space.folder) == ["2.png": files["1.png"]!, "3.png": files["2.png"]!, "1.png": files["3.png"]!])
    #expect(space.generator.calls == [1, 2, 3])
    #expect(try findings(space) == [])
  }

  @Test func `a file of somebody else keeps its name and its bytes`() throws {
    let space = try Workspace()
    try space.run(fakeJobs(Self.seeds))
    let foreign = space.folder.images + "/11.png"
    try Data("mine".utf8).write(to: URL(fileURLWithPath: foreign))
    try space.run(Self.jobs("[seed]"))
    #expect(try String(contentsOfFile: foreign, encoding: .utf8) == "mine")
    #expect(try names(space).count == 4 && names(space).contains("22.png") && names(space).contains("33.png"))
    let space2 = try Workspace()
    try FileManager.default.createDirectory(atPath: space2.folder.images, withIntermediateDirectories: true)
    try space2.run(fakeJobs([1]))
    try Data("mine".utf8).write(to: URL(fileURLWithPath: space2.folder.images + "/2.png"))
    try space2.run(Self.jobs("[seed]", [1, 2]))
    #expect(try String(contentsOfFile: space2.folder.images + "/2.png", encoding: .utf8) == "mine")
    #expect(try space2.manifestJobs().compactMap { $0["status"] as? String } == ["done", "done"])
    unlink(space2.folder.images + "/2.png")
    // The name is free now.
    try space2.run(Self.jobs("[seed]", [1, 2]))
    #expect(try names(space2) == ["1.png", "2.png"])
    #expect(space2.generator.calls == [1, 2])
  }

  // MARK: Killed

  @Test(arguments: [false, true])
  func `a run killed before any step of naming loses and repeats nothing`(isRenaming: Bool) async throws {
    let whole = try Workspace()
    try whole.run(Self.jobs("[prompt]/[seed]", also: [.webp]))
    let counter = StepCounter()
    let counted = try Workspace()
    if isRenaming { try counted.run(Self.jobs("[seed]/x", also: [.webp])) }
    try counted.run(Self.jobs("[prompt]/[seed]", also: [.webp]), on: Disk { _ in counter.next() })
    #expect(counter.count > 20)
    for step in stride(from: 0, to: counter.count, by: isRenaming ? 1 : 3) {
      let space = try Workspace()
      if isRenaming { try space.run(Self.jobs("[seed]/x", also: [.webp])) }
      await #expect(processExitsWith: .signal(SIGKILL)) { [path = space.path as String, step = step as Int] in
        let counter = StepCounter()
        let disk = Disk { _ in if counter.next() == step { kill(getpid(), SIGKILL) } }
        try runFake(
          NamingTests.jobs("[prompt]/[seed]", also: [.webp]), FakeGenerator(log: path + "/calls"),
          in: RunFolder(path + "/run"), on: disk)
      }
      for line in space.lines(space.folder.journal).suffix(1) {
        guard let entry = try? JSONValue(parsing: line), let file = entry["file"]?.text else { continue }
        #expect(entry["sha256"]?.text == digest(try Data(contentsOf: URL(fileURLWithPath: space.folder.file(file)))))
      }
      let done = isRenaming ? Self.seeds.count : space.lines(space.folder.journal).count
      try space.run(Self.jobs("[prompt]/[seed]", also: [.webp]))
      #expect(try Self.tree(space.folder) == Self.tree(whole.folder), "killed before step \(step)")
      #expect(try findings(space) == [], "killed before step \(step)")
      if isRenaming { #expect(space.generator.calls == Self.seeds && done == 3) }
      #expect(try pixels(space) == pixels(whole))
    }
  }

  @Test func `images of other folders get this run's names`() throws {
    let space = try Workspace()
    let store = ImageStore(environment: ["XDG_CACHE_HOME": space.path + "/cache"])
    func run(_ name: String, _ jobs: [Job]) throws -> Int {
      try runFake(jobs, space.generator, in: RunFolder(space.path + "/" + name), store: store).imagesMade
    }
    #expect(try run("one", Self.jobs("[seed]")) == 3)
    #expect(try run("two", Self.jobs("b/[seed]")) == 0)
    #expect(try run("three", fakeJobs(Self.seeds)) == 0)
    #expect(try Self.tree(RunFolder(space.path + "/two")).keys.sorted() == ["b/11.png", "b/22.png", "b/33.png"])
    // Names of one file in several folders are not leftovers.
    #expect(try run("one", Self.jobs("c/[seed]")) == 0)
    for name in ["one", "two", "three"] { #expect(try Verification(RunFolder(space.path + "/" + name)).findings == []) }
  }

  @Test func `a job is found by the name of its image in every form`() throws {
    let space = try Workspace()
    try space.run(Self.jobs("[seed]/x"))
    let reasons = try JobReasons(space.folder)
    let jobs = try PlanFile.read(space.folder).jobs
    for name in ["22/x.png", "images/22/x.png", space.folder.path + "/images/22/x.png"] {
      #expect(try reasons.job(named: name, in: jobs).job.index == 1)
    }
    #expect(throws: RunError.self) { try reasons.job(named: "x.png", in: jobs) }
  }

  @Test func `a journal cannot lead outside the images through folders`() {
    for name in [
      "images/../x.png", "images/a/../../x.png", "images//x.png", "images/.a/x.png", "images/a/.x.png", "/images/x.png",
      "images/" + String(repeating: "a/", count: 20) + "x.png", "images/a/x.txt", "thumbs/x.png",
    ] {
      #expect(!RunFolder.isImageName(name), "\(name)")
    }
    #expect(RunFolder.isImageName("images/a/b c/x.webp"))
  }
}
