"""What the paper has: sizes of data sets (Table 2) and scores (Figure 2, Tables 3 to 5)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedData:
    """A row of Table 2.

    Attributes
    ----------
    title : str
        What the paper calls it.
    tracks, labels : int
    labels_of_a_track : float
        On average.
    split : str
    """

    title: str
    tracks: int
    labels: int
    labels_of_a_track: float
    split: str


TABLE_2 = {
    "jamendo-genre": PublishedData("MTGJ-Genre", 55_215, 87, 2.44, "split 0"),
    "jamendo-instrument": PublishedData("MTGJ-Inst", 25_135, 40, 2.57, "split 0"),
    "jamendo-moodtheme": PublishedData("MTGJ-Mood", 18_486, 56, 1.77, "split 0"),
    "jamendo-top50tags": PublishedData("MTGJ-T50", 54_380, 50, 3.07, "split 0"),
    "magnatagatune": PublishedData("MTT", 25_860, 50, 2.70, "12-1-3"),
    "msd": PublishedData("MSDs", 241_889, 50, 1.72, "usual"),
    "msd-cals": PublishedData("MSDc", 231_782, 50, 1.31, "CALS"),
}
"""By the name that `python -m training downstream dataset` has for it."""

SPLIT_0 = {"jamendo-genre": 55_094, "jamendo-instrument": 24_976, "jamendo-moodtheme": 17_982}
"""Tracks of MTG-Jamendo's split 0 where Table 2 counts those of the tables that were split.

Tags that not all splits have were taken out of the splits, and so were tracks with no other
(README of the data set).
"""

FIGURE_2 = {
    "c": (36.5, 38.8, 40.2, 40.7, 40.4, 40.1, 39.3, 38.8),
    "d": (36.8, 39.2, 40.5, 40.5, 40.9, 40.5, 39.6, 39.2),
    "a": (38.1, 40.1, 40.6, 40.4, 40.2, 39.3, 39.6, 39.4),
    "cd": (37.3, 39.6, 40.9, 41.0, 40.7, 40.2, 39.3, 39.3),
    "ca": (39.2, 40.5, 41.1, 40.6, 40.7, 39.5, 39.4, 39.5),
    "cda": (39.1, 40.6, 41.3, 41.1, 40.6, 39.9, 39.4, 39.4),
}
"""Tokens -> mAP in percent on MTT at blocks 5 to 12: MAEST-30s from PaSST's weights."""

FIGURE_2_BLOCKS = tuple(range(5, 13))

TABLE_3 = {
    "MAEST-10s": {"RW": 38.7, "DeiT": 40.4, "PaSST": 41.1},
    "MAEST-10s-swa": {"RW": 39.0, "DeiT": 40.2, "PaSST": 41.0},
}
"""Model -> initialisation -> mAP in percent on MTT."""

TABLE_4 = {
    "MAEST-T": {"5s": 40.8, "10s": 41.1, "20s": 41.2, "30s": 41.7},
    "MAEST-T-swa": {"5s": 40.9, "10s": 41.0, "20s": 41.2, "30s": 41.5},
}
"""Model -> length of segments -> mAP in percent on MTT."""

TABLE_5 = {
    "EffNet-B0": {
        "jamendo-genre": (87.7, 19.9),
        "jamendo-instrument": (77.6, 19.8),
        "jamendo-moodtheme": (75.6, 13.6),
        "jamendo-top50tags": (83.1, 29.7),
        "magnatagatune": (90.2, 37.4),
        "msd": (90.4, 32.8),
        "msd-cals": (88.9, 32.8),
    },
    "MAEST-10s": {
        "jamendo-genre": (88.1, 21.1),
        "jamendo-instrument": (79.7, 22.4),
        "jamendo-moodtheme": (77.9, 15.1),
        "jamendo-top50tags": (84.0, 31.3),
        "magnatagatune": (91.8, 41.0),
        "msd": (91.5, 36.9),
        "msd-cals": (88.9, 32.7),
    },
    "MAEST-20s": {
        "jamendo-genre": (88.1, 21.4),
        "jamendo-instrument": (79.9, 22.6),
        "jamendo-moodtheme": (77.9, 15.2),
        "jamendo-top50tags": (84.1, 31.5),
        "magnatagatune": (91.8, 41.0),
        "msd": (92.1, 39.2),
        "msd-cals": (89.5, 34.5),
    },
    "MAEST-30s": {
        "jamendo-genre": (88.2, 21.6),
        "jamendo-instrument": (80.0, 22.9),
        "jamendo-moodtheme": (78.1, 15.4),
        "jamendo-top50tags": (84.0, 31.5),
        "magnatagatune": (92.0, 41.9),
        "msd": (92.4, 40.7),
        "msd-cals": (89.8, 35.4),
    },
}
"""Model -> data set -> ROC-AUC and mAP in percent."""
