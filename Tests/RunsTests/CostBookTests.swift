import Foundation
import Settings
import Testing

@testable import Runs

@Suite struct CostBookTests {
  private func kind(
    _ sampler: SamplerID, cfg: Double = 7, width: Int = 512, skipping: Double = 0, steps: Int = 10, _ space: Workspace
  ) throws -> ImageKind {
    var settings = fakeJobs([1])[0].settings
    (settings.steps, settings.skipLayerScale) = (steps, skipping)
    settings.model.family = skipping == 0 ? settings.model.family : .sd35Medium
    settings.sampler = sampler
    settings.cfgScale = cfg
    settings.width = width
    return ImageKind(settings, try space.generator.ingredients(for: settings), threads: 2)
  }

  /// A trace of images of 512x16 pixels with these steps, seconds per step and total seconds.
  private func trace(_ space: Workspace, _ rows: [(sampler: String, steps: Int, pace: Double, seconds: Double)]) throws
  {
    let model = try space.generator.ingredients(for: fakeJobs([1])[0].settings).model.shortHash
    let names = TraceFile.Column.allCases.map(\.rawValue)
    let lines = rows.enumerated().map { place, row in
      [
        "2026-01-01T00:00:0\(place % 10).000Z", "\(row.seconds)", "\(row.pace)", "\(row.steps)", "512x16", row.sampler,
        "7.0",
        "300", "1000", model, "fp32", "portable", "2", "0", "id", "file", "40", "0", "0", "",
        "0.0",
      ]
    }
    mkdir(space.folder.path, 0o755)
    try Data(([names] + lines).map { $0.joined(separator: "\t") + "\n" }.joined().utf8)
      .write(to: URL(fileURLWithPath: space.folder.trace))
  }

  @Test func `an image costs the medians of what was measured, and others by their calls of the network`() throws {
    let space = try Workspace()
    let environment = ["XDG_CACHE_HOME": space.path + "/cache"]
    // The first one loaded the model.
    try trace(space, [("Euler", 10, 0.5, 25), ("Euler", 20, 0.25, 6), ("Euler", 10, 0.25, 3.5)])
    var book = CostBook(environment: environment)
    #expect(try book.cost(of: kind(.euler, space)) == nil)
    book.learn(from: space.folder)
    let cost = try #require(try book.cost(of: kind(.euler, space)))
    #expect(cost == ImageCost(secondsPerStep: 0.25, otherSeconds: 1, peakMemory: 300, fileBytes: 1000))
    #expect(cost.seconds(steps: 40) == 11)
    book.save()
    let again = CostBook(environment: environment)
    #expect(try again.cost(of: kind(.euler, space)) == cost)
    #expect(try again.cost(of: kind(.heun, space))?.secondsPerStep == 0.5)
    #expect(try again.cost(of: kind(.eulerAncestral, space))?.secondsPerStep == 0.25)
    #expect(try again.cost(of: kind(.euler, cfg: 1, space))?.secondsPerStep == 0.125)
    #expect(try again.cost(of: kind(.dpmAdaptive, space)) == nil)
    #expect(try again.cost(of: kind(.euler, width: 520, space)) == nil)
  }

  @Test(arguments: ["", "nonsense", "model\tsize\n1\t2\n", "model\tseconds_per_step\n\u{0}\t-1\n"])
  func `a book that was damaged knows nothing, and is rewritten`(damage: String) throws {
    let space = try Workspace()
    let environment = ["XDG_CACHE_HOME": "relative", "HOME": space.path]
    let path = space.path + "/.cache/sdbatch/costs.tsv"
    try FileManager.default.createDirectory(atPath: space.path + "/.cache/sdbatch", withIntermediateDirectories: true)
    try Data(damage.utf8).write(to: URL(fileURLWithPath: path))
    var book = CostBook(environment: environment)
    #expect(try book.cost(of: kind(.euler, space)) == nil)
    try trace(space, [("Euler", 10, 0.5, 5)])
    book.learn(from: space.folder)
    book.save()
    #expect(try CostBook(environment: environment).cost(of: kind(.euler, space))?.otherSeconds == 0)
    // Without a folder for it, it is just not stored.
    CostBook(environment: [:]).save()
    CostBook(environment: ["HOME": "/proc"]).save()
  }

  @Test func `a real run's trace is one that the book learns from`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2]))
    var book = CostBook(environment: [:])
    book.learn(from: space.folder)
    let job = fakeJobs([1])[0]
    let kind = ImageKind(job.settings, try space.generator.ingredients(for: job.settings), threads: 2)
    let cost = try #require(book.cost(of: kind))
    #expect(cost.secondsPerStep >= 0 && cost.otherSeconds >= 0 && cost.fileBytes ?? 0 > 0)
  }

  @Test func `skipped layers cost their part of a third evaluation`() throws {
    let space = try Workspace()
    try trace(space, [("Euler", 10, 0.5, 5)])
    var book = CostBook(environment: [:])
    book.learn(from: space.folder)
    // By default from 1 to 20 %: call 1 of 10, and calls 1 to 3 of 20.
    #expect(try kind(.euler, skipping: 2.8, space).skippedLayers == 0.1)
    #expect(try kind(.euler, skipping: 2.8, steps: 20, space).skippedLayers == 0.15)
    func pace(_ kind: ImageKind) throws -> Double { try #require(book.cost(of: kind)).secondsPerStep }
    #expect(abs(try pace(kind(.euler, skipping: 2.8, steps: 20, space)) - 0.5 * 2.15 / 2) < 1e-12)
    #expect(abs(try pace(kind(.euler, cfg: 1, skipping: 2.8, steps: 20, space)) - 0.5 * 1.15 / 2) < 1e-12)
    #expect(abs(try pace(kind(.heun, skipping: 2.8, steps: 10, space)) - 0.5 * 2 * 2.15 / 2) < 1e-12)
    // Whether layers are skipped is kept with what was measured.
    let path = ["XDG_CACHE_HOME": space.path + "/cache"]
    var kept = CostBook(environment: path)
    kept.learn(from: space.folder)
    kept.save()
    let again = CostBook(environment: path)
    #expect(try again.cost(of: kind(.euler, space))?.secondsPerStep == 0.5)
    #expect(try again.cost(of: kind(.euler, skipping: 1, space))?.secondsPerStep == 0.525)
  }

  @Test func `of a long trace the end is what counts`() throws {
    let space = try Workspace()
    try trace(
      space, Array(repeating: ("Heun", 10, 0.5, 5), count: 20_000) + Array(repeating: ("Euler", 10, 0.25, 3), count: 20)
    )
    let file = try #require(fopen(space.folder.trace, "a"))
    fputs("2026-01-01T00:00:09.000Z\thalf a li", file)
    fclose(file)
    var book = CostBook(environment: [:])
    book.learn(from: space.folder)
    #expect(try book.cost(of: kind(.euler, space))?.secondsPerStep == 0.25)
    #expect(try book.cost(of: kind(.heun, space))?.otherSeconds == 0)
  }
}
