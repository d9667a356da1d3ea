/// The hashes with which the webui identifies a model's file. Computing the second one takes seconds the first time.
public struct ModelHashes: Sendable {
  /// The first eight digits of the digest of 64 KiB of the file, which the webui used until January 2023.
  public var old: String?
  /// SHA-256 of the file, in lower-case hexadecimal; nil if it cannot be read.
  public var sha256: @Sendable () -> String?

  /// Creates the hashes of a file.
  public init(old: String?, sha256: @escaping @Sendable () -> String?) {
    self.old = old
    self.sha256 = sha256
  }
}
