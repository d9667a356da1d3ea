/// What a pickle may import: an explicit list. Everything else is refused by name.
///
/// Nothing is ever imported or called: each name has a fixed meaning in the reader. Everything besides tensors in a model file
/// (numpy's numbers, callbacks and settings of PyTorch Lightning) is kept as an object without meaning.
enum PickleGlobal: Hashable {
  /// `torch._utils._rebuild_tensor_v2` and its relatives: a view of a storage.
  case rebuildTensor
  /// The same with an explicit element type: `_rebuild_tensor_v3`.
  case rebuildTypedTensor
  /// Wraps a tensor: `_rebuild_parameter`.
  case rebuildParameter
  /// Calls one of the others: `torch._tensor._rebuild_from_type_v2`.
  case rebuildFromType
  /// The class of a storage with its element type; nil for untyped bytes.
  case storage(StoredElementType?)
  /// A `torch.dtype`; nil for types that weights do not have.
  case elementType(StoredElementType?)
  /// A dictionary: `OrderedDict` and others.
  case dictionary
  /// A list, tuple or set.
  case sequence
  /// A class or function that is accepted but ignored: it may be named, created and filled.
  case inert

  /// The meaning of `module.name`; nil for names that are not on the list.
  init?(module: String, name: String) {
    if let known = Self.named["\(module).\(name)"] {
      self = known
    } else if Self.storageModules.contains(module), let type = Self.storages[name] {
      self = .storage(type)
    } else if module == "torch", let type = Self.elementTypes[name] {
      self = .elementType(type)
    } else if Self.inertNames[module]?.contains(name) == true {
      self = .inert
    } else {
      return nil
    }
  }

  private static let named: [String: PickleGlobal] = [
    "torch._utils._rebuild_tensor": .rebuildTensor,
    "torch._utils._rebuild_tensor_v2": .rebuildTensor,
    "torch._utils._rebuild_tensor_v3": .rebuildTypedTensor,
    "torch._utils._rebuild_parameter": .rebuildParameter,
    "torch._utils._rebuild_parameter_with_state": .rebuildParameter,
    "torch._tensor._rebuild_from_type_v2": .rebuildFromType,
    "torch.storage.UntypedStorage": .storage(nil),
    "torch.UntypedStorage": .storage(nil),
    "collections.OrderedDict": .dictionary,
    "collections.defaultdict": .dictionary,
    "collections.Counter": .dictionary,
    "__builtin__.dict": .dictionary,
    "builtins.dict": .dictionary,
    "__builtin__.set": .sequence,
    "builtins.set": .sequence,
    "__builtin__.frozenset": .sequence,
    "builtins.frozenset": .sequence,
    "__builtin__.list": .sequence,
    "builtins.list": .sequence,
    "__builtin__.tuple": .sequence,
    "builtins.tuple": .sequence,
    "torch.Size": .sequence,
  ]

  private static let storageModules: Set<String> = ["torch", "torch.cuda"]

  private static let storages: [String: StoredElementType] = [
    "FloatStorage": .f32, "HalfStorage": .f16, "BFloat16Storage": .bf16, "DoubleStorage": .f64, "LongStorage": .i64,
    "IntStorage": .i32, "ShortStorage": .i16, "CharStorage": .i8, "ByteStorage": .u8, "BoolStorage": .bool,
    "ComplexFloatStorage": .c64, "ComplexDoubleStorage": .c128,
  ]

  private static let elementTypes: [String: StoredElementType?] = [
    "float32": .f32, "float": .f32, "float16": .f16, "half": .f16, "bfloat16": .bf16, "float64": .f64, "double": .f64,
    "int64": .i64, "long": .i64, "int32": .i32, "int": .i32, "int16": .i16, "short": .i16, "int8": .i8, "uint8": .u8,
    "uint16": .u16, "uint32": .u32, "uint64": .u64, "bool": .bool, "complex64": .c64, "complex128": .c128,
    "float8_e4m3fn": .f8E4M3, "float8_e5m2": .f8E5M2, "float8_e4m3fnuz": .f8E4M3FNUZ, "float8_e5m2fnuz": .f8E5M2FNUZ,
    "float8_e8m0fnu": .f8E8M0,
  ]

  private static let callbacks: Set<String> = [
    "ModelCheckpoint", "EarlyStopping", "LearningRateMonitor", "StochasticWeightAveraging",
  ]

  private static let builtins: Set<String> = ["int", "float", "str", "bool", "complex", "bytes", "bytearray", "object"]

  private static let settings: Set<String> = ["AttributeDict"]

  private static let inertNames: [String: Set<String>] = [
    "__builtin__": builtins.union(["long", "unicode"]),
    "builtins": builtins,
    "_codecs": ["encode"],
    "copy_reg": ["_reconstructor"],
    "copyreg": ["_reconstructor"],
    "numpy": ["dtype", "ndarray", "float64", "float32", "int64", "int32", "bool_"],
    "numpy.core.multiarray": ["scalar", "_reconstruct"],
    "numpy._core.multiarray": ["scalar", "_reconstruct"],
    "numpy.dtypes": [
      "Float64DType", "Float32DType", "Float16DType", "Int64DType", "Int32DType", "UInt8DType", "BoolDType",
    ],
    "torch": ["device", "Tensor", "strided", "contiguous_format", "preserve_format"],
    "torch.serialization": ["_get_layout"],
    "torch.nn.parameter": ["Parameter"],
    "torch.nn.modules.container": ["ParameterDict", "ParameterList"],
    "pytorch_lightning.callbacks": callbacks,
    "pytorch_lightning.callbacks.model_checkpoint": callbacks,
    "pytorch_lightning.callbacks.early_stopping": callbacks,
    "pytorch_lightning.callbacks.lr_monitor": callbacks,
    "pytorch_lightning.utilities.parsing": settings,
    "lightning.pytorch.callbacks.model_checkpoint": callbacks,
    "lightning.pytorch.callbacks.early_stopping": callbacks,
    "lightning.pytorch.callbacks.lr_monitor": callbacks,
    "lightning_fabric.utilities.data": settings,
    "lightning.fabric.utilities.data": settings,
    "argparse": ["Namespace"],
    "typing": ["Any"],
    "omegaconf.dictconfig": ["DictConfig"],
    "omegaconf.listconfig": ["ListConfig"],
    "omegaconf.base": ["Metadata", "ContainerMetadata"],
    "omegaconf.nodes": ["AnyNode", "StringNode", "IntegerNode", "FloatNode", "BooleanNode"],
  ]
}
