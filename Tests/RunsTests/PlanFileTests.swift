import Foundation
import Infotext
import JSON
import Settings
import Testing

@testable import Runs

/// Lines of plan and manifest are composed of parts that are the same for many jobs; they must be equal to the lines that each
/// job has alone.
@Suite struct PlanFileTests {
  /// Jobs in groups that differ in the seed, and groups of one.
  private func jobs() -> [Job] {
    var all: [ImageSettings] = []
    func add(_ seeds: [Int64], _ change: (inout ImageSettings) -> Void) {
      all += fakeJobs(seeds, change: change).map(\.settings)
    }
    add([1, 2, 3]) { _ in }
    add([7]) { $0.prompt = "seed 7, \"seed\":7" }
    add([0, 9, .max, 10, 5]) { $0.prompt = "111111111111111111 \"seed\":0 xxxxxxxxxxxxxxxxxxxxxxxx\n日本 \\" }
    add([5, 6]) { ($0.subseed, $0.subseedStrength) = (5, 0.5) }
    add([1, 2, 3]) { ($0.subseed, $0.seedResizeFromW, $0.seedResizeFromH) = (2, 64, 64) }
    add([1, 2, 2]) { $0.model = ModelReference(name: "other", path: "/other/\"quoted\"") }
    add([4, 5, 6]) { settings in
      settings.hires = HiresSettings()
      settings.hires?.sampler = .euler
      settings.hires?.upscaler = UpscalerReference(name: "Latent (nearest)")
    }
    // Prompts that may name networks have the folders to search.
    add([4, 5, 6]) { ($0.prompt, $0.adapterFolders) = ("lora ink", ["/"]) }
    add([4]) { ($0.prompt, $0.adapterFolders) = ("word star", ["/"]) }
    add([4, 5]) { $0.vae = ModelReference(name: "v", path: "/v") }
    add([1, 2, 3]) { $0.sTmax = 3.5 }
    return all.enumerated().map { index, settings in
      let axes = [AxisPosition(name: "seed", value: "\(settings.seed)", title: "a \"title\"")]
      return Job(index: index, axes: index % 5 == 4 ? [] : axes, settings: settings)
    }
  }

  private func lines(of path: String) throws -> [[UInt8]] {
    try FileReader.bytes(of: path).split(separator: UInt8(ascii: "\n")).map(Array.init)
  }

  @Test func `every line of the plan is what its job alone has`() throws {
    let space = try Workspace()
    let jobs = jobs()
    try space.run(jobs)
    let lines = try lines(of: space.folder.plan)
    #expect(lines.count == jobs.count)
    var last: JobIngredients?
    for (job, line) in zip(jobs, lines) {
      let ingredients = try space.generator.ingredients(for: job.settings)
      var writer = JSONWriter()
      writer.object { writer in
        writer.member("id", JobID(job.settings, ingredients).description)
        writer.member("index", job.index)
        writer.key("axes")
        writer.axes(job.axes)
        writer.key("parameters")
        job.settings.writePlanned(to: &writer)
        if ingredients != last {
          writer.key("ingredients")
          writer.ingredients(ingredients)
        }
        if last == nil {
          writer.member("recipe", ["prompt": "fish", "steps": 3])
          writer.key("engine")
          writer.engine(space.generator.description)
        }
      }
      #expect(line == writer.bytes, "job \(job.index)")
      last = ingredients
    }
    #expect(try PlanFile.read(space.folder).jobs.map(\.job) == jobs)
    #expect(
      try PlanFile.read(space.folder).jobs.map(\.ingredients)
        == jobs.map { try space.generator.ingredients(for: $0.settings) })
  }

  @Test func `every entry of the manifest is what its job alone has, whether it is done, failed or pending`() throws {
    let space = try Workspace()
    let jobs = jobs()
    var generator = space.generator
    generator.failingSeeds = [2, 9]
    var started = 0
    try space.run(jobs, generator) {
      started > jobs.count - 6 ? .until : nil
    } observe: { event in
      if case .jobStarted = event { started += 1 }
    }
    let journal = try JournalReader(space.folder, JournalIndex(space.folder))
    var states: Set<JobState> = []
    let entries = try lines(of: space.folder.manifest).filter { $0.starts(with: Array("{\"id\":".utf8)) }
    #expect(entries.count == jobs.count)
    for (job, entry) in zip(jobs, entries) {
      let ingredients = try generator.ingredients(for: job.settings)
      let id = JobID(job.settings, ingredients)
      let (image, failure) = (try journal.image(id), try journal.failure(id))
      let infotext = Infotext(job.settings, ingredients, version: generator.version).text
      let state: JobState = image != nil ? .done : failure != nil ? .failed : .pending
      states.insert(state)
      var writer = JSONWriter()
      writer.object { writer in
        writer.member("id", id.description)
        writer.member("index", job.index)
        writer.key("axes")
        writer.axes(job.axes)
        writer.member("status", state.rawValue)
        writer.member("file", image?.file)
        writer.member("sha256", image?.sha256)
        writer.member("pixels_sha256", image?.pixelsSHA256)
        writer.key("parameters")
        SettingsInUse(job.settings, ingredients).writeShown(to: &writer)
        writer.member("infotext", infotext)
        writer.member(
          "info",
          image.map { image in
            GenerationInfo.json(
              job.settings, ingredients, infotext: infotext, version: generator.version,
              timestamp: image.started.compactLocal)
          } ?? .null)
        writer.member("seconds", image?.seconds ?? failure?.seconds)
        writer.member("error", failure?.error)
      }
      let found = entry.last == UInt8(ascii: ",") ? entry.dropLast() : entry[...]
      #expect(Array(found) == writer.bytes, "job \(job.index)")
    }
    #expect(states == [.done, .failed, .pending])
    // The comparison of `verify` writes the same entries from plan and journal.
    #expect(try Verification(space.folder).isClean)
  }

  @Test func `a line is read the same after the line before as alone, whatever it holds`() throws {
    let space = try Workspace()
    try space.run(Array(jobs().prefix(9)))
    let lines = try lines(of: space.folder.plan).map { String(decoding: $0, as: UTF8.self) }
    let changes: [(String, String)] = [
      ("\"seed\":9,", "\"seed\":09,"), ("\"seed\":9,", "\"seed\":-9,"), ("\"seed\":9,", "\"seed\":9.0,"),
      ("\"seed\":9,", "\"seed\":9e0,"), ("\"seed\":9,", "\"seed\": 9,"), ("\"seed\":9,", "\"seed\":,"),
      ("\"seed\":9,", ""), ("\"seed\":9,", "\"seed\":9,\"seed\":8,"), ("\"seed\":9,", "\"seed\":null,"),
      ("\"seed\":9,", "\"seed\":9223372036854775808,"), ("\"seed\":9,", "\"seed\":\"9\","),
      ("\"seed\":9,", "\"seed\":9}"), ("\"steps\":3", "\"steps\":4"), ("\"steps\":3", "\"steps\":\"3\""),
      ("\"width\":8", "\"width\":80"), ("\"parameters\":", "\"parameters\": "), ("\"parameters\":", "\"settings\":"),
      ("\"axes\":", "\"axis\":"), ("\"name\":\"seed\"", "\"name\":5"), ("\"index\":5", "\"index\":\"5\""),
      ("\"index\":5", "\"index\":5,\"hires\":{}"), ("\"cfg_scale\":7.0", "\"cfg_scale\":7"), ("}}", "},\"new\":[1]}"),
      ("\"cfg_scale\":7.0", "\"cfg_scale\":8.5,\"new\":{\"seed\":1}"), ("{\"id\":", "{\"ingredients\":null,\"id\":"),
      ("{\"id\":", "[{\"id\":"), ("\"sampler_name\":\"", "\"sampler_name\":\"None such "), ("}}", "}"), ("}}", "}} x"),
    ]
    func bytes<Result>(_ line: String, _ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows -> Result {
      try Array(line.utf8).withUnsafeBufferPointer(body)
    }
    var (good, bad) = (0, 0)
    for (old, new) in changes {
      let line = lines[5].replacingOccurrences(of: old, with: new)
      #expect(line != lines[5], "\(old)")
      var alone = PlanReader()
      _ = try bytes(lines[0]) { try alone.read($0) }
      let expected = bytes(line) { try? alone.read($0).0 }
      var after = PlanReader()
      for line in lines.prefix(5) { _ = try bytes(line) { try after.read($0) } }
      let found = bytes(line) { try? after.read($0).0 }
      #expect(found == expected, "\(new)")
      if expected == nil { bad += 1 } else { good += 1 }
      // What was read wrongly does not stay in the reader.
      let next = bytes(lines[6]) { try? after.read($0).0 }
      #expect(next == bytes(lines[6]) { try? alone.read($0).0 } && next?.job.index == 6)
    }
    #expect(good >= 10 && bad >= 12)
  }
}
