import CText
import Glibc

/// Draws text with FreeType in any script and direction. Each character is drawn with the first font that has it.
final class Typeface {
  private struct Glyph {
    var width = 0
    var rows = 0
    /// The distances from the pen to the left edge, and from the baseline up to the top edge.
    var left = 0
    var top = 0
    /// The coverage of each pixel, 0...255. For a coloured glyph: its blue, green, red and coverage, with colours that are
    /// already multiplied by the coverage.
    var coverage: [UInt8] = []
    var isColoured = false
  }

  private struct GlyphKey: Hashable {
    var face: Int
    var index: UInt32
    var size: Int
  }

  private var library: FT_Library?
  private var faces: [FT_Face] = []
  private let shaper: TextShaper
  private var glyphs: [GlyphKey: Glyph] = [:]

  /// The paths of Debian's fonts. The first one has Latin, Greek, Cyrillic, Hebrew and Arabic letters.
  private static let usual = [
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
    "/usr/share/fonts/truetype/freefont/FreeSans.ttf",
    "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf",
  ]

  /// Opens fonts.
  ///
  /// - Parameter paths: The user's font files, which must all be readable. The default fonts that exist come after them.
  /// - Throws: `SheetError.noFont`.
  init(_ paths: [String]) throws(SheetError) {
    var library: FT_Library?
    guard FT_Init_FreeType(&library) == 0 else { throw .noFont(paths + Self.usual) }
    var faces: [FT_Face] = []
    var missing: String?
    for path in paths {
      if let face = Self.open(path, library) { faces.append(face) } else { missing = missing ?? path }
    }
    faces += Self.usual.compactMap { Self.open($0, library) }
    self.library = library
    self.faces = faces
    shaper = TextShaper(faces)
    if let missing { throw .noFont([missing]) }
    if faces.isEmpty { throw .noFont(Self.usual) }
  }

  deinit {
    for face in faces { FT_Done_Face(face) }
    FT_Done_FreeType(library)
  }

  private static func open(_ path: String, _ library: FT_Library?) -> FT_Face? {
    var face: FT_Face?
    while true {
      errno = 0
      if FT_New_Face(library, path, 0, &face) == 0 { return face }
      // FreeType opens the file, and does not retry if a signal interrupts it.
      if errno != EINTR { return nil }
    }
  }

  // MARK: Measuring

  /// The distance between two baselines, in pixels.
  static func lineHeight(size: Int) -> Int { size + (size + 2) / 3 }

  /// The width of a line in pixels.
  func width(of line: String, size: Int) -> Int { shaper.line(line, size: size).width }

  /// Whether a line's direction is right to left, which its first letter with a direction decides.
  func isRightToLeft(_ line: String) -> Bool { shaper.line(line, size: Self.anySize).isRightToLeft }

  private static let anySize = 16

  /// Breaks a text into lines of at most this width: between words, and inside words that are too long.
  ///
  /// - Parameters:
  ///   - text: The text; line feeds break lines too.
  ///   - size: The size in pixels.
  ///   - width: The width in pixels.
  ///   - limit: The maximum number of lines; a longer text ends in an ellipsis.
  /// - Returns: The lines, without white space at their ends. A line whose letters do not have the direction of its paragraph
  ///   starts with a mark for that direction.
  func lines(_ text: String, size: Int, width: Int, limit: Int = .max) -> [String] {
    let (text, isCut) = Self.cut(text, width: width, lines: limit)
    var lines: [String] = []
    for paragraph in text.split(whereSeparator: \.isNewline) {
      let direction = isRightToLeft(String(paragraph))
      let first = lines.count
      defer { for number in first..<lines.count { direct(&lines[number], isRightToLeft: direction) } }
      var line = ""
      for word in paragraph.split(whereSeparator: \.isWhitespace) {
        var word = Substring(word)
        while !word.isEmpty {
          let joined = line.isEmpty ? String(word) : line + " " + word
          if self.width(of: joined, size: size) <= width {
            line = joined
            break
          }
          if line.isEmpty {
            let head = fitting(word, size, width)
            lines.append(String(head))
            word = word.dropFirst(head.count)
          } else {
            lines.append(line)
            line = ""
          }
        }
      }
      if !line.isEmpty { lines.append(line) }
    }
    guard lines.count > limit || (isCut && !lines.isEmpty), limit > 0 else { return Array(lines.prefix(limit)) }
    lines.removeLast(max(lines.count - limit, 0))
    var last = Substring(lines[lines.count - 1])
    let direction = isRightToLeft(String(last))
    while !last.isEmpty, self.width(of: last + "…", size: size) > width { last.removeLast() }
    lines[lines.count - 1] = last + "…"
    direct(&lines[lines.count - 1], isRightToLeft: direction)
    return lines
  }

  /// The beginning of a text, which is longer than what lines of this width can show, and whether the text was cut.
  ///
  /// Letters are wider than a pixel, and some consist of several scalars. A prompt may have millions of them; measuring all of
  /// them again for each line would take hours.
  static func cut(_ text: String, width: Int, lines: Int) -> (text: Substring, isCut: Bool) {
    let (perLine, isLong) = max(width, 1).multipliedReportingOverflow(by: 4)
    let (count, isEndless) = perLine.multipliedReportingOverflow(by: max(lines, 1))
    guard !isLong, !isEndless, text.utf8.count > count,
      let end = text.unicodeScalars.index(
        text.startIndex, offsetBy: count, limitedBy: text.endIndex), end < text.endIndex
    else { return (text[...], false) }
    return (text[..<end], true)
  }

  /// Adds a mark to a line if it does not have the direction of its paragraph.
  private func direct(_ line: inout String, isRightToLeft: Bool) {
    if self.isRightToLeft(line) != isRightToLeft { line = (isRightToLeft ? "\u{200F}" : "\u{200E}") + line }
  }

  /// As many characters as fit, at least one. It measures whole prefixes, because glyphs depend on their neighbours.
  private func fitting(_ word: Substring, _ size: Int, _ width: Int) -> Substring {
    var (low, high) = (1, word.count)
    while low < high {
      let middle = (low + high + 1) / 2
      if self.width(of: String(word.prefix(middle)), size: size) <= width { low = middle } else { high = middle - 1 }
    }
    return word.prefix(low)
  }

  // MARK: Drawing

  /// Draws a line.
  ///
  /// - Parameters:
  ///   - line: The text.
  ///   - x: The left end, in pixels.
  ///   - baseline: The baseline, in pixels from the top.
  ///   - size: The size in pixels.
  ///   - color: Red, green and blue.
  ///   - canvas: The canvas; pixels outside are ignored.
  func draw(_ line: String, x: Int, baseline: Int, size: Int, color: Canvas.Color, on canvas: inout Canvas) {
    for placed in shaper.line(line, size: size).glyphs {
      let glyph = glyph(GlyphKey(face: placed.face, index: placed.index, size: size))
      let (left, top) = (x + (placed.x + 32) >> 6 + glyph.left, baseline - (placed.y + 32) >> 6 - glyph.top)
      for row in 0..<glyph.rows {
        for column in 0..<glyph.width {
          if glyph.isColoured {
            let index = (row * glyph.width + column) * 4
            canvas.blend(premultiplied: glyph.coverage[index..<index + 4], x: left + column, y: top + row)
            continue
          }
          canvas.blend(color, coverage: glyph.coverage[row * glyph.width + column], x: left + column, y: top + row)
        }
      }
    }
  }

  private func glyph(_ key: GlyphKey) -> Glyph {
    if let glyph = glyphs[key] { return glyph }
    let glyph = rendered(key)
    glyphs[key] = glyph
    return glyph
  }

  private func rendered(_ key: GlyphKey) -> Glyph {
    shaper.setSize(key.size)
    let face = faces[key.face]
    let strike = face.strikeHeight
    let flags = strike == nil ? sdbatch_load_and_render : sdbatch_load_coloured
    guard FT_Load_Glyph(face, key.index, flags) == 0, let slot = face.pointee.glyph?.pointee else {
      return Glyph()
    }
    var glyph = Glyph(left: Int(slot.bitmap_left), top: Int(slot.bitmap_top))
    let bitmap = slot.bitmap
    if let strike, bitmap.pixel_mode == FT_PIXEL_MODE_BGRA.rawValue {
      return Self.coloured(slot, strike, size: key.size)
    }
    // Eight bits of coverage per pixel. Other formats are left blank.
    guard bitmap.pixel_mode == 2, let buffer = bitmap.buffer, bitmap.pitch > 0 else { return glyph }
    glyph.width = Int(bitmap.width)
    glyph.rows = Int(bitmap.rows)
    for row in 0..<glyph.rows {
      let start = buffer + row * Int(bitmap.pitch)
      glyph.coverage += UnsafeBufferPointer(start: start, count: glyph.width)
    }
    return glyph
  }

  /// A coloured glyph at the size of the text. Each new pixel is the mean of the area that it covers.
  private static func coloured(_ slot: FT_GlyphSlotRec, _ strike: Int, size: Int) -> Glyph {
    let bitmap = slot.bitmap
    guard let buffer = bitmap.buffer, bitmap.pitch > 0, bitmap.width > 0, bitmap.rows > 0 else { return Glyph() }
    func scaled(_ distance: Int) -> Int { (distance * size + strike / 2) / strike }
    var glyph = Glyph(
      width: max(1, scaled(Int(bitmap.width))), rows: max(1, scaled(Int(bitmap.rows))),
      left: scaled(Int(slot.bitmap_left)),
      top: scaled(Int(slot.bitmap_top)))
    glyph.isColoured = true
    for row in 0..<glyph.rows {
      let rows = span(row, glyph.rows, Int(bitmap.rows))
      for column in 0..<glyph.width {
        let columns = span(column, glyph.width, Int(bitmap.width))
        var sums = [0, 0, 0, 0]
        for y in rows {
          for x in columns {
            for channel in 0..<4 { sums[channel] += Int(buffer[y * Int(bitmap.pitch) + x * 4 + channel]) }
          }
        }
        let count = rows.count * columns.count
        glyph.coverage += sums.map { UInt8(($0 + count / 2) / count) }
      }
    }
    return glyph
  }

  /// The old pixels that a new one covers, at least one.
  private static func span(_ index: Int, _ new: Int, _ old: Int) -> Range<Int> {
    let start = min(old - 1, index * old / new)
    return start..<max(start + 1, min(old, (index + 1) * old / new))
  }
}
