/// The hashes by which the webui knows a model's file. The second takes seconds to compute the first time.
public struct ModelHashes: Sendable {
  /// The first eight digits of the digest of 64 KiB, which the webui showed until January 2023.
  public var old: String?
  /// SHA-256 of the file, in lower-case hexadecimal; nil if it cannot be read.
  public var sha256: @Sendable () -> String?

  /// The hashes of a file.
  public init(old: String?, sha256: @escaping @Sendable () -> String?) {
    self.old = old
    self.sha256 = sha256
  }
}
