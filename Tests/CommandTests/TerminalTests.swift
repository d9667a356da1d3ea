import Foundation
import JSON
import Testing

/// The live line, seen through a pseudo-terminal.
@Suite struct TerminalTests {
  /// The side of a pseudo-terminal where a person would sit.
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

    /// Takes in what has been written since.
    func read() {
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        guard count > 0 else { return }
        text += String(decoding: buffer[..<count], as: UTF8.self)
      }
    }

    /// What stays when every line feed, carriage return and "erase to the end of the line" has taken effect.
    var lines: [String] {
      // The terminal makes CR LF of every line feed, which is one character to Swift.
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
    // Kept open, so that what is written last can still be read after the program has gone.
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
      screen.text.contains(/\r\[2\/4\]  step 3\/4  \d+\.\d\d s\/step  ETA \d+(\.\d)?s\u{1B}\[K/), "\(screen.text)")
    #expect(screen.text.contains("\r[1/4]  loading model\u{1B}[K"))
    #expect(screen.text.contains("\r[4/4]  decoding  "))
    let lines = screen.lines
    #expect(lines.first == "\(space.path)/run: 4 jobs, 0 done, 4 to make, 16 steps")
    for (index, line) in lines.dropFirst().prefix(4).enumerated() {
      #expect(line.hasPrefix("[\(index + 1)/4] images/0000\(index)-\(index + 1)-"))
    }
    #expect(lines.count == 8 && lines.last == "" && lines[5].hasPrefix("4 of 4 done, 0 failed (4 made in "))
    #expect(lines[6] == "contact sheet: \(space.path)/run/contact-sheet.png")
  }

  @Test func `a live line never wraps`() async throws {
    let space = try Workspace()
    let (screen, end) = try await watch(space, "recipe.yaml", columns: 20)
    #expect(end == .exited(0))
    let live = screen.text.matches(of: /\r([^\r\n\u{1B}]*)\u{1B}\[K/).map { $0.1.count }
    #expect(live.count > 20)
    #expect(live.allSatisfy { $0 < 20 })
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
