import Foundation
import Runs

/// A process that does a run, and the command that would do it again.
struct RunProcess: Hashable {
  let number: Int32
  let command: [String]
  let folder: String

  /// The path of this program, which starts other processes of the same program.
  static let program =
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]

  /// A process on this machine; nil unless it runs this program.
  init?(_ number: Int32) {
    let path = "/proc/\(number)"
    guard number > 1, number != getpid(),
      let program = try? FileManager.default.destinationOfSymbolicLink(atPath: path + "/exe"),
      (program as NSString).lastPathComponent.hasPrefix("sdbatch"),
      let bytes = FileManager.default.contents(atPath: path + "/cmdline"),
      let folder = try? FileManager.default.destinationOfSymbolicLink(atPath: path + "/cwd")
    else { return nil }
    self.number = number
    self.folder = folder
    command = bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast().map {
      String(decoding: $0, as: UTF8.self)
    }
  }

  /// Asks the process to stop after this step, as Ctrl-C does.
  func stop() -> Bool { kill(number, SIGTERM) == 0 }
}

/// Starts runs, one after the other, as processes that continue when this one ends.
final class RunStarter: @unchecked Sendable {
  private let lock = NSLock()
  private var waiting: [(arguments: [String], folder: String)] = []
  private var isBusy = false
  private let report: @Sendable (String) -> Void

  /// - Parameter report: Receives the message of a run that failed.
  init(report: @escaping @Sendable (String) -> Void) { self.report = report }

  /// Starts a run now, or when the runs that were started before have ended.
  ///
  /// - Parameters:
  ///   - arguments: The arguments of the program.
  ///   - folder: The current folder of the process.
  /// - Returns: Whether it has to wait.
  func start(_ arguments: [String], in folder: String) -> Bool {
    lock.withLock {
      waiting.append((arguments, folder))
      let waits = isBusy
      next()
      return waits
    }
  }

  /// Starts the next run; the lock is held.
  private func next() {
    guard !isBusy, !waiting.isEmpty else { return }
    let (arguments, folder) = waiting.removeFirst()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: RunProcess.program)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    let log = FileManager.default.temporaryDirectory.appendingPathComponent("sdbatch-\(UUID().uuidString).log")
    _ = FileManager.default.createFile(atPath: log.path, contents: nil)
    process.standardError = (try? FileHandle(forWritingTo: log)) ?? FileHandle.nullDevice
    process.terminationHandler = { [self] process in
      let text = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
      try? FileManager.default.removeItem(at: log)
      if ![0, 3, 75, 130].contains(process.terminationStatus) {
        report(
          text.split(separator: "\n").last.map(String.init) ?? "the run ended with code \(process.terminationStatus)")
      }
      lock.withLock {
        isBusy = false
        next()
      }
    }
    do {
      try process.run()
      isBusy = true
    } catch {
      report("the run did not start: \(error)")
      next()
    }
  }
}
