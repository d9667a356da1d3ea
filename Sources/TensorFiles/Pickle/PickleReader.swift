import Text

/// Reads a pickle as data: a stack machine that knows the instructions for values and containers, and the names of
/// `PickleGlobal`. Nothing is imported, called or run.
///
/// The limits here and the pickle's length bound time and memory, whatever the pickle contains: containers are kept as flat
/// lists, and a copy counts against a limit.
struct PickleReader {
  /// Longer pickles are refused. A training checkpoint of SDXL has one of about 5 MB; the numbers of tensors are not part of
  /// it.
  static let byteLimit = 32 << 20
  private static let instructionLimit = 2_000_000
  /// The limit of values that are copied from one container to another.
  private static let copyLimit = 2_000_000

  private var cursor: PickleCursor
  private var stack: [PickleValue] = []
  /// The height of the stack at each mark.
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]
  private var copiedCount = 0
  private var pickle = Pickle()

  /// Reads one pickle.
  ///
  /// - Parameters:
  ///   - bytes: The file from the pickle's first byte on, or only the pickle.
  ///   - base: The offset of the first of these bytes in the file.
  /// - Returns: The content of the pickle.
  /// - Throws: `PickleError`.
  static func read(_ bytes: UnsafeRawBufferPointer, base: Int = 0) throws(PickleError) -> Pickle {
    var reader = PickleReader(
      cursor: PickleCursor(UnsafeRawBufferPointer(rebasing: bytes.prefix(byteLimit)), base: base))
    try reader.run(isWhole: bytes.count <= byteLimit)
    return reader.pickle
  }

  private init(cursor: PickleCursor) { self.cursor = cursor }

  private mutating func run(isWhole: Bool) throws(PickleError) {
    for _ in 0..<Self.instructionLimit {
      guard !cursor.isAtEnd else {
        guard isWhole else {
          throw .refused("its pickle has more than \(Self.byteLimit >> 20) MiB, far more than a model's")
        }
        throw .damaged("its pickle ends without a STOP, after \(cursor.at) bytes")
      }
      let code = try cursor.byte()
      guard let opcode = PickleOpcode(rawValue: code) else {
        throw .refused(
          "its pickle has the unknown instruction 0x\(String(code, radix: 16)) at byte \(cursor.lastOffset)")
      }
      if opcode == .stop {
        pickle.root = try pop()
        pickle.byteCount = cursor.at
        return
      }
      try execute(opcode)
    }
    throw .refused("its pickle has more than \(Self.instructionLimit) instructions, far more than a model's")
  }

  private mutating func execute(_ opcode: PickleOpcode) throws(PickleError) {
    switch opcode {
    case .stop: break
    case .proto:
      let version = try cursor.byte()
      guard version <= 5 else { throw .damaged("its pickle has the protocol \(version), expected 0 to 5") }
    case .frame: _ = try cursor.count(UInt64.self)

    case .mark: marks.append(stack.count)
    case .pop:
      // Python drops a mark if there is one on top.
      if let mark = marks.last, mark == stack.count { marks.removeLast() } else { _ = try pop() }
    case .popMark: _ = try popToMark()
    case .dup: stack.append(try top())

    case .none: stack.append(.none)
    case .newtrue: stack.append(.bool(true))
    case .newfalse: stack.append(.bool(false))
    case .int: stack.append(try cursor.decimal(opcode))
    case .long: stack.append(try cursor.decimal(opcode))
    case .binint: stack.append(.integer(Int(Int32(truncatingIfNeeded: try cursor.number(UInt32.self)))))
    case .binint1: stack.append(.integer(Int(try cursor.byte())))
    case .binint2: stack.append(.integer(Int(try cursor.number(UInt16.self))))
    case .long1: stack.append(try cursor.long(Int(try cursor.byte())))
    case .long4: stack.append(try cursor.long(try cursor.count(UInt32.self)))
    case .float:
      let text = try cursor.line()
      guard let number = Double(text) else { throw .damaged("its pickle has the number '\(text.abridged)'") }
      stack.append(.float(number))
    case .binfloat: stack.append(.float(Double(bitPattern: UInt64(bigEndian: try cursor.number(UInt64.self)))))

    case .string: stack.append(.string(try cursor.quoted()))
    case .unicode: stack.append(.string(try cursor.line()))
    case .shortBinstring, .shortBinunicode: stack.append(.string(try cursor.string(Int(try cursor.byte()))))
    case .binstring, .binunicode: stack.append(.string(try cursor.string(try cursor.count(UInt32.self))))
    case .binunicode8: stack.append(.string(try cursor.string(try cursor.count(UInt64.self))))
    case .shortBinbytes: stack.append(.bytes(try cursor.range(Int(try cursor.byte()))))
    case .binbytes: stack.append(.bytes(try cursor.range(try cursor.count(UInt32.self))))
    case .binbytes8, .bytearray8: stack.append(.bytes(try cursor.range(try cursor.count(UInt64.self))))

    case .emptyTuple, .emptyList, .emptySet: push(sequence: [])
    case .tuple, .list, .frozenset: push(sequence: try popToMark())
    case .tuple1: push(sequence: try pop(1))
    case .tuple2: push(sequence: try pop(2))
    case .tuple3: push(sequence: try pop(3))
    case .append: try extend(try pop(1))
    case .appends, .additems: try extend(try popToMark())
    case .emptyDict: push(dictionary: [])
    case .dict: push(dictionary: try Self.pairs(try popToMark()))
    case .setitem: try set(try Self.pairs(try pop(2)))
    case .setitems: try set(try Self.pairs(try popToMark()))

    case .get:
      let text = try cursor.line()
      guard let index = Int(text) else { throw .damaged("its pickle asks for the value '\(text.abridged)'") }
      try recall(index)
    case .binget: try recall(Int(try cursor.byte()))
    case .longBinget: try recall(Int(try cursor.number(UInt32.self)))
    case .put:
      let text = try cursor.line()
      guard let index = Int(text), index >= 0 else { throw .damaged("its pickle keeps the value '\(text.abridged)'") }
      memo[index] = try top()
    case .binput: memo[Int(try cursor.byte())] = try top()
    case .longBinput: memo[Int(try cursor.number(UInt32.self))] = try top()
    case .memoize: memo[memo.count] = try top()

    case .global: try name(module: try cursor.line(), try cursor.line())
    case .stackGlobal:
      guard case .string(let name) = try pop(), case .string(let module) = try pop() else {
        throw .damaged("its pickle imports something that is not named by texts")
      }
      try self.name(module: module, name)
    case .reduce:
      let arguments = try pop()
      try call(try pop(), arguments)
    case .newobj:
      let arguments = try pop()
      try make(try pop(), arguments)
    case .build:
      let state = try pop()
      try build(try top(), state)
    case .binpersid: stack.append(try storage(try pop()))

    case .inst:
      let module = try cursor.line()
      let name = try cursor.line()
      throw .refused("its pickle makes \(module.abridged).\(name.abridged) by the instruction INST")
    case .obj, .newobjEx, .persid, .ext1, .ext2, .ext4, .nextBuffer, .readonlyBuffer:
      throw .refused(
        "its pickle has the instruction \(opcode.name), which no model needs, at byte \(cursor.lastOffset)")
    }
  }

  // MARK: Stack

  private func underflow() -> PickleError {
    .damaged("its pickle takes more values off its stack than are on it, at byte \(cursor.lastOffset)")
  }

  private func top() throws(PickleError) -> PickleValue {
    guard let top = stack.last, stack.count > marks.last ?? 0 else { throw underflow() }
    return top
  }

  private mutating func pop() throws(PickleError) -> PickleValue {
    let value = try top()
    stack.removeLast()
    return value
  }

  private mutating func pop(_ count: Int) throws(PickleError) -> [PickleValue] {
    guard stack.count - count >= marks.last ?? 0 else { throw underflow() }
    defer { stack.removeLast(count) }
    return Array(stack[(stack.count - count)...])
  }

  private mutating func popToMark() throws(PickleError) -> [PickleValue] {
    guard let mark = marks.popLast() else {
      throw .damaged("its pickle has no mark on its stack where it needs one, at byte \(cursor.lastOffset)")
    }
    defer { stack.removeLast(stack.count - mark) }
    return Array(stack[mark...])
  }

  private mutating func recall(_ index: Int) throws(PickleError) {
    guard let value = memo[index] else {
      throw .damaged("its pickle asks for the value \(index), which it has not kept")
    }
    stack.append(value)
  }

  private mutating func push(sequence values: [PickleValue]) {
    stack.append(.sequence(pickle.sequences.count))
    pickle.sequences.append(values)
  }

  private mutating func push(dictionary pairs: [(key: PickleValue, value: PickleValue)]) {
    stack.append(.dictionary(pickle.dictionaries.count))
    pickle.dictionaries.append(pairs)
  }

  private static func pairs(
    _ values: [PickleValue]
  ) throws(PickleError) -> [(key: PickleValue, value: PickleValue)] {
    guard values.count.isMultiple(of: 2) else { throw .damaged("its pickle has a dictionary with a key without value") }
    return stride(from: 0, to: values.count, by: 2).map { (values[$0], values[$0 + 1]) }
  }

  private mutating func extend(_ values: [PickleValue]) throws(PickleError) {
    switch try top() {
    case .sequence(let index): pickle.sequences[index] += values
    // An inert class that behaves like a list.
    case .object: break
    case let other: throw .damaged("its pickle appends to \(other.kind)")
    }
  }

  private mutating func set(_ pairs: [(key: PickleValue, value: PickleValue)]) throws(PickleError) {
    switch try top() {
    case .dictionary(let index): pickle.dictionaries[index] += pairs
    // An inert class that behaves like a dictionary.
    case .object: break
    case let other: throw .damaged("its pickle sets items of \(other.kind)")
    }
  }

  // MARK: Names

  private mutating func name(module: String, _ name: String) throws(PickleError) {
    guard let meaning = PickleGlobal(module: module, name: name) else {
      throw .refused("its pickle imports \(module.abridged).\(name.abridged)")
    }
    stack.append(.global(pickle.globals.count))
    pickle.globals.append(Pickle.Global(module: module, name: name, meaning: meaning))
  }

  private func global(_ value: PickleValue, _ use: String) throws(PickleError) -> Pickle.Global {
    guard case .global(let index) = value else { throw .refused("its pickle \(use) \(value.kind)") }
    return pickle.globals[index]
  }

  private func sequence(_ value: PickleValue?) -> [PickleValue]? {
    guard case .sequence(let index) = value else { return nil }
    return pickle.sequences[index]
  }

  private func integers(_ value: PickleValue?) -> [Int]? {
    guard let values = sequence(value), values.count <= 64 else { return nil }
    var integers: [Int] = []
    for case .integer(let integer) in values { integers.append(integer) }
    return integers.count == values.count ? integers : nil
  }

  private mutating func call(_ function: PickleValue, _ arguments: PickleValue) throws(PickleError) {
    let global = try global(function, "calls")
    guard let values = sequence(arguments) else {
      throw .damaged("its pickle calls \(global.module).\(global.name) with \(arguments.kind)")
    }
    switch global.meaning {
    case .rebuildTensor: stack.append(try tensor(values, elementType: nil))
    case .rebuildTypedTensor:
      guard values.count > 6, case .global(let index) = values[6],
        case .elementType(let type?) = pickle.globals[index].meaning
      else { throw .damaged("its pickle makes a tensor without a known element type") }
      stack.append(try tensor(values, elementType: type))
    case .rebuildParameter:
      guard case .tensor = values.first else {
        throw .damaged("its pickle makes a parameter of something that is not a tensor")
      }
      stack.append(values[0])
    case .rebuildFromType:
      guard values.count >= 3 else { throw .damaged("its pickle makes a tensor without arguments") }
      guard case .global(let index) = values[0], pickle.globals[index].meaning != .rebuildFromType else {
        throw .refused("its pickle makes a tensor by calling \(values[0].kind)")
      }
      try call(values[0], values[2])
    case .dictionary: push(dictionary: try pairs(of: values))
    case .sequence:
      let elements = sequence(values.first) ?? []
      try noteCopy(elements.count)
      push(sequence: elements)
    case .inert: pushObject()
    case .storage, .elementType: throw .refused("its pickle calls \(global.module).\(global.name)")
    }
  }

  /// The items of a dictionary, from the arguments of its class: none, a list of pairs or a dictionary. A factory of default
  /// values may come before them.
  private mutating func pairs(of arguments: [PickleValue]) throws(PickleError) -> [(
    key: PickleValue, value: PickleValue
  )] {
    var pairs: [(key: PickleValue, value: PickleValue)] = []
    for argument in arguments {
      switch argument {
      case .global, .none: continue
      case .dictionary(let index):
        try noteCopy(pickle.dictionaries[index].count)
        pairs += pickle.dictionaries[index]
      case .sequence(let index):
        try noteCopy(pickle.sequences[index].count)
        for element in pickle.sequences[index] {
          guard let pair = sequence(element), pair.count == 2 else {
            throw .damaged("its pickle makes a dictionary of elements that are not pairs")
          }
          pairs.append((pair[0], pair[1]))
        }
      default: throw .damaged("its pickle makes a dictionary of \(argument.kind)")
      }
    }
    return pairs
  }

  private mutating func noteCopy(_ count: Int) throws(PickleError) {
    copiedCount += count
    guard copiedCount <= Self.copyLimit else { throw .refused("its pickle copies more values than any model's") }
  }

  private mutating func pushObject() {
    stack.append(.object(pickle.objects.count))
    pickle.objects.append(Pickle.Object())
  }

  private mutating func make(_ value: PickleValue, _ arguments: PickleValue) throws(PickleError) {
    let global = try global(value, "makes an object of")
    guard sequence(arguments) != nil else {
      throw .damaged("its pickle makes \(global.module).\(global.name) of \(arguments.kind)")
    }
    switch global.meaning {
    case .dictionary, .sequence: try call(value, arguments)
    case .inert: pushObject()
    default: throw .refused("its pickle makes an object of \(global.module).\(global.name)")
    }
  }

  private mutating func build(_ value: PickleValue, _ state: PickleValue) throws(PickleError) {
    switch value {
    case .object(let index): pickle.objects[index].state = state
    // PyTorch stores attributes with a dictionary or a tensor; they are not needed.
    case .dictionary, .tensor: break
    default: throw .refused("its pickle sets the state of \(value.kind)")
    }
  }

  // MARK: Tensors

  private mutating func storage(_ id: PickleValue) throws(PickleError) -> PickleValue {
    guard let values = sequence(id), values.count >= 5, case .string("storage") = values[0],
      case .global(let index) = values[1], case .storage(let type) = pickle.globals[index].meaning,
      case .integer(let count) = values[4], count >= 0
    else { throw .damaged("its pickle refers to something outside it that is not a storage of numbers") }
    let key: String
    switch values[2] {
    case .string(let text): key = text
    case .integer(let number): key = String(number)
    default: throw .damaged("its pickle refers to a storage by \(values[2].kind)")
    }
    var storage = Pickle.Storage(key: key, elementType: type, count: count)
    if values.count > 5, let view = sequence(values[5]) {
      guard view.count == 3, case .integer(let offset) = view[1], offset >= 0, case .integer(let count) = view[2],
        count >= 0
      else { throw .damaged("its pickle has a view of the storage \(key.abridged) that cannot be read") }
      storage.viewOffset = offset
      storage.count = count
    }
    pickle.storages.append(storage)
    return .storage(pickle.storages.count - 1)
  }

  private mutating func tensor(
    _ arguments: [PickleValue], elementType: StoredElementType?
  ) throws(PickleError) -> PickleValue {
    guard arguments.count >= 4, case .storage(let storage) = arguments[0], case .integer(let offset) = arguments[1],
      let shape = integers(arguments[2]), let strides = integers(arguments[3])
    else { throw .damaged("its pickle makes a tensor of something other than storage, offset, shape and strides") }
    pickle.tensors.append(
      Pickle.Tensor(storage: storage, elementType: elementType, offset: offset, shape: shape, strides: strides))
    return .tensor(pickle.tensors.count - 1)
  }
}
