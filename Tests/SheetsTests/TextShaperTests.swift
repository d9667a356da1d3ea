import CText
import Testing

@testable import Sheets

/// Compares shaped lines with Unicode's presentation forms, which are the letters in their joined forms. DejaVu Sans, which
/// the sheets need anyway, has a glyph for each.
@Suite final class TextShaperTests {
  private var library: FT_Library?
  private var face: FT_Face?

  init() throws {
    try #require(FT_Init_FreeType(&library) == 0)
    try #require(FT_New_Face(library, "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", 0, &face) == 0)
  }

  deinit {
    FT_Done_Face(face)
    FT_Done_FreeType(library)
  }

  /// The glyphs of a line from left to right.
  private func shaped(_ text: String) throws -> [UInt32] {
    let line = TextShaper([try #require(face)]).line(text, size: 16)
    #expect(line.glyphs.map(\.x) == line.glyphs.map(\.x).sorted(), "pens go from left to right")
    return line.glyphs.map(\.index)
  }

  /// The font's glyphs for these scalars, without shaping.
  private func glyphs(_ text: String) throws -> [UInt32] {
    let face = try #require(face)
    return text.unicodeScalars.map { FT_Get_Char_Index(face, FT_ULong($0.value)) }
  }

  @Test func `Arabic letters have the form of their position in the word, from right to left`() throws {
    // BEH alone has its isolated form; initial, medial and final forms are in reverse order on the line.
    #expect(try shaped("\u{628}") == glyphs("\u{628}"))
    #expect(try shaped("\u{628}\u{628}\u{628}") == glyphs("\u{FE90}\u{FE92}\u{FE91}"))
    // ALEF does not join the next letter.
    #expect(try shaped("\u{628}\u{627}\u{628}") == glyphs("\u{628}\u{FE8E}\u{FE91}"))
  }

  @Test func `LAM and ALEF are one glyph`() throws {
    #expect(try shaped("\u{644}\u{627}") == glyphs("\u{FEFB}"))
    #expect(try shaped("\u{628}\u{644}\u{627}") == glyphs("\u{FEFC}\u{FE91}"))
  }

  @Test func `a mark and the letter before it are one glyph if the font has it`() throws {
    #expect(try shaped("e\u{301}") == glyphs("\u{E9}"))
  }

  /// Lines and their visual order from left to right, written by hand from the rules of Unicode Standard Annex #9.
  @Test(arguments: [
    ("abc", "abc", false), ("אבג", "גבא", true), ("abc אבג def", "abc גבא def", false), ("אבג abc", "abc גבא", true),
    ("עד 100 x", "x 100 דע", true), ("(אב)", "(בא)", true), ("seed: 7, אב", "seed: 7, בא", false),
    ("12 + 3", "12 + 3", false),
    ("\u{200F}abc אב", "בא abc", true),
  ])
  func `text with mixed directions has the right visual order`(text: String, seen: String, isRightToLeft: Bool)
    throws
  {
    // Invisible characters have a blank glyph of zero width, or none.
    let line = TextShaper([try #require(face)]).line(text, size: 16)
    let visible = seen.unicodeScalars.filter { !$0.properties.isDefaultIgnorableCodePoint }
    let invisible = try glyphs(" ")
    let expected = try visible.flatMap { try glyphs(String($0)) }.filter { !invisible.contains($0) }
    #expect(line.glyphs.map(\.index).filter { !invisible.contains($0) } == expected)
    #expect(line.isRightToLeft == isRightToLeft)
  }

  @Test func `lines of a paragraph keep its direction, whatever letter they begin with`() throws {
    let typeface = try Typeface([])
    let text = "אבגד abc def ghi jkl mno pqr"
    let lines = typeface.lines(text, size: 16, width: 90)
    #expect(lines.count > 1)
    #expect(lines.allSatisfy(typeface.isRightToLeft))
    #expect(lines.allSatisfy { typeface.width(of: $0, size: 16) <= 90 })
    let marks: Set<Unicode.Scalar> = ["\u{200F}", "\u{200E}"]
    let words = lines.map { String(String.UnicodeScalarView($0.unicodeScalars.filter { !marks.contains($0) })) }
    #expect(words.joined(separator: " ") == text)
  }

  @Test(arguments: [
    "", " ", "\u{200D}", "\u{0}", "\u{FFFD}", "🎣👩‍👩‍👧‍👦", "नमस्ते", "\u{202E}abc", "\u{301}", "\u{2067}\u{2067}",
  ])
  func `unusual texts can be measured and drawn`(text: String) throws {
    let typeface = try Typeface([])
    var canvas = Canvas(width: 60, height: 20)
    typeface.draw(text, x: 2, baseline: 15, size: 13, color: .ink, on: &canvas)
    #expect(typeface.width(of: text, size: 13) >= 0)
    #expect(typeface.lines(text, size: 13, width: 1).allSatisfy { !$0.isEmpty })
  }
}
