import Weights

/// A VAE in files of its own.
public struct VAEArchive: Sendable {
  /// The file or folder.
  public let path: String
  /// How the tensors are named.
  public let layout: CheckpointLayout
  /// The decoder's sizes and weights, under `decoder` and `post_quant_conv`.
  public let vae: ModelArchive.Network<VAEConfiguration>
  private let files: [String]
  private let unread: WeightAudit

  init(_ checkpoint: Checkpoint) throws(WeightError) {
    guard let network = checkpoint.vae else {
      throw .unreadable(path: checkpoint.path, reason: "there is no VAE")
    }
    path = checkpoint.path
    layout = checkpoint.layout
    vae = ModelArchive.Network(try VAEConfiguration(network, family: nil), network)
    files = checkpoint.files
    unread = WeightAudit(path: checkpoint.path, findings: checkpoint.unread)
  }

  /// Finds every missing, misshapen and unread tensor, from headers alone.
  public func audit() -> WeightAudit { unread.merged(with: vae.audit()) }

  /// Throws `WeightError.changed` if a file was written to since the VAE was opened.
  public func requireUnchanged() throws(WeightError) { try vae.weights.store.requireUnchanged() }

  /// The SHA-256 of the file, or of the folder's files that are used, see `FileDigest.sha256(ofFilesByRelativePath:)`.
  public func sha256(_ cache: DigestCache) throws(WeightError) -> String {
    files.isEmpty ? try cache.sha256(ofFileAt: path) : try cache.sha256(ofFiles: files, in: path)
  }
}
