import Foundation
import JSON
import PageServer
import Runs
import Synchronization

/// Watches a run folder while pages are open, and sends changes to them.
final class RunWatch: Sendable {
  /// What a cell shows.
  private struct Cell: Hashable {
    var status: String
    var file: String?
    var hasThumbnail = false
    var error: String?
    var seconds: Double?
  }

  private struct State {
    var readers: [Int: AsyncStream<PageEvent>.Continuation] = [:]
    var nextReader = 0
    var isWatching = false
    /// The marks of the files when the cells were last read.
    var marks: [String: String] = [:]
    var ids: [String] = []
    var cells: [Cell] = []
    /// For each cell, the version in which it last changed.
    var versions: [Int] = []
    var version = 0
    var lastRead = ContinuousClock.now.advanced(by: .seconds(-60))
    var cost = Duration.zero
    var progress = ""
    var picks = ""
    var pulse = ContinuousClock.now
    var isStopping = false
    var process: RunProcess?
  }

  let folder: RunFolder
  private let state = Mutex(State())

  init(_ folder: RunFolder) { self.folder = folder }

  /// The number of the newest state of the cells.
  func version() -> Int {
    state.withLock { state in
      read(&state)
      return state.version
    }
  }

  /// The process and command that started the run, if they were seen.
  var process: RunProcess? { state.withLock { $0.process } }

  /// Notes that the run was asked to stop.
  func noteStop() {
    state.withLock { $0.isStopping = true }
  }

  /// Sends a message to all pages.
  func tell(_ text: String) {
    let event = PageEvent("message", JSONValue.string(text).jsonText)
    state.withLock { state in for reader in state.readers.values { reader.yield(event) } }
  }

  /// What happens from now on, and what has changed in the cells since a version.
  func events(since version: Int) -> AsyncStream<PageEvent> {
    let (stream, continuation) = AsyncStream.makeStream(of: PageEvent.self, bufferingPolicy: .bufferingNewest(1000))
    let begins = state.withLock { state in
      read(&state)
      let number = state.nextReader
      state.nextReader += 1
      state.readers[number] = continuation
      continuation.onTermination = { [weak self] _ in
        self?.state.withLock { _ = $0.readers.removeValue(forKey: number) }
      }
      let changed = state.cells.indices.filter { state.versions[$0] > version }
      if !changed.isEmpty { continuation.yield(Self.event(state, changed)) }
      state.progress = ""
      state.picks = ""
      defer { state.isWatching = true }
      return !state.isWatching
    }
    if begins {
      Task.detached { [weak self] in
        while let self, self.look() { try? await Task.sleep(for: .milliseconds(200)) }
      }
    }
    return stream
  }

  /// Sends what has changed; returns whether any page reads it.
  private func look() -> Bool {
    state.withLock { state in
      if state.readers.isEmpty {
        state.isWatching = false
        return false
      }
      let now = ContinuousClock.now
      // It takes long to read a large plan, so it is read less often.
      if state.lastRead.duration(to: now) > max(.milliseconds(200), state.cost * 8) {
        let (old, version) = (state.ids, state.version)
        if read(&state), !old.isEmpty {
          if state.ids != old {
            send(PageEvent("plan", "{}"), &state)
          } else {
            let changed = state.cells.indices.filter { state.versions[$0] > version }
            if !changed.isEmpty { send(Self.event(state, changed), &state) }
          }
        }
      }
      let progress = self.progress(&state)
      if progress != state.progress {
        state.progress = progress
        send(PageEvent("progress", progress), &state)
      }
      let mark = Self.mark(folder.picks)
      if mark != state.picks {
        state.picks = mark
        if let picks = try? Picks(of: folder), !picks.byID.isEmpty {
          send(PageEvent("picks", (picks.json["picks"] ?? .null).jsonText), &state)
        }
      }
      if state.pulse.duration(to: now) > .seconds(10) { send(.pulse, &state) }
      return true
    }
  }

  private func send(_ event: PageEvent, _ state: inout State) {
    state.pulse = .now
    for reader in state.readers.values { reader.yield(event) }
  }

  // MARK: Cells

  /// Reads the cells if a file has changed; returns whether it has.
  @discardableResult
  private func read(_ state: inout State) -> Bool {
    var marks: [String: String] = [:]
    for path in [folder.plan] + folder.journals { marks[path] = Self.mark(path) }
    if marks == state.marks { return false }
    let start = ContinuousClock.now
    // A plan that is being replaced is read the next time.
    guard let run = try? RunImages(folder) else { return false }
    let thumbnails = (try? ThumbnailFiles(folder).refresh(run.entries, patience: .milliseconds(300))) ?? []
    let ids = run.entries.map(\.id)
    let cells = run.entries.map { entry in
      guard let path = entry.path else {
        return Cell(status: entry.error == nil ? "pending" : "failed", error: entry.error)
      }
      let name = folder.name(of: path)
      return Cell(
        status: "done", file: name, hasThumbnail: thumbnails.contains(RunFolder.thumbnail(of: name)),
        seconds: entry.seconds)
    }
    state.marks = marks
    state.version += 1
    if ids != state.ids {
      state.versions = Array(repeating: state.version, count: ids.count)
    } else {
      for index in cells.indices where cells[index] != state.cells[index] { state.versions[index] = state.version }
    }
    (state.ids, state.cells) = (ids, cells)
    state.lastRead = .now
    state.cost = start.duration(to: .now)
    return true
  }

  private static func event(_ state: State, _ numbers: [Int]) -> PageEvent {
    let cells = numbers.map { number -> JSONValue in
      let cell = state.cells[number]
      var members = [JSONMember("number", .integer(Int64(number))), JSONMember("status", .string(cell.status))]
      if let file = cell.file {
        members.append(JSONMember("file", .string(file)))
        if cell.hasThumbnail { members.append(JSONMember("thumb", .string(RunFolder.thumbnail(of: file)))) }
      }
      if let error = cell.error { members.append(JSONMember("error", .string(error))) }
      if let seconds = cell.seconds {
        members.append(JSONMember("seconds", .number((seconds * 1000).rounded() / 1000)))
      }
      return .object(members)
    }
    return PageEvent("cells", JSONValue.array(cells).jsonText)
  }

  /// A text that changes when the file changes; empty if there is no file.
  static func mark(_ path: String) -> String {
    var status = stat()
    guard stat(path, &status) == 0 else { return "" }
    return "\(status.st_ino) \(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
  }

  // MARK: Progress

  private func progress(_ state: inout State) -> String {
    let activity = RunActivity(folder)
    if activity.isRunning {
      if let number = activity.processes.first, state.process?.number != number { state.process = RunProcess(number) }
    } else {
      state.isStopping = false
    }
    var members = [JSONMember("running", .bool(activity.isRunning))]
    if let image = activity.images.first {
      members.append(JSONMember("index", .integer(Int64(image.index))))
      members.append(JSONMember("stage", .string(image.stage)))
      if let step = image.step { members.append(JSONMember("step", .integer(Int64(step)))) }
      if let steps = image.steps { members.append(JSONMember("steps", .integer(Int64(steps)))) }
      if let left = image.secondsLeft {
        members.append(JSONMember("seconds_left", .integer(Int64(min(max(0, left), 1e9).rounded()))))
      }
    }
    if activity.isRunning {
      let preview = Self.mark(folder.file("preview.png"))
      if !preview.isEmpty {
        let version = preview.unicodeScalars.filter { CharacterSet.alphanumerics.contains($0) }.map(String.init)
          .joined()
        members.append(JSONMember("preview", .string("preview.png?\(version)")))
      }
    }
    if state.isStopping { members.append(JSONMember("stopping", true)) }
    members.append(JSONMember("can_stop", .bool(activity.processes.contains { RunProcess($0) != nil })))
    members.append(
      JSONMember("can_continue", .bool(!activity.isRunning && state.cells.contains { $0.status != "done" })))
    return JSONValue.object(members).jsonText
  }
}
