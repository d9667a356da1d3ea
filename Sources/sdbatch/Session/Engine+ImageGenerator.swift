import Diffusion
import Foundation
import Runs
import Tensors

// The runner does not know the engine, and the engine does not know the runner. This extension connects them.
extension Engine: ImageGenerator {}

extension Engine {
  /// An engine for a command of this program.
  ///
  /// - Parameter threads: How many to compute with; nil for as many as this process may use.
  /// - Returns: An engine that finds models where the program's own file and the environment say.
  /// - Throws: `TensorError` when `SDBATCH_ISA` names an instruction set that this machine lacks.
  static func forCommand(threads: Int?) throws -> Engine {
    try Engine(
      version: SDBatch.version, threads: threads ?? ProcessorAllotment().threads,
      executable: executable, environment: ProcessInfo.processInfo.environment)
  }

  /// The running program's own file; its name on the command line if the system does not report it.
  static var executable: String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
  }
}
