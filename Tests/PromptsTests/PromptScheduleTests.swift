import Prompts
import Testing
import TestSupport

@Suite struct PromptScheduleTests {
  struct Row: Decodable {
    let prompt: String
    let steps: Int
    let old: Bool
    let entries: [Entry]
  }

  struct Entry: Decodable, Equatable {
    let end: Int
    let text: String

    init(_ end: Int, _ text: String) { (self.end, self.text) = (end, text) }

    init(_ entry: PromptSchedule.Entry) { self.init(entry.end, entry.text) }

    init(from decoder: any Decoder) throws {
      var container = try decoder.unkeyedContainer()
      end = try container.decode(Int.self)
      text = try container.decode(String.self)
    }
  }

  private func schedule(_ prompt: String, calls: Int = 10, old: Bool = false) -> [Entry] {
    PromptSchedule(prompt, calls: calls, usesOldTimelines: old).entries.map(Entry.init)
  }

  static let vectors: [(String, [Entry])] = [
    ("a [b:3]", [Entry(3, "a "), Entry(10, "a b")]), ("[a:b:0.5]", [Entry(5, "a"), Entry(10, "b")]),
    ("[a:b:1.0]", [Entry(10, "a")]), ("[a:b:0]", [Entry(10, "b")]), ("[a:b:-1]", [Entry(10, "b")]),
    ("[a:b:0.05]", [Entry(10, "b")]), ("[a:b:12]", [Entry(10, "a")]), ("[a::3]", [Entry(3, "a"), Entry(10, "")]),
    ("[:b:3]", [Entry(3, ""), Entry(10, "b")]), ("[[a:b:3]:c:6]", [Entry(3, "a"), Entry(6, "b"), Entry(10, "c")]),
    ("a [b:c:d:3] e", [Entry(10, "a [b:c:d:3] e")]), ("[a:b:5", [Entry(10, "[a:b:5")]),
    ("\\[a:b:3\\]", [Entry(10, "\\[a:b:3\\]")]), ("(a:1.2) [b]", [Entry(10, "(a:1.2) [b]")]),
    ("x [ a : b : 5 ] y", [Entry(5, "x  a  y"), Entry(10, "x  b  y")]),
  ]

  @Test(arguments: vectors)
  func `a vector of the webui has its schedule`(prompt: String, expected: [Entry]) {
    #expect(schedule(prompt) == expected)
  }

  @Test func `alternatives change at every call`() {
    #expect(schedule("[a|b|c]").map(\.text) == ["a", "b", "c", "a", "b", "c", "a", "b", "c", "a"])
    #expect(schedule("[fe|]male", calls: 4).map(\.text) == ["female", "male", "female", "male"])
  }

  @Test func `random prompts have the schedule of an Earley parser of the grammar`() throws {
    let rows = try Fixtures.decode([Row].self, from: "Prompts/schedules.json")
    #expect(rows.count > 500)
    for row in rows {
      let found = schedule(row.prompt, calls: row.steps, old: row.old)
      #expect(found == row.entries, "\(String(reflecting: row.prompt)), \(row.steps) steps, old timelines: \(row.old)")
    }
  }

  @Test func `an entry includes its end, and the first entry is used after all ends`() {
    let schedule = PromptSchedule("[a:b:5]", calls: 10)
    #expect(
      [0, 5, 6, 10, 11, 99].map { schedule.entries[schedule.index(atCall: $0)].text } == ["a", "a", "b", "b", "a", "a"])
    let turns = PromptSchedule("[a|b]", calls: 10)
    #expect((0..<5).map { turns.entries[turns.index(atCall: $0)].text } == ["a", "a", "b", "a", "b"])
  }

  @Test func `old timelines read whole numbers with a point as steps`() {
    #expect(schedule("[a:b:1.0]", old: true) == [Entry(1, "a"), Entry(10, "b")])
    #expect(schedule("[a:b:0.5]", old: true) == [Entry(5, "a"), Entry(10, "b")])
  }

  @Test func `extreme numbers and brackets thousands deep are read`() {
    #expect(schedule("[a:b:1e999]").map(\.text) == ["a"])
    #expect(schedule("[a:b:-99999999999999999999]").map(\.text) == ["b"])
    let deep = String(repeating: "[", count: 50_000)
    #expect(schedule(deep + "a:b:5" + String(repeating: ":5]", count: 50_000)).count <= 2)
    #expect(schedule(deep + "a").map(\.text) == [deep + "a"])
    #expect(schedule(deep + "[a:5]" + String(repeating: "]", count: 50_000)).map(\.end) == [5, 10])
  }
}
