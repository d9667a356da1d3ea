import Foundation
import TestSupport
import Testing

/// The manual on the terminal.
@Suite struct HelpTopicTests {
  @Test func `every page of the manual is a topic of its own`() async throws {
    let space = try Workspace()
    let topics = try await space.run("help", "topics").outputLines.dropFirst().compactMap {
      $0.split(separator: " ").first.map(String.init)
    }
    var titles: Set<String> = []
    for topic in topics { titles.insert(try await space.run("help", topic).outputLines[0]) }
    let expected = try MarkdownPage.manual.compactMap { page in
      page.text.split(separator: "\n").first.map {
        $0.dropFirst(2).replacingOccurrences(of: "`", with: "").uppercased()
      }
    }
    #expect(titles == Set(expected))
    #expect(topics.count == expected.count)
  }

  @Test func `tables become columns, and marks and links' targets are left out`() async throws {
    let space = try Workspace()
    let lines = try await space.run("help", "exit-codes").outputLines
    #expect(lines.contains { $0.hasPrefix("0 ") })
    #expect(!lines.contains { $0.contains("|---") || $0.contains("](") || $0.contains("`") })
    #expect(lines.allSatisfy { $0.count <= 100 })
  }

  @Test func `commands keep their own help`() async throws {
    let space = try Workspace()
    #expect(try await space.run("help", "models").output.contains("USAGE: sdbatch models"))
  }
}
