import CCrypto

/// SHA-256 (FIPS 180-4) by libcrypto, in one call or piece by piece.
///
/// SHA256 is a value: a copy continues from the state of the original, without an allocation.
public struct SHA256: Sendable {
  private var state = SHA256_CTX()

  /// The digest of no bytes yet.
  public init() { SHA256_Init(&state) }

  /// Appends bytes to what is digested.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    SHA256_Update(&state, start, bytes.count)
  }

  /// Appends bytes to what is digested.
  public mutating func update(_ bytes: some Sequence<UInt8>) {
    let isDone: Void? = bytes.withContiguousStorageIfAvailable { update(UnsafeRawBufferPointer($0)) }
    if isDone == nil { Array(bytes).withUnsafeBytes { update($0) } }
  }

  /// The digest of everything appended so far; more can be appended afterwards.
  public func finalize() -> SHA256Digest {
    var last = state
    return SHA256Digest { _ = SHA256_Final($0, &last) }
  }

  /// The digest of these bytes.
  public static func hash(_ bytes: some Sequence<UInt8>) -> SHA256Digest {
    var hash = SHA256()
    hash.update(bytes)
    return hash.finalize()
  }

  /// The digest of these bytes.
  public static func hash(_ bytes: UnsafeRawBufferPointer) -> SHA256Digest {
    var hash = SHA256()
    hash.update(bytes)
    return hash.finalize()
  }

  /// The authentication code of a message (HMAC, RFC 2104, with SHA-256).
  public static func authenticationCode(of message: some Sequence<UInt8>, key: some Sequence<UInt8>) -> SHA256Digest {
    let key = Array(key)
    let message = Array(message)
    return SHA256Digest {
      _ = HMAC(EVP_sha256(), key, CInt(key.count), message, message.count, $0, nil)
    }
  }
}

/// The 32 bytes of a digest.
public struct SHA256Digest: Hashable, Sendable, RandomAccessCollection {
  /// The bytes in their order, eight per word, as they are in memory.
  private var words = SIMD4<UInt64>()

  /// A digest whose 32 bytes are written by a function.
  fileprivate init(_ write: (UnsafeMutablePointer<UInt8>) -> Void) {
    withUnsafeMutableBytes(of: &words) { bytes in
      guard let start = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
      write(start)
    }
  }

  /// The first byte's index.
  public var startIndex: Int { 0 }
  /// The index after the last byte.
  public var endIndex: Int { 32 }

  /// One byte, counted from 0.
  public subscript(position: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: UInt64(littleEndian: words[position / 8]) >> UInt64(position % 8 * 8))
  }
}
