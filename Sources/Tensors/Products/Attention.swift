import CKernels

/// Which keys a query sees.
public enum AttentionMask: Sendable {
  /// All keys.
  case none
  /// Those with an index up to its own.
  case causal
}

/// A bias that attention adds to the scores, for each head and each distance between key and query.
///
/// Source: Raffel et al. 2019, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer",
/// arXiv:1910.10683.
public final class DistanceBias: Sendable {
  /// The largest number of queries and of keys.
  public let count: Int
  let heads: Int
  /// `[heads][2 * count - 1]`, starting at the distance 1 - count.
  private let values: [Float]

  /// Computes the bias of each distance.
  ///
  /// - Parameters:
  ///   - count: The largest number of queries and of keys.
  ///   - heads: The number of heads.
  ///   - value: The bias of a head for a distance: the key's index minus the query's.
  public init(count: Int, heads: Int, value: (_ head: Int, _ distance: Int) -> Float) {
    self.count = count
    self.heads = heads
    values = (0..<heads).flatMap { head in (1 - count..<count).map { value(head, $0) } }
  }

  /// Calls `body` with a pointer to a query's bias for key 0; the biases of the other keys follow it.
  fileprivate func withStart(_ head: Int, query: Int, _ body: (UnsafePointer<Float>?) -> Void) {
    values.withUnsafeBufferPointer { body($0.baseAddress.map { $0 + head * (2 * count - 1) + count - 1 - query }) }
  }
}

extension Compute {
  /// softmax(q kᵀ · scale + bias) v for every head. Scores exist only for a few queries at a time.
  ///
  /// Keys and values may have fewer heads than queries: consecutive heads of the queries then share them, as in Ainslie et al.
  /// 2023, "GQA", arXiv:2305.13245.
  ///
  /// - Parameters:
  ///   - q: `[batch, height, width, heads * head width]` without a border; every pixel is a query.
  ///   - sources: The keys and values of each image of the batch.
  ///   - mask: Which keys a query sees.
  ///   - scale: The factor of the products; nil for 1 / √width.
  ///   - bias: Added to the scores; nil for none.
  /// - Returns: A tensor of `q`'s shape.
  ///
  /// Source: Vaswani et al. 2017, "Attention Is All You Need", arXiv:1706.03762.
  public func attention(
    _ q: Tensor, _ sources: [KeysValues], mask: AttentionMask = .none, scale: Float? = nil, bias: DistanceBias? = nil
  ) -> Tensor {
    precondition(q.border == 0 && sources.count == q.batch, "one set of keys and values for each image")
    precondition(
      sources.allSatisfy { $0.elementType == q.elementType }, "keys and queries have different element types")
    let headWidth = sources[0].headWidth
    let heads = q.channels / headWidth
    precondition(
      sources.allSatisfy { $0.headWidth == headWidth && heads.isMultiple(of: $0.heads) } && q.channels % headWidth == 0,
      "the heads of the queries are a multiple of the keys'")
    precondition(
      bias.map { bias in
        bias.heads == heads && q.height * q.width <= bias.count && sources.allSatisfy { $0.count <= bias.count }
      } ?? true, "the bias is for other tokens")
    return switch q.elementType {
    case .fp32: attention(q, sources, mask, scale, bias, by: ck_attention.self)
    case .bf16: attention(q, sources, mask, scale, bias, by: ck_bf16_attention.self)
    }
  }

  private func attention<Call: AttentionCall>(
    _ q: Tensor, _ sources: [KeysValues], _ mask: AttentionMask, _ scale: Float?, _ bias: DistanceBias?,
    by _: Call.Type
  ) -> Tensor {
    let out = tensor(like: q)
    let queries = q.height * q.width
    let blocks = (queries + Call.queriesInCall - 1) / Call.queriesInCall
    let heads = q.channels / sources[0].headWidth
    pool.run(q.batch * heads * blocks) { part in
      let image = part / (heads * blocks)
      let head = part / blocks % heads
      let first = part % blocks * Call.queriesInCall
      let source = sources[image]
      let offset = (image * queries + first) * q.channels + head * source.headWidth
      let rows = min(Call.queriesInCall, queries - first)
      let scratchBytes = Call.scratchBytes(rows: rows, source, panelWidth: kernels.panelWidth)
      withUnsafeTemporaryAllocation(byteCount: scratchBytes, alignment: 64) { scratch in
        var call = Call()
        call.q = UnsafePointer(q.base(as: Call.Number.self) + offset)
        call.q_stride = q.channels
        call.rows = rows
        call.d = source.headWidth
        let keyHead = head * source.heads / heads
        call.setKeys(source, keyHead)
        call.values = UnsafePointer(source.values(keyHead, as: Call.Number.self))
        call.count = source.count
        call.visible =
          switch mask {
          case .none: source.count
          case .causal: first + 1
          }
        call.scale = scale ?? 1 / Float(source.headWidth).squareRoot()
        call.setScratch(scratch.baseAddress?.assumingMemoryBound(to: Float.self))
        call.out = out.base(as: Call.Number.self) + offset
        call.out_stride = q.channels
        guard let bias else { return call.run(kernels.table) }
        bias.withStart(head, query: first) { start in
          call.bias = start
          call.run(kernels.table)
        }
      }
    }
    return out
  }
}

/// The arguments of an attention kernel; `CKernels.h` explains each.
private protocol AttentionCall {
  associatedtype Number: TensorNumber

  /// The largest number of queries in a call.
  static var queriesInCall: Int { get }
  /// The size of a call's scratch memory in bytes.
  static func scratchBytes(rows: Int, _ source: KeysValues, panelWidth: Int) -> Int

  init()
  var q: UnsafePointer<Number>! { get set }
  var q_stride: Int { get set }
  var rows: Int { get set }
  var d: Int { get set }
  var values: UnsafePointer<Number>! { get set }
  var count: Int { get set }
  var visible: Int { get set }
  var scale: Float { get set }
  var bias: UnsafePointer<Float>! { get set }
  var out: UnsafeMutablePointer<Number>! { get set }
  var out_stride: Int { get set }

  mutating func setScratch(_ memory: UnsafeMutablePointer<Float>?)
  /// Sets the keys of a head.
  mutating func setKeys(_ source: KeysValues, _ head: Int)
  mutating func run(_ table: UnsafePointer<ck_table>)
}

extension ck_attention: AttentionCall {
  static var queriesInCall: Int { Int(CK_ATTENTION_ROWS) }

  static func scratchBytes(rows: Int, _ source: KeysValues, panelWidth: Int) -> Int {
    let scoreWidth = (source.count + panelWidth - 1) / panelWidth * panelWidth
    return rows * scoreWidth * MemoryLayout<Float>.stride
  }

  mutating func setScratch(_ memory: UnsafeMutablePointer<Float>?) { scores = memory }

  mutating func setKeys(_ source: KeysValues, _ head: Int) {
    keys = UnsafePointer(source.keys(head, as: Float.self))
  }

  mutating func run(_ table: UnsafePointer<ck_table>) { table.pointee.attention(&self) }
}

extension ck_bf16_attention: AttentionCall {
  static var queriesInCall: Int { Int(CK_BF16_ATTENTION_ROWS) }

  /// CK_BF16_ATTENTION_SCRATCH, a macro that Swift cannot import.
  static func scratchBytes(rows: Int, _ source: KeysValues, panelWidth: Int) -> Int {
    let width = (source.headWidth + panelWidth - 1) / panelWidth * panelWidth
    return queriesInCall * (Int(CK_BF16_ATTENTION_KEYS) * 3 / 2 + width) * MemoryLayout<Float>.stride
  }

  mutating func setScratch(_ memory: UnsafeMutablePointer<Float>?) { scratch = memory }

  mutating func setKeys(_ source: KeysValues, _ head: Int) {
    guard source.hasByteKeys else { return keys = UnsafePointer(source.keys(head, as: UInt16.self)) }
    let bytes = source.byteKeys(head)
    (keys8, key_scales, key_sums) = (
      UnsafePointer(bytes.keys), UnsafePointer(bytes.scales), UnsafePointer(bytes.sums)
    )
  }

  mutating func run(_ table: UnsafePointer<ck_table>) {
    if keys8 == nil { table.pointee.attention_bf16(&self) } else { table.pointee.attention_int8(&self) }
  }
}
