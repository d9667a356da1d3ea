import Settings

/// The states that images have in common. Each one is kept from the time when the first image reaches it until the last image
/// has started from it.
///
/// They are files in `checkpoints/`, like the states of unfinished images, so a later run finds them after a kill. The states
/// of the latest images are also in memory.
final class SharedStates {
  private let work: SharedWork
  private let files: CheckpointFolder
  private let numerics: Int
  private let changes: (ImageSettings) -> [CallChange]?
  private let beforeWriting: () throws -> Void
  /// By the number of a point: how many jobs still have to pass it.
  private var left: [Int]
  /// By the number of a point: the file of its state.
  private var keys: [Int: JobID] = [:]
  private var memory: [JobID: Checkpoint] = [:]
  private var bytes = 0

  /// The most bytes of states in memory; the other states are read from the disk again.
  private static let capacity = 256 << 20

  /// The states of a run.
  ///
  /// - Parameters:
  ///   - work: What its images have in common.
  ///   - files: The folder of the states.
  ///   - numerics: The number of the engine's arithmetic.
  ///   - changes: What takes effect during a job's passes.
  ///   - beforeWriting: Called before each write; nothing is written if it throws.
  init(
    _ work: SharedWork, in files: CheckpointFolder, numerics: Int,
    changes: @escaping (ImageSettings) -> [CallChange]?, beforeWriting: @escaping () throws -> Void
  ) {
    self.work = work
    self.files = files
    self.numerics = numerics
    self.changes = changes
    self.beforeWriting = beforeWriting
    left = work.uses
  }

  /// The files of states that jobs need and that an earlier run left.
  ///
  /// - Parameters:
  ///   - found: The files that exist.
  ///   - jobs: Every job of the plan, in order.
  /// - Returns: Their names, by the number of the point.
  func known(among found: Set<JobID>, _ jobs: some Sequence<IdentifiedJob>) -> [Int: JobID] {
    if work.isEmpty || found.isEmpty { return [:] }
    let wanted = Set(work.order)
    for (index, job) in jobs.enumerated() where wanted.contains(index) {
      for point in work.points(index) where keys[point.number] == nil {
        keys[point.number] = key(point, job.job.settings, job.ingredients)
      }
    }
    return keys.filter { found.contains($0.value) }
  }

  // MARK: One image

  /// The points that a job's image passes, and the last of their states that is known.
  func begin(_ job: IdentifiedJob, at index: Int) -> SharedPath {
    let points = work.points(index)
    let path = SharedPath()
    for point in points {
      left[point.number] -= 1
      let key = keys[point.number] ?? key(point, job.job.settings, job.ingredients)
      keys[point.number] = key
      path.places.append(SharedPath.Place(position: point.position, key: key, isAwaited: left[point.number] > 0))
    }
    for place in path.places.reversed() {
      // A state that cannot be read is computed again.
      guard let state = memory[place.key] ?? (try? files.read(place.key, numerics: numerics)) else { continue }
      path.known = state
      path.start = place.position
      path.places.removeAll { $0.position <= place.position }
      break
    }
    return path
  }

  /// Keeps the state of a job's image at a point if other jobs need it.
  ///
  /// - Parameters:
  ///   - path: The points that the image passes.
  ///   - state: The image, if it could be continued from here.
  ///   - progress: What is done next.
  /// - Throws: `RunError` if the state cannot be written, or what `beforeWriting` throws.
  func note(_ path: SharedPath, _ state: GenerationState?, _ progress: GenerationProgress) throws {
    guard let state else { return }
    let position =
      switch progress {
      case .upscaling: max(state.position, .secondPass)
      case .decoding, .restoring: ImagePosition.decoding
      case .loading, .encoding, .sampling: state.position
      }
    while let place = path.places.first {
      if state.position <= place.position { path.last = state }
      guard position >= place.position else { return }
      path.places.removeFirst()
      guard place.isAwaited, let last = path.last, last.step > 0 else { continue }
      try keep(Checkpoint(id: place.key, numerics: numerics, step: last.step, seconds: 0, state: last.encoded()))
    }
  }

  /// Skips a job whose image another process made.
  func skip(_ index: Int) throws {
    for point in work.points(index) { left[point.number] -= 1 }
    try end(index)
  }

  /// Removes the states that no later job needs.
  func end(_ index: Int) throws {
    for point in work.points(index) where left[point.number] <= 0 {
      guard let key = keys.removeValue(forKey: point.number) else { continue }
      if let state = memory.removeValue(forKey: key) { bytes -= state.state.count }
      try files.remove(key)
    }
  }

  private func keep(_ state: Checkpoint) throws {
    try beforeWriting()
    try files.write(state)
    guard bytes + state.state.count <= Self.capacity, memory[state.id] == nil else { return }
    memory[state.id] = state
    bytes += state.state.count
  }

  private func key(_ point: SharedWork.Point, _ settings: ImageSettings, _ ingredients: JobIngredients) -> JobID {
    JobID(sharedBy: settings, ingredients, changes(settings) ?? [], upTo: point.position)
  }
}

/// The points of one image at which other images begin to differ from it.
final class SharedPath {
  /// A point that the image has not reached.
  struct Place {
    let position: ImagePosition
    let key: JobID
    /// Whether later jobs need the state at this point.
    let isAwaited: Bool
  }

  /// In the order of the work.
  var places: [Place] = []
  /// The latest state that is known already; nil if the image starts from noise.
  var known: Checkpoint?
  /// The position of `known`.
  var start = ImagePosition.call(0)
  /// The last state that is not after the next point.
  var last: GenerationState?
}
