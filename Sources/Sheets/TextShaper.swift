import CText

/// Turns a line of text into glyphs at their places, from left to right: the order of mixed scripts by FriBidi, the forms that
/// letters take beside each other by HarfBuzz.
///
/// Sources: Unicode Standard Annex #9 (bidirectional text), OpenType layout as HarfBuzz carries it out.
final class TextShaper {
  /// A glyph of a line.
  struct Glyph: Hashable {
    /// Which of the faces it is from.
    var face: Int
    /// Its number in the face.
    var index: UInt32
    /// Where its pen is, from the left end of the line and up from the baseline, in 64ths of a pixel.
    var x: Int
    var y: Int
  }

  /// A line that is ready to be drawn.
  struct Line {
    var glyphs: [Glyph] = []
    /// In pixels.
    var width = 0
    /// Whether it is read from right to left, by its first letter that has a direction.
    var isRightToLeft = false
  }

  /// A stretch of text in one direction, one script and one face.
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

  /// - Parameter faces: Open fonts, which outlive the shaper; the first that has a letter draws it.
  init(_ faces: [FT_Face]) {
    self.faces = faces
    fonts = faces.map { face in
      // Not referenced: the faces go first.
      let font = hb_ft_font_create(face, nil)
      // As the glyphs are drawn: on whole pixels, with the font's hints.
      hb_ft_font_set_load_flags(font, sdbatch_load_default)
      return font
    }
  }

  deinit {
    for font in fonts { hb_font_destroy(font) }
    hb_buffer_destroy(buffer)
  }

  /// Makes a face as large as asked for; glyphs of it are loaded at this size from now on.
  func setSize(_ size: Int) {
    guard size != self.size else { return }
    self.size = size
    for (face, font) in zip(faces, fonts) {
      FT_Set_Pixel_Sizes(face, 0, FT_UInt(size))
      hb_ft_font_changed(font)
    }
  }

  /// Shapes a line.
  ///
  /// - Parameters:
  ///   - text: Without line feeds.
  ///   - size: In pixels.
  /// - Returns: Its glyphs.
  func line(_ text: String, size: Int) -> Line {
    let key = Key(text: text, size: size)
    if let line = lines[key] { return line }
    setSize(size)
    let line = shaped(text)
    // Labels repeat from page to page; what was tried to break lines does not.
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

  /// The embedding level of each scalar, odd from right to left, and the direction of the whole.
  private static func levels(_ scalars: [UInt32]) -> (levels: [Int8], isRightToLeft: Bool) {
    let count = FriBidiStrIndex(scalars.count)
    var types = [FriBidiCharType](repeating: FRIBIDI_TYPE_LTR, count: scalars.count)
    var brackets = [FriBidiBracketType](repeating: 0, count: scalars.count)
    var levels = [FriBidiLevel](repeating: 0, count: scalars.count)
    // Left to right where no letter says otherwise.
    var base = FRIBIDI_PAR_ON
    fribidi_get_bidi_types(scalars, count, &types)
    fribidi_get_bracket_types(scalars, count, types, &brackets)
    guard fribidi_get_par_embedding_levels_ex(types, brackets, count, &base, &levels) != 0 else {
      return ([Int8](repeating: 0, count: scalars.count), false)
    }
    return (levels, base == FRIBIDI_PAR_RTL)
  }

  /// Stretches that are shaped together, in the order of the text.
  private func runs(_ text: String, _ scalars: [UInt32], _ levels: [Int8]) -> [Run] {
    let functions = hb_unicode_funcs_get_default()
    var runs: [Run] = []
    var start = 0
    for letter in text {
      let end = start + letter.unicodeScalars.count
      defer { start = end }
      // Marks and punctuation are of the script they stand in.
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

  /// The first face that has all of a letter; white space and what has no picture stay with the letters before.
  private func face(for letter: Character, after last: Int?) -> Int {
    let needed = letter.unicodeScalars.filter { !$0.properties.isDefaultIgnorableCodePoint }
    func has(_ face: Int) -> Bool {
      needed.allSatisfy { FT_Get_Char_Index(faces[face], FT_ULong($0.value)) != 0 }
    }
    if let last, needed.isEmpty || letter.isWhitespace, has(last) { return last }
    return faces.indices.first(where: has)
      ?? faces.indices.first { FT_Get_Char_Index(faces[$0], FT_ULong(letter.unicodeScalars.first?.value ?? 0)) != 0 }
      ?? 0
  }

  /// Runs from left to right: rule L2 of the annex.
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
    // The whole line is given, for letters join across a change of the face.
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
          face: run.face, index: infos[number].codepoint, x: pen + Int(position.x_offset), y: Int(position.y_offset)))
      pen += Int(position.x_advance)
    }
  }
}
