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
