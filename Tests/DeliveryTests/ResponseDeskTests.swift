import Foundation
import JSON
import Settings
import Testing
import TestSupport

@testable import Delivery
@testable import Recipes
@testable import Runs

/// Responses while images are added and removed.
@Suite struct ResponseDeskTests {
  /// A desk with an order for each of some jobs; the responses contain the images.
  private func desk(_ count: Int, in folder: RunFolder, on disk: Disk = Disk()) throws -> (ResponseDesk, JobList) {
    let jobs = (0..<count).map { index in
      var settings = ImageSettings()
      settings.seed = Int64(index)
      return Job(index: index, axes: [], settings: settings)
    }
    let list = try JobList(jobs) { _ in
      JobIngredients(
        model: ModelIdentity(name: "m", path: nil, sha256: String(repeating: "0", count: 64), family: "sd1"), vae: nil,
        vocabularySHA256: "", precision: "fp32", isa: "portable", numerics: 1)
    }
    let address = try #require(WebhookAddress("http://127.0.0.1:9/"))
    let webhook = RecipeWebhook(address: address, occasions: [.job], sendsImages: true)
    let orders = ResponseOrder.orders(of: webhook, per: .job, recipe: [:], jobs: list)
    let desk = try ResponseDesk(orders, jobs: list, in: folder, version: "1", on: disk) { _ in }
    try FileManager.default.createDirectory(atPath: folder.images, withIntermediateDirectories: true)
    return (desk, list)
  }

  private func finish(_ index: Int, _ desk: ResponseDesk, _ list: JobList, in folder: RunFolder) throws {
    let file = "images/\(index).png"
    try Data("image \(index)".utf8).write(to: URL(fileURLWithPath: folder.file(file)))
    try report(index, desk, list, file)
  }

  private func report(_ index: Int, _ desk: ResponseDesk, _ list: JobList, _ file: String) throws {
    let job = try #require(Array(list.jobs).first { $0.index == index })
    let running = RunningJob(job: job, id: list.ids[index], number: index + 1, count: list.count)
    desk.note(.imageDone(running, file: file, seconds: 1))
  }

  private func answered(_ folder: RunFolder) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.responses).sorted()
  }

  @Test func `an image that was taken away keeps no other from being answered`() throws {
    let temporary = try TemporaryFolder()
    let folder = RunFolder(temporary("run"))
    let (desk, list) = try desk(3, in: folder)
    try finish(0, desk, list, in: folder)
    try report(1, desk, list, "images/gone.png")
    try finish(2, desk, list, in: folder)
    #expect(try answered(folder) == ["\(list.ids[0]).json", "\(list.ids[2]).json"].sorted())
    let error = #expect(throws: UnansweredRequests.self) { try desk.close() }
    #expect(error?.messages.count == 1)
    #expect(
      error?.description.contains("\(list.ids[1]) was not answered: cannot read \(folder.path)/images/gone.png") == true
    )
    #expect(error?.description.contains("run the same command again") == true)
    // The next run answers only what is missing.
    let (next, _) = try self.desk(3, in: folder)
    try finish(1, next, list, in: folder)
    try next.close()
    #expect(try answered(folder).count == 3)
  }

  @Test func `an answer that was altered is given again, and announced again if its announcement is damaged`() throws {
    let temporary = try TemporaryFolder()
    let folder = RunFolder(temporary("run"))
    let (desk, list) = try desk(3, in: folder)
    for index in 0..<3 { try finish(index, desk, list, in: folder) }
    try desk.close()
    let paths = (0..<3).map { "\(folder.responses)/\(list.ids[$0]).json" }
    let before = try paths.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
    #expect(ResponseExamination.findings(in: folder) == [])
    // One is cut, one has another byte; the third is copied, with another time.
    try before[0].prefix(20).write(to: URL(fileURLWithPath: paths[0]))
    var flipped = before[1]
    flipped[flipped.count / 2] ^= 1
    try flipped.write(to: URL(fileURLWithPath: paths[1]))
    try before[2].write(to: URL(fileURLWithPath: paths[2]))
    let findings = ResponseExamination.findings(in: folder)
    #expect(findings.map(\.file).sorted() == paths[..<2].map { folder.name(of: $0) }.sorted())
    #expect(findings.allSatisfy { $0.kind == .response && $0.problem == "has other bytes than were written" })
    let (again, _) = try self.desk(3, in: folder)
    let mark = try FileMark(path: paths[2])
    for index in 0..<3 { try finish(index, again, list, in: folder) }
    try again.close()
    #expect(ResponseExamination.findings(in: folder) == [])
    #expect(try FileMark(path: paths[2]) == mark)
    for path in paths {
      #expect(try JSONValue(parsing: String(contentsOfFile: path, encoding: .utf8))["status"] == "COMPLETED")
    }
    // Without digests, as earlier versions wrote the record, what is there counts.
    let record = try String(contentsOfFile: folder.responseRecord, encoding: .utf8)
    let old = record.replacing(/,"size":\d+,"modified":\d+,"sha256":"[0-9a-f]+"/, with: "")
    #expect(!old.contains("sha256"))
    try Data(old.utf8).write(to: URL(fileURLWithPath: folder.responseRecord))
    #expect(ResponseExamination.findings(in: folder) == [])
    try Data("<html>".utf8).write(to: URL(fileURLWithPath: paths[2]))
    #expect(ResponseExamination.findings(in: folder).map(\.file) == [folder.name(of: paths[2])])
  }

  @Test func `a full disk ends the answers, and half a line of the record is cut off`() throws {
    let temporary = try TemporaryFolder()
    let folder = RunFolder(temporary("run"))
    let disk = Disk { step in
      guard step.action == .write, step.path == folder.responseRecord, let descriptor = step.descriptor else { return }
      _ = write(descriptor, Array(step.bytes.prefix(9)), 9)
      throw RunError.notWritten(path: step.path, action: .write, code: ENOSPC)
    }
    let (desk, list) = try desk(2, in: folder, on: disk)
    try finish(0, desk, list, in: folder)
    try finish(1, desk, list, in: folder)
    #expect(throws: RunError.notWritten(path: folder.responseRecord, action: .write, code: ENOSPC)) { try desk.close() }
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.responseRecord)).isEmpty)
    #expect(try answered(folder).count == 1)
  }

  @Test func `a record that cannot be read is no empty one`() throws {
    let temporary = try TemporaryFolder()
    let folder = RunFolder(temporary("run"))
    try FileManager.default.createDirectory(atPath: folder.responseRecord, withIntermediateDirectories: true)
    #expect(throws: RunError.notRead(path: folder.responseRecord, code: EISDIR)) { try self.desk(1, in: folder) }
  }
}
