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
    // Of filtered photos this level makes smaller files than the default, in less time.
    let status = deflateInit2_(
      stream, 4, Z_DEFLATED, 15, 8, Z_FILTERED, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
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

  /// Filters a row; returns the sum of the absolute values.
  ///
  /// Each filter has a loop of its own, which the compiler turns into operations on many bytes at once.
  private func apply(_ filter: Filter, to row: [UInt8], into result: inout [UInt8]) -> Int {
    result[0] = filter.rawValue
    return row.withUnsafeBufferPointer { row in
      previous.withUnsafeBufferPointer { above in
        result.withUnsafeMutableBufferPointer { result in
          let result = UnsafeMutableBufferPointer(rebasing: result.dropFirst())
          return switch filter {
          case .none: Self.filter(row, above, result) { _, _, _ in 0 }
          case .sub: Self.filter(row, above, result) { left, _, _ in left }
          case .up: Self.filter(row, above, result) { _, up, _ in up }
          case .average: Self.filter(row, above, result) { left, up, _ in (left &+ up) >> 1 }
          case .paeth: Self.filter(row, above, result, Self.paeth)
          }
        }
      }
    }
  }

  /// Subtracts a guess from each byte. The guess is made from the bytes at the left, above, and above that one.
  @inline(__always)
  private static func filter(
    _ row: UnsafeBufferPointer<UInt8>, _ above: UnsafeBufferPointer<UInt8>, _ result: UnsafeMutableBufferPointer<UInt8>,
    _ guess: (Int16, Int16, Int16) -> Int16
  ) -> Int {
    var sum: UInt32 = 0
    for i in 0..<3 {
      let value = row[i] &- UInt8(truncatingIfNeeded: guess(0, Int16(above[i]), 0))
      result[i] = value
      sum &+= UInt32(min(value, 0 &- value))
    }
    for i in 3..<row.count {
      let value =
        row[i] &- UInt8(truncatingIfNeeded: guess(Int16(row[i &- 3]), Int16(above[i]), Int16(above[i &- 3])))
      result[i] = value
      sum &+= UInt32(min(value, 0 &- value))
    }
    return Int(sum)
  }

  /// The one of the three neighbours that is nearest to left + up - corner.
  @inline(__always)
  private static func paeth(_ left: Int16, _ up: Int16, _ corner: Int16) -> Int16 {
    let (x, y) = (up &- corner, left &- corner)
    let z = x &+ y
    let (a, b, c) = (max(x, 0 &- x), max(y, 0 &- y), max(z, 0 &- z))
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
