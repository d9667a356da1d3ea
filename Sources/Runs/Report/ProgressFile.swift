import Foundation
import JSON
import Settings
import Text

/// The progress of the current image, and the time left for all images.
public struct CurrentImage: Hashable, Sendable {
  /// The part of the plan that the process does; nil for all of it.
  public var shard: Shard?
  /// The process that makes it.
  public var process: Int32
  /// The job's index in the plan.
  public var index: Int
  /// The complete identity.
  public var id: String
  /// Its number among the images that the run makes, from 1.
  public var number: Int
  /// How many images the run makes.
  public var count: Int
  /// `loading`, `encoding`, `sampling`, `upscaling` or `decoding`.
  public var stage: String
  /// How many sampling steps are done; nil before sampling.
  public var step: Int?
  /// How many steps there are.
  public var steps: Int?
  /// The average time of a step in seconds, including decoding and everything else; nil before the first step.
  public var secondsPerStep: Double?
  /// Seconds until all images are made, at this speed.
  public var secondsLeft: Double?
  /// When this was noted: ISO 8601 in UTC.
  public var updated: String

  /// An object for programs.
  public var json: JSONValue {
    let shard = shard.map { [JSONMember("shard", .string($0.description))] } ?? []
    return .object(shard + members)
  }

  private var members: [JSONMember] {
    let value: JSONValue = [
      "index": .integer(Int64(index)), "id": .string(id), "number": .integer(Int64(number)),
      "count": .integer(Int64(count)), "stage": .string(stage), "step": step.map { .integer(Int64($0)) } ?? .null,
      "steps": steps.map { .integer(Int64($0)) } ?? .null,
      "seconds_per_step": secondsPerStep.map { .number($0) } ?? .null,
      "seconds_left": secondsLeft.map { .number($0) } ?? .null, "updated": .string(updated),
    ]
    guard case .object(let members) = value else { return [] }
    return members
  }

  /// Reads what `json` returns plus the process.
  init?(_ json: JSONValue) {
    guard let process = json["pid"]?.integerValue, let index = json["index"]?.integerValue,
      let id = json["id"]?.text, let number = json["number"]?.integerValue, let count = json["count"]?.integerValue,
      let stage = json["stage"]?.text, let updated = json["updated"]?.text
    else { return nil }
    shard = json["shard"]?.text.flatMap { Shard($0) }
    self.process = Int32(truncatingIfNeeded: process)
    self.index = Int(index)
    self.id = id
    self.number = Int(number)
    self.count = Int(count)
    self.stage = stage
    step = json["step"]?.integerValue.map { Int($0) }
    steps = json["steps"]?.integerValue.map { Int($0) }
    secondsPerStep = json["seconds_per_step"]?.numberValue
    secondsLeft = json["seconds_left"]?.numberValue
    self.updated = updated
  }

  init(_ running: RunningJob, _ progress: GenerationProgress, secondsPerStep: Double?, secondsLeft: Double?) {
    process = getpid()
    index = running.job.index
    id = running.id.description
    number = running.number
    count = running.count
    switch progress {
    case .loading: stage = "loading"
    case .encoding: stage = "encoding"
    case .sampling(let step, let steps):
      stage = "sampling"
      self.step = step
      self.steps = steps
    case .upscaling: stage = "upscaling"
    case .decoding: stage = "decoding"
    case .restoring: stage = "restoring"
    }
    self.secondsPerStep = secondsPerStep
    self.secondsLeft = secondsLeft
    updated = Timestamp.now().iso
  }
}

/// `progress.json`: the image that is being made, for `status` in another shell; each shard has its own file.
///
/// It exists during the run, and is replaced as a whole a few times per second at most. Nothing depends on it, so it does not
/// wait for the disk, and errors are ignored.
public final class ProgressFile {
  private let path: String
  private let disk: Disk
  private let shard: Shard?
  private let lock: RunLock?
  private var stage = ""
  private var written: ContinuousClock.Instant?

  /// The file of a run.
  ///
  /// - Parameters:
  ///   - folder: The run.
  ///   - shard: The part of the plan that is done.
  ///   - lock: The lock of the run; nil for a shard, which has none.
  public init(_ folder: RunFolder, shard: Shard? = nil, lock: RunLock?) {
    self.shard = shard
    self.lock = lock
    path = Self.path(folder, shard)
    disk = Disk(isShared: shard != nil)
  }

  private static func path(_ folder: RunFolder, _ shard: Shard?) -> String {
    shard.map { folder.file("progress-\($0.label).json") } ?? folder.progress
  }

  /// Writes down what happened.
  ///
  /// - Parameters:
  ///   - event: What happened.
  ///   - secondsPerStep: The average time of a step so far.
  ///   - secondsLeft: The time until all images are made.
  public func note(_ event: RunEvent, secondsPerStep: Double?, secondsLeft: Double?) {
    guard case .progress(let running, let progress) = event else { return }
    var image = CurrentImage(running, progress, secondsPerStep: secondsPerStep, secondsLeft: secondsLeft)
    image.shard = shard
    if let written, stage == image.stage, written.duration(to: .now) < .milliseconds(100) { return }
    stage = image.stage
    written = .now
    if isLost { return }
    guard case .object(let members) = image.json else { return }
    let text = JSONValue.object([JSONMember("pid", .integer(Int64(getpid())))] + members).jsonText + "\n"
    _ = try? AtomicFile.write(to: path, on: disk, isDurable: false) { file in try file.write(Array(text.utf8)) }
  }

  /// Removes the file at the end of the run.
  public func close() { if !isLost { unlink(path) } }

  /// Whether the folder was removed, or replaced by another process; this run must not touch that process's files.
  private var isLost: Bool { lock?.isHeld == false }

  /// The current image, if the process that uses the folder wrote it.
  static func read(_ folder: RunFolder, holder: String) -> CurrentImage? {
    guard let image = read(folder.progress), holder.contains("pid \(image.process),") else { return nil }
    return image
  }

  /// The current image of a shard; nil after a long time without news, since without a lock nobody can know whether the shard
  /// still runs.
  static func read(_ folder: RunFolder, shard: Shard) -> CurrentImage? {
    let path = path(folder, shard)
    guard let mark = try? FileMark(path: path), !mark.isOlder(thanSeconds: 15 * 60) else { return nil }
    return read(path)
  }

  private static func read(_ path: String) -> CurrentImage? {
    guard let bytes = try? FileReader.bytes(of: path) else { return nil }
    return bytes.withUnsafeBufferPointer { try? JSONValue(parsing: $0) }.flatMap(CurrentImage.init)
  }
}
