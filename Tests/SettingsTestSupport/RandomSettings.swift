import Settings
import TestSupport

/// Random settings, made from the rows, so that new settings vary too.
package struct RandomSettings {
  private var random: SplitMix64

  package init(seed: UInt64) { random = SplitMix64(state: seed) }

  private static let texts = [
    "", "a red fish", "a (cat:1.3), [dog], \\(x\\)", "two\nlines, (b)", "[a:b:0.5] AND [c|d]:0.7", "\"quoted\"",
    "日本 🐟 “x”",
    "Steps: 1, Sampler: x, Size: 2x3", "x, Version: v1.0.0", "e\u{301} \\", "a\n\n# b",
  ]

  /// Settings of one or two passes with this sampler. Rows with files keep their default. Of the other rows, a part has any
  /// value in its range, more often its ends; how many is drawn from `part`.
  package mutating func next(_ sampler: SamplerID, part: ClosedRange<Double> = 0...1) -> ImageSettings {
    var settings = ImageSettings()
    settings.hires = Bool.random(using: &random) ? HiresSettings() : nil
    let part = Double.random(in: part, using: &random)
    for row in SettingRow.all where row.kind == .seed || Double.random(in: 0..<1, using: &random) < part {
      if let value = value(row.kind) { row.set(value, in: &settings) }
    }
    settings.sampler = sampler
    return settings
  }

  /// A value of a kind; nil if it would be a file.
  package mutating func value(_ kind: SettingKind) -> SettingValue? {
    switch kind {
    case .text: .text(pick(Self.texts))
    case .integer(let range, let factor): .integer(integer(in: range) / factor * factor)
    // Plans have drawn the number of -1.
    case .seed: .integer(integer(in: 0...Int64.max))
    case .number(let range): .number(number(in: range))
    case .otherNumber(let range): pick([.null, .number(number(in: range))])
    case .limit(let range): limit(number(in: range))
    case .interval: .interval(interval())
    case .otherInterval: pick([.null, .interval(interval())])
    case .bytes: .integer(pick([0, 1, 5 << 29]))
    case .layers: LayerList(pick([[7, 8, 9], [0], [1, 30]])).map { .layers($0) }
    case .sampler: .sampler(pick(SamplerID.allCases), nil)
    case .otherSampler: pick([.null, .sampler(pick(SamplerID.allCases), nil)])
    case .schedule: .schedule(pick(ScheduleID.allCases))
    case .otherSchedule: pick([.null, .schedule(pick(ScheduleID.allCases))])
    case .upscaler: upscaler()
    case .choice(let names): .choice(pick(names))
    case .choices(let names): .choices(names.filter { _ in Bool.random(using: &random) })
    case .flag: .flag(Bool.random(using: &random))
    case .model, .vae, .otherModel, .models, .folders: nil
    // These are no settings of an image.
    case .styles, .size, .axes, .axisGroups, .cells, .path, .files, .sheet, .address, .nights, .notices: nil
    }
  }

  private mutating func pick<Value>(_ values: [Value]) -> Value {
    values[Int.random(in: 0..<values.count, using: &random)]
  }

  private mutating func upscaler() -> SettingValue {
    let names =
      ["R-ESRGAN 4x+", "4x UltraSharp, v2"] + LatentFilter.allCases.map(\.rawValue)
      + PixelFilter.allCases.map(\.rawValue)
    return pick([.null, .upscaler(UpscalerReference(name: pick(names)))])
  }

  /// Readers turn 0 into null.
  private func limit(_ number: Double) -> SettingValue { number == 0 ? .null : .number(number) }

  private mutating func interval() -> PassInterval {
    PassInterval(number(in: 0...0.5), number(in: 0.5...1)) ?? .whole
  }

  private mutating func integer(in range: ClosedRange<Int64>) -> Int64 {
    switch Int.random(in: 0..<4, using: &random) {
    case 0: range.lowerBound
    case 1: range.upperBound
    case 2: max(range.lowerBound, min(range.upperBound, Int64.random(in: -2...50, using: &random)))
    default: Int64.random(in: range, using: &random)
    }
  }

  private mutating func number(in range: ClosedRange<Double>) -> Double {
    func within(_ value: Double) -> Double { min(max(value, range.lowerBound), range.upperBound) }
    return switch Int.random(in: 0..<7, using: &random) {
    case 0: range.lowerBound
    case 1: range.upperBound
    case 2: within(pick([1e-300, 1e-12, 1e-6, 1e-3, 0.029, 0.03]))
    case 3: within(pick([0.5, 1, 5, 14.6, 14.7, 100]))
    // Numbers of users have two decimals.
    case 4: within((Double.random(in: range, using: &random) * 100).rounded() / 100)
    default: Double.random(in: range, using: &random)
    }
  }
}
