import Foundation
import JSON
import Runs

/// What the overview shows about a run; read again only after one of its files has changed.
final class RunSummary {
  let folder: RunFolder
  private var marks: [String] = []
  private var members: [JSONMember] = []
  private var lastRead = ContinuousClock.now.advanced(by: .seconds(-60))
  private var cost = Duration.zero

  /// How many images are shown.
  private static let imageCount = 8

  init(_ folder: RunFolder) { self.folder = folder }

  /// An object for `overview.js`; nil for a folder that cannot be read as a run.
  func json() -> JSONValue? {
    let now = ([folder.plan, folder.picks] + folder.journals).map(RunWatch.mark)
    if now != marks, lastRead.duration(to: .now) > cost * 8 {
      let start = ContinuousClock.now
      guard let found = try? read() else { return nil }
      (marks, members, lastRead) = (now, found, .now)
      cost = start.duration(to: .now)
    }
    let activity = RunActivity(folder)
    var all = members + [JSONMember("running", .bool(activity.isRunning))]
    if let image = activity.images.first {
      if let step = image.step { all.append(JSONMember("step", .integer(Int64(step)))) }
      if let steps = image.steps { all.append(JSONMember("steps", .integer(Int64(steps)))) }
      if let left = image.secondsLeft {
        all.append(JSONMember("seconds_left", .integer(Int64(min(max(0, left), 1e9).rounded()))))
      }
    }
    return .object(all)
  }

  private func read() throws -> [JSONMember] {
    let run = try RunImages(folder)
    let picks = (try? Picks(of: folder)) ?? Picks()
    let done = run.entries.filter { $0.path != nil }
    // The best images first, then others from the whole run.
    let best = done.filter { picks.isPicked($0.id) }.sorted { picks[$0.id].stars > picks[$1.id].stars }
    let others = done.filter { !picks.isPicked($0.id) && !picks[$0.id].isRejected }
    let room = max(0, Self.imageCount - best.count)
    let step = max(1, others.count / max(1, room))
    let shown =
      Array(best.prefix(Self.imageCount)) + stride(from: 0, to: others.count, by: step).prefix(room).map { others[$0] }
    let thumbnails = try ThumbnailFiles(folder).refresh(Array(shown), patience: .seconds(1))
    let nights = Self.nights(folder)
    return [
      JSONMember("name", .string(ServedRun.name(folder))), JSONMember("total", .integer(Int64(run.entries.count))),
      JSONMember("done", .integer(Int64(done.count))),
      JSONMember("failed", .integer(Int64(run.entries.count { $0.path == nil && $0.error != nil }))),
      JSONMember("rated", .integer(Int64(picks.byID.values.count { $0.stars > 0 }))),
      JSONMember("nights", .integer(Int64(nights.count))), JSONMember("first", .string(nights.first ?? "")),
      JSONMember("last", .string(nights.last ?? "")),
      JSONMember(
        "images",
        .array(
          shown.compactMap(\.path).map { path -> JSONValue in
            let name = folder.name(of: path)
            let thumbnail = RunFolder.thumbnail(of: name)
            return .string(thumbnails.contains(thumbnail) ? thumbnail : name)
          })),
    ]
  }

  /// The days on which nights with new images began, from noon to noon.
  private static func nights(_ folder: RunFolder) -> [String] {
    guard let bytes = try? FileReader.bytes(of: folder.trace) else { return [] }
    let format = ISO8601DateFormatter()
    format.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
    var hours: Set<Substring> = []
    // One line for each hour is enough.
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst() {
      hours.insert(line.prefix(13))
    }
    let day = DateFormatter()
    day.dateFormat = "yyyy-MM-dd"
    let days = hours.compactMap { format.date(from: String($0) + ":00:00.000Z") }.map {
      day.string(from: $0 - 12 * 3600)
    }
    return Set(days).sorted()
  }
}
