import ArgumentParser
import Foundation
import PageServer
import Runs

/// `sdbatch open DIR`
struct OpenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "open",
    abstract: "Show a run, or a folder of runs, in the browser, and follow its progress.",
    discussion: """
      Serves the page of the run on this machine only (127.0.0.1, a random port, a secret in the address) until Ctrl-C. New images \
      appear at once, you can pause and continue the run, and picks are saved in the run's picks.json at once. A folder of runs \
      has an overview, where you can compare runs. Other machines cannot connect; to use the page from another machine, run \
      ssh -L PORT:127.0.0.1:PORT there.
      """)

  @Argument(help: "A run folder, such as Output/fish, or a folder of runs, such as Output.")
  var folder = "Output"

  @Option(help: "The port (default: any free port).")
  var port = 0

  @Flag(help: "Print the address, and do not open a browser.")
  var noBrowser = false

  func validate() throws {
    if port != 0, !(1024...65_535).contains(port) { throw ValidationError("--port takes 1024 to 65535") }
  }

  func run() throws {
    signal(SIGPIPE, SIG_IGN)
    StopSignals.install()
    let pages = try OpenPages(folder)
    let outcome = Outcome()
    let (port, opensBrowser) = (self.port, !noBrowser)
    let task = Task.detached {
      defer { outcome.isOver.signal() }
      do {
        let server = try PageServer(port: port) { try pages.answer($0) }
        let address = server.address + pages.start
        Console.output(address)
        if opensBrowser, !Self.showInBrowser(address) {
          Console.error("note: no browser was found; open the address above")
        }
        try await server.run()
      } catch is CancellationError {
      } catch {
        outcome.error = error
      }
    }
    while outcome.isOver.wait(timeout: .now() + 0.1) == .timedOut {
      if StopSignals.request != nil { task.cancel() }
      if outcome.isStopping(StopSignals.request != nil) { break }
    }
    if let error = outcome.error {
      throw ServerFailure(description: "cannot serve on 127.0.0.1 port \(port): \(error)")
    }
  }

  /// How the server ended; written before the semaphore is signalled, and read afterwards.
  private final class Outcome: @unchecked Sendable {
    let isOver = DispatchSemaphore(value: 0)
    var error: (any Error)?
    private var patience = 10

    /// Whether to end although connections are still open: a second after the request.
    func isStopping(_ isAsked: Bool) -> Bool {
      if isAsked { patience -= 1 }
      return patience <= 0
    }
  }

  /// Opens the address in the user's browser; returns whether there are a program for it and a screen.
  private static func showInBrowser(_ address: String) -> Bool {
    let environment = ProcessInfo.processInfo.environment
    guard environment["BROWSER"] != nil || environment["DISPLAY"] != nil || environment["WAYLAND_DISPLAY"] != nil else {
      return false
    }
    // Debian's sensible-browser also looks at BROWSER.
    let folders = (environment["PATH"] ?? "").split(separator: ":")
    for name in ["xdg-open", "sensible-browser", "x-www-browser"] {
      guard let folder = folders.first(where: { access("\($0)/\(name)", X_OK) == 0 }) else { continue }
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "\(folder)/\(name)")
      process.arguments = [address]
      (process.standardOutput, process.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
      if (try? process.run()) != nil { return true }
    }
    return false
  }
}

/// The server could not listen.
struct ServerFailure: InputFailure, CustomStringConvertible {
  let description: String
}
