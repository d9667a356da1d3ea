import Foundation

/// Repeats a system call as long as a signal interrupts it. On network and FUSE file systems this can happen to `open` too.
///
/// Not for `close`: Linux has closed the file even if the call was interrupted.
///
/// - Parameter call: Makes the call; returns a negative number and leaves `errno` if it fails.
/// - Returns: What the last call returned.
@discardableResult
package func uninterrupted<Result: SignedInteger>(_ call: () -> Result) -> Result {
  while true {
    let result = call()
    if result >= 0 || errno != EINTR { return result }
  }
}
