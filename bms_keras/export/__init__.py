"""What others can use without this package: SavedModels, ONNX files, a web page."""
