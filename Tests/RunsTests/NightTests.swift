import Foundation
import JSON
import Settings
import Synchronization
import Testing
import Text

@testable import Runs

/// A nightly series whose dates the test chooses: nights that are kept, forgotten, deleted by hand, put back and made again.
@Suite struct NightTests {
  private struct Planner: RunPlanner {
    var jobs: [Job]
    var recipe: JSONValue

    func storedSeeds(in folder: RunFolder) throws -> [String: Int64] { [:] }
    func plan(_ seeds: inout [String: Int64]) throws -> Source { Source(jobs: jobs, json: recipe) }
  }

  private struct Source: JobSource {
    var jobs: [Job]
    var json: JSONValue
    var recipeText: String? { "prompt: fish\n" }
  }

  /// A folder in which the nights run one after the other.
  private final class Series {
    let space: Workspace
    var keep: Int?
    var nights: [String] = []
    var remakes = false
    var extra: [Int64] = []
    private(set) var notes: [String] = []
    var folder: RunFolder { space.folder }

    init(keep: Int? = nil) throws {
      space = try Workspace()
      self.keep = keep
    }

    /// Two jobs for each night, and jobs without a night.
    var jobs: [Job] {
      var jobs: [Job] = []
      for (night, date) in nights.enumerated() {
        for seed in [Int64(night * 10 + 1), Int64(night * 10 + 2)] {
          var job = fakeJobs([seed])[0]
          job.index = jobs.count
          job.axes.insert(AxisPosition(name: "night", value: date, title: date), at: 0)
          jobs.append(job)
        }
      }
      for seed in extra {
        var job = fakeJobs([seed])[0]
        job.index = jobs.count
        jobs.append(job)
      }
      return jobs
    }

    @discardableResult
    func run(_ night: String? = nil, on disk: Disk = Disk()) throws -> RunOutcome {
      if let night { nights.append(night) }
      var options = RunSession<FakeGenerator, Planner>.Options()
      options.remakesForgotten = remakes
      let recipe: JSONValue = keep.map { ["nightly": ["count": 2, "keep": .integer(Int64($0))]] } ?? ["prompt": "fish"]
      notes = []
      var session = RunSession(
        space.generator, Planner(jobs: jobs, recipe: recipe), in: folder, options, on: disk)
      session.reportForgotten = { self.notes.append($0) }
      return try session.run()
    }

    /// The seeds of the existing images.
    func seeds(in place: String = "images") -> [Int64] {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.file(place))) ?? []
      return names.compactMap { Int64($0.split(separator: "-").dropFirst().first ?? "") }.sorted()
    }

    /// What each description of the run says; all of them must agree.
    func check(_ done: Int, at location: SourceLocation = #_sourceLocation) throws {
      let status = try RunStatus(folder).counts
      #expect(status == RunCounts(done: done), sourceLocation: location)
      let verification = try Verification(folder)
      #expect(verification.isClean, "\(verification.findings.map(\.text))", sourceLocation: location)
      #expect(verification.counts == status, sourceLocation: location)
      #expect(try RunImages(folder).entries.count == done, sourceLocation: location)
      #expect(try space.manifestJobs().count == done, sourceLocation: location)
      let planned = try PlanFile.read(folder).jobs
      #expect(planned.map(\.job.index) == Array(0..<done), sourceLocation: location)
      let reasons = try JobReasons(folder).reasons(planned)
      #expect(reasons.allSatisfy { !$0.runs && $0.cause == "done" }, sourceLocation: location)
    }

    func file(_ seed: Int64, in place: String = "images") throws -> String {
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.file(place))
      return try #require(names.first { $0.contains("-\(seed)-") })
    }

    func id(_ seed: Int64) throws -> String {
      try #require(try PlanFile.read(folder).jobs.first { $0.job.settings.seed == seed }).id.description
    }

    func star(_ seed: Int64) throws {
      var pick = Pick()
      pick.stars = 3
      try Picks.add(Picks([try id(seed): pick]), to: folder)
    }
  }

  @Test func `the recipe's keep moves older nights to the trash, and they are not made again`() throws {
    let series = try Series(keep: 2)
    series.extra = [99]
    for (index, night) in ["2026-03-28", "2026-03-29", "2026-03-30", "2026-04-02"].enumerated() {
      let outcome = try series.run(night)
      #expect(outcome.imagesMade == (index == 0 ? 3 : 2))
      try series.check(min(index + 1, 2) * 2 + 1)
    }
    #expect(series.seeds() == [21, 22, 31, 32, 99] && series.seeds(in: "trash") == [1, 2, 11, 12])
    #expect(series.notes.count == 1 && series.notes[0].hasPrefix("2 images of nights that the recipe no longer keeps"))
    #expect(try series.run().imagesMade == 0)
    #expect(series.notes.isEmpty)
    // Without the rule, it does not return either, until somebody asks for it.
    series.keep = nil
    #expect(try series.run().imagesMade == 0)
    try series.check(5)
    let list = try NightList(series.folder)
    #expect(
      list.isSeries && list.nights.map { "\($0.date)" } == ["2026-04-02", "2026-03-30", "2026-03-29", "2026-03-28"])
    #expect(list.nights.map(\.counts.done) == [2, 2, 0, 0] && list.nights.map(\.forgotten) == [0, 0, 2, 2])
  }

  @Test func `asked for, forgotten images come back out of the trash, and those that are gone are made`() throws {
    let series = try Series(keep: 1)
    for night in ["2026-03-28", "2026-03-29", "2026-03-30"] { try series.run(night) }
    let before = try FileReader.bytes(of: series.folder.trashed(series.file(1, in: "trash")))
    try FileManager.default.removeItem(atPath: series.folder.trash + "/" + series.file(2, in: "trash"))
    series.keep = nil
    series.remakes = true
    #expect(try series.run().imagesMade == 1)
    series.remakes = false
    try series.check(6)
    #expect(series.seeds() == [1, 2, 11, 12, 21, 22] && series.seeds(in: "trash").isEmpty)
    #expect(try FileReader.bytes(of: series.folder.images + "/" + series.file(1)) == before)
    #expect(try ForgottenImages(of: series.folder).entries.isEmpty)
    // With the rule, the same night is removed again, whoever asked for it.
    (series.keep, series.remakes) = (1, true)
    #expect(try series.run().imagesMade == 0)
    #expect(series.seeds() == [21, 22])
  }

  @Test func `an image of a night that somebody deletes stays deleted; others are made again`() throws {
    let series = try Series()
    series.extra = [99]
    try series.run("2026-10-24")
    for seed in [1, 99] as [Int64] {
      try FileManager.default.removeItem(atPath: series.folder.images + "/" + series.file(seed))
    }
    // Until the next run, all agree that one job is left out and one is missing.
    #expect(try RunStatus(series.folder).counts == RunCounts(done: 1, pending: 1))
    let verification = try Verification(series.folder)
    #expect(verification.counts == RunCounts(done: 1, pending: 1))
    #expect(Set(verification.findings.map(\.kind)) == [.deleted, .missing])
    #expect(try RunImages(series.folder).entries.map(\.job.settings.seed) == [2, 99])
    let reasons = try JobReasons(series.folder).reasons(PlanFile.read(series.folder).jobs)
    #expect(reasons.map(\.cause) == ["deleted", "done", "missing"] && reasons.map(\.runs) == [false, false, true])
    #expect(try series.run("2026-10-25").imagesMade == 3)
    #expect(series.notes == ["1 image of earlier nights was deleted, and is not made again (--remake makes it)"])
    try series.check(4)
    #expect(try series.run().imagesMade == 0)
    let again = try JobList(series.jobs) { try series.space.generator.ingredients(for: $0) }
    let planned = zip(again.ids, series.jobs).map { id, job in
      IdentifiedJob(id: id, job: job, ingredients: again.ingredients(at: 0))
    }
    #expect(
      try JobReasons(series.folder).reasons(planned).map(\.cause) == ["forgotten", "done", "done", "done", "done"])
    series.remakes = true
    #expect(try series.run().imagesMade == 1)
    try series.check(5)
  }

  @Test func `a folder of images that is gone is no choice, and a damaged image is made again`() throws {
    let series = try Series()
    try series.run("2026-10-24")
    try FileManager.default.removeItem(atPath: series.folder.images)
    #expect(try series.run().imagesMade == 2)
    try Data("x".utf8).write(to: URL(fileURLWithPath: series.folder.images + "/" + series.file(1)))
    #expect(try series.run().imagesMade == 1)
    try series.check(2)
  }

  @Test func `starred images stay, and a file that is put back counts again`() throws {
    let series = try Series(keep: 1)
    try series.run("2026-01-01")
    try series.star(2)
    try series.run("2026-01-02")
    #expect(series.seeds() == [2, 11, 12])
    try series.check(3)
    series.keep = nil
    try FileManager.default.moveItem(
      atPath: series.folder.trash + "/" + series.file(1, in: "trash"),
      toPath: series.folder.images + "/" + series.file(1, in: "trash"))
    #expect(try series.run().imagesMade == 0)
    #expect(series.notes == ["1 image put back"])
    try series.check(4)
  }

  @Test func `the command keeps nights by its rules and leaves a run that is right at once`() throws {
    let series = try Series()
    for night in ["2026-11-01", "2026-11-02", "2026-11-08", "2026-11-09", "2026-12-01"] { try series.run(night) }
    try series.star(1)
    let preview = try NightCleanup(series.folder, keeping: KeepRules(last: 1, weekly: 2))
    // 2026-11-09 begins a week, so it is the newest night of the second last week with nights.
    #expect(preview.nights.map(\.isKept) == [true, true, false, false, false])
    #expect(preview.images == 5 && preview.starred == 1 && preview.bytes > 0)
    #expect(series.seeds().count == 10)
    let lock = try RunLock(existing: series.folder)
    try NightCleanup(series.folder, keeping: KeepRules(last: 1, weekly: 2)).apply(lock)
    #expect(try NightCleanup(series.folder, keeping: KeepRules(last: 1, weekly: 2)).images == 0)
    try series.check(5)
    #expect(try NightCleanup.emptyTrash(lock).images == 5)
    #expect(series.seeds(in: "trash").isEmpty && series.seeds() == [1, 31, 32, 41, 42])
    #expect(throws: NoNights.self) {
      let other = try Workspace()
      try other.run(fakeJobs([1]))
      _ = try NightCleanup(other.folder, keeping: KeepRules(last: 1))
    }
  }

  @Test func `the trash is emptied after a while, and what is not on the list stays in it`() throws {
    let series = try Series(keep: 1)
    try series.run("2026-01-01")
    try series.run("2026-01-02")
    try Data("mine".utf8).write(to: URL(fileURLWithPath: series.folder.trash + "/note.txt"))
    let images = try ForgottenImages(of: series.folder)
    let day = Int64(86_400_000)
    for (days, left) in [(29, 2), (31, 0)] as [(Int64, Int)] {
      try Forgetting.prune(
        series.folder, images, olderThanDays: Forgetting.daysInTrash, on: Disk(),
        now: Timestamp(milliseconds: Timestamp.now().milliseconds + days * day))
      #expect(series.seeds(in: "trash").count == left)
    }
    #expect(access(series.folder.trash + "/note.txt", F_OK) == 0)
    #expect(try series.run().imagesMade == 0)
  }

  /// Ends the session at a step on the disk, as a kill would.
  private struct Killed: Error {}

  @Test func `killed before any step, forgetting is finished by the next run and loses nothing`() throws {
    var step = 0
    var isWhole = false
    while !isWhole {
      let series = try Series(keep: 1)
      try series.run("2026-01-01")
      try series.star(1)
      let counter = Mutex(0)
      let isDead = Mutex(false)
      let disk = Disk { [step] _ in
        let number = counter.withLock { count -> Int in
          count += 1
          return count
        }
        if number > step { isDead.withLock { $0 = true } }
        if isDead.withLock({ $0 }) { throw Killed() }
      }
      isWhole = (try? series.run("2026-01-02", on: disk)) != nil
      if !isWhole { series.nights.removeLast() }
      // Nothing is lost at any time.
      #expect(Set(series.seeds() + series.seeds(in: "trash")).isSuperset(of: [1, 2]), "step \(step)")
      _ = try RunStatus(series.folder)
      _ = try Verification(series.folder)
      if !isWhole { series.nights.append("2026-01-02") }
      try series.run()
      try series.check(3)
      #expect(series.seeds() == [1, 11, 12] && series.seeds(in: "trash") == [2], "step \(step)")
      step += 1
    }
    #expect(step > 20)
  }

  @Test func `the same for the command`() throws {
    var step = 0
    var isWhole = false
    while !isWhole {
      let series = try Series()
      try series.run("2026-01-01")
      try series.run("2026-01-02")
      let counter = Mutex(0)
      let disk = Disk { [step] _ in
        if counter.withLock({ count -> Int in
          count += 1
          return count
        }) > step {
          throw Killed()
        }
      }
      let lock = try RunLock(existing: series.folder)
      let cleanup = try NightCleanup(series.folder, keeping: KeepRules(last: 1))
      isWhole = (try? cleanup.apply(lock, on: disk)) != nil
      try NightCleanup(series.folder, keeping: KeepRules(last: 1)).apply(lock)
      try series.check(2)
      #expect(series.seeds() == [11, 12] && series.seeds(in: "trash") == [1, 2], "step \(step)")
      step += 1
    }
    #expect(step > 8)
  }

  @Test func `the newest night is marked, and seeds are called by their index in a night`() {
    var jobs: [Job] = []
    for (date, seed) in [("2026-01-01", 5), ("2026-01-01", 6), ("2026-01-02", 7), ("2026-01-02", 7), ("", 8)]
      as [(String, Int64)]
    {
      var job = fakeJobs([seed])[0]
      if !date.isEmpty { job.axes.insert(AxisPosition(name: "night", value: date, title: date), at: 0) }
      jobs.append(job)
    }
    let shown = Nights.shownAxes(of: jobs).map { $0.map { "\($0.value)|\($0.title)" } }
    #expect(
      shown == [
        ["2026-01-01|2026-01-01", "1|no. 1"], ["2026-01-01|2026-01-01", "2|no. 2"],
        ["2026-01-02|2026-01-02 (new)", "1|no. 1"], ["2026-01-02|2026-01-02 (new)", "1|no. 1"], ["8|seed 8"],
      ])
  }

  @Test func `rules keep the newest night of each period`() throws {
    let nights = try ["2025-12-29", "2025-12-31", "2026-01-01", "2026-01-04", "2026-01-05", "2026-02-28"].map {
      try #require(LocalDate($0))
    }
    func kept(_ rules: KeepRules) -> [String] { rules.kept(nights).sorted().map { "\($0)" } }
    #expect(kept(KeepRules()) == [])
    #expect(kept(KeepRules(last: 2)) == ["2026-01-05", "2026-02-28"])
    #expect(kept(KeepRules(daily: 3)) == ["2026-01-04", "2026-01-05", "2026-02-28"])
    // The week from Monday, 29 December to Sunday, 4 January is one.
    #expect(kept(KeepRules(weekly: 3)) == ["2026-01-04", "2026-01-05", "2026-02-28"])
    #expect(kept(KeepRules(weekly: 9)) == ["2026-01-04", "2026-01-05", "2026-02-28"])
    #expect(kept(KeepRules(monthly: 3)) == ["2025-12-31", "2026-01-05", "2026-02-28"])
    #expect(kept(KeepRules(last: 1, monthly: 9)) == ["2025-12-31", "2026-01-05", "2026-02-28"])
  }
}
