import Foundation
import JSON
import Settings
import Testing

@testable import Runs

/// Journal lines whose image is complete but belongs to another job.
@Suite struct LineVerificationTests {
  private func edit(_ space: Workspace, _ body: (inout [String]) throws -> Void) throws {
    var lines = space.lines(space.folder.journal)
    try body(&lines)
    try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(fileURLWithPath: space.folder.journal))
  }

  private func repaired(_ space: Workspace) throws -> Verification {
    let lock = try RunLock(space.folder, patience: .seconds(300))
    var verification = try Verification(space.folder, lock: lock)
    try verification.repair(lock)
    return verification
  }

  @Test func `an identity that results in another id is reported, and repaired without making the image again`() throws
  {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2, 3]))
    let before = try space.images()
    try edit(space) { $0[1] = $0[1].replacingOccurrences(of: #""cfg_scale":7.0"#, with: #""cfg_scale":8.0"#) }
    var verification = try Verification(space.folder)
    let finding = try #require(verification.findings.first)
    #expect(verification.findings.count == 1 && finding.kind == .identity && finding.index == 1)
    #expect(finding.text.contains("has the identity of another image"))
    verification = try repaired(space)
    #expect(verification.findings.map(\.isRepaired) == [true])
    #expect(try space.run(fakeJobs([1, 2, 3])).imagesMade == 0)
    #expect(try space.images() == before)
    #expect(try Verification(space.folder).isClean)
  }

  @Test func `lines whose images are exchanged are reported by the text of the images`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2, 3]))
    let before = try space.images()
    // Everything except the id and its parts belongs to the other image.
    try edit(space) { lines in
      let values = try lines[0...1].map { try JSONValue(parsing: $0) }
      for (index, other) in [(0, 1), (1, 0)] {
        guard case .object(let members) = values[index] else { return }
        lines[index] =
          JSONValue.object(
            members.map { member in
              ["event", "id", "index", "identity"].contains(member.name)
                ? member : JSONMember(member.name, values[other][member.name] ?? .null)
            }
          ).jsonText
      }
    }
    var verification = try Verification(space.folder)
    #expect(verification.findings.map(\.kind).prefix(2) == [.otherJob, .otherJob])
    #expect(verification.findings[0].text.contains("its text has Seed 2, the plan 1"))
    verification = try repaired(space)
    #expect(try space.run(fakeJobs([1, 2, 3])).imagesMade == 0)
    #expect(try space.images() == before)
    #expect(try Verification(space.folder).isClean)
  }

  @Test func `an older version, a renamed model and a setting without effect are no other job`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1]) { $0.sampler = .euler })
    var generator = space.generator
    (generator.version, generator.modelName) = ("9.9.9", "renamed")
    let jobs = fakeJobs([1]) {
      $0.sampler = .euler
      // Euler is not an ancestral sampler.
      $0.eta = 0.5
    }
    #expect(try space.run(jobs, generator).imagesMade == 0)
    #expect(try Verification(space.folder).findings.map(\.text) == [])
  }

  @Test(arguments: ["pixels.png", "a folder", "nothing"])
  func `a manifest that cannot be read is a finding`(_ what: String) throws {
    let space = try Workspace()
    try space.run(fakeJobs([1]))
    unlink(space.folder.manifest)
    if what == "a folder" { mkdir(space.folder.manifest, 0o755) }
    if what == "pixels.png" { try Data([0x89, 0x50]).write(to: URL(fileURLWithPath: space.folder.manifest)) }
    #expect(try Verification(space.folder).findings.map(\.kind) == [what == "a folder" ? .obstacle : .manifest])
  }
}

/// Plan lines whose settings do not match their id.
@Suite struct PlanLineTests {
  @Test func `settings in the plan that result in another id are a finding, which the next run ends`() throws {
    let space = try Workspace()
    try space.run(fakeJobs([1, 2]))
    let text = space.lines(space.folder.plan).map { $0 + "\n" }.joined()
    let damaged = text.replacingOccurrences(of: #""seed":2"#, with: #""seed":3"#)
    #expect(damaged != text)
    try Data(damaged.utf8).write(to: URL(fileURLWithPath: space.folder.plan))
    let findings = try Verification(space.folder).findings
    #expect(findings.first { $0.kind == .plan }?.index == 1, "\(findings.map(\.text))")
    try space.run(fakeJobs([1, 2]))
    #expect(try Verification(space.folder).isClean)
  }

  @Test(arguments: [
    (#""width":8"#, #""width":9223372036854775800"#), (#""width":8"#, #""width":0"#),
    (#""height":16"#, #""height":-8"#),
    (#""hr_scale":1.0"#, #""hr_scale":1e300"#),
    (#""steps":3"#, #""steps":9223372036854775807"#), (#""index":1"#, #""index":-9223372036854775808"#),
  ])
  func `values that no recipe could have are damage, and cost no image`(_ old: String, _ new: String) throws {
    let space = try Workspace()
    let jobs = fakeJobs([1, 2]) {
      $0.width = 8
      $0.hires = HiresSettings()
      $0.hires?.scale = 1
    }
    try space.run(jobs)
    let images = try space.images()
    let text = space.lines(space.folder.plan).map { $0 + "\n" }.joined()
    let damaged = text.replacingOccurrences(of: old, with: new)
    try #require(damaged != text)
    try Data(damaged.utf8).write(to: URL(fileURLWithPath: space.folder.plan))
    do {
      let lock = try RunLock(space.folder)
      var verification = try Verification(space.folder, lock: lock)
      #expect(new.contains("index") || verification.findings.contains { $0.kind == .plan })
      try verification.repair(lock)
      _ = try? RunStatus(space.folder)
      _ = try? Collector.collect(lock)
      _ = try? RunImages(space.folder)
    }
    #expect(try space.images() == images)
    #expect(try space.run(jobs).imagesMade == 0)
    #expect(try Verification(space.folder).isClean)
  }
}
