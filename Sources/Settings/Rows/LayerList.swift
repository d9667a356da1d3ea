/// Some of a network's blocks, by their numbers, which start at 0.
public struct LayerList: Hashable, Sendable {
  /// The numbers, ascending, each once.
  public let numbers: [Int]

  /// The valid numbers of blocks.
  package static let range = 0...999

  /// The blocks that skip-layer guidance skips by default, as recommended for Stable Diffusion 3.5 medium.
  public static let standard = LayerList(sorted: [7, 8, 9])

  private init(sorted numbers: [Int]) { self.numbers = numbers }

  /// Creates a list; nil if it is empty or a number is out of range.
  public init?(_ numbers: [Int]) {
    guard !numbers.isEmpty, numbers.allSatisfy(Self.range.contains) else { return nil }
    self.init(sorted: Set(numbers).sorted())
  }

  /// Reads numbers separated by commas or blanks, such as `7, 8, 9`; nil for other text.
  public init?(_ text: String) {
    let words = text.split { $0 == "," || $0.isWhitespace }
    let numbers = words.compactMap { word in word.allSatisfy(\.isASCII) ? Int(word) : nil }
    guard numbers.count == words.count else { return nil }
    self.init(numbers)
  }

  /// The text for infotexts, such as `7, 8, 9`.
  public var text: String { numbers.map(String.init).joined(separator: ", ") }
}

extension LayerList: SettingRepresentable {
  init?(_ value: SettingValue) {
    guard case .layers(let layers) = value else { return nil }
    self = layers
  }
  var settingValue: SettingValue { .layers(self) }
}
