/// Some of a network's blocks, by their numbers from 0.
public struct LayerList: Hashable, Sendable {
  /// The numbers, ascending, each once.
  public let numbers: [Int]

  /// The range of a block's number.
  package static let range = 0...999

  /// Those that skip-layer guidance leaves out by default: the recommendation for Stable Diffusion 3.5 medium.
  public static let standard = LayerList(sorted: [7, 8, 9])

  private init(sorted numbers: [Int]) { self.numbers = numbers }

  /// The blocks of these numbers; nil without any, and for a number that is out of range.
  public init?(_ numbers: [Int]) {
    guard !numbers.isEmpty, numbers.allSatisfy(Self.range.contains) else { return nil }
    self.init(sorted: Set(numbers).sorted())
  }

  /// Numbers as text, such as `7, 8, 9`, separated by commas or blanks; nil for other text.
  public init?(_ text: String) {
    let words = text.split { $0 == "," || $0.isWhitespace }
    let numbers = words.compactMap { word in word.allSatisfy(\.isASCII) ? Int(word) : nil }
    guard numbers.count == words.count else { return nil }
    self.init(numbers)
  }

  /// As infotexts have it, such as `7, 8, 9`.
  public var text: String { numbers.map(String.init).joined(separator: ", ") }
}

extension LayerList: SettingRepresentable {
  init?(_ value: SettingValue) {
    guard case .layers(let layers) = value else { return nil }
    self = layers
  }
  var settingValue: SettingValue { .layers(self) }
}
