/// Finds an upscaler's weights inside the dictionaries and modules that training programs wrap around them.
///
/// Names of nested dictionaries are joined by dots, so a wrapper is a prefix of names. The wrappers and their order are those
/// of spandrel, with which the webui and ComfyUI load upscalers; nesting may be deeper here.
struct UpscalerWrapping {
  /// The weights that networks are recognised by.
  let firstWeights: [String]

  /// The wrappers, the best first: a file may have several dictionaries, such as averaged weights and those of the last step.
  private static let wrappers = [
    "model_state_dict", "state_dict", "params_ema", "params-ema", "params", "model", "net", "module", "netG", "net_g",
    "model_ema", "ema", "generator",
  ]

  private static let depthLimit = 8

  /// The prefix of the network's tensors; nil if none of the networks is in the file.
  func prefix(of names: [String]) -> String? { prefix(of: names.map { $0[...] }, depth: 0) }

  private func prefix(of names: [Substring], depth: Int) -> String? {
    if names.contains(where: { firstWeights.contains(String($0)) }) { return "" }
    guard depth < Self.depthLimit else { return nil }
    for wrapper in Self.wrappers {
      let start = wrapper + "."
      let inner = names.filter { $0.hasPrefix(start) }.map { $0.dropFirst(start.count) }
      guard !inner.isEmpty, let rest = prefix(of: inner, depth: depth + 1) else { continue }
      return start + rest
    }
    // A dictionary with a single key, which may have any name.
    guard let key = names.first?.prefix(while: { $0 != "." }), !key.isEmpty, Int(key) == nil else { return nil }
    let start = key + "."
    guard names.allSatisfy({ $0.hasPrefix(start) }) else { return nil }
    return prefix(of: names.map { $0.dropFirst(start.count) }, depth: depth + 1).map { String(start) + $0 }
  }
}
