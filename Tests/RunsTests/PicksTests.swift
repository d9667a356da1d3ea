import Foundation
import JSON
import Runs
import TestSupport
import Testing

@Suite struct PicksTests {
  private func id(_ number: Int) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 64 - digits.count) + digits
  }

  private func picks(_ number: Int, stars: Int, changed: String) -> Picks {
    var pick = Pick()
    (pick.stars, pick.changed) = (stars, changed)
    return Picks([id(number): pick])
  }

  @Test func `a run without picks has none, and what is added is read back`() throws {
    let temporary = try TemporaryFolder()
    let folder = RunFolder(temporary.path)
    #expect(try Picks(of: folder).byID.isEmpty)
    var pick = Pick()
    (pick.stars, pick.note, pick.rank, pick.isRejected) = (4, "a \"note\"\n\u{2028} <b>", 2, false)
    pick.changed = "2026-01-01T00:00:00.000Z"
    try Picks.add(Picks([id(1): pick]), to: folder)
    #expect(try Picks(of: folder)[id(1)] == pick)
    #expect(try Picks(of: folder).isPicked(id(1)) && !Picks(of: folder).isPicked(id(2)))
  }

  @Test func `of two picks of an image the later counts, in whichever order they arrive`() throws {
    let temporary = try TemporaryFolder()
    let folder = RunFolder(temporary.path)
    try Picks.add(picks(1, stars: 5, changed: "2026-01-02"), to: folder)
    try Picks.add(picks(1, stars: 1, changed: "2026-01-01"), to: folder)
    #expect(try Picks(of: folder)[id(1)].stars == 5)
    try Picks.add(picks(1, stars: 0, changed: "2026-01-03"), to: folder)
    #expect(try Picks(of: folder)[id(1)].stars == 0)
  }

  @Test func `nothing is lost if many add at once`() async throws {
    let temporary = try TemporaryFolder()
    let folder = RunFolder(temporary.path)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<40 {
        group.addTask { _ = try Picks.add(picks(number, stars: number % 5 + 1, changed: "2026"), to: folder) }
      }
      try await group.waitForAll()
    }
    let all = try Picks(of: folder)
    #expect(all.byID.count == 40 && (0..<40).allSatisfy { all[id($0)].stars == $0 % 5 + 1 })
  }

  @Test(arguments: [
    "", "{", "[]", #"{"schema":2,"picks":{}}"#, #"{"schema":1}"#, #"{"schema":1,"picks":[]}"#,
    #"{"schema":1,"picks":{"../x":{"stars":1}}}"#,
  ])
  func `a file that has no picks is reported, and is not overwritten`(text: String) throws {
    let temporary = try TemporaryFolder()
    let folder = RunFolder(temporary.path)
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder.picks))
    #expect(throws: RunError.self) { try Picks(of: folder) }
    #expect(throws: RunError.self) { try Picks.add(picks(1, stars: 1, changed: "2026"), to: folder) }
    #expect(try String(contentsOfFile: folder.picks, encoding: .utf8) == text)
  }

  @Test func `values out of range count as the nearest, and unknown members are ignored`() throws {
    let picks = try Picks(
      JSONValue(
        parsing: #"{"schema":1,"picks":{"AABBCCDD":{"stars":99,"rank":-4,"rejected":"yes","note":7,"new":1}}}"#))
    #expect(picks["aabbccdd"].stars == 5 && picks["aabbccdd"].rank == nil && !picks["aabbccdd"].isRejected)
  }
}
