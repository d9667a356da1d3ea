import Foundation
import JSON
import Testing

/// A disk that is full in the middle of a night: a small file system in memory, for which one has to be root.
@Suite(.serialized, .enabled(if: FullDisk.isPossible)) struct FullDiskTests {
  private static let recipe = """
    prompt: a red fish
    steps: 1
    width: 128
    height: 128
    nightly: 24
    output: disk/run

    """

  private func images(_ space: Workspace) throws -> [String: Data] {
    try space.images("disk/run").filter { $0.key.hasSuffix(".png") && !$0.key.hasPrefix(".") }
  }

  @Test(arguments: ["64k", "300k", "500k"])
  func `a night ends with 74, keeps what it has, and the next run continues`(size: String) async throws {
    let space = try Workspace(recipe: Self.recipe)
    let disk = try FullDisk(space.path + "/disk", size: size)
    let full = try await space.run("recipe.yaml", "--no-reuse", exits: 74)
    #expect(full.errors.contains("No space left on device"), "\(full.errors)")
    let made = space.exists("disk/run/images") ? try images(space) : [:]
    #expect(made.count < 24)
    // What is there is whole, and nothing that is done counts as missing.
    if space.exists("disk/run/plan.jsonl") {
      try await space.run("status", "disk/run")
      let verified = try space.start("verify", "disk/run", "--json")
      #expect([.exited(0), .exited(3)].contains(try await verified.wait()))
      let kinds = try JSONValue(parsing: verified.output)["findings"]?.elements?.compactMap { $0["kind"]?.text } ?? []
      #expect(Set(kinds).isSubset(of: ["manifest", "orphan", "leftover", "derived"]), "\(verified.output)")
    }
    try await space.run("recipe.yaml", "--no-reuse", exits: 74)
    try disk.grow(to: "64m")
    try await space.run("recipe.yaml", "--no-reuse")
    let after = try images(space)
    #expect(after.count == 24 && made.allSatisfy { after[$0.key] == $0.value })
    try await space.run("verify", "disk/run")
    let done = space.journal("disk/run").filter { $0["event"] == "done" }.compactMap { $0["id"]?.text }
    #expect(done.count == 24 && Set(done).count == 24)
    let idle = try await space.run("recipe.yaml", "--summary")
    #expect(idle.output.contains("24 of 24 done, 0 failed (nothing to do)"))
  }
}

/// A small file system in memory, gone with this object.
private final class FullDisk {
  private let path: String

  /// Whether this process may mount one.
  static var isPossible: Bool {
    guard geteuid() == 0, let folder = try? Workspace(recipe: nil), let disk = try? FullDisk(folder.path, size: "64k")
    else { return false }
    return withExtendedLifetime(disk) { true }
  }

  init(_ path: String, size: String) throws {
    self.path = path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    guard mount("none", path, "tmpfs", 0, "size=\(size)") == 0 else { throw CocoaError(.fileWriteUnknown) }
  }

  deinit { umount2(path, Int32(MNT_DETACH)) }

  func grow(to size: String) throws {
    guard mount("none", path, "tmpfs", UInt(MS_REMOUNT), "size=\(size)") == 0 else {
      throw CocoaError(.fileWriteUnknown)
    }
  }
}
