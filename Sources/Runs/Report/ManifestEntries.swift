import Infotext
import JSON
import Settings
import Text

/// Writes the entries of jobs in a manifest, one after the other.
struct ManifestEntries {
  /// What made the images.
  private let engine: EngineDescription
  private var sequence = SeedSequence()
  private var parameters = SeedText()
  private var infotext = SeedText()
  /// In addition to the seed, the infotext and the time change.
  private var info = SeedText(.text, .digits)

  /// Entries of images that this engine made.
  init(engine: EngineDescription) { self.engine = engine }

  /// Writes the object of the next job.
  mutating func append(
    _ planned: IdentifiedJob, _ state: JobState, _ journal: any JournalLines, to writer: inout JSONWriter
  ) throws {
    let (ingredients, version) = (planned.ingredients, engine.version)
    sequence.note(planned.job.settings, ingredients)
    let (group, slots) = (sequence.group, SeedText.Slots(seed: planned.job.settings.seed))
    func settings(_ slots: SeedText.Slots) -> ImageSettings {
      var settings = planned.job.settings
      settings.seed = slots.seed
      return settings
    }
    let image = state == .done ? try journal.image(planned.id) : nil
    let failure = state == .failed ? try journal.failure(planned.id) : nil
    writer.object { writer in
      writer.member("id", planned.id.description)
      writer.member("index", planned.job.index)
      writer.key("axes")
      writer.axes(planned.job.axes)
      writer.member("status", state.rawValue)
      writer.member("file", image?.file)
      writer.member("sha256", image?.sha256)
      let others = image?.others.filter { planned.job.settings.encodings.contains($0.encoding) } ?? []
      if !others.isEmpty {
        writer.key("also")
        writer.array { writer in
          for file in others {
            writer.object { writer in
              writer.member("file", file.file)
              writer.member("sha256", file.sha256)
            }
          }
        }
      }
      writer.member("pixels_sha256", image?.pixelsSHA256)
      writer.key("parameters")
      parameters.write(slots, of: group, to: &writer) { slots, writer in
        SettingsInUse(settings(slots), ingredients).writeShown(to: &writer)
      }
      writer.key("infotext")
      if let image {
        // An image from an earlier run may have an older text; the manifest shows the text in the file.
        writer.string(image.infotext)
        if let faces = image.faces { writer.member("faces", faces) }
        if let path = image.reusedFrom { writer.member("reused_from", path) }
        writer.key("info")
        let slots = SeedText.Slots(seed: slots.seed, texts: [image.infotext, image.started.compactLocal])
        info.write(slots, of: group, to: &writer) { slots, writer in
          writer.value(
            GenerationInfo.json(
              settings(slots), ingredients, infotext: slots.texts[0], version: version, timestamp: slots.texts[1]))
        }
      } else {
        infotext.write(slots, of: group, to: &writer) { slots, writer in
          writer.string(Infotext(settings(slots), ingredients, version: version).text)
        }
        writer.key("info")
        writer.null()
      }
      // An image that was kept when another machine continued the run.
      if ingredients.isa != engine.isa { writer.member("isa", ingredients.isa) }
      writer.member("seconds", image?.seconds ?? failure?.seconds)
      writer.member("error", failure?.error)
    }
  }
}
