import CZlib

/// Writes a PNG of 8-bit RGB row by row, so that an image of any height needs the memory of two rows.
///
/// libpng's interface for rows reports errors by `longjmp`, which Swift does not allow, and its simplified interface needs all
/// pixels at once. What remains to do here is little: filter each row, compress it, and write chunks.
///
/// Source: PNG specification, third edition, §9 (filters), §10 (compression), §12.7 (choice of a filter).
public final class PNGRowWriter {
  private let width: Int
  private let height: Int
  private let sink: ([UInt8]) throws -> Void
  private var stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  private var written = 0
  private var previous: [UInt8]
  private var candidates: [[UInt8]]
  private var output: [UInt8] = []

  private static let pieceSize = 1 << 16

  /// Starts a file: signature, header and texts.
  ///
  /// - Parameters:
  ///   - width: In pixels, at least 1.
  ///   - height: In pixels, at least 1.
  ///   - texts: Written before the pixels.
  ///   - sink: Called with the bytes of the file, piece by piece.
  /// - Throws: `ImagingError` for a keyword that PNG does not allow, or what `sink` throws.
  public init(width: Int, height: Int, texts: [PNGText] = [], sink: @escaping ([UInt8]) throws -> Void) throws {
    precondition(width > 0 && height > 0, "an image has at least one pixel")
    self.width = width
    self.height = height
    self.sink = sink
    previous = [UInt8](repeating: 0, count: width * 3)
    candidates = Array(repeating: [UInt8](repeating: 0, count: width * 3 + 1), count: Filter.allCases.count)
    stream.initialize(to: z_stream())
    let status = deflateInit_(stream, Z_DEFAULT_COMPRESSION, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard status == Z_OK else { throw ImagingError.notEncoded("zlib could not start (code \(status))") }
    var bytes = PNGChunk.signature
    var header: [UInt8] = []
    for value in [width, height] {
      for shift in [24, 16, 8, 0] { header.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }
    // Eight bits, RGB, deflate, the five filters, not interlaced.
    header += [8, 2, 0, 0, 0]
    PNGChunk(type: "IHDR", data: header[...]).append(to: &bytes)
    for text in texts { try text.chunk().append(to: &bytes) }
    try sink(bytes)
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  /// Adds rows at the bottom; the file is complete after the last one.
  ///
  /// - Parameter pixels: `[rows, width, 3]`, red first.
  /// - Throws: `ImagingError.notEncoded` if zlib reports an error, or what the sink throws.
  public func append(_ pixels: ArraySlice<UInt8>) throws {
    let rowSize = width * 3
    precondition(pixels.count % rowSize == 0, "only whole rows can be added")
    precondition(written + pixels.count / rowSize <= height, "there are no more rows than the header says")
    for start in stride(from: pixels.startIndex, to: pixels.endIndex, by: rowSize) {
      let row = Array(pixels[start..<start + rowSize])
      try deflate(filtered(row), flush: Z_NO_FLUSH)
      previous = row
      written += 1
    }
    if written == height, !pixels.isEmpty {
      try deflate([], flush: Z_FINISH)
      var bytes: [UInt8] = []
      PNGChunk(type: "IDAT", data: output[...]).append(to: &bytes)
      PNGChunk(type: "IEND", data: []).append(to: &bytes)
      try sink(bytes)
    }
  }

  // MARK: Filters

  private enum Filter: UInt8, CaseIterable {
    case none, sub, up, average, paeth
  }

  /// The row, filtered so that its sum of absolute values is smallest.
  private func filtered(_ row: [UInt8]) -> [UInt8] {
    var best = 0
    var least = Int.max
    for filter in Filter.allCases {
      let index = Int(filter.rawValue)
      let sum = apply(filter, to: row, into: &candidates[index])
      if sum < least { (best, least) = (index, sum) }
    }
    return candidates[best]
  }

  private func apply(_ filter: Filter, to row: [UInt8], into result: inout [UInt8]) -> Int {
    var sum = 0
    result[0] = filter.rawValue
    row.withUnsafeBufferPointer { row in
      previous.withUnsafeBufferPointer { above in
        result.withUnsafeMutableBufferPointer { result in
          for i in row.indices {
            let left = i >= 3 ? Int(row[i - 3]) : 0
            let up = Int(above[i])
            let corner = i >= 3 ? Int(above[i - 3]) : 0
            let guess =
              switch filter {
              case .none: 0
              case .sub: left
              case .up: up
              case .average: (left + up) / 2
              case .paeth: Self.paeth(left, up, corner)
              }
            let value = row[i] &- UInt8(truncatingIfNeeded: guess)
            result[i + 1] = value
            sum += Int(Int8(bitPattern: value).magnitude)
          }
        }
      }
    }
    return sum
  }

  /// The neighbour that is nearest to left + up - corner.
  private static func paeth(_ left: Int, _ up: Int, _ corner: Int) -> Int {
    let estimate = left + up - corner
    let (a, b, c) = (abs(estimate - left), abs(estimate - up), abs(estimate - corner))
    return a <= b && a <= c ? left : b <= c ? up : corner
  }

  // MARK: Compression

  private func deflate(_ bytes: [UInt8], flush: Int32) throws {
    var bytes = bytes
    try bytes.withUnsafeMutableBufferPointer { input in
      stream.pointee.next_in = input.baseAddress
      stream.pointee.avail_in = uInt(input.count)
      while true {
        var piece = [UInt8](repeating: 0, count: Self.pieceSize)
        let (status, count) = piece.withUnsafeMutableBufferPointer { buffer in
          stream.pointee.next_out = buffer.baseAddress
          stream.pointee.avail_out = uInt(buffer.count)
          let status = CZlib.deflate(stream, flush)
          return (status, buffer.count - Int(stream.pointee.avail_out))
        }
        guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else {
          throw ImagingError.notEncoded("zlib could not compress (code \(status))")
        }
        output += piece[..<count]
        if output.count >= Self.pieceSize { try flushOutput() }
        if status == Z_STREAM_END || (flush == Z_NO_FLUSH && stream.pointee.avail_in == 0 && count < Self.pieceSize) {
          return
        }
      }
    }
  }

  private func flushOutput() throws {
    var bytes: [UInt8] = []
    PNGChunk(type: "IDAT", data: output[...]).append(to: &bytes)
    output.removeAll(keepingCapacity: true)
    try sink(bytes)
  }
}
