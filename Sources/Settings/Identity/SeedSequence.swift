import JSON
import Text

/// Numbers groups of images that follow each other and differ in their seed alone.
///
/// Along the fastest axis of most grids only the seed changes; what is written about one image is then the same for the next
/// but for a few places. See `SeedText`.
package struct SeedSequence {
  /// The number of the last image's group, from 1.
  package private(set) var group = 0
  private var last: (settings: ImageSettings, ingredients: JobIngredients)?

  /// A sequence without images.
  package init() {}

  /// Takes in the next image, which begins a new group unless it is like the one before.
  package mutating func note(_ settings: ImageSettings, _ ingredients: JobIngredients) {
    last?.settings.seed = settings.seed
    if let last, last.settings == settings, last.ingredients == ingredients { return }
    last = (settings, ingredients)
    group += 1
  }
}

/// A value that is written about many images. Within a group of a `SeedSequence`, it is written afresh for the first image
/// and composed for the others from what is the same.
package struct SeedText: Sendable {
  /// What changes from one image of a group to the next.
  package struct Places {
    /// The seed.
    package var seed: Int64
    /// The content of strings.
    package var texts: [String] = []

    /// A seed and the content of strings.
    package init(seed: Int64, texts: [String] = []) {
      self.seed = seed
      self.texts = texts
    }
  }

  private let probes: [TextTemplate.Probe]
  private var group = 0
  private var isCompared = false
  private var template: TextTemplate?

  /// A value in which the seed changes, and as many strings.
  package init(_ texts: TextTemplate.Probe...) { probes = [.number] + texts }

  /// Writes the value.
  ///
  /// - Parameters:
  ///   - places: What changes.
  ///   - group: The group of the image.
  ///   - writer: Receives the value.
  ///   - body: Writes it, with `places` or with others.
  package mutating func write(
    _ places: Places, of group: Int, to writer: inout JSONWriter, _ body: (Places, inout JSONWriter) -> Void
  ) {
    if group != self.group {
      // Comparing two more texts pays off only if more images of this group follow.
      self.group = group
      isCompared = false
      template = nil
      body(places, &writer)
      return
    }
    if !isCompared {
      isCompared = true
      template = TextTemplate(written(\.one, body), written(\.two, body), probes)
    }
    guard let template else {
      body(places, &writer)
      return
    }
    writer.raw { bytes in
      template.append(to: &bytes) { kind, bytes in
        if kind == 0 {
          bytes.append(decimal: places.seed)
        } else {
          JSONString.appendContent(places.texts[kind - 1], to: &bytes)
        }
      }
    }
  }

  /// The value with one side of each probe in its places.
  private func written(
    _ side: KeyPath<TextTemplate.Probe, String>, _ body: (Places, inout JSONWriter) -> Void
  ) -> [UInt8] {
    let texts = probes.map { $0[keyPath: side] }
    var writer = JSONWriter()
    body(Places(seed: Int64(texts[0]) ?? 0, texts: Array(texts[1...])), &writer)
    return writer.bytes
  }
}
