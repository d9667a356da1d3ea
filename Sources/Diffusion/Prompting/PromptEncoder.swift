import Networks
import Prompts
import Settings

/// Turns prompt schedules into contexts for the denoising network, and remembers the last few of them, because a grid has many
/// images with one prompt.
final class PromptEncoder<Encoding: PromptEncoding> {
  /// A prompt as the input of the network.
  typealias Context = Encoding.Network.Context

  /// Whether the guidance scale is an input of the network. Then no guidance is applied to its output.
  let readsGuidance: Bool
  private let encoding: Encoding
  private let network: PagedNetwork<Encoding.Network>
  private var library: EmbeddingLibrary?
  private var remembered: [(key: Key, contexts: [Context], count: Int)] = []

  private struct Key: Hashable {
    /// The schedule's texts as bytes: `String` treats more texts as equal than the prompt language does.
    let texts: [[UInt8]]
    let chunkCount: Int
    let settings: TextSettings
  }

  /// The number of contexts to keep; those of a full-size model take about 10 MB each.
  private static var capacity: Int { 32 }

  /// Creates the encoder for a model's prompts.
  ///
  /// - Parameters:
  ///   - encoding: The text encoders.
  ///   - network: The network that uses the contexts.
  ///   - readsGuidance: Whether the guidance scale is an input of the network.
  init(_ encoding: Encoding, for network: PagedNetwork<Encoding.Network>, readsGuidance: Bool) {
    self.encoding = encoding
    self.network = network
    self.readsGuidance = readsGuidance
  }

  /// Sets the library of embeddings that prompts may name; nil for none.
  func use(_ library: EmbeddingLibrary?) {
    guard library !== self.library else { return }
    self.library = library
    encoding.use(library)
    forget()
  }

  /// Forgets all contexts, because the networks' weights have changed.
  func forget() { remembered = [] }

  /// The number of chunks in the longest text of a schedule.
  func chunkCount(_ schedule: PromptSchedule, emphasis: EmphasisChoice) throws -> Int {
    var texts: Set<[UInt8]> = []
    var count = 1
    for entry in schedule.entries where texts.insert(Array(entry.text.utf8)).inserted {
      count = max(count, try encoding.chunkCount(of: entry.text, emphasis))
    }
    return count
  }

  /// A schedule to encode.
  struct Request {
    /// The prompt, call by call.
    let schedule: PromptSchedule
    /// The length to reach, at least that of the schedule.
    let chunkCount: Int
    /// The settings that the contexts also depend on.
    let settings: TextSettings
  }

  /// The contexts for schedules.
  ///
  /// All texts are encoded before the denoising network is needed, so that the text encoders need not be in memory with it.
  ///
  /// - Parameter requests: The schedules.
  /// - Returns: For each schedule, a timeline with a context for each of its entries.
  /// - Throws: `PromptError`, `EngineError` for a clip skip that is too large, or the error of reading a network.
  func timelines(_ requests: [Request]) throws -> [ContextTimeline<Context>] {
    let keys = requests.map { request in
      Key(
        texts: request.schedule.entries.map { Array($0.text.utf8) }, chunkCount: request.chunkCount,
        settings: encoding.reduced(request.settings))
    }
    // Look these up before anything is prepared, which may remove them from the memory.
    var known: [Key: [Context]] = [:]
    for key in keys where known[key] == nil { known[key] = recall(key) }
    var missing: [Key: Request] = [:]
    for (key, request) in zip(keys, requests) where known[key] == nil { missing[key] = request }
    if missing.count > 1 {
      try encoding.prefetch(missing.map { (texts: texts(of: $1, $0).texts, settings: $1.settings) })
    }
    var encoded: [Key: EncodedSchedule] = [:]
    for (key, request) in zip(keys, requests) where known[key] == nil && encoded[key] == nil {
      encoded[key] = try encode(request, key)
    }
    if !encoded.isEmpty { encoding.release() }
    return try zip(keys, requests).map { key, request in
      let contexts = try known[key] ?? encoded[key].map { try prepare($0, request, key) } ?? []
      known[key] = contexts
      return ContextTimeline(schedule: request.schedule, contexts: contexts)
    }
  }

  /// The encodings of a schedule's distinct texts.
  private struct EncodedSchedule {
    let encodings: [Encoding.Encoding]
    /// The index of each entry's encoding.
    let order: [Int]
  }

  private func recall(_ key: Key) -> [Context]? {
    guard let index = remembered.firstIndex(where: { $0.key == key }) else { return nil }
    let entry = remembered.remove(at: index)
    remembered.append(entry)
    return entry.contexts
  }

  private func encode(_ request: Request, _ key: Key) throws -> EncodedSchedule {
    let (texts, order) = texts(of: request, key)
    return EncodedSchedule(encodings: try encoding.encode(texts, request.settings), order: order)
  }

  /// The distinct texts of a schedule, and the index of each entry's text.
  private func texts(of request: Request, _ key: Key) -> (texts: [(text: String, count: Int)], order: [Int]) {
    var indices: [[UInt8]: Int] = [:]
    var texts: [(text: String, count: Int)] = []
    let order = zip(key.texts, request.schedule.entries).map { bytes, entry in
      let index = indices[bytes] ?? texts.count
      if index == texts.count {
        indices[bytes] = index
        texts.append((entry.text, 0))
      }
      texts[index].count += 1
      return index
    }
    return (texts, order)
  }

  private func prepare(_ encoded: EncodedSchedule, _ request: Request, _ key: Key) throws -> [Context] {
    let network = try network.get()
    let contexts = encoded.encodings.map {
      encoding.context($0, chunkCount: request.chunkCount, request.settings, for: network)
    }
    let inOrder = encoded.order.map { contexts[$0] }
    remembered.append((key, inOrder, contexts.count))
    while remembered.count > 1, remembered.reduce(0, { $0 + $1.count }) > Self.capacity { remembered.removeFirst() }
    return inOrder
  }
}
