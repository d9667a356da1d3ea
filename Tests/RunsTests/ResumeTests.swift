import Foundation
import Imaging
import JSON
import Runs
import Settings
import Testing

@Suite struct ResumeTests {
  @Test func `a run with nothing to do makes nothing and leaves everything as it is`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2]))
    let (images, jobs) = (try space.images(), try space.manifestJobs() as NSArray)
    let journal = space.lines(space.folder.journal)
    let outcome = try space.run(fakeJobs([1, 2]))
    #expect(outcome.imagesMade == 0)
    #expect(outcome.counts == RunCounts(done: 2))
    #expect(space.generator.calls == [1, 2])
    #expect(try space.images() == images)
    #expect(try space.manifestJobs() as NSArray == jobs)
    #expect(space.lines(space.folder.journal) == journal)
  }

  @Test(arguments: ["deleted", "cut", "emptied", "longer", "altered", "altered and backdated", "a folder", "a link"])
  func `an image that is not what was written is made again`(damage: String) throws {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2]))
    let before = try space.images()
    let name = try #require(before.keys.sorted().first)
    let path = space.folder.images + "/" + name
    var bytes = try #require(before[name])
    switch damage {
    case "deleted": unlink(path)
    case "cut": truncate(path, off_t(bytes.count / 2))
    case "emptied": truncate(path, 0)
    case "longer": try Data(bytes + [0]).write(to: URL(fileURLWithPath: path))
    case "a folder":
      unlink(path)
      // An image cannot replace a folder, so only its detection matters here.
      mkdir(path, 0o755)
      #expect(throws: RunError.self) { try space.run(fakeJobs([1, 2])) }
      rmdir(path)
    case "a link":
      unlink(path)
      try Data(bytes).write(to: URL(fileURLWithPath: space.path + "/elsewhere"))
      symlink(space.path + "/elsewhere", path)
    default:
      bytes[bytes.count / 2] ^= 1
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      if damage == "altered and backdated" { try setAge(path, seconds: 3600) }
    }
    let outcome = try space.run(fakeJobs([1, 2]))
    #expect(outcome.imagesMade == 1)
    #expect(try space.images() == before)
    #expect(space.generator.calls.filter { $0 == 2 } == [2])
    #expect(try space.run(fakeJobs([1, 2])).imagesMade == 0)
  }

  @Test func `images that were copied or touched are kept, and read only once`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2]))
    for name in try space.images().keys { try setAge(space.folder.images + "/" + name, seconds: 3600) }
    #expect(try space.run(fakeJobs([1, 2])).imagesMade == 0)
    #expect(space.lines(space.folder.journal).count == 4)
    #expect(try space.run(fakeJobs([1, 2])).imagesMade == 0)
    #expect(space.lines(space.folder.journal).count == 4)
  }

  @Test func `an edited recipe keeps the images that it still asks for, under their names`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2, 3]))
    let before = try space.manifestJobs()
    let images = try space.images()
    #expect(try space.run(fakeJobs([9, 3, 2])).imagesMade == 1)
    let after = try space.manifestJobs()
    #expect(after[1]["file"] as? String == before[2]["file"] as? String)
    #expect(after[2]["file"] as? String == before[1]["file"] as? String)
    #expect(after[1]["index"] as? Int == 1)
    #expect((after[0]["file"] as? String)?.hasPrefix("images/00000-9-") == true)
    // The image that is no longer asked for stays on the disk, and returns with the recipe.
    let kept = try space.images()
    #expect(images.allSatisfy { kept[$0.key] == $0.value })
    #expect(try space.run(fakeJobs([1, 2, 3])).imagesMade == 0)
    #expect(try space.manifestJobs().map { $0["file"] as? String } == before.map { $0["file"] as? String })
  }

  @Test func `an edit that changes pixels makes new images and touches no old one`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2]))
    let before = try space.images()
    #expect(try space.run(fakeJobs([1, 2]) { $0.cfgScale = 8 }).imagesMade == 2)
    let after = try space.images()
    #expect(after.count == 4)
    #expect(before.allSatisfy { after[$0.key] == $0.value })
  }

  @Test func `a renamed model keeps its images, and the manifest shows the text that is in them`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1]))
    var generator = space.generator
    generator.modelName = "renamed"
    generator.version = "9.9.9"
    #expect(try space.run(fakeJobs([1]), generator).imagesMade == 0)
    let job = try space.manifestJobs()[0]
    let png = try PNGFile(decoding: try #require(try space.images().values.first))
    #expect(job["infotext"] as? String == png.text("parameters"))
    #expect((job["infotext"] as? String)?.contains("Model: fake,") == true)
    #expect((job["info"] as? [String: Any])?["sd_model_name"] as? String == "renamed")
    #expect((try space.manifest()["models"] as? [[String: Any]])?[0]["name"] as? String == "renamed")
  }

  @Test func `an image whose journal line was lost is taken back, if it is whole and of this job`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2, 3]))
    let before = try space.images()
    unlink(space.folder.journal)
    let names = before.keys.sorted()
    var altered = try #require(before[names[1]])
    altered[altered.count / 2] ^= 1
    try Data(altered).write(to: URL(fileURLWithPath: space.folder.images + "/" + names[1]))
    // Complete, but of another job.
    try Data(try #require(before[names[0]])).write(to: URL(fileURLWithPath: space.folder.images + "/" + names[2]))
    #expect(try space.run(fakeJobs([1, 2, 3])).imagesMade == 2)
    #expect(space.generator.calls == [1, 2, 3, 2, 3])
    #expect(try space.images() == before)
    #expect(try space.manifestJobs()[0]["seconds"] is NSNull)
  }

  @Test func `temporary files of killed runs are cleared away, other files are left`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1]))
    let stale = [space.folder.images + "/.00000-1-aaaaaaaa.png.123.tmp", space.folder.path + "/.manifest.json.9.tmp"]
    let others = [
      space.folder.images + "/.hidden", space.folder.images + "/mine.tmp", space.folder.path + "/notes.txt",
    ]
    for path in stale + others { try Data("x".utf8).write(to: URL(fileURLWithPath: path)) }
    try space.run(fakeJobs([1]))
    #expect(stale.allSatisfy { access($0, F_OK) != 0 })
    #expect(others.allSatisfy { access($0, F_OK) == 0 })
  }

  @Test func `a name that another image has is not used twice`() throws {
    let space = try Workspace()
    let jobs = fakeJobs([1])
    try space.run(jobs)
    let name = try #require(try space.images().keys.first)
    // As if the first image with this name belonged to another job: identities that begin alike.
    let line = try #require(space.lines(space.folder.journal).first)
    let id = try #require(try JSONValue(parsing: line)["id"]?.text)
    let other = id.prefix(8) + String(repeating: "0", count: 56)
    try Data((line.replacingOccurrences(of: id, with: other) + "\n").utf8)
      .write(to: URL(fileURLWithPath: space.folder.journal))
    unlink(space.folder.images + "/" + name)
    try space.run(jobs)
    #expect(try space.images().keys.first == "00000-1-\(id).png")
  }

  private func setAge(_ path: String, seconds: Double) throws {
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -seconds)], ofItemAtPath: path)
  }
}
