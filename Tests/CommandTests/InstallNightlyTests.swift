import Foundation
import JSON
import Testing

/// Installing a recipe as a task of cron or systemd, with fake programs instead of theirs.
@Suite struct InstallNightlyTests {
  /// A folder with a recipe, and programs that record their input.
  private func space(_ name: String = "night & day.yaml") throws -> Workspace {
    let space = try Workspace(recipe: nil)
    try space.write("nightly: 2\nprompt: a boat\n", to: name)
    try space.makeFolder("bin")
    try space.writeProgram(
      """
      #!/bin/sh
      case $1 in
      -l) if [ -f "$HOME/table" ]; then cat "$HOME/table"; else echo "no crontab for me" >&2; exit 1; fi ;;
      -) cat >"$HOME/new"; if grep -q refused "$HOME/new"; then echo "bad minute" >&2; exit 1; fi; mv "$HOME/new" "$HOME/table" ;;
      esac
      """, to: "bin/crontab")
    try space.writeProgram(
      """
      #!/bin/sh
      echo "$@" >>"$HOME/calls"
      if [ "$2" = is-system-running ]; then if [ -f "$HOME/no-systemd" ]; then exit 1; fi; echo degraded; exit 1; fi
      """, to: "bin/systemctl")
    try space.writeProgram(
      """
      #!/bin/sh
      echo "verify $@" >>"$HOME/calls"
      if [ -f "$HOME/refuse" ]; then echo "Unknown lvalue" >&2; exit 1; fi
      """, to: "bin/systemd-analyze")
    try space.makeFolder("home")
    return space
  }

  private func run(
    _ space: Workspace, _ arguments: String..., exits code: Int32 = 0, at location: SourceLocation = #_sourceLocation
  ) async throws -> Child {
    let child = try space.start(
      [Child.program, "install-nightly"] + arguments, environment: ["PATH": space.path + "/bin:/usr/bin:/bin"])
    #expect(try await child.wait() == .exited(code), "\(child.output)\(child.errors)", sourceLocation: location)
    return child
  }

  @Test func `a line of the crontab is added, replaced and removed, and others stay as they are`() async throws {
    let space = try space()
    let others = "MAILTO=me\n# 5 * * * * mine\n0 3 * * * /bin/true\n"
    try space.write(others, to: "home/table")
    let child = try await run(space, "night & day.yaml", "--cron", "--at", "02:30")
    let command = "cd \(space.path) && \(Child.program) '\(space.path)/night & day.yaml' --summary"
    let heading = "# sdbatch nightly night---day: installed by sdbatch install-nightly, --remove removes it\n"
    #expect(try space.text("home/table") == others + heading + "30 2 * * *  \(command)\n")
    #expect(child.output == "added to the crontab:\n" + heading + "30 2 * * *  \(command)\n")
    // Cron starts a command line that the program accepts.
    let line = try space.startShell(command + " --set model=none")
    #expect(try await line.wait() == .exited(10))
    #expect(line.errors.contains("model: found \"none\""))
    _ = try await run(
      space, "night & day.yaml", "--cron", "--with", "--quiet", "--set", "prompt=50% 'off'")
    let table = try space.text("home/table")
    #expect(table.hasPrefix(others + heading + "0 1 * * *  cd "))
    #expect(table.hasSuffix(#" --quiet --set 'prompt=50\% '\''off'\'''"# + "\n"))
    #expect(table.components(separatedBy: "sdbatch nightly").count == 2)
    _ = try await run(space, "night & day.yaml", "--cron", "--dry-run")
    #expect(try space.text("home/table") == table)
    let removed = try await run(space, "night & day.yaml", "--remove")
    #expect(removed.output == "removed the line of night---day in the crontab\n")
    #expect(try space.text("home/table") == others)
    _ = try await run(space, "night & day.yaml", "--remove", exits: 10)
  }

  static let names = [
    "plain", "with space", "per%cent %h", "qu'ote", "dou\"ble", "dol$HOME", "back\\slash", "ünï 東京", "semi;colon & amp",
    "tab\tin", "-dash", "star*?[a]", "~tilde", "#hash", "trailing ", "{b}", "`id` $(id)", "(paren) !bang",
  ]

  @Test(arguments: names)
  func `the shell of cron and systemd get every name as it is`(name: String) async throws {
    let space = try space()
    let folder = "\(space.path)/\(name)"
    try space.makeFolder(name)
    try space.write("nightly: 2\nprompt: a boat\n", to: "\(name)/\(name).yaml")
    let value = "prompt=\(name) 50% $x \"a\" 'b' \\ end"
    // A program that shows where it is and what it is given.
    try space.writeProgram("#!/bin/sh\npwd\nprintf '%s\\n' \"$@\"\n", to: "bin/probe")
    func planned(_ kind: String) async throws -> String {
      let child = try space.start(
        [
          "/bin/sh", "-c",
          "cd \"$1\" && exec \"$0\" install-nightly \"./$2.yaml\" \(kind) --dry-run --with --set \"$3\"",
          Child.program, folder, name, value,
        ], environment: [:])
      #expect(try await child.wait() == .exited(0), "\(child.output)\(child.errors)")
      return child.output
    }
    let expected = [folder, "\(folder)/\(name).yaml", "--set", value]

    let table = try await planned("--cron").split(separator: "\n").filter { $0.hasPrefix("#") || $0.hasPrefix("0 1 ") }
    let line = try #require(table.last)
    // Cron itself makes a line feed of a percent sign without a backslash.
    #expect(line.replacingOccurrences(of: "\\%", with: "").contains("%") == false)
    let command = line.dropFirst("0 1 * * *  ".count).replacingOccurrences(of: "\\%", with: "%")
      .replacingOccurrences(of: Child.program, with: space.path + "/bin/probe")
    let shown = try space.start(["/bin/sh", "-c", command], environment: [:])
    #expect(try await shown.wait() == .exited(0))
    #expect(shown.output.split(separator: "\n").map(String.init) == expected)
    if access("/usr/bin/crontab", X_OK) == 0 {
      // Debian's cron checks a table without installing it.
      try space.write(table.joined(separator: "\n") + "\n", to: "table")
      let checked = try space.start(["/usr/bin/crontab", "-n", "table"], environment: [:])
      #expect(try await checked.wait() == .exited(0), "\(checked.output)\(checked.errors)")
    }

    let units = try await planned("--systemd")
    let start = try #require(units.firstMatch(of: /ExecStart=(.*)/)?.1)
    #expect(Self.words(String(start)).dropFirst() == expected.dropFirst())
    let place = try #require(units.firstMatch(of: /WorkingDirectory=(.*)/)?.1)
    #expect(place.replacingOccurrences(of: "%%", with: "%") == folder)
  }

  /// The words of a command line as systemd reads them: quotation marks, backslashes, and doubled percent and dollar signs.
  private static func words(_ line: String) -> [String] {
    var words: [String] = []
    var word: String?
    var isQuoted = false
    var characters = line.makeIterator()
    while let character = characters.next() {
      switch character {
      case "\"":
        isQuoted.toggle()
        word = word ?? ""
      case "\\": word = (word ?? "") + (characters.next().map { String($0) } ?? "")
      case " " where !isQuoted:
        if let found = word { words.append(found) }
        word = nil
      default: word = (word ?? "") + String(character)
      }
    }
    if let word { words.append(word) }
    return words.map { $0.replacingOccurrences(of: "%%", with: "%").replacingOccurrences(of: "$$", with: "$") }
  }

  @Test func `a first crontab is made, and a table that cron refuses is reported`() async throws {
    let space = try space("night.yaml")
    _ = try await run(space, "night.yaml", "--cron")
    #expect(try space.text("home/table").hasPrefix("# sdbatch nightly night: "))
    let child = try await run(space, "night.yaml", "--cron", "--with", "--set", "prompt=refused", exits: 10)
    #expect(child.errors.hasSuffix("sdbatch: crontab refuses the table: bad minute\n"))
  }

  @Test func `units of systemd are written, verified, enabled and removed`() async throws {
    let space = try space()
    let child = try await run(space, "night & day.yaml", "--at", "6:05", "--with", "--set", "prompt=50% $x \"a\"")
    let folder = "home/.config/systemd/user/sdbatch-night---day"
    let service = try space.text(folder + ".service")
    #expect(service.contains("\nWorkingDirectory=\(space.path)\n"))
    #expect(
      service.contains(
        "\nExecStart=\(Child.program) \"\(space.path)/night & day.yaml\" --set \"prompt=50%% $$x \\\"a\\\"\"\n"))
    #expect(service.contains("\nSuccessExitStatus=11 75\n"))
    #expect(try space.text(folder + ".timer").contains("\nOnCalendar=*-*-* 06:05:00\n"))
    let calls = try space.text("home/calls").split(separator: "\n")
    #expect(calls[1] == "verify --user verify \(space.path)/\(folder).service \(space.path)/\(folder).timer")
    #expect(calls.suffix(2) == ["--user daemon-reload", "--user enable --now sdbatch-night---day.timer"])
    #expect(child.output.contains("verified by systemd-analyze\nenabled: "))
    #expect(child.output.contains("  ExecStart="))
    let removed = try await run(space, "night & day.yaml", "--remove")
    #expect(removed.output == "removed the timer sdbatch-night---day\n")
    #expect(!space.exists(folder + ".service") && !space.exists(folder + ".timer"))
    // With a real systemd, the units are real ones.
    if access("/usr/bin/systemd-analyze", X_OK) == 0 {
      try space.remove("bin/systemd-analyze")
      let real = try await run(space, "night & day.yaml", "--systemd", "--with", "--set", "prompt=50% $x \"a\"")
      #expect(real.output.contains("verified by systemd-analyze\n"), "\(real.output)\(real.errors)")
    }
  }

  @Test func `what systemd refuses is not left behind, and files of others stay`() async throws {
    let space = try space("night.yaml")
    try space.write("", to: "home/refuse")
    let child = try await run(space, "night.yaml", "--systemd", exits: 10)
    #expect(child.errors.hasSuffix("sdbatch: systemd-analyze verify: Unknown lvalue\n"))
    let folder = "home/.config/systemd/user/"
    #expect(try FileManager.default.contentsOfDirectory(atPath: space.path + "/" + folder).isEmpty)
    try space.remove("home/refuse")
    try space.write("[Unit]\n", to: folder + "sdbatch-night.service")
    _ = try await run(space, "night.yaml", "--systemd", exits: 10)
    _ = try await run(space, "night.yaml", "--remove", exits: 10)
    #expect(try space.text(folder + "sdbatch-night.service") == "[Unit]\n")
    _ = try await run(space, "night.yaml", "--systemd", "--name", "other")
    #expect(space.exists(folder + "sdbatch-other.timer"))
    // If systemd does not answer, cron is the default.
    try space.write("", to: "home/no-systemd")
    _ = try await run(space, "night.yaml")
    #expect(space.exists("home/table"))
  }

  @Test func `a recipe with mistakes is not installed, and one without nights gets a note`() async throws {
    let space = try space("night.yaml")
    try space.write("steps: none\n", to: "wrong.yaml")
    try space.write("steps: 3\n", to: "once.yaml")
    _ = try await run(space, "wrong.yaml", "--cron", exits: 10)
    _ = try await run(space, "night.yaml", "--cron", "--with", "--stepz", exits: 64)
    _ = try await run(space, "night.yaml", "--cron", "--at", "25:00", exits: 64)
    #expect(!space.exists("home/table"))
    let child = try await run(space, "once.yaml", "--cron")
    #expect(child.errors.contains("note: once.yaml has no nightly series"))
  }

  @Test func `doctor says what it found, and plan knows the time afterwards`() async throws {
    let space = try Workspace()
    let doctor = try await space.run("doctor", "recipe.yaml")
    let lines = doctor.outputLines.map { $0.split(separator: " ").prefix(2).joined(separator: " ") }
    #expect(
      lines.map { $0.split(separator: " ")[1] } == [
        "program", "processor", "fonts", "models", "output", "cache", "state", "clock", "timing",
      ])
    #expect(doctor.output.contains(/ok +timing +a step of recipe.yaml at 64x64 takes \d+\.\d\d s; plan now uses this/))
    #expect(!space.exists("run"))
    let plan = try await space.run("plan", "recipe.yaml")
    #expect(plan.output.contains("time         about "))
    let broken = try await space.run(
      "doctor", "--no-timing", "--json", environment: ["SDBATCH_ISA": "none", "XDG_STATE_HOME": "/proc"], exits: 3)
    let findings = try JSONValue(parsing: broken.output)["findings"]?.elements ?? []
    let problems = findings.filter { $0["level"] == "problem" }.compactMap { $0["name"]?.text }
    #expect(problems == ["processor", "state"])
  }
}
