import Foundation
import JSON
import Testing
import TestSupport

/// Jobs and models that fail in the middle of a run.
@Suite struct BadJobTests {
  @Test func `numbers that overflow and images too large for the memory fail alone, with their reasons`() async throws {
    let space = try Workspace(
      recipe: """
        model: model.safetensors
        prompt: a small boat
        width: 64
        height: 64
        steps: 3
        seed: 5
        grid:
          case:
            - {title: overflow, prompt: "a (boat:100000000000000000000000000000000000000)", emphasis: No norm, sampler_name: DPM adaptive}
            - {title: good}
            - {title: large, width: 8192, height: 8192}
            - {title: better, steps: 4}
        output: run

        """)
    // As much address space as the program uses, and a little more: far less than the large image needs.
    let child = try space.startShell("ulimit -v 4000000; exec \"$0\" recipe.yaml")
    #expect(try await child.wait() == .exited(3), "\(child.output)\(child.errors)")
    let jobs = try space.manifestJobs()
    #expect(jobs.map { $0["status"]?.text } == ["failed", "done", "failed", "done"])
    #expect(jobs[0]["error"]?.text?.contains("contains NaN or infinite numbers") == true)
    #expect(jobs[2]["error"]?.text?.hasPrefix("out of memory: 8192x8192 pixels take at least ") == true)
    for job in [jobs[0], jobs[2]] {
      #expect(child.errors.contains(try #require(job["error"]?.text)))
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: space.path + "/run/checkpoints").isEmpty)
    #expect(!space.exists("run/crashes.log"))
  }

  static let twoModels = """
    prompt: a small boat
    width: 64
    height: 64
    steps: 3
    grid:
      model: [model.safetensors, other.safetensors]
      seed: 1, 2, ..., 30
    output: run

    """

  /// Starts a run over two models and suspends it while it works on the first one.
  private func startBetweenModels(_ space: Workspace) throws -> Child {
    // Another model by its digest: padding after the header's text changes no weights.
    var bytes = try RandomModels.data("model.safetensors")
    let count = bytes[0..<8].enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    bytes.insert(contentsOf: Array("        ".utf8), at: 8 + count)
    let newCount = UInt64(count + 8)
    bytes.replaceSubrange(0..<8, with: (0..<8).map { UInt8(truncatingIfNeeded: newCount >> (8 * UInt64($0))) })
    try space.write(bytes, to: "other.safetensors")
    try space.write(try RandomModels.data("merges.txt"), to: "merges.txt")
    let child = try space.start("recipe.yaml")
    try child.wait { space.journal().count >= 1 }
    child.kill(SIGSTOP)
    return child
  }

  @Test func `a model file that is written to during the run ends it with 10, and the next run is right`() async throws
  {
    let space = try Workspace(recipe: Self.twoModels)
    let child = try startBetweenModels(space)
    let bytes = try space.data("other.safetensors")
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: space.path + "/other.safetensors"))
    try file.truncate(atOffset: UInt64(bytes.count / 2))
    child.kill(SIGCONT)
    #expect(try await child.wait() == .exited(10), "\(child.output)\(child.errors)")
    #expect(
      child.errors.hasSuffix(
        "sdbatch: \(space.path)/other.safetensors: the file was changed while it was in use; run again when it is complete\n"
      ))
    #expect(try space.manifest()["run"]?["status"] == "aborted")
    let done = try space.images()
    #expect(done.count == 30)
    // Still half a file.
    #expect(try await space.run("recipe.yaml", exits: 10).errors.contains("other.safetensors: the file is damaged"))
    try file.seekToEnd()
    try file.write(contentsOf: bytes.dropFirst(bytes.count / 2))
    try file.close()
    #expect(try await space.run("recipe.yaml").output.contains("60 jobs, 30 done, 30 to make"))
    let images = try space.images()
    for (name, data) in done { #expect(images[name] == data) }
  }

  @Test func `a model file that vanishes during the run is not missed`() async throws {
    let space = try Workspace(recipe: Self.twoModels)
    let child = try startBetweenModels(space)
    try FileManager.default.removeItem(atPath: space.path + "/other.safetensors")
    child.kill(SIGCONT)
    #expect(try await child.wait() == .exited(0), "\(child.output)\(child.errors)")
    let jobs = try space.manifestJobs()
    for (first, second) in zip(jobs[..<30], jobs[30...]) {
      #expect(first["id"] != second["id"])
      #expect(first["pixels_sha256"] == second["pixels_sha256"])
    }
    #expect(try await space.run("recipe.yaml", exits: 10).errors.contains("other.safetensors"))
  }

  @Test func `times that jump change nothing`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml")
    let images = try space.images()
    // As after a clock that was wrong: files of long ago and of the future, a journal that ends in the future.
    for (offset, name) in images.keys.sorted().enumerated() {
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSince1970: offset % 2 == 0 ? 1000 : 5e9)],
        ofItemAtPath: "\(space.path)/run/images/\(name)")
    }
    let journal = try space.text("run/journal.jsonl").replacing(
      #/"started":"\d{4}/#, with: "\"started\":\"2150")
    try space.write(journal, to: "run/journal.jsonl")
    #expect(try await space.run("recipe.yaml", "--max-time", "1h").output.contains("nothing to do"))
    #expect(try space.images() == images)
  }
}
