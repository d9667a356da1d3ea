import Recipes
import Testing
import TestSupport

@Suite struct YAMLDocumentTests {
  struct Case: Decodable, CustomTestStringConvertible {
    var name: String
    var text: String
    var root: Tree
    var testDescription: String { name }
  }

  /// A node as PyYAML reads it: text, items or entries, and the position of each.
  final class Tree: Decodable, Sendable {
    let line: Int
    let column: Int
    let text: String?
    let quoted: Bool?
    let items: [Tree]?
    let entries: [[Tree]]?
  }

  @Test(arguments: try Fixtures.decode([Case].self, from: "Planning/yaml-trees.json"))
  func `every node has the same text, style and position as in PyYAML`(_ example: Case) throws {
    let document = try YAMLDocument(Array(example.text.utf8)) { SourcePosition(file: "", line: $0, column: $1) }
    #expect(document.problems.isEmpty)
    try expect(#require(document.root), is: example.root)
  }

  private func expect(_ node: YAMLNode, is tree: Tree) throws {
    #expect(node.position == SourcePosition(file: "", line: tree.line, column: tree.column))
    switch node.content {
    case .scalar(let scalar):
      #expect(scalar.text == tree.text)
      #expect(scalar.isQuoted == tree.quoted)
    case .sequence(let items):
      let expected = try #require(tree.items)
      try #require(items.count == expected.count)
      for (item, tree) in zip(items, expected) { try expect(item, is: tree) }
    case .mapping(let entries):
      let expected = try #require(tree.entries)
      try #require(entries.count == expected.count)
      for (entry, pair) in zip(entries, expected) {
        #expect(entry.key.text == pair[0].text)
        #expect(entry.keyPosition == SourcePosition(file: "", line: pair[0].line, column: pair[0].column))
        try expect(entry.value, is: pair[1])
      }
    }
  }

  private func parse(_ text: String, limits: YAMLLimits = YAMLLimits()) throws(RecipeErrors) -> YAMLDocument {
    try YAMLDocument(Array(text.utf8), limits: limits) { SourcePosition(file: "f", line: $0, column: $1) }
  }

  private func problem(_ bytes: [UInt8]) -> String {
    do {
      let document = try YAMLDocument(bytes) { SourcePosition(file: "f", line: $0, column: $1) }
      return document.problems.map(\.description).joined(separator: "\n")
    } catch {
      return error.description
    }
  }

  private func problem(_ text: String) -> String { problem(Array(text.utf8)) }

  @Test func `the mapping's own keys and earlier merges override merge keys`() throws {
    let text = """
      a: &a {x: 1, y: 2}
      b: &b {y: 3, z: 4}
      one: {w: 0, <<: *a, y: 9}
      two: {<<: [*a, *b], v: 5}
      three: {"<<": 1}
      """
    let root = try #require(try parse(text).root)
    func pairs(_ index: Int) -> [String] {
      (root.entries?[index].value.entries ?? []).map { "\($0.name)=\($0.value.scalar?.text ?? "?")" }
    }
    #expect(pairs(2) == ["w=0", "x=1", "y=9"])
    #expect(pairs(3) == ["x=1", "y=2", "z=4", "v=5"])
    #expect(pairs(4) == ["<<=1"])
    #expect(problem("a: {<<: 5}") == "f:1:9: error: found 5 after <<, expected a mapping or a list of mappings")
  }

  @Test func `invalid YAML is reported with libyaml's reason and position`() {
    #expect(problem("steps: 20\n\tcfg: 1").hasPrefix("f:2:1: error: not valid YAML: found a tab character"))
    #expect(problem("a: [1, 2\nb: 3").hasPrefix("f:2:2: error: not valid YAML: "))
    #expect(problem("a: 'open").contains("found unexpected end of stream"))
    #expect(
      problem(Array("é: ok\nab".utf8) + [0xFF, 0x0A])
        == "f:2:3: error: not valid YAML: invalid leading UTF-8 octet (0xFF)")
    #expect(problem(Array("a: ".utf8) + [0xE2, 0x82]).hasPrefix("f:1:4: error: not valid YAML: incomplete UTF-8"))
    #expect(problem("a: \u{7}b").contains("f:1:4: error: not valid YAML: control characters are not allowed"))
    #expect(problem([0xFF, 0xFE, 0x61, 0x00]).contains("f:1:1: error: not valid YAML"))
  }

  @Test func `a second document, a duplicate key and an unknown tag are errors`() {
    #expect(problem("a: 1\n---\nb: 2\n") == "f:2:1: error: found a second document, expected one recipe per file")
    #expect(
      problem("a: 1\nb: {c: 1, c: 2}\n'a': 3")
        == """
        f:2:11: error: found the key "c" twice, expected it once; the first is in line 2
        f:3:1: error: found the key "a" twice, expected it once; the first is in line 1
        """)
    #expect(problem("a: !!python/object:os.system x").contains("f:1:4: error: found the tag"))
    #expect(problem("[a]: 1") == "f:1:1: error: found a list as a key, expected a name")
    #expect(problem("a: !!str 5\nb: !!int 5\nc: ! 5") == "")
  }

  @Test func `a byte order mark does not count as text`() throws {
    let root = try #require(try parse("\u{FEFF}steps: 20").root)
    #expect(root.entries?.first?.name == "steps")
    #expect(root.entries?.first?.value.position.column == 8)
  }

  @Test func `aliases that multiply are an error and do not exhaust memory`() {
    let laughs = (1...40).map {
      "l\($0): &l\($0) [" + Array(repeating: "*l\($0 - 1)", count: 9).joined(separator: ", ") + "]"
    }
    #expect(problem("l0: &l0 lol\n" + laughs.joined(separator: "\n")).contains("with aliases expanded"))
    let merges = (1...40).map { "m\($0): &m\($0) {a\($0): *m\($0 - 1), b\($0): *m\($0 - 1)}" }
    #expect(problem("m0: &m0 {x: 1}\n" + merges.joined(separator: "\n")).contains("error: found more than"))
    let text = String(repeating: "x", count: 1 << 20)
    #expect(
      problem("a: &a \(text)\nb: [" + Array(repeating: "*a", count: 64).joined(separator: ",") + "]").contains(
        "bytes of text"))
    #expect(problem("a: &a [*a]").contains("f:1:8: error: found the alias \"a\", which is inside its own value"))
    #expect(problem("a: *b").contains("which is not defined above"))
  }

  @Test(arguments: ["[", "{a: ", "- ", "? "])
  func `a hundred thousand levels are an error`(_ level: String) {
    let message = problem(String(repeating: level, count: 100_000))
    #expect(message.contains("found more than 64 levels of nesting") || message.contains("not valid YAML"))
  }

  @Test func `levels inside aliases count as levels`() throws {
    let levels = (1...40).map { "l\($0): &l\($0) [[*l\($0 - 1)]]" }.joined(separator: "\n")
    #expect(problem("l0: &l0 x\n" + levels).contains("levels of nesting"))
  }

  @Test func `files and numbers of values beyond the limits are rejected`() {
    var limits = YAMLLimits()
    limits.nodes = 10
    limits.bytes = 100
    #expect(throws: RecipeErrors.self) { try parse("[1,2,3,4,5,6,7,8,9,10]", limits: limits) }
    #expect(throws: Never.self) { try parse("[1,2,3,4,5,6,7,8,9]", limits: limits) }
    #expect(throws: RecipeErrors.self) { try parse(String(repeating: "#", count: 101), limits: limits) }
    #expect(problem(String(repeating: "%TAG !a! b\n", count: 5000) + "--- x").contains("found 5000 YAML directives"))
    #expect(
      problem([UInt8](repeating: UInt8(ascii: "["), count: 100_000_000)).contains("found a file of 100000000 bytes"))
  }

  @Test(
    arguments: [
      ("", .null), ("~", .null), ("null", .null), ("NULL", .null), ("nULL", .text),
      ("true", .boolean(true)), ("False", .boolean(false)), ("yes", .text), ("no", .text), ("NO", .text), ("on", .text),
      ("0", .integer(0)), ("-12", .integer(-12)), ("+5", .integer(5)), ("007", .integer(7)), ("0o17", .integer(15)),
      ("0x1F", .integer(31)), ("017", .integer(17)), ("1_000", .text), ("0b11", .text), ("12:30", .text),
      ("--1", .text),
      ("0x-1", .text), ("0x", .text), ("9223372036854775807", .integer(.max)),
      ("9223372036854775808", .number(9_223_372_036_854_775_808)),
      ("1.5", .number(1.5)), (".5", .number(0.5)), ("5.", .number(5)), ("-1e3", .number(-1000)),
      ("1E-2", .number(0.01)),
      (".inf", .number(.infinity)), ("-.INF", .number(-.infinity)), (".", .text), ("1e", .text), ("e5", .text),
      ("inf", .text), ("nan", .text), ("0x1p3", .text), ("1 2", .text), ("2001-01-01", .text),
    ] as [(String, YAMLScalar.CoreValue)])
  func `plain scalars follow the core schema of YAML 1.2`(_ text: String, _ value: YAMLScalar.CoreValue) {
    #expect(YAMLScalar(text).coreValue == value)
    #expect(YAMLScalar(text, style: .singleQuoted).coreValue == .text)
  }

  @Test func `a tree that is written back reads as the same tree`() throws {
    var random = SplitMix64(state: 3)
    let texts = [
      "", "null", "~", "5", "yes", "a, b", "a: b", "- x", "# no", "[x]", "{y}", "it's", "\"q\"", " lead", "trail ",
      "two\nlines", "two\n\nparas\n", "  in\n dented\n", "tab\there", "é 日本 🐟", "...", "---", "a #b", "%", "@x",
      "\u{85}",
      "\u{2028}", "\u{FEFF}x", "|", ">", "!", "&a", "*a", "?", ":", "a:", "\\", "\u{0}", "x\r\ny", "<<", "=", "\n", " ",
    ]
    func scalar() -> YAMLScalar {
      let style: YAMLScalar.Style =
        [.plain, .singleQuoted, .doubleQuoted, .literal, .folded].randomElement(using: &random) ?? .plain
      let text = texts.randomElement(using: &random) ?? ""
      // Only scalars that a file can contain as plain ones are plain.
      return YAMLScalar(
        style == .plain ? ["5", "null", "", "a b", "1.5"].randomElement(using: &random) ?? "" : text, style: style)
    }
    let position = SourcePosition(file: "", line: 1, column: 1)
    func node(_ depth: Int) -> YAMLNode {
      let isFlow = Bool.random(using: &random)
      switch depth == 0 ? 0 : Int.random(in: 0..<3, using: &random) {
      case 0: return YAMLNode(.scalar(scalar()), at: position)
      case 1: return YAMLNode(.sequence((0..<3).map { _ in node(depth - 1) }), at: position, isFlow: isFlow)
      default:
        let entries = (0..<3).map { index in
          YAMLEntry(
            key: YAMLScalar("\(index)\(texts.randomElement(using: &random) ?? "")", style: .doubleQuoted),
            keyPosition: position, value: node(depth - 1))
        }
        return YAMLNode(.mapping(entries), at: position, isFlow: isFlow)
      }
    }
    func meaning(_ node: YAMLNode) -> String {
      switch node.content {
      case .scalar(let scalar): scalar.isNull ? "null" : (scalar.isQuoted ? "q" : "p") + scalar.text.debugDescription
      case .sequence(let items): "[" + items.map(meaning).joined(separator: ",") + "]"
      case .mapping(let entries):
        "{" + entries.map { $0.name.debugDescription + ":" + meaning($0.value) }.joined(separator: ",") + "}"
      }
    }
    for _ in 0..<2000 {
      let root = node(4)
      let text = try #require(YAMLWriter.text(of: root))
      let again = try #require(try parse(text).root, "\(text)")
      #expect(meaning(again) == meaning(root), "\(text)")
    }
  }
}
