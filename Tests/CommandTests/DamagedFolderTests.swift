import Foundation
import Testing

/// Run folders with one damaged file: what `run` refuses, `plan`, `status` and `why` refuse too, and `verify` reports.
@Suite struct DamagedFolderTests {
  enum Damage: String, CaseIterable {
    case cut, empty, garbage, folder, missing
  }

  /// A complete run; each case gets a copy of it.
  private static func run() async throws -> Workspace {
    let space = try Workspace()
    try space.write(
      "prompt: fish\nsteps: 1\nwidth: 64\nheight: 64\noutput: whole\ngrid: {seed: [1, -1]}\n", to: "recipe.yaml")
    try await space.run("recipe.yaml", "--no-reuse")
    return space
  }

  private static func damage(_ file: String, _ damage: Damage) throws {
    var isFolder: ObjCBool = false
    _ = FileManager.default.fileExists(atPath: file, isDirectory: &isFolder)
    let bytes = isFolder.boolValue ? Data() : try Data(contentsOf: URL(fileURLWithPath: file))
    try FileManager.default.removeItem(atPath: file)
    switch damage {
    case .cut: try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: file))
    case .empty: try Data().write(to: URL(fileURLWithPath: file))
    case .garbage: try Data("garbage\n".utf8).write(to: URL(fileURLWithPath: file))
    case .folder: try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
    case .missing: break
    }
  }

  @Test func `the commands agree on every kind of damage to every file`() async throws {
    let space = try await Self.run()
    let whole = "\(space.path)/whole"
    let names = try FileManager.default.contentsOfDirectory(atPath: whole).sorted()
    let image = try #require(try FileManager.default.contentsOfDirectory(atPath: whole + "/images").min())
    #expect(names.count >= 11)
    for name in names + ["images/" + image] {
      for damage in Damage.allCases {
        var isFolder: ObjCBool = false
        _ = FileManager.default.fileExists(atPath: "\(whole)/\(name)", isDirectory: &isFolder)
        if isFolder.boolValue, damage != .garbage, damage != .missing { continue }
        // For files that commands only write, the kind of damage does not matter.
        let isRead = ["seeds.json", "plan.jsonl", "journal.jsonl"].contains(name)
        if !isRead, damage == .cut || damage == .empty { continue }
        let folder = "\(name.split(separator: "/").last ?? "")-\(damage)"
        try FileManager.default.copyItem(atPath: whole, toPath: "\(space.path)/\(folder)")
        try Self.damage("\(space.path)/\(folder)/\(name)", damage)
        var codes: [String: Int32] = [:]
        for (command, arguments) in [
          ("status", ["status", folder]), ("why", ["why", folder]), ("verify", ["verify", folder]),
          ("plan", ["plan", "recipe.yaml", "--output", folder]),
          ("run", ["recipe.yaml", "--output", folder, "--no-reuse"]),
        ] {
          guard case .exited(let code) = try await space.start([Child.program] + arguments, environment: [:]).wait()
          else {
            Issue.record("\(command) crashed: \(name) \(damage)")
            continue
          }
          codes[command] = code
        }
        let found = "\(name) \(damage): \(codes)"
        let isBlocked =
          damage == .folder || isFolder.boolValue && damage == .garbage || name == "seeds.json" && damage != .missing
        #expect(codes["run"] == (isBlocked ? 10 : 0), "\(found)")
        #expect(codes["plan"] == codes["run"], "\(found)")
        if isBlocked {
          #expect(codes["status"] == 10 && codes["why"] == 10, "\(found)")
          // If the plan or a journal cannot be read, there is nothing to compare.
          #expect(codes["verify"] == (["plan.jsonl", "journal.jsonl"].contains(name) ? 10 : 3), "\(found)")
        } else {
          // `status` and `why` use the plan, which a run rewrites.
          #expect(codes["status"] == (name == "plan.jsonl" ? 10 : 0) && codes["why"] == codes["status"], "\(found)")
        }
        try FileManager.default.removeItem(atPath: "\(space.path)/\(folder)")
      }
    }
  }

  @Test func `the reason is reported after the state, and names the file`() async throws {
    let space = try await Self.run()
    try space.write("{\"seed\": ", to: "whole/seeds.json")
    let status = try await space.run("status", "whole", exits: 10)
    #expect(status.output.contains("2 of 2 done") && status.errors.contains("whole/seeds.json is damaged"))
    #expect(try await space.run("status", "whole", "--json", exits: 10).output.hasPrefix("{\"folder\":"))
    let why = try await space.run("why", "whole", exits: 10)
    #expect(why.output.contains("0 of 2 jobs will run") && why.errors.contains("whole/seeds.json is damaged"))
    let verify = try await space.run("verify", "whole", exits: 3)
    #expect(
      verify.outputLines.first
        == "seeds.json: does not contain seeds; the next run ends here: put it back, or remove it to draw new seeds")
    #expect(try await space.run("verify", "whole", "--json", exits: 3).output.contains("\"kind\":\"obstacle\""))
    try await space.run("recipe.yaml", "--new-seeds", "--output", "whole", "--no-reuse")
    try await space.run("verify", "whole")
    try await space.run("status", "whole")
  }
}
