import Foundation
import JSON
import Testing

/// The built program as a child process. Its streams go to files, which can be read while it runs.
final class Child {
  /// How a process ended.
  enum End: Equatable {
    case exited(Int32)
    case killed(by: Int32)
  }

  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// Where its standard streams go.
  struct Streams {
    var output: String
    var errors: String
  }

  /// Next to the test bundle, since the package manager puts all products into one folder.
  static let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    .appendingPathComponent("sdbatch").path

  let process: pid_t
  private let streams: Streams
  private var end: End?

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - arguments: The program's path, then its arguments.
  ///   - environment: All of its environment.
  ///   - folder: Its current folder.
  ///   - streams: Files, which are emptied, or devices.
  /// - Throws: `Failure` when it does not start.
  init(_ arguments: [String], environment: [String: String], in folder: String, streams: Streams) throws {
    self.streams = streams
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    let flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, streams.output, flags, 0o666)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, streams.errors, flags, 0o666)

    // The process that started the tests may have ignored or blocked signals.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

    // The shell changes the folder and becomes the program.
    let words = ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", folder] + arguments
    var argv = words.map { strdup($0) } + [nil]
    var envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in argv + envp { free(text) } }
    var process: pid_t = 0
    let code = posix_spawn(&process, words[0], &actions, &attributes, &argv, &envp)
    guard code == 0 else {
      throw Failure(description: "\(arguments[0]) did not start: \(String(cString: strerror(code)))")
    }
    self.process = process
  }

  deinit {
    if end == nil {
      kill(SIGKILL)
      var status: Int32 = 0
      waitpid(process, &status, 0)
    }
  }

  var output: String { Self.text(streams.output) }
  var errors: String { Self.text(streams.errors) }
  var outputLines: [String] { output.split(separator: "\n").map(String.init) }

  /// Sends a signal, unless the process has ended.
  func kill(_ signal: Int32) {
    if end == nil { Glibc.kill(process, signal) }
  }

  /// Waits for the end of the process, and returns how it ended; other tests can use the thread during the wait.
  ///
  /// - Parameter seconds: A process that takes longer counts as hanging.
  /// - Returns: Its exit code, or the signal that ended it.
  /// - Throws: `Failure` for a process that hangs, with its output.
  func wait(atMost seconds: Double = 900) async throws -> End {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
      if let end = poll() { return end }
      guard ContinuousClock.now < deadline else {
        throw Failure(description: "still running after \(seconds) s; it said: \(output)\(errors)")
      }
      try await Task.sleep(for: .milliseconds(2))
    }
  }

  /// Waits until a condition is true, at most while the process runs; returns whether it became true. Keeps the thread, so no
  /// other test runs between this moment and the next action.
  @discardableResult
  func wait(until condition: () -> Bool) throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(900)
    while !condition() {
      if poll() != nil { return condition() }
      guard ContinuousClock.now < deadline else {
        throw Failure(description: "it did not happen; the program said: \(output)\(errors)")
      }
      usleep(1000)
    }
    return true
  }

  private func poll() -> End? {
    if let end { return end }
    var status: Int32 = 0
    guard waitpid(process, &status, WNOHANG) == process else { return nil }
    let signal = status & 0x7F
    end = signal == 0 ? .exited(status >> 8 & 0xFF) : .killed(by: signal)
    return end
  }

  private static func text(_ path: String) -> String {
    String(decoding: (try? Data(contentsOf: URL(fileURLWithPath: path))) ?? Data(), as: UTF8.self)
  }
}
