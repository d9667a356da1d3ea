import Foundation
import JSON
import Testing

/// The live line, read through a pseudo-terminal.
@Suite struct TerminalTests {
  /// The side of a pseudo-terminal at which a user would be.
  private final class Screen {
    struct Failure: Error {}

    /// `TIOCSPTLCK` and `TIOCGPTN` of the kernel's `ioctls.h`.
    private static let (unlock, getNumber) = (UInt(0x4004_5431), UInt(0x8004_5430))

    let descriptor: Int32
    let terminal: String
    private(set) var text = ""

    init(columns: UInt16) throws {
      // What posix_openpt, unlockpt and ptsname do, which Swift's Glibc lacks.
      descriptor = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
      var (unlocked, number) = (Int32(0), Int32(0))
      guard descriptor >= 0, ioctl(descriptor, Self.unlock, &unlocked) == 0,
        ioctl(descriptor, Self.getNumber, &number) == 0
      else { throw Failure() }
      terminal = "/dev/pts/\(number)"
      var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
      guard ioctl(descriptor, UInt(TIOCSWINSZ), &size) == 0 else { throw Failure() }
    }

    deinit { close(descriptor) }

    /// Reads what has been written since the last call.
    func read() {
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        guard count > 0 else { return }
        text += String(decoding: buffer[..<count], as: UTF8.self)
      }
    }

    /// The text that remains after every line feed, carriage return and "erase to the end of the line".
    var lines: [String] {
      // The terminal turns every line feed into CR LF, which is one character in Swift.
      text.split(separator: "\r\n", omittingEmptySubsequences: false).map { line in
        let written = line.split(separator: "\r", omittingEmptySubsequences: false).last ?? ""
        return written.replacingOccurrences(of: "\u{1B}[K", with: "")
      }
    }
  }

  private func watch(_ space: Workspace, _ arguments: String..., columns: UInt16 = 200) async throws -> (
    Screen, Child.End
  ) {
    let screen = try Screen(columns: columns)
    // Kept open, so that the last output can still be read after the program has ended.
    let keeper = open(screen.terminal, O_RDWR | O_NOCTTY | O_CLOEXEC)
    defer { close(keeper) }
    let child = try space.start([Child.program] + arguments, environment: [:], terminal: screen.terminal)
    _ = try child.wait {
      screen.read()
      return false
    }
    let end = try await child.wait()
    screen.read()
    return (screen, end)
  }

  @Test func `the live line shows images, step, pace and time left, and gives way to lines that stay`() async throws {
    let space = try Workspace()
    let (screen, end) = try await watch(space, "recipe.yaml")
    #expect(end == .exited(0))
    #expect(
      screen.text.contains(
        /\r\[2\/4\] #{8}-{12} 43%  step 3\/4  \d+\.\d\d s\/step  ETA \d+(\.\d)?s\u{1B}\[K/), "\(screen.text)")
    #expect(screen.text.contains("\r[1/4] -------------------- 0%  loading model\u{1B}[K"))
    #expect(screen.text.contains("\r[4/4] #################### 100%  decoding  "))
    let lines = screen.lines
    #expect(lines.first == "\(space.path)/run: 4 jobs, 0 done, 4 to make, 16 steps")
    for (index, line) in lines.dropFirst().prefix(4).enumerated() {
      #expect(line.hasPrefix("[\(index + 1)/4] images/0000\(index)-\(index + 1)-"))
    }
    #expect(lines.count == 9 && lines.last == "" && lines[5].hasPrefix("4 of 4 done, 0 failed (4 made in "))
    #expect(lines[6] == "contact sheet: \(space.path)/run/contact-sheet.png")
    #expect(lines[7].hasPrefix("page: \u{1B}]8;;file://"))
    #expect(lines[7].hasSuffix("\(space.path)/run/index.html\u{1B}\\\(space.path)/run/index.html\u{1B}]8;;\u{1B}\\"))
  }

  @Test func `Ctrl-C is answered at once, the end says what was kept, and numbers go on after it`() async throws {
    let space = try Workspace(recipe: Workspace.recipe.replacingOccurrences(of: "steps: 4", with: "steps: 200"))
    try await space.run("recipe.yaml", "--set", "seed=1")
    let screen = try Screen(columns: 200)
    let keeper = open(screen.terminal, O_RDWR | O_NOCTTY | O_CLOEXEC)
    defer { close(keeper) }
    let child = try space.start([Child.program, "recipe.yaml"], environment: [:], terminal: screen.terminal)
    try child.wait {
      screen.read()
      return screen.text.contains("[2/4] ") && screen.text.contains("step 20/200")
    }
    child.kill(SIGINT)
    #expect(try await child.wait() == .exited(130))
    screen.read()
    #expect(screen.lines.contains { $0.contains(/^finishing .*, press Ctrl-C again to stop now$/) })
    #expect(
      screen.lines.contains {
        $0.contains(/^Stopped \(Ctrl-C\) after .*: 1 of 4 done, 3 to do, image 2 kept at step \d+\/200\. Run the same/)
      }, "\(screen.lines)")
    #expect(screen.lines.contains { $0.hasPrefix("page: ") })
    let (again, end) = try await watch(space, "recipe.yaml")
    #expect(end == .exited(0))
    #expect(again.lines.contains { $0.hasPrefix("[2/4] job 1 continues after step ") }, "\(again.lines)")
    #expect(again.lines.contains { $0.hasPrefix("[4/4] images/") } && !again.text.contains("[1/"))
  }

  @Test func `a dry run shows the plan and makes nothing`() async throws {
    let space = try Workspace()
    let plan = try await space.run("plan", "recipe.yaml")
    let dry = try await space.run("recipe.yaml", "--dry-run")
    #expect(dry.output == plan.output && !space.exists("run"))
  }

  @Test func `status shows a line for each run below a folder, and the whole of a single one`() async throws {
    let space = try Workspace()
    try await space.run("status", exits: 10)
    try await space.run("status", "recipe.yaml", exits: 10)
    try await space.run("recipe.yaml", "--output", "Output/deep/one", "--set", "seed=1")
    try await space.run("recipe.yaml", "--output", "Output/two", "--set", "steps=1")
    let all = try await space.run("status")
    #expect(
      all.outputLines.map { $0.split(separator: " ").prefix(4).joined(separator: " ") } == [
        "run done failed to", "deep/one 1 - -", "two 4 - -", "2 runs 5 -",
      ], "\(all.output)")
    let one = try await space.run("status", "Output/two")
    #expect(one.output.hasPrefix("\(space.path)/Output/two: 4 of 4 done, 0 failed, 0 to do\n"))
    let json = try JSONValue(parsing: try await space.run("status", "--json").output)
    #expect(json["runs"]?.elements?.map { $0["counts"]?["done"] } == [1, 4])
    let watched = try space.start("status", "--watch")
    try watched.wait { watched.output.components(separatedBy: "2 runs").count > 2 }
    watched.kill(SIGTERM)
    _ = try await watched.wait()
  }

  @Test(arguments: [
    (62, #"[2/4] ####------ 43%  step 3/4  "#, 40), (40, "[2/4]  step 3/4  ", 30), (24, "[2/4]  ETA ", 10),
    (12, "ETA ", 4),
  ])
  func `a live line never wraps, and the time left stays longest`(columns: Int, beginning: String, least: Int)
    async throws
  {
    let space = try Workspace()
    let (screen, end) = try await watch(space, "recipe.yaml", columns: UInt16(columns))
    #expect(end == .exited(0))
    let live = screen.text.matches(of: /\r([^\r\n\u{1B}]*)\u{1B}\[K/).map { String($0.1) }
    #expect(live.count > 8)
    #expect(live.allSatisfy { $0.count < columns })
    #expect(live.contains { $0.hasPrefix(beginning) && $0.contains("ETA ") && $0.count >= least }, "\(live)")
  }

  @Test func `the live line ends before an error is printed`() async throws {
    let space = try Workspace(recipe: Workspace.recipe)
    let screen = try Screen(columns: 200)
    let keeper = open(screen.terminal, O_RDWR | O_NOCTTY | O_CLOEXEC)
    defer { close(keeper) }
    let child = try space.start(
      ["/bin/sh", "-c", "ulimit -f 16; exec \"$0\" recipe.yaml 2>&1", Child.program], environment: [:],
      terminal: screen.terminal)
    _ = try child.wait {
      screen.read()
      return false
    }
    #expect(try await child.wait() == .exited(74))
    screen.read()
    #expect(screen.lines.contains { $0.hasPrefix("sdbatch: cannot write ") }, "\(screen.text)")
    #expect(screen.text.contains("\r\u{1B}[Ksdbatch: "))
  }

  @Test func `--quiet is quiet on a terminal too`() async throws {
    let (screen, end) = try await watch(Workspace(), "recipe.yaml", "--quiet")
    #expect(end == .exited(0))
    #expect(screen.text.isEmpty)
  }
}
