import Hashing
import JSON
import Settings
import Text

/// What the images of a plan have in common, and the order in which it is computed once.
///
/// Two images are the same up to the first difference that takes effect: another VAE takes effect when the latent is decoded,
/// hires fix after the first pass, an edited prompt at a call of the network. One of the images is sampled up to there, and the
/// others continue from its state. Their bytes are the same as if each were made alone.
public struct SharedWork {
  /// A point from which images differ: the state at this point is kept for the later ones.
  struct Point: Hashable {
    /// Equal for all images that have the state in common.
    let number: Int
    /// The position up to which they are the same.
    let position: ImagePosition
  }

  /// The jobs to do, one batch after the other; in a batch, jobs that have much in common follow each other.
  private(set) var order: [Int] = []
  /// All jobs that make images; those that have something in common are neighbours, even if their batches differ.
  private(set) var siblings: [Int] = []
  /// The points that a job's image passes, in order; most jobs have none.
  private var points: [Int: [Point]] = [:]
  /// By the number of a point: how many of the jobs to do pass it.
  private(set) var uses: [Int] = []

  /// Finds what jobs have in common.
  ///
  /// - Parameters:
  ///   - jobs: All jobs, in written order.
  ///   - work: The indices of the jobs that make images, one batch after the other.
  ///   - isWanted: Chooses the jobs to do. The others count too: an earlier run may have left their states.
  ///   - batch: The batch of a job.
  ///   - ingredients: The ingredients of a job.
  ///   - changes: What takes effect during a job's passes; nil if its states cannot be shared.
  public init(
    _ jobs: some Sequence<Job>, _ work: [Int], where isWanted: (Int) -> Bool = { _ in true }, batch: (Int) -> Int,
    ingredients: (Int) -> JobIngredients,
    changes: (ImageSettings) -> [CallChange]?
  ) {
    (order, siblings) = (work.filter(isWanted), work)
    if order.isEmpty { return }
    let beginnings = Beginnings(jobs, work, ingredients)
    if beginnings.isEmpty { return }
    var paths: [Int: [Link]] = [:]
    for job in jobs where beginnings.areCommon(job.index) {
      guard let changes = changes(job.settings) else { continue }
      paths[job.index] = Link.path(job.settings, ingredients(job.index), changes)
    }
    let ranks = part(work, beginnings, paths)
    order.sort { (batch($0), ranks[$0]) < (batch($1), ranks[$1]) }
    siblings.sort { ranks[$0] < ranks[$1] }
    for index in order {
      for point in points(index) { uses[point.number] += 1 }
    }
  }

  /// The points that the image of a job passes, in order.
  func points(_ index: Int) -> [Point] { points[index] ?? [] }

  /// Whether no two images have anything in common.
  var isEmpty: Bool { points.isEmpty }

  /// By job, the position at which its image starts, because an image that comes before it reached this position.
  public var starts: [Int: ImagePosition] { starts(of: order, known: []) }

  /// By job, the position at which its image starts, because an earlier image reached this position.
  ///
  /// - Parameters:
  ///   - jobs: Jobs in their order.
  ///   - known: The numbers of the points whose states exist already.
  /// - Returns: The positions; none for images that start from noise.
  func starts(of jobs: [Int], known: Set<Int>) -> [Int: ImagePosition] {
    if isEmpty { return [:] }
    var made = known
    var starts: [Int: ImagePosition] = [:]
    for index in jobs {
      guard let points = points[index] else { continue }
      starts[index] = points.last { made.contains($0.number) }?.position
      made.formUnion(points.lazy.map(\.number))
    }
    return starts
  }

  // MARK: Finding them

  /// Sorts the jobs with the same beginning by where they start to differ, and notes these points.
  ///
  /// - Returns: The rank of each job in an order in which jobs that differ late are neighbours.
  private mutating func part(_ work: [Int], _ beginnings: Beginnings, _ paths: [Int: [Link]]) -> [Int] {
    var ranks = Array(repeating: 0, count: (work.max() ?? -1) + 1)
    var next = 0
    func rank(_ jobs: [Int]) {
      for job in jobs {
        ranks[job] = next
        next += 1
      }
    }
    var groups = beginnings.groups(of: work)
    for job in work {
      guard let key = beginnings.key(job) else {
        rank([job])
        continue
      }
      // The first member of a group represents the whole group.
      guard let group = groups.removeValue(forKey: key) else { continue }
      // A stack instead of recursion: a prompt that alternates has one link for each call.
      var stack = [(jobs: group, depth: 0)]
      while let (jobs, depth) = stack.popLast() {
        let groups = Self.groups(jobs) { paths[$0]?.dropFirst(depth).first }
        let parting = groups.filter { depth < paths[$0[0]]?.count ?? 0 }
        guard jobs.count > 1, !parting.isEmpty else {
          rank(jobs)
          continue
        }
        if parting.count > 1, depth > 0 { notePoints(parting, depth, paths) }
        stack += groups.reversed().map { ($0, depth + 1) }
      }
    }
    return ranks
  }

  /// Jobs that were the same up to here are divided into these groups.
  private mutating func notePoints(_ groups: [[Int]], _ depth: Int, _ paths: [Int: [Link]]) {
    func position(_ group: [Int]) -> ImagePosition { paths[group[0]]?[depth].position ?? .decoding }
    for place in Set(groups.map(position)).sorted() where place > .call(0) {
      let sharing = groups.filter { position($0) >= place }
      guard sharing.count > 1 else { continue }
      let jobs = Array(sharing.joined())
      // Jobs that divide twice at one call have a point there already.
      if points[jobs[0]]?.last?.position == place { continue }
      let point = Point(number: uses.count, position: place)
      uses.append(0)
      for job in jobs { points[job, default: []].append(point) }
    }
  }

  /// The groups, in the order of their first members.
  private static func groups<Key: Hashable>(_ jobs: [Int], by key: (Int) -> Key) -> [[Int]] {
    var numbers: [Key: Int] = [:]
    var groups: [[Int]] = []
    for job in jobs {
      let key = key(job)
      if let number = numbers[key] {
        groups[number].append(job)
      } else {
        numbers[key] = groups.count
        groups.append([job])
      }
    }
    return groups
  }
}

/// The jobs of a plan by everything that counts from the initial noise on. Fast, since plans may have a million jobs.
private struct Beginnings {
  /// By job, a digest of everything that takes effect at the start; nil for jobs that have nothing in common with others.
  private var keys: [Int?] = []
  private(set) var isEmpty = true

  init(_ jobs: some Sequence<Job>, _ work: [Int], _ ingredients: (Int) -> JobIngredients) {
    var isWanted = Array(repeating: false, count: (work.max() ?? -1) + 1)
    for index in work { isWanted[index] = true }
    var starts = Array(repeating: 0, count: isWanted.count)
    var prompts = starts
    var edited: Set<Int> = []
    for job in jobs where job.index < isWanted.count && isWanted[job.index] {
      let settings = job.settings
      var hasher = Hasher()
      hasher.combine(settings.upTo(.firstPass))
      hasher.combine(ingredients(job.index).upTo(.firstPass, settings))
      starts[job.index] = hasher.finalize()
      hasher.combine(settings.prompt)
      hasher.combine(settings.negativePrompt)
      prompts[job.index] = hasher.finalize()
      if settings.prompt.utf8.contains(UInt8(ascii: "[")) || settings.negativePrompt.utf8.contains(UInt8(ascii: "[")) {
        edited.insert(starts[job.index])
      }
    }
    let sorted = work.map { prompts[$0] }.sorted()
    let repeated = Set(zip(sorted, sorted.dropFirst()).lazy.filter { $0 == $1 }.map(\.0))
    // Without prompt editing, different prompts give different images from the first call on.
    if repeated.isEmpty, edited.isEmpty { return }
    keys = Array(repeating: nil, count: isWanted.count)
    for index in work {
      if edited.contains(starts[index]) {
        keys[index] = starts[index]
      } else if repeated.contains(prompts[index]) {
        keys[index] = prompts[index]
      }
    }
    isEmpty = false
  }

  /// Nil for a job that has nothing in common with others.
  func key(_ index: Int) -> Int? { index < keys.count ? keys[index] : nil }

  func areCommon(_ index: Int) -> Bool { key(index) != nil }

  /// The jobs by their key, in the order of the work.
  func groups(of work: [Int]) -> [Int: [Int]] {
    var groups: [Int: [Int]] = [:]
    for index in work {
      if let key = key(index) { groups[key, default: []].append(index) }
    }
    return groups
  }
}

/// One thing that determines an image, and where it takes effect.
private struct Link: Hashable {
  let position: ImagePosition
  /// A digest of it. Even if two things had the same digest by chance, states would not be confused: see `SharedStateKey`.
  let digest: Int

  private init(_ position: ImagePosition, _ value: some Hashable) {
    self.position = position
    var hasher = Hasher()
    hasher.combine(value)
    digest = hasher.finalize()
  }

  /// Everything that determines an image, in the order in which it takes effect.
  static func path(_ settings: ImageSettings, _ ingredients: JobIngredients, _ changes: [CallChange]) -> [Link] {
    var path = [Link(.call(0), JobStage(settings, ingredients, upTo: .firstPass))]
    path += changes.filter { !$0.isInSecondPass }.map { Link($0.position, $0.text) }
    if settings.hires != nil { path.append(Link(.secondPass, JobStage(settings, ingredients, upTo: .secondPass))) }
    path += changes.filter(\.isInSecondPass).map { Link($0.position, $0.text) }
    return path + [Link(.decoding, JobStage(settings, ingredients, upTo: .decoding))]
  }
}

/// What a job has at a stage.
private struct JobStage: Hashable {
  let settings: ImageSettings
  let ingredients: JobIngredients

  init(_ settings: ImageSettings, _ ingredients: JobIngredients, upTo stage: ImageStage) {
    self.settings = settings.upTo(stage)
    self.ingredients = ingredients.upTo(stage, settings)
  }

  func write(to writer: inout JSONWriter) {
    writer.object { writer in
      writer.key("settings")
      settings.writePlanned(to: &writer)
      writer.key("ingredients")
      writer.ingredients(ingredients)
    }
  }
}

extension JobID {
  /// Names the state that images have in common up to a position: the SHA-256 of everything that took effect before it.
  ///
  /// - Parameters:
  ///   - settings: The settings of any of the jobs.
  ///   - ingredients: The ingredients of this job.
  ///   - changes: What takes effect during its passes.
  ///   - position: The position up to which they are the same.
  init(
    sharedBy settings: ImageSettings, _ ingredients: JobIngredients, _ changes: [CallChange],
    upTo position: ImagePosition
  ) {
    var writer = JSONWriter()
    writer.array { writer in
      writer.string("\(position)")
      JobStage(settings, ingredients, upTo: .firstPass).write(to: &writer)
      func write(_ changes: some Sequence<CallChange>) {
        for change in changes where change.position < position {
          writer.integer(change.call)
          writer.string(change.text)
        }
      }
      write(changes.filter { !$0.isInSecondPass })
      if position > .secondPass, settings.hires != nil {
        JobStage(settings, ingredients, upTo: .secondPass).write(to: &writer)
        write(changes.filter(\.isInSecondPass))
      }
    }
    self.init(digest: SHA256.hash(writer.bytes))
  }
}
