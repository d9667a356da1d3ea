import Foundation
import JSON
import Testing
import TestSupport

/// Run folders of shards, requests and nights, in which one file is damaged: each command ends with a code of the manual and a
/// message, and whatever else is in the folder stays.
@Suite struct DamagedPartTests {
  enum Damage: String, CaseIterable {
    case empty, cut, flipped, shape, folder
  }

  /// A kind of run, and how its folder is made.
  enum Kind: String, CaseIterable {
    case shards, requests, nights

    /// What continues the run.
    var file: String { self == .requests ? "request.jsonl" : "recipe.yaml" }

    /// The files that are damaged, or the beginnings of their names.
    var files: [String] {
      switch self {
      case .shards: ["journal-0", "journal-1", "plan.jsonl", "seeds.json", "trace-", "recipe.yaml", "manifest.json"]
      case .requests: ["responses/a.json", "responses.jsonl", "outbox/", "plan.jsonl", "seeds.json", "journal.jsonl"]
      case .nights: ["picks.json", "forgotten.jsonl", "plan.jsonl", "seeds.json", "recipe.yaml"]
      }
    }

    /// The commands, those that change something last.
    func commands(_ damage: Damage) -> [[String]] {
      // All of them for two damages only: processes take most of the time of these tests.
      let isMain = damage == .shape || damage == .cut
      let serving = damage == .shape ? [["open", "run", "--no-browser"]] : []
      let more = isMain ? [["why", "run"], ["nights", "run"]] : []
      let reading = [["status", "run"], ["verify", "run"]] + more + serving
      let planning = isMain ? [["plan", file, "--output", "run"], ["sheet", "run"]] : []
      let own: [[String]] =
        switch self {
        case .shards: [["collect", "run"], [file, "--shard", "0/2", "--no-reuse"], ["run", "run", "--no-reuse"]]
        case .requests: [[file, "--output", "run", "--no-reuse"], ["verify", "run", "--repair"]]
        case .nights:
          [
            ["sheet", "run", "--picks"], ["forget", "run", "--keep-last", "1"], [file, "--no-reuse"],
            ["run", "run", "--no-reuse"],
          ]
        }
      return reading + planning + own
    }
  }

  /// Without a receiver, so that announcements wait.
  private static let quick = ["SDBATCH_WEBHOOK_INTERVAL": "0", "SDBATCH_WEBHOOK_ATTEMPTS": "1"]

  private static func space(_ kind: Kind) async throws -> Workspace {
    let small = "prompt: fish\nsteps: 1\nwidth: 64\nheight: 64\noutput: run\n"
    let space = try Workspace(recipe: nil)
    switch kind {
    case .shards:
      try space.write(small + "grid: {seed: [1, 2, -1, -1]}\n", to: "recipe.yaml")
      for shard in ["0/2", "1/2"] { try await space.run("recipe.yaml", "--shard", shard, "--no-reuse") }
      try await space.run("collect", "run")
    case .requests:
      let lines = [("a", 1), ("b", -1)].map { id, seed in
        """
        {"id": "\(id)", "webhook": "http://127.0.0.1:1/\(id)", "input": {"prompt": "fish", "steps": 1, "width": 64, \
        "height": 64, "seed": \(seed)}}
        """
      }
      try space.write(lines.joined(separator: "\n") + "\n", to: "request.jsonl")
      try await space.run("request.jsonl", "--output", "run", "--no-reuse", environment: quick)
    case .nights:
      try space.write(small + "nightly: 2\n", to: "recipe.yaml")
      for zone in ["<-12>12", "<+14>-14"] {
        try await space.run("recipe.yaml", "--no-reuse", environment: ["TZ": zone])
      }
      try await space.run("forget", "run", "--keep-last", "1")
      let id = try #require(try space.manifestJobs().first?["id"]?.text)
      try space.write(#"{"schema": 1, "picks": {"\#(id)": {"stars": 3, "note": "the best"}}}"#, to: "run/picks.json")
      try await space.run("sheet", "run")
    }
    return space
  }

  private static func damage(_ file: String, _ damage: Damage) throws {
    let url = URL(fileURLWithPath: file)
    var bytes = try Data(contentsOf: url)
    switch damage {
    case .empty: bytes = Data()
    case .cut: bytes = bytes.prefix(bytes.count / 2)
    case .flipped: bytes[bytes.count / 3] ^= 1
    case .shape: bytes = Data("[1, {\"a\": [null, \"\\u0000\", 1e300]}]\n".utf8)
    case .folder:
      try FileManager.default.removeItem(at: url)
      return try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
    }
    try bytes.write(to: url)
  }

  /// The images of a run and of its trash, and what somebody wrote, which no command may lose.
  private static func treasures(_ space: Workspace) throws -> [String: Data] {
    var found: [String: Data] = [:]
    for name in try FileManager.default.subpathsOfDirectory(atPath: space.path + "/run") {
      let isImage = name.hasSuffix(".png") && (name.hasPrefix("images/") || name.hasPrefix("trash/"))
      guard isImage || name == "picks.json", let data = try? space.data("run/" + name) else { continue }
      found[isImage ? (name as NSString).lastPathComponent : name] = data
    }
    return found
  }

  private static let documented: Set<Int32> = [0, 3, 10, 11, 74, 75]

  @Test(arguments: Kind.allCases, Damage.allCases)
  func `each command ends as documented, and loses nothing`(kind: Kind, damage: Damage) async throws {
    let space = try await Self.space(kind)
    let names = try FileManager.default.subpathsOfDirectory(atPath: space.path + "/run").sorted()
    for file in kind.files {
      let name = try #require(names.first { $0.hasPrefix(file) && $0 != file.dropLast() }, "\(file)")
      // The run as it was, beside the damaged one.
      try FileManager.default.moveItem(atPath: space.path + "/run", toPath: space.path + "/whole")
      try FileManager.default.copyItem(atPath: space.path + "/whole", toPath: space.path + "/run")
      try Self.damage("\(space.path)/run/\(name)", damage)
      let treasures = try Self.treasures(space)
      var codes: [String: Int32] = [:]
      for arguments in kind.commands(damage) {
        let title = arguments.joined(separator: " ")
        let child = try space.start([Child.program] + arguments, environment: Self.quick)
        if arguments[0] == "open" {
          // It serves until it is asked to stop.
          try child.wait { child.output.contains("http://127.0.0.1:") }
          child.kill(SIGTERM)
        }
        let end = try await child.wait()
        let said = "\(name) \(damage), \(title): \(end)\n\(child.output.suffix(600))\(child.errors.suffix(600))"
        guard case .exited(let code) = end, Self.documented.contains(code) else {
          Issue.record("\(said)")
          continue
        }
        codes[title] = code
        if code == 10 || code == 74 {
          // `plan` has the reason among its lines.
          let errors = (child.output + child.errors).split(separator: "\n").filter {
            $0.hasPrefix("sdbatch: ") || $0.hasPrefix("error  ") || $0.contains(": error: ")
          }
          #expect(errors.count == 1, "\(said)")
        }
        let after = try Self.treasures(space)
        for (lost, data) in treasures where after[lost] != data { Issue.record("\(lost) was lost: \(said)") }
      }
      // What is damaged is reported, except in files that people read and programs only write, and where another byte makes a
      // file of the same form: neither names in the plan, seeds, ids in the picks nor what was forgotten have a digest.
      let isUnseen =
        name.hasPrefix("trace-") || ["responses.jsonl", "forgotten.jsonl"].contains(name)
        || damage == .flipped && ["plan.jsonl", "seeds.json", "picks.json"].contains(name)
      if !isUnseen { #expect(codes["verify run"] != 0, "\(name) \(damage): \(codes)") }
      try space.remove("run")
      try FileManager.default.moveItem(atPath: space.path + "/whole", toPath: space.path + "/run")
    }
  }

  @Test(arguments: Damage.allCases)
  func `a damaged response is given again, and a damaged announcement made again`(damage: Damage) async throws {
    let space = try await Self.space(.requests)
    let receiver = try Receiver()
    let outbox = try FileManager.default.contentsOfDirectory(atPath: space.path + "/run/outbox").sorted()
    #expect(outbox.count == 2)
    // Where nobody answers, so that nothing but the request says where to.
    let url = receiver.url("/")
    try space.write(
      try space.text("request.jsonl").replacing("http://127.0.0.1:1/", with: url), to: "request.jsonl")
    try space.remove("run")
    let away = try space.text("request.jsonl")
    receiver.stop()
    try await space.run("request.jsonl", "--output", "run", "--no-reuse", environment: Self.quick)
    #expect(try space.text("request.jsonl") == away)
    let waiting = try FileManager.default.contentsOfDirectory(atPath: space.path + "/run/outbox").sorted()
    try Self.damage("\(space.path)/run/outbox/\(waiting[0])", damage)
    try Self.damage("\(space.path)/run/responses/b.json", damage)
    if damage == .folder {
      let refused = try await space.run("request.jsonl", "--output", "run", environment: Self.quick, exits: 10)
      #expect(refused.errors.contains("is a folder, where a run has a file: move it away"))
      return
    }
    let verified = try await space.run("verify", "run", exits: 3)
    #expect(verified.output.contains("outbox/\(waiting[0]): is not an announcement"))
    #expect(verified.output.contains("responses/b.json: has other bytes than were written"))
    let child = try await space.run("request.jsonl", "--output", "run", environment: Self.quick)
    #expect(child.errors.contains("note: the announcement of a in outbox/ is damaged"), "\(child.errors)")
    let after = try FileManager.default.contentsOfDirectory(atPath: space.path + "/run/outbox").sorted()
    #expect(after.count == 2 && !after.contains(waiting[0]), "\(after)")
    for id in ["a", "b"] {
      let response = try JSONValue(parsing: try space.text("run/responses/\(id).json"))
      #expect(response["status"] == "COMPLETED" && response["output"]?["images"]?.elements?.count == 1)
    }
    try await space.run("verify", "run")
  }
}

/// The copy of the recipe in a run folder.
@Suite struct DamagedRecipeTests {
  @Test(arguments: ["", "garbage", "- 1\n- 2\n", "a: [", "\u{1}", "missing"])
  func `a recipe that is none is reported, and repaired from the plan`(text: String) async throws {
    let space = try Workspace()
    let recipe = """
      # A comment.
      model: model.safetensors
      prompt: "a small boat: red, # not a comment \\u00e9"
      negative_prompt: |
        two
        lines
      width: 64
      height: 64
      steps: 1
      cfg_scale: 7.0
      grid: {seed: "1, 2", sampler_name: [Euler, "Euler a"]}
      output: run

      """
    try space.write(recipe, to: "recipe.yaml")
    try await space.run("recipe.yaml", "--set", "steps=2")
    try await space.run("verify", "run")
    if text == "missing" { try space.remove("run/recipe.yaml") } else { try space.write(text, to: "run/recipe.yaml") }
    let verified = try await space.run("verify", "run", exits: 3)
    #expect(verified.outputLines.count == 2 && verified.output.hasPrefix("recipe.yaml: is "), "\(verified.output)")
    #expect(try await space.run("verify", "run", "--json", exits: 3).output.contains(#""kind":"recipe""#))
    let repaired = try await space.run("verify", "run", "--repair", exits: 3)
    #expect(repaired.output.contains("recipe.yaml") && repaired.output.contains("written again from the plan"))
    try await space.run("verify", "run")
    let idle = try await space.run("run", "run", "--summary")
    #expect(idle.output.contains("4 of 4 done, 0 failed (nothing to do)"), "\(idle.output)")
  }

  @Test func `a recipe that was edited is reported, and stays`() async throws {
    let space = try Workspace()
    try await space.run("recipe.yaml")
    let edited = try space.text("run/recipe.yaml").replacing("a small boat", with: "a large boat")
    try space.write(edited, to: "run/recipe.yaml")
    let verified = try await space.run("verify", "run", "--repair", exits: 3)
    #expect(verified.output.contains("recipe.yaml: is not the recipe that the plan was made from"))
    #expect(try space.text("run/recipe.yaml") == edited)
    try await space.run("run", "run")
    try await space.run("verify", "run")
    // A comment is no difference.
    try space.write("# Mine.\n" + edited, to: "run/recipe.yaml")
    try await space.run("verify", "run")
  }

  @Test func `the copies of all recipes of the repository are those of their plans`() async throws {
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let space = try Workspace(recipe: nil)
    try space.write(
      """
      x-note: &note [1, 2.50, 0x10, 1e3, .inf, null, true, "yes", ~]
      prompt: &p a fish
      negative_prompt: *p
      steps: 1
      width: 64
      height: 64
      cfg_scale: 7.00
      webhook: "http://user:secret@127.0.0.1:1/x?token=y"
      sheet: {x: seed}
      grid:
        seed: [1]
        style: [{title: "a: b", prompt_append: ", oil"}]
      output: run

      """, to: "recipe.yaml")
    for set in [[], ["--set", "prompt=x: y"], ["--set", "cfg_scale=5.0"]] {
      let child = try space.start([Child.program, "recipe.yaml", "--no-webhook"] + set, environment: [:])
      #expect(try await child.wait() == .exited(0), "\(child.errors)")
      try await space.run("verify", "run")
    }
    let recipes = package.appendingPathComponent("Recipes")
    for name in try FileManager.default.contentsOfDirectory(atPath: recipes.path).sorted() where name.hasSuffix(".yaml")
    {
      let path = recipes.appendingPathComponent(name).path
      let frozen = try space.start("plan", path, "--freeze", "--output", "frozen-\(name)")
      guard try await frozen.wait() == .exited(0) else { continue }
      let verified = try space.start("verify", "frozen-\(name)")
      _ = try await verified.wait()
      #expect(!verified.output.contains("recipe.yaml:"), "\(name): \(verified.output)")
    }
  }
}
