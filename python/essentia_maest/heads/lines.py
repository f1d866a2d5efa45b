"""What a head is worth, in lines for a terminal."""

from __future__ import annotations

from ..reading.plain_text import printable
from .examples import Array
from .fit import Account

_MOST_CLASSES = 20  # of a table of confusion; more do not fit


def lines_of(account: Account) -> list[str]:
    """Say what an account holds.

    Parameters
    ----------
    account : Account

    Returns
    -------
    list of str
    """
    how = (
        f"cross-validation in {account.folds} folds"
        if account.folds
        else "as the head predicts them"
    )
    lines = [
        f"{account.tracks} tracks, {account.groups} groups, {len(account.classes)} classes "
        f"({account.kind}); {how}; 95 % intervals over groups",
        "",
        f"{'':18} {'score':>6}  {'interval':14}  baseline",
    ]
    for name, score in account.scores.items():
        interval = f"{score.low:.3f} to {score.high:.3f}"
        lines.append(f"{name:18} {score.value:6.3f}  {interval:14}  {score.baseline:.3f}")
    lines += ["", "baseline: always the commonest class (ROC-AUC and mAP: no order at all)", ""]
    width = max(5, *(len(printable(name)) for name in account.classes))
    lines.append(f"{'class':{width}}  tracks  ROC-AUC     AP  precision  recall")
    for one in account.of_classes:
        lines.append(
            f"{printable(one.name):{width}}  {one.tracks:6}  {one.roc_auc:7.3f}  "
            f"{one.average_precision:5.3f}  {one.precision:9.3f}  {one.recall:6.3f}"
        )
    if account.table is not None and len(account.classes) <= _MOST_CLASSES:
        lines += ["", *_confusion_lines(account.table, account.classes, width)]
    if account.calibration is not None:
        found = account.calibration
        lines += [
            "",
            f"calibration: temperature {found.temperature:.2f}; log loss {found.log_loss[0]:.3f} "
            f"without, {found.log_loss[1]:.3f} with; expected calibration error "
            f"{found.error[0]:.3f} without, {found.error[1]:.3f} with",
        ]
    return lines


def _confusion_lines(table: Array, classes: tuple[str, ...], width: int) -> list[str]:
    columns = [f"{number + 1:>5}" for number in range(len(classes))]
    lines = [f"rows: the label, columns: what it is taken for, {''.join(columns)}"]
    indent = len(lines[0]) - 5 * len(classes)
    for number, (name, row) in enumerate(zip(classes, table, strict=True)):
        head = f"{number + 1:>3} {printable(name):{width}}"
        lines.append(f"{head:{indent}}" + "".join(f"{count:>5}" for count in row))
    return lines
