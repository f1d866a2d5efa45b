"""`python -m lab COMMAND`: which commands there are. The work is done elsewhere."""

from __future__ import annotations

from training.command_line import Command, CommandLine

COMMANDS = {
    "corpus smoke": Command(
        "lab.corpus.smoke", "make_smoke_corpus", "small real music corpus from packages"
    ),
    "corpus default": Command(
        "lab.corpus.default", "make_default_corpus", "the embedded default model's corpus"
    ),
    "corpus example": Command(
        "lab.corpus.example_clip", "make_example_clip", "the clip that ships with the package"
    ),
    "formats measure": Command(
        "lab.formats.command", "measure_formats", "what reads which audio file right"
    ),
    "formats routes": Command(
        "lab.formats.routes_table", "print_routes", "who decodes what, for docs/formats.md"
    ),
    "formats damage": Command(
        "lab.formats.damage", "damage_formats", "what comes of damaged audio files"
    ),
    "finetuning": Command(
        "lab.finetuning.command", "finetuning", "fine-tuning beside other ways, on unheard music"
    ),
    "fifty files": Command(
        "lab.finetuning.fifty_files", "fifty_files", "fine-tuning as a new user types it, timed"
    ),
    "tune finetuning": Command(
        "lab.finetuning.tuning", "tune_finetuning", "values of finetune.yaml, by validation"
    ),
    "own head": Command(
        "lab.own_head.command", "own_head", "a tagger from fifty real files, as a user makes it"
    ),
    "quality": Command(
        "lab.quality.command", "quality", "what a model is worth, on held-out music"
    ),
    "training speed": Command(
        "lab.training_speed.marks", "training_speed", "training steps on a GPU, beside the marks"
    ),
    "torture": Command(
        "lab.torture.command", "torture", "what the product withstands", takes_parser=True
    ),
}

main = CommandLine(
    "python -m lab", "Make corpora out of packages, and measure models and decoders.", COMMANDS
).main
