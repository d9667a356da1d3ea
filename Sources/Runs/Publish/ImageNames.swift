import Settings

/// The names of a plan's images, from the patterns of its jobs (`file_name`).
///
/// They depend only on the plan. Names that would be equal, also for file systems that ignore letter case, get a number at the
/// end, in the order of the jobs. So shards agree, and so does a run that continues.
struct ImageNames {
  /// By the index of the job, the number at the end of its name; most have none.
  private var numbers: [Int: Int] = [:]
  private var patterns: [String: FileNamePattern] = [:]

  /// Whether no job has a pattern.
  var isDefault: Bool { patterns.isEmpty }

  /// Numbers the names of a plan that would be equal.
  init(_ jobs: JobList) {
    guard jobs.hasFileNames else { return }
    // The names of a million jobs would not fit in memory; if two digests are equal by chance, a name only gets a needless
    // number.
    var taken: Set<UInt64> = []
    var repeated: [(index: Int, name: String)] = []
    for (index, planned) in jobs.identified.enumerated() where jobs.isFirst(index) {
      let text = planned.job.settings.fileName
      guard !text.isEmpty else { continue }
      if patterns[text] == nil, let pattern = try? FileNamePattern(text) { patterns[text] = pattern }
      guard let pattern = patterns[text] else { continue }
      let name = pattern.name(of: NamedImage(planned))
      if !taken.insert(Self.key(name)).inserted { repeated.append((index, name)) }
    }
    for (index, name) in repeated {
      var number = 2
      while !taken.insert(Self.key("\(name)-\(number)")).inserted { number += 1 }
      numbers[index] = number
    }
  }

  /// A digest that is the same in every process. Source: Fowler, Noll and Vo, FNV-1a.
  private static func key(_ name: String) -> UInt64 {
    FileNamePattern.folded(name).utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  /// The name of an image without its extension, relative to the run folder; nil for an image whose job has no pattern.
  ///
  /// - Parameters:
  ///   - planned: The job.
  ///   - index: Its index in the plan.
  ///   - image: What the journal says about the image.
  /// - Returns: The name.
  func stem(of planned: IdentifiedJob, at index: Int, _ image: () throws -> FinishedImage?) rethrows -> String? {
    guard let pattern = patterns[planned.job.settings.fileName] else { return nil }
    var named = NamedImage(planned)
    if pattern.isOfImages, let image = try image() {
      (named.started, named.pixels) = (image.started.milliseconds, image.pixelsSHA256)
    }
    return "images/" + pattern.name(of: named) + (numbers[index].map { "-\($0)" } ?? "")
  }
}

extension NamedImage {
  /// An image that is not made yet.
  init(_ planned: IdentifiedJob) { self.init(job: planned.job, id: planned.id, ingredients: planned.ingredients) }
}
