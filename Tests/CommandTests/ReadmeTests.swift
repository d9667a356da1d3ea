import Foundation
import Testing
import TestSupport

/// The README and the help against the program.
@Suite struct ReadmeTests {
  @Test(arguments: [
    ["--help"], ["help"], ["run", "--help"], ["plan", "--help"], ["status", "--help"], ["sheet", "--help"],
    ["verify", "--help"], ["why", "--help"], ["inspect", "--help"], ["reproduce", "--help"], ["schema", "--help"],
    ["collect", "--help"], ["slurm", "--help"], ["upscale", "--help"], ["help", "run"],
  ])
  func `help goes to standard output and fits a terminal`(arguments: [String]) async throws {
    let space = try Workspace()
    let child = try space.start([Child.program] + arguments, environment: ["COLUMNS": "80"])
    #expect(try await child.wait() == .exited(0))
    #expect(child.output.contains("USAGE: sdbatch") && child.errors.isEmpty)
  }

  @Test func `the README is short, and its images are small`() throws {
    let readme = try MarkdownPage.readme
    #expect(readme.text.utf8.count <= 8192)
    let pictures = readme.links.filter { $0.hasSuffix(".webp") }
    #expect(pictures.count == 2)
    for picture in pictures {
      let file = MarkdownPage.packageFolder.appendingPathComponent(picture)
      #expect(try Data(contentsOf: file).count < 200_000, "\(picture)")
    }
  }

  @Test func `the README has a row for every command`() async throws {
    let lines = try MarkdownPage.readme.table("command").flatMap { MarkdownPage.codes(in: $0[0]) }
    #expect(lines.first == "sdbatch recipe.yaml")
    let documented = lines.dropFirst().map { String($0.split(separator: " ")[1]) }
    let commands = try await CommandDump.ofProgram().commands.map(\.commandName).filter { $0 != "run" }
    #expect(documented.sorted() == commands.sorted())
  }
}
