import Foundation

/// A tensor to write to a safetensors file.
package struct SyntheticTensor {
  package var name: String
  package var type: String
  package var shape: [Int]
  /// The bytes; nil leaves a hole in the file, which reads as zeros and takes no space.
  package var bytes: [UInt8]?

  package init(_ name: String, _ shape: [Int], type: String = "F16", bytes: [UInt8]? = nil) {
    self.name = name
    self.type = type
    self.shape = shape
    self.bytes = bytes
  }

  /// A tensor of Float32 numbers.
  package init(_ name: String, _ shape: [Int], floats: [Float]) {
    self.init(
      name, shape, type: "F32", bytes: floats.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) })
  }

  var byteCount: Int {
    shape.reduce(["F16": 2, "BF16": 2, "F32": 4, "I64": 8, "F64": 8, "U8": 1][type] ?? 1, *)
  }
}

extension [SyntheticTensor] {
  /// Writes a safetensors file with these tensors, one after the other.
  ///
  /// - Parameters:
  ///   - path: The file, which is replaced.
  ///   - metadata: Texts for the header.
  /// - Throws: If the file cannot be written.
  package func write(to path: String, metadata: [(key: String, value: String)] = []) throws {
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.map { "\"\($0.key)\":\"\($0.value)\"" }
      members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var offset = 0
    for tensor in self {
      let end = offset + tensor.byteCount
      members.append(
        "\"\(tensor.name)\":{\"dtype\":\"\(tensor.type)\",\"shape\":\(tensor.shape),\"data_offsets\":[\(offset),\(end)]}"
      )
      offset = end
    }
    var header = Array<UInt8>("{\(members.joined(separator: ","))}".utf8)
    // The data begins at a multiple of 8, as in files that the safetensors library writes.
    header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    let start = PickleBytes.littleEndian(UInt64(header.count)) + header
    try Data(start).write(to: URL(fileURLWithPath: path))
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    defer { try? file.close() }
    var position = UInt64(start.count)
    for tensor in self {
      if let bytes = tensor.bytes {
        try file.seek(toOffset: position)
        try file.write(contentsOf: bytes)
      }
      position += UInt64(tensor.byteCount)
    }
    try file.truncate(atOffset: position)
  }
}

extension TemporaryFolder {
  /// Writes a safetensors file with these tensors, one after the other; returns its path.
  @discardableResult
  package func write(_ name: String, _ tensors: [SyntheticTensor]) throws -> String {
    let path = try write(name, [UInt8]())
    try tensors.write(to: path)
    return path
  }
}
