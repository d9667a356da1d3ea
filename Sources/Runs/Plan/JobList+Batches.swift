import Settings

/// Which jobs are done together: a model is loaded once, for every order of a grid's axes.
extension JobList {
  /// Numbers the batches of work.
  ///
  /// Jobs with equal weights are one batch. Batches are sorted by model, then by the second pass's model, refiner, LoRAs and
  /// VAE, so the largest files change least often. What the plan names first comes first.
  ///
  /// - Parameter ingredients: The ingredients of the jobs, each once, in order of first use.
  /// - Returns: The number of the batch of each.
  static func batches(_ ingredients: [JobIngredients]) -> [Int] {
    var ranks: [[AnyHashable]: Int] = [:]
    func rank(_ key: [AnyHashable], _ index: Int) -> Int {
      if let rank = ranks[key] { return rank }
      ranks[key] = index
      return index
    }
    func text(_ loras: [LoRAIdentity]?) -> [String] {
      (loras ?? []).map { "\($0.sha256) \($0.textMultiplier) \($0.unetMultiplier) \($0.rankLimit ?? -1)" }
    }
    let keys = ingredients.enumerated().map { index, item -> [Int] in
      // The engine opens a model by its path, so one file with two paths is two models.
      let levels: [AnyHashable] = [
        item.model.sha256, item.model.path, item.textEncoder?.path, item.precision, item.weightPacking,
        item.hiresModel?.sha256,
        item.hiresModel?.path, item.refiner?.sha256, item.refiner?.path, text(item.loras), text(item.hiresLoRAs),
        item.vae?.sha256, item.vae?.path,
      ]
      return levels.indices.map { rank(Array(levels[...$0]), index) }
    }
    let order = Set(keys).sorted { $0.lexicographicallyPrecedes($1) }
    let numbers = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
    return keys.map { numbers[$0] ?? 0 }
  }

  /// The jobs that make images, one batch after the other; within a batch, in written order.
  ///
  /// - Parameter isWanted: Chooses among their indices.
  /// - Returns: The indices of the jobs.
  func workOrder(where isWanted: (Int) -> Bool) -> [Int] {
    var batches: [[Int]] = Array(repeating: [], count: (self.batches.max() ?? -1) + 1)
    for index in 0..<count where isFirst(index) && isWanted(index) { batches[batch(index)].append(index) }
    return Array(batches.joined())
  }

  /// The jobs that make images, in the order in which a run does them, and what they have in common.
  ///
  /// - Parameters:
  ///   - changes: What takes effect during a job's first pass.
  ///   - isWanted: Chooses among their indices.
  /// - Returns: The work.
  func sharedWork(changes: (ImageSettings) -> [CallChange]?, where isWanted: (Int) -> Bool) -> SharedWork {
    SharedWork(
      jobs, workOrder { _ in true }, where: isWanted, batch: { batch($0) }, ingredients: { ingredients(at: $0) },
      changes: changes)
  }

  /// Which jobs make their image in a shard.
  ///
  /// - Parameters:
  ///   - shard: nil for a run that makes all images.
  ///   - changes: What takes effect during a job's first pass: images that have much in common stay in one shard.
  /// - Returns: A value for each job.
  func isOwned(by shard: Shard?, changes: (ImageSettings) -> [CallChange]? = { _ in nil }) -> [Bool] {
    guard let shard else { return Array(repeating: true, count: count) }
    let shared = sharedWork(changes: changes) { _ in true }
    let work = shared.siblings
    let starts = shared.starts(of: work, known: [])
    let costs = jobs.enumerated().map { index, job in
      let passes = [job.settings.base] + (job.settings.secondPass.map { [$0] } ?? [])
      let steps = starts[index]?.steps(of: job.settings) ?? 0
      return passes.reduce(0) { $0 + $1.steps * $1.width * $1.height } - steps * job.settings.width
        * job.settings.height
    }
    var owned = Array(repeating: false, count: count)
    for position in shard.positions(work.lazy.map { costs[$0] }) { owned[work[position]] = true }
    return owned
  }
}

/// The jobs at chosen indices, in any order, with as few passes over the list as possible.
struct JobQueue {
  private let list: JobList
  private var order: ArraySlice<Int>
  /// Jobs that were expanded early, by index.
  private var window: [Int: Job] = [:]
  private var walk: AnySequence<Job>.Iterator
  /// The index of the job that `walk` returns next.
  private var position = 0

  /// How many jobs are expanded early, a few megabytes. Where short batches alternate, one pass serves many of them.
  private static let windowSize = 1024

  /// The jobs of a list at these indices.
  init(_ list: JobList, _ order: [Int]) {
    self.list = list
    self.order = order[...]
    walk = list.jobs.makeIterator()
  }

  /// The next job and its index; nil after the last.
  mutating func next() -> (index: Int, job: IdentifiedJob)? {
    guard let index = order.first else { return nil }
    if window[index] == nil { fill() }
    order.removeFirst()
    guard let job = window.removeValue(forKey: index) else { return nil }
    return (index, list.identified(job, at: index))
  }

  /// Expands the jobs that come next.
  private mutating func fill() {
    let wanted = order.prefix(Self.windowSize).sorted()
    guard let first = wanted.first else { return }
    if first < position {
      walk = list.jobs.makeIterator()
      position = 0
    }
    for index in wanted {
      while position <= index, let job = walk.next() {
        if position == index { window[index] = job }
        position += 1
      }
    }
  }
}
