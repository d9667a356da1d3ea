/// Comments in prompts: from `#` to the end of the line.
public enum PromptComments {
  /// The prompt without its comments, as the webui's option `enable_prompt_comments` leaves it: a comment becomes the
  /// end of its line, and one that has its line to itself takes the line before's end with it.
  public static func stripped(_ prompt: String) -> String {
    guard prompt.unicodeScalars.contains("#") else { return prompt }
    let whole = replaced(Array(prompt.unicodeScalars), ownLines: true)
    return String(replaced(whole, ownLines: false)[...])
  }

  /// Python's `re.sub` of `(^|\n)#[^\n]*(\n|$)`, or of the same without its first group, by a line feed.
  private static func replaced(_ scalars: [Unicode.Scalar], ownLines: Bool) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    var place = 0
    while place < scalars.count {
      var start = place
      // Matches do not overlap: a line feed that ended one comment does not begin the next.
      if ownLines, scalars[place] == "\n" { start += 1 }
      let mayBegin = !ownLines || start > place || place == 0
      guard mayBegin, start < scalars.count, scalars[start] == "#" else {
        result.append(scalars[place])
        place += 1
        continue
      }
      result.append("\n")
      let end = scalars[start...].firstIndex(of: "\n") ?? scalars.count
      place = min(end + 1, scalars.count)
    }
    return result
  }
}
