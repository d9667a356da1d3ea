/// What a UNet was trained to predict.
public enum TrainedPrediction: String, Sendable, CaseIterable {
  /// The noise.
  case epsilon
  /// The velocity, Salimans & Ho 2022.
  case vPrediction = "v_prediction"
}

extension TrainedPrediction {
  /// The prediction that other programs give this name; nil for any other name.
  init?(spelled name: String) {
    switch name.lowercased() {
    case "epsilon", "eps", "epsilon_prediction", "eps_prediction", "noise": self = .epsilon
    case "v_prediction", "v-prediction", "v", "vpred", "v_pred", "v-pred", "velocity": self = .vPrediction
    default: return nil
    }
  }
}
