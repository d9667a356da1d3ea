import Text

/// A tag in a prompt that requests a network besides the model: `<lora:name:0.8>`.
///
/// Source: `parse_prompt` of stable-diffusion-webui 1.10.1: `<(\w+):([^>]+)>`, anywhere in the prompt.
public struct ExtraNetworkTag: Hashable, Sendable {
  /// The kind of network: `lora`.
  public let kind: String
  /// The arguments without a name, in order.
  public let positional: [String]
  /// The arguments with `=` in them; if a name is repeated, its last value.
  public let named: [String: String]
  /// The tag as it is written in the prompt.
  public let text: String

  /// Splits a prompt into its text and its tags.
  ///
  /// All tags are removed from the prompt, including those of unknown kinds; the white space around them stays.
  public static func split(_ prompt: String) -> (text: String, tags: [ExtraNetworkTag]) {
    guard prompt.utf8.contains(UInt8(ascii: "<")) else { return (prompt, []) }
    let scalars = Array(prompt.unicodeScalars)
    var text = String.UnicodeScalarView()
    var tags: [ExtraNetworkTag] = []
    var index = 0
    while index < scalars.count {
      if scalars[index] == "<", let (tag, end) = tag(in: scalars, at: index) {
        tags.append(tag)
        index = end
      } else {
        text.append(scalars[index])
        index += 1
      }
    }
    return tags.isEmpty ? (prompt, []) : (String(text), tags)
  }

  private static func tag(in scalars: [Unicode.Scalar], at start: Int) -> (ExtraNetworkTag, end: Int)? {
    guard let colon = scalars[(start + 1)...].firstIndex(where: { !PythonText.isWord($0) }), colon > start + 1,
      scalars[colon] == ":", let end = scalars[(colon + 1)...].firstIndex(of: ">"), end > colon + 1
    else { return nil }
    let tag = ExtraNetworkTag(
      kind: String(scalars[(start + 1)..<colon]), arguments: scalars[(colon + 1)..<end],
      text: String(scalars[start...end]))
    return (tag, end + 1)
  }

  private init(kind: String, arguments: ArraySlice<Unicode.Scalar>, text: String) {
    self.kind = kind
    self.text = text
    var positional: [String] = []
    var named: [String: String] = [:]
    for argument in arguments.split(separator: ":", omittingEmptySubsequences: false) {
      let sides = argument.split(separator: "=", omittingEmptySubsequences: false)
      // An argument with two equals signs is positional.
      if sides.count == 2 { named[String(sides[0])] = String(sides[1]) } else { positional.append(String(argument)) }
    }
    self.positional = positional
    self.named = named
  }
}

/// A tag that requests a LoRA: `<lora:name:te:unet:dyn>`, or with named arguments `te=`, `unet=` and `dyn=`.
public struct LoRATag: Hashable, Sendable {
  /// Its name in the prompt: a file's name without extension, or the name that its training gave it.
  public let name: String
  /// The factor for its changes to text encoders; 1 by default.
  public let textMultiplier: Double
  /// The factor for its changes to the UNet; `textMultiplier` by default.
  public let unetMultiplier: Double
  /// The rank that its matrices are truncated to; nil to keep them whole.
  public let rankLimit: Int?

  /// Whether a tag requests a LoRA. Its kind is `lora`, or `lyco` as in the webui's extension for LyCORIS.
  public static func isKind(_ tag: ExtraNetworkTag) -> Bool { tag.kind == "lora" || tag.kind == "lyco" }

  /// Reads a tag; throws `PromptError.tag` for an argument that is not a number.
  public init(_ tag: ExtraNetworkTag) throws(PromptError) {
    func number(_ text: String?, _ what: String) throws(PromptError) -> Double? {
      guard let text else { return nil }
      guard let number = Double(PythonText.stripped(text)), Float(number).isFinite else {
        throw .tag(tag.text, problem: "found \"\(text)\", expected a number, \(what)")
      }
      return number
    }
    guard let name = tag.positional.first, !name.isEmpty else {
      throw .tag(tag.text, problem: "found no name, expected one as in <lora:name:0.8>")
    }
    self.name = name
    func positional(_ index: Int) -> String? { tag.positional.count > index ? tag.positional[index] : nil }
    let text = try number(tag.named["te"] ?? positional(1), "the factor for text encoders") ?? 1
    textMultiplier = text
    unetMultiplier = try number(tag.named["unet"] ?? positional(2), "the factor for the UNet") ?? text
    if let rank = tag.named["dyn"] ?? positional(3) {
      guard let limit = Int(PythonText.stripped(rank)), limit >= 0 else {
        throw .tag(tag.text, problem: "found \"\(rank)\", expected a whole number, the rank to truncate it to")
      }
      rankLimit = limit
    } else {
      rankLimit = nil
    }
  }
}
