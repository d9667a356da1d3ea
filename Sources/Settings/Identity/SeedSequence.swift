import JSON
import Text

/// Numbers the groups of consecutive images that differ only in their seed.
///
/// In most grids the fastest axis is the seed. What is written about one image is then the same for the next one, except for a
/// few values. See `SeedText`.
package struct SeedSequence {
  /// The number of the last image's group, counted from 1.
  package private(set) var group = 0
  private var last: (settings: ImageSettings, ingredients: JobIngredients)?

  /// Creates a sequence without images.
  package init() {}

  /// Adds the next image. It starts a new group unless only its seed differs from the previous image.
  package mutating func note(_ settings: ImageSettings, _ ingredients: JobIngredients) {
    last?.settings.seed = settings.seed
    if let last, last.settings == settings, last.ingredients == ingredients { return }
    last = (settings, ingredients)
    group += 1
  }
}

/// A value that is written for many images. Within a group of a `SeedSequence`, it is written in full for the first image; for
/// the others, the parts that do not change are reused.
package struct SeedText: Sendable {
  /// The values that change from one image of a group to the next.
  package struct Slots {
    /// The seed.
    package var seed: Int64
    /// The contents of strings.
    package var texts: [String] = []

    /// Creates slots from a seed and the contents of strings.
    package init(seed: Int64, texts: [String] = []) {
      self.seed = seed
      self.texts = texts
    }
  }

  private let probes: [TextTemplate.Probe]
  private var group = 0
  private var isCompared = false
  private var template: TextTemplate?

  /// Creates a value in which the seed changes, and one string for each probe.
  package init(_ texts: TextTemplate.Probe...) { probes = [.number] + texts }

  /// Writes the value.
  ///
  /// - Parameters:
  ///   - slots: The values that change.
  ///   - group: The group of the image.
  ///   - writer: Receives the value.
  ///   - body: Writes the value, with `slots` or with probes.
  package mutating func write(
    _ slots: Slots, of group: Int, to writer: inout JSONWriter, _ body: (Slots, inout JSONWriter) -> Void
  ) {
    if group != self.group {
      // Comparing two more texts pays off only if more images of this group follow.
      self.group = group
      isCompared = false
      template = nil
      body(slots, &writer)
      return
    }
    if !isCompared {
      isCompared = true
      template = TextTemplate(written(\.one, body), written(\.two, body), probes)
    }
    guard let template else {
      body(slots, &writer)
      return
    }
    writer.raw { bytes in
      template.append(to: &bytes) { kind, bytes in
        if kind == 0 {
          bytes.append(decimal: slots.seed)
        } else {
          JSONString.appendContent(slots.texts[kind - 1], to: &bytes)
        }
      }
    }
  }

  /// The value with one side of each probe in its slots.
  private func written(
    _ side: KeyPath<TextTemplate.Probe, String>, _ body: (Slots, inout JSONWriter) -> Void
  ) -> [UInt8] {
    let texts = probes.map { $0[keyPath: side] }
    var writer = JSONWriter()
    body(Slots(seed: Int64(texts[0]) ?? 0, texts: Array(texts[1...])), &writer)
    return writer.bytes
  }
}
