import Foundation

/// A tensor to be written to a safetensors file.
package struct SyntheticTensor {
  package var name: String
  package var type: String
  package var shape: [Int]
  /// Nothing leaves a hole in the file, which reads as zeros and takes no space.
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

extension TemporaryFolder {
  /// Writes a safetensors file with these tensors, one after the other; gives its path.
  @discardableResult
  package func write(_ name: String, _ tensors: [SyntheticTensor]) throws -> String {
    var offset = 0
    var members: [String] = []
    for tensor in tensors {
      let end = offset + tensor.byteCount
      members.append(
        "\"\(tensor.name)\":{\"dtype\":\"\(tensor.type)\",\"shape\":\(tensor.shape),\"data_offsets\":[\(offset),\(end)]}"
      )
      offset = end
    }
    let header = Array("{\(members.joined(separator: ","))}".utf8)
    let path = try write(name, withUnsafeBytes(of: UInt64(header.count).littleEndian, Array.init) + header)
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    defer { try? file.close() }
    var position = UInt64(8 + header.count)
    for tensor in tensors {
      if let bytes = tensor.bytes {
        try file.seek(toOffset: position)
        try file.write(contentsOf: bytes)
      }
      position += UInt64(tensor.byteCount)
    }
    try file.truncate(atOffset: position)
    return path
  }
}
