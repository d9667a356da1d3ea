import Text

/// The layers of a model that an adapter changes.
///
/// All tensors of the adapter must have a layer in the model: otherwise the image would be silently different.
public struct AdapterMatch: Sendable {
  /// The adapter.
  public let file: AdapterFile
  private let changes: [Change]

  private struct Change: Sendable {
    var layer: AdapterNames.Layer
    var rows: (range: Range<Int>, count: Int)?
    var name: String
    var module: AdapterModule
  }

  /// Finds the layers.
  ///
  /// - Parameters:
  ///   - file: The adapter.
  ///   - names: The names of the model's layers in adapters.
  ///   - shapes: For each network of the model, the shapes of its tensors by names in code.
  ///   - model: The model's path, for messages.
  ///   - title: The name of the model's family for messages.
  /// - Throws: `WeightError.adapter` if the adapter is for another kind of model; it lists the layers that do not match.
  package init(
    _ file: AdapterFile, names: AdapterNames, shapes: [[String: [Int]]], model: String, title: String
  ) throws(WeightError) {
    self.file = file
    var changes: [Change] = []
    var unknown: [String] = []
    var misfits: [String] = []
    for (name, module) in file.modules {
      let targets = names.targets(name)
      if targets.isEmpty { unknown.append(name.abridged) }
      for target in targets {
        let tensors = shapes[target.layer.network]
        var weight = tensors[target.layer.name + ".weight"]
        if let rows = target.rows { weight?[0] = rows.count }
        let bias = target.rows == nil ? tensors[target.layer.name + ".bias"] : nil
        if let misfit = module.misfit(weight: weight, bias: bias, isSplit: target.rows != nil) {
          if misfits.last?.hasPrefix("\(name.abridged): ") != true { misfits.append("\(name.abridged): \(misfit)") }
        }
        changes.append(Change(layer: target.layer, rows: target.rows, name: name, module: module))
      }
    }
    self.changes = changes
    guard unknown.isEmpty, misfits.isEmpty else {
      let kind = file.family.map { $0 == title ? "" : "; it looks like one for \($0)" } ?? ""
      let target = "\(model), which is a \(title) model"
      let reason =
        if changes.isEmpty {
          "it changes no layer of \(target)\(kind); its layers are \(Self.list(unknown))"
        } else if !misfits.isEmpty {
          "its sizes do not match \(target)\(kind): \(Self.list(misfits, separator: "; "))"
        } else {
          "it has \(unknown.count) \(unknown.count == 1 ? "layer" : "layers") that are not in \(target)\(kind): "
            + Self.list(unknown)
        }
      throw .adapter(path: file.path, reason: reason)
    }
  }

  /// Adds the changes of this adapter after those of other adapters.
  ///
  /// - Parameters:
  ///   - patches: For each network of the model, the patches by names in code.
  ///   - multipliers: For each network, the factor from the prompt; 0 leaves the network unchanged.
  ///   - rankLimit: The rank that plain products are truncated to; nil for no limit.
  public func add(to patches: inout [[String: WeightPatch]], multipliers: [Float], rankLimit: Int?) {
    for change in changes where multipliers[change.layer.network] != 0 {
      func add(_ part: WeightPatch.Part, to tensor: String) {
        patches[change.layer.network][change.layer.name + tensor, default: WeightPatch()].append(
          WeightPatch.Step(
            file: file, module: change.module, name: change.name, part: part,
            multiplier: multipliers[change.layer.network], rankLimit: rankLimit, rows: change.rows))
      }
      if change.module.change != nil { add(.weight, to: ".weight") }
      if change.module.biasDifference != nil { add(.bias, to: ".bias") }
    }
  }

  /// The weights of a network that the adapter changes, by names in code.
  public func weights(ofNetwork network: Int) -> Set<String> {
    Set(changes.filter { $0.layer.network == network && $0.module.change != nil }.map { $0.layer.name + ".weight" })
  }

  private static func list(_ items: [String], separator: String = ", ") -> String {
    let limit = 5
    let more = items.count > limit ? " and \(items.count - limit) more" : ""
    return items.prefix(limit).joined(separator: separator) + more
  }
}

extension AdapterModule {
  /// Why the module cannot change a layer with these tensors; nil if it can.
  fileprivate func misfit(weight: [Int]?, bias: [Int]?, isSplit: Bool) -> String? {
    guard let weight, let rows = weight.first else { return "the layer has no weight" }
    let rowSize = weight.dropFirst().reduce(1, *)
    let found = weight.count == 1 ? "\(rows)" : "\(rows)x\(rowSize)"
    switch change {
    case .product, .hadamard, .kronecker, .difference:
      guard rowCount == rows, self.rowSize == rowSize else {
        return "changes \(rowCount ?? 0)x\(self.rowSize ?? 0) numbers of a weight of \(found)"
      }
    case .scaling(let tensor, let isOfInputs):
      let expected = isOfInputs ? (weight.count > 1 ? weight[1] : 0) : rows
      guard tensor.elementCount == expected else {
        return "scales \(tensor.elementCount) \(isOfInputs ? "inputs" : "outputs") of a weight of \(found)"
      }
    case nil: break
    }
    if let magnitude {
      let count = magnitude.tensor.elementCount
      guard weight.count > 1, count == (magnitude.isOfRows(rows) ? rows : weight[1]) else {
        return "has \(count) lengths for a weight of \(found)"
      }
      // The lengths of columns belong to the whole matrix, which is split in the model.
      if isSplit, !magnitude.isOfRows(rows) {
        return "has a length for each column of queries, keys and values together"
      }
    }
    if let biasDifference {
      guard let bias else { return "changes a bias, which the layer does not have" }
      guard biasDifference.elementCount == bias.reduce(1, *) else {
        return "changes \(biasDifference.elementCount) numbers of a bias of \(bias.reduce(1, *))"
      }
    }
    return nil
  }
}
