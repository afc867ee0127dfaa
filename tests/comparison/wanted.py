"""The names that the engine promises: PyTorch's that models and training scripts use. Those that are missing are reported."""

from __future__ import annotations

FUNCTIONS = """
abs neg exp log log1p expm1 sqrt rsqrt square reciprocal sin cos tanh sigmoid erf sign floor ceil round clamp pow maximum minimum
where isnan isfinite logical_and logical_or logical_not logical_xor eq ne lt le gt ge isinf isclose allclose equal sum mean var std
prod amax amin max min argmax argmin all any cumsum cumprod logsumexp norm count_nonzero reshape flatten unflatten squeeze
unsqueeze permute transpose t tile broadcast_to cat stack split chunk unbind narrow select flip roll tril triu gather scatter
scatter_add index_select masked_fill masked_select take_along_dim topk sort argsort matmul mm bmm mv dot outer einsum addmm
tensor arange linspace zeros ones full eye rand randn randint randperm zeros_like ones_like full_like empty empty_like rand_like
randn_like randint_like bernoulli normal multinomial manual_seed no_grad enable_grad set_grad_enabled inference_mode save load
from_numpy as_tensor is_tensor numel device Generator conv1d conv2d conv_transpose1d conv_transpose2d softmax log_softmax relu
dropout set_num_threads get_num_threads from_dlpack finfo iinfo meshgrid
"""
METHODS = """
view view_as expand expand_as repeat reshape permute item tolist numpy to float double long int half cpu cuda detach clone
contiguous is_contiguous size dim numel stride backward requires_grad_ retain_grad register_hook zero_ fill_ copy_ add_ sub_ mul_
div_ clamp_ exp_ sqrt_ relu_ sigmoid_ tanh_ neg_ abs_ pow_ masked_fill_ scatter_ scatter_add_ index_add_ index_fill_ index_copy_
squeeze_ unsqueeze_ transpose_ t_ uniform_ normal_ bernoulli_ exponential_ random_ addcmul_ addcdiv_ lerp_ floor_ ceil_ round_
type type_as new_zeros new_ones new_full new_tensor new_empty pin_memory is_floating_point data_ptr element_size
"""
NN = """
Module ModuleList ModuleDict ParameterList ParameterDict Sequential Identity Parameter Flatten Unflatten Linear Bilinear LazyLinear
LazyConv2d Conv1d Conv2d ConvTranspose1d ConvTranspose2d Unfold Fold MaxPool1d MaxPool2d AvgPool1d AvgPool2d MaxUnpool1d
MaxUnpool2d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool1d AdaptiveMaxPool2d LPPool1d LPPool2d ReLU ReLU6 LeakyReLU PReLU ELU CELU SELU GELU SiLU
Mish Softplus Softsign Tanhshrink Hardtanh Hardsigmoid Hardswish Hardshrink Softshrink Threshold GLU LogSigmoid Softmin Softmax
LogSoftmax Softmax2d Sigmoid Tanh CrossEntropyLoss NLLLoss MSELoss L1Loss SmoothL1Loss HuberLoss BCELoss BCEWithLogitsLoss
KLDivLoss MultiMarginLoss TripletMarginLoss CosineSimilarity CosineEmbeddingLoss MarginRankingLoss HingeEmbeddingLoss
PairwiseDistance BatchNorm1d BatchNorm2d LayerNorm GroupNorm InstanceNorm1d InstanceNorm2d LocalResponseNorm RMSNorm Dropout
Dropout2d AlphaDropout ZeroPad2d ConstantPad1d ConstantPad2d ReflectionPad1d ReflectionPad2d ReplicationPad1d ReplicationPad2d
CircularPad1d CircularPad2d Upsample UpsamplingNearest2d UpsamplingBilinear2d PixelShuffle PixelUnshuffle ChannelShuffle
Embedding DataParallel
"""
FUNCTIONAL = """
conv1d conv2d conv_transpose1d conv_transpose2d unfold fold max_pool1d max_pool2d avg_pool1d avg_pool2d max_unpool1d max_unpool2d
adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool1d adaptive_max_pool2d lp_pool1d lp_pool2d relu relu6 leaky_relu prelu elu celu selu gelu
silu mish softplus softsign tanhshrink hardtanh hardsigmoid hardswish hardshrink softshrink threshold glu logsigmoid softmin
softmax log_softmax sigmoid tanh cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy
binary_cross_entropy_with_logits kl_div multi_margin_loss triplet_margin_loss cosine_similarity cosine_embedding_loss
margin_ranking_loss hinge_embedding_loss pairwise_distance batch_norm layer_norm group_norm instance_norm local_response_norm
dropout dropout2d alpha_dropout pad interpolate upsample pixel_shuffle pixel_unshuffle channel_shuffle one_hot embedding
normalize linear bilinear
"""
INIT = """
uniform_ normal_ constant_ ones_ zeros_ eye_ dirac_ xavier_uniform_ xavier_normal_ kaiming_uniform_ kaiming_normal_ trunc_normal_
orthogonal_ sparse_ calculate_gain uniform normal constant eye dirac xavier_uniform xavier_normal kaiming_uniform kaiming_normal
orthogonal sparse
"""
PROMISED = {
    "engine": FUNCTIONS, "Tensor": METHODS, "nn": NN, "nn.functional": FUNCTIONAL, "nn.init": INIT,
    "nn.utils": "clip_grad_norm_ clip_grad_value_ parameters_to_vector vector_to_parameters",
    "optim": "SGD Adam AdamW NAdam RMSprop Adagrad Adadelta Lion Optimizer",
    "optim.lr_scheduler": "StepLR MultiStepLR ExponentialLR CosineAnnealingLR CosineAnnealingWarmRestarts OneCycleLR LinearLR LambdaLR SequentialLR ReduceLROnPlateau",
    "autograd": "Function grad backward gradcheck detect_anomaly",
    "linalg": "norm vector_norm matrix_norm",
}  # fmt: skip


def missing(public):
    """Labels of the promised names that are not among the `public` names of their surface, a function of the surface."""
    return [
        f"{surface}.{name}"
        for surface, names in PROMISED.items()
        for name in names.split()
        if name not in public(surface)
    ]
