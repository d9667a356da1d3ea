import CFreeType

/// Draws text with the system's FreeType: one font after the other is asked for each letter.
///
/// Letters stand one after the other as the font spaces them; scripts whose letters change shape with their neighbours are drawn
/// letter by letter.
final class Typeface {
  private struct Glyph {
    var width = 0
    var rows = 0
    /// From the pen to the left edge, and from the baseline up to the top edge.
    var left = 0
    var top = 0
    var advance = 0
    /// 0...255 for each pixel.
    var coverage: [UInt8] = []
  }

  private struct GlyphKey: Hashable {
    var scalar: Unicode.Scalar
    var size: Int
  }

  private var library: FT_Library?
  private var faces: [FT_Face] = []
  private var glyphs: [GlyphKey: Glyph] = [:]

  /// Where Debian's fonts are; the first covers Latin, Greek, Cyrillic, Hebrew and Arabic letters.
  private static let usual = [
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf",
    "/usr/share/fonts/truetype/freefont/FreeSans.ttf",
  ]

  /// Opens fonts.
  ///
  /// - Parameter paths: Font files of the user's, which all have to be readable; the usual ones follow where they exist.
  /// - Throws: `SheetError.noFont`.
  init(_ paths: [String]) throws(SheetError) {
    guard FT_Init_FreeType(&library) == 0 else { throw .noFont(paths + Self.usual) }
    for path in paths {
      guard let face = open(path) else { throw .noFont([path]) }
      faces.append(face)
    }
    faces += Self.usual.compactMap(open)
    guard !faces.isEmpty else { throw .noFont(Self.usual) }
  }

  deinit {
    for face in faces { FT_Done_Face(face) }
    FT_Done_FreeType(library)
  }

  private func open(_ path: String) -> FT_Face? {
    var face: FT_Face?
    return FT_New_Face(library, path, 0, &face) == 0 ? face : nil
  }

  // MARK: Measuring

  /// The distance between two baselines, in pixels.
  static func lineHeight(size: Int) -> Int { size + (size + 2) / 3 }

  /// How far a line reaches, in pixels.
  func width(of line: String, size: Int) -> Int { line.unicodeScalars.reduce(0) { $0 + glyph($1, size).advance } }

  /// Breaks a text between words, and inside those that are too long, so that no line is wider than asked for.
  ///
  /// - Parameters:
  ///   - text: Line feeds break too.
  ///   - size: In pixels.
  ///   - width: In pixels.
  ///   - limit: The most lines; what does not fit ends in an ellipsis.
  /// - Returns: The lines, without white space at their ends.
  func lines(_ text: String, size: Int, width: Int, limit: Int = .max) -> [String] {
    var lines: [String] = []
    for paragraph in text.split(whereSeparator: \.isNewline) {
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
    guard lines.count > limit, limit > 0 else { return Array(lines.prefix(limit)) }
    lines.removeLast(lines.count - limit)
    var last = Substring(lines[limit - 1])
    while !last.isEmpty, self.width(of: last + "…", size: size) > width { last.removeLast() }
    lines[limit - 1] = last + "…"
    return lines
  }

  /// As many letters as fit, at least one.
  private func fitting(_ word: Substring, _ size: Int, _ width: Int) -> Substring {
    var reach = 0
    var count = 0
    for letter in word {
      reach += self.width(of: String(letter), size: size)
      if reach > width, count > 0 { break }
      count += 1
    }
    return word.prefix(count)
  }

  // MARK: Drawing

  /// Draws a line.
  ///
  /// - Parameters:
  ///   - line: The text.
  ///   - x: Where it begins, in pixels from the left.
  ///   - baseline: In pixels from the top.
  ///   - size: In pixels.
  ///   - color: Red, green and blue.
  ///   - canvas: What to draw on; what reaches beyond it is cut off.
  func draw(_ line: String, x: Int, baseline: Int, size: Int, color: Canvas.Color, on canvas: inout Canvas) {
    var pen = x
    for scalar in line.unicodeScalars {
      let glyph = glyph(scalar, size)
      for row in 0..<glyph.rows {
        for column in 0..<glyph.width {
          canvas.blend(
            color, coverage: glyph.coverage[row * glyph.width + column], x: pen + glyph.left + column,
            y: baseline - glyph.top + row)
        }
      }
      pen += glyph.advance
    }
  }

  private func glyph(_ scalar: Unicode.Scalar, _ size: Int) -> Glyph {
    let key = GlyphKey(scalar: scalar, size: size)
    if let glyph = glyphs[key] { return glyph }
    let glyph = rendered(scalar, size)
    glyphs[key] = glyph
    return glyph
  }

  private func rendered(_ scalar: Unicode.Scalar, _ size: Int) -> Glyph {
    // Joiners, marks of direction and variation selectors have no picture.
    if scalar.properties.isDefaultIgnorableCodePoint { return Glyph() }
    let face = faces.first { FT_Get_Char_Index($0, FT_ULong(scalar.value)) != 0 } ?? faces[0]
    guard FT_Set_Pixel_Sizes(face, 0, FT_UInt(size)) == 0,
      FT_Load_Glyph(face, FT_Get_Char_Index(face, FT_ULong(scalar.value)), sdbatch_load_and_render) == 0,
      let slot = face.pointee.glyph?.pointee
    else { return Glyph(advance: size / 2) }
    var glyph = Glyph(left: Int(slot.bitmap_left), top: Int(slot.bitmap_top), advance: Int(slot.advance.x) >> 6)
    let bitmap = slot.bitmap
    // Eight bits of coverage a pixel; other forms (coloured letters) are left blank.
    guard bitmap.pixel_mode == 2, let buffer = bitmap.buffer, bitmap.pitch > 0 else { return glyph }
    glyph.width = Int(bitmap.width)
    glyph.rows = Int(bitmap.rows)
    for row in 0..<glyph.rows {
      let start = buffer + row * Int(bitmap.pitch)
      glyph.coverage += UnsafeBufferPointer(start: start, count: glyph.width)
    }
    return glyph
  }
}
