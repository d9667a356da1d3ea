/// Comments in prompts: from `#` to the end of the line.
public enum PromptComments {
  /// The prompt without its comments, as with the webui's option `enable_prompt_comments`.
  ///
  /// A comment after text leaves the end of its line. A line that is only a comment is removed completely.
  public static func stripped(_ prompt: String) -> String {
    guard prompt.unicodeScalars.contains("#") else { return prompt }
    let whole = replaced(Array(prompt.unicodeScalars), ownLines: true)
    return String(replaced(whole, ownLines: false)[...])
  }

  /// Python's `re.sub` that replaces `(^|\n)#[^\n]*(\n|$)`, or the same without its first group, by a line feed.
  private static func replaced(_ scalars: [Unicode.Scalar], ownLines: Bool) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    var index = 0
    while index < scalars.count {
      var start = index
      // Matches do not overlap: a line feed that ended one comment does not start the next.
      if ownLines, scalars[index] == "\n" { start += 1 }
      let mayBegin = !ownLines || start > index || index == 0
      guard mayBegin, start < scalars.count, scalars[start] == "#" else {
        result.append(scalars[index])
        index += 1
        continue
      }
      result.append("\n")
      let end = scalars[start...].firstIndex(of: "\n") ?? scalars.count
      index = min(end + 1, scalars.count)
    }
    return result
  }
}
