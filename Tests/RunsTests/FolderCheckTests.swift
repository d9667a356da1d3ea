import Foundation
import Settings
import Testing
import TestSupport

@testable import Runs

/// Which folders a run may use, and which files count as its own.
@Suite struct FolderCheckTests {
  private func folder(_ files: [String: String]) throws -> (TemporaryFolder, RunFolder) {
    let temporary = try TemporaryFolder()
    let folder = RunFolder(temporary("run"))
    for (name, text) in files {
      let path = folder.file(name)
      try FileManager.default.createDirectory(
        atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }
    return (temporary, folder)
  }

  @Test(arguments: [
    ["recipe.yaml": "prompt: a\n"], ["index.html": "<h1>mine</h1>"], ["manifest.json": #"{"name":"my app"}"#],
    ["seeds.json": #"["poppy"]"#], ["plan.jsonl": "{}\n"], ["journal.jsonl": "Dear diary\n"], ["trace.tsv": "a\tb\n"],
    ["images/holiday.png": "x"], ["thumbs/holiday.png": "x"], ["responses/x.json": "{}"], ["contact-sheet-2.png": "x"],
    ["checkpoints/step-100.ckpt": "x"], ["run.lock": "12345"], ["seeds.json": "{}", "index.html": "mine"],
    ["images": "a file"],
  ])
  func `a folder with other people's files under our names is refused with the names`(_ files: [String: String]) throws
  {
    let (temporary, folder) = try folder(files)
    let error = #expect(throws: RunError.self) { try folder.checkIsUsable() }
    guard case .notOfRun(_, let names) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(!names.isEmpty && names.allSatisfy { name in files.keys.contains { $0.hasPrefix(name) } })
    withExtendedLifetime(temporary) {}
  }

  @Test(arguments: [
    [:], ["notes.txt": "x", ".notes.tmp": "x", "fish.yaml": "prompt: a\n"], ["run.lock": ""],
    ["images/00000-1-0123abcd.png": "x"], ["slurm/1_2.log": "x"], ["seeds.json": "{}"],
    ["seeds.json": #"{"seed":5}"#, "recipe.yaml": "x"], ["run.lock": "host a, pid 1\n", "index.html": "x"],
    ["plan.jsonl": #"{"id":"0"}"#, "index.html": "x"],
    ["journal-0-of-2-1.jsonl": #"{"event":"done"}"#, "index.html": "x"],
  ])
  func `a folder without them may be used, and so may the folder of a run`(_ files: [String: String]) throws {
    let (temporary, folder) = try folder(files)
    try folder.checkIsUsable()
    withExtendedLifetime(temporary) {}
  }

  @Test(arguments: ["run.lock", "plan.jsonl", "journal.jsonl", "manifest.json", "recipe.yaml", "images"])
  func `a run folder stays one when a file of it is missing or empty`(_ name: String) throws {
    for isMissing in [true, false] {
      let space = try Workspace()
      try space.run(fakeJobs([1]))
      let path = space.folder.file(name)
      try FileManager.default.removeItem(atPath: path)
      if !isMissing, name != "images" { try Data().write(to: URL(fileURLWithPath: path)) }
      try space.folder.checkIsUsable()
      try space.run(fakeJobs([1]))
      #expect(try space.images().count == 1)
    }
  }

  @Test func `only our own temporary files are taken for such`() {
    let ours = [
      ".plan.jsonl.12.tmp", ".journal-0-of-2-1.jsonl.1.tmp", ".seeds.json.12-a1b2-3.shard.tmp",
      ".contact-sheet-2.png.9.tmp",
    ]
    let others = [
      ".notes.tmp", ".notes.12.tmp", "plan.jsonl.12.tmp", ".plan.jsonl.tmp", ".plan.jsonl.x.tmp", ".plan.jsonl.1-2.tmp",
      ".settings.json.12.tmp", ".12.tmp", "..tmp", ".tmp", ".photo.png.1.tmp",
    ]
    for name in ours { #expect(TemporaryFile.isOne(name, of: RunFileName.isOfRun), "\(name)") }
    for name in others { #expect(!TemporaryFile.isOne(name, of: RunFileName.isOfRun), "\(name)") }
  }

  @Test func `a run leaves the temporary files of others in its folder alone`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1]))
    let others = [".notes.tmp", ".settings.json.12.tmp", "images/.mine.tmp", "checkpoints/.swap.1.tmp"]
    let ours = [".manifest.json.12.tmp", "images/.00000-1-0123abcd.png.12.tmp"]
    for name in others + ours { try Data("x".utf8).write(to: URL(fileURLWithPath: space.folder.file(name))) }
    try space.run(fakeJobs([1]))
    #expect(others.allSatisfy { access(space.folder.file($0), F_OK) == 0 })
    #expect(ours.allSatisfy { access(space.folder.file($0), F_OK) != 0 })
    let lock = try RunLock(space.folder)
    var verification = try Verification(space.folder, lock: lock)
    #expect(verification.findings.isEmpty)
    try verification.repair(lock)
    #expect(others.allSatisfy { access(space.folder.file($0), F_OK) == 0 })
  }

  @Test func `verifying does not touch a folder whose plan is another program's`() throws {
    let (temporary, folder) = try folder(["plan.jsonl": #"{"step": 1}"#, "index.html": "<h1>mine"])
    #expect(throws: RunError.noRun(path: folder.path)) { try Verification(folder) }
    #expect(throws: RunError.noRun(path: folder.path)) { try RunLock(existing: folder) }
    #expect(access(folder.lock, F_OK) != 0)
    withExtendedLifetime(temporary) {}
  }

  @Test func `times beyond 2262 and numbers of other people's journals end nothing`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1]))
    let name = try #require(try space.images().keys.first)
    var times = [timespec(), timespec()]
    (times[0].tv_sec, times[1].tv_sec) = (10_000_000_000, 10_000_000_000)
    #expect(utimensat(AT_FDCWD, space.folder.images + "/" + name, times, 0) == 0)
    #expect(try space.run(fakeJobs([1])).imagesMade == 0)
    #expect(try RunStatus(space.folder).counts == RunCounts(done: 1))

    try Data(#"{"event":"x"}"#.utf8)
      .write(to: URL(fileURLWithPath: space.folder.file("journal-0-of-1-9223372036854775807.jsonl")))
    let generator = space.generator
    var runner = Runner(
      generator, shard: try #require(Shard(index: 0, count: 1)), in: space.folder, stopRequest: { nil })
    unlink(space.folder.plan)
    let list = try JobList(fakeJobs([1, 2])) { try generator.ingredients(for: $0) }
    #expect(try runner.run(RunPlan(jobs: list, recipe: [:], recipeText: nil)).imagesMade == 1)
  }
}
