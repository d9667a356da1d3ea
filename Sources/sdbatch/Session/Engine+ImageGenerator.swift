import Diffusion
import Foundation
import Runs
import Tensors

// The runner does not know the engine, and the engine does not know the runner. This extension connects them.
extension Engine: ImageGenerator {}

extension Engine {
  /// An engine for a command of this program.
  ///
  /// - Parameter threads: The number of threads; nil for as many as this process may use.
  /// - Returns: An engine that searches for models as the program's own path and the environment say.
  /// - Throws: `TensorError` if `SDBATCH_ISA` names an instruction set that this machine does not have.
  static func forCommand(threads: Int?) throws -> Engine {
    try Engine(
      version: SDBatch.version, threads: threads ?? ProcessorAllotment().threads,
      executable: executable, environment: ProcessInfo.processInfo.environment)
  }

  /// The path of the running program; its name on the command line if the system does not report the path.
  static var executable: String {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
  }
}
