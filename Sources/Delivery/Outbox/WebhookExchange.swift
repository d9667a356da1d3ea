import Foundation
import FoundationNetworking
import Synchronization

/// One request and its answer over a new connection: `URLSession` hangs if the receiver closes a connection that was kept
/// alive. The caller handles redirects, and no more of an answer is read than is needed.
final class WebhookExchange: NSObject, URLSessionDataDelegate, Sendable {
  /// The parts of an answer that are used.
  struct Answer: Sendable {
    var status: Int
    /// Where a redirect leads.
    var location: String?
  }

  private struct State {
    var answer: Answer?
    var received = 0
    var result: Result<Answer, WebhookSender.Failure>?
  }

  private let state = Mutex(State())
  private let isOver = DispatchSemaphore(value: 0)
  /// Longer answers are not read to their end.
  private static let limit = 1 << 20
  /// The number of threads that Foundation, Dispatch and libcurl start for a request.
  private static let threadsNeeded = 6

  /// Sends a request and waits for the answer.
  ///
  /// - Parameters:
  ///   - request: The request.
  ///   - deadline: When to give up.
  ///   - time: The same as a duration, for the error.
  /// - Returns: The answer, once it is complete or longer than anyone needs.
  /// - Throws: Why there is no answer.
  static func answer(
    to request: URLRequest, until deadline: ContinuousClock.Instant, _ time: Duration
  ) throws(WebhookSender.Failure) -> Answer {
    guard DetachedThread.areAllowed(threadsNeeded) else { throw .notReached("the system allows no more threads") }
    let exchange = WebhookExchange()
    let configuration = URLSessionConfiguration.ephemeral
    // Both of these limits start again with every byte received; only the deadline limits the whole exchange.
    configuration.timeoutIntervalForRequest = 86_400
    configuration.timeoutIntervalForResource = 86_400
    configuration.httpShouldSetCookies = false
    let session = URLSession(configuration: configuration, delegate: exchange, delegateQueue: nil)
    let task = session.dataTask(with: request)
    task.resume()
    // Releases the session when the task ends.
    session.finishTasksAndInvalidate()
    let left = max(0, (deadline - .now).inSeconds)
    if exchange.isOver.wait(timeout: .now() + left) == .timedOut, exchange.settle(.failure(.timedOut(time))) {
      task.cancel()
    }
    guard let result = exchange.state.withLock({ $0.result }) else { throw .notReached("no answer") }
    return try result.get()
  }

  /// Takes the first result and ignores later ones; returns whether this is the first.
  private func settle(_ result: Result<Answer, WebhookSender.Failure>?) -> Bool {
    let isFirst = state.withLock { state in
      guard state.result == nil else { return false }
      state.result = result ?? state.answer.map { .success($0) } ?? .failure(.notReached("no answer"))
      return true
    }
    if isFirst { isOver.signal() }
    return isFirst
  }

  private func begin(_ response: HTTPURLResponse) {
    let answer = Answer(status: response.statusCode, location: response.value(forHTTPHeaderField: "Location"))
    state.withLock { $0.answer = answer }
  }

  // MARK: URLSession's callbacks

  func urlSession(
    _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
    newRequest request: URLRequest, completionHandler: @escaping (URLRequest?) -> Void
  ) {
    begin(response)
    // Foundation crashes if a task is called back that was cancelled while it waited for this decision.
    if settle(nil) { completionHandler(nil) }
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, didReceive challenge: URLAuthenticationChallenge,
    completionHandler: @escaping (URLSession.AuthChallengeDisposition, URLCredential?) -> Void
  ) {
    // Name and password were sent with the request, and there are no others, so the answer is final. With any other disposition
    // Foundation waits for credentials until the timeout, and crashes for unknown methods.
    if let response = challenge.failureResponse as? HTTPURLResponse { begin(response) }
    if settle(nil) { completionHandler(.cancelAuthenticationChallenge, nil) }
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
  ) {
    if let response = response as? HTTPURLResponse { begin(response) }
    completionHandler(.allow)
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    let isEnough = state.withLock { state in
      state.received += data.count
      return state.received > Self.limit
    }
    if isEnough, settle(nil) { dataTask.cancel() }
  }

  func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
    // Descriptions of errors contain the address with its secrets, so use only the code.
    _ = settle(error.map { .failure(.notReached(Self.reason(($0 as? URLError)?.code))) })
  }

  private static func reason(_ code: URLError.Code?) -> String {
    switch code {
    case .cannotConnectToHost: "no server answers there"
    case .cannotFindHost, .dnsLookupFailed: "the host cannot be found"
    case .networkConnectionLost: "the connection was lost"
    case .timedOut: "no answer in time"
    case .userAuthenticationRequired, .userCancelledAuthentication: "it asks for a name and a password"
    case .secureConnectionFailed, .serverCertificateUntrusted, .serverCertificateHasBadDate,
      .serverCertificateHasUnknownRoot, .serverCertificateNotYetValid:
      "the connection could not be made secure"
    default: "the connection failed\(code.map { " (\($0.rawValue))" } ?? "")"
    }
  }
}
