"""What CuPy 14.2.0 has: the public names of the module, of its arrays, of cupyx.scipy.special and below, as dir() lists them;
and what cuDNN's frontend has.
"""

MODULE = frozenset(
    """
    AxisError ComplexWarning DataSource ElementwiseKernel Inf Infinity ModuleDeprecationWarning NAN NINF NZERO NaN
    PINF PZERO RankWarning RawKernel RawModule ReductionKernel TooHardError VisibleDeprecationWarning abs absolute
    acos acosh add all allclose alltrue amax amin angle annotations any append apply_along_axis apply_over_axes
    arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin argpartition argsort argwhere around
    array array2string array_equal array_equiv array_repr array_split array_str asanyarray asarray asarray_chkfinite
    ascontiguousarray asfarray asfortranarray asin asinh asnumpy astype atan atan2 atanh atleast_1d atleast_2d
    atleast_3d average bartlett base_repr binary_repr bincount bitwise_and bitwise_count bitwise_invert
    bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor blackman bool bool_ broadcast
    broadcast_arrays broadcast_shapes broadcast_to byte byte_bounds c_ can_cast cbrt cdouble ceil cfloat choose
    clear_memo clip column_stack common_type complex128 complex64 complex_ complexfloating compress concat
    concatenate conj conjugate convolve copy copysign copyto corrcoef correlate cos cosh count_nonzero cov cross
    csingle cuda cumprod cumproduct cumsum cumulative_prod cumulative_sum deg2rad degrees delete diag diag_indices
    diag_indices_from diagflat diagonal diff digitize disable_experimental_feature_warning disp divide divmod dot
    double dsplit dstack dtype e ediff1d einsum empty empty_like equal euler_gamma exceptions exp exp2 expand_dims
    expm1 extract eye fabs fft fill_diagonal find_common_type finfo fix flatiter flatnonzero flip fliplr flipud
    float16 float32 float64 float_ float_power floating floor floor_divide fmax fmin fmod format_float_positional
    format_float_scientific format_parser frexp fromDlpack from_dlpack frombuffer fromfile fromfunction fromiter
    fromstring full full_like fuse gcd generic genfromtxt get_array_module get_array_wrap get_default_memory_pool
    get_default_pinned_memory_pool get_printoptions gradient greater greater_equal half hamming hanning heaviside
    histogram histogram2d histogramdd hsplit hstack hypot i0 identity iinfo imag in1d index_exp indices inexact inf
    infty inner int16 int32 int64 int8 int_ intc integer interp intersect1d intp invert is_available isclose
    iscomplex iscomplexobj isdtype isfinite isfortran isin isinf isnan isneginf isposinf isreal isrealobj isscalar
    issctype issubclass_ issubdtype issubsctype iterable ix_ kaiser kron lcm ldexp left_shift less less_equal
    lexsort lib linalg linspace load loadtxt log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not
    logical_or logical_xor logspace long longlong make_aligned_dtype mask_indices matmul matrix_transpose max
    maximum may_share_memory mean median memoize meshgrid mgrid min min_scalar_type minimum mintypecode mod modf
    moveaxis msort multiply nan nan_to_num nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin
    nanprod nanstd nansum nanvar ndarray ndim ndindex negative newaxis nextafter nonzero not_equal number obj2sctype
    ogrid ones ones_like outer packbits pad partition percentile permute_dims pi piecewise place poly poly1d polyadd
    polyfit polymul polynomial polysub polyval positive pow power printoptions prod product promote_types ptp put
    put_along_axis putmask quantile r_ rad2deg radians random ravel ravel_multi_index real real_if_close reciprocal
    remainder repeat require reshape resize result_type right_shift rint roll rollaxis roots rot90 round round_
    row_stack s_ safe_eval save savetxt savez savez_compressed sctype2char searchsorted select set_printoptions
    set_string_function setdiff1d setxor1d shape shares_memory short show_config sign signbit signedinteger sin sinc
    single singlecomplex sinh size sometrue sort sort_complex split sqrt square squeeze stack std subtract sum
    swapaxes take take_along_axis tan tanh tensordot testing tile trace transpose trapezoid trapz tri tril
    tril_indices tril_indices_from trim_zeros triu triu_indices triu_indices_from true_divide trunc typename typing
    ubyte ufunc uint uint16 uint32 uint64 uint8 uintc uintp ulong ulonglong union1d unique unique_all unique_counts
    unique_inverse unique_values unpackbits unravel_index unsignedinteger unwrap ushort vander var vdot vectorize
    vsplit vstack where who zeros zeros_like
    """.split()
)

ARRAY = frozenset(
    """
    T all any argmax argmin argpartition argsort astype base byteswap choose clip compress conj conjugate copy
    cstruct cumprod cumsum data device diagonal dot dtype dump dumps fill flags flat flatten get imag item itemsize
    mT max mdspan mean min nbytes ndim nonzero partition prod ptp put ravel real reduced_view repeat reshape round
    scatter_add scatter_max scatter_min searchsorted set shape size sort squeeze std strides sum swapaxes take
    toDlpack tobytes tofile tolist trace transpose var view
    """.split()
)

SPECIAL = frozenset(
    """
    annotations bdtr bdtrc bdtri beta betainc betaincinv betaln binom boxcox boxcox1p btdtr btdtri cbrt chdtr chdtrc
    chdtri cosdg cosm1 cotdg digamma ellipeinc ellipj ellipk ellipkinc ellipkm1 entr erf erfc erfcinv erfcx erfinv
    exp1 exp10 exp2 expi expit expm1 expn exprel fdtr fdtrc fdtri gamma gammainc gammaincc gammainccinv gammaincinv
    gammaln gammasgn gdtr gdtrc huber i0 i0e i1 i1e inv_boxcox inv_boxcox1p j0 j1 k0 k0e k1 k1e kl_div lambertw
    log1p log_expit log_ndtr log_softmax loggamma logit logsumexp lpmv multigammaln nbdtr nbdtrc nbdtri ndtr ndtri
    pdtr pdtrc pdtri poch polygamma pseudo_huber psi radian rel_entr rgamma round shichi sici sinc sindg softmax
    sph_harm sph_harm_y spherical_yn tandg wright_bessel xlog1py xlogy y0 y1 yn zeta zetac
    """.split()
)

BELOW = {  # path below the module -> its names; of cuda.runtime all but its constants
    path: frozenset(names.split())
    for path, names in {
        "lib": """
            stride_tricks
        """,
        "lib.stride_tricks": """
            annotations as_strided np sliding_window_view
        """,
        "linalg": """
            LinAlgError annotations cholesky cond cross det eig eigh eigvals eigvalsh inv lstsq matmul matrix_power
            matrix_rank matrix_transpose norm pinv qr slogdet solve svd tensorinv tensorsolve
        """,
        "cuda": """
            BaseMemory CFunctionAllocator Device Event ExternalStream Function Graph ManagedMemory Memory MemoryAsync
            MemoryAsyncPool MemoryHook MemoryPointer MemoryPool Module PinnedMemory PinnedMemoryPointer PinnedMemoryPool
            PythonFunctionAllocator Stream UnownedMemory alloc alloc_pinned_memory annotations common compiler
            contextlib cub device driver function get_allocator get_cublas_handle get_cuda_path get_current_stream
            get_device_id get_elapsed_time get_hipcc_path get_local_runtime_version get_nvcc_path get_rocm_path graph
            is_available malloc_async malloc_managed memory memory_hook memory_hooks nvrtc nvtx pinned_memory profile
            profiler runtime set_allocator set_pinned_memory_allocator stream texture thrust using_allocator warnings
        """,
        "cuda.Device": """
            attributes compute_capability cublas_handle cusolver_handle cusolver_sp_handle cusparse_handle
            cutensor_handle from_pci_bus_id id mem_info pci_bus_id synchronize use
        """,
        "cuda.Event": """
            done record synchronize
        """,
        "cuda.MemoryPool": """
            free_all_blocks free_all_free free_bytes get_limit malloc n_free_blocks set_limit total_bytes used_bytes
        """,
        "cuda.PinnedMemoryPointer": """
            mem ptr size
        """,
        "cuda.Stream": """
            add_callback begin_capture done end_capture from_external is_capturing is_non_blocking launch_host_func null
            priority ptds record synchronize use wait_event
        """,
        "cuda.memory": """
            BaseMemory CFunctionAllocator CFunctionAllocatorMemory CUDARuntimeError ManagedMemory Memory MemoryAsync
            MemoryAsyncPool MemoryPointer MemoryPool OutOfMemoryError PooledMemory PythonFunctionAllocator
            PythonFunctionAllocatorMemory SingleDeviceMemoryPool SystemMemory UnownedMemory alloc atexit gc
            get_allocator malloc_async malloc_managed malloc_system os set_allocator threading warnings weakref
        """,
        "cuda.runtime": """
            CUDARuntimeError check_status createSurfaceObject createTextureObject destroySurfaceObject
            destroyTextureObject deviceCanAccessPeer deviceDisablePeerAccess deviceEnablePeerAccess deviceGetAttribute
            deviceGetByPCIBusId deviceGetDefaultMemPool deviceGetLimit deviceGetMemPool deviceGetPCIBusId deviceSetLimit
            deviceSetMemPool deviceSynchronize driverGetVersion eventBlockingSync eventCreate eventCreateWithFlags
            eventDefault eventDestroy eventDisableTiming eventElapsedTime eventInterprocess eventQuery eventRecord
            eventSynchronize free freeArray freeAsync freeHost getDevice getDeviceCount getDeviceProperties
            graphDebugDotPrint graphDestroy graphExecDestroy graphInstantiate graphLaunch graphUpload hostAlloc
            hostAllocDefault hostAllocMapped hostAllocPortable hostAllocWriteCombined hostRegister hostUnregister
            ipcCloseMemHandle ipcGetEventHandle ipcGetMemHandle ipcOpenEventHandle ipcOpenMemHandle is_hip
            launchHostFunc malloc malloc3DArray mallocArray mallocAsync mallocFromPoolAsync mallocManaged memAdvise
            memGetInfo memPoolCreate memPoolDestroy memPoolGetAttribute memPoolSetAttribute memPoolTrimTo
            memPrefetchAsync memcpy memcpy2D memcpy2DAsync memcpy2DFromArray memcpy2DFromArrayAsync memcpy2DToArray
            memcpy2DToArrayAsync memcpy3D memcpy3DAsync memcpyAsync memcpyDefault memcpyDeviceToDevice
            memcpyDeviceToHost memcpyHostToDevice memcpyHostToHost memcpyPeer memcpyPeerAsync memoryTypeDevice
            memoryTypeHost memoryTypeManaged memoryTypeUnregistered memset memsetAsync pointerGetAttributes
            pointerGetMemoryType profilerStart profilerStop runtimeGetVersion setDevice streamAddCallback
            streamBeginCapture streamCaptureModeGlobal streamCaptureModeRelaxed streamCaptureModeThreadLocal
            streamCaptureStatusActive streamCaptureStatusInvalidated streamCaptureStatusNone streamCreate
            streamCreateWithFlags streamCreateWithPriority streamDefault streamDestroy streamEndCapture streamGetFlags
            streamGetPriority streamIsCapturing streamLegacy streamNonBlocking streamPerThread streamQuery
            streamSynchronize streamWaitEvent
        """,
    }.items()
}

CUDNN = {  # path below the module of nvidia-cudnn-frontend 1.32.0 -> its names; of the module those in its __all__
    path: frozenset(names.split())
    for path, names in {
        "": """
            DeviceInfo FRONTEND_KNOB_TYPE_BASE Graph GraphContext Handle Node NodeType Tensor attention_implementation
            b2b_causal_conv1d_backward b2b_causal_conv1d_forward backend_version backend_version_string behavior_note
            build_plan_policy causal_conv1d_backward causal_conv1d_forward causal_conv1d_nwh_backward
            causal_conv1d_nwh_forward create_device_properties create_handle create_kernel_cache cuda_graph_retention
            cudnnGraphNotSupportedError data_type destroy_handle diagonal_alignment get_last_error_string get_stream
            gnn_activation_op gnn_agg_op gnn_agg_simple_backward gnn_agg_simple_forward gnn_mha_gat_backward
            gnn_mha_gat_forward gnn_mha_gat_v2_backward gnn_mha_gat_v2_forward graph graph_cache heur_mode
            is_frontend_knob_type jit knob knob_type moe_grouped_matmul_mode norm_forward_phase numerical_note pygraph
            reduction_mode reshape_mode scalar_type sdpa_capabilities set_stream tensor tensor_reordering wrapper
        """,
        "Tensor": """
            alignment_value data_type dim_assigned get_data_type get_dim get_is_pass_by_value get_is_virtual get_name
            get_ragged_offset_multiplier get_reordering_type get_stride get_uid is_pass_by_value is_virtual name owner
            pass_by_value ragged_offset ragged_offset_multiplier reordering_type scalar_type set_alignment_value
            set_data_type set_dim set_is_pass_by_value set_is_virtual set_name set_output set_ragged_offset
            set_ragged_offset_multiplier set_reordering_type set_stride set_uid stride_assigned uid uid_assigned
            validate
        """,
        "data_type": """
            BFLOAT16 BOOLEAN DOUBLE FAST_FLOAT_FOR_FP8 FLOAT FP4_E2M1 FP8_E4M3 FP8_E5M2 FP8_E5M3 FP8_E8M0 HALF INT32
            INT4 INT64 INT8 INT8x32 INT8x4 NOT_SET UINT8 UINT8x4
        """,
        "heur_mode": """
            A B FALLBACK OPENSOURCE
        """,
        "numerical_note": """
            DOWN_CONVERT_INPUTS FFT NONDETERMINISTIC REDUCED_PRECISION_REDUCTION STRICT_NAN_PROP TENSOR_CORE WINOGRAD
            WINOGRAD_TILE_13x13 WINOGRAD_TILE_4x4 WINOGRAD_TILE_6x6
        """,
        "pygraph": """
            abs adalayernorm adalayernorm_backward add add_square backend_plan_entries batchnorm batchnorm_backward
            batchnorm_inference bias binary_select block_scale_dequantize block_scale_quantize build
            build_operation_graph build_plan_at_index build_plans ceil check_support cmp_eq cmp_ge cmp_gt cmp_le cmp_lt
            cmp_neq concatenate context conv_dgrad conv_fprop conv_wgrad cos create_execution_plan
            create_execution_plans deselect_behavior_notes deselect_engines deselect_numeric_notes
            deselect_workspace_greater_than deserialize div elu elu_backward erf execute execute_plan_at_index exp
            find_tensor floor gdn gdn2 gdn2_bwd gdn2_summary gdn2_summary_bwd gdn_bwd gdn_summary gdn_summary_bwd gdp
            gdp_bwd gdp_summary gdp_summary_bwd gelu gelu_approx_tanh gelu_approx_tanh_backward gelu_backward gen_index
            genstats get_behavior_notes get_behavior_notes_for_plan_at_index get_cuda_graph_retention
            get_engine_and_knobs_at_index get_execution_plan_count get_inputs get_node get_outputs
            get_plan_name_at_index get_workspace_size get_workspace_size_plan_at_index identity inspect instancenorm
            instancenorm_backward kda kda_bwd kda_summary kda_summary_bwd key layernorm layernorm_backward leaky_relu
            leaky_relu_backward log logical_and logical_not logical_or mamba2 mamba2_bwd mamba2_summary
            mamba2_summary_bwd matmul max min mod moe_grouped_matmul moe_grouped_matmul_bwd mul neg nodes plans
            populate_cuda_graph pow reciprocal reduction relu relu_backward reshape rmsnorm rmsnorm_backward rope
            rope_backward rsqrt scale sdpa sdpa_backward sdpa_fp8 sdpa_fp8_backward sdpa_mxfp8 sdpa_mxfp8_backward
            select_behavior_notes select_numeric_notes select_plan selected_engine serialize sigmoid sigmoid_backward
            sin slice softplus softplus_backward sqrt sub swish swish_backward tan tanh tanh_backward tensor tensor_like
            tensor_scalar tensors transpose update_cuda_graph validate
        """,
    }.items()
}

HELD = {"cuda.Stream": {"ptr"}}  # what its __init__ sets, so that dir() of the class does not tell

MAKES = {  # what is called -> of which of BELOW it makes one
    "cuda.Device": "cuda.Device",
    "cuda.Event": "cuda.Event",
    "cuda.Stream": "cuda.Stream",
    "cuda.Stream.record": "cuda.Event",
    "cuda.alloc_pinned_memory": "cuda.PinnedMemoryPointer",
    "cuda.get_current_stream": "cuda.Stream",
    "cudnn.pygraph": "cudnn.pygraph",
    "cudnn.pygraph.tensor": "cudnn.Tensor",
    "get_default_memory_pool": "cuda.MemoryPool",
}
