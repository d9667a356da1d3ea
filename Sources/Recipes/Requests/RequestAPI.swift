/// The API that a request is written for. Its defaults apply to the fields that the request does not set.
public enum RequestAPI: String, CaseIterable, Hashable, Sendable {
  /// The webui's API, 1.10.1: 50 steps of Euler; `eta` and `s_noise` are the webui's options.
  case a1111
  /// The serverless worker in front of it (runpod-worker-a1111, 13a611f): 20 steps of Euler a, with `eta` and `s_noise` 0.
  case workerA1111 = "worker-a1111"
}
