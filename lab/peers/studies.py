"""All that is measured."""

from __future__ import annotations

from lab.peers.definitions import Study
from lab.peers.file_studies import duration_study, mel_study, pipeline_study
from lab.peers.model_studies import latency_study, model_study
from lab.peers.plan import FASTEST, WHOLE, Plan


def studies(plan: Plan) -> list[Study]:
    """Give the studies, what matters most first."""
    one, most = min(plan.threads), max(plan.threads)
    return [
        *(model_study(plan, threads, whole=False) for threads in plan.threads),
        mel_study(plan, one),
        *(pipeline_study(plan, most, patchout) for patchout in (WHOLE, FASTEST)),
        latency_study(plan, one),
        duration_study(plan, most),
        *(model_study(plan, threads, whole=True) for threads in plan.threads),
    ]
