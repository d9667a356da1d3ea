import Prompts
import Settings

/// The dynamic prompts of a request, which each of its images resolves for itself.
struct RequestPrompts: Sendable {
  /// The request before its prompts are resolved.
  private var draft: CellDraft

  init(_ draft: CellDraft, _ dynamic: DynamicPrompts) {
    self.draft = draft
    self.draft.dynamic = dynamic
  }

  /// Whether the prompts have a seed of their own that is still to be drawn.
  var drawsSeed: Bool { (draft.promptSeed ?? 0) < 0 }

  /// The prompts with a seed of their own.
  func seeded(_ seed: Int64) -> RequestPrompts {
    var seeded = self
    seeded.draft.promptSeed = seed
    return seeded
  }

  /// Writes the prompts of an image into its settings, which have its seed already.
  ///
  /// - Parameters:
  ///   - image: The settings.
  ///   - number: The image's number in the request, which prompts that are taken in order count by.
  func apply(to image: inout ImageSettings, number: Int) {
    var draft = draft
    draft.settings.seed = image.seed
    draft.promptNumber = number
    let resolved = draft.resolved
    (image.prompt, image.negativePrompt) = (resolved.prompt, resolved.negativePrompt)
    (image.promptTemplate, image.negativePromptTemplate) = (resolved.promptTemplate, resolved.negativePromptTemplate)
    image.adapterFolders = resolved.adapterFolders
    guard let second = resolved.hires else { return }
    image.hires?.prompt = second.prompt
    image.hires?.negativePrompt = second.negativePrompt
    image.hires?.promptTemplate = second.promptTemplate
    image.hires?.negativePromptTemplate = second.negativePromptTemplate
  }
}

/// Reads the dynamic prompts of the requests of one file, which share the lists that their wildcards name.
final class RequestPromptReader {
  private let text: RequestText
  private let locator: ModelLocator
  private let findings: Findings
  private lazy var source = SourceText(Array(text.bytes), path: text.path)
  /// By whether comments are removed.
  private var libraries: [Bool: WildcardLibrary] = [:]
  private var hasWarned = false

  init(_ text: RequestText, _ locator: ModelLocator, _ findings: Findings) {
    (self.text, self.locator, self.findings) = (text, locator, findings)
  }

  /// Reads the templates of a request; errors are added to the findings.
  ///
  /// - Parameters:
  ///   - draft: The request.
  ///   - mode: How they are resolved; nil if the request does not say, and they are text.
  ///   - texts: The request's own texts.
  /// - Returns: What resolves them; nil if they are text.
  func prompts(
    of draft: CellDraft, _ mode: DynamicPrompts.Mode?, _ texts: [(text: String, position: SourcePosition)]
  ) -> RequestPrompts? {
    let mentions = WildcardMentions()
    for (text, position) in texts { mentions.note(text, at: position) }
    guard let mode else {
      if let (text, position) = mentions.firstDynamic, !hasWarned {
        hasWarned = true
        findings.warning(
          DynamicPrompts.warning(of: text, advice: "dynamic_prompts: random or cyclical into override_settings"),
          at: position)
      }
      return nil
    }
    if mode == .off { return nil }
    var draft = draft
    draft.hasWildcards = true
    let library =
      libraries[draft.stripsComments]
      ?? WildcardLibrary(locator: locator, stripsComments: draft.stripsComments, findings: findings)
    libraries[draft.stripsComments] = library
    var reader = DynamicPromptReader(
      mode: mode, limit: nil, library: library, findings: findings, mentions: mentions, source: source,
      whole: texts.first?.position ?? text.whole)
    _ = reader.axes(of: draft)
    return RequestPrompts(draft, reader.dynamic)
  }
}
