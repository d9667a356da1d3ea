import Foundation
import JSON
import Testing
import TestSupport

/// The manual against the program.
///
/// The reference of `Commands.md` is derived from the command definitions. After a change to them, write it again with
/// `SDBATCH_RECORD=1 swift test --filter CommandTests.ManualTests`; a recording fails, so that it is not overlooked.
@Suite struct ManualTests {
  // MARK: Commands

  @Test func `the reference of commands is what the definitions say`() async throws {
    let reference = try await CommandDump.ofProgram().reference
    let page = try MarkdownPage.manual("Commands")
    let marker = "<!-- From here on derived from the command definitions by ManualTests. -->\n\n"
    let start = try #require(page.text.range(of: marker)).upperBound
    let isCurrent = page.text[start...] == reference
    #expect(isCurrent, "record it again: SDBATCH_RECORD=1 swift test --filter CommandTests.ManualTests")
    if !isCurrent, ProcessInfo.processInfo.environment["SDBATCH_RECORD"] == "1" {
      let file = MarkdownPage.packageFolder.appendingPathComponent(page.path)
      try (page.text[..<start] + reference).write(to: file, atomically: true, encoding: .utf8)
    }
  }

  @Test func `every command line in README and manual has a command and options that exist`() async throws {
    let dump = try await CommandDump.ofProgram()
    var count = 0
    for page in try [MarkdownPage.readme] + MarkdownPage.manual {
      for line in page.commandLines(of: "sdbatch") {
        let words = (line.components(separatedBy: " #").first ?? line).split(separator: " ").map(String.init)
        let command = try #require(dump.command(of: words.dropFirst()))
        // After "--with" there are options of a run.
        for word in words.prefix(while: { $0 != "--with" }) where word.hasPrefix("--") {
          let option = String(word.prefix { $0 != "=" && $0 != ";" })
          #expect(command.optionNames.contains(option), "\(page.path): \(line)")
        }
        count += 1
      }
    }
    #expect(count >= 15)
  }

  @Test func `the exit codes of README, manual and help agree`() async throws {
    let page = try MarkdownPage.manual("ExitCodes")
    let codes = page.table("exit code").map { $0[0] }
    #expect(codes == ["0", "1", "3", "10", "11", "64", "74", "75", "130"])
    #expect(try MarkdownPage.readme.table("exit code").map { $0[0] } == codes)
    let rows = page.table("command")
    for command in try await CommandDump.ofProgram().commands {
      guard let helpCodes = command.exitCodes else { continue }
      let row = try #require(rows.first { $0[0].contains("`\(command.commandName)`") })
      if command.commandName == "run" { #expect(helpCodes == codes) }
      for code in helpCodes where code != "1" {
        #expect(row[1].contains(try Regex("\\b\(code)\\b")), "\(command.commandName): \(code)")
      }
    }
  }

  // MARK: Keys and files

  @Test func `the defaults in the table of keys are the program's`() async throws {
    let space = try Workspace(recipe: "prompt: ''\nseed: 1\nsteps: 1\n")
    try await space.run("recipe.yaml", "--no-sheet", "--set", "width=64", "--set", "height=64")
    let parameters = try #require(space.manifestJobs("Output/recipe").first?["parameters"])
    // Values that the test sets, that depend on this machine, or that are written in another form.
    let others = ["seed", "steps", "width", "height", "scheduler", "precision"]
    var count = 0
    for row in try MarkdownPage.manual("Recipes").table("key") where row.count == 4 {
      for name in MarkdownPage.codes(in: row[0]) {
        guard let value = parameters[name], !others.contains(name) else { continue }
        #expect(Self.defaults(value).contains(row[1].replacingOccurrences(of: "`", with: "")), "\(name): \(value)")
        count += 1
      }
    }
    #expect(count > 30)
    for name in parameters.names {
      #expect(try MarkdownPage.manual("Recipes").text.contains("`\(name)`"), "\(name) is not in the manual")
    }
  }

  /// How the manual may write a value.
  private static func defaults(_ value: JSONValue) -> [String] {
    switch value {
    case .null: ["none"]
    case .string(let text): text.isEmpty ? ["empty"] : [text]
    default:
      if let number = value.numberValue {
        number == 0 ? ["0", "none"] : [number == number.rounded() ? "\(Int(number))" : "\(number)"]
      } else {
        [value.jsonText]
      }
    }
  }

  @Test func `every file of a run folder is in the manual, and so is every column of trace.tsv`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml", "--profile")
    let page = try MarkdownPage.manual("Files")
    for name in try FileManager.default.contentsOfDirectory(atPath: space.path + "/run") {
      #expect(page.text.contains(name), "\(name) is not in the manual")
    }
    let columns = page.table("column").flatMap { MarkdownPage.codes(in: $0[0]) }
    #expect(try space.text("run/trace.tsv").split(separator: "\n")[0] == columns.joined(separator: "\t"))
    let keys = page.table("key").flatMap { MarkdownPage.codes(in: $0[0]) }
    #expect(try keys == space.manifest().names)
    let profile = try MarkdownPage.manual("Speed").table("column").flatMap { MarkdownPage.codes(in: $0[0]) }
    let title = try space.text("run/profile.tsv").prefix { $0 != "\n" }
    #expect(title.split(separator: "\t").map(String.init) == profile)
  }

  @Test func `the recipe of lists makes as many images as its axes say`() async throws {
    let yaml = try #require(try MarkdownPage.manual("Prompts").blocks("yaml").first)
    let space = try Workspace(recipe: yaml)
    try space.makeFolder("wildcards")
    try space.write("red\nblue\n", to: "wildcards/sky.txt")
    try space.write("name,prompt,negative_prompt\nink,ink,\nframe,frame,\n", to: "styles.csv")
    let plan = try await space.run("plan", "recipe.yaml", "--json", "--set", "model=demo")
    // The demo model does not know the words.
    #expect(!plan.errors.contains("error"))
    // Three texts, two orders, four choices, 3 5 7 9 and five from 0 to 1, two sizes, two skies.
    let jobs = 3 * 2 * 4 * 9 * 2 * 2
    #expect(try JSONValue(parsing: plan.output)["jobs"] == .integer(Int64(jobs)))
  }

  // MARK: Pages

  @Test func `every link leads to a file, and every page is linked from the landing page`() throws {
    let pages = try MarkdownPage.manual
    let others = ["README.md", "Sources/README.md", ".github/CONTRIBUTING.md"]
    for page in try pages + others.map({ try MarkdownPage($0) }) {
      for link in page.links {
        let path = MarkdownPage.packageFolder.path + "/" + page.target(link)
        #expect(FileManager.default.fileExists(atPath: path), "\(page.path): \(link)")
      }
    }
    let landing = try MarkdownPage.manual("Manual")
    let linked = Set(landing.links.map(landing.target))
    for page in pages where page.path != landing.path { #expect(linked.contains(page.path), "\(page.path)") }
  }

  @Test func `the map of the source has every target, and no file or folder that does not exist`() throws {
    let map = try MarkdownPage("Sources/README.md")
    let package = try MarkdownPage("Package.swift").text
    let targets = package.matches(of: /\.(?:target|executableTarget|systemLibrary|plugin)\(\s*name: "(\w+)"/)
      .map { String($0.1) }
    #expect(targets.count > 20)
    let documented = map.table("target").flatMap { MarkdownPage.codes(in: $0[0]) }
    #expect(documented.sorted() == targets.sorted())

    let folder = MarkdownPage.packageFolder.path
    let paths = try ["Sources", "Tests"].flatMap { top in
      try FileManager.default.subpathsOfDirectory(atPath: "\(folder)/\(top)").map { "/\(top)/\($0)" }
    }
    let names = map.text.split(separator: "\n").filter { $0.hasPrefix("|") }
      .flatMap { MarkdownPage.codes(in: String($0)) }
      .filter { $0.contains(/^[\w+\/.]+(\.swift|\.h|\.c|\.js|\.md|\/)$/) }
    let missing = names.filter { name in
      let ending = "/" + (name.hasSuffix("/") ? String(name.dropLast()) : name)
      return !paths.contains { $0.hasSuffix(ending) }
    }
    #expect(missing.isEmpty)
  }

  @Test func `the version is in the images and heads the changelog`() async throws {
    let space = try Workspace()
    let version = try await space.run("--version").output.trimmingCharacters(in: .newlines)
    #expect(version.wholeMatch(of: /\d+\.\d+\.\d+/) != nil)
    let changelog = try MarkdownPage.manual("Changelog").text
    #expect(try #require(changelog.firstMatch(of: /\n## (\S+)/)).1 == version)
    try await space.run("recipe.yaml", "--set", "seed=1")
    let job = try #require(space.manifestJobs().first)
    #expect(job["infotext"]?.text?.hasSuffix("Generator: sdbatch \(version)") == true)
  }
}
