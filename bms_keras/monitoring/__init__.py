"""What shows how a run goes: TensorBoard, numbers worth watching, pictures, figures."""
