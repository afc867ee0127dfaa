"""Differences that are meant, each with its reason, matched as narrowly as they are known.

An entry names the functions it is of, and what one of both sides says or gives there; what matches none is a defect.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """One reason; every pattern must be found in its part of a Difference."""

    reason: str
    target: str = ""
    aspect: str = ""
    ours: str = ""
    theirs: str = ""
    call: str = ""

    def matches(self, difference):
        return all(
            re.search(getattr(self, part), getattr(difference, part))
            for part in ("target", "aspect", "ours", "theirs", "call")
        )


OURS, THEIRS, TYPE = "^only the engine raises$", "^only PyTorch raises$", "^type of error$"
IN_PLACE_TESTS = r"^Tensor\.(eq|ne|lt|le|gt|ge|greater|greater_equal|less|less_equal|not_equal)_$"
ACTIVATIONS = r"\.(hardshrink|softshrink|hardtanh|relu6|elu|celu|selu|mish|gelu|silu|hardswish|softplus|logsigmoid|softsign|tanhshrink|Hardshrink|Softshrink|Hardtanh|ReLU6|ELU|CELU|SELU|Mish|GELU|SiLU|Hardswish|Softplus|LogSigmoid)_?$"

# ---- reasons that several entries have
OVERFLOW = "a number that does not fit into the integer dtype is refused or taken by its value; PyTorch wraps it around"
DTYPES = "the engine computes where PyTorch has no kernel for the dtype"
NONE = "None stands for the default"
FLAG = "a flag is True or False here, where PyTorch's Python functions take anything for true or false"
BOOL = "True and False are no sizes, axes or orders here"
FLOATS = (
    "images, weights and what is to be dropped are floats here; PyTorch has a few of these functions for integers too"
)
AGREE = "dtypes must agree here; PyTorch mixes some"
EMPTY = "where there is nothing to compute, PyTorch does not look at dtypes and shapes"
NUMPYS = "NumPy's integers count as integers; PyTorch's Python code stumbles over them, or prints them"
LAX = "arguments without meaning are refused; PyTorch looks at them later, or never"
EARLY = "PyTorch's Python code stumbles over the wrong type with an error of another type"
OTHER = "of two mistakes the other is told"
TIES = "of equal values PyTorch takes now the first, now another"
ZEROS = "no gradient where PyTorch gives one of nothing but zeros, or the other way round"
INFINITE = (
    "among infinities and nans PyTorch's formulas multiply in another order, and its vectors and its scalars differ"
)

KNOWN = [
    # ---- integers
    Known(OVERFLOW, aspect=OURS, ours=r"RuntimeError: .*-?\d+ does not fit into u?int"),
    Known(OVERFLOW, aspect=TYPE, ours=r"RuntimeError: .*-?\d+ does not fit into u?int"),
    Known(OVERFLOW, target=r"\.(_*(eq|ne|lt|le|gt|ge)_*|greater|greater_equal|less|less_equal|not_equal)_?$", aspect="values", call=r"<u?int.*=-?\d+\)"),
    Known(OVERFLOW, aspect="values", target=r"(hinge_embedding_loss|HingeEmbeddingLoss|soft_margin_loss|SoftMarginLoss)$", call="<uint8"),
    Known(OVERFLOW, aspect=THEIRS, theirs=r"cannot be converted to type u?int\w+ without overflow", call=r"=-?\d*\.\d+|<float\d+\[\]( \w+)* -?\d"),
    Known(EMPTY, aspect=OURS, ours="cannot be converted to u?int\\w* without overflow", call=r"index=<int64\[(\d+, )*0"),
    Known("for integers PyTorch cuts a scale that is no integer without a word", target=r"\.addcmul_?$", aspect=OURS, ours="for integer operands alpha must be an integer"),
    Known("PyTorch scales integers in single precision in this gradient", target=r"\.addcmul_?$", aspect="gradient .: values, off", call="<u?int"),
    Known("PyTorch squares integers in their own dtype in this gradient, where they overflow", target=r"\.(atan2|arctan2)_?$", aspect="gradient", call="<u?int(8|16)"),
    Known("PyTorch's square of a huge number overflows in this gradient", target=r"\.(atan2|arctan2)_?$", aspect="gradient", call=r"e\+30"),
    Known("PyTorch's median of no integers is the smallest integer there is", target=r"\.median$", aspect=OURS, ours="at least one element"),
    # ---- dtypes
    Known(DTYPES, aspect=THEIRS, theirs=r"not implemented for '"),
    Known(DTYPES, aspect=THEIRS, theirs=r"does not support bool|not support bool dtypes|with a bool tensor is not supported|on a bool tensor is not supported"),
    Known(DTYPES, aspect=THEIRS, theirs="Autograd not support dtype|result type \\w+ can't be cast to the desired output type (Int|Long|Byte|Bool|Short|Char)|expected scalar type Long but found|expected target dtype to be Long or Byte|convertible without narrowing|could not infer output dtype"),
    Known(DTYPES, aspect=TYPE, theirs=r"not implemented for '|expected scalar type Long but found"),
    Known(DTYPES, aspect=THEIRS, theirs="Index put requires the source and destination dtypes match|Expected a floating point or complex tensor as input"),
    Known(DTYPES, target="^Tensor.cum(sum|prod)_$", aspect=f"{OURS}|{TYPE}", ours="result type int64 can't be cast", call="<bool"),
    Known("positions may be int32, and negative where dim is left out", target=r"\.take_along_dim$", aspect=THEIRS, theirs="dtype of indices should be Long|index -\\d+ is out of bounds"),
    Known("positions may be int32", target=r"\.index_\w+$", aspect=THEIRS, theirs="Expected a long tensor for index|Expected dtype int64 for index"),
    Known("counts of nothing have the dtype of their weights", target=r"\.bincount$", aspect="^result: dtype"),
    Known(FLOATS, aspect=OURS, ours=r"(got (input|weight|bias) of dtype (u?int|bool)|not implemented for (input of dtype )?(u?int|bool))", target=r"(pool|Pool|conv|Conv|unfold|Unfold|fold|Fold|dropout|Dropout|embedding|Embedding|interpolate|Upsampl|upsample|softmax|Softmax|Softmin|pow_?$|__pow__|local_response|LocalResponse)"),
    Known(FLOATS, target="([aA]lpha_?[dD]ropout)$", aspect="dtype float32, PyTorch's (u?int|bool)"),
    Known(OVERFLOW, target=r"\.lerp_?$", aspect="values", call="weight=<u?int"),
    Known("norms of singular values are not offered", target=r"^linalg\.", aspect=OURS, ours="singular values"),
    Known("'fro' is 2, of any axes", target=r"\.norm$", aspect=THEIRS, theirs="dim must be a 2-tuple"),
    Known("one position is a cut too", target=r"\.tensor_split$", aspect=THEIRS, call=r"indices: -?\d+\]"),
    Known("a variance of as many numbers as the input, and numbers alone, go", target=r"(GaussianNLLLoss|gaussian_nll_loss)$", aspect=THEIRS, theirs="var is of incorrect size"),
    Known(AGREE, aspect=OURS, ours=r"they must agree|expected both to have the same dtype|rms_norm got weight|and dtype \w+, expected .* and \w+|expected one dtype"),
    Known("the dtype of a loss is that of all that it is made of", target=r"(Loss|_loss|binary_cross_entropy|binary_cross_entropy_with_logits|\.lerp)$", aspect="dtype"),
    Known("PyTorch computes this loss of integers in single precision", target=r"(poisson_nll_loss|PoissonNLLLoss)$", aspect="values", call="<(bool|u?int)"),
    Known(FLOATS, target="[aA]lpha_?[dD]ropout$", aspect=OURS, ours="can't be cast to the tensor's type"),
    Known(AGREE, target=r"\.linear$", aspect=OURS, ours="got bias of dtype"),
    Known(AGREE, target=r"_norm$", aspect=OURS, ours="got running_(mean|var) of dtype"),
    # ---- arguments taken, and not
    Known(NONE, aspect=THEIRS, theirs="TypeError|KeyError|ValueError", call=r": None\]|NoneType for a tensor"),
    Known(NONE, aspect=OURS, ours="TypeError", call=r"(requires_grad|argument \d): None\]"),
    Known("in place with a dtype: computed in it and converted back", target=r"^Tensor\.cum(sum|prod)_$", aspect=THEIRS, theirs="Bad in-place call"),
    Known(FLAG, aspect=f"{OURS}|{TYPE}", ours="TypeError.* must be a bool"),
    Known(FLAG, aspect=f"{THEIRS}|{TYPE}", theirs="TypeError", call=r"(non_blocking|copy|align_corners|allow_unused|materialize_grads|retain_graph|create_graph|memory_format|training|as_tuple|sparse): "),
    Known(BOOL, aspect=f"{OURS}|{TYPE}", ours="TypeError|DtypeError|bool operands are not supported", call=r": True\]"),
    Known("True as the size of a random tensor is 1", aspect=THEIRS, target=r"\.(rand|randn|randint|normal)$", call=r"size: (item \d: )?(True|\d+)\]"),
    Known("var(True) is unbiased, by any name", target=r"\.(var|std)(_mean)?$", aspect=THEIRS, theirs="TypeError", call=r"dim: True\]|dim is left out"),
    Known("images of no channels and no batch are empty, not wrong", aspect=THEIRS, theirs=r"Expected [23]D or [34]D.*\[0, ", target="(pool|Pool|pad|Pad)"),
    Known("images have one or two axes here, and three where they are padded", aspect=f"{OURS}|{TYPE}", ours="NotImplementedError", target="(interpolate|upsample|Upsampl)"),
    Known(EMPTY, target=r"\.(addmm|baddbmm|addmv)_?$", aspect="not finite", call=r"\b0\].*alpha: (inf|nan)\]"),
    Known(EMPTY, target="scatter_?$", aspect=THEIRS, call=r"index=<int64\[.*\b0\b.*for a tensor\]"),
    Known(EMPTY, target="Dropout.?d?$", aspect="gradient 0: missing", call=r"<\w+\[0"),
    Known(EMPTY, aspect=OURS, ours=r"(output_padding|dtype|shape|not implemented|[dD]imension|as many as)", call=r"<\w+\[[\d, ]*\b0\b"),
    Known(NUMPYS, aspect=THEIRS, call=r"np\.(int|float)"),
    Known(NUMPYS, aspect="value$", call=r"np\.(int|float)"),
    Known("keepdim goes without dim", aspect=THEIRS, theirs="TypeError", call="dim is left out"),
    Known("a number may come first", target=r"^engine\.(eq|ne|lt|le|gt|ge|greater|greater_equal|less|less_equal|not_equal|fmod|remainder)$", aspect=THEIRS, theirs="TypeError", call="(bool|int|float) for a tensor"),
    Known("torch.dropout has defaults here, those of nn.functional.dropout", target=r"^engine\.dropout$", aspect=THEIRS, theirs="missing 1 required|must be (float|bool)"),
    Known("padding 'same' goes with strides, and a tuple of one number stands for all axes", aspect=THEIRS, theirs="padding='same' is not supported for strided|expected 2, got 1|must be Tensor, not (list|tuple)|exactly two elements|containing 1 or 3 elements|to match the convolution dimensions|Padding size 2|Padding length must be divisible|It is expected \\w+ equals to 2"),
    Known("an output of a window that has no element is refused", aspect=OURS, ours="nothing is left along the"),
    Known("one size stands for a tuple of one", aspect=f"{THEIRS}|{TYPE}", theirs="must be tuple of ints, not int"),
    Known("arange(None, end) counts from 0", target=r"\.arange$", aspect=TYPE, call="start: None"),
    Known("two ellipses are refused, as by NumPy", target=r"\.__[gs]etitem__$", aspect=OURS, ours="single ellipsis"),
    Known("positions are integers", target=r"\.__[gs]etitem__$", aspect=OURS, ours="must be of an integer dtype or bool", call="ndarray for a tensor"),
    Known("a normal distribution has a standard deviation of 1", target=r"\.normal$", aspect=THEIRS, call="std is left out"),
    Known("layers of no channel are refused", target=r"^nn\.(Lazy)?Conv", aspect=OURS, ours="must be a positive integer, got 0"),
    Known("a bias of one number is not spread over all outputs", target=r"\.linear$", aspect=OURS, ours="a bias of shape"),
    Known("numbers and Tensors are not mixed as limits", target=r"\.(clamp|clip)_?$", aspect=OURS, ours="two numbers or two Tensors"),
    Known("windows of no element are refused", target=r"^Tensor\.unfold$", aspect=OURS, ours="size must lie in 1 to"),
    Known("an empty name is no device, and none is none", aspect=THEIRS, theirs="Device string must not be empty"),
    Known("a mask of dropout over channels needs channels, used or not", target="(dropout|Dropout)", aspect=OURS, ours="expects an input"),
    Known("labels have the shape of the scores without their classes", target="(multi_margin_loss|MultiMarginLoss)$", aspect=OURS, ours="labels of shape"),
    Known("a tuple of one number stands for all axes", target=r"^nn\.", aspect=r"^result\[0\]: value$", theirs=r"\(\d+,\)"),
    Known("a list may be assigned, and a Tensor without dimensions be added", target=r"^(Tensor|engine)\.(__setitem__|index_add_?)$", aspect=f"{THEIRS}|{TYPE}", theirs="can't assign a list|source tensor shape must match"),
    Known("a tensor without dimensions can be unflattened, as flattened", target=r"\.(unflatten|Unflatten)$", aspect=THEIRS),
    Known("the names of types begin with the engine's", target="__format__$", aspect="^result: value$", theirs="dtype=torch"),
    Known("the names of types begin with the engine's", target=r"^Tensor\.type$", aspect="^result: value$", ours="'engine."),
    Known("numbers alone are not divided", target=r"^engine\.(div|divide|true_divide|mul|multiply|add|sub|subtract)$", aspect=OURS, call="for a tensor"),
    Known("tuples are not repeated by integer tensors", target="__r?mul__$", aspect=OURS, call=r"\["),
    Known("dim=() stands for all axes", target=r"^linalg\.", aspect=f"{THEIRS}|{TYPE}", call=r"dim=(\(\)|\[\])"),
    Known("-1 stands for the size of an axis that is there", target=r"\.(expand|broadcast_to)$", aspect=OURS, ours="cannot be expanded"),
    Known("counting down goes without a start", target=r"\.arange$", aspect=f"{THEIRS}|{TYPE}", theirs="TypeError", call="(start|end) is left out"),
    Known(LAX, target="^Tensor.to$", aspect=f"{OURS}|{TYPE}", call=r": (1.5|3|)\]|device: ''|nonsense|_other: "),
    Known(LAX, target=r"\.(as_tensor|tensor|asarray|multi_margin_loss|MultiMarginLoss|AvgPool.d)$", aspect=OURS, ours="DataError|ShapeError"),
    Known(LAX, target="(Hardtanh|hardtanh_?|Unflatten|NLLLoss|nll_loss|CrossEntropyLoss|cross_entropy|GaussianNLLLoss|gaussian_nll_loss|MaxUnpool.d|max_unpool.d|AdaptiveAvgPool2d|adaptive_avg_pool2d|orthogonal_?)$", aspect=OURS),
    Known("a gain in a list is a gain", target="orthogonal_?$", aspect=THEIRS, call="gain: "),
    Known(LAX, target=r"^optim\.", aspect=OURS, ours="ValueError|TypeError"),
    Known(LAX, target=r"(InstanceNorm|BatchNorm|LayerNorm|RMSNorm|GroupNorm)\d?d?$", aspect=OURS, ours="(TypeError|ShapeError|ValueError)"),
    Known(LAX, target=r"^nn\.(Parameter|functional.bilinear|ZeroPad.d|ConstantPad.d)$", aspect=OURS),
    Known("a variance may be a number", target="(GaussianNLLLoss|gaussian_nll_loss)$", aspect=THEIRS, call="bool for a tensor"),
    Known("the input itself comes back where nothing is dropped", target="Dropout1d$", aspect="gradient 0: missing", call="in eval|p=0"),
    Known(INFINITE, target=r"\.(pow|__pow__)_?$", aspect="^result: values that are not finite", call="exponent=<float|_b=<float|b=<float"),
    Known(INFINITE, target=r"^optim\.", aspect="^result.*: values", call=r": inf\]"),
    Known(EMPTY, target=r"\.(var|std)(_mean)?$", aspect="values that are not finite", call=r"<\w+\[(\d+, )*0\b"),
    Known(LAX, target=r"instance_norm$", aspect=OURS, ours="ShapeError"),
    Known(EMPTY, aspect=OURS, ours="dilation must be at least 1", call=r"<\w+\[0"),
    Known("what is raised to a high power overflows", target="(LPPool|lp_pool|norm|normalize|multi_margin_loss)", aspect="values", call=r": (-?1000|nan|inf)\]"),
    Known(LAX, target=r"(BatchNorm|InstanceNorm)\dd$", aspect=THEIRS, theirs="'?momentum'?", call="in eval|momentum: "),
    Known(LAX, target=r"(broadcast_shapes|trunc_normal_|batch_norm|tile|ReplicationPad.d)$", aspect=OURS),
    Known("a mask of no element picks none", target=r"\.__getitem__$", aspect=THEIRS, theirs=r"shape of the mask \[(\d+, )*0"),
    Known("dtypes of a bias are converted", target=r"\.bilinear$", aspect=THEIRS, theirs="All tensors must have the same dtype"),
    Known("dim=[] stands for all axes", target=r"\.logsumexp$", aspect=THEIRS, call="dim: 0 items"),
    Known("differences of what is equal but for rounding", target=r"RMSprop$", aspect="^result", call="alpha: 0.0"),
    Known("a bool is a number where a number is asked for", target=r"^optim\.", aspect=THEIRS, call=r": True\]"),
    Known(LAX, target=r"(batch_norm|instance_norm)$", aspect=THEIRS, theirs="'momentum'"),
    Known(LAX, target="(CrossEntropyLoss|cross_entropy)$", aspect=OURS, ours="label_smoothing must be between"),
    Known("statistics of no sample stay as they are", target=r"(InstanceNorm\dd|instance_norm)$", aspect=THEIRS, theirs="IndexError: select"),
    Known("statistics of no sample stay as they are", target=r"(InstanceNorm\dd|instance_norm)$", aspect="running_|afterwards", call=r"<\w+\[0"),
    Known("ModuleList.insert is a list's: PyTorch's leaves gaps behind the end and stumbles over negative positions", target="^nn.ModuleList$", call="'insert'"),
    Known("a missing name is a KeyError, as of a dict", target="^nn.ParameterDict$", aspect=THEIRS, theirs="AttributeError"),
    Known("momenta are part of the state of a schedule that cycles them", target="OneCycleLR$", aspect="structure"),
    # ---- errors of another type
    Known("a TypeError where PyTorch stumbles over the wrong type with an AttributeError", aspect=TYPE, ours="TypeError|DtypeError|ShapeError|ValueError", theirs="AttributeError"),
    Known("a ShapeError, a ValueError and a RuntimeError, where PyTorch stumbles over an axis or a tuple with an IndexError", aspect=TYPE, ours="ShapeError", theirs="IndexError: (Dimension|tuple index|index)"),
    Known(EARLY, aspect=TYPE, ours="ValueError.* is not a valid value for reduction", theirs="TypeError: unsupported operand"),
    Known(EARLY, target="Bilinear$", aspect=TYPE, ours="ValueError", theirs="RuntimeError: Trying to create tensor with negative"),
    Known(EARLY, target=r"^nn\.init\.", aspect=TYPE, ours="ValueError", theirs="AttributeError"),
    Known(OTHER, target=r"(unfold|Unfold|fold|Fold)$", aspect=TYPE, ours="ShapeError: .*padding must be", theirs="TypeError"),
    Known(EARLY, target=r"^optim\.", aspect=TYPE, ours="ValueError|TypeError|RuntimeError"),
    Known(EARLY, aspect=TYPE, ours="TypeError|ShapeError|ValueError: .*interpolate|repeats must be", theirs="TypeError: (float|repeat_interleave)\\(\\)|invalid output_size|IndexError: tuple index out of range|ValueError: Input dimension should be at least|must have the same number of spatial dimensions"),
    Known(EARLY, target=r"(Pad\dd|pad|Upsample\w*|upsample\w*|interpolate)$", aspect=TYPE, ours="NotImplementedError|ShapeError", theirs="ValueError: (expected|Input|only one)|NotImplementedError"),
    Known("a ValueError, as from nn.functional.dropout, also from torch.dropout and of nan", target="(dropout|Dropout)", aspect=TYPE, ours="ValueError: .*dropout probability", theirs="RuntimeError: dropout probability"),
    Known(OTHER, aspect=TYPE, ours="DtypeError: index_fill", theirs="IndexError: index_fill"),
    Known(OTHER, target=r"\.(div|divide)_?$", aspect=TYPE, ours="rounding_mode must be", theirs="TypeError"),
    Known(OTHER, target=r"\.(roll|add_?|sub_?|subtract_?|clamp_?|argmin|argmax|exponential_|squeeze|unflatten|bitwise_\w+|matrix_norm|einsum|addcdiv_?|addcmul_?|randint_like|__setitem__|__getitem__|randint|full|arange|interpolate|orthogonal|gaussian_nll_loss|GaussianNLLLoss|amin|amax|linalg.norm)$", aspect=TYPE),
    Known(OTHER, target=r"\.(bernoulli_|multinomial|norm|normal_)$", aspect=TYPE, theirs="TypeError"),
    Known(OTHER, target=r"(Conv\wd|LazyConv\w*|ConvTranspose\wd|GroupNorm|group_norm|BatchNorm.d|InstanceNorm.d|embedding|Embedding|multi_margin_loss|MultiMarginLoss|LPPool.d|lp_pool.d|cross_entropy|CrossEntropyLoss)$", aspect=TYPE, ours="TypeError|ShapeError|DtypeError|AssertionError|ValueError: GroupNorm"),
    Known(OTHER, aspect=TYPE, ours="NotImplementedError: .*not implemented for (u?int|bool)|OutOfRange|got two dtypes", theirs="TypeError|Expected one of cpu"),
    Known("view of bytes as another dtype is not offered, of whatever name", target=r"^Tensor\.view$", aspect=TYPE, ours="NotImplementedError: view"),
    # ---- gradients
    Known(ZEROS, target=IN_PLACE_TESTS, aspect="^(gradient|result: requires_grad)"),
    Known(ZEROS, target=r"\.(addmm|addmv|baddbmm)_?$", aspect="^(gradient|result: requires_grad)", call="beta=(0|False|0.0)\\b"),
    Known(ZEROS, target=r"^(engine|Tensor)\.(bernoulli|normal)$", aspect="^(gradient|result: requires_grad)"),
    Known(ZEROS, target=r"^Tensor\.(copy_|mT)$", aspect="^gradient 0: missing"),
    Known(ZEROS, target=r"\.(norm|vector_norm|triplet_margin_loss|pairwise_distance|TripletMarginLoss|PairwiseDistance)$", aspect="^(gradient .: missing|result.*: requires_grad)", call=r"(p|ord)=(0|False)\b"),
    Known("distinct values have no gradient; PyTorch's is missing too, but only at backward", target=r"\.unique$", aspect="requires_grad"),
    Known("PyTorch passes the gradient through logic in place as if nothing had changed", target=r"^Tensor\.logical_\w+_$", aspect="^gradient"),
    Known(INFINITE, target=r"\.(addcdiv|addcmul|__rtruediv__|__truediv__|__itruediv__|var|std|var_mean|std_mean|reciprocal|PairwiseDistance|TripletMarginLoss|triplet_margin_loss|logit|pow|__pow__|__rpow__|__ipow__|prod|cumprod|logit|div|divide|true_divide|remainder|fmod|norm|vector_norm|pairwise_distance|cosine_similarity)_?$", aspect="^gradient .: values that are not finite"),
    Known(INFINITE, target=ACTIVATIONS, aspect="^(gradient|result|input 0 afterwards)", call=r"nonfinite|: nan\]|: inf\]|e\+30"),
    Known(INFINITE, target=r"\.(logit|var_mean|std_mean|instance_norm|InstanceNorm.d|linspace|logspace)_?$", aspect="values", call=r"nonfinite|: (nan|inf|-?1000)\]"),
    Known(INFINITE, target=r"\.(var|std)(_mean)?$", aspect="^(result|gradient)", call=r"nonfinite|e\+30"),
    Known(INFINITE, target=r"(multi_margin_loss|MultiMarginLoss)$", aspect="^(result|gradient)", call=r": (nan|inf|-?1000)\]"),
    Known(TIES, target=r"\.(kthvalue|topk|median|sort|argsort|max|min)$", aspect=r"^(result(\[1\])?: values|gradient 0: values)", call=r"as u?int|as bool|as shape"),
    Known("amax of a nan passes its gradient to it", target=r"\.(amax|amin)$", aspect="^gradient 0: values that are not finite"),
    Known("PyTorch's gradient over dim=() divides by the count of no axis", target=r"\.(var|std)(_mean)?$", aspect="^gradient", call=r"dim=(\(\)|\[\])"),
    Known("PyTorch gives an integer result a history", target=r"^Tensor\.(__setitem__|index_put_|masked_\w+)$", aspect="requires_grad", call=r"<(u?int|bool)"),
    Known("PyTorch holds the limit 1e-12 of this gradient in single precision", target="(binary_cross_entropy|BCELoss|cosine_embedding_loss|CosineEmbeddingLoss)$", aspect="^gradient .: values", call="float64"),
    Known("PyTorch holds a sixth in single precision in this gradient", target="(hardsigmoid|Hardsigmoid)$", aspect="^gradient 0: values", call="float64"),
    # ---- PyTorch's own defects
    Known("PyTorch refuses a transposed input here for want of a copy", target=r"\.(take_along_dim|orthogonal_?|parameters_to_vector)$", aspect=THEIRS, theirs="view size is not compatible"),
    Known("PyTorch takes positions beyond the end here", target=r"\.take_along_dim$", aspect=OURS, ours="is out of bounds"),
    Known("PyTorch's gradients are wrong where statistics or weights are not contiguous", target=r"\.batch_norm$", aspect="^gradient .: values", call=r"(running_mean|running_var|weight)=<\w+\[\d+\] strided"),
    Known("PyTorch gives an empty image back as it came", target="(pixel_unshuffle|PixelUnshuffle|pixel_shuffle|PixelShuffle)$", aspect="shape"),
    Known("PyTorch gives the input back unexpanded where there are no rows", target=r"\.addmv_?$", aspect="shape|gradient .: values", call=r"mat=<\w+\[(\d+, )?0"),
    Known("PyTorch stumbles over parameters without any gradient", target=r"clip_grad_value_$", aspect=THEIRS, theirs="nested_tensorlist"),
    Known("PyTorch writes into an output of the input's shape", target="(SoftMarginLoss|soft_margin_loss)$", aspect=THEIRS, theirs="output with shape"),
]  # fmt: skip


def reason(difference):
    """Why the two differ there; None where nothing explains it."""
    for k in KNOWN:
        if k.matches(difference):
            return k.reason
    return None
