import Settings

/// Reads a recipe's `notify`: an address to ping, or `{ping: ..., mail: ...}`.
struct NotifyReader {
  let findings: Findings

  private static let names = ["ping", "mail"]

  /// Reads the value; nil if it is empty, or, with an error reported, if it is not valid.
  func notify(_ node: YAMLNode) -> RecipeNotify? {
    if node.isNull { return nil }
    var notify = RecipeNotify()
    guard let entries = node.entries else {
      guard let scalar = node.scalar else {
        findings.error("notify: found \(node.found), expected \(SettingKind.notices.expectation)", at: node.position)
        return nil
      }
      if scalar.text.isEmpty { return nil }
      notify.ping = address(node)
      return notify.ping == nil ? nil : notify
    }
    for entry in entries {
      switch entry.name {
      case "ping": notify.ping = address(entry.value)
      case "mail": notify.mail = mail(entry.value)
      case "command":
        findings.error(
          "notify: found command, expected it in SDBATCH_NOTIFY_COMMAND, because a recipe must not run programs",
          at: entry.keyPosition)
      default:
        findings.error(
          KeyReader.unknown(entry.name, expected: SettingKind.list(Self.names), names: Self.names),
          at: entry.keyPosition)
      }
    }
    if entries.isEmpty {
      findings.error("notify: found an empty mapping, expected \(SettingKind.notices.expectation)", at: node.position)
    }
    return notify
  }

  private func mail(_ node: YAMLNode) -> String? {
    if let text = node.scalar?.text, !text.isEmpty, text.utf8.count < 255, !text.hasPrefix("-"),
      text.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "@._+-".contains($0)) })
    {
      return text
    }
    findings.error("mail: found \(node.found), expected a user or a mail address", at: node.position)
    return nil
  }

  /// Reads an address. The text may contain secrets, so it is not shown.
  private func address(_ node: YAMLNode) -> WebhookAddress? {
    guard let text = node.scalar?.text, let address = WebhookAddress(text) else {
      findings.error(
        "ping: expected an address that begins with http:// or https:// and names a host", at: node.position)
      return nil
    }
    // A run's copy of its recipe contains such addresses.
    if address.isRedacted {
      findings.warning(
        "ping: found an address whose secrets were removed (***), so nothing will be sent; set SDBATCH_NOTIFY_PING",
        at: node.position)
      return nil
    }
    return address
  }
}
