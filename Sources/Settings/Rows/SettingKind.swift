/// The type of a setting or of another key of a recipe: how it is read, checked, described and written.
public enum SettingKind: Hashable, Sendable {
  /// Any scalar, read as text; never split at commas.
  case text
  /// A whole number.
  case integer(ClosedRange<Int64>, multipleOf: Int64)
  /// A whole number from 0 on, or -1 for a random one.
  case seed
  /// A finite number.
  case number(ClosedRange<Double>)
  /// Two numbers from 0 to 1, ascending: a list of them, or text such as `0.2 to 0.8`.
  case interval
  /// An interval, or null for the first pass's.
  case otherInterval
  /// A finite number, or null for the first pass's.
  case otherNumber(ClosedRange<Double>)
  /// A finite number where null, 0 and `.inf` mean that there is no limit.
  case limit(ClosedRange<Double>)
  /// An amount of memory: bytes, or a number with KiB, MiB, GiB, KB, MB or GB; 0 or null for no limit.
  case bytes
  /// The numbers of a network's blocks: a list of them, or text such as `7, 8, 9`.
  case layers
  /// A sampler's name, new or combined with a schedule.
  case sampler
  /// A schedule's label or internal name.
  case schedule
  /// A sampler's name, or null for the first pass's.
  case otherSampler
  /// A schedule's name, or null for the first pass's.
  case otherSchedule
  /// An upscaler's name, or null for the default.
  case upscaler
  /// `demo`, a checkpoint file or a model folder.
  case model
  /// A VAE file or folder, or null.
  case vae
  /// A checkpoint file or a model folder, or null.
  case otherModel
  /// A model file or folder, or a list of them, or null.
  case models
  /// Names of styles separated by commas, or a list of them.
  case styles
  /// Width and height in pixels, such as 512x768.
  case size
  /// One of these names.
  case choice([String])
  /// Some of these names: one, a list of them, or null for none.
  case choices([String])
  /// True or false.
  case flag
  /// Folders. Recipes cannot set them: they are found when the recipe is read.
  case folders

  // MARK: Keys of the document

  /// A mapping of axes.
  case axes
  /// A list of mappings of axes.
  case axisGroups
  /// A list of mappings of values.
  case cells
  /// A path.
  case path
  /// A path or pattern of file names, or a list of them.
  case files
  /// The layout of the axes on a contact sheet.
  case sheet
  /// An address, or null.
  case address
  /// A nightly series: a number of seeds, or that and how many nights are kept.
  case nights
  /// Where to report a run: an address, or a mapping.
  case notices

  /// Whether a scalar with the values of an axis is split at commas.
  package var splitsAtCommas: Bool { self != .text && self != .models && self != .layers }

  /// Whether `...` continues a sequence of values.
  package var hasProgressions: Bool {
    switch self {
    case .integer, .seed, .number, .otherNumber, .limit: true
    case .text, .bytes, .sampler, .schedule, .otherSampler, .otherSchedule, .upscaler, .model, .vae, .otherModel,
      .models, .interval, .otherInterval, .layers, .styles, .size, .choice, .choices, .flag, .folders, .axes,
      .axisGroups,
      .cells,
      .path, .files, .sheet, .address, .nights, .notices:
      false
    }
  }

  /// Whether a setting can have this value, such as a number in the kind's range.
  package func accepts(_ value: SettingValue) -> Bool {
    switch (self, value) {
    case (.integer(let range, let factor), .integer(let integer)): range.contains(integer) && integer % factor == 0
    case (.seed, .integer(let integer)): integer >= -1
    case (.bytes, .integer(let integer)): integer >= 0
    case (.number(let range), .number(let number)), (.limit(let range), .number(let number)),
      (.otherNumber(let range), .number(let number)):
      range.contains(number)
    default: true
    }
  }

  /// Whether a number must be whole.
  package var isWhole: Bool {
    switch self {
    case .integer, .seed: true
    case .text, .number, .otherNumber, .limit, .bytes, .sampler, .schedule, .otherSampler, .otherSchedule, .upscaler,
      .model, .vae,
      .otherModel, .models, .interval, .otherInterval, .layers, .styles, .size, .choice, .choices, .flag, .folders,
      .axes,
      .axisGroups, .cells, .path, .files, .sheet, .address, .nights, .notices:
      false
    }
  }

  /// Whether null is a valid value.
  package var takesNull: Bool {
    switch self {
    case .text, .otherSampler, .otherSchedule, .otherInterval, .otherNumber, .otherModel, .upscaler, .limit, .bytes,
      .vae, .models,
      .styles, .choices, .files, .path, .address, .axes, .axisGroups, .cells, .sheet, .nights, .notices:
      true
    case .integer, .seed, .number, .interval, .layers, .sampler, .schedule, .model, .size, .choice, .flag, .folders:
      false
    }
  }

  /// The expected value, as messages name it.
  package var expectation: String {
    switch self {
    case .text: "text"
    case .integer(let range, let factor):
      (factor == 1 ? "a whole number" : "a multiple of \(factor)") + " from \(range.lowerBound) to \(range.upperBound)"
    case .seed: "-1 or a whole number from 0 to \(Int64.max)"
    case .number(let range): "a number from \(Self.bound(range.lowerBound)) to \(Self.bound(range.upperBound))"
    case .otherNumber(let range):
      "a number from \(Self.bound(range.lowerBound)) to \(Self.bound(range.upperBound)), or null for the first pass's"
    case .limit(let range):
      "a number from \(Self.bound(range.lowerBound)) to \(Self.bound(range.upperBound)), where 0 means no limit"
    case .interval: "two ascending numbers from 0 to 1, such as [0.2, 0.8]"
    case .otherInterval: "two ascending numbers from 0 to 1, such as [0.2, 0.8], or null for the first pass's"
    case .layers: "numbers of layers, such as [7, 8, 9]"
    case .bytes: "bytes, or a number with KiB, MiB or GiB, where 0 means no limit"
    case .sampler: "a sampler's name"
    case .schedule: "a schedule's name"
    case .otherSampler: "a sampler's name, or null for the first pass's"
    case .otherSchedule: "a schedule's name, or null for the first pass's"
    case .upscaler: "an upscaler's name, or null for the default"
    case .model: "demo, a model file or a model folder"
    case .otherModel: "a checkpoint file or a model folder, or null"
    case .vae: "a VAE file or folder, or null"
    case .models: "a file or folder, a list of them, or null"
    case .styles: "names of styles"
    case .size: "width and height, such as 512x768"
    case .files: "a path or a list of paths"
    case .choice(let names): Self.list(names)
    case .choices(let names): "a list of \(Self.list(names)), or null"
    case .flag: "true or false"
    case .folders: "folders"
    case .axes: "a mapping of axes"
    case .axisGroups: "a list of groups, each a mapping of axes of equal length"
    case .cells: "a list of mappings"
    case .path: "a path"
    case .sheet: "a mapping such as {x: cfg_scale, y: steps}"
    case .address: "an address, {url: ..., per: run, send_images: false}, or null"
    case .nights: "a number of seeds for each night, or {count: 16, keep: 30}"
    case .notices: "an address to ping, or {ping: ..., mail: ...}, or null"
    }
  }

  package static func list(_ names: [String]) -> String {
    names.count < 2 ? names.joined() : names.dropLast().joined(separator: ", ") + " or " + names[names.count - 1]
  }

  private static func bound(_ value: Double) -> String {
    value == value.rounded() && value.magnitude < 1e15 ? "\(Int64(value))" : "\(value)"
  }
}
