import Foundation
import JSON
import PageServer
import Runs
import Synchronization
import WebPage

/// What the server of `open` shows: one run, or a folder of runs with an overview and comparisons.
///
/// Addresses, after the secret: the overview is empty, a run is `run/NAME/`, and several are `compare/NAMES/`, with the
/// separator U+001F between the names, since names of folders may contain any other character.
final class OpenPages: @unchecked Sendable {
  private let root: String
  private let single: RunFolder?
  private let lock = NSLock()
  private var runs: [String: ServedRun] = [:]
  private var watches: [String: RunWatch] = [:]
  private var summaries: [String: RunSummary] = [:]
  private let starter: RunStarter

  /// The maximum number of runs in one comparison.
  private static let comparisonLimit = 50

  /// - Parameter path: A run folder, or a folder of run folders.
  /// - Throws: `RunError.noRun` for anything else.
  init(_ path: String) throws {
    let folder = RunFolder(path)
    single = folder.isRun ? folder : nil
    root = single.map { ($0.path as NSString).deletingLastPathComponent } ?? folder.path
    let relay = Relay()
    starter = RunStarter { relay.send($0) }
    if single == nil, Self.folders(in: root).isEmpty { throw RunError.noRun(path: folder.path) }
    relay.target.withLock { $0 = { [weak self] text in self?.tell(text) } }
  }

  /// Passes messages to pages that do not exist yet when the starter is created.
  private final class Relay: Sendable {
    let target = Mutex<(@Sendable (String) -> Void)?>(nil)
    func send(_ text: String) { target.withLock { $0 }?(text) }
  }

  private func tell(_ text: String) {
    for watch in lock.withLock({ Array(watches.values) }) { watch.tell(text) }
  }

  /// The runs in a folder, by their names.
  private static func folders(in path: String) -> [RunFolder] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return names.filter { !$0.hasPrefix(".") }.sorted { $0.localizedStandardCompare($1) == .orderedAscending }
      .map { RunFolder("\(path)/\($0)") }.filter { access($0.plan, F_OK) == 0 && $0.isRun }
  }

  /// The path of the first page, after the secret.
  var start: String { single.map { "run/\(Self.encoded(ServedRun.name($0)))/" } ?? "" }

  private static func encoded(_ name: String) -> String {
    name.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? name
  }

  /// Answers a request.
  func answer(_ request: PageRequest) throws -> PageAnswer {
    let path = request.path
    if path.count >= 3, path[0] == "run" {
      // Runs that are started from a page are in the same folder.
      guard !path[1].isEmpty, !path[1].hasPrefix("."), let run = self.run([path[1]]) else {
        return .failure(404, "There is no such run.")
      }
      return try run.answer(request, Array(path.dropFirst(2)))
    }
    if path.count >= 3, path[0] == "compare", single == nil {
      let names = path[1].split(separator: "\u{1F}").map(String.init)
      guard (1...Self.comparisonLimit).contains(names.count), let run = self.run(names) else {
        return .failure(404, "There are no such runs, or more than \(Self.comparisonLimit).")
      }
      return try run.answer(request, Array(path.dropFirst(2)))
    }
    guard !request.isPost, single == nil, path.count == 1 else { return .failure(404, "There is no such page.") }
    switch path[0] {
    case "":
      return .page(OverviewPage(title: (root as NSString).lastPathComponent, data: overview()).bytes)
    case "events": return .events(events())
    default: return .failure(404, "There is no such page.")
    }
  }

  private func run(_ names: [String]) -> ServedRun? {
    lock.withLock {
      let key = names.joined(separator: "+")
      if let known = runs[key] { return known }
      let folders = names.map { RunFolder("\(root)/\($0)") }
      guard folders.allSatisfy({ access($0.plan, F_OK) == 0 && $0.isRun }) else { return nil }
      if let single, folders != [single], !ServedRun.name(folders[0]).hasPrefix(ServedRun.name(single)) { return nil }
      let run = ServedRun(folders, starter: starter) { folder in
        if let known = watches[folder.path] { return known }
        let watch = RunWatch(folder)
        watches[folder.path] = watch
        return watch
      }
      runs[key] = run
      return run
    }
  }

  // MARK: The overview

  private func overview() -> JSONValue {
    lock.withLock {
      let found = Self.folders(in: root).compactMap { folder -> JSONValue? in
        let summary = summaries[folder.path] ?? RunSummary(folder)
        summaries[folder.path] = summary
        return summary.json()
      }
      return .object([JSONMember("runs", .array(found))])
    }
  }

  private func events() -> AsyncStream<PageEvent> {
    AsyncStream(bufferingPolicy: .bufferingNewest(8)) { continuation in
      let task = Task.detached { [weak self] in
        var sent = ""
        var quiet = 0
        while !Task.isCancelled, let self {
          let text = self.overview().jsonText
          quiet += 1
          if text != sent {
            continuation.yield(PageEvent("runs", text))
            (sent, quiet) = (text, 0)
          } else if quiet % 10 == 0 {
            continuation.yield(.pulse)
          }
          try? await Task.sleep(for: .seconds(1))
        }
        continuation.finish()
      }
      continuation.onTermination = { _ in task.cancel() }
    }
  }
}
