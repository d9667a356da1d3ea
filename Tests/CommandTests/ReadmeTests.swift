import Foundation
import JSON
import Testing

/// The README and the help against the program.
@Suite struct ReadmeTests {
  @Test(arguments: [
    ["--help"], ["help"], ["run", "--help"], ["plan", "--help"], ["status", "--help"], ["sheet", "--help"],
    ["verify", "--help"], ["why", "--help"], ["inspect", "--help"], ["reproduce", "--help"], ["schema", "--help"],
    ["help", "run"],
  ])
  func `help goes to standard output and fits a terminal`(arguments: [String]) async throws {
    let space = try Workspace()
    let child = try space.start([Child.program] + arguments, environment: ["COLUMNS": "80"])
    #expect(try await child.wait() == .exited(0))
    #expect(child.output.contains("USAGE: sdbatch") && child.errors.isEmpty)
  }

  @Test func `the help of run has every option that the README names, and the same exit codes`() async throws {
    let space = try Workspace()
    let help = try await space.run("run", "--help").output
    let walk = try Readme.section("A recipe, walked through")
    let options = walk.matches(of: /`(--[a-z-]+)/).map { String($0.1) }
    #expect(options.count >= 8)
    for option in options { #expect(help.contains(option), "\(option)") }
    for option in help.matches(of: /\n  (?:-., )?(--[a-z-]+)/).map({ String($0.1) })
    where !["--version", "--help"].contains(option) {
      #expect(walk.contains(option), "\(option) is not in the README")
    }
    let text = help.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    let codes = try #require(text.firstMatch(of: /Exit codes: (.*?)\. Run/)?.1)
    let rows = try Readme.table("exit code").map { $0[0] }
    #expect(rows == ["0", "1", "3", "10", "11", "64", "74", "75", "130"])
    #expect(codes.split(separator: "; ").map { String($0.prefix { $0 != " " }) } == rows)
  }

  @Test func `every key that the README lists is understood, and none is missing`() async throws {
    let space = try Workspace()
    let keys = try Readme.table("key").flatMap { row in row[0].matches(of: /`([a-z_]+)`/).map { String($0.1) } }
    #expect(keys.count > 15)
    // An unknown key would be told as an error.
    let lines = keys.map { "x: {a: 1}\n".replacingOccurrences(of: "x", with: $0) }
    try space.write(lines.joined(), to: "recipe.yaml")
    let errors = try await space.run("plan", "recipe.yaml", exits: 10).errors
    for (index, key) in keys.enumerated() {
      #expect(errors.contains("recipe.yaml:\(index + 1):\(key.count + 3): error: "), "\(key): \(errors)")
    }
    let parameters = try Workspace()
    try await parameters.run("recipe.yaml", "--set", "seed=1")
    let names = try #require(parameters.manifestJobs().first?["parameters"]).names
    for name in names { #expect(keys.contains(name), "\(name) is not in the README") }
  }

  @Test func `the README's defaults are the program's`() async throws {
    let space = try Workspace(recipe: "prompt: a\nseed: 1\nsteps: 1\n")
    try await space.run("recipe.yaml", "--set", "width=64", "--set", "height=64")
    let parameters = try #require(space.manifestJobs("Output/recipe").first?["parameters"])
    let rows = Dictionary(uniqueKeysWithValues: try Readme.table("key").map { ($0[0], $0[1]) })
    #expect(rows["`steps`, `cfg_scale`"] == "20, 7" && parameters["cfg_scale"]?.numberValue == 7)
    #expect(rows["`sampler_name`"] == parameters["sampler_name"]?.text)
    #expect(rows["`rng`"] == parameters["rng"]?.text)
    #expect(rows["`model`, `vae`"]?.hasPrefix("`\(parameters["model"]?.text ?? "?")`") == true)
    #expect(rows["`width`, `height`"] == "512 (demo: 128)")
  }

  @Test func `the columns of trace.tsv are those that the README explains`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml")
    let names = try Readme.table("column").flatMap { row in row[0].matches(of: /`([a-z_]+)`/).map { String($0.1) } }
    #expect(try space.text("run/trace.tsv").split(separator: "\n")[0] == names.joined(separator: "\t"))
  }

  @Test func `the README's recipe is one`() async throws {
    let walk = try Readme.section("A recipe, walked through")
    let yaml = try #require(walk.components(separatedBy: "```yaml\n").last?.components(separatedBy: "```").first)
    let space = try Workspace(recipe: yaml)
    let plan = try await space.run("plan", "recipe.yaml", "--set", "model=demo")
    #expect(plan.errors.isEmpty)
    #expect(plan.output.contains("jobs         137\n"))
  }

  @Test func `the README's recipe of lists is one, with the files that it speaks of`() async throws {
    let section = try Readme.section("Prompts from lists")
    let yaml = try #require(section.components(separatedBy: "```yaml\n").last?.components(separatedBy: "```").first)
    let space = try Workspace(recipe: yaml)
    try space.makeFolder("wildcards")
    try space.write("red\nblue\n", to: "wildcards/sky.txt")
    try space.write("name,prompt,negative_prompt\nink,ink,\nframe,frame,\n", to: "styles.csv")
    let plan = try await space.run("plan", "recipe.yaml", "--set", "model=demo")
    #expect(plan.errors.isEmpty)
    // Three texts, two orders, four choices, 3 5 7 9 and five from 0 to 1, two sizes, two skies.
    #expect(plan.output.contains("jobs         \(3 * 2 * 4 * 9 * 2 * 2)\n"))
  }

  @Test func `--version prints the version that is in the images`() async throws {
    let space = try Workspace()
    let version = try await space.run("--version").output.trimmingCharacters(in: .newlines)
    #expect(version.wholeMatch(of: /\d+\.\d+\.\d+/) != nil)
    try await space.run("recipe.yaml", "--set", "seed=1")
    let job = try #require(space.manifestJobs().first)
    #expect(job["infotext"]?.text?.hasSuffix("Generator: sdbatch \(version)") == true)
  }
}
