"""Networks from ONNX: the file, the walk over its graph, layers, integers, and what is proven of them."""
