import JSON
import Settings

/// A job with its identity and its ingredients.
public struct IdentifiedJob: Hashable, Sendable {
  /// Its identity.
  public var id: JobID
  /// The job.
  public var job: Job
  /// What it is made from.
  public var ingredients: JobIngredients

  /// A job with this identity.
  public init(id: JobID, job: Job, ingredients: JobIngredients) {
    self.id = id
    self.job = job
    self.ingredients = ingredients
  }

  /// Everything from which the identity is computed, as an object with sorted members.
  public var identity: JSONValue? {
    JobID.canonicalJSON(job.settings, ingredients).withUnsafeBufferPointer { try? JSONValue(parsing: $0) }
  }
}
