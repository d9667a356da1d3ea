import CZlib
import Foundation
import Settings

/// An unfinished image, as a file of `checkpoints/` stores it.
///
///     "sdbckpt1"   format, 8 bytes
///     identity     of the job, 64 hexadecimal digits
///     numerics     of the engine, UInt32
///     step         sampling steps that were taken, UInt32
///     seconds      of work on the image so far, Float64
///     count        of the bytes that follow, UInt64
///     state        what the generator continues from
///     CRC-32       of all the above, UInt32
///
/// Numbers are little-endian.
struct Checkpoint: Equatable {
  var id: JobID
  var numerics: Int
  var step: Int
  var seconds: Double
  var state: [UInt8]

  private static let format = Array("sdbckpt1".utf8)
  private static let headCount = 8 + 64 + 4 + 4 + 8 + 8

  /// Why work cannot continue from a checkpoint.
  struct Fault: Error, CustomStringConvertible {
    var description: String
  }

  /// The file's bytes.
  var bytes: [UInt8] {
    var bytes = Self.format + Array(id.description.utf8)
    bytes.reserveCapacity(Self.headCount + state.count + 4)
    Self.append(UInt32(truncatingIfNeeded: numerics), to: &bytes)
    Self.append(UInt32(truncatingIfNeeded: step), to: &bytes)
    Self.append(seconds.bitPattern, to: &bytes)
    Self.append(UInt64(state.count), to: &bytes)
    bytes += state
    Self.append(Self.checksum(bytes[...]), to: &bytes)
    return bytes
  }

  init(id: JobID, numerics: Int, step: Int, seconds: Double, state: [UInt8]) {
    self.id = id
    self.numerics = numerics
    self.step = step
    self.seconds = seconds
    self.state = state
  }

  /// Reads a file's bytes, which must be complete and belong to this job and engine.
  init(_ bytes: [UInt8], of id: JobID, numerics: Int) throws(Fault) {
    guard bytes.starts(with: Self.format) else { throw Fault(description: "it is not a checkpoint of this version") }
    guard bytes.count >= Self.headCount + 4 else {
      throw Fault(description: "it is incomplete, with \(bytes.count) bytes")
    }
    let end = bytes.count - 4
    guard Self.checksum(bytes[..<end]) == Self.number(bytes, at: end) as UInt32 else {
      throw Fault(description: "its checksum does not match: it is incomplete or damaged")
    }
    let found = String(decoding: bytes[8..<72], as: UTF8.self)
    guard found == id.description else { throw Fault(description: "it belongs to another job, \(found.prefix(8))") }
    let foundNumerics = Int(Self.number(bytes, at: 72) as UInt32)
    guard foundNumerics == numerics else {
      throw Fault(description: "it belongs to an engine with other arithmetic (\(foundNumerics), this is \(numerics))")
    }
    guard Self.number(bytes, at: 88) as UInt64 == UInt64(end - Self.headCount) else {
      throw Fault(description: "its length does not match its header")
    }
    self.id = id
    self.numerics = numerics
    step = Int(Self.number(bytes, at: 76) as UInt32)
    seconds = Double(bitPattern: Self.number(bytes, at: 80))
    state = Array(bytes[Self.headCount..<end])
  }

  private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
  }

  private static func number<Number: FixedWidthInteger>(_ bytes: [UInt8], at offset: Int) -> Number {
    bytes.withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self)) }
  }

  private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    bytes.withUnsafeBufferPointer { UInt32(truncatingIfNeeded: crc32_z(0, $0.baseAddress, $0.count)) }
  }
}

/// `checkpoints/`: one file for each image that was started and is not finished. Its name is the job's identity.
struct CheckpointFolder {
  let folder: RunFolder
  let disk: Disk

  private static let suffix = ".checkpoint"

  func path(_ id: JobID) -> String { "\(folder.checkpoints)/\(id)\(Self.suffix)" }

  /// Replaces the checkpoint completely, or leaves it unchanged.
  func write(_ checkpoint: Checkpoint) throws {
    try AtomicFile.write(checkpoint.bytes, to: path(checkpoint.id), on: disk)
  }

  /// The checkpoint of a job, if there is one.
  ///
  /// Throws `Checkpoint.Fault` for one that cannot be used.
  func read(_ id: JobID, numerics: Int) throws -> Checkpoint? {
    do {
      return try Checkpoint(FileReader.bytes(of: path(id)), of: id, numerics: numerics)
    } catch let error as RunError {
      guard case .notRead(_, let code) = error, code != ENOENT else { return nil }
      throw Checkpoint.Fault(description: error.description)
    }
  }

  func remove(_ id: JobID) throws { try disk.remove(path(id)) }

  /// Removes the latents that are kept for images which exist.
  ///
  /// - Parameter finished: The images.
  /// - Returns: What was removed, relative to the run folder.
  /// - Throws: `RunError`.
  func removeFinished(_ finished: Set<JobID>) throws -> [String] {
    let names = ((try? AtomicFile.names(in: folder.checkpoints)) ?? []).sorted()
    return try names.compactMap { name in
      guard name.hasSuffix(Self.suffix), let id = JobID(name.dropLast(Self.suffix.count)), finished.contains(id) else {
        return nil
      }
      try remove(id)
      return "checkpoints/\(name)"
    }
  }

  /// Removes the checkpoints of all jobs except some.
  ///
  /// - Parameter kept: Chooses the jobs whose checkpoints stay, among those that have one.
  /// - Throws: `RunError`, or what `kept` throws.
  func prune(keeping kept: (Set<JobID>) throws -> Set<JobID>) throws {
    let found = try AtomicFile.names(in: folder.checkpoints).compactMap { name in
      name.hasSuffix(Self.suffix) ? JobID(name.dropLast(Self.suffix.count)) : nil
    }
    if found.isEmpty { return }
    let kept = try kept(Set(found))
    for id in found.sorted(by: { $0.description < $1.description }) where !kept.contains(id) { try remove(id) }
  }
}
