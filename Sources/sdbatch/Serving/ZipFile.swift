import CZlib
import Foundation

/// Writes a zip file. Files are stored uncompressed, because images are compressed already.
///
/// Source: APPNOTE.TXT 6.3.10 (PKWARE).
final class ZipFile {
  private let file: FileHandle
  private var directory: [UInt8] = []
  private var count = 0
  private var size: UInt64 = 0
  private var names: Set<String> = []

  /// Creates a zip file at a path.
  init(_ path: String) throws {
    guard FileManager.default.createFile(atPath: path, contents: nil), let file = FileHandle(forWritingAtPath: path)
    else {
      throw TakeAwayError("cannot write \(path)")
    }
    self.file = file
  }

  /// Adds a file; if an earlier file has its name, it gets a number.
  func add(_ wanted: String, _ bytes: [UInt8]) throws {
    var name = wanted
    var number = 2
    while !names.insert(name).inserted {
      let path = wanted as NSString
      name = "\(path.deletingPathExtension)-\(number)" + (path.pathExtension.isEmpty ? "" : ".\(path.pathExtension)")
      number += 1
    }
    guard count < 65_534, size + UInt64(bytes.count) < 0xFFF0_0000 else {
      throw TakeAwayError("the zip would be larger than 4 GiB or 65 534 files; choose fewer images")
    }
    let text = Array(name.utf8)
    let sum = bytes.withUnsafeBufferPointer { UInt32(truncatingIfNeeded: crc32_z(0, $0.baseAddress, $0.count)) }
    // Version 2.0, names in UTF-8, stored, 1 January 1980.
    let parts: [[UInt8]] = [
      Self.two(20), Self.two(0x0800), Self.two(0), Self.two(0), Self.two(33), Self.four(sum),
      Self.four(UInt32(bytes.count)), Self.four(UInt32(bytes.count)), Self.two(text.count), Self.two(0),
    ]
    let common = Array(parts.joined())
    directory += Self.four(0x0201_4B50)
    directory += Self.two(20)
    directory += common
    // No comment, the first disk, no attributes.
    directory += [UInt8](repeating: 0, count: 10)
    directory += Self.four(UInt32(size))
    directory += text
    try write(Self.four(0x0403_4B50))
    try write(common)
    try write(text)
    try write(bytes)
    count += 1
  }

  /// Writes the directory and closes the file.
  func finish() throws {
    let start = size
    let length = directory.count
    try write(directory)
    let parts: [[UInt8]] = [
      Self.four(0x0605_4B50), Self.two(0), Self.two(0), Self.two(count), Self.two(count), Self.four(UInt32(length)),
      Self.four(UInt32(start)), Self.two(0),
    ]
    try write(Array(parts.joined()))
    try file.close()
  }

  private func write(_ bytes: [UInt8]) throws {
    try file.write(contentsOf: bytes)
    size += UInt64(bytes.count)
  }

  private static func two(_ value: Int) -> [UInt8] { [UInt8(value & 255), UInt8(value >> 8 & 255)] }
  private static func four(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
}
