"""Choices of the engine, each beside what it was chosen over.

What is quantised and how, how segments share the CPUs, how ONNX Runtime is set up: measured in
turn on one model, with the machinery of `lab.peers`.
"""
