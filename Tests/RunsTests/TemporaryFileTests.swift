import Foundation
import Testing

@testable import Runs

@Suite struct TemporaryFileTests {
  private let space: Workspace

  init() throws { space = try Workspace() }

  private func shard(_ index: Int) throws -> Shard { try #require(Shard("\(index)/2")) }

  private func plant(_ name: String, hoursAgo: Int = 0) throws {
    let path = space.folder.file(name)
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data("half".utf8).write(to: URL(fileURLWithPath: path))
    let date = Date(timeIntervalSinceNow: -3600 * Double(hoursAgo))
    try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path)
  }

  private func isThere(_ name: String) -> Bool { access(space.folder.file(name), F_OK) == 0 }

  /// What shards of this machine leave, for every file that they may have been writing.
  private static let leftByShards = [
    "plan.jsonl", "seeds.json", "recipe.yaml", "progress-0-of-2.json", "preview-0.png",
    "images/00000-1-0123abcd.png",
    "images/00000-1-0123abcd-before-face-restoration.png", "thumbs/00000-1-0123abcd.png",
    "checkpoints/\(String(repeating: "a", count: 64)).checkpoint", "upscaled/00000-1-0123abcd.png",
  ].map { path in
    let path = path as NSString
    let folder = path.deletingLastPathComponent.isEmpty ? "" : path.deletingLastPathComponent + "/"
    return "\(folder).\(path.lastPathComponent).12-\(TemporaryFile.machine)-a1b2-3.shard.tmp"
  }

  /// What runs leave that are alone in the folder.
  private static let leftByRuns = [
    ".manifest.json.9.tmp", "images/.00000-1-0123abcd.png.9.tmp", "responses/.0.json.9.tmp",
    "outbox/.000000000001-0.json.9.tmp",
    "thumbs/.00000-1-0123abcd.png.9.tmp", "restored/.00000-1-0123abcd.png.9.tmp",
  ]

  /// A file of another machine, whose locks cannot be seen: that machine may be working.
  private static let elsewhere = ".plan.jsonl.12-othermachine-a1b2-3.shard.tmp"
  /// The form that earlier versions of the program wrote.
  private static let older = "images/.00000-1-0123abcd.png.12-a1b2-3.shard.tmp"

  @Test func `a shard removes what killed shards left, and nothing else`() throws {
    try space.run(fakeJobs([1, 2]))
    for name in Self.leftByShards + Self.leftByRuns + [Self.elsewhere, Self.older] { try plant(name) }
    try runFakeShard(try shard(0), fakeJobs([1, 2]), space.generator, in: space.folder)
    for name in Self.leftByShards { #expect(!isThere(name), "\(name)") }
    for name in Self.leftByRuns + [Self.elsewhere, Self.older] { #expect(isThere(name), "\(name)") }
    for name in [Self.elsewhere, Self.older] { try plant(name, hoursAgo: 25) }
    try runFakeShard(try shard(0), fakeJobs([1, 2]), space.generator, in: space.folder)
    for name in [Self.elsewhere, Self.older] { #expect(!isThere(name), "\(name)") }
  }

  @Test(arguments: ["run", "collect"])
  func `a run and collect remove what any process left`(command: String) throws {
    try space.run(fakeJobs([1]))
    for name in Self.leftByShards + Self.leftByRuns + [Self.elsewhere, Self.older] { try plant(name) }
    let others = [".notes.tmp", ".settings.json.12.tmp", "images/.mine.tmp", "slurm/.job.12.tmp"]
    for name in others { try plant(name) }
    if command == "run" {
      try space.run(fakeJobs([1]))
    } else {
      _ = try Collector.collect(try RunLock(space.folder, patience: .seconds(300)))
    }
    for name in Self.leftByShards + Self.leftByRuns { #expect(!isThere(name), "\(name)") }
    for name in others + [Self.elsewhere, Self.older] { #expect(isThere(name), "\(name)") }
  }

  @Test(arguments: [false, true])
  func `a file that is being written is no leftover`(isShared: Bool) throws {
    let disk = Disk(isShared: isShared)
    try disk.makeFolder(space.folder.path)
    try AtomicFile.write(to: space.folder.recipe, on: disk) { file in
      try file.write([1])
      let names = try AtomicFile.names(in: space.folder.path)
      #expect(names.count == 1 && TemporaryFile.isOne(names[0], of: RunFileName.isOfRun))
      #expect(!TemporaryFile.isLeftover(space.folder.file(names[0])))
      try TemporaryFile.removeLeftovers(in: space.folder.path, on: Disk())
      try file.write([2])
    }
    #expect(try FileReader.bytes(of: space.folder.recipe) == [1, 2])
    #expect(try AtomicFile.names(in: space.folder.path) == ["recipe.yaml"])
  }

  @Test func `a file keeps its lock until it has its name`() throws {
    try Disk().makeFolder(space.folder.path)
    let folder = space.folder
    let disk = Disk { step in
      guard step.action == .rename, let name = step.oldPath else { return }
      #expect(!TemporaryFile.isLeftover(name))
    }
    try AtomicFile.write([1], to: folder.recipe, on: disk)
    try AtomicFile.write([1], to: folder.recipe, on: disk.shared)
  }

  @Test func `an image that is linked from elsewhere is no leftover, and a forgotten link is`() throws {
    try Disk().makeFolder(space.folder.path)
    let old = space.folder.file("old.png")
    try plant("old.png", hoursAgo: 48)
    let link = TemporaryFile.name(of: space.folder.file("new.png"), on: Disk(isShared: true))
    #expect(try Disk().linkExisting(old, to: link))
    let descriptor = open(link, O_RDONLY)
    let lock = try #require(try TemporaryFile.lock(descriptor, link, LOCK_SH))
    close(descriptor)
    #expect(!TemporaryFile.isLeftover(link))
    close(lock)
    #expect(TemporaryFile.isLeftover(link))
    // Another machine may have linked it just now, however old the image is.
    let other = space.folder.file(".new.png.12-othermachine-a1b2-3.shard.tmp")
    #expect(rename(link, other) == 0)
    #expect(!TemporaryFile.isLeftover(other))
  }

  @Test func `a lock fails on a file that was removed as a leftover`() throws {
    try Disk().makeFolder(space.folder.path)
    let path = TemporaryFile.name(of: space.folder.recipe, on: Disk(isShared: true))
    let descriptor = open(path, O_WRONLY | O_CREAT, 0o666)
    defer { close(descriptor) }
    try TemporaryFile.removeLeftovers(in: space.folder.path, on: Disk(isShared: true))
    #expect(access(path, F_OK) != 0)
    #expect(try TemporaryFile.lock(descriptor, path) == nil)
  }
}

extension Workspace {
  /// The hidden files of the run folder and of the folders in it.
  func temporaries() throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter {
      ($0 as NSString).lastPathComponent.hasPrefix(".")
    }
  }
}
