import CText

/// Converts a line of text to positioned glyphs, from left to right. FriBidi orders mixed directions; HarfBuzz chooses the
/// forms of joined letters.
///
/// Sources: Unicode Standard Annex #9 (bidirectional text), OpenType layout as implemented by HarfBuzz.
final class TextShaper {
  /// A glyph of a line.
  struct Glyph: Hashable {
    /// The index of its face.
    var face: Int
    /// Its glyph index in the face.
    var index: UInt32
    /// The pen position, from the left end of the line and up from the baseline, in 1/64 pixel.
    var x: Int
    var y: Int
  }

  /// A shaped line.
  struct Line {
    var glyphs: [Glyph] = []
    /// The width in pixels.
    var width = 0
    /// Whether its direction is right to left, which its first letter with a direction decides.
    var isRightToLeft = false
  }

  /// A part of the text with one direction, one script and one face.
  private struct Run {
    var range: Range<Int>
    var level: Int8
    var script: hb_script_t
    var face: Int
  }

  private struct Key: Hashable {
    var text: String
    var size: Int
  }

  private let faces: [FT_Face]
  private let fonts: [OpaquePointer?]
  private let buffer = hb_buffer_create()
  private var size = 0
  private var lines: [Key: Line] = [:]

  /// Creates a shaper.
  ///
  /// - Parameter faces: Open fonts, which must outlive the shaper. Each character is drawn with the first font that has it.
  init(_ faces: [FT_Face]) {
    self.faces = faces
    fonts = faces.map { face in
      // Not referenced, because the faces are freed first.
      let font = hb_ft_font_create(face, nil)
      // Use the same flags as for drawing glyphs: whole pixels, with the font's hints.
      hb_ft_font_set_load_flags(font, sdbatch_load_default)
      return font
    }
  }

  deinit {
    for font in fonts { hb_font_destroy(font) }
    hb_buffer_destroy(buffer)
  }

  /// Sets the size of a face for glyphs that are loaded from now on.
  func setSize(_ size: Int) {
    guard size != self.size else { return }
    self.size = size
    for (face, font) in zip(faces, fonts) {
      // A font of coloured images has only one size, which is scaled.
      if face.strikeHeight == nil { FT_Set_Pixel_Sizes(face, 0, FT_UInt(size)) } else { FT_Select_Size(face, 0) }
      hb_ft_font_changed(font)
    }
  }

  /// Converts a distance from the pixels of a face to those of the text.
  private func scaled(_ distance: Int32, _ face: Int) -> Int {
    guard let height = faces[face].strikeHeight else { return Int(distance) }
    return Int(distance) * size / height
  }

  /// Shapes a line.
  ///
  /// - Parameters:
  ///   - text: The text, without line feeds.
  ///   - size: The size in pixels.
  /// - Returns: The line's glyphs.
  func line(_ text: String, size: Int) -> Line {
    let key = Key(text: text, size: size)
    if let line = lines[key] { return line }
    setSize(size)
    let line = shaped(text)
    // Labels repeat on every page, so they are kept; the texts that are tried while breaking lines are not.
    if lines.count > 4096 { lines.removeAll() }
    lines[key] = line
    return line
  }

  private func shaped(_ text: String) -> Line {
    let scalars = text.unicodeScalars.map(\.value)
    guard !scalars.isEmpty else { return Line() }
    let (levels, isRightToLeft) = Self.levels(scalars)
    var line = Line(isRightToLeft: isRightToLeft)
    var pen = 0
    for run in Self.visual(runs(text, scalars, levels)) { append(run, scalars, to: &line, &pen) }
    line.width = (pen + 32) >> 6
    return line
  }

  // MARK: Runs

  /// The embedding level of each scalar (odd means right to left), and the direction of the line.
  private static func levels(_ scalars: [UInt32]) -> (levels: [Int8], isRightToLeft: Bool) {
    let count = FriBidiStrIndex(scalars.count)
    var types = [FriBidiCharType](repeating: FRIBIDI_TYPE_LTR, count: scalars.count)
    var brackets = [FriBidiBracketType](repeating: 0, count: scalars.count)
    var levels = [FriBidiLevel](repeating: 0, count: scalars.count)
    // Left to right by default.
    var base = FRIBIDI_PAR_ON
    fribidi_get_bidi_types(scalars, count, &types)
    fribidi_get_bracket_types(scalars, count, types, &brackets)
    guard fribidi_get_par_embedding_levels_ex(types, brackets, count, &base, &levels) != 0 else {
      return ([Int8](repeating: 0, count: scalars.count), false)
    }
    return (levels, base == FRIBIDI_PAR_RTL)
  }

  /// The runs to shape together, in the order of the text.
  private func runs(_ text: String, _ scalars: [UInt32], _ levels: [Int8]) -> [Run] {
    let functions = hb_unicode_funcs_get_default()
    var runs: [Run] = []
    var start = 0
    for letter in text {
      let end = start + letter.unicodeScalars.count
      defer { start = end }
      // Marks and punctuation have the script of the text around them.
      let script = letter.unicodeScalars.lazy.map { hb_unicode_script(functions, $0.value) }.first(where: Self.isOwn)
      let last = runs.last
      let face = face(for: letter, after: last?.face)
      if let last, last.level == levels[start], last.face == face,
        script == nil || script == last.script || !Self.isOwn(last.script)
      {
        runs[runs.count - 1].range = last.range.lowerBound..<end
        if let script { runs[runs.count - 1].script = script }
      } else {
        let script = script ?? (last?.level == levels[start] ? last?.script : nil) ?? HB_SCRIPT_COMMON
        runs.append(Run(range: start..<end, level: levels[start], script: script, face: face))
      }
    }
    return runs
  }

  private static func isOwn(_ script: hb_script_t) -> Bool {
    ![HB_SCRIPT_COMMON, HB_SCRIPT_INHERITED, HB_SCRIPT_UNKNOWN].contains(script)
  }

  /// The first face that has all scalars of a character. White space and invisible characters use the face of the previous
  /// character.
  private func face(for letter: Character, after last: Int?) -> Int {
    let needed = letter.unicodeScalars.filter { !$0.properties.isDefaultIgnorableCodePoint }
    // Emoji are in colour if a font has them in colour; DejaVu has some in black and white.
    if letter.isEmoji,
      let face = faces.indices.first(where: { faces[$0].strikeHeight != nil && hasFirst(of: letter, $0) })
    {
      return face
    }
    func has(_ face: Int) -> Bool {
      needed.allSatisfy { FT_Get_Char_Index(faces[face], FT_ULong($0.value)) != 0 }
    }
    if let last, needed.isEmpty || letter.isWhitespace, has(last) { return last }
    return faces.indices.first(where: has)
      ?? faces.indices.first { FT_Get_Char_Index(faces[$0], FT_ULong(letter.unicodeScalars.first?.value ?? 0)) != 0 }
      ?? 0
  }

  private func hasFirst(of letter: Character, _ face: Int) -> Bool {
    FT_Get_Char_Index(faces[face], FT_ULong(letter.unicodeScalars.first?.value ?? 0)) != 0
  }

  /// The runs in visual order, from left to right: rule L2 of the annex.
  private static func visual(_ runs: [Run]) -> [Run] {
    var runs = runs
    let highest = runs.map(\.level).max() ?? 0
    var level = highest
    while level > 0 {
      var start = 0
      while start < runs.count {
        guard runs[start].level >= level else {
          start += 1
          continue
        }
        let end = runs[start...].firstIndex { $0.level < level } ?? runs.count
        runs[start..<end].reverse()
        start = end
      }
      level -= 1
    }
    return runs
  }

  // MARK: Glyphs

  private func append(_ run: Run, _ scalars: [UInt32], to line: inout Line, _ pen: inout Int) {
    hb_buffer_clear_contents(buffer)
    // HarfBuzz receives the whole line, because letters join even where the face changes.
    hb_buffer_add_utf32(
      buffer, scalars, Int32(scalars.count), UInt32(run.range.lowerBound), Int32(run.range.count))
    hb_buffer_set_direction(buffer, run.level & 1 == 1 ? HB_DIRECTION_RTL : HB_DIRECTION_LTR)
    hb_buffer_set_script(buffer, run.script)
    hb_buffer_set_language(buffer, hb_language_get_default())
    hb_shape(fonts[run.face], buffer, nil, 0)
    var count: UInt32 = 0
    guard let infos = hb_buffer_get_glyph_infos(buffer, &count),
      let positions = hb_buffer_get_glyph_positions(buffer, &count)
    else { return }
    for number in 0..<Int(count) {
      let position = positions[number]
      line.glyphs.append(
        Glyph(
          face: run.face, index: infos[number].codepoint, x: pen + scaled(position.x_offset, run.face),
          y: scaled(position.y_offset, run.face)))
      pen += scaled(position.x_advance, run.face)
    }
  }
}

extension FT_Face {
  /// For a font with images of one size instead of outlines, the height of its glyphs in pixels; nil for other fonts.
  var strikeHeight: Int? {
    let face = pointee
    // FT_FACE_FLAG_SCALABLE
    guard face.face_flags & 1 == 0, face.num_fixed_sizes > 0, let sizes = face.available_sizes else { return nil }
    return max(1, Int(sizes[0].y_ppem) >> 6)
  }
}

extension Character {
  /// Whether it is shown as an image by default, or requests that.
  fileprivate var isEmoji: Bool {
    unicodeScalars.first?.properties.isEmojiPresentation == true
      || unicodeScalars.dropFirst().contains { $0.value == 0xFE0F } && unicodeScalars.first?.properties.isEmoji == true
  }
}
