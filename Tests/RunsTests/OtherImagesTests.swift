import Foundation
import JSON
import Settings
import Testing

@testable import Runs

/// Runs that continue with another instruction set or precision.
@Suite struct OtherImagesTests {
  /// The jobs as a run on a machine plans them.
  private func list(_ jobs: [Job], isa: String, precision: String = "fp32") throws -> JobList {
    var generator = FakeGenerator(log: "/dev/null")
    (generator.isa, generator.precision) = (isa, precision)
    return try JobList(jobs) { try generator.ingredients(for: $0) }
  }

  private func run(
    _ jobs: [Job], in space: Workspace, isa: String, precision: String = "fp32", _ policy: OtherImagePolicy = .refuse,
    notes: (String) -> Void = { _ in }
  ) throws -> RunOutcome {
    var generator = space.generator
    (generator.isa, generator.precision) = (isa, precision)
    let list = try list(jobs, isa: isa, precision: precision).settled(in: space.folder, policy, report: notes)
    var runner = Runner(generator, lock: try RunLock(space.folder), stopRequest: { nil })
    return try runner.run(RunPlan(jobs: list, recipe: ["prompt": "fish"], recipeText: nil))
  }

  @Test func `a run on another machine ends before it makes an image again, and says what to do`() throws {
    let space = try Workspace()
    #expect(try run(fakeJobs([1, 2]), in: space, isa: "avx2").imagesMade == 2)
    let error = #expect(throws: RunError.self) { try run(fakeJobs([1, 2, 3]), in: space, isa: "avx512") }
    let text = try #require(error?.description)
    #expect(text.contains("2 images exist with avx2 (fp32), and this run computes with avx512 (fp32)"))
    #expect(text.contains("--accept-isa") && text.contains("--remake"))
    #expect(space.generator.calls == [1, 2])
    // On the first machine, everything is as before.
    #expect(try run(fakeJobs([1, 2]), in: space, isa: "avx2").imagesMade == 0)
  }

  @Test func `images that are kept are recorded as what they are`() throws {
    let space = try Workspace()
    _ = try run(fakeJobs([1, 2]), in: space, isa: "avx2", precision: "bf16")
    let before = try space.images()
    var notes: [String] = []
    let outcome = try run(fakeJobs([1, 2, 3, 3]), in: space, isa: "avx512", .keep) { notes.append($0) }
    #expect(outcome.imagesMade == 1 && outcome.counts == RunCounts(done: 4))
    #expect(notes.count == 1 && notes[0].hasSuffix("they are kept"))
    let after = try space.images()
    #expect(after.count == 3 && before.allSatisfy { after[$0.key] == $0.value })
    let jobs = try space.manifestJobs()
    #expect(jobs.map { $0["isa"] as? String } == ["avx2", "avx2", nil, nil])
    #expect(
      jobs.map { ($0["parameters"] as? [String: Any])?["precision"] as? String } == ["bf16", "bf16", "fp32", "fp32"])
    #expect((try space.manifest()["engine"] as? [String: Any])?["precision"] as? String == "bf16, fp32")
    let verification = try Verification(space.folder)
    #expect(verification.findings.isEmpty && verification.machines == ["avx2 (bf16)": 2, "avx512 (fp32)": 1])
    #expect(verification.summary.contains("2 made with avx2 (bf16) and 1 made with avx512 (fp32)"))
    #expect(try RunStatus(space.folder).counts == RunCounts(done: 4))
    let now = try list(fakeJobs([1, 2, 3]), isa: "avx512")
    let reasons = try JobReasons(space.folder).reasons(Array(now.identified))
    #expect(reasons.map(\.cause) == ["other_isa", "other_isa", "done"])
    #expect(!reasons.contains(where: \.runs) && JobReasons.counts(reasons) == RunCounts(done: 3))
    // If they are kept again, no image is made.
    #expect(try run(fakeJobs([1, 2, 3, 3]), in: space, isa: "avx512", .keep).imagesMade == 0)
  }

  @Test func `who wants the images again gets them`() throws {
    let space = try Workspace()
    _ = try run(fakeJobs([1, 2]), in: space, isa: "avx2")
    #expect(try run(fakeJobs([1, 2]), in: space, isa: "avx512", .remake).imagesMade == 2)
    // Then both exist.
    #expect(try run(fakeJobs([1, 2]), in: space, isa: "avx512").imagesMade == 0)
    #expect(try run(fakeJobs([1, 2]), in: space, isa: "avx2").imagesMade == 0)
    #expect(space.generator.calls == [1, 2, 1, 2])
  }

  @Test func `a recipe that asks for another precision has its images made`() throws {
    let space = try Workspace()
    _ = try run(fakeJobs([1]), in: space, isa: "avx512", precision: "bf16")
    let jobs = fakeJobs([1]) { $0.precision = .fp32 }
    var notes: [String] = []
    #expect(try run(jobs, in: space, isa: "avx512", precision: "fp32") { notes.append($0) }.imagesMade == 1)
    #expect(notes.count == 1 && notes[0].contains("1 image exists with avx512 (bf16)"))
  }

  @Test func `new jobs and edited ones are no images of another machine`() throws {
    let space = try Workspace()
    _ = try run(fakeJobs([1]), in: space, isa: "avx2")
    #expect(try run(fakeJobs([2]), in: space, isa: "avx512").imagesMade == 1)
    #expect(try run(fakeJobs([2]) { $0.steps += 1 }, in: space, isa: "avx2").imagesMade == 1)
  }
}
