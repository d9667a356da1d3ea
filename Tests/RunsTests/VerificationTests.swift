import Foundation
import Imaging
import JSON
import Settings
import Testing
import TestSupport

@testable import Runs

/// Folders that were damaged in many ways, and how `verify` reports and repairs them.
@Suite struct VerificationTests {
  /// A run of three seeds; the last one fails.
  private func space() throws -> Workspace {
    let space = try Workspace()
    var generator = space.generator
    generator.failingSeeds = [3]
    try space.run(fakeJobs([1, 2, 3]), generator)
    return space
  }

  /// What is found while the lock is held: another test that is starting a process may hold the lock for a very short time too,
  /// and then a run would seem to be active.
  private func verified(_ space: Workspace) throws -> Verification {
    let lock = try RunLock(space.folder, patience: .seconds(300))
    return try Verification(space.folder, lock: lock)
  }

  private func image(_ space: Workspace, _ place: Int) throws -> String {
    "images/" + (try #require(try space.images().keys.sorted().dropFirst(place).first))
  }

  private func rewrite(_ path: String, keepingTime: Bool = false, _ change: (inout [UInt8]) throws -> Void) throws {
    var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    let times = try FileManager.default.attributesOfItem(atPath: path)
    var status = stat()
    stat(path, &status)
    try change(&bytes)
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    guard keepingTime else { return }
    // To the nanosecond, which Foundation's dates cannot represent.
    var old = [status.st_atim, status.st_mtim]
    utimensat(AT_FDCWD, path, &old, 0)
    _ = times
  }

  @Test func `a run as it was left is clean, and looking changes nothing`() throws {
    let space = try space()
    let before = try space.files()
    var verification = try Verification(space.folder)
    while verification.isLive { verification = try Verification(space.folder) }
    #expect(verification.findings.map(\.text) == [])
    #expect(verification.counts == RunCounts(done: 2, failed: 1))
    #expect(verification.imagesRead == 2)
    #expect(verification.bytesRead == Int64(try space.images().values.reduce(0) { $0 + $1.count }))
    #expect(verification.summary.hasSuffix(": 2 images read, all correct, 1 of 3 jobs to do"))
    #expect(verification.json["status"] == "clean")
    #expect(try space.files() == before)
    #expect(throws: RunError.noRun(path: space.path + "/none")) { try Verification(RunFolder(space.path + "/none")) }
  }

  @Test(
    arguments: [
      ("deleted", .missing), ("cut", .size), ("longer", .size), ("altered", .digest), ("altered unseen", .digest),
      ("a folder", .missing), ("another picture", .digest),
    ] as [(String, Finding.Kind)])
  func `damage to an image is one finding, and repair has it made again`(
    damage: String, kind: Finding.Kind
  ) throws {
    let space = try space()
    let before = try space.images()
    let file = try image(space, 1)
    let path = space.folder.file(file)
    switch damage {
    case "deleted": unlink(path)
    case "cut": try rewrite(path) { $0.removeLast(7) }
    case "longer": try rewrite(path) { $0.append(0) }
    case "altered": try rewrite(path) { $0[$0.count / 2] ^= 1 }
    case "altered unseen": try rewrite(path, keepingTime: true) { $0[$0.count / 2] ^= 1 }
    case "a folder":
      unlink(path)
      mkdir(path, 0o755)
    default:
      let other = space.folder.file(try image(space, 0))
      let size = before.values.map(\.count)
      try rewrite(path) { bytes in
        bytes = Array(try Data(contentsOf: URL(fileURLWithPath: other)))
        // The same length; if necessary, with bytes after the end.
        bytes += Array(repeating: 0, count: max(0, size.max()! - bytes.count))
      }
      try #require(size.allSatisfy { $0 == size[0] })
    }
    var verification = try Verification(space.folder)
    let finding = try #require(verification.findings.first)
    #expect(verification.findings.count == 1)
    #expect(finding.kind == kind && finding.file == file && finding.index == 1)
    #expect(finding.text.hasPrefix("\(file) (job 1): "))
    // As the next run finds it, and as `status` counts it.
    let isSeen = damage != "altered unseen"
    #expect(verification.counts == RunCounts(done: isSeen ? 1 : 2, failed: 1, pending: isSeen ? 1 : 0))
    #expect(try RunStatus(space.folder).counts == verification.counts)
    #expect(finding.remedy.hasPrefix("the next run") == isSeen)
    if damage == "a folder" { rmdir(path) }

    // If a run sees the damage by itself, it makes the image again; otherwise, `--repair` makes sure that it does.
    var generator = space.generator
    generator.failingSeeds = [3]
    if !isSeen { #expect(try space.run(fakeJobs([1, 2, 3]), generator).imagesMade == 0) }
    do {
      let lock = try RunLock(space.folder, patience: .seconds(300))
      verification = try Verification(space.folder, lock: lock)
      try verification.repair(lock)
    }
    #expect(verification.findings.map(\.isRepaired) == [true])
    let after = try Verification(space.folder)
    #expect(after.findings.map(\.text) == [])
    #expect(after.counts == RunCounts(done: 1, failed: 1, pending: 1))
    #expect(try space.manifestJobs().map { $0["status"] as? String } == ["done", "pending", "failed"])
    #expect(try space.run(fakeJobs([1, 2, 3]), generator).imagesMade == 1)
    #expect(try space.images() == before)
    #expect(try Verification(space.folder).isClean)
  }

  @Test func `a journal that differs from the image is reported with what differs`() throws {
    for (member, kind) in [("pixels_sha256", Finding.Kind.pixels), ("infotext", .infotext), ("sha256", .digest)] {
      let space = try space()
      let line = try #require(space.lines(space.folder.journal).first)
      let value = try #require(try JSONValue(parsing: line)[member]?.text)
      let other = member == "infotext" ? value.replacingOccurrences(of: "Seed: 1", with: "Seed: 9") : digest(value)
      try rewrite(space.folder.journal) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        let escaped = { (text: String) in String(JSONValue.string(text).jsonText.dropFirst().dropLast()) }
        bytes = Array(text.replacingOccurrences(of: escaped(value), with: escaped(other)).utf8)
      }
      let verification = try Verification(space.folder)
      #expect(verification.findings.map(\.kind) == [kind], "\(verification.findings.map(\.text))")
    }
  }

  @Test func `an image whose bytes are the journal's but which is not an image is found`() throws {
    let space = try space()
    let file = try image(space, 0)
    let path = space.folder.file(file)
    let junk = Array("this is no picture".utf8)
    try Data(junk).write(to: URL(fileURLWithPath: path))
    let journal = try Journal(space.folder, on: Disk())
    let id = try #require(journal.index.images.first { $0.value.file == file }?.key)
    var noted = try #require(try journal.image(id))
    noted.mark = try FileMark(path: path)
    noted.sha256 = digest(junk)
    try journal.append(.done(noted))
    let verification = try Verification(space.folder)
    #expect(verification.findings.map(\.kind) == [.undecodable])
    #expect(verification.findings[0].remedy.contains("--repair"))
  }

  @Test func `leftovers, orphans, torn and damaged lines are reported, and repair clears all but the orphan`() throws {
    let space = try space()
    let temporary = "images/.00000-1-aaaaaaaa.png.123.tmp"
    try Data("x".utf8).write(to: URL(fileURLWithPath: space.folder.file(temporary)))
    try Data("x".utf8).write(to: URL(fileURLWithPath: space.folder.file(".manifest.json.9.tmp")))
    try Data("x".utf8).write(to: URL(fileURLWithPath: space.folder.file("images/mine.png")))
    try Data("x".utf8).write(to: URL(fileURLWithPath: space.folder.file("images/notes.txt")))
    let lines = space.lines(space.folder.journal)
    try rewrite(space.folder.journal) { bytes in
      bytes = Array(
        (lines + [lines[2], "{\"event\":\"done\"", "{\"event\":\"of 2031\"}"]).joined(separator: "\n").utf8)
      bytes += Array("\n{\"event\":\"do".utf8)
    }
    var verification = try verified(space)
    #expect(
      verification.findings.map { "\($0.kind) \($0.file)" } == [
        "duplicate journal.jsonl, line 4", "damagedLine journal.jsonl, line 5", "tornLine journal.jsonl",
        "leftover .manifest.json.9.tmp", "leftover \(temporary)", "orphan images/mine.png",
      ])
    do {
      let lock = try RunLock(space.folder, patience: .seconds(300))
      verification = try Verification(space.folder, lock: lock)
      try verification.repair(lock)
    }
    #expect(verification.findings.filter { !$0.isRepaired }.map(\.file) == ["images/mine.png"])
    #expect(space.lines(space.folder.journal) == lines + ["{\"event\":\"of 2031\"}"])
    #expect(try verified(space).findings.map(\.kind) == [.orphan])
    #expect(try space.run(fakeJobs([1, 2])).imagesMade == 0)
  }

  @Test func `a file that the journal has for two images is reported`() throws {
    let space = try space()
    let first = try #require(space.lines(space.folder.journal).first)
    let id = try #require(try JSONValue(parsing: first)["id"]?.text)
    try rewrite(space.folder.journal) { bytes in
      bytes += Array((first.replacingOccurrences(of: id, with: String(repeating: "a", count: 64)) + "\n").utf8)
    }
    let verification = try verified(space)
    // The parts of the identity are the first image's.
    #expect(verification.findings.map(\.kind) == [.duplicate, .identity])
    #expect(verification.findings[0].text.contains("two images"))
  }

  @Test func `repair leaves a file to the image that is in it, though another claims it`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2]))
    let before = try space.images()
    let lines = space.lines(space.folder.journal)
    let files = try lines.map { try #require(try JSONValue(parsing: $0)["file"]?.text) }
    // As if the second image had been noted with the first one's name.
    try rewrite(space.folder.journal) { bytes in
      bytes = Array("\(lines[0])\n\(lines[1].replacingOccurrences(of: files[1], with: files[0]))\n".utf8)
    }
    do {
      let lock = try RunLock(space.folder, patience: .seconds(300))
      var verification = try Verification(space.folder, lock: lock)
      #expect(verification.findings.contains { $0.kind == .digest || $0.kind == .size })
      try verification.repair(lock)
    }
    #expect(try space.images() == before)
    // The second one exists with its own name, and is adopted.
    #expect(try space.run(fakeJobs([1, 2])).imagesMade == 0)
    #expect(try verified(space).isClean)
  }

  @Test func `a manifest is compared with plan and journal, whatever wrote it`() throws {
    let space = try space()
    #expect(try verified(space).isClean)
    // Another program may write the same manifest in another form.
    let object = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: space.folder.manifest)))
    try JSONSerialization.data(withJSONObject: object, options: [.prettyPrinted, .sortedKeys])
      .write(to: URL(fileURLWithPath: space.folder.manifest))
    #expect(try verified(space).findings.map(\.text) == [])
    try space.run(fakeJobs([1, 2]))
    for (old, new, problem) in [
      ("Seed: 2,", "Seed: 3,", "job 1: differs from plan and journal in infotext"),
      ("\"seed\":1,", "\"seed\":4,", "job 0: differs from plan and journal in parameters"),
      ("\"total\":2", "\"total\":3", "its counts differ"),
      ("\"prompt\":\"fish\"", "\"prompt\":\"cat\"", "recipe"),
    ] {
      let text = try String(contentsOfFile: space.folder.manifest, encoding: .utf8)
      let range = try #require(text.range(of: old), "\(old)")
      try text.replacingCharacters(in: range, with: new)
        .write(toFile: space.folder.manifest, atomically: true, encoding: .utf8)
      let findings = try verified(space).findings
      #expect(findings.map(\.kind) == [.manifest])
      #expect(findings.first?.problem.hasPrefix(problem) == true, "\(findings.map(\.text))")
      let lock = try RunLock(space.folder, patience: .seconds(300))
      var verification = try Verification(space.folder, lock: lock)
      try verification.repair(lock)
      #expect(try Verification(space.folder, lock: lock).isClean)
    }
    for damage in ["", "not JSON", "{\"jobs\":1}", "{\n\"schema\":1,\n\"jobs\":[\n"] {
      try Data(damage.utf8).write(to: URL(fileURLWithPath: space.folder.manifest))
      let kinds = try verified(space).findings.map(\.kind)
      #expect(!kinds.isEmpty && kinds.allSatisfy { $0 == .manifest }, "\(damage)")
    }
    unlink(space.folder.manifest)
    #expect(try verified(space).findings.map(\.problem) == ["is missing"])
  }

  @Test func `a manifest that repair writes is the one that a run would write`() throws {
    let space = try space()
    let before = try space.manifest()
    unlink(space.folder.manifest)
    let lock = try RunLock(space.folder, patience: .seconds(300))
    var verification = try Verification(space.folder, lock: lock)
    try verification.repair(lock)
    let after = try space.manifest()
    for key in ["jobs", "recipe", "models", "engine", "schema"] {
      #expect(after[key] as? NSObject == before[key] as? NSObject, "\(key)")
    }
    let (old, new) = (try #require(before["run"] as? [String: Any]), try #require(after["run"] as? [String: Any]))
    #expect(old["status"] as? String == new["status"] as? String)
    #expect(old["counts"] as? NSObject == new["counts"] as? NSObject)
  }

  @Test func `images that the plan no longer asks for are read, kept, and deleted by prune with their thumbnails`()
    throws
  {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2, 3]))
    let names = try space.images().keys.sorted()
    try space.run(fakeJobs([2, 9]))
    mkdir(space.folder.thumbnails, 0o755)
    let thumbnails = ["\(names[0].dropLast(4)).jpg", "\(names[1].dropLast(4)).jpg"]
    for name in thumbnails { try Data("x".utf8).write(to: URL(fileURLWithPath: "\(space.folder.thumbnails)/\(name)")) }
    var verification = try verified(space)
    #expect(verification.isClean && verification.imagesRead == 4)
    #expect(verification.unasked == ["images/\(names[0])", "images/\(names[2])"])
    try rewrite(space.folder.file("images/\(names[2])")) { $0.removeLast() }
    #expect(try verified(space).findings.map(\.index) == [nil])

    let lock = try RunLock(space.folder, patience: .seconds(300))
    verification = try Verification(space.folder, lock: lock)
    #expect(
      try verification.prune(lock) == ["images/\(names[0])", "images/\(names[2])", "thumbs/\(thumbnails[0])"])
    #expect(verification.findings.map(\.isRepaired) == [true])
    verification = try Verification(space.folder, lock: lock)
    #expect(verification.isClean && verification.unasked.isEmpty && verification.imagesRead == 2)
    #expect(try FileManager.default.contentsOfDirectory(atPath: space.folder.thumbnails) == [thumbnails[1]])
  }

  @Test func `sheets, thumbnails and the page have to be whole, and repair removes those that are not`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2]))
    mkdir(space.folder.thumbnails, 0o755)
    let names = try space.images().keys.sorted()
    let image = Data(try #require(space.images()[names[0]]))
    let files: [String: Data] = [
      "thumbs/\(names[0])": image, "thumbs/\(names[1])": image.dropLast(), "thumbs/other.png": image,
      "contact-sheet.png": image, "contact-sheet-2.png": image.prefix(40), "thumbs/.x.png.1.tmp": Data("x".utf8),
      "index.html": Data("<!doctype html><script>".utf8),
    ]
    for (name, data) in files { try data.write(to: URL(fileURLWithPath: space.folder.file(name))) }
    let lock = try RunLock(space.folder, patience: .seconds(300))
    var verification = try Verification(space.folder, lock: lock)
    let wrong = ["contact-sheet-2.png", "index.html", "thumbs/.x.png.1.tmp", "thumbs/\(names[1])", "thumbs/other.png"]
    #expect(verification.findings.map(\.file).sorted() == wrong.sorted())
    #expect(verification.findings.filter { $0.kind == .derived }.count == 4)
    try verification.repair(lock)
    #expect(wrong.allSatisfy { access(space.folder.file($0), F_OK) != 0 })
    #expect(try Verification(space.folder, lock: lock).isClean)
    #expect(try space.images().count == 2 && space.files()["contact-sheet.png"] == image)
  }

  @Test func `during a run only what is finished is looked at, and nothing is found`() throws {
    let space = try Workspace()
    var seen: [Verification] = []
    try space.run(fakeJobs([1, 2, 3])) {
      nil
    } observe: { event in
      if case .imageDone = event { try? seen.append(Verification(space.folder)) }
      if case .progress(_, .decoding) = event { try? seen.append(Verification(space.folder)) }
    }
    #expect(seen.count == 6)
    #expect(seen.allSatisfy { $0.isLive && $0.isClean })
    #expect(seen.map(\.imagesRead) == [0, 1, 1, 2, 2, 3])
  }

  @Test func `a plan that is damaged is a finding, and prune deletes nothing then`() throws {
    let space = try space()
    let lines = space.lines(space.folder.plan)
    try Data("\(lines[0])\n{\"id\"\n".utf8).write(to: URL(fileURLWithPath: space.folder.plan))
    let lock = try RunLock(space.folder, patience: .seconds(300))
    var verification = try Verification(space.folder, lock: lock)
    #expect(verification.findings.contains { $0.kind == .plan && $0.problem.contains("line 2") })
    #expect(throws: RunError.self) { try verification.prune(lock) }
    #expect(try space.images().count == 2)
  }
}

extension Workspace {
  /// Every file of the run by its path.
  func files() throws -> [String: Data] {
    var files: [String: Data] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: folder.path) {
      files[name] = FileManager.default.contents(atPath: folder.file(name))
    }
    return files
  }
}
