"""What a model's embeddings are worth: the paper's evaluation (sections 3.3 and 4) for any model.

In the order in which it happens: `datasets` reads what was published, `embeddings` has the engine
compute, `linear`, `mlp` and `grid` learn probes, `scores` says how good they are and how sure that
is, `block_figure`, `speed_figure` and `tables` show it beside what the paper has (`published`).
"""
