import JSON
import Tensors
import Text

/// The profiler's results as the lines of `profile.tsv`, slowest first.
struct ProfileTable {
  /// Names of the columns.
  static let columns = ["stage", "layer", "kind", "shape", "calls", "seconds", "share", "gflops_per_second"]

  /// The names, then the lines.
  let rows: [[String]]

  /// The table of everything that was measured; time outside of layers is one line for each stage.
  init(_ profiler: Profiler) {
    let total = profiler.stageSeconds.reduce(0) { $0 + $1.seconds }
    func line(
      _ stage: String, _ layer: String, _ kind: String, _ shape: String, calls: String, seconds: Double,
      operations: Double
    ) -> (seconds: Double, fields: [String]) {
      let rate = operations > 0 && seconds > 0 ? Self.text(operations / seconds * 1e-9, digits: 1) : ""
      let share = total > 0 ? seconds / total : 0
      return (
        seconds,
        [stage, layer, kind, shape, calls, Self.text(seconds, digits: 6), Self.text(share, digits: 6), rate]
      )
    }
    var lines = profiler.rows.map { row in
      line(
        row.stage, row.layer, row.kind.rawValue, row.shape, calls: "\(row.calls)", seconds: row.seconds,
        operations: row.operations)
    }
    for (stage, seconds) in profiler.stageSeconds {
      let inLayers = profiler.rows.reduce(0) { $1.stage == stage ? $0 + $1.seconds : $0 }
      lines.append(
        line(stage, "", "other", "", calls: "", seconds: max(seconds - inLayers, 0), operations: 0))
    }
    lines.sort { $0.seconds > $1.seconds }
    rows = [Self.columns] + lines.map(\.fields)
  }

  private static func text(_ value: Double, digits: Int) -> String {
    let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
    return PythonNumber.repr((value * scale).rounded() / scale)
  }
}
