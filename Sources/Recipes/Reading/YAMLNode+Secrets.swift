import Settings

extension YAMLNode {
  /// A recipe without the secrets of an address, which is the value of a key or of one of its members.
  ///
  /// - Parameters:
  ///   - key: The recipe's key.
  ///   - member: The member, if the key's value is a mapping.
  /// - Returns: The changed recipe; nil if there are no such secrets.
  func withoutSecrets(of key: String, member: String) -> YAMLNode? {
    guard var entries, let index = entries.firstIndex(where: { $0.name == key }) else { return nil }
    let value = entries[index].value
    if var members = value.entries {
      guard let memberIndex = members.firstIndex(where: { $0.name == member }),
        let address = members[memberIndex].value.redactedAddress
      else { return nil }
      members[memberIndex].value = address
      entries[index].value = YAMLNode(.mapping(members), at: value.position, isFlow: value.isFlow)
    } else {
      guard let address = value.redactedAddress else { return nil }
      entries[index].value = address
    }
    return YAMLNode(.mapping(entries), at: position, isFlow: isFlow)
  }

  /// An address without its secrets; nil if it has none, or is not an address.
  private var redactedAddress: YAMLNode? {
    guard let text = scalar?.text, let address = WebhookAddress(text), address.hasSecrets else { return nil }
    return YAMLNode(.scalar(YAMLScalar(address.redacted, style: .doubleQuoted)), at: position)
  }
}
