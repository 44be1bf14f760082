"""VGG16 in other engines: the same weights and images, float32 arithmetic, the same number of threads."""

import numpy as np

THREADS = 2
POOLED = "features"


def onnx_bytes() -> bytes:
    """Return VGG16 with ImageNet's weights and a mean over all places as an ONNX model, channels first."""
    from onnx import helper, numpy_helper

    from helpers._machinery.weights import load_weights

    tensors, nodes, last = load_weights("imagenet"), [], "images"
    convolutions = sorted({key.partition("/")[0] for key in tensors})
    for name, following in zip(convolutions, [*convolutions[1:], ""], strict=True):
        inputs = [last, f"{name}/kernel", f"{name}/bias"]
        nodes.append(helper.make_node("Conv", inputs, [f"{name}/sums"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"{name}/sums"], [name]))
        last = name
        if following[:6] != name[:6]:
            last = f"{name[:6]}_pool"
            nodes.append(helper.make_node("MaxPool", [name], [last], kernel_shape=[2, 2], strides=[2, 2]))
    nodes.append(helper.make_node("GlobalAveragePool", [last], [POOLED]))
    order = {4: (3, 2, 0, 1), 1: (0,)}
    values = [(key, np.ascontiguousarray(value.transpose(order[value.ndim]))) for key, value in tensors.items()]
    graph = helper.make_graph(
        nodes,
        "vgg16",
        [helper.make_tensor_value_info("images", 1, ["n", 3, "height", "width"])],
        [helper.make_tensor_value_info(POOLED, 1, ["n", 512, 1, 1])],
        [numpy_helper.from_array(value, key) for key, value in values],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model.SerializeToString()


def onnx_runtime(model: bytes, batch_size: int, image_size: int):
    """Return a function from a batch, channels first, to pooled features, computed by ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {"images": batch})[0]


def openvino(model: bytes, batch_size: int, image_size: int):
    """Return a function from a batch, channels first, to pooled features, computed by OpenVINO in float32."""
    import openvino as ov

    core = ov.Core()
    network = core.read_model(model)
    network.reshape([batch_size, 3, image_size, image_size])
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": THREADS,
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = core.compile_model(network, "CPU", settings)
    return lambda batch: compiled(batch)[0]


def workbook(base_model):
    """Return a function from images to pooled features, computed by `extract_features` without its cache."""
    from helpers.features import extract_features

    return lambda images: extract_features(images, base_model=base_model, cache=False, progress=False)
