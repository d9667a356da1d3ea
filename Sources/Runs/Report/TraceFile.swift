import Foundation
import JSON
import Settings
import Text

/// `trace.tsv`: one line for every image that was made, after a line with the names of the columns.
///
/// For people, spreadsheets and estimates; no run depends on it, so it does not wait for the disk.
final class TraceFile {
  /// The columns of a line, in order.
  enum Column: String, CaseIterable {
    /// When the job began: ISO 8601 in UTC.
    case started
    /// The time from then until the image was on the disk.
    case seconds
    /// The average for the sampling alone.
    case secondsPerStep = "seconds_per_step"
    case steps
    /// `512x768`, in pixels; `512x768>1024x1536` with a second pass.
    case size
    case sampler
    case cfgScale = "cfg_scale"
    /// The most memory that the process had while it made the image, in MiB.
    case peakMemory = "peak_memory_mib"
    case fileBytes = "file_bytes"
    /// The first ten digits of the model's digest.
    case model
    case precision
    case isa
    case threads
    case index
    case id
    case file
    /// How often the network was evaluated, counting each prompt separately, and how often the result was known already.
    case evaluations
    case evaluationsSaved = "evaluations_saved"
    /// How many of the steps were shared with an earlier image.
    case stepsShared = "steps_shared"
    /// The file in another run folder from which the image was taken; empty for an image that was made.
    case reusedFrom = "reused_from"
    /// Which part of the calls made one more evaluation, without some layers: of the first pass, plus a second pass's.
    case skippedLayers = "skipped_layers"
  }

  private let path: String
  private let disk: Disk
  private let engine: EngineDescription
  private let descriptor: Int32
  /// The columns in the file's first line, which an older version may have written with fewer columns; nil for an unknown one.
  private let columns: [Column?]
  private var meter: JobMeter?
  private var evaluationsBefore = NetworkEvaluations()
  private var stepsShared = 0

  /// Opens the file for more lines; removes an incomplete last line, which a power cut can leave.
  ///
  /// - Parameters:
  ///   - path: The file, which no other process writes.
  ///   - engine: The engine that makes the images.
  ///   - disk: The disk.
  /// - Throws: `RunError`.
  init(path: String, engine: EngineDescription, on disk: Disk) throws {
    self.path = path
    self.disk = disk
    self.engine = engine
    let descriptor = try disk.open(path, flags: O_CREAT | O_APPEND)
    do {
      let size = try FileMark(path: path).size
      let whole = try Self.wholeLines(of: path, size: size)
      if whole < size { try disk.truncate(descriptor, to: whole, path: path) }
      if whole == 0 {
        columns = Column.allCases
        try disk.write(Self.line(Column.allCases.map(\.rawValue)), to: descriptor, path: path)
      } else {
        columns = try Self.names(in: path, size: whole).map { Column(rawValue: $0) }
      }
    } catch {
      close(descriptor)
      throw error
    }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Where the last complete line ends.
  private static func wholeLines(of path: String, size: Int64) throws -> Int64 {
    let reader = try FileReader(path: path)
    var end = size
    while end > 0 {
      let start = max(0, end - 4096)
      let piece = try reader.read(start..<end)
      if let index = piece.lastIndex(of: UInt8(ascii: "\n")) { return start + Int64(index) + 1 }
      end = start
    }
    return 0
  }

  /// The names in the first line.
  private static func names(in path: String, size: Int64) throws -> [String] {
    let head = try FileReader(path: path).read(0..<min(size, 4096))
    let line = head.prefix { $0 != UInt8(ascii: "\n") }
    let names = String(decoding: line, as: UTF8.self).split(separator: "\t", omittingEmptySubsequences: false)
    return names.map(String.init)
  }

  /// Notes that a job begins, after this many evaluations of the network.
  func begin(_ evaluations: NetworkEvaluations) {
    meter = JobMeter()
    evaluationsBefore = evaluations
    stepsShared = 0
  }

  /// Notes that the job continues from a state that it has in common with another image, after this many steps.
  func noteShared(_ steps: Int) { stepsShared = steps }

  /// Notes progress of the job.
  func note(_ progress: GenerationProgress) { meter?.note(progress) }

  /// Adds the line of a finished image, after this many evaluations of the network.
  func append(_ image: FinishedImage, _ planned: IdentifiedJob, _ evaluations: NetworkEvaluations) throws {
    let asked = evaluations - evaluationsBefore
    let (settings, ingredients) = (planned.job.settings, planned.ingredients)
    let fields = columns.map { column in
      switch column {
      case nil: ""
      case .started: image.started.iso
      case .seconds: image.seconds.map(PythonNumber.repr) ?? ""
      case .secondsPerStep: meter?.secondsPerStep.map { Self.rounded($0) } ?? ""
      case .steps: "\(settings.allSteps)"
      case .size: settings.passSizes
      case .sampler: settings.sampler.rawValue
      case .cfgScale: PythonNumber.repr(settings.cfgScale)
      case .peakMemory: PeakMemory.bytes.map { "\($0 >> 20)" } ?? ""
      case .fileBytes: "\(image.mark.size)"
      case .model: ingredients.model.shortHash
      case .precision: ingredients.precision
      case .isa: ingredients.isa
      case .threads: "\(engine.threads)"
      case .index: "\(image.index)"
      case .id: image.id.description
      case .file: image.file
      case .evaluations: "\(asked.asked)"
      case .evaluationsSaved: "\(asked.saved)"
      case .stepsShared: "\(stepsShared)"
      case .reusedFrom: image.reusedFrom ?? ""
      case .skippedLayers: "\(settings.skippedLayers)"
      }
    }
    try disk.write(Self.line(fields), to: descriptor, path: path)
  }

  /// Adds the line of an image that was taken from another run folder; no steps were needed for it.
  func appendReused(_ image: FinishedImage, _ planned: IdentifiedJob) throws {
    begin(NetworkEvaluations())
    noteShared(planned.job.settings.allSteps)
    try append(image, planned, NetworkEvaluations())
  }

  private static func line(_ fields: [String]) -> [UInt8] { Array((fields.joined(separator: "\t") + "\n").utf8) }

  /// The seconds, rounded to microseconds.
  private static func rounded(_ seconds: Double) -> String { PythonNumber.repr((seconds * 1e6).rounded() / 1e6) }
}
