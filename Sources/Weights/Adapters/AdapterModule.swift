import TensorFiles
import Text

/// An adapter's change of one layer: it combines the module's tensors into a change of the layer's weight.
///
/// Sources: kohya's sd-scripts (LoRA, LoCon), LyCORIS (LoHa, LoKr, IA3, norms, DoRA), PEFT (DoRA per output), with the
/// scales of the webui.
struct AdapterModule: Sendable {
  /// How the change is computed. The weight is treated as a matrix with one row for each output.
  enum Change: Sendable {
    /// A product of two thin matrices: LoRA, LoCon.
    case product(AdapterProduct)
    /// Two such products, multiplied element by element: LoHa.
    case hadamard(AdapterProduct, AdapterProduct)
    /// A Kronecker product: each number of the first matrix times the whole second matrix: LoKr.
    case kronecker(AdapterFactor, AdapterFactor)
    /// The change itself: full differences, and those of norms.
    case difference(StoredTensor)
    /// The weight times a factor for each output or input: IA3.
    case scaling(StoredTensor, isOfInputs: Bool)
  }

  /// The change of the layer's weight; nil if only the bias changes.
  let change: Change?
  /// The change that is added to the layer's bias.
  let biasDifference: StoredTensor?
  /// The factor of the weight's change, in addition to the one in the prompt: alpha/rank.
  let scale: Float
  /// The same for the bias.
  let biasScale: Float
  /// The rank that alpha is divided by; nil for a change without a rank.
  let rank: Int?
  /// The alpha in the file; nil if it has none.
  let alpha: Float?
  /// The lengths that the rows or columns of the changed weight are scaled to: DoRA.
  let magnitude: Magnitude?

  /// The lengths that DoRA learnt. PEFT's are for rows; those of kohya and LyCORIS are for rows or columns, depending on their
  /// shape.
  struct Magnitude: Sendable {
    let tensor: StoredTensor
    /// Whether they are for rows, whatever their shape.
    let isOfOutputs: Bool

    /// Whether they are the lengths of the rows of a weight with this many outputs.
    func isOfRows(_ rows: Int) -> Bool { isOfOutputs || (tensor.shape.first == rows && tensor.elementCount == rows) }
  }

  /// Combines the tensors of one layer.
  ///
  /// - Parameters:
  ///   - path: The file, for messages.
  ///   - name: The layer's name in the file.
  ///   - parts: The layer's tensors.
  ///   - settings: PEFT's settings, with the scales of modules without an alpha.
  /// - Throws: `WeightError.adapter` for parts that cannot be combined.
  init(
    path: String, name: String, parts: [AdapterPart: StoredTensor], settings: PEFTSettings
  ) throws(WeightError) {
    func fault(_ reason: String) -> WeightError { .adapter(path: path, reason: "\(name.abridged) \(reason)") }
    func has(_ wanted: AdapterPart...) -> Bool { wanted.allSatisfy { parts[$0] != nil } }
    func part(_ wanted: AdapterPart) throws(WeightError) -> StoredTensor {
      guard let tensor = parts[wanted] else { throw fault("has no \(wanted.rawValue)") }
      guard tensor.elementType.isReadable else {
        throw .file(.elementType(path: path, name: tensor.name, found: tensor.elementType.rawValue))
      }
      guard tensor.shape.count <= 4, tensor.elementCount > 0 else {
        throw fault("has the shape \(tensor.shape), expected one of 1 to 4 sizes that are not zero")
      }
      return tensor
    }
    var rest = Set(parts.keys).subtracting([.alpha, .scale, .magnitude, .outputMagnitude, .biasDifference, .upBias])
    func use(_ used: AdapterPart...) { rest.subtract(used) }

    var rank: Int?
    if has(.down) || has(.up) {
      let product = try AdapterProduct(
        left: part(.up), core: has(.mid) ? part(.mid) : nil, right: part(.down), isLeftTransposed: false, fault: fault)
      change = .product(product)
      rank = product.rank
      use(.up, .down, .mid)
    } else if has(.tableUp) || has(.tableDown) {
      // In PEFT, a table with one row for each token has its two matrices swapped.
      let (rows, columns) = (try part(.tableDown), try part(.tableUp))
      guard rows.shape.count == 2, columns.shape.count == 2 else {
        throw fault("has matrices of the shapes \(rows.shape) and \(columns.shape), expected two sizes each")
      }
      let product = try AdapterProduct(
        left: rows, core: nil, right: columns.transposed(), isLeftTransposed: true, fault: fault)
      change = .product(product)
      rank = product.rank
      use(.tableUp, .tableDown)
    } else if has(.hada1A) || has(.hada1B) || has(.hada2A) || has(.hada2B) {
      func product(_ a: AdapterPart, _ core: AdapterPart, _ b: AdapterPart) throws(WeightError) -> AdapterProduct {
        try AdapterProduct(
          left: part(a), core: has(core) ? part(core) : nil, right: part(b), isLeftTransposed: has(core), fault: fault)
      }
      let first = try product(.hada1A, .hada1Core, .hada1B)
      let second = try product(.hada2A, .hada2Core, .hada2B)
      guard first.rowCount == second.rowCount, first.rowSize == second.rowSize else {
        throw fault("has two products of different sizes")
      }
      change = .hadamard(first, second)
      rank = first.rank
      use(.hada1A, .hada1B, .hada1Core, .hada2A, .hada2B, .hada2Core)
    } else if rest.contains(where: { $0.rawValue.hasPrefix("lokr_") }) {
      func factor(
        _ whole: AdapterPart, _ a: AdapterPart, _ b: AdapterPart, core: AdapterPart?
      ) throws(WeightError) -> AdapterFactor {
        if has(whole) { return .whole(try part(whole)) }
        let middle = try core.flatMap { has($0) ? $0 : nil }.map { (core) throws(WeightError) in try part(core) }
        return .product(
          try AdapterProduct(
            left: part(a), core: middle, right: part(b), isLeftTransposed: middle != nil, fault: fault))
      }
      let first = try factor(.lokr1, .lokr1A, .lokr1B, core: nil)
      let second = try factor(.lokr2, .lokr2A, .lokr2B, core: .lokr2Core)
      change = .kronecker(first, second)
      rank = second.rank ?? first.rank
      use(.lokr1, .lokr1A, .lokr1B, .lokr2, .lokr2A, .lokr2B, .lokr2Core)
    } else if has(.difference) {
      change = .difference(try part(.difference))
      use(.difference)
    } else if has(.normDifference) {
      change = .difference(try part(.normDifference))
      use(.normDifference)
    } else if has(.scaling) {
      guard has(.scalesInput) else {
        throw fault(
          "has a whole weight, as PEFT writes it with modules_to_save, which is not supported by this version (an IA3 "
            + "has on_input too)")
      }
      let flag = try parts[.scalesInput].map { (tensor) throws(WeightError) in try tensor.scalar() }
      change = .scaling(try part(.scaling), isOfInputs: flag ?? 0 != 0)
      use(.scaling, .scalesInput)
    } else {
      change = nil
    }
    let biases = [AdapterPart.biasDifference, .normBiasDifference, .upBias].filter { has($0) }
    guard biases.count < 2 else { throw fault("is of two kinds: it has \(Self.list(parts.keys))") }
    biasDifference = try biases.first.map { (found) throws(WeightError) in try part(found) }
    use(.normBiasDifference)
    guard change != nil || biasDifference != nil else { throw fault("has no weights, only \(Self.list(parts.keys))") }
    guard rest.isEmpty else { throw fault("is of two kinds: it has \(Self.list(parts.keys))") }
    if has(.outputMagnitude) {
      magnitude = Magnitude(tensor: try part(.outputMagnitude), isOfOutputs: true)
    } else {
      magnitude = try has(.magnitude) ? Magnitude(tensor: part(.magnitude), isOfOutputs: false) : nil
    }

    self.rank = rank
    let ownAlpha = rank == nil ? nil : try parts[.alpha].map { (tensor) throws(WeightError) in try tensor.scalar() }
    let peft: PEFTSettings.Scale?
    do throws(PEFTSettings.Misfit) {
      let isProduct = rank != nil || rest.isEmpty && parts.keys.contains { $0.rawValue.hasPrefix("lokr_") }
      peft =
        isProduct && ownAlpha == nil
        ? try settings.scale(of: name, rank: rank, hasMagnitude: has(.outputMagnitude)) : nil
    } catch {
      throw fault(error.reason)
    }
    alpha = ownAlpha ?? peft?.alpha
    if let scale = parts[.scale] {
      self.scale = try scale.scalar()
    } else if let rank, let ownAlpha {
      self.scale = ownAlpha / Float(rank)
    } else {
      self.scale = peft?.factor ?? 1
    }
    biasScale = biases.first == .upBias ? self.scale : 1
    if has(.upBias) {
      guard rank != nil, magnitude == nil else { throw fault("is a DoRA with a bias, which PEFT does not know") }
    }
    guard scale.isFinite else { throw fault("has the scale \(scale), expected a finite number") }
  }

  /// The number of outputs of the layer; nil if the change does not determine it.
  var rowCount: Int? {
    switch change {
    case .product(let product), .hadamard(let product, _): product.rowCount
    case .kronecker(let first, let second): first.rowCount * second.rowCount
    case .difference(let tensor): tensor.shape.first
    case .scaling, nil: nil
    }
  }

  /// The number of weights for each output of the layer; nil if the change does not determine it.
  var rowSize: Int? {
    switch change {
    case .product(let product), .hadamard(let product, _): product.rowSize
    case .kronecker(let first, let second): first.rowSize * second.rowSize
    case .difference(let tensor): tensor.shape.first.map { tensor.elementCount / $0 }
    case .scaling, nil: nil
    }
  }

  private static func list(_ parts: some Sequence<AdapterPart>) -> String {
    parts.map(\.rawValue).sorted().joined(separator: ", ")
  }
}

/// A product of thin matrices with the size of a weight: left · right, or left · (core · right).
///
/// The core is a small convolution between two ranks (Tucker's form): core[n, m, taps] · right[m, inputs] summed over m.
struct AdapterProduct: Sendable {
  let left: StoredTensor
  let core: StoredTensor?
  let right: StoredTensor
  /// Whether the left matrix has one column for each output instead of one row.
  let isLeftTransposed: Bool

  /// The number of outputs.
  let rowCount: Int
  /// The number of weights for each output.
  let rowSize: Int
  /// The number of columns of the left matrix, which the product sums over.
  let innerCount: Int
  /// The rank that alpha is divided by.
  let rank: Int

  init(
    left: StoredTensor, core: StoredTensor?, right: StoredTensor, isLeftTransposed: Bool,
    fault: (String) -> WeightError
  ) throws(WeightError) {
    self.left = left
    self.core = core
    self.right = right
    self.isLeftTransposed = isLeftTransposed
    let leftRows = left.shape[0]
    let leftColumns = left.elementCount / leftRows
    rowCount = isLeftTransposed ? leftColumns : leftRows
    innerCount = isLeftTransposed ? leftRows : leftColumns
    rank = right.shape[0]
    let rightSize = right.elementCount / right.shape[0]
    if let core {
      guard core.shape.count == 4, core.shape[0] == innerCount, core.shape[1] == rank else {
        throw fault(
          "has a core of the shape \(core.shape), expected [\(innerCount), \(rank), height, width] between "
            + "\(left.shape) and \(right.shape)")
      }
      let (size, overflow) = rightSize.multipliedReportingOverflow(by: core.shape[2] * core.shape[3])
      guard !overflow else { throw fault("has a core of the shape \(core.shape), which is too large") }
      rowSize = size
    } else {
      guard innerCount == rank else {
        throw fault("has matrices of the shapes \(left.shape) and \(right.shape), whose ranks differ")
      }
      rowSize = rightSize
    }
  }
}

/// One of the two matrices of a Kronecker product.
enum AdapterFactor: Sendable {
  case whole(StoredTensor)
  case product(AdapterProduct)

  var rowCount: Int {
    switch self {
    case .whole(let tensor): tensor.shape[0]
    case .product(let product): product.rowCount
    }
  }

  var rowSize: Int {
    switch self {
    case .whole(let tensor): tensor.elementCount / tensor.shape[0]
    case .product(let product): product.rowSize
    }
  }

  /// The rank that alpha is divided by; nil for a matrix that is stored whole.
  var rank: Int? {
    if case .product(let product) = self { product.rank } else { nil }
  }
}

extension StoredTensor {
  /// The single number of a tensor. It may be an integer, which some programs write for alpha.
  ///
  /// Throws `WeightError.misshapen` for more than one number, and `.file` for one that cannot be read.
  func scalar() throws(WeightError) -> Float {
    guard elementCount == 1 else { throw .misshapen(path: path, name: name, found: shape, expected: [1]) }
    if elementType.isReadable { return try WeightError.wrapping(try floats())[0] }
    let number: Float? = try WeightError.wrapping(
      try withRawBytes { bytes in
        switch elementType {
        case .i64: Float(Int64(littleEndian: bytes.loadUnaligned(as: Int64.self)))
        case .i32: Float(Int32(littleEndian: bytes.loadUnaligned(as: Int32.self)))
        case .bool, .u8: Float(bytes.loadUnaligned(as: UInt8.self))
        default: nil
        }
      })
    guard let number else { throw .file(.elementType(path: path, name: name, found: elementType.rawValue)) }
    return number
  }
}
