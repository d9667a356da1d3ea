import Foundation
import JSON
import Settings
import Testing

@testable import Runs

@Suite struct JobReasonTests {
  private func planned(_ jobs: [Job], _ space: Workspace) throws -> [IdentifiedJob] {
    try jobs.map { job in
      let ingredients = try space.generator.ingredients(for: job.settings)
      return IdentifiedJob(id: JobID(job.settings, ingredients), job: job, ingredients: ingredients)
    }
  }

  private func reasons(_ jobs: [Job], _ space: Workspace) throws -> [JobReason] {
    try JobReasons(space.folder).reasons(planned(jobs, space))
  }

  @Test func `what happened to a job's image decides whether the job runs, and is reported`() throws {
    let space = try Workspace()
    var generator = space.generator
    generator.failingSeeds = [5]
    let jobs = fakeJobs([1, 2, 3, 4, 5])
    try space.run(jobs, generator)
    let names = try space.images().keys.sorted()
    let paths = names.map { space.folder.images + "/" + $0 }
    unlink(paths[1])
    truncate(paths[2], 20)
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -900)], ofItemAtPath: paths[3])
    let reasons = try reasons(jobs, space)
    #expect(reasons.map(\.cause) == ["done", "missing", "altered", "touched", "failed"])
    #expect(reasons.map(\.runs) == [false, true, true, false, true])
    #expect(reasons[1].text.hasSuffix("will run: images/\(names[1]) is missing"))
    #expect(reasons[2].reason.contains("has 20 bytes, not the "))
    #expect(reasons[4].reason.hasPrefix("its last try failed on 20") && reasons[4].reason.hasSuffix("was told to fail"))
    // The reason is what the next run really does.
    #expect(try space.run(jobs).imagesMade == reasons.count(where: \.runs))
    #expect(try self.reasons(jobs, space).allSatisfy { !$0.runs })
  }

  @Test func `an image put back by repair says so`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1]))
    truncate(space.folder.images + "/" + (try #require(try space.images().keys.first)), 20)
    do {
      let lock = try RunLock(space.folder, patience: .seconds(300))
      var verification = try Verification(space.folder, lock: lock)
      try verification.repair(lock)
    }
    let reason = try reasons(fakeJobs([1]), space)[0]
    #expect(reason.cause == "requeued" && reason.reason.contains("its image is 20 bytes long"))
    try space.run(fakeJobs([1]))
    #expect(try reasons(fakeJobs([1]), space)[0].cause == "done")
  }

  @Test func `a new job is compared with the image that is most like it, part by part`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2]))
    let names = try space.images().keys.sorted()
    let edited = fakeJobs([2]) {
      $0.cfgScale = 8.5
      $0.sampler = .eulerAncestral
    }
    let reason = try reasons(edited, space)[0]
    #expect(reason.runs && reason.cause == "new" && reason.nearest == "images/\(names[1])")
    let changes = Dictionary(uniqueKeysWithValues: reason.changes.map { ($0.name, $0) })
    #expect(changes["cfg_scale"] == JobReason.Change(name: "cfg_scale", earlier: 7.0, now: 8.5))
    #expect(changes["sampler_name"]?.earlier == "DPM++ 2M" && changes["sampler_name"]?.now == "Euler a")
    // Only this sampler uses eta.
    #expect(changes["eta"] == JobReason.Change(name: "eta", earlier: nil, now: 1.0))
    #expect(changes["seed"] == nil)
    #expect(reason.text.contains("\n  cfg_scale: 7.0, now 8.5"))
    #expect(reason.json["changes"]?.elements?.contains(["name": "cfg_scale", "earlier": 7.0, "now": 8.5]) == true)
  }

  @Test func `a new model, arithmetic, instruction set or engine is named`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1]))
    let job = fakeJobs([1])[0]
    var ingredients = try space.generator.ingredients(for: job.settings)
    ingredients.model.sha256 = String(repeating: "e", count: 64)
    ingredients.isa = "avx512"
    ingredients.precision = "bf16"
    ingredients.numerics = 2
    let now = IdentifiedJob(id: JobID(job.settings, ingredients), job: job, ingredients: ingredients)
    let reason = try JobReasons(space.folder).reasons([now])[0]
    #expect(reason.changes.map(\.name) == ["isa", "model", "numerics", "precision"])
    #expect(reason.text.contains("\n  isa: \"portable\", now \"avx512\"\n"))
    #expect(reason.text.contains("now eeeeeeeeee\n  numerics: 1, now 2"))
  }

  @Test func `a job is found by its index, its identity or its image, and nothing else`() throws {
    let space = try Workspace()
    let jobs = fakeJobs([1, 2, 3])
    try space.run(jobs)
    let planned = try planned(jobs, space)
    let finder = try JobReasons(space.folder)
    let name = try #require(try space.images().keys.sorted().last)
    for (word, place) in [
      ("0", 0), ("00002", 2), (planned[1].id.prefix(8), 1), (planned[1].id.description, 1),
      (planned[1].id.prefix(9).uppercased(), 1), (name, 2), ("images/\(name)", 2), ("run/images/\(name)", 2),
    ] { #expect(try finder.job(named: word, in: planned) == planned[place], "\(word)") }
    for word in ["3", "", "zzz", "images/other.png", String(repeating: "0", count: 65)] {
      #expect(throws: RunError.self, "\(word)") { try finder.job(named: word, in: planned) }
    }
    #expect(throws: RunError.noRun(path: space.path + "/none")) { try JobReasons(RunFolder(space.path + "/none")) }
  }

  @Test func `journals without identities still tell what became of their images`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1]))
    let line = try #require(space.lines(space.folder.journal).first)
    let cut = try #require(line.range(of: ",\"identity\":"))
    try Data((line[..<cut.lowerBound] + "}\n").utf8).write(to: URL(fileURLWithPath: space.folder.journal))
    let reasons = try reasons(fakeJobs([1, 2]), space)
    #expect(reasons.map(\.cause) == ["done", "new"])
    #expect(reasons[1].nearest == nil)
  }
}
