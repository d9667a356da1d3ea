import JSON

/// The page of a folder of runs: the progress of each run, and some of its images. It is only served, because it follows the
/// runs.
public struct OverviewPage {
  private let title: String
  private let data: JSONValue

  /// Creates a page.
  ///
  /// - Parameters:
  ///   - title: The name of the folder.
  ///   - data: What `overview.js` shows: an object with `runs`.
  public init(title: String, data: JSONValue) {
    self.title = title
    self.data = data
  }

  /// The bytes of the page.
  public var bytes: [UInt8] {
    let template = PageTemplate(
      title: title, isServed: true, markup: EmbeddedText.overview_html,
      script: [EmbeddedText.elements_js, EmbeddedText.overview_js])
    return template.beforeData + PageTemplate.escaped(Array(data.jsonText.utf8)) + template.afterData
  }
}
